/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a request was here before. A caller's own key, a signature, and the number that a
 * client's library gives a call and its repetitions each name a request. */
#include "assetlib/parts.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { NAME_MAX_BYTES = 600, NAMES = 3, SWEEP_ROWS = 1000 };

/* The names that a request has, in one form. */
struct names {
    char text[NAMES][NAME_MAX_BYTES];
    int count;
};

static void add_name(struct names *names, const char *kind, struct str text, const char *more)
{
    if (text.len > 0)
        (void)snprintf(names->text[names->count++], NAME_MAX_BYTES, "%s:%.*s%s%s", kind,
                       (int)text.len, text.ptr, more[0] != '\0' ? ":" : "", more);
}

/* A call's number tells a client's calls apart, not what they ask for: so the body is in
 * its name. The key's comes first: it alone can be used wrongly. */
static void read_names(const struct asset_request *request, struct names *ret_names)
{
    char body[2 * CRYPTO_HASH_BYTES + 1];

    str_hex(body, request->body_hash, sizeof(request->body_hash));
    ret_names->count = 0;
    add_name(ret_names, "key", request->key, "");
    add_name(ret_names, "signature", request->signature, "");
    add_name(ret_names, "call", request->call, body);
}

FALLIBLE request_find(struct db_conn *conn, const struct scope *scope,
                      const struct asset_request *request, int64_t not_before_us,
                      struct asset_created *ret_created, struct err *err)
{
    uint8_t body_hash[CRYPTO_HASH_BYTES];
    struct names names;

    ret_created->replayed = false;
    read_names(request, &names);
    for (int i = 0; i < names.count && !ret_created->replayed; i++) {
        TRY(request_repo_find(conn, scope, str_from(names.text[i]), not_before_us,
                              &ret_created->replayed, ret_created->id, body_hash, err));
        if (ret_created->replayed &&
            memcmp(body_hash, request->body_hash, sizeof(body_hash)) != 0)
            return err_set(err, ERR_KEY_REUSED, "%s", err_text(ERR_KEY_REUSED));
    }
    return ERR_OK;
}

FALLIBLE request_put(struct db_conn *conn, const struct scope *scope,
                     const struct asset_request *request, const char *id, int64_t now_us,
                     struct err *err)
{
    struct names names;

    read_names(request, &names);
    for (int i = 0; i < names.count; i++)
        TRY(request_repo_put(conn, scope, str_from(names.text[i]), str_from(id),
                             request->body_hash, now_us, err));
    return ERR_OK;
}

void request_new_id(const char *kind, int64_t now_us, char dst[ASSET_ID_MAX + 1])
{
    time_t second = (time_t)(now_us / 1000000);
    char when[16], random[11];
    struct tm utc;

    (void)gmtime_r(&second, &utc);
    (void)strftime(when, sizeof(when), "%Y%m%d%H%M%S", &utc);
    sys_random_text(random, sizeof(random) - 1, "abcdefghijklmnopqrstuvwxyz0123456789");
    (void)snprintf(dst, ASSET_ID_MAX + 1, "%s-%s-%s", kind, when, random);
}

struct sweep {
    int64_t before_us, count;
};

static enum err_code sweep_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct sweep *sweep = ctx;

    return request_repo_sweep(conn, sweep->before_us, SWEEP_ROWS, &sweep->count, err);
}

FALLIBLE request_sweep(struct asset_library *library, struct err *err)
{
    struct sweep sweep = {.before_us = sys_now_us() - library->request_keep_us};

    do {
        TRY(db_write(library->db, DB_APART, sweep_steps, &sweep, err));
    } while (sweep.count == SWEEP_ROWS);
    return ERR_OK;
}
