/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to be signed and read: a head as a table, the vendor's published vectors, and a
 * signer of its own that knows nothing of the gateway's. */
#ifndef ARKGATE_TESTS_TENANCY_SIGNED_H
#define ARKGATE_TESTS_TENANCY_SIGNED_H

#include "tenancy/sign_v4_parts.h"

#include "tests/lib/check.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define KEY_ID "AKLTfakeAccessKeyId0000000000000000000000000001"
#define SECRET "ZmFrZVNlY3JldEtleUZvclRlc3RWZWN0b3JzT25seTAwMDA="
#define DATE "20260318T072044Z"
#define DATE_US INT64_C(1773818444000000)
#define CREDENTIAL KEY_ID "/20260318/cn-beijing/ark/request"

enum { HEAD_MAX = 80 };

struct head_line {
    const char *name;
    struct str value;
};

struct head {
    struct sign_v4_request request;
    struct head_line lines[HEAD_MAX];
    size_t count;
};

static inline struct str head_get(void *ctx, const char *name, int *ret_count)
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

static inline void head_init(struct head *head, const char *query)
{
    *head = (struct head){.request = {.method = STR("POST"),
                                      .path = STR("/"),
                                      .query = str_from(query),
                                      .header = head_get,
                                      .ctx = head}};
}

static inline void head_add(struct head *head, const char *name, const char *value)
{
    if (head->count == HEAD_MAX)
        abort();
    head->lines[head->count++] = (struct head_line){name, str_from(value)};
}

/* NULL takes the header away. */
static inline void head_set(struct head *head, const char *name, const char *value)
{
    for (size_t i = 0; i < head->count; i++) {
        if (strcasecmp(head->lines[i].name, name) != 0)
            continue;
        if (value == NULL)
            head->lines[i] = head->lines[--head->count];
        else
            head->lines[i].value = str_from(value);
        return;
    }
    if (value != NULL)
        head_add(head, name, value);
}

/* Whose signature, and of when. */
struct signer {
    const char *secret;
    const char *date;
};

/* The hex signature of a canonical request that a test writes out, by its own chain of
 * HMACs. */
static inline void sign_text(const struct signer *signer, const char *canonical,
                             char ret_hex[2 * CRYPTO_HASH_BYTES + 1])
{
    struct str steps[] = {{signer->date, 8}, STR("cn-beijing"), STR("ark"), STR("request")};
    uint8_t key[CRYPTO_HASH_BYTES], next[CRYPTO_HASH_BYTES];
    char text[512], hex[2 * CRYPTO_HASH_BYTES + 1];
    struct str with = str_from(signer->secret);

    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        crypto_hmac_sha256(with, steps[i], next);
        memcpy(key, next, sizeof(key));
        with = (struct str){(const char *)key, sizeof(key)};
    }
    crypto_sha256(str_from(canonical), next);
    str_hex(hex, next, sizeof(next));
    (void)snprintf(text, sizeof(text), "HMAC-SHA256\n%s\n%.8s/cn-beijing/ark/request\n%s",
                   signer->date, signer->date, hex);
    crypto_hmac_sha256(with, str_from(text), next);
    str_hex(ret_hex, next, sizeof(next));
}

#endif
