/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs behind signed links: which paths are theirs, and what an answer says about its
 * bytes. The link is the credential: who signed it decided who may read. Errors look like
 * Ark's, in whose answers these links stand. */
#include "gateway/dialect/ark_parts.h"

#include "assetlib/blob.h"
#include "assetlib/link.h"
#include "gateway/app.h"

#include <stdio.h>
#include <string.h>

static bool files_owns(const struct request *rq)
{
    static const struct str base = {LINK_PATH, sizeof(LINK_PATH) - 1};

    return !rq->admin && rq->path.len >= base.len &&
           memcmp(rq->path.ptr, base.ptr, base.len) == 0;
}

/* Nobody is asked for a credential; the route's handler reads the link. */
static enum err_code files_identify(struct request *rq, struct err *err)
{
    (void)rq;
    (void)err;
    return ERR_OK;
}

static enum err_code read_blob(void *ctx, int64_t offset, char *dst, size_t len,
                               struct err *err)
{
    return blob_read(ctx, offset, dst, len, err);
}

static void close_blob(void *ctx)
{
    struct blob_reader *reader = ctx;

    blob_close(&reader);
}

/* A browser shows it as what it is, keeps it no longer than the link lives, and lets no
 * cache that others use have it. */
static void put_headers(struct request *rq, const struct link *link, int64_t now_us)
{
    char text[64];

    (void)snprintf(text, sizeof(text), "private, max-age=%lld",
                   (long long)((link->expires_us - now_us) / 1000000));
    response_header(rq, "Cache-Control", text);
    response_header(rq, "Content-Type", link->type->media_type);
    response_header(rq, "Content-Disposition", "inline");
    response_header(rq, "X-Content-Type-Options", "nosniff");
}

static enum err_code open_link(struct request *rq, const struct link_target *target,
                               struct link *ret_link, struct blob_reader **ret_reader,
                               struct err *err)
{
    struct blob_id id;

    TRY(link_read(rq->app->assets.link_key, target, ret_link, err));
    rq->scope.tenant_id = ret_link->tenant_id; /* for the log */
    id.tenant_id = ret_link->tenant_id;
    memcpy(id.sha256, ret_link->sha256, sizeof(id.sha256));
    return blob_open(rq->app->blobs, &id, ret_reader, err);
}

/* GET /files/{tenant}/{sha256} */
static enum err_code get_file(struct request *rq, struct err *err)
{
    const struct link_target target = {rq->path, rq->query, sys_now_us()};
    struct response_stream stream = {.read = read_blob, .close = close_blob};
    char hex[2 * CRYPTO_HASH_BYTES + 1], tag[sizeof(hex) + 2];
    struct blob_reader *reader;
    struct link link;
    enum err_code rc = open_link(rq, &target, &link, &reader, err);

    if (rc == ERR_NOT_FOUND) /* on this wire that is the code of a task */
        return err_set(err, ERR_ROUTE_UNKNOWN, "there is no such file, or its link has ended");
    TRY(rc);
    stream.ctx = reader;
    stream.len = blob_size(reader);
    str_hex(hex, link.sha256, sizeof(link.sha256));
    (void)snprintf(tag, sizeof(tag), "\"%s\"", hex);
    put_headers(rq, &link, target.now_us);
    stream_answer(rq, tag, &stream);
    return ERR_OK;
}

static const struct route routes[] = {
    /* method  path        operation  body    handler */
    {"GET", "/files/*/*", "getFile", false, get_file},
};

const struct dialect files_dialect = {
    .name = "files",
    .owns = files_owns,
    .identify = files_identify,
    .routes = routes,
    .route_count = COUNT_OF(routes),
    .put_error = ark_errmap_put,
};
