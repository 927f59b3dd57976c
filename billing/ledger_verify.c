/* SPDX-License-Identifier: Apache-2.0 */
/* Decides how the database is walked to verify it: tenant by tenant, a page of
 * entries per snapshot. The rules are in ledger_check.c. Works beside a running
 * server: account and hold rows are compared in a snapshot whose entries have all
 * been read. */
#include "billing/billing.h"
#include "billing/repo.h"

#include <stdio.h>
#include <string.h>

enum { PAGE_ROWS = 1000 }; /* about 2 ms: no reader holds back a checkpoint */

/* One tenant. A closure may run twice, so what it has read is where it goes on. */
struct verify {
    int64_t after_tenant, tenant_id; /* tenant_id 0: there is no further one */
    char name[80];
    struct ledger_check check;
    char task[64];      /* hold rows up to this one are done */
    int64_t rows_since; /* the chain's end when hold rows began; -1 before */
    int64_t rows;       /* of the last page */
    bool done;
};

static FALLIBLE next_tenant(struct db_conn *conn, void *ctx, struct err *err)
{
    struct verify *verify = ctx;
    struct tenant tenant;

    TRY(ledger_repo_next_tenant(conn, verify->after_tenant, &verify->tenant_id, err));
    if (verify->tenant_id == 0)
        return ERR_OK;
    (void)snprintf(verify->name, sizeof(verify->name), "#%lld", (long long)verify->tenant_id);
    switch (tenant_get(conn, verify->tenant_id, &tenant, err)) {
    case ERR_OK:
        (void)snprintf(verify->name, sizeof(verify->name), "%s", tenant.name);
        return ERR_OK;
    case ERR_NOT_FOUND: /* its rows are checked all the same, by number */
        *err = (struct err){0};
        return ERR_OK;
    default:
        return err->code;
    }
}

static FALLIBLE visit_entry(const struct ledger_view *view, void *ctx, struct err *err)
{
    struct verify *verify = ctx;

    verify->rows++;
    return ledger_check_entry(&verify->check, view, err);
}

static FALLIBLE visit_hold(const struct hold_row *row, void *ctx, struct err *err)
{
    struct verify *verify = ctx;

    verify->rows++;
    memcpy(verify->task, row->task, sizeof(verify->task));
    return ledger_check_row(&verify->check, row, err);
}

static FALLIBLE verify_page(struct db_conn *conn, void *ctx, struct err *err)
{
    struct verify *verify = ctx;
    struct ledger_check *check = &verify->check;
    struct ledger_account account;
    bool any = false;

    /* From the very first row: one before entry 1 must not go unseen. */
    verify->rows = 0;
    TRY(ledger_repo_each(conn, verify->tenant_id, check->seq == 0 ? INT64_MIN : check->seq,
                         PAGE_ROWS, visit_entry, verify, err));
    if (verify->rows == PAGE_ROWS)
        return ERR_OK;

    TRY(ledger_repo_account(conn, verify->tenant_id, &any, &account, err));
    if (!any)
        return ledger_check_fail(check, check->seq, err, "the tenant has no account");
    TRY(ledger_check_account(check, &account, err));
    if (verify->rows_since < 0)
        verify->rows_since = check->seq;
    verify->rows = 0;
    TRY(hold_repo_each(conn, verify->tenant_id, str_from(verify->task), PAGE_ROWS, visit_hold,
                       verify, err));
    verify->done = verify->rows < PAGE_ROWS;
    return ERR_OK;
}

static FALLIBLE verify_tenant(struct db *db, struct verify *verify, struct err *err)
{
    verify->task[0] = '\0';
    verify->rows_since = -1;
    verify->done = false;
    while (!verify->done)
        TRY(db_read(db, verify_page, verify, err));
    /* Holds placed meanwhile may sort before the page that was being read. */
    return ledger_check_rows_seen(&verify->check, verify->rows_since, err);
}

FALLIBLE ledger_verify(struct db *db, struct ledger_report *ret_report, struct err *err)
{
    struct ledger_report report = {0};
    struct verify verify = {0};

    for (;;) {
        TRY(db_read(db, next_tenant, &verify, err));
        if (verify.tenant_id == 0)
            break;
        ledger_check_init(&verify.check, verify.tenant_id, verify.name);

        enum err_code rc = verify_tenant(db, &verify, err);

        report.tenants++;
        report.entries += verify.check.seq;
        ledger_check_fini(&verify.check);
        if (rc != ERR_OK)
            return rc;
        verify.after_tenant = verify.tenant_id;
    }
    *ret_report = report;
    return ERR_OK;
}
