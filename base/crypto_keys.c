/* SPDX-License-Identifier: Apache-2.0 */
/* The key files of an installation: made once, never overwritten, refused when
 * others could have read them. What the keys are for stands in crypto.h. */
#include "base/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FILE_BYTES = 2 * CRYPTO_KEY_BYTES + 1, /* hex digits and a line feed */
    SPARE_SUFFIX = 16                      /* random letters of an unfinished file */
};

static const char *const key_names[] = {"master.key", "pepper.key"};

static void fd_close(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static void text_wipe(char (*text)[FILE_BYTES + 1])
{
    crypto_wipe(*text, sizeof(*text));
}

static enum err_code folder_open(const char *dir, int *ret_fd, struct err *err)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return err_set(err, ERR_CONFIG, "key folder %s: %s", dir, strerror(errno));
    *ret_fd = fd;
    return ERR_OK;
}

static enum err_code write_failed(const char *dir, const char *name, struct err *err)
{
    return err_set(err, ERR_IO, "key file %s/%s: %s", dir, name, strerror(errno));
}

/* A fresh key in a new file, on disk when this returns. */
static enum err_code file_write(int folder, const char *dir, const char *name, struct err *err)
{
    uint8_t key[CRYPTO_KEY_BYTES];
    CLEANUP(text_wipe) char text[FILE_BYTES + 1] = "";
    CLEANUP(fd_close)
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return write_failed(dir, name, err);
    sys_random(key, sizeof(key));
    str_hex(text, key, sizeof(key));
    crypto_wipe(key, sizeof(key));
    text[FILE_BYTES - 1] = '\n';
    ssize_t written = write(fd, text, FILE_BYTES);
    if (written >= 0 && written != FILE_BYTES)
        errno = ENOSPC;
    if (written != FILE_BYTES || fsync(fd) != 0)
        return write_failed(dir, name, err);
    return ERR_OK;
}

/* Finished under another name first and then linked, which fails when the name
 * exists: neither a crash nor a second caller leaves half a key or replaces one. */
static enum err_code file_create(int folder, const char *dir, const char *name, struct err *err)
{
    char spare[32 + SPARE_SUFFIX], suffix[SPARE_SUFFIX + 1];

    if (faccessat(folder, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return ERR_OK;
    sys_random_text(suffix, SPARE_SUFFIX, "abcdefghijklmnopqrstuvwxyz");
    (void)snprintf(spare, sizeof(spare), ".%s.%s", name, suffix);

    enum err_code rc = file_write(folder, dir, spare, err);
    if (rc == ERR_OK && linkat(folder, spare, folder, name, 0) != 0 && errno != EEXIST)
        rc = write_failed(dir, name, err);
    (void)unlinkat(folder, spare, 0);
    return rc;
}

static enum err_code file_load(int folder, const char *dir, const char *name,
                               uint8_t ret_key[CRYPTO_KEY_BYTES], struct err *err)
{
    struct stat stat;
    CLEANUP(text_wipe) char text[FILE_BYTES + 1] = "";
    /* O_NONBLOCK: a FIFO in its place must not stop us. */
    CLEANUP(fd_close) int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || fstat(fd, &stat) != 0)
        return err_set(err, ERR_CONFIG, "key file %s/%s: %s", dir, name, strerror(errno));
    if (!S_ISREG(stat.st_mode))
        return err_set(err, ERR_CONFIG, "key file %s/%s is not a file", dir, name);
    if ((stat.st_mode & 0177) != 0)
        return err_set(err, ERR_CONFIG, "key file %s/%s has mode %04o, must be 0600 or 0400",
                       dir, name, (unsigned)(stat.st_mode & 07777));
    if (stat.st_size != FILE_BYTES || read(fd, text, FILE_BYTES) != FILE_BYTES ||
        text[FILE_BYTES - 1] != '\n' ||
        !str_unhex((struct str){text, FILE_BYTES - 1}, ret_key, CRYPTO_KEY_BYTES))
        return err_set(err, ERR_CONFIG, "key file %s/%s is not %d hex digits and a line feed",
                       dir, name, FILE_BYTES - 1);
    return ERR_OK;
}

FALLIBLE crypto_keys_create(const char *dir, struct err *err)
{
    CLEANUP(fd_close) int folder = -1;

    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return err_set(err, ERR_IO, "key folder %s: %s", dir, strerror(errno));
    TRY(folder_open(dir, &folder, err));
    for (size_t i = 0; i < COUNT_OF(key_names); i++)
        TRY(file_create(folder, dir, key_names[i], err));
    if (fsync(folder) != 0)
        return err_set(err, ERR_IO, "key folder %s: %s", dir, strerror(errno));
    return ERR_OK;
}

FALLIBLE crypto_keys_load(const char *dir, struct crypto_keys *ret_keys, struct err *err)
{
    CLEANUP(crypto_keys_wipe) struct crypto_keys keys = {0};
    CLEANUP(fd_close) int folder = -1;

    TRY(folder_open(dir, &folder, err));
    TRY(file_load(folder, dir, key_names[0], keys.master, err));
    TRY(file_load(folder, dir, key_names[1], keys.pepper, err));
    *ret_keys = keys;
    return ERR_OK;
}

void crypto_keys_wipe(struct crypto_keys *keys)
{
    crypto_wipe(keys, sizeof(*keys));
}

void crypto_keys_fingerprint(const struct crypto_keys *keys, char *dst)
{
    uint8_t hash[CRYPTO_HASH_BYTES];
    struct str pepper = {(const char *)keys->pepper, sizeof(keys->pepper)};

    /* One-way in the pepper, and a MAC under the master key. */
    crypto_keyed_hash(keys->master, pepper, hash);
    str_hex(dst, hash, sizeof(hash));
}
