/* SPDX-License-Identifier: Apache-2.0 */
/* blobs/id, which says whose folder it is. It comes by a rename, so that it is there whole or
 * not at all. What the database says is not known here. */
#include "assetlib/blob_mark.h"

#include "assetlib/blob_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MARK_NAME "id"

struct folder {
    int dir; /* of blobs */
};

static void folder_fini(struct folder *folder)
{
    if (folder->dir >= 0)
        (void)close(folder->dir);
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

/* dir is -1 when there is no folder, unless it is to be made. */
static FALLIBLE folder_open(const char *dir, bool make, struct folder *folder, struct err *err)
{
    char path[BLOB_PATH_SIZE];
    int len = snprintf(path, sizeof(path), "%s/" BLOB_ROOT, dir);

    if (len < 0 || (size_t)len >= sizeof(path))
        return err_set(err, ERR_CONFIG, "the data directory's path is too long");
    if (make && mkdir(path, 0700) != 0 && errno != EEXIST)
        return blob_disk_failed(err, "make", BLOB_ROOT);
    folder->dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder->dir < 0 && (make || errno != ENOENT))
        return blob_disk_failed(err, "open", BLOB_ROOT);
    return ERR_OK;
}

static void offer_name(const char *mark, char dst[BLOB_NAME_SIZE])
{
    (void)snprintf(dst, BLOB_NAME_SIZE, MARK_NAME "-%.*s", BLOB_MARK_LEN, mark);
}

static bool is_mark(const char *text)
{
    return strlen(text) == BLOB_MARK_LEN && strspn(text, "0123456789abcdef") == BLOB_MARK_LEN;
}

FALLIBLE blob_mark_read(const char *dir, char ret_mark[BLOB_MARK_LEN + 1], struct err *err)
{
    CLEANUP(folder_fini) struct folder folder = {-1};
    CLEANUP(close_fd) int fd = -1;
    char text[BLOB_MARK_LEN + 2] = "";

    TRY(folder_open(dir, false, &folder, err));
    ret_mark[0] = '\0';
    if (folder.dir < 0)
        return ERR_OK;
    fd = openat(folder.dir, MARK_NAME, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return ERR_OK;
    if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
        return blob_disk_failed(err, "read", BLOB_ROOT "/" MARK_NAME);
    text[strcspn(text, "\n")] = '\0';
    if (!is_mark(text))
        return err_set(err, ERR_CONFIG, "%.200s/" BLOB_ROOT "/" MARK_NAME " is damaged", dir);
    memcpy(ret_mark, text, BLOB_MARK_LEN + 1);
    return ERR_OK;
}

FALLIBLE blob_mark_offer(const char *dir, char ret_mark[BLOB_MARK_LEN + 1], struct err *err)
{
    CLEANUP(folder_fini) struct folder folder = {-1};
    CLEANUP(close_fd) int fd = -1;
    char name[BLOB_NAME_SIZE];

    TRY(folder_open(dir, true, &folder, err));
    sys_random_text(ret_mark, BLOB_MARK_LEN, "0123456789abcdef");
    offer_name(ret_mark, name);
    fd = openat(folder.dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || dprintf(fd, "%s\n", ret_mark) != BLOB_MARK_LEN + 1 || fsync(fd) != 0 ||
        fsync(folder.dir) != 0)
        return blob_disk_failed(err, "write", name);
    return ERR_OK;
}

FALLIBLE blob_mark_take(const char *dir, const char *mark, struct err *err)
{
    CLEANUP(folder_fini) struct folder folder = {-1};
    char name[BLOB_NAME_SIZE];

    TRY(folder_open(dir, false, &folder, err));
    offer_name(mark, name);
    if (folder.dir < 0 || !is_mark(mark))
        return ERR_OK;
    if (renameat(folder.dir, name, folder.dir, MARK_NAME) != 0)
        return errno == ENOENT ? ERR_OK : blob_disk_failed(err, "rename", name);
    return fsync(folder.dir) == 0 ? ERR_OK : blob_disk_failed(err, "sync", BLOB_ROOT);
}

void blob_mark_withdraw(const char *dir, const char *mark)
{
    CLEANUP(folder_fini) struct folder folder = {-1};
    struct err ignored = {0};
    char name[BLOB_NAME_SIZE];

    offer_name(mark, name);
    if (folder_open(dir, false, &folder, &ignored) == ERR_OK && folder.dir >= 0)
        (void)unlinkat(folder.dir, name, 0);
}
