/* SPDX-License-Identifier: Apache-2.0 */
/* Decides whether a file is a whole and unchanged export (its format is in
 * ledger_export.c), from the file alone. The rules of a chain are in
 * ledger_check.c. */
#include "base/json.h"
#include "billing/billing.h"
#include "billing/chain.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LINE_MAX_BYTES = 64 << 10,   /* the longest line we write has about 5 kB */
    LINE_ARENA_BYTES = 512 << 10 /* its document */
};

enum expect { EXPECT_FORMAT, EXPECT_ANY, EXPECT_NOTHING };

struct reader {
    int fd;
    char *bytes; /* LINE_MAX_BYTES and one more */
    size_t start, end;
    int64_t line;
    enum expect expect;
    bool in_tenant; /* between a tenant's first entry and its head */
    int64_t last_tenant;
    struct ledger_check check;
    struct ledger_report report;
};

/* The members of the lines that are not entries. */
struct json_head {
    struct json_opt_int tenant, seq;
    struct str name, head, currency, available, held, charged, loss;
};
static const struct json_field head_fields[] = {
    JSON_FIELD(JSON_FIELD_INT, json_head, tenant, "tenant", true, 1, INT64_MAX),
    JSON_FIELD(JSON_FIELD_TEXT, json_head, name, "name", true, 1, TENANT_NAME_MAX),
    JSON_FIELD(JSON_FIELD_TEXT, json_head, head, "head", true, 64, 64),
    JSON_FIELD(JSON_FIELD_INT, json_head, seq, "seq", true, 0, INT64_MAX),
    JSON_FIELD(JSON_FIELD_TEXT, json_head, currency, "currency", true, 1, 7),
    JSON_FIELD(JSON_FIELD_TEXT, json_head, available, "available_nano", true, 1, 20),
    JSON_FIELD(JSON_FIELD_TEXT, json_head, held, "held_nano", true, 1, 20),
    JSON_FIELD(JSON_FIELD_TEXT, json_head, charged, "charged_nano", true, 1, 20),
    JSON_FIELD(JSON_FIELD_TEXT, json_head, loss, "loss_nano", true, 1, 20),
};
struct json_tail {
    struct json_opt_bool end;
    struct json_opt_int tenants, entries;
};
static const struct json_field tail_fields[] = {
    JSON_FIELD(JSON_FIELD_BOOL, json_tail, end, "end", true, 0, 0),
    JSON_FIELD(JSON_FIELD_INT, json_tail, tenants, "tenants", true, 0, INT64_MAX),
    JSON_FIELD(JSON_FIELD_INT, json_tail, entries, "entries", true, 0, INT64_MAX),
};

static void reader_fini(struct reader *reader)
{
    if (reader->fd >= 0)
        (void)close(reader->fd);
    free(reader->bytes);
    ledger_check_fini(&reader->check);
}

static enum err_code bad_line(const struct reader *reader, const char *why, struct err *err)
{
    (void)err_set(err, ERR_MISMATCH, "line %" PRId64 ": %s", reader->line, why);
    (void)str_copy(err->field, sizeof(err->field), STR("ledger"));
    return ERR_MISMATCH;
}

/* The next line without its line feed, valid until the next call. */
static FALLIBLE next_line(struct reader *reader, bool *ret_any, struct str *ret_line,
                          struct err *err)
{
    for (;;) {
        char *start = reader->bytes + reader->start;
        char *feed = memchr(start, '\n', reader->end - reader->start);
        ssize_t got;

        if (feed != NULL) {
            *ret_line = (struct str){start, (size_t)(feed - start)};
            reader->start += ret_line->len + 1;
            reader->line++;
            *ret_any = true;
            return ERR_OK;
        }
        reader->end -= reader->start;
        memmove(reader->bytes, start, reader->end);
        reader->start = 0;
        if (reader->end > LINE_MAX_BYTES) {
            reader->line++;
            return bad_line(reader, "is longer than 64 kB", err);
        }
        got = read(reader->fd, reader->bytes + reader->end, LINE_MAX_BYTES + 1 - reader->end);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_detail(err, ERR_IO, "read: %s", strerror(errno));
        if (got == 0 && reader->end > 0) {
            reader->line++;
            return bad_line(reader, "has no line feed: the file is cut", err);
        }
        if (got == 0) {
            *ret_any = false;
            return ERR_OK;
        }
        reader->end += (size_t)got;
    }
}

/* One member into its column; false when it has another form than we write. */
static bool take_member(const struct json_doc *doc, const struct json_value *value,
                        enum ledger_column column, uint8_t bytes[CRYPTO_HASH_BYTES],
                        struct ledger_view *view)
{
    enum ledger_column_type type = ledger_view_columns[column].type;
    struct str text;

    if (type == COLUMN_IS_INT)
        return json_int(value, &view->number[column]);
    if (json_type(value) != JSON_STRING)
        return false;
    text = json_text(doc, value);
    if (type == COLUMN_IS_BIG)
        return str_to_i64(text, &view->number[column]);
    view->text[column] = text;
    if (type == COLUMN_IS_TEXT)
        return true;
    view->text[column] = (struct str){(const char *)bytes, CRYPTO_HASH_BYTES};
    return text.len == 2 * CRYPTO_HASH_BYTES && str_unhex(text, bytes, CRYPTO_HASH_BYTES);
}

/* Members in hash order and no others: what is not hashed proves nothing. */
static FALLIBLE read_entry(const struct reader *reader, const struct json_doc *doc,
                           uint8_t bytes[COLUMN_COUNT][CRYPTO_HASH_BYTES],
                           struct ledger_view *view, struct err *err)
{
    const struct json_value *value = json_first(json_root(doc));

    *view = (struct ledger_view){0};
    for (unsigned column = 0; column < COLUMN_COUNT; column++) {
        view->text[column] = (struct str){"", 0};
        if (value == NULL || strcmp(json_name(value), ledger_view_columns[column].name) != 0)
            continue;
        if (!take_member(doc, value, column, bytes[column], view))
            return bad_line(reader, "a member has another form", err);
        view->present |= 1U << column;
        value = json_next(value);
    }
    return value == NULL ? ERR_OK : bad_line(reader, "has an unknown or misplaced member", err);
}

/* Opens the tenant of this line, which must follow the one before. */
static FALLIBLE enter_tenant(struct reader *reader, int64_t tenant_id, struct err *err)
{
    char name[24];

    if (reader->in_tenant)
        return tenant_id == reader->check.tenant_id
                   ? ERR_OK
                   : bad_line(reader, "begins a tenant before the head of another", err);
    if (tenant_id <= reader->last_tenant)
        return bad_line(reader, "tenant is out of order", err);
    (void)snprintf(name, sizeof(name), "%" PRId64, tenant_id);
    ledger_check_fini(&reader->check);
    ledger_check_init(&reader->check, tenant_id, name);
    reader->in_tenant = true;
    return ERR_OK;
}

static FALLIBLE take_entry(struct reader *reader, const struct json_doc *doc, struct err *err)
{
    uint8_t bytes[COLUMN_COUNT][CRYPTO_HASH_BYTES];
    struct ledger_view view;

    TRY(read_entry(reader, doc, bytes, &view, err));
    TRY(enter_tenant(reader, view.number[COLUMN_TENANT], err));
    TRY(ledger_check_entry(&reader->check, &view, err));
    reader->report.entries++;
    return ERR_OK;
}

static FALLIBLE take_head(struct reader *reader, const struct json_doc *doc, struct err *err)
{
    struct json_head head = {0};
    struct ledger_account account = {0};

    if (json_decode(doc, json_root(doc), "", head_fields, COUNT_OF(head_fields), &head, err) !=
            ERR_OK ||
        json_count(json_root(doc)) != COUNT_OF(head_fields))
        return bad_line(reader, "is not a head", err);
    account.tenant_id = head.tenant.value;
    account.seq = head.seq.value;
    if (!str_unhex(head.head, account.head, sizeof(account.head)) ||
        !str_copy(account.currency, sizeof(account.currency), head.currency) ||
        !str_to_i64(head.available, &account.available_nano) ||
        !str_to_i64(head.held, &account.held_nano) ||
        !str_to_i64(head.charged, &account.charged_nano) ||
        !str_to_i64(head.loss, &account.loss_nano))
        return bad_line(reader, "is not a head", err);
    TRY(enter_tenant(reader, account.tenant_id, err));
    TRY(ledger_check_account(&reader->check, &account, err));
    reader->in_tenant = false;
    reader->last_tenant = account.tenant_id;
    reader->report.tenants++;
    return ERR_OK;
}

static FALLIBLE take_tail(struct reader *reader, const struct json_doc *doc, struct err *err)
{
    struct json_tail tail = {0};

    if (json_decode(doc, json_root(doc), "", tail_fields, COUNT_OF(tail_fields), &tail, err) !=
            ERR_OK ||
        json_count(json_root(doc)) != COUNT_OF(tail_fields) || !tail.end.value)
        return bad_line(reader, "is not the end", err);
    if (reader->in_tenant)
        return bad_line(reader, "the last tenant has no head", err);
    if (tail.tenants.value != reader->report.tenants ||
        tail.entries.value != reader->report.entries)
        return bad_line(reader, "counts other tenants or entries", err);
    reader->expect = EXPECT_NOTHING;
    return ERR_OK;
}

static FALLIBLE take_line(struct reader *reader, const struct json_doc *doc, struct str line,
                          struct err *err)
{
    const struct json_value *root = json_root(doc);

    switch (reader->expect) {
    case EXPECT_FORMAT:
        reader->expect = EXPECT_ANY;
        return str_is(line, "{\"format\":\"arkgate-ledger-1\"}")
                   ? ERR_OK
                   : bad_line(reader, "is not the first line of an arkgate-ledger-1", err);
    case EXPECT_NOTHING:
        return bad_line(reader, "stands behind the end", err);
    case EXPECT_ANY:
        break;
    }
    if (json_get(root, "hash") != NULL)
        return take_entry(reader, doc, err);
    if (json_get(root, "head") != NULL)
        return take_head(reader, doc, err);
    return take_tail(reader, doc, err);
}

static FALLIBLE read_line(struct reader *reader, struct str line, struct err *err)
{
    CLEANUP(arena_fini) struct arena arena = {0};
    CLEANUP(json_free) struct json_doc *doc = NULL;
    enum err_code rc;

    arena_init(&arena, LINE_ARENA_BYTES);
    rc = json_parse(&arena, line, &doc, err);
    if (rc == ERR_INVALID)
        return bad_line(reader, "is not JSON", err);
    if (rc != ERR_OK)
        return rc;
    return take_line(reader, doc, line, err);
}

FALLIBLE ledger_verify_export(const char *path, struct ledger_report *ret_report,
                              struct err *err)
{
    CLEANUP(reader_fini) struct reader reader = {.fd = open(path, O_RDONLY | O_CLOEXEC)};
    struct str line = {0};
    bool any = true;

    if (reader.fd < 0)
        return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s", path,
                       strerror(errno));
    reader.bytes = malloc(LINE_MAX_BYTES + 1);
    if (reader.bytes == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory");
    for (;;) {
        TRY(next_line(&reader, &any, &line, err));
        if (!any)
            break;
        TRY(read_line(&reader, line, err));
    }
    if (reader.expect != EXPECT_NOTHING) {
        reader.line++;
        return bad_line(&reader, "is missing: the file is cut", err);
    }
    *ret_report = reader.report;
    return ERR_OK;
}
