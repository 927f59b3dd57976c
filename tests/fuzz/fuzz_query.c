/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target for queries: percent decoding, repeated parameters, and a list's filter. A
 * second decoder must read the same values; what is encoded must come back as it was. */
#include "gateway/dialect/ark_parts.h"

#include "gateway/app.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/catalogue_fixture.h"

#include <stdio.h>

static struct catalogue_fixture fixture;

static void remove_fixture(void)
{
    catalogue_fixture_fini(&fixture);
}

static struct app *app_once(void)
{
    static struct app app;

    if (app.tasks.catalogue == NULL) {
        catalogue_fixture_init(&fixture);
        (void)atexit(remove_fixture);
        app.tasks.catalogue = fixture.catalogue;
    }
    return &app;
}

/* ---- a second decoder ------------------------------------------------------------ */

static bool unescape(struct str raw, char *dst, size_t *ret_len)
{
    *ret_len = 0;
    for (size_t i = 0; i < raw.len; i++) {
        unsigned char byte = (unsigned char)raw.ptr[i];

        if (byte == '%') {
            if (raw.len - i < 3 || !str_unhex((struct str){raw.ptr + i + 1, 2}, &byte, 1) ||
                byte == 0)
                return false;
            i += 2;
        } else if (byte == '+') {
            byte = ' ';
        }
        dst[(*ret_len)++] = (char)byte;
    }
    return true;
}

struct expected {
    struct str query;
    size_t at, count;
    bool bad;
    char *value; /* room for one */
    size_t value_len;
};

/* The next value of the name: false at the end, or when one before it is malformed. */
static bool next_expected(struct expected *x, const char *name)
{
    while (x->at < x->query.len) {
        const char *from = x->query.ptr + x->at;
        size_t left = x->query.len - x->at;
        const char *end = memchr(from, '&', left);
        size_t len = end == NULL ? left : (size_t)(end - from);
        const char *equals = memchr(from, '=', len);
        size_t name_len = equals == NULL ? len : (size_t)(equals - from), decoded;
        struct str raw = {equals == NULL ? from : equals + 1,
                          equals == NULL ? 0 : len - name_len - 1};

        x->at += len + 1;
        if (!unescape((struct str){from, name_len}, x->value, &decoded)) {
            x->bad = true;
            return false;
        }
        if (decoded != strlen(name) || memcmp(x->value, name, decoded) != 0)
            continue;
        x->bad = !unescape(raw, x->value, &x->value_len);
        return !x->bad;
    }
    return false;
}

static enum err_code compare(struct str value, void *ctx, struct err *err)
{
    struct expected *x = ctx;

    (void)err;
    ASSERT(next_expected(x, "a"));
    ASSERT(str_eq(value, (struct str){x->value, x->value_len}));
    x->count++;
    return ERR_OK;
}

static void check_values(struct request *rq)
{
    struct expected x = {.query = rq->query, .value = malloc(rq->query.len + 1)};
    struct err err = {0};
    struct str value;
    bool present;

    ASSERT(x.value != NULL);
    if (request_query_each(rq, "a", compare, &x, &err) == ERR_OK)
        ASSERT(!next_expected(&x, "a") && !x.bad);
    else
        ASSERT(err.code != ERR_INVALID || (!next_expected(&x, "a") && x.bad));
    if (err.code != ERR_OK)
        fuzz_check_err(&err);
    if (x.count > 0) {
        ASSERT(request_query_at(rq, "a", x.count - 1, &present, &value, &err) == ERR_OK);
        ASSERT(present && memchr(value.ptr, '\0', value.len) == NULL);
    }
    free(x.value);
}

/* ---- what is encoded comes back -------------------------------------------------- */

static void check_round_trip(struct request *rq, struct str bytes)
{
    char *query = malloc(bytes.len * 3 + 8);
    size_t len = 0;
    struct str value;
    struct err err;
    bool present;

    ASSERT(query != NULL);
    len += (size_t)snprintf(query, 8, "b&a=");
    for (size_t i = 0; i < bytes.len; i++, len += 3) {
        query[len] = '%';
        str_hex(query + len + 1, bytes.ptr + i, 1);
    }
    rq->query = (struct str){query, len};
    enum err_code rc = request_query(rq, "a", &present, &value, &err);
    if (memchr(bytes.ptr, '\0', bytes.len) != NULL)
        ASSERT(rc == ERR_INVALID && strcmp(err.field, "a") == 0);
    else
        ASSERT(rc == ERR_BUSY || (rc == ERR_OK && present && str_eq(value, bytes)));
    free(query);
}

static void check_list(struct request *rq)
{
    struct task_list_filter filter;
    struct err err;

    if (ark_list_decode(rq, &filter, &err) != ERR_OK) {
        fuzz_check_err(&err);
        ASSERT(err.code != ERR_INVALID || err.field[0] != '\0');
        return;
    }
    ASSERT(filter.page_num >= 1 && filter.page_num <= LIST_PAGE_NUM_MAX);
    ASSERT(filter.page_size >= 1 && filter.page_size <= LIST_PAGE_MAX);
    ASSERT(filter.id_count <= LIST_IDS_MAX && filter.has_ids == (filter.id_count > 0));
    for (size_t i = 0; i < filter.id_count; i++)
        ASSERT(filter.ids[i].len > 0 && str_eq(str_trim(filter.ids[i]), filter.ids[i]) &&
               memchr(filter.ids[i].ptr, ',', filter.ids[i].len) == NULL);
    ASSERT(filter.tier.len == 0 || str_is(filter.tier, "default") ||
           str_is(filter.tier, "flex"));
    ASSERT(!filter.has_status || state_shown(filter.status) == filter.status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct request rq = {.app = app_once(), .query = {(const char *)data, size}};

    arena_init(&rq.arena, 1 << 20);
    if (size == 0 || memchr(data, '\0', size) == NULL) { /* the engine lets none through */
        check_list(&rq);
        check_values(&rq);
    }
    check_round_trip(&rq, rq.query);
    arena_fini(&rq.arena);
    return 0;
}
