/* SPDX-License-Identifier: Apache-2.0 */
/* The head of a request, as far as all dialects read it alike. */
#include "gateway/dialect/dialect.h"

#include "gateway/task/task.h"

enum err_code credential_bearer(const struct request *rq, struct str *ret_token,
                                struct err *err)
{
    struct str value = str_trim(request_header(rq, "Authorization"));
    struct str scheme = STR("Bearer ");

    if (request_header_count(rq, "Authorization") != 1 || !str_starts_nocase(value, scheme))
        return err_set(err, ERR_UNAUTHORIZED, "%s", err_text(ERR_UNAUTHORIZED));
    *ret_token = str_trim((struct str){value.ptr + scheme.len, value.len - scheme.len});
    return ERR_OK;
}

static bool is_printable(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 0x20 || text.ptr[i] > 0x7e)
            return false;
    }
    return true;
}

enum err_code credential_idempotency_key(struct request *rq, struct str *ret_key,
                                         struct err *err)
{
    const char *name = "Idempotency-Key";
    struct str key;

    if (request_header_count(rq, name) == 0)
        name = "X-Idempotency-Key";
    if (request_header_count(rq, name) == 0) {
        *ret_key = (struct str){"", 0};
        return ERR_OK;
    }
    key = str_trim(request_header(rq, name));
    if (key.len >= 2 && key.ptr[0] == '"' && key.ptr[key.len - 1] == '"')
        key = (struct str){key.ptr + 1, key.len - 2};
    if (key.len == 0 || key.len > TASK_KEY_MAX || !is_printable(key))
        return err_field(err, name, "%s must be 1 to %d printable ASCII characters", name,
                         TASK_KEY_MAX);
    *ret_key = key;
    return ERR_OK;
}
