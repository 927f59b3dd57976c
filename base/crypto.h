/* SPDX-License-Identifier: Apache-2.0 */
/* The crypto boundary: libsodium and OpenSSL behind few fixed-size calls.
 * Answers are two-valued where detail would help an attacker. All functions are
 * thread-safe after crypto_init. */
#ifndef ARKGATE_BASE_CRYPTO_H
#define ARKGATE_BASE_CRYPTO_H

#include "base/base.h"

enum {
    CRYPTO_KEY_BYTES = 32,
    CRYPTO_HASH_BYTES = 32,
    CRYPTO_SEAL_OVERHEAD = 1 + 4 + 24 + 16 /* version, key id, nonce, tag */
};

/* crypto.c ------------------------------------------------------------- */

/* Once before anything else; idempotent. */
FALLIBLE crypto_init(struct err *err);
/* Keyed BLAKE2b-256. */
void crypto_keyed_hash(const uint8_t key[CRYPTO_KEY_BYTES], struct str text,
                       uint8_t ret_hash[CRYPTO_HASH_BYTES]);
void crypto_sha256(struct str bytes, uint8_t ret_hash[CRYPTO_HASH_BYTES]);
/* The same in pieces. */
struct crypto_sha256 {
    _Alignas(8) uint8_t state[128]; /* opaque, large enough for the library's state */
};
void crypto_sha256_begin(struct crypto_sha256 *hash);
void crypto_sha256_put(struct crypto_sha256 *hash, struct str bytes);
void crypto_sha256_end(struct crypto_sha256 *hash, uint8_t ret_hash[CRYPTO_HASH_BYTES]);
void crypto_hmac_sha256(struct str key, struct str bytes, uint8_t ret_mac[CRYPTO_HASH_BYTES]);
/* Constant time. */
bool crypto_equal(const void *a, const void *b, size_t len);
void crypto_wipe(void *bytes, size_t len);
/* CRC-32 (IEEE), for a token's checksum; not a security function. */
uint32_t crypto_crc32(struct str text);

/* Incremental SHA-256 with the length-prefixed encoding of chained records:
 * each column is a 4-byte big-endian length and its bytes, integers are 8 bytes
 * big-endian, an absent column has length 0. */
struct crypto_record {
    _Alignas(8) uint8_t state[128]; /* opaque, large enough for the library's state */
};
void crypto_record_begin(struct crypto_record *record, uint8_t version);
void crypto_record_text(struct crypto_record *record, struct str text);
void crypto_record_i64(struct crypto_record *record, int64_t value);
void crypto_record_none(struct crypto_record *record);
void crypto_record_bytes(struct crypto_record *record, const void *bytes, size_t len);
void crypto_record_end(struct crypto_record *record, uint8_t ret_hash[CRYPTO_HASH_BYTES]);

/* crypto_seal.c: secrets at rest ---------------------------------------- */

/* A secret in memory: no print, no log, wiped on free. */
struct secret {
    char *ptr;
    size_t len;
};
FALLIBLE secret_init(struct secret *secret, struct str text, struct err *err);
void secret_fini(struct secret *secret);
struct str secret_expose(const struct secret *secret);

/* XChaCha20-Poly1305, sealed = version ‖ key id ‖ nonce ‖ ciphertext ‖ tag. The row
 * text (for example "upstream.key:7") is authenticated, so that a sealed value
 * copied into another row does not open. Appends to a buf that the caller has
 * initialised; plain is at most 64 kB, row at most 255 bytes (ERR_TOO_LARGE). */
FALLIBLE crypto_seal(const uint8_t master[CRYPTO_KEY_BYTES], struct str row, struct str plain,
                     struct buf *ret_sealed, struct err *err);
/* ERR_PERMISSION whatever the reason. */
FALLIBLE crypto_open(const uint8_t master[CRYPTO_KEY_BYTES], struct str row, struct str sealed,
                     struct secret *ret_plain, struct err *err);

/* crypto_keys.c: the key files of an installation ------------------------ */

/* Files of 64 hex digits and a line feed, mode 0600 or stricter, in one folder:
 * master.key seals upstream keys and access keys' secrets, pepper.key keys the token hash. */
struct crypto_keys {
    uint8_t master[CRYPTO_KEY_BYTES];
    uint8_t pepper[CRYPTO_KEY_BYTES];
};
/* Creates the folder (0700) and any missing file; never overwrites one. */
FALLIBLE crypto_keys_create(const char *dir, struct err *err);
/* ERR_CONFIG naming the file when one is missing, too open or malformed. */
FALLIBLE crypto_keys_load(const char *dir, struct crypto_keys *ret_keys, struct err *err);
void crypto_keys_wipe(struct crypto_keys *keys);
/* 64 hex digits that tell two key sets apart and reveal neither; dst holds 65. */
void crypto_keys_fingerprint(const struct crypto_keys *keys, char *dst);

/* crypto_tls.c: the server's side of TLS ---------------------------------- */

/* TLS 1.2 and 1.3 with forward secrecy and AEAD ciphers, HTTP/1.1 by ALPN. before(ctx)
 * is called on a connection's thread when its handshake begins; what was loaded last by
 * then is what the connection gets. */
struct crypto_tls;
struct crypto_tls_dates {
    int64_t not_before_us, not_after_us; /* wall clock; the certificate's own */
};
FALLIBLE crypto_tls_open(void (*before)(void *ctx), void *ctx, struct crypto_tls **ret_tls,
                         struct err *err);
/* Takes a PEM file with the certificate and its issuers, and one with its key, for
 * connections from now on. ERR_CONFIG naming the file, with what was loaded before
 * still in use, when one is missing, malformed or encrypted, when they do not belong
 * together, or when others could have read the key (0600; 0640 when it is root's). */
FALLIBLE crypto_tls_load(struct crypto_tls *tls, const char *cert_path, const char *key_path,
                         struct crypto_tls_dates *ret_dates, struct err *err);
/* The SSL_CTX, for the HTTP engine; it lives as long as tls. */
void *crypto_tls_context(struct crypto_tls *tls);
/* No connection may be left. Accepts NULL in *tls. */
void crypto_tls_close(struct crypto_tls **tls);

#endif
