/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs as files below a data directory: blobs/TENANT/HH/HASH, the first two digits of the
 * hash as a folder, and in blobs/tmp what is still being written. Every name is made here
 * from numbers and hashes. A finished file is never changed: another comes into its place
 * by a rename, or it goes. */
#include "assetlib/blob_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SHARD_LEN = 2,  /* 256 folders a tenant: of a million blobs each has 4,000 */
    RANDOM_LEN = 26 /* 130 random bits: no two writers meet */
};

struct disk_writer {
    struct blob_writer base;
    int fd;
    char name[BLOB_NAME_SIZE]; /* "" once it is committed */
};

struct disk_reader {
    struct blob_reader base;
    int fd;
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

static struct disk_writer *writer_of(struct blob_writer *writer)
{
    return (struct disk_writer *)(void *)writer;
}

static struct disk_reader *reader_of(struct blob_reader *reader)
{
    return (struct disk_reader *)(void *)reader;
}

/* ---- folders --------------------------------------------------------------------- */

/* Makes those folders of the name that are missing. */
static FALLIBLE make_folders(const struct blob_disk *disk, const char *name, struct err *err)
{
    char folder[BLOB_NAME_SIZE];
    const char *end = name;

    do {
        end = strchr(end + 1, '/');
        (void)str_copy(folder, sizeof(folder),
                       end != NULL ? (struct str){name, (size_t)(end - name)} : str_from(name));
        if (mkdirat(disk->dir, folder, 0700) != 0 && errno != EEXIST)
            return blob_disk_failed(err, "make", folder);
    } while (end != NULL);
    return ERR_OK;
}

static FALLIBLE sync_folder(const struct blob_disk *disk, const char *name, struct err *err)
{
    CLEANUP(close_fd)
    int fd = openat(disk->dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) != 0)
        return blob_disk_failed(err, "sync", name);
    return ERR_OK;
}

/* The folder and all above it, up to the data directory; also those that were there, for
 * who made them may not have come so far. */
static FALLIBLE sync_folders(const struct blob_disk *disk, const char *name, struct err *err)
{
    char folder[BLOB_NAME_SIZE];
    char *end;

    (void)str_copy(folder, sizeof(folder), str_from(name));
    do {
        TRY(sync_folder(disk, folder, err));
        end = strrchr(folder, '/');
        if (end != NULL)
            *end = '\0';
    } while (end != NULL);
    return sync_folder(disk, ".", err);
}

/* ---- writing --------------------------------------------------------------------- */

static enum err_code disk_begin(struct blob_store *store, struct blob_writer **ret_writer,
                                struct err *err)
{
    struct blob_disk *disk = blob_disk_of(store);
    struct disk_writer *writer = calloc(1, sizeof(*writer));
    char random[RANDOM_LEN + 1];
    enum err_code rc;

    if (writer == NULL)
        return err_detail(err, ERR_INTERNAL, "out of memory");
    sys_random_text(random, RANDOM_LEN, "abcdefghijklmnopqrstuvwxyz234567");
    (void)snprintf(writer->name, sizeof(writer->name), BLOB_UNFINISHED "/%s", random);
    rc = make_folders(disk, BLOB_UNFINISHED, err);
    if (rc == ERR_OK) {
        writer->fd = openat(disk->dir, writer->name,
                            O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (writer->fd < 0)
            rc = blob_disk_failed(err, "make", writer->name);
    }
    if (rc != ERR_OK) {
        free(writer);
        return rc;
    }
    *ret_writer = &writer->base;
    return ERR_OK;
}

static enum err_code disk_put(struct blob_writer *base, struct str bytes, struct err *err)
{
    const struct disk_writer *writer = writer_of(base);

    if (FAULT_POINT("blob.write")) {
        errno = ENOSPC;
        return blob_disk_failed(err, "write", writer->name);
    }
    while (bytes.len > 0) {
        ssize_t done = write(writer->fd, bytes.ptr, bytes.len);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return blob_disk_failed(err, "write", writer->name);
        bytes.ptr += done;
        bytes.len -= (size_t)done;
    }
    return ERR_OK;
}

/* An equal file that is there already is replaced: its bytes are the same unless the disk
 * has spoiled them, and the date becomes that of this put. */
static enum err_code disk_commit(struct blob_writer *base, const struct blob_id *id,
                                 struct err *err)
{
    struct disk_writer *writer = writer_of(base);
    struct blob_disk *disk = blob_disk_of(base->store);
    char name[BLOB_NAME_SIZE], folder[BLOB_NAME_SIZE];
    enum err_code rc;
    int folder_len;

    blob_disk_name(id, name, &folder_len);
    (void)str_copy(folder, sizeof(folder), (struct str){name, (size_t)folder_len});
    TRY(make_folders(disk, folder, err));
    if (FAULT_POINT("blob.before_commit"))
        return err_detail(err, ERR_IO, "a fault before a blob's commit");
    if (futimens(writer->fd, NULL) != 0 || fsync(writer->fd) != 0)
        return blob_disk_failed(err, "sync", writer->name);
    TRY(blob_disk_take(disk, err));
    rc = renameat(disk->dir, writer->name, disk->dir, name) == 0
             ? ERR_OK
             : blob_disk_failed(err, "rename to", name);
    blob_disk_drop(disk);
    TRY(rc);
    writer->name[0] = '\0';
    (void)FAULT_POINT("blob.after_commit");
    return sync_folders(disk, folder, err);
}

static void disk_end(struct blob_writer *base)
{
    struct disk_writer *writer = writer_of(base);

    if (writer->name[0] != '\0')
        (void)unlinkat(blob_disk_of(base->store)->dir, writer->name, 0);
    close_fd(&writer->fd);
    free(writer);
}

/* ---- reading --------------------------------------------------------------------- */

static void disk_close(struct blob_reader *base)
{
    close_fd(&reader_of(base)->fd);
    free(base);
}

static enum err_code disk_open(struct blob_store *store, const struct blob_id *id,
                               struct blob_reader **ret_reader, struct err *err)
{
    char name[BLOB_NAME_SIZE];
    struct disk_reader *reader;
    struct stat status;
    int fd;

    blob_disk_name(id, name, NULL);
    fd = openat(blob_disk_of(store)->dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return err_set(err, ERR_NOT_FOUND, "there is no such file");
    if (fd < 0)
        return blob_disk_failed(err, "open", name);
    reader = calloc(1, sizeof(*reader));
    if (reader == NULL || fstat(fd, &status) != 0) {
        (void)blob_disk_failed(err, "look at", name);
        close_fd(&fd);
        free(reader);
        return err->code;
    }
    reader->fd = fd;
    reader->base.size = status.st_size;
    *ret_reader = &reader->base;
    return ERR_OK;
}

static enum err_code disk_read(struct blob_reader *base, int64_t offset, char *dst, size_t len,
                               struct err *err)
{
    while (len > 0) {
        ssize_t done = pread(reader_of(base)->fd, dst, len, offset);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return blob_disk_failed(err, "read", "a blob");
        if (done == 0)
            return err_detail(err, ERR_IO, "a blob ends before its size");
        dst += done;
        offset += done;
        len -= (size_t)done;
    }
    return ERR_OK;
}

/* ---- local files ----------------------------------------------------------------- */

static bool put_path(struct blob_store *store, const char *name, char dst[BLOB_PATH_SIZE])
{
    int len = snprintf(dst, BLOB_PATH_SIZE, "%s/%s", blob_disk_of(store)->path, name);

    return len > 0 && len < BLOB_PATH_SIZE;
}

static bool disk_path(struct blob_store *store, const struct blob_id *id,
                      char dst[BLOB_PATH_SIZE])
{
    char name[BLOB_NAME_SIZE];

    blob_disk_name(id, name, NULL);
    return put_path(store, name, dst);
}

static bool disk_written_path(struct blob_writer *base, char dst[BLOB_PATH_SIZE])
{
    return put_path(base->store, writer_of(base)->name, dst);
}

static void disk_close_store(struct blob_store *store)
{
    struct blob_disk *disk = blob_disk_of(store);

    close_fd(&disk->dir);
    close_fd(&disk->lock_file);
    lock_fini(&disk->lock);
    free(disk);
}

static const struct blob_engine engine = {
    .begin = disk_begin,
    .put = disk_put,
    .commit = disk_commit,
    .end = disk_end,
    .open = disk_open,
    .read = disk_read,
    .close = disk_close,
    .path = disk_path,
    .written_path = disk_written_path,
    .remove = blob_disk_walk_remove,
    .each = blob_disk_walk_each,
    .sweep = blob_disk_walk_sweep,
    .close_store = disk_close_store,
};

/* Whole: who opens a file for us works in a folder of his own. */
static bool take_path(struct blob_disk *disk, const char *dir)
{
    char *whole = realpath(dir, NULL);
    bool fits = whole != NULL && str_copy(disk->path, sizeof(disk->path), str_from(whole));

    free(whole);
    return fits;
}

FALLIBLE blob_disk_open(const char *dir, struct blob_store **ret_store, struct err *err)
{
    struct blob_disk *disk = calloc(1, sizeof(*disk));

    if (disk == NULL)
        return err_detail(err, ERR_INTERNAL, "out of memory");
    disk->base.engine = &engine;
    disk->lock_file = -1;
    disk->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (disk->dir < 0 || !take_path(disk, dir)) {
        (void)err_set(err, ERR_CONFIG, "data directory %.200s: %s", dir,
                      disk->dir < 0 ? strerror(errno) : "the path is too long");
        close_fd(&disk->dir);
        free(disk);
        return err->code;
    }
    lock_init(&disk->lock);
    *ret_store = &disk->base;
    return ERR_OK;
}

struct blob_disk *blob_disk_of(struct blob_store *store)
{
    return (struct blob_disk *)(void *)store;
}

void blob_disk_name(const struct blob_id *id, char dst[BLOB_NAME_SIZE], int *ret_folder_len)
{
    char hex[2 * CRYPTO_HASH_BYTES + 1];
    int folder_len;

    str_hex(hex, id->sha256, sizeof(id->sha256));
    folder_len = snprintf(dst, BLOB_NAME_SIZE, BLOB_ROOT "/%lld/%.*s", (long long)id->tenant_id,
                          SHARD_LEN, hex);
    (void)snprintf(dst + folder_len, (size_t)(BLOB_NAME_SIZE - folder_len), "/%s",
                   hex + SHARD_LEN);
    if (ret_folder_len != NULL)
        *ret_folder_len = folder_len;
}

static FALLIBLE lock_file(struct blob_disk *disk, struct err *err)
{
    int rc;

    if (disk->lock_file < 0)
        disk->lock_file =
            openat(disk->dir, BLOB_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (disk->lock_file < 0)
        return blob_disk_failed(err, "open", BLOB_LOCK);
    do {
        rc = flock(disk->lock_file, LOCK_EX);
    } while (rc != 0 && errno == EINTR);
    return rc == 0 ? ERR_OK : blob_disk_failed(err, "lock", BLOB_LOCK);
}

FALLIBLE blob_disk_take(struct blob_disk *disk, struct err *err)
{
    enum err_code rc;

    lock_take(&disk->lock);
    rc = lock_file(disk, err);
    if (rc != ERR_OK)
        lock_drop(&disk->lock);
    return rc;
}

void blob_disk_drop(struct blob_disk *disk)
{
    (void)flock(disk->lock_file, LOCK_UN);
    lock_drop(&disk->lock);
}

enum err_code blob_disk_failed(struct err *err, const char *what, const char *name)
{
    int number = errno;

    if (number == ENOSPC || number == EDQUOT)
        return err_set(err, ERR_UNAVAILABLE, "the disk is full");
    return err_detail(err, ERR_IO, "cannot %s %s: %s", what, name, strerror(number));
}
