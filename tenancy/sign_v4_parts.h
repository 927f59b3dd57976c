/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the signature share: the steps of sign_v4_read. */
#ifndef ARKGATE_TENANCY_SIGN_V4_PARTS_H
#define ARKGATE_TENANCY_SIGN_V4_PARTS_H

#include "tenancy/sign_v4.h"

enum {
    /* Ark's actions have Action and Version, and all else in the body; the query form adds
     * nine. */
    SIGN_V4_PARAMS_MAX = 64,
    SIGN_V4_QUERY_MAX = 32768,    /* the gate lets no longer one through */
    SIGN_V4_HEADERS_MAX = 64,     /* the engine reads no more of a request */
    SIGN_V4_HEADER_NAME_MAX = 64, /* the longest that an SDK signs has 19 */
    SIGN_V4_WINDOW_S = 900,       /* Volcengine's, either way; X-Expires can only shorten it */
    SIGN_V4_DAY_CHARS = 8
};

#define SIGN_V4_ALGORITHM "HMAC-SHA256"
#define SIGN_V4_SERVICE "ark"
#define SIGN_V4_TERMINATOR "request"

/* sign_v4_query.c ------------------------------------------------------ */

/* A parameter of the query: its value, and both as the canonical query has them. */
struct sign_v4_param {
    struct str name, value;
    struct str encoded_name, encoded_value;
};

struct sign_v4_query {
    size_t count;
    struct sign_v4_param items[SIGN_V4_PARAMS_MAX]; /* sorted by encoded name, then value */
};

/* Decodes, encodes anew and sorts; texts are in the arena. A "+" is a space, as every
 * client's own encoder means it. ERR_AUTHORIZATION when it is malformed or too long. */
FALLIBLE sign_v4_query_read(struct str raw, struct arena *arena,
                            struct sign_v4_query *ret_query, struct err *err);
/* The value of the parameter of this name, ptr NULL when absent, and how often it occurs. */
struct str sign_v4_query_get(const struct sign_v4_query *query, const char *name,
                             int *ret_count);
/* Appends name=value&...; without the parameter of the name left_out, unless that is "". */
void sign_v4_query_put(const struct sign_v4_query *query, const char *left_out,
                       struct buf *ret_text);

/* sign_v4_claim.c ------------------------------------------------------ */

/* The texts of a signature as they stand in the request, ptr NULL where they do not. */
struct sign_v4_claim {
    struct str algorithm, credential, names, signature;
    struct str queries; /* X-SignedQueries: which parameters are signed */
    struct str date, life, body_hash, not_body;
    bool in_query;
};

/* ERR_AUTHORIZATION when there is no signature or more than one, when one of its texts is
 * missing or repeated, or when a parameter is not signed. There may be no date. */
FALLIBLE sign_v4_claim_read(const struct sign_v4_request *request,
                            const struct sign_v4_query *query, struct sign_v4_claim *ret_claim,
                            struct err *err);

/* sign_v4_canonical.c -------------------------------------------------- */

struct sign_v4_header {
    char name[SIGN_V4_HEADER_NAME_MAX + 1]; /* in lower case */
    struct str value;                       /* trimmed */
};

struct sign_v4_headers {
    size_t count;
    struct sign_v4_header items[SIGN_V4_HEADERS_MAX];
};

struct sign_v4_canonical {
    const struct sign_v4_request *request;
    const struct sign_v4_query *query;
    const char *left_out; /* as sign_v4_query_put takes it */
    struct sign_v4_headers headers;
    struct str body_hash; /* in the client's own letters */
};

/* The headers of "name;name", in that order. ERR_AUTHORIZATION when a name is malformed or
 * stands there twice, or its header does not occur once. */
FALLIBLE sign_v4_canonical_headers(const struct sign_v4_request *request, struct str names,
                                   struct sign_v4_headers *ret_headers, struct err *err);
/* NULL when it is not signed. */
const struct sign_v4_header *sign_v4_canonical_find(const struct sign_v4_headers *headers,
                                                    const char *name);
/* One hash, or two when a port can be left away from the host. */
FALLIBLE sign_v4_canonical_hash(const struct sign_v4_canonical *from,
                                uint8_t ret_hashes[2][CRYPTO_HASH_BYTES], size_t *ret_count,
                                struct err *err);

/* sign_v4_read.c ------------------------------------------------------- */

/* What sign_v4_read does with the query that it has read and the credentials that it takes:
 * it refuses temporary ones, and this does not ask. */
FALLIBLE sign_v4_take(const struct sign_v4_request *request, const struct sign_v4_query *query,
                      struct sign_v4 *ret_sign, struct err *err);

/* sign_v4.c ------------------------------------------------------------ */

/* Cuts off what stands before the next separator, and that; or all that is left. */
struct str sign_v4_piece(struct str *rest, char separator);

#endif
