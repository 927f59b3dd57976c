/* SPDX-License-Identifier: Apache-2.0 */
/* Decides the export format: JSON lines, first {"format":…}, then each tenant's
 * entries in order and a line with its head and sums, last {"end":true,…}.
 * Members stand in hash order, absent columns are left out, integers that may
 * pass 2^53 are strings, hashes hex. ledger_verify_export.c reads it. */
#include "base/json.h"
#include "billing/billing.h"
#include "billing/repo.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    PAGE_ROWS = 1000,
    PAGE_BYTES_MAX = 16 << 20 /* 1000 lines; the longest texts, all escaped, give 5 kB */
};

struct export
{
    int64_t after_tenant, tenant_id; /* tenant_id 0: there is no further one */
    struct str only;                 /* tenant name, empty: all */
    char name[80];
    int64_t seq; /* entries up to this one are written */
    struct buf *page;
    int64_t last; /* of the page */
    int64_t rows; /* of the page */
};

static FALLIBLE next_tenant(struct db_conn *conn, void *ctx, struct err *err)
{
    struct export *export = ctx;
    struct tenant tenant;

    if (export->only.len > 0) {
        TRY(tenant_find(conn, export->only, &tenant, err));
        export->tenant_id = export->after_tenant < tenant.id ? tenant.id : 0;
    } else {
        TRY(ledger_repo_next_tenant(conn, export->after_tenant, &export->tenant_id, err));
        if (export->tenant_id != 0)
            TRY(tenant_get(conn, export->tenant_id, &tenant, err));
    }
    if (export->tenant_id != 0)
        (void)snprintf(export->name, sizeof(export->name), "%s", tenant.name);
    return ERR_OK;
}

static void put_big(struct json_out *out, const char *name, int64_t number)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%" PRId64, number);
    json_put_text(out, name, str_from(text));
}

/* Bytes of any length: a tampered column is exported as it is. */
static FALLIBLE put_hex(struct json_out *out, const char *name, struct str bytes,
                        struct err *err)
{
    char hex[2 * CRYPTO_HASH_BYTES + 1];

    if (bytes.len > CRYPTO_HASH_BYTES)
        return err_set(err, ERR_MISMATCH, "column %s is longer than %d bytes", name,
                       CRYPTO_HASH_BYTES);
    str_hex(hex, bytes.ptr, bytes.len);
    json_put_text(out, name, str_from(hex));
    return ERR_OK;
}

static FALLIBLE put_entry(const struct ledger_view *view, void *ctx, struct err *err)
{
    struct export *export = ctx;
    struct json_out out = json_begin(export->page);

    json_open_object(&out, NULL);
    for (unsigned column = 0; column < COLUMN_COUNT; column++) {
        const struct ledger_column_info *info = &ledger_view_columns[column];

        if (!ledger_view_has(view, column))
            continue;
        if (info->type == COLUMN_IS_INT)
            json_put_int(&out, info->name, view->number[column]);
        else if (info->type == COLUMN_IS_BIG)
            put_big(&out, info->name, view->number[column]);
        else if (info->type == COLUMN_IS_TEXT)
            json_put_text(&out, info->name, view->text[column]);
        else
            TRY(put_hex(&out, info->name, view->text[column], err));
    }
    json_close_object(&out);
    TRY(json_end(&out, err));
    buf_puts(export->page, "\n");
    export->last = view->number[COLUMN_SEQ];
    export->rows++;
    return ERR_OK;
}

static FALLIBLE put_head(struct export *export, const struct ledger_account *account,
                         struct err *err)
{
    struct json_out out = json_begin(export->page);
    char head[2 * CRYPTO_HASH_BYTES + 1];

    str_hex(head, account->head, sizeof(account->head));
    json_open_object(&out, NULL);
    json_put_int(&out, "tenant", account->tenant_id);
    json_put_text(&out, "name", str_from(export->name));
    json_put_text(&out, "head", str_from(head));
    json_put_int(&out, "seq", account->seq);
    json_put_text(&out, "currency", str_from(account->currency));
    put_big(&out, "available_nano", account->available_nano);
    put_big(&out, "held_nano", account->held_nano);
    put_big(&out, "charged_nano", account->charged_nano);
    put_big(&out, "loss_nano", account->loss_nano);
    json_close_object(&out);
    TRY(json_end(&out, err));
    buf_puts(export->page, "\n");
    return ERR_OK;
}

/* A page of entries; behind the last of them the head, from the same snapshot. */
static FALLIBLE read_page(struct db_conn *conn, void *ctx, struct err *err)
{
    struct export *export = ctx;
    struct ledger_account account;
    bool any = false;

    buf_reset(export->page);
    export->last = export->seq;
    export->rows = 0;
    TRY(ledger_repo_each(conn, export->tenant_id, export->seq, PAGE_ROWS, put_entry, export,
                         err));
    if (export->rows < PAGE_ROWS) {
        TRY(ledger_repo_account(conn, export->tenant_id, &any, &account, err));
        if (!any)
            return err_set(err, ERR_MISMATCH, "tenant %s has no account", export->name);
        TRY(put_head(export, &account, err));
    }
    return buf_check(export->page, err);
}

static FALLIBLE write_all(int fd, struct str bytes, struct err *err)
{
    while (bytes.len > 0) {
        ssize_t done = write(fd, bytes.ptr, bytes.len);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return err_detail(err, ERR_IO, "write: %s", strerror(errno));
        bytes.ptr += done;
        bytes.len -= (size_t)done;
    }
    return ERR_OK;
}

static FALLIBLE export_tenant(struct db *db, struct export *export, int fd, int64_t *entries,
                              struct err *err)
{
    export->seq = INT64_MIN; /* whatever stands before entry 1 is exported too */
    do {
        TRY(db_read(db, read_page, export, err));
        TRY(write_all(fd, buf_str(export->page), err));
        export->seq = export->last;
        *entries += export->rows;
    } while (export->rows == PAGE_ROWS);
    return ERR_OK;
}

FALLIBLE ledger_export(struct db *db, struct str tenant_or_empty, int fd, struct err *err)
{
    CLEANUP(buf_fini) struct buf page = {0};
    struct export export = {.only = tenant_or_empty, .page = &page};
    int64_t tenants = 0, entries = 0;
    char end[96];

    TRY(db_read(db, next_tenant, &export, err)); /* an unknown tenant leaves no file */
    TRY(write_all(fd, STR("{\"format\":\"arkgate-ledger-1\"}\n"), err));
    buf_init(&page, PAGE_BYTES_MAX);
    while (export.tenant_id != 0) {
        TRY(export_tenant(db, &export, fd, &entries, err));
        tenants++;
        export.after_tenant = export.tenant_id;
        TRY(db_read(db, next_tenant, &export, err));
    }
    (void)snprintf(end, sizeof(end),
                   "{\"end\":true,\"tenants\":%" PRId64 ",\"entries\":%" PRId64 "}\n", tenants,
                   entries);
    return write_all(fd, str_from(end), err);
}
