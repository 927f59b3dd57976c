/* SPDX-License-Identifier: Apache-2.0 */
/* Where the texts of a signature stand in a request: in its Authorization header, or in its
 * query. What they say is not looked at. */
#include "tenancy/sign_v4_parts.h"

#include <stddef.h>

enum { AUTHORIZATION_MAX = 8192 /* 64 names of 64 characters, and room for the rest */ };

struct claim_part {
    const char *name;
    size_t offset;
    bool optional;
};
/* Where a text of this name goes. */
#define PART(name, member, optional)                           \
    {                                                          \
        name, offsetof(struct sign_v4_claim, member), optional \
    }

/* Of the Authorization header, behind the algorithm. One of the vendor's clients names the
 * parameters too, all of them. */
static const struct claim_part in_header[] = {
    PART("Credential", credential, false),
    PART("SignedHeaders", names, false),
    PART("SignedQueries", queries, true),
    PART("Signature", signature, false),
};
/* Of the query. X-Date is asked for when the rest is right. */
static const struct claim_part in_query[] = {
    PART("X-Algorithm", algorithm, false),
    PART("X-Credential", credential, false),
    PART("X-SignedHeaders", names, false),
    PART("X-SignedQueries", queries, false),
    PART("X-Signature", signature, false),
    PART("X-NotSignBody", not_body, false),
    PART("X-Date", date, true),
    PART("X-Expires", life, true),
};

static struct str *member_of(struct sign_v4_claim *claim, const struct claim_part *part)
{
    return (struct str *)(void *)((char *)claim + part->offset);
}

static enum err_code malformed(struct err *err)
{
    return err_set(err, ERR_AUTHORIZATION,
                   "Authorization must be " SIGN_V4_ALGORITHM
                   " Credential=KEY/YYYYMMDD/REGION/" SIGN_V4_SERVICE "/" SIGN_V4_TERMINATOR
                   ", SignedHeaders=NAME;NAME, Signature=HEX");
}

static enum err_code take_part(struct str piece, struct sign_v4_claim *claim, struct err *err)
{
    struct str value = piece, name = sign_v4_piece(&value, '=');

    for (size_t i = 0; i < COUNT_OF(in_header); i++) {
        struct str *member = member_of(claim, &in_header[i]);

        if (!str_is(name, in_header[i].name) || name.len == piece.len)
            continue;
        if (member->ptr != NULL)
            return err_set(err, ERR_AUTHORIZATION, "Authorization has two of %s",
                           in_header[i].name);
        *member = value;
        return ERR_OK;
    }
    return malformed(err);
}

/* A header that must not be repeated. */
static enum err_code single(const struct sign_v4_request *request, const char *name,
                            struct str *ret_value, struct err *err)
{
    int count;
    struct str value = request->header(request->ctx, name, &count);

    if (count > 1)
        return err_set(err, ERR_AUTHORIZATION, "there are %d headers %s", count, name);
    *ret_value = count == 1 ? str_trim(value) : (struct str){0};
    return ERR_OK;
}

static enum err_code read_header(const struct sign_v4_request *request, struct str text,
                                 struct sign_v4_claim *ret_claim, struct err *err)
{
    struct sign_v4_claim claim = {0};

    if (text.len > AUTHORIZATION_MAX)
        return err_set(err, ERR_AUTHORIZATION, "Authorization has more than %d bytes",
                       AUTHORIZATION_MAX);
    claim.algorithm = sign_v4_piece(&text, ' ');
    if (!str_is(claim.algorithm, SIGN_V4_ALGORITHM))
        return malformed(err);
    while (text.len > 0)
        TRY(take_part(str_trim(sign_v4_piece(&text, ',')), &claim, err));
    for (size_t i = 0; i < COUNT_OF(in_header); i++) {
        if (member_of(&claim, &in_header[i])->ptr == NULL && !in_header[i].optional)
            return err_set(err, ERR_AUTHORIZATION, "Authorization has no %s",
                           in_header[i].name);
    }
    TRY(single(request, "x-date", &claim.date, err));
    TRY(single(request, "x-content-sha256", &claim.body_hash, err));
    *ret_claim = claim;
    return ERR_OK;
}

/* Does each parameter stand in the list? One that does not could be changed by anybody. */
static enum err_code check_queries(const struct sign_v4_query *query, struct str list,
                                   struct err *err)
{
    for (size_t i = 0; i < query->count; i++) {
        struct str rest = list;
        bool found = str_is(query->items[i].name, "X-Signature");

        while (!found && rest.len > 0)
            found = str_eq(sign_v4_piece(&rest, ';'), query->items[i].name);
        if (!found)
            return err_set(err, ERR_AUTHORIZATION,
                           "X-SignedQueries must name every parameter but X-Signature");
    }
    return ERR_OK;
}

static enum err_code read_query(const struct sign_v4_query *query,
                                struct sign_v4_claim *ret_claim, struct err *err)
{
    struct sign_v4_claim claim = {.in_query = true};

    for (size_t i = 0; i < COUNT_OF(in_query); i++) {
        int count;
        struct str value = sign_v4_query_get(query, in_query[i].name, &count);

        if (count > 1 || (count == 0 && !in_query[i].optional))
            return err_set(err, ERR_AUTHORIZATION, "the query has %s %s",
                           count == 0 ? "no" : "more than one", in_query[i].name);
        *member_of(&claim, &in_query[i]) = value;
    }
    if (!str_is(claim.algorithm, SIGN_V4_ALGORITHM))
        return err_set(err, ERR_AUTHORIZATION, "X-Algorithm must be " SIGN_V4_ALGORITHM);
    TRY(check_queries(query, claim.queries, err));
    *ret_claim = claim;
    return ERR_OK;
}

FALLIBLE sign_v4_claim_read(const struct sign_v4_request *request,
                            const struct sign_v4_query *query, struct sign_v4_claim *ret_claim,
                            struct err *err)
{
    struct str authorization;
    int count;

    (void)sign_v4_query_get(query, "X-Signature", &count);
    TRY(single(request, "authorization", &authorization, err));
    if (authorization.len == 0 && count == 0)
        return err_set(err, ERR_AUTHORIZATION, "the request is not signed");
    if (authorization.len > 0 && count > 0)
        return err_set(err, ERR_AUTHORIZATION,
                       "there is a signature in Authorization and one in the query");
    return authorization.len > 0 ? read_header(request, authorization, ret_claim, err)
                                 : read_query(query, ret_claim, err);
}
