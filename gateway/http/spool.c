/* SPDX-License-Identifier: Apache-2.0 */
/* Where large bodies wait: a file without a name, so that nothing is left behind
 * whatever happens. */
#include "gateway/http/http_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static enum err_code spool_failed(struct err *err, const char *what)
{
    return err_detail(err, errno == ENOSPC ? ERR_UNAVAILABLE : ERR_IO, "spool %s: %s", what,
                      strerror(errno));
}

enum err_code spool_open(const char *dir, int *ret_fd, struct err *err)
{
    char path[4096];
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    /* not every file system has nameless files */
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
        int len = snprintf(path, sizeof(path), "%s/arkgate-spool-XXXXXX", dir);

        if (len < 0 || (size_t)len >= sizeof(path))
            return err_detail(err, ERR_IO, "spool folder: the path is too long");
        fd = mkostemp(path, O_CLOEXEC);
        if (fd >= 0)
            (void)unlink(path);
    }
    if (fd < 0)
        return spool_failed(err, "open");
    *ret_fd = fd;
    return ERR_OK;
}

enum err_code spool_write(int fd, const void *bytes, size_t len, struct err *err)
{
    const char *at = bytes;

    while (len > 0) {
        ssize_t done = write(fd, at, len);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return spool_failed(err, "write");
        at += done;
        len -= (size_t)done;
    }
    return ERR_OK;
}

enum err_code spool_map(int fd, size_t len, void **ret_at, struct err *err)
{
    void *at = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);

    if (at == MAP_FAILED)
        return spool_failed(err, "map");
    *ret_at = at;
    return ERR_OK;
}
