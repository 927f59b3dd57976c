/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the engine on disk show each other and nobody else. */
#ifndef ARKGATE_ASSETLIB_BLOB_PRIVATE_H
#define ARKGATE_ASSETLIB_BLOB_PRIVATE_H

#include "assetlib/blob.h"

#define BLOB_ROOT "blobs"
#define BLOB_UNFINISHED BLOB_ROOT "/tmp"
#define BLOB_LOCK BLOB_ROOT "/lock" /* a file of no bytes; a tenant's folder is a number */

enum { BLOB_NAME_SIZE = 128 }; /* blobs/, 19 digits of a tenant, the hash and its slash */

struct blob_disk {
    struct blob_store base;
    int dir; /* the data directory; all names are below it */
    char path[BLOB_PATH_SIZE - BLOB_NAME_SIZE];
    /* A blob's age is looked at and the blob removed under both, and put anew under both:
     * nobody removes what was just committed. The file is for other processes, which several
     * gateways of one database are; it is opened when it is first taken. */
    struct lock lock;
    int lock_file; /* -1: not yet */
};

/* blob_disk.c ---------------------------------------------------------- */

struct blob_disk *blob_disk_of(struct blob_store *store);
/* The file of a blob; its folder's name is as much of it as *ret_folder_len says. */
void blob_disk_name(const struct blob_id *id, char dst[BLOB_NAME_SIZE], int *ret_folder_len);
/* Takes both locks; it makes the file, so BLOB_ROOT must be there. */
FALLIBLE blob_disk_take(struct blob_disk *disk, struct err *err);
void blob_disk_drop(struct blob_disk *disk);
/* From errno: ERR_UNAVAILABLE when there is no room, which a tenant may hear, else ERR_IO. */
enum err_code blob_disk_failed(struct err *err, const char *what, const char *name);

/* blob_disk_walk.c: the engine's each, remove and sweep ------------------- */

enum err_code blob_disk_walk_each(struct blob_store *store, blob_visit visit, void *ctx,
                                  struct err *err);
enum err_code blob_disk_walk_remove(struct blob_store *store, const struct blob_id *id,
                                    int64_t age_us, bool *ret_removed, struct err *err);
enum err_code blob_disk_walk_sweep(struct blob_store *store, int64_t age_us,
                                   int64_t *ret_removed, struct err *err);

#endif
