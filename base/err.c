/* SPDX-License-Identifier: Apache-2.0 */
/* The one error type: the closed table of codes and how an error is filled in.
 * What an error looks like on a wire is each dialect's matter. */
#include "base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    int http_status;
    int exit_status;
    bool may_retry;
    const char *text;
} codes[ERR_CODE_COUNT] = {
    [ERR_OK] = {"OK", 200, 0, false, "ok"},
#define CODE(name, http, exit, retry, text) [ERR_##name] = {#name, http, exit, retry, text},
#include "base/err_codes.def"
#undef CODE
};

static enum err_code fill(struct err *err, enum err_code code)
{
    memset(err, 0, sizeof(*err));
    err->code = code;
    return code;
}

enum err_code err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
    va_list args;

    fill(err, code);
    va_start(args, fmt);
    (void)vsnprintf(err->msg, sizeof(err->msg), fmt, args);
    va_end(args);
    return code;
}

enum err_code err_field(struct err *err, const char *field, const char *fmt, ...)
{
    va_list args;

    fill(err, ERR_INVALID);
    str_copy_cut(err->field, sizeof(err->field), str_from(field));
    va_start(args, fmt);
    (void)vsnprintf(err->msg, sizeof(err->msg), fmt, args);
    va_end(args);
    return ERR_INVALID;
}

enum err_code err_detail(struct err *err, enum err_code code, const char *fmt, ...)
{
    va_list args;

    fill(err, code);
    str_copy_cut(err->msg, sizeof(err->msg), str_from(err_text(code)));
    va_start(args, fmt);
    (void)vsnprintf(err->detail, sizeof(err->detail), fmt, args);
    va_end(args);
    return code;
}

static bool known(enum err_code code)
{
    return (unsigned)code < ERR_CODE_COUNT && codes[code].name != NULL;
}

const char *err_name(enum err_code code)
{
    return known(code) ? codes[code].name : "?";
}

enum err_code err_from_name(struct str name)
{
    for (int code = 1; code < ERR_CODE_COUNT; code++) {
        if (str_is(name, codes[code].name))
            return (enum err_code)code;
    }
    return ERR_INTERNAL;
}

const char *err_text(enum err_code code)
{
    return known(code) ? codes[code].text : codes[ERR_INTERNAL].text;
}

int err_http_status(enum err_code code)
{
    return known(code) ? codes[code].http_status : 500;
}

int err_exit_status(enum err_code code)
{
    return known(code) ? codes[code].exit_status : 1;
}

bool err_may_retry(enum err_code code)
{
    return known(code) && codes[code].may_retry;
}

_Noreturn void err_assert_failed(const char *cond, const char *file, int line)
{
    LOG(LOG_ERROR, "assertion_failed", LOG_TEXT("condition", cond), LOG_TEXT("file", file),
        LOG_INT("line", line));
    abort();
}
