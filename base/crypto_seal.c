/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets: in memory they are locked and wiped, at rest they are sealed and bound
 * to their row. Which secrets there are and where they lie is the caller's. */
#include "base/crypto.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    VERSION = 1,
    KEY_ID_BYTES = 4,
    HEAD_BYTES = 1 + KEY_ID_BYTES,
    NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG_BYTES = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    ROW_MAX = 255,    /* "table.column:id" with room to spare */
    PLAIN_MAX = 65536 /* sixteen times the longest upstream key */
};

_Static_assert(CRYPTO_SEAL_OVERHEAD == HEAD_BYTES + NONCE_BYTES + TAG_BYTES, "layout");
_Static_assert(CRYPTO_KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "key size");

static void buffer_free(unsigned char **bytes)
{
    free(*bytes);
    *bytes = NULL;
}

/* Version and key id: tells which key sealed a value without trying it. */
static void put_head(const uint8_t master[CRYPTO_KEY_BYTES], uint8_t ret_head[HEAD_BYTES])
{
    uint8_t hash[CRYPTO_HASH_BYTES];

    crypto_keyed_hash(master, STR("arkgate seal key id"), hash);
    ret_head[0] = VERSION;
    memcpy(ret_head + 1, hash, KEY_ID_BYTES);
}

/* What is authenticated beside the ciphertext: the head and the row. */
static size_t put_bound(const uint8_t head[HEAD_BYTES], struct str row,
                        uint8_t ret_bound[HEAD_BYTES + ROW_MAX])
{
    memcpy(ret_bound, head, HEAD_BYTES);
    if (row.len > 0)
        memcpy(ret_bound + HEAD_BYTES, row.ptr, row.len);
    return HEAD_BYTES + row.len;
}

/* A secret of len bytes to be filled, on pages of its own: unlocking it must not
 * unlock another one. Locking is best effort, RLIMIT_MEMLOCK may be small. */
static enum err_code secret_alloc(struct secret *secret, size_t len, struct err *err)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    if (len > PLAIN_MAX)
        return err_set(err, ERR_TOO_LARGE, "a secret is at most %d bytes", PLAIN_MAX);
    char *ptr = aligned_alloc(page, (len + 1 + page - 1) / page * page);
    if (ptr == NULL)
        return err_detail(err, ERR_INTERNAL, "out of memory");
    (void)sodium_mlock(ptr, len + 1);
    ptr[len] = '\0';
    secret->ptr = ptr;
    secret->len = len;
    return ERR_OK;
}

FALLIBLE secret_init(struct secret *secret, struct str text, struct err *err)
{
    TRY(secret_alloc(secret, text.len, err));
    if (text.len > 0)
        memcpy(secret->ptr, text.ptr, text.len);
    return ERR_OK;
}

void secret_fini(struct secret *secret)
{
    if (secret->ptr == NULL)
        return;
    crypto_wipe(secret->ptr, secret->len + 1);
    (void)sodium_munlock(secret->ptr, secret->len + 1);
    free(secret->ptr);
    *secret = (struct secret){0};
}

struct str secret_expose(const struct secret *secret)
{
    return (struct str){secret->ptr, secret->len};
}

FALLIBLE crypto_seal(const uint8_t master[CRYPTO_KEY_BYTES], struct str row, struct str plain,
                     struct buf *ret_sealed, struct err *err)
{
    uint8_t bound[HEAD_BYTES + ROW_MAX];

    if (plain.len > PLAIN_MAX || row.len > ROW_MAX)
        return err_set(err, ERR_TOO_LARGE, "a secret is at most %d bytes", PLAIN_MAX);
    CLEANUP(buffer_free) unsigned char *sealed = malloc(plain.len + CRYPTO_SEAL_OVERHEAD);
    if (sealed == NULL)
        return err_detail(err, ERR_INTERNAL, "out of memory");

    unsigned char *nonce = sealed + HEAD_BYTES;
    put_head(master, sealed);
    sys_random(nonce, NONCE_BYTES);
    size_t bound_len = put_bound(sealed, row, bound);
    crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + NONCE_BYTES, NULL,
                                               (const unsigned char *)plain.ptr, plain.len,
                                               bound, bound_len, NULL, nonce, master);
    buf_put(ret_sealed, sealed, plain.len + CRYPTO_SEAL_OVERHEAD);
    return buf_check(ret_sealed, err);
}

FALLIBLE crypto_open(const uint8_t master[CRYPTO_KEY_BYTES], struct str row, struct str sealed,
                     struct secret *ret_plain, struct err *err)
{
    static const char refused[] = "a sealed secret does not open with this key";
    const unsigned char *bytes = (const unsigned char *)sealed.ptr;
    uint8_t head[HEAD_BYTES], bound[HEAD_BYTES + ROW_MAX];
    struct secret plain = {0};

    if (sealed.len < CRYPTO_SEAL_OVERHEAD ||
        sealed.len > (size_t)PLAIN_MAX + CRYPTO_SEAL_OVERHEAD || row.len > ROW_MAX)
        return err_set(err, ERR_PERMISSION, "%s", refused);
    put_head(master, head);
    if (!crypto_equal(head, bytes, HEAD_BYTES))
        return err_set(err, ERR_PERMISSION, "%s", refused);

    const unsigned char *nonce = bytes + HEAD_BYTES;
    size_t bound_len = put_bound(head, row, bound);
    TRY(secret_alloc(&plain, sealed.len - CRYPTO_SEAL_OVERHEAD, err));
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(
            (unsigned char *)plain.ptr, NULL, NULL, nonce + NONCE_BYTES,
            sealed.len - HEAD_BYTES - NONCE_BYTES, bound, bound_len, nonce, master) != 0) {
        secret_fini(&plain);
        return err_set(err, ERR_PERMISSION, "%s", refused);
    }
    *ret_plain = plain;
    return ERR_OK;
}
