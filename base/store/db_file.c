/* SPDX-License-Identifier: Apache-2.0 */
/* Database files as wholes: made with mode 0600, copied, and put into place so
 * that a crash leaves either no file or a complete one. Their content is SQLite's. */
#include "base/store/db_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

static enum err_code io_error(struct err *err, const char *what, const char *path)
{
    int number = errno;

    (void)err_set(err, number == ENOSPC ? ERR_UNAVAILABLE : ERR_IO, "cannot %s %s: %s", what,
                  path, strerror(number));
    return err->code;
}

static FALLIBLE sync_path(const char *path, int flags, struct err *err)
{
    CLEANUP(close_fd) int fd = open(path, flags | O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) != 0)
        return io_error(err, "sync", path);
    return ERR_OK;
}

static FALLIBLE write_all(int fd, const char *bytes, size_t len, const char *path,
                          struct err *err)
{
    while (len > 0) {
        ssize_t done = write(fd, bytes, len);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return io_error(err, "write", path);
        bytes += done;
        len -= (size_t)done;
    }
    return ERR_OK;
}

FALLIBLE db_file_create(const char *path, struct err *err)
{
    CLEANUP(close_fd)
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0 && errno == EEXIST)
        return err_set(err, ERR_CONFLICT, "%s exists already", path);
    if (fd < 0)
        return io_error(err, "create", path);
    return ERR_OK;
}

FALLIBLE db_file_sync(const char *path, struct err *err)
{
    return sync_path(path, 0, err);
}

FALLIBLE db_file_sync_dir(const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    char dir[4096]; /* PATH_MAX */

    if (slash == NULL)
        return sync_path(".", O_DIRECTORY, err);
    struct str name = {path, slash == path ? 1 : (size_t)(slash - path)};
    if (!str_copy(dir, sizeof(dir), name))
        return err_set(err, ERR_IO, "the path %.100s… is too long", path);
    return sync_path(dir, O_DIRECTORY, err);
}

FALLIBLE db_file_publish(const char *from, const char *to, struct err *err)
{
    int rc = renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);

    if (rc != 0 && errno == EINVAL) { /* a file system without that flag */
        rc = link(from, to);
        if (rc == 0)
            (void)unlink(from);
    }
    if (rc != 0 && errno == EEXIST)
        return err_set(err, ERR_CONFLICT, "%s exists already", to);
    if (rc != 0)
        return io_error(err, "rename to", to);
    return db_file_sync_dir(to, err);
}

FALLIBLE db_file_copy(const char *from, const char *to, struct err *err)
{
    CLEANUP(close_fd) int in = open(from, O_RDONLY | O_CLOEXEC);
    CLEANUP(close_fd) int out = open(to, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    char block[64 << 10];

    if (in < 0 && errno == ENOENT)
        return err_set(err, ERR_NOT_FOUND, "%s does not exist", from);
    if (in < 0)
        return io_error(err, "open", from);
    if (out < 0)
        return io_error(err, "open", to);
    for (;;) {
        ssize_t len = read(in, block, sizeof(block));
        if (len < 0 && errno == EINTR)
            continue;
        if (len < 0)
            return io_error(err, "read", from);
        if (len == 0)
            return ERR_OK;
        TRY(write_all(out, block, (size_t)len, to, err));
    }
}

bool db_file_exists(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0;
}
