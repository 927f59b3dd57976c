/* SPDX-License-Identifier: Apache-2.0 */
/* Which blobs lie on disk, and how those that are old enough are removed. Takes no name
 * from a folder for a blob's unless it is exactly the one that blob_disk.c would make. */
#include "assetlib/blob_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct walk {
    struct blob_disk *disk;
    blob_visit visit;
    void *ctx;
};

static void close_dir(DIR **dir)
{
    if (*dir != NULL)
        (void)closedir(*dir);
}

/* By the clock that dates files, whatever the gateways' time is. */
static int64_t age_of(const struct stat *status)
{
    return sys_local_us() -
           ((int64_t)status->st_mtim.tv_sec * 1000000 + status->st_mtim.tv_nsec / 1000);
}

/* False when the three names are not those of a blob. */
static bool read_name(const char *tenant, const char *shard, const char *rest,
                      struct blob_id *ret_id)
{
    char hex[2 * CRYPTO_HASH_BYTES + 1], name[BLOB_NAME_SIZE], expected[BLOB_NAME_SIZE];
    int hex_len = snprintf(hex, sizeof(hex), "%s%s", shard, rest);
    int len = snprintf(name, sizeof(name), BLOB_ROOT "/%s/%s/%s", tenant, shard, rest);

    if (hex_len != 2 * CRYPTO_HASH_BYTES || len >= BLOB_NAME_SIZE ||
        !str_unhex(str_from(hex), ret_id->sha256, CRYPTO_HASH_BYTES) ||
        !str_to_i64(str_from(tenant), &ret_id->tenant_id) || ret_id->tenant_id <= 0)
        return false;
    blob_disk_name(ret_id, expected, NULL);
    return strcmp(name, expected) == 0;
}

/* *ret_dir is NULL when there is no such folder. */
static FALLIBLE open_folder(const struct blob_disk *disk, const char *name, DIR **ret_dir,
                            struct err *err)
{
    int fd = openat(disk->dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    *ret_dir = NULL;
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return ERR_OK;
    if (fd >= 0)
        *ret_dir = fdopendir(fd);
    if (*ret_dir != NULL)
        return ERR_OK;
    (void)blob_disk_failed(err, "open", name);
    if (fd >= 0)
        (void)close(fd);
    return err->code;
}

/* The next name that is none of the folder's own; NULL at the end. */
static FALLIBLE next_item(DIR *dir, const char **ret_item, struct err *err)
{
    const struct dirent *item = NULL;

    do {
        errno = 0;
        item = dir != NULL ? readdir(dir) : NULL;
    } while (item != NULL && item->d_name[0] == '.');
    if (item == NULL && errno != 0)
        return blob_disk_failed(err, "read", "a folder of blobs");
    *ret_item = item != NULL ? item->d_name : NULL;
    return ERR_OK;
}

static FALLIBLE walk_shard(const struct walk *walk, const char *tenant, const char *shard,
                           struct err *err)
{
    CLEANUP(close_dir) DIR *dir = NULL;
    char folder[BLOB_NAME_SIZE];
    const char *item;

    if (snprintf(folder, sizeof(folder), BLOB_ROOT "/%s/%s", tenant, shard) >= BLOB_NAME_SIZE)
        return ERR_OK;
    TRY(open_folder(walk->disk, folder, &dir, err));
    for (;;) {
        struct blob_entry entry;
        struct stat status;

        TRY(next_item(dir, &item, err));
        if (item == NULL)
            return ERR_OK;
        if (!read_name(tenant, shard, item, &entry.id) ||
            fstatat(dirfd(dir), item, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISREG(status.st_mode))
            continue;
        entry.size = status.st_size;
        entry.age_us = age_of(&status);
        TRY(walk->visit(&entry, walk->ctx, err));
    }
}

static FALLIBLE walk_tenant(const struct walk *walk, const char *tenant, struct err *err)
{
    CLEANUP(close_dir) DIR *dir = NULL;
    char folder[BLOB_NAME_SIZE];
    const char *item;

    if (snprintf(folder, sizeof(folder), BLOB_ROOT "/%s", tenant) >= BLOB_NAME_SIZE)
        return ERR_OK;
    TRY(open_folder(walk->disk, folder, &dir, err));
    for (;;) {
        TRY(next_item(dir, &item, err));
        if (item == NULL)
            return ERR_OK;
        TRY(walk_shard(walk, tenant, item, err));
    }
}

enum err_code blob_disk_walk_each(struct blob_store *store, blob_visit visit, void *ctx,
                                  struct err *err)
{
    const struct walk walk = {blob_disk_of(store), visit, ctx};
    CLEANUP(close_dir) DIR *dir = NULL;
    const char *item;

    TRY(open_folder(walk.disk, BLOB_ROOT, &dir, err));
    for (;;) {
        TRY(next_item(dir, &item, err));
        if (item == NULL)
            return ERR_OK;
        TRY(walk_tenant(&walk, item, err));
    }
}

/* One that is gone already, or that nobody of us made, is no error. */
static FALLIBLE remove_older(const struct blob_disk *disk, const char *name, int64_t age_us,
                             bool *ret_removed, struct err *err)
{
    struct stat status;

    *ret_removed = false;
    if (fstatat(disk->dir, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? ERR_OK : blob_disk_failed(err, "look at", name);
    if (!S_ISREG(status.st_mode) || age_of(&status) < age_us)
        return ERR_OK;
    if (unlinkat(disk->dir, name, 0) != 0)
        return errno == ENOENT ? ERR_OK : blob_disk_failed(err, "remove", name);
    *ret_removed = true;
    return ERR_OK;
}

enum err_code blob_disk_walk_remove(struct blob_store *store, const struct blob_id *id,
                                    int64_t age_us, bool *ret_removed, struct err *err)
{
    struct blob_disk *disk = blob_disk_of(store);
    char name[BLOB_NAME_SIZE];
    enum err_code rc;

    *ret_removed = false;
    blob_disk_name(id, name, NULL);
    if (faccessat(disk->dir, name, F_OK, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT)
        return ERR_OK; /* also when there is no folder yet for the lock */
    TRY(blob_disk_take(disk, err));
    rc = remove_older(disk, name, age_us, ret_removed, err);
    blob_disk_drop(disk);
    return rc;
}

enum err_code blob_disk_walk_sweep(struct blob_store *store, int64_t age_us,
                                   int64_t *ret_removed, struct err *err)
{
    const struct blob_disk *disk = blob_disk_of(store);
    CLEANUP(close_dir) DIR *dir = NULL;
    const char *item;
    int64_t count = 0;

    TRY(open_folder(disk, BLOB_UNFINISHED, &dir, err));
    for (;;) {
        char name[BLOB_NAME_SIZE];
        bool removed;

        TRY(next_item(dir, &item, err));
        if (item == NULL)
            break;
        if (snprintf(name, sizeof(name), BLOB_UNFINISHED "/%s", item) >= BLOB_NAME_SIZE)
            continue;
        TRY(remove_older(disk, name, age_us, &removed, err));
        count += removed;
    }
    *ret_removed = count;
    return ERR_OK;
}
