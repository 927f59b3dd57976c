/* SPDX-License-Identifier: Apache-2.0 */
/* Is a signature that was read of this time, and made with this key? How its texts are cut
 * is said here too. */
#include "tenancy/sign_v4_parts.h"

#include <stdio.h>
#include <string.h>

enum {
    /* the algorithm, a date, a credential without its key id and a hash, with line ends */
    SIGNED_TEXT_MAX =
        32 + 17 + SIGN_V4_DAY_CHARS + SIGN_V4_REGION_MAX + 16 + 2 * CRYPTO_HASH_BYTES
};

static struct str bytes_of(const uint8_t hash[CRYPTO_HASH_BYTES])
{
    return (struct str){(const char *)hash, CRYPTO_HASH_BYTES};
}

/* Day, region, service and "request": the credential without its key id. */
static struct str scope_of(const struct sign_v4 *sign)
{
    size_t before = sign->key_id.len + 1;

    return (struct str){sign->credential.ptr + before, sign->credential.len - before};
}

static bool is_made_with(const struct sign_v4 *sign, const uint8_t key[CRYPTO_HASH_BYTES],
                         const uint8_t canonical[CRYPTO_HASH_BYTES])
{
    char text[SIGNED_TEXT_MAX], hex[2 * CRYPTO_HASH_BYTES + 1];
    uint8_t mac[CRYPTO_HASH_BYTES];
    struct str scope = scope_of(sign);

    str_hex(hex, canonical, CRYPTO_HASH_BYTES);
    int len = snprintf(text, sizeof(text), SIGN_V4_ALGORITHM "\n%.*s\n%.*s\n%s",
                       (int)sign->date.len, sign->date.ptr, (int)scope.len, scope.ptr, hex);
    ASSERT(len > 0 && (size_t)len < sizeof(text));
    crypto_hmac_sha256(bytes_of(key), (struct str){text, (size_t)len}, mac);
    str_hex(hex, mac, sizeof(mac));
    return crypto_equal(hex, sign->signature, sizeof(hex));
}

void sign_v4_key(const struct sign_v4 *sign, struct str secret,
                 uint8_t ret_key[CRYPTO_HASH_BYTES])
{
    uint8_t day[CRYPTO_HASH_BYTES], region[CRYPTO_HASH_BYTES], service[CRYPTO_HASH_BYTES];

    crypto_hmac_sha256(secret, sign->day, day);
    crypto_hmac_sha256(bytes_of(day), sign->region, region);
    crypto_hmac_sha256(bytes_of(region), STR(SIGN_V4_SERVICE), service);
    crypto_hmac_sha256(bytes_of(service), STR(SIGN_V4_TERMINATOR), ret_key);
    crypto_wipe(day, sizeof(day));
    crypto_wipe(region, sizeof(region));
    crypto_wipe(service, sizeof(service));
}

FALLIBLE sign_v4_verify(const struct sign_v4 *sign, const uint8_t key[CRYPTO_HASH_BYTES],
                        int64_t now_us, struct err *err)
{
    static const int64_t window_us = INT64_C(1000000) * SIGN_V4_WINDOW_S;
    bool made = false;

    if (now_us < sign->date_us - window_us || now_us > sign->date_us + sign->life_us)
        return err_set(err, ERR_TIMESTAMP, "the time of the request is too far from now");
    for (size_t i = 0; i < sign->canonical_count; i++)
        made |= is_made_with(sign, key, sign->canonical[i]);
    if (!made)
        return err_set(err, ERR_SIGNATURE, "%s", err_text(ERR_SIGNATURE));
    return ERR_OK;
}

FALLIBLE sign_v4_body(const struct sign_v4 *sign, struct str body, struct err *err)
{
    uint8_t hash[CRYPTO_HASH_BYTES];

    if (sign->in_query)
        return ERR_OK;
    crypto_sha256(body, hash);
    if (!crypto_equal(hash, sign->body_hash, sizeof(hash)))
        return err_set(err, ERR_SIGNATURE, "the body is not the one that was signed");
    return ERR_OK;
}

struct str sign_v4_piece(struct str *rest, char separator)
{
    const char *end = rest->len == 0 ? NULL : memchr(rest->ptr, separator, rest->len);
    size_t len = end == NULL ? rest->len : (size_t)(end - rest->ptr);
    struct str piece = {rest->ptr, len};

    if (end != NULL)
        len++;
    if (len > 0)
        *rest = (struct str){rest->ptr + len, rest->len - len};
    return piece;
}
