/* SPDX-License-Identifier: Apache-2.0 */
/* From a request's head to what it claims to be: whose it is, of which time, and what of it
 * is signed. Forms are judged here; what is true is not known yet. */
#include "tenancy/private.h"
#include "tenancy/sign_v4_parts.h"

#include <string.h>
#include <time.h>

#define LETTERS NAME_LOWER NAME_UPPER
/* Of no bytes, which is what a signed query signs for a body. */
#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

enum { CREDENTIAL_PARTS = 5 };

static enum err_code take_credential(const struct sign_v4_claim *claim, struct sign_v4 *sign,
                                     struct err *err)
{
    struct str rest = claim->credential, parts[CREDENTIAL_PARTS];
    size_t slashes = 0;

    for (size_t i = 0; i < rest.len; i++)
        slashes += rest.ptr[i] == '/';
    for (size_t i = 0; i < CREDENTIAL_PARTS; i++)
        parts[i] = sign_v4_piece(&rest, '/');
    if (slashes != CREDENTIAL_PARTS - 1 ||
        !name_is(parts[0], 1, SIGN_V4_KEY_ID_MAX, LETTERS NAME_DIGITS "-_") ||
        !name_is(parts[1], SIGN_V4_DAY_CHARS, SIGN_V4_DAY_CHARS, NAME_DIGITS) ||
        !name_is(parts[2], 1, SIGN_V4_REGION_MAX, LETTERS NAME_DIGITS "-_") ||
        !str_is(parts[4], SIGN_V4_TERMINATOR))
        return err_set(err, ERR_AUTHORIZATION,
                       "the credential must be KEY/YYYYMMDD/REGION/" SIGN_V4_SERVICE
                       "/" SIGN_V4_TERMINATOR);
    if (!str_is(parts[3], SIGN_V4_SERVICE))
        return err_set(err, ERR_AUTHORIZATION,
                       "the credential's service must be " SIGN_V4_SERVICE);
    sign->credential = claim->credential;
    sign->key_id = parts[0];
    sign->day = parts[1];
    sign->region = parts[2];
    return ERR_OK;
}

/* Of digits that stand there. */
static int number_at(struct str text, size_t at, size_t digits)
{
    int number = 0;

    for (size_t i = at; i < at + digits; i++)
        number = number * 10 + (text.ptr[i] - '0');
    return number;
}

/* YYYYMMDDTHHMMSSZ; false for another form, and for a moment that no calendar has. */
static bool parse_date(struct str text, int64_t *ret_us)
{
    static const struct str form = STR("00000000T000000Z");

    if (text.len != form.len)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        bool digit = text.ptr[i] >= '0' && text.ptr[i] <= '9';
        if (form.ptr[i] == '0' ? !digit : text.ptr[i] != form.ptr[i])
            return false;
    }
    struct tm given = {.tm_year = number_at(text, 0, 4) - 1900,
                       .tm_mon = number_at(text, 4, 2) - 1,
                       .tm_mday = number_at(text, 6, 2),
                       .tm_hour = number_at(text, 9, 2),
                       .tm_min = number_at(text, 11, 2),
                       .tm_sec = number_at(text, 13, 2)};
    struct tm made = given;
    *ret_us = (int64_t)timegm(&made) * 1000000; /* moves what is out of range */
    return made.tm_year == given.tm_year && made.tm_mon == given.tm_mon &&
           made.tm_mday == given.tm_mday && made.tm_hour == given.tm_hour &&
           made.tm_min == given.tm_min && made.tm_sec == given.tm_sec;
}

static enum err_code take_time(const struct sign_v4_claim *claim, struct sign_v4 *sign,
                               struct err *err)
{
    int64_t life_s = SIGN_V4_WINDOW_S;

    if (claim->date.len == 0)
        return err_set(err, ERR_TIMESTAMP, "the request has no X-Date");
    if (!parse_date(claim->date, &sign->date_us))
        return err_set(err, ERR_TIMESTAMP, "X-Date must be a time as YYYYMMDDTHHMMSSZ");
    if (memcmp(claim->date.ptr, sign->day.ptr, SIGN_V4_DAY_CHARS) != 0)
        return err_set(err, ERR_AUTHORIZATION, "the credential's day must be that of X-Date");
    if (claim->life.ptr != NULL &&
        (!str_to_i64(claim->life, &life_s) || life_s < 1 || life_s > SIGN_V4_WINDOW_S))
        return err_set(err, ERR_AUTHORIZATION, "X-Expires must be 1 to %d seconds",
                       SIGN_V4_WINDOW_S);
    sign->date = claim->date;
    sign->life_us = life_s * 1000000;
    return ERR_OK;
}

static enum err_code take_hashes(const struct sign_v4_claim *claim, struct sign_v4 *sign,
                                 struct err *err)
{
    uint8_t signature[CRYPTO_HASH_BYTES];

    if (!str_unhex(claim->signature, signature, sizeof(signature)))
        return err_set(err, ERR_AUTHORIZATION, "the signature must be %d hex digits",
                       2 * CRYPTO_HASH_BYTES);
    str_hex(sign->signature, signature, sizeof(signature));
    if (!str_unhex(claim->body_hash, sign->body_hash, sizeof(sign->body_hash)))
        return err_set(err, ERR_AUTHORIZATION, "X-Content-Sha256 must be %d hex digits",
                       2 * CRYPTO_HASH_BYTES);
    return ERR_OK;
}

/* It becomes part of a key under which an answer is kept. */
static enum err_code take_invocation(const struct sign_v4_headers *headers,
                                     struct sign_v4 *sign, struct err *err)
{
    const struct sign_v4_header *header =
        sign_v4_canonical_find(headers, "x-sdk-invocation-id");

    if (header == NULL || header->value.len == 0)
        return ERR_OK;
    if (!name_is(header->value, 1, SIGN_V4_INVOCATION_MAX, LETTERS NAME_DIGITS "-_."))
        return err_set(err, ERR_AUTHORIZATION,
                       "X-Sdk-Invocation-Id must be 1 to %d of a-z, A-Z, 0-9, -, _ and .",
                       SIGN_V4_INVOCATION_MAX);
    sign->invocation_id = header->value;
    return ERR_OK;
}

FALLIBLE sign_v4_take(const struct sign_v4_request *request, const struct sign_v4_query *query,
                      struct sign_v4 *ret_sign, struct err *err)
{
    struct sign_v4_claim claim;
    struct sign_v4 sign = {0};

    TRY(sign_v4_claim_read(request, query, &claim, err));
    sign.in_query = claim.in_query;
    if (claim.in_query)
        claim.body_hash = STR(EMPTY_HASH);
    TRY(take_credential(&claim, &sign, err));
    TRY(take_time(&claim, &sign, err));
    TRY(take_hashes(&claim, &sign, err));

    struct sign_v4_canonical canonical = {.request = request,
                                          .query = query,
                                          .left_out = claim.in_query ? "X-Signature" : "",
                                          .body_hash = claim.body_hash};
    TRY(sign_v4_canonical_headers(request, claim.names, &canonical.headers, err));
    if (!claim.in_query && sign_v4_canonical_find(&canonical.headers, "x-date") == NULL)
        return err_set(err, ERR_AUTHORIZATION, "SignedHeaders must have x-date");
    TRY(take_invocation(&canonical.headers, &sign, err));
    TRY(sign_v4_canonical_hash(&canonical, sign.canonical, &sign.canonical_count, err));
    *ret_sign = sign;
    return ERR_OK;
}

FALLIBLE sign_v4_read(const struct sign_v4_request *request, struct arena *arena,
                      struct sign_v4 *ret_sign, struct err *err)
{
    struct sign_v4_query query;
    int params, headers;

    TRY(sign_v4_query_read(request->query, arena, &query, err));
    (void)sign_v4_query_get(&query, "X-Security-Token", &params);
    (void)request->header(request->ctx, "x-security-token", &headers);
    if (params > 0 || headers > 0)
        return err_set(err, ERR_AUTHORIZATION,
                       "temporary credentials (X-Security-Token) are not taken here");
    return sign_v4_take(request, &query, ret_sign, err);
}
