/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator may do to a tenant. Its money account and whether a price book
 * fits are the caller's, in the same transaction. */
#include "tenancy/private.h"

#include <string.h>

FALLIBLE tenant_name_check(struct str name, struct err *err)
{
    return name_check("name", name, err);
}

static enum err_code book_check(struct str book, struct err *err)
{
    if (name_is(book, 1, sizeof(((struct tenant *)0)->book) - 1, NAME_LOWER NAME_DIGITS "._-"))
        return ERR_OK;
    return err_field(err, "book", "book must be 1 to 63 of a-z, 0-9, . _ and -");
}

FALLIBLE tenant_add(struct db_conn *conn, const char *actor, int64_t now_us, struct str name,
                    struct str currency, struct str book, struct tenant *ret_tenant,
                    struct err *err)
{
    CLEANUP(buf_fini) struct buf detail = {0};
    struct tenant tenant = {.created_us = now_us};

    TRY(tenant_name_check(name, err));
    /* "CNY", "USD", "CREDIT": seven letters are what every currency column holds. */
    if (!name_is(currency, 3, sizeof(tenant.currency) - 1, NAME_UPPER))
        return err_field(err, "currency", "currency must be 3 to %zu of A-Z",
                         sizeof(tenant.currency) - 1);
    TRY(book_check(book, err));
    TRY(settings_touch(conn, err));

    (void)str_copy(tenant.name, sizeof(tenant.name), name);
    (void)str_copy(tenant.currency, sizeof(tenant.currency), currency);
    (void)str_copy(tenant.book, sizeof(tenant.book), book);
    TRY(tenant_repo_insert(conn, &tenant, err));

    struct json_out out = audit_detail(&detail);
    json_put_int(&out, "id", tenant.id);
    json_put_text(&out, "currency", currency);
    json_put_text(&out, "book", book);
    TRY(audit_change(conn, actor, now_us, "tenant.add", name, &out, err));
    *ret_tenant = tenant;
    return ERR_OK;
}

FALLIBLE tenant_find(struct db_conn *conn, struct str name, struct tenant *ret_tenant,
                     struct err *err)
{
    return tenant_repo_find(conn, name, ret_tenant, err);
}

FALLIBLE tenant_get(struct db_conn *conn, int64_t id, struct tenant *ret_tenant,
                    struct err *err)
{
    return tenant_repo_get(conn, id, ret_tenant, err);
}

FALLIBLE tenant_suspend(struct db_conn *conn, const char *actor, int64_t now_us,
                        struct str name, bool suspended, struct err *err)
{
    CLEANUP(buf_fini) struct buf detail = {0};
    struct tenant tenant;

    TRY(settings_touch(conn, err));
    TRY(tenant_repo_find(conn, name, &tenant, err));
    if (tenant.suspended == suspended)
        return ERR_OK; /* nothing changes, nothing to audit */
    tenant.suspended = suspended;
    TRY(tenant_repo_update(conn, &tenant, err));

    struct json_out out = audit_detail(&detail);
    json_put_int(&out, "id", tenant.id);
    return audit_change(conn, actor, now_us, suspended ? "tenant.suspend" : "tenant.resume",
                        name, &out, err);
}

FALLIBLE tenant_set_book(struct db_conn *conn, const char *actor, int64_t now_us,
                         struct str name, struct str book, struct err *err)
{
    CLEANUP(buf_fini) struct buf detail = {0};
    struct tenant tenant;

    TRY(book_check(book, err));
    TRY(settings_touch(conn, err));
    TRY(tenant_repo_find(conn, name, &tenant, err));

    struct json_out out = audit_detail(&detail);
    json_put_int(&out, "id", tenant.id);
    json_put_text(&out, "book", book);
    json_put_text(&out, "book_before", str_from(tenant.book));
    (void)str_copy(tenant.book, sizeof(tenant.book), book);
    TRY(tenant_repo_update(conn, &tenant, err));
    return audit_change(conn, actor, now_us, "tenant.set", name, &out, err);
}

FALLIBLE tenant_each(struct db_conn *conn, int64_t after, int limit,
                     enum err_code (*visit)(const struct tenant *tenant, void *ctx,
                                            struct err *err),
                     void *ctx, struct err *err)
{
    return tenant_repo_each(conn, after, limit, visit, ctx, err);
}
