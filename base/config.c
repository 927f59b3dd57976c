/* SPDX-License-Identifier: Apache-2.0 */
/* Settings from the environment and from single values, into a struct by its
 * owner's table. Decides what a value may look like, not what it means; the file
 * is read in config_file.c. No message quotes a value: it may be a password. */
#include "base/config_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct unit {
    const char *name;
    int64_t factor;
};

/* Largest first, for printing. */
static const struct unit duration_units[] = {
    {"d", 86400000000}, {"h", 3600000000}, {"m", 60000000},
    {"s", 1000000},     {"ms", 1000},      {"us", 1},
};
static const struct unit size_units[] = {
    {"TiB", 1LL << 40}, {"TB", 1000000000000},
    {"GiB", 1 << 30},   {"GB", 1000000000},
    {"MiB", 1 << 20},   {"MB", 1000000},
    {"KiB", 1 << 10},   {"kB", 1000},
    {"B", 1},           {"", 1},
};
static const struct {
    const char *word;
    bool value;
} bool_words[] = {{"true", true}, {"false", false}, {"on", true}, {"off", false},
                  {"yes", true},  {"no", false},    {"1", true},  {"0", false}};

/* --- values ------------------------------------------------------------- */

/* Digits and one of the units; no sign, no fraction, no space. */
static bool parse_amount(struct str text, const struct unit *units, size_t count,
                         int64_t *ret_value)
{
    size_t digits = 0;
    int64_t number;

    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
        digits++;
    if (digits == 0 || !str_to_i64((struct str){text.ptr, digits}, &number))
        return false;
    text = (struct str){text.ptr + digits, text.len - digits};
    for (size_t i = 0; i < count; i++)
        if (str_is(text, units[i].name))
            return !__builtin_mul_overflow(number, units[i].factor, ret_value);
    return false;
}

static void print_amount(char *dst, size_t size, int64_t value, const struct unit *units,
                         size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (value % units[i].factor == 0 && (value != 0 || units[i].factor == 1)) {
            (void)snprintf(dst, size, "%" PRId64 "%s", value / units[i].factor, units[i].name);
            return;
        }
}

static bool parse_bool(struct str text, bool *ret_value)
{
    for (size_t i = 0; i < COUNT_OF(bool_words); i++)
        if (str_is(text, bool_words[i].word)) {
            *ret_value = bool_words[i].value;
            return true;
        }
    return false;
}

bool config_is_plain(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < ' ' || text.ptr[i] == 0x7f)
            return false;
    return str_is_utf8(text);
}

static bool set_text(const struct config_key *key, struct str value, char *dst,
                     char *ret_problem)
{
    if (!config_is_plain(value)) {
        (void)snprintf(ret_problem, CONFIG_PROBLEM_BYTES,
                       "must be UTF-8 without control characters");
        return false;
    }
    if (value.len >= key->size) {
        (void)snprintf(ret_problem, CONFIG_PROBLEM_BYTES, "must be at most %zu bytes",
                       key->size - 1);
        return false;
    }
    return str_copy(dst, key->size, value);
}

static bool set_number(const struct config_key *key, struct str value, char *dst,
                       char *ret_problem)
{
    const struct unit *units = key->type == CONFIG_DURATION ? duration_units : size_units;
    size_t count =
        key->type == CONFIG_DURATION ? COUNT_OF(duration_units) : COUNT_OF(size_units);
    const char *what = key->type == CONFIG_DURATION ? "a duration such as 500ms, 3s, 10m or 7d"
                       : key->type == CONFIG_SIZE   ? "a size such as 100, 256kB or 64MiB"
                                                    : "a whole number";
    char least[32], most[32];
    int64_t number;
    bool is = key->type == CONFIG_INT ? str_to_i64(value, &number)
                                      : parse_amount(value, units, count, &number);

    if (is && number >= key->min && number <= key->max) {
        memcpy(dst, &number, sizeof(number));
        return true;
    }
    if (key->type == CONFIG_INT) {
        (void)snprintf(least, sizeof(least), "%" PRId64, key->min);
        (void)snprintf(most, sizeof(most), "%" PRId64, key->max);
    } else {
        print_amount(least, sizeof(least), key->min, units, count);
        print_amount(most, sizeof(most), key->max, units, count);
    }
    (void)snprintf(ret_problem, CONFIG_PROBLEM_BYTES, "must be %s, from %s to %s", what, least,
                   most);
    return false;
}

bool config_put(const struct config_key *key, struct str value, void *settings,
                char *ret_problem)
{
    char *dst = (char *)settings + key->offset;
    bool truth;

    switch (key->type) {
    case CONFIG_TEXT:
        return set_text(key, value, dst, ret_problem);
    case CONFIG_BOOL:
        if (parse_bool(value, &truth)) {
            memcpy(dst, &truth, sizeof(truth));
            return true;
        }
        (void)snprintf(ret_problem, CONFIG_PROBLEM_BYTES, "must be true or false");
        return false;
    case CONFIG_INT:
    case CONFIG_DURATION:
    case CONFIG_SIZE:
        return set_number(key, value, dst, ret_problem);
    }
    return false;
}

const struct config_key *config_find(const struct config_key *keys, size_t count,
                                     struct str name)
{
    for (size_t i = 0; i < count; i++)
        if (str_is(name, keys[i].name))
            return &keys[i];
    return NULL;
}

/* --- exported -------------------------------------------------------------- */

void config_defaults(const struct config_key *keys, size_t count, void *settings)
{
    char problem[CONFIG_PROBLEM_BYTES];

    for (size_t i = 0; i < count; i++)
        ASSERT(config_put(&keys[i], str_from(keys[i].def), settings, problem));
}

/* "ARKGATE_ADMIN_LISTEN" for "admin_listen". */
static bool is_variable_of(struct str variable, const char *name)
{
    static const struct str prefix = STR("ARKGATE_");

    if (variable.len != prefix.len + strlen(name))
        return false;
    for (size_t i = 0; name[i] != '\0'; i++) {
        char upper = name[i] >= 'a' && name[i] <= 'z' ? (char)(name[i] - 'a' + 'A') : name[i];

        if (variable.ptr[prefix.len + i] != upper)
            return false;
    }
    return true;
}

static enum err_code read_variable(const struct config_key *keys, size_t count,
                                   const char *const *others, struct str name, struct str value,
                                   void *settings, struct err *err)
{
    char problem[CONFIG_PROBLEM_BYTES], shown[CONFIG_NAME_BYTES];

    str_copy_cut(shown, sizeof(shown), name);
    for (size_t i = 0; i < count; i++) {
        if (!is_variable_of(name, keys[i].name))
            continue;
        if (config_put(&keys[i], value, settings, problem))
            return ERR_OK;
        return err_set(err, ERR_CONFIG, "environment: %s %s", shown, problem);
    }
    for (; others != NULL && *others != NULL; others++)
        if (str_is(name, *others))
            return ERR_OK;
    return err_set(err, ERR_CONFIG, "environment: %s is not a known setting",
                   config_is_plain(name) ? shown : "a variable that begins with ARKGATE_");
}

enum err_code config_environment(const struct config_key *keys, size_t count,
                                 const char *const *others, void *settings, struct err *err)
{
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
        const char *equals = strchr(*entry, '=');
        struct str name;

        if (equals == NULL || strncmp(*entry, "ARKGATE_", strlen("ARKGATE_")) != 0)
            continue;
        name = (struct str){*entry, (size_t)(equals - *entry)};
        TRY(read_variable(keys, count, others, name, str_from(equals + 1), settings, err));
    }
    return ERR_OK;
}

enum err_code config_set(const struct config_key *keys, size_t count, const char *name,
                         const char *value, void *settings, struct err *err)
{
    const struct config_key *key = config_find(keys, count, str_from(name));
    char problem[CONFIG_PROBLEM_BYTES];

    if (key == NULL)
        return err_set(err, ERR_CONFIG, "%.64s is not a known setting", name);
    if (!config_put(key, str_from(value), settings, problem))
        return err_set(err, ERR_CONFIG, "%s %s", key->name, problem);
    return ERR_OK;
}

bool config_duration(struct str text, int64_t *ret_us)
{
    return parse_amount(text, duration_units, COUNT_OF(duration_units), ret_us);
}
