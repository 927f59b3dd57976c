/* SPDX-License-Identifier: Apache-2.0 */
/* Stored bytes, named by what they are: written and read in pieces, walked, checked and
 * removed. Where they lie is an engine's business: blob_disk.c keeps them in files, and an
 * engine for a bucket has its place behind the same table. Who refers to a blob, and when
 * it may go, is decided elsewhere. */
#ifndef ARKGATE_ASSETLIB_BLOB_H
#define ARKGATE_ASSETLIB_BLOB_H

#include "base/base.h"
#include "base/crypto.h"

enum { BLOB_PATH_SIZE = 4096 }; /* PATH_MAX */

/* Equal bytes of one tenant are one blob. Another tenant's are another, so that nobody
 * learns what others have. */
struct blob_id {
    int64_t tenant_id; /* above 0 */
    uint8_t sha256[CRYPTO_HASH_BYTES];
};

struct blob_entry {
    struct blob_id id;
    int64_t size;
    int64_t age_us; /* since it was last put, by the store's clock */
};
typedef enum err_code (*blob_visit)(const struct blob_entry *entry, void *ctx, struct err *err);

/* One engine, opened. Thread-safe; an engine's own struct begins with it. */
struct blob_store {
    const struct blob_engine *engine;
};

/* Bytes on their way in. Of one thread at a time, as the next one. */
struct blob_writer {
    struct blob_store *store;
    int64_t tenant_id, size, size_max;
    struct crypto_sha256 hash;
    bool failed; /* a piece is missing: it can only be aborted */
};

/* A blob that is being read. What was opened stays readable to the end, removed or not. */
struct blob_reader {
    struct blob_store *store;
    int64_t size;
};

/* What every engine promises. blob.c counts, hashes and limits, so an engine only moves
 * bytes; it is called with sound ids and ranges. */
struct blob_engine {
    /* Nothing is visible under a name before commit. The engine's writer begins with a
     * zeroed struct blob_writer. */
    enum err_code (*begin)(struct blob_store *store, struct blob_writer **ret_writer,
                           struct err *err);
    /* ERR_UNAVAILABLE when there is no room. */
    enum err_code (*put)(struct blob_writer *writer, struct str bytes, struct err *err);
    /* When it returns, the bytes are there under the name, whole, and survive a power cut.
     * Equal ones that were there are the same blob, put anew. */
    enum err_code (*commit)(struct blob_writer *writer, const struct blob_id *id,
                            struct err *err);
    /* Frees the writer, and what it wrote unless that was committed. */
    void (*end)(struct blob_writer *writer);
    /* Sets the reader's size. ERR_NOT_FOUND. */
    enum err_code (*open)(struct blob_store *store, const struct blob_id *id,
                          struct blob_reader **ret_reader, struct err *err);
    /* All of it, or ERR_IO. */
    enum err_code (*read)(struct blob_reader *reader, int64_t offset, char *dst, size_t len,
                          struct err *err);
    void (*close)(struct blob_reader *reader);
    /* Both NULL for an engine without local files. */
    bool (*path)(struct blob_store *store, const struct blob_id *id, char dst[BLOB_PATH_SIZE]);
    bool (*written_path)(struct blob_writer *writer, char dst[BLOB_PATH_SIZE]);
    /* As the functions of blob.c say. */
    enum err_code (*remove)(struct blob_store *store, const struct blob_id *id, int64_t age_us,
                            bool *ret_removed, struct err *err);
    enum err_code (*each)(struct blob_store *store, blob_visit visit, void *ctx,
                          struct err *err);
    enum err_code (*sweep)(struct blob_store *store, int64_t age_us, int64_t *ret_removed,
                           struct err *err);
    void (*close_store)(struct blob_store *store);
};

/* blob.c --------------------------------------------------------------- */

/* No reader or writer may be left. Accepts NULL in *store. */
void blob_close_store(struct blob_store **store);

/* Begins to write at most size_max bytes for a tenant. A process that dies before the
 * commit leaves nothing but what blob_sweep removes. */
FALLIBLE blob_begin(struct blob_store *store, int64_t tenant_id, int64_t size_max,
                    struct blob_writer **ret_writer, struct err *err);
/* Appends a piece. ERR_TOO_LARGE over size_max, ERR_UNAVAILABLE when the disk is full;
 * after any failure the writer can only be aborted. */
FALLIBLE blob_put(struct blob_writer *writer, struct str bytes, struct err *err);
/* Where the bytes are that were put so far, for a program that judges them before the
 * commit; false: the engine has no local file. */
bool blob_written_path(struct blob_writer *writer, char dst[BLOB_PATH_SIZE]);
/* Names the bytes by their hash. When it returns ERR_OK they are safely stored, once,
 * whether or not equal ones were there before. Frees the writer and sets it NULL, also on
 * failure. */
FALLIBLE blob_commit(struct blob_writer **writer, struct blob_id *ret_id, struct err *err);
/* Forgets what was written. Accepts NULL in *writer. */
void blob_abort(struct blob_writer **writer);

/* ERR_NOT_FOUND when there is no such blob; ERR_IO when it cannot be read. */
FALLIBLE blob_open(struct blob_store *store, const struct blob_id *id,
                   struct blob_reader **ret_reader, struct err *err);
/* The bytes, as stored; they may be too few on a damaged disk. */
int64_t blob_size(const struct blob_reader *reader);
/* Exactly len bytes from offset, or ERR_IO: also when the blob has become shorter than its
 * size. ERR_INTERNAL for a range that is not within the size. */
FALLIBLE blob_read(struct blob_reader *reader, int64_t offset, char *dst, size_t len,
                   struct err *err);
/* Accepts NULL in *reader. */
void blob_close(struct blob_reader **reader);
/* A local file with the bytes, whether or not it is there, for a program that must have a
 * path; false: the engine has none, and the bytes must be fetched with blob_read. */
bool blob_path(struct blob_store *store, const struct blob_id *id, char dst[BLOB_PATH_SIZE]);

/* Hashes the bytes again. ERR_NOT_FOUND, ERR_IO, or ERR_MISMATCH when they are not what
 * their name says. */
FALLIBLE blob_check(struct blob_store *store, const struct blob_id *id, struct err *err);
/* Visits every blob in no order, those that come or go meanwhile perhaps. The visitor may
 * open, check and remove blobs. Stops at the first visit that is not ERR_OK and returns
 * what it returned. What is no blob is passed over. */
FALLIBLE blob_each(struct blob_store *store, blob_visit visit, void *ctx, struct err *err);
/* Removes it unless it was put within age_us, in which somebody may be about to refer to
 * it. One that is not there is not removed, and no error. */
FALLIBLE blob_remove(struct blob_store *store, const struct blob_id *id, int64_t age_us,
                     bool *ret_removed, struct err *err);
/* Removes what writers left unfinished and untouched for age_us. */
FALLIBLE blob_sweep(struct blob_store *store, int64_t age_us, int64_t *ret_removed,
                    struct err *err);

/* blob_disk.c ---------------------------------------------------------- */

/* Files in dir/blobs, a data directory's; made when the first blob is begun, its owner's
 * alone, unless it is there already or leads to another disk. Copies dir. ERR_CONFIG when
 * dir cannot be opened. */
FALLIBLE blob_disk_open(const char *dir, struct blob_store **ret_store, struct err *err);

#endif
