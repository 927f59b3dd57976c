/* SPDX-License-Identifier: Apache-2.0 */
/* Volcengine's signature V4 of a request: is it well-formed, of this time, and made with
 * this key? Pure: nothing here reads a database, a clock or a connection. Whose key it is,
 * and what a signed request may do, is decided elsewhere. */
#ifndef ARKGATE_TENANCY_SIGN_V4_H
#define ARKGATE_TENANCY_SIGN_V4_H

#include "base/base.h"
#include "base/crypto.h"

enum {
    SIGN_V4_KEY_ID_MAX = 64,     /* the vendor's have 47; ours have 32 */
    SIGN_V4_REGION_MAX = 32,     /* twice and more of "ap-southeast-1" */
    SIGN_V4_INVOCATION_MAX = 128 /* the SDKs send a UUID */
};

/* A request as it came in, head alone. All of it outlives the struct sign_v4. */
struct sign_v4_request {
    struct str method, path; /* as sent */
    struct str query;        /* as sent, without '?' */
    /* The value of a header, whose name is in lower case, and how often it occurs. */
    struct str (*header)(void *ctx, const char *name, int *ret_count);
    void *ctx;
};

/* What a request claims; nothing of it may be believed before sign_v4_verify. Texts are
 * borrowed from the request and the arena. */
struct sign_v4 {
    struct str key_id;
    struct str region;     /* as signed; Ark's answers repeat it */
    struct str credential; /* key id, day, region, service and "request", with slashes */
    struct str day;        /* YYYYMMDD */
    struct str date;       /* YYYYMMDDTHHMMSSZ */
    int64_t date_us;
    int64_t life_us;                           /* how long after its date it is taken */
    bool in_query;                             /* its query is signed and its body is not */
    char signature[2 * CRYPTO_HASH_BYTES + 1]; /* hex in lower case: equal for equal requests */
    struct str invocation_id;                  /* of a signed x-sdk-invocation-id, else "" */
    uint8_t body_hash[CRYPTO_HASH_BYTES];
    /* Hashes of the canonical request: as it came, and without its host's port. */
    uint8_t canonical[2][CRYPTO_HASH_BYTES];
    size_t canonical_count;
};

/* sign_v4_read.c ------------------------------------------------------- */

/* Reads the Authorization header, or the query of a request that has none.
 *
 * SignedHeaders are taken in the order of the client's own list, in lower case: the SDKs
 * sort it, the vendor's examples do not, and Ark takes both. x-date must be among them, and
 * each must occur once. The canonical query has every parameter, sorted as encoded. In the
 * query form X-SignedQueries must name all of them but X-Signature: one that is not signed
 * could be anybody's.
 *
 * ERR_TIMESTAMP: no date, or none that can be read; ERR_AUTHORIZATION for everything else,
 * temporary credentials (X-Security-Token) and requests without a signature included;
 * ERR_BUSY: the arena is used up. */
FALLIBLE sign_v4_read(const struct sign_v4_request *request, struct arena *arena,
                      struct sign_v4 *ret_sign, struct err *err);

/* sign_v4.c ------------------------------------------------------------ */

/* The key that signs this request, made of its access key's secret. It depends on the
 * credential alone, so that it may be remembered for others of the day. */
void sign_v4_key(const struct sign_v4 *sign, struct str secret,
                 uint8_t ret_key[CRYPTO_HASH_BYTES]);
/* ERR_TIMESTAMP when its time is more than 15 minutes from now, or past; then ERR_SIGNATURE
 * when it was not made with this key. */
FALLIBLE sign_v4_verify(const struct sign_v4 *sign, const uint8_t key[CRYPTO_HASH_BYTES],
                        int64_t now_us, struct err *err);
/* ERR_SIGNATURE when the body is not the one that was signed. In the query form none is,
 * and any will do: such a request must not change anything. */
FALLIBLE sign_v4_body(const struct sign_v4 *sign, struct str body, struct err *err);

#endif
