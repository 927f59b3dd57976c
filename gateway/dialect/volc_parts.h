/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the volc dialect, for its own files. */
#ifndef ARKGATE_GATEWAY_DIALECT_VOLC_PARTS_H
#define ARKGATE_GATEWAY_DIALECT_VOLC_PARTS_H

#include "assetlib/assetlib.h"
#include "base/json.h"
#include "gateway/dialect/dialect.h"

#define VOLC_VERSION "2024-01-01"
#define VOLC_REGION "cn-beijing" /* of a request that names none */

/* One call of an action. */
struct volc_call {
    struct request *rq;
    const struct json_doc *doc; /* the body; its root is an object */
};

/* volc_decode.c: bodies into what the library takes; texts borrow from the call -------------
 */

/* Members that must be there: "Filter.GroupType". ERR_MISSING names the first that is not. */
FALLIBLE volc_decode_need(const struct volc_call *call, const char *const *paths, size_t count,
                          struct err *err);
/* An optional member "model" must name a model. */
FALLIBLE volc_decode_model(const struct volc_call *call, struct err *err);
FALLIBLE volc_decode_group(const struct volc_call *call, struct asset_group_draft *ret_draft,
                           struct err *err);
FALLIBLE volc_decode_asset(const struct volc_call *call, struct asset_draft *ret_draft,
                           struct err *err);
/* What a Get asks for. */
FALLIBLE volc_decode_id(const struct volc_call *call, struct str *ret_id,
                        struct str *ret_project, struct err *err);
/* Of a list of groups, or of assets, which knows statuses and SortBy GroupId. */
FALLIBLE volc_decode_filter(const struct volc_call *call, bool assets,
                            struct asset_filter *ret_filter, struct err *err);

/* volc_encode.c: answers ---------------------------------------------------------------------
 */

/* Gives the request an id in the form of this API, unless it has one. */
void volc_encode_request_id(struct request *rq);
/* Opens the envelope, up to its Result; volc_encode_end closes it. */
struct json_out volc_encode_begin(struct request *rq);
FALLIBLE volc_encode_end(struct json_out *out, struct err *err);
/* ResponseMetadata, open, for what else belongs into it. */
void volc_encode_metadata(struct request *rq, struct json_out *out);
/* Members of the object that is open. */
void volc_encode_group(const struct asset_group *group, struct json_out *out);
FALLIBLE volc_encode_asset(const struct request *rq, const struct asset *asset,
                           struct json_out *out, struct err *err);
/* For an asset_reader whose ctx is a struct volc_list. */
struct volc_list {
    struct request *rq;
    const struct asset_filter *filter;
    struct json_out out;
};
enum err_code volc_encode_total(int64_t total, void *ctx, struct err *err);
enum err_code volc_encode_item(const struct asset *asset, void *ctx, struct err *err);
enum err_code volc_encode_group_item(const struct asset_group *group, void *ctx,
                                     struct err *err);

/* volc_errmap.c ------------------------------------------------------------------------------
 */
void volc_errmap_put(struct request *rq, const struct err *err);

#endif
