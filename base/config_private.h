/* SPDX-License-Identifier: Apache-2.0 */
/* What config.c and config_file.c share. */
#ifndef ARKGATE_BASE_CONFIG_PRIVATE_H
#define ARKGATE_BASE_CONFIG_PRIVATE_H

#include "base/config.h"

enum {
    CONFIG_PROBLEM_BYTES = 160, /* "must be ..." with both ends of a range */
    CONFIG_NAME_BYTES = 64      /* of an unknown key in a message */
};

/* config.c ------------------------------------------------------------- */

/* NULL when no key has that name. */
const struct config_key *config_find(const struct config_key *keys, size_t count,
                                     struct str name);
/* UTF-8 without control characters, fit for a message. */
bool config_is_plain(struct str text);
/* Stores the value; false with "must be ..." in ret_problem, which holds
 * CONFIG_PROBLEM_BYTES, when it does not fit its key. */
bool config_put(const struct config_key *key, struct str value, void *settings,
                char *ret_problem);

#endif
