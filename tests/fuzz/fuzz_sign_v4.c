/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target for signatures: a head of lines, of which the first is the query and the others
 * are "name: value". What is read must keep its limits and lie within the request; a second
 * reading must be the same; and nothing passes that was not signed with the key. */
#include "tenancy/sign_v4_parts.h"

#include "tests/fuzz/fuzz.h"

#include <strings.h>

enum { LINES_MAX = 80 };

struct line {
    char *name; /* the caller's to free */
    struct str value;
};

struct head {
    struct line lines[LINES_MAX];
    size_t count;
};

static struct str get(void *ctx, const char *name, int *ret_count)
{
    const struct head *head = ctx;
    struct str value = {0};

    *ret_count = 0;
    for (size_t i = 0; i < head->count; i++) {
        if (strcasecmp(head->lines[i].name, name) != 0)
            continue;
        if (++*ret_count == 1)
            value = head->lines[i].value;
    }
    return value;
}

static void take_line(struct head *head, struct str line)
{
    struct str value = line, name = sign_v4_piece(&value, ':');

    if (head->count == LINES_MAX || name.len == line.len)
        return;
    char *text = malloc(name.len + 1);
    ASSERT(text != NULL);
    if (name.len > 0)
        memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';
    head->lines[head->count++] = (struct line){text, value};
}

static void check_sign(const struct sign_v4 *sign)
{
    ASSERT(sign->key_id.len >= 1 && sign->key_id.len <= SIGN_V4_KEY_ID_MAX);
    ASSERT(sign->region.len >= 1 && sign->region.len <= SIGN_V4_REGION_MAX);
    ASSERT(fuzz_within(sign->credential, sign->key_id));
    ASSERT(fuzz_within(sign->credential, sign->region));
    ASSERT(sign->day.len == SIGN_V4_DAY_CHARS && sign->date.len == 16);
    ASSERT(memcmp(sign->day.ptr, sign->date.ptr, SIGN_V4_DAY_CHARS) == 0);
    ASSERT(sign->life_us >= 1000000 && sign->life_us <= INT64_C(1000000) * SIGN_V4_WINDOW_S);
    ASSERT(sign->invocation_id.len <= SIGN_V4_INVOCATION_MAX);
    ASSERT(strlen(sign->signature) == 2 * CRYPTO_HASH_BYTES);
    ASSERT(sign->canonical_count >= 1 && sign->canonical_count <= 2);
}

/* With a key of its own: found only by whoever can break the MAC. */
static void check_verify(const struct sign_v4 *sign)
{
    uint8_t key[CRYPTO_HASH_BYTES];
    struct err err;

    sign_v4_key(sign, STR("a secret that no input was signed with"), key);
    ASSERT(sign_v4_verify(sign, key, sign->date_us, &err) == ERR_SIGNATURE);
    ASSERT(sign_v4_verify(sign, key, INT64_MAX, &err) == ERR_TIMESTAMP);
    ASSERT(sign_v4_verify(sign, key, 0, &err) == ERR_TIMESTAMP ||
           sign->date_us < 2 * INT64_C(1000000) * SIGN_V4_WINDOW_S);
    if (!sign->in_query)
        ASSERT(sign_v4_body(sign, STR("a body of no such hash"), &err) == ERR_SIGNATURE);
}

static void check_request(const struct sign_v4_request *request)
{
    struct arena arenas[2];
    struct sign_v4 signs[2];
    struct err err;
    enum err_code rc[2];

    for (size_t i = 0; i < COUNT_OF(rc); i++) {
        arena_init(&arenas[i], 1 << 20);
        rc[i] = sign_v4_read(request, &arenas[i], &signs[i], &err);
        if (rc[i] != ERR_OK)
            fuzz_check_err(&err);
    }
    ASSERT(rc[0] == rc[1]);
    ASSERT(rc[0] == ERR_OK || rc[0] == ERR_AUTHORIZATION || rc[0] == ERR_TIMESTAMP);
    if (rc[0] == ERR_OK) {
        ASSERT(memcmp(signs[0].canonical, signs[1].canonical, sizeof(signs[0].canonical)) == 0);
        check_sign(&signs[0]);
        check_verify(&signs[0]);
    }
    for (size_t i = 0; i < COUNT_OF(rc); i++)
        arena_fini(&arenas[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size};
    struct head head = {.count = 0};
    struct sign_v4_request request = {
        .method = STR("POST"), .path = STR("/"), .header = get, .ctx = &head};

    if (size > 0 && memchr(data, '\0', size) != NULL) /* the engine lets none through */
        return 0;
    request.query = sign_v4_piece(&rest, '\n');
    while (rest.len > 0)
        take_line(&head, sign_v4_piece(&rest, '\n'));
    check_request(&request);
    for (size_t i = 0; i < head.count; i++)
        free(head.lines[i].name);
    return 0;
}
