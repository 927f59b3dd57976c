/* SPDX-License-Identifier: Apache-2.0 */
/* Who may write in a data directory: whoever holds the lock on its lock file.
 * The kernel drops it with the process, so a crash leaves nothing to clean up. */
#include "base/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

FALLIBLE dir_lock_take(const char *dir, int *ret_fd, struct err *err)
{
    char path[4096]; /* PATH_MAX */

    int len = snprintf(path, sizeof(path), "%s/arkgate.lock", dir);
    if (len < 0 || (size_t)len >= sizeof(path))
        return err_set(err, ERR_CONFIG, "the data directory's path is too long");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_set(err, ERR_IO, "cannot open %s: %s", path, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int number = errno;
        (void)close(fd);
        if (number == EWOULDBLOCK)
            return err_set(err, ERR_BUSY, "another process is using the data directory %s",
                           dir);
        return err_set(err, ERR_IO, "cannot lock %s: %s", path, strerror(number));
    }
    *ret_fd = fd;
    return ERR_OK;
}

void dir_lock_drop(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}
