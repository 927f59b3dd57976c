/* SPDX-License-Identifier: Apache-2.0 */
/* What is alike for every engine: limits, the hash that becomes the name, and what a
 * range may be. Moves no bytes itself. */
#include "assetlib/blob.h"

#include <string.h>

enum { CHECK_PIECE = 64 << 10 }; /* read at once; more is not faster */

void blob_close_store(struct blob_store **store)
{
    if (*store != NULL)
        (*store)->engine->close_store(*store);
    *store = NULL;
}

FALLIBLE blob_begin(struct blob_store *store, int64_t tenant_id, int64_t size_max,
                    struct blob_writer **ret_writer, struct err *err)
{
    struct blob_writer *writer;

    if (tenant_id <= 0)
        return err_detail(err, ERR_INTERNAL, "a blob without a tenant");
    TRY(store->engine->begin(store, &writer, err));
    writer->store = store;
    writer->tenant_id = tenant_id;
    writer->size_max = size_max;
    crypto_sha256_begin(&writer->hash);
    *ret_writer = writer;
    return ERR_OK;
}

FALLIBLE blob_put(struct blob_writer *writer, struct str bytes, struct err *err)
{
    bool failed = writer->failed;

    writer->failed = true;
    if (failed)
        return err_detail(err, ERR_INTERNAL, "a blob goes on behind a missing piece");
    if (bytes.len > (uint64_t)INT64_MAX || (int64_t)bytes.len > writer->size_max - writer->size)
        return err_set(err, ERR_TOO_LARGE, "the file is over %lld bytes",
                       (long long)writer->size_max);
    TRY(writer->store->engine->put(writer, bytes, err));
    crypto_sha256_put(&writer->hash, bytes);
    writer->size += (int64_t)bytes.len;
    writer->failed = false;
    return ERR_OK;
}

bool blob_written_path(struct blob_writer *writer, char dst[BLOB_PATH_SIZE])
{
    const struct blob_engine *engine = writer->store->engine;

    return engine->written_path != NULL && engine->written_path(writer, dst);
}

FALLIBLE blob_commit(struct blob_writer **writer, struct blob_id *ret_id, struct err *err)
{
    struct blob_id id = {.tenant_id = (*writer)->tenant_id};
    enum err_code rc;

    crypto_sha256_end(&(*writer)->hash, id.sha256);
    if ((*writer)->failed)
        rc = err_detail(err, ERR_INTERNAL, "a blob with a missing piece");
    else
        rc = (*writer)->store->engine->commit(*writer, &id, err);
    blob_abort(writer);
    if (rc == ERR_OK)
        *ret_id = id;
    return rc;
}

void blob_abort(struct blob_writer **writer)
{
    if (*writer != NULL)
        (*writer)->store->engine->end(*writer);
    *writer = NULL;
}

FALLIBLE blob_open(struct blob_store *store, const struct blob_id *id,
                   struct blob_reader **ret_reader, struct err *err)
{
    TRY(store->engine->open(store, id, ret_reader, err));
    (*ret_reader)->store = store;
    return ERR_OK;
}

int64_t blob_size(const struct blob_reader *reader)
{
    return reader->size;
}

FALLIBLE blob_read(struct blob_reader *reader, int64_t offset, char *dst, size_t len,
                   struct err *err)
{
    if (offset < 0 || offset > reader->size || len > (uint64_t)(reader->size - offset))
        return err_detail(err, ERR_INTERNAL, "a range beyond a blob's end");
    return reader->store->engine->read(reader, offset, dst, len, err);
}

void blob_close(struct blob_reader **reader)
{
    if (*reader != NULL)
        (*reader)->store->engine->close(*reader);
    *reader = NULL;
}

bool blob_path(struct blob_store *store, const struct blob_id *id, char dst[BLOB_PATH_SIZE])
{
    return store->engine->path != NULL && store->engine->path(store, id, dst);
}

FALLIBLE blob_check(struct blob_store *store, const struct blob_id *id, struct err *err)
{
    CLEANUP(blob_close) struct blob_reader *reader = NULL;
    char piece[CHECK_PIECE], hex[2 * CRYPTO_HASH_BYTES + 1];
    uint8_t sha256[CRYPTO_HASH_BYTES];
    struct crypto_sha256 hash;

    TRY(blob_open(store, id, &reader, err));
    crypto_sha256_begin(&hash);
    for (int64_t offset = 0; offset < reader->size;) {
        int64_t rest = reader->size - offset;
        size_t len = rest < CHECK_PIECE ? (size_t)rest : CHECK_PIECE;

        TRY(blob_read(reader, offset, piece, len, err));
        crypto_sha256_put(&hash, (struct str){piece, len});
        offset += (int64_t)len;
    }
    crypto_sha256_end(&hash, sha256);
    if (memcmp(sha256, id->sha256, sizeof(sha256)) == 0)
        return ERR_OK;
    str_hex(hex, id->sha256, sizeof(id->sha256));
    return err_set(err, ERR_MISMATCH, "blob %s of tenant %lld is not what its name says", hex,
                   (long long)id->tenant_id);
}

FALLIBLE blob_each(struct blob_store *store, blob_visit visit, void *ctx, struct err *err)
{
    return store->engine->each(store, visit, ctx, err);
}

FALLIBLE blob_remove(struct blob_store *store, const struct blob_id *id, int64_t age_us,
                     bool *ret_removed, struct err *err)
{
    return store->engine->remove(store, id, age_us, ret_removed, err);
}

FALLIBLE blob_sweep(struct blob_store *store, int64_t age_us, int64_t *ret_removed,
                    struct err *err)
{
    return store->engine->sweep(store, age_us, ret_removed, err);
}
