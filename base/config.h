/* SPDX-License-Identifier: Apache-2.0 */
/* Settings from one table: default < file (YAML) < environment ARKGATE_* < flag.
 * The table's owner declares the keys; this file reads, checks and explains. */
#ifndef ARKGATE_BASE_CONFIG_H
#define ARKGATE_BASE_CONFIG_H

#include "base/base.h"

enum config_type {
    CONFIG_TEXT,     /* char[size] */
    CONFIG_INT,      /* int64_t, min..max */
    CONFIG_BOOL,     /* bool; true/false, on/off, yes/no, 1/0 */
    CONFIG_DURATION, /* int64_t microseconds; "10m", "500ms", "3s", "24h", "7d"; min..max */
    CONFIG_SIZE      /* int64_t bytes; "64MiB", "256kB", "100"; min..max */
};

/* One key. The name is lower case with underscores ("admin_listen"); the
 * environment variable is ARKGATE_ and the name in upper case. */
struct config_key {
    const char *name;
    enum config_type type;
    size_t offset, size; /* in the settings struct; size only for CONFIG_TEXT */
    int64_t min, max;
    const char *def;  /* text of the default */
    const char *help; /* one line, for --help and the manual */
};

/* Where a value came from, for "config show" and doctor. */
enum config_source { CONFIG_FROM_DEFAULT, CONFIG_FROM_FILE, CONFIG_FROM_ENV, CONFIG_FROM_FLAG };

/* Fills *settings with the defaults. A bad default aborts: it is a bug. */
void config_defaults(const struct config_key *keys, size_t count, void *settings);
/* Reads a YAML file of scalar members. ERR_CONFIG with file:line:column for a
 * syntax error, an unknown key, a repeated key or a value out of range. */
FALLIBLE config_file(const struct config_key *keys, size_t count, const char *path,
                     void *settings, struct err *err);
/* Applies ARKGATE_* of the environment; names that no key has are refused, but
 * for those in `others` (NULL-terminated), which belong to somebody else. */
FALLIBLE config_environment(const struct config_key *keys, size_t count,
                            const char *const *others, void *settings, struct err *err);
/* One value as text; ERR_CONFIG naming the key. */
FALLIBLE config_set(const struct config_key *keys, size_t count, const char *name,
                    const char *value, void *settings, struct err *err);
/* "90d", "500ms" to microseconds; false for another text. */
bool config_duration(struct str text, int64_t *ret_us);

#endif
