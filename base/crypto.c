/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes, MACs and the encoding of chained records. Decides nothing about what
 * is hashed; secrets at rest and key files have files of their own. */
#include "base/crypto.h"

/* The SHA256_* calls are the only way to a SHA-256 state in plain memory that
 * uses the CPU's SHA instructions: a record of 300 bytes takes 0.2 us against
 * 0.9 us with libsodium and 0.4 us with OpenSSL's one-shot call. OpenSSL 3 calls
 * them deprecated and keeps them. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include <openssl/sha.h>
#include <sodium.h>
#include <string.h>

_Static_assert(sizeof(SHA256_CTX) <= sizeof(struct crypto_record), "state does not fit");
_Static_assert(_Alignof(SHA256_CTX) <= _Alignof(struct crypto_record), "state misaligned");
_Static_assert(sizeof(SHA256_CTX) <= sizeof(struct crypto_sha256), "state does not fit");
_Static_assert(_Alignof(SHA256_CTX) <= _Alignof(struct crypto_sha256), "state misaligned");
_Static_assert(CRYPTO_HASH_BYTES == SHA256_DIGEST_LENGTH, "one hash size for all");

/* CRC-32 of each byte, polynomial 0xedb88320. */
static const uint32_t crc_table[256] = {
    0x00000000, 0x77073096, 0xee0e612c, 0x990951ba, 0x076dc419, 0x706af48f, 0xe963a535,
    0x9e6495a3, 0x0edb8832, 0x79dcb8a4, 0xe0d5e91e, 0x97d2d988, 0x09b64c2b, 0x7eb17cbd,
    0xe7b82d07, 0x90bf1d91, 0x1db71064, 0x6ab020f2, 0xf3b97148, 0x84be41de, 0x1adad47d,
    0x6ddde4eb, 0xf4d4b551, 0x83d385c7, 0x136c9856, 0x646ba8c0, 0xfd62f97a, 0x8a65c9ec,
    0x14015c4f, 0x63066cd9, 0xfa0f3d63, 0x8d080df5, 0x3b6e20c8, 0x4c69105e, 0xd56041e4,
    0xa2677172, 0x3c03e4d1, 0x4b04d447, 0xd20d85fd, 0xa50ab56b, 0x35b5a8fa, 0x42b2986c,
    0xdbbbc9d6, 0xacbcf940, 0x32d86ce3, 0x45df5c75, 0xdcd60dcf, 0xabd13d59, 0x26d930ac,
    0x51de003a, 0xc8d75180, 0xbfd06116, 0x21b4f4b5, 0x56b3c423, 0xcfba9599, 0xb8bda50f,
    0x2802b89e, 0x5f058808, 0xc60cd9b2, 0xb10be924, 0x2f6f7c87, 0x58684c11, 0xc1611dab,
    0xb6662d3d, 0x76dc4190, 0x01db7106, 0x98d220bc, 0xefd5102a, 0x71b18589, 0x06b6b51f,
    0x9fbfe4a5, 0xe8b8d433, 0x7807c9a2, 0x0f00f934, 0x9609a88e, 0xe10e9818, 0x7f6a0dbb,
    0x086d3d2d, 0x91646c97, 0xe6635c01, 0x6b6b51f4, 0x1c6c6162, 0x856530d8, 0xf262004e,
    0x6c0695ed, 0x1b01a57b, 0x8208f4c1, 0xf50fc457, 0x65b0d9c6, 0x12b7e950, 0x8bbeb8ea,
    0xfcb9887c, 0x62dd1ddf, 0x15da2d49, 0x8cd37cf3, 0xfbd44c65, 0x4db26158, 0x3ab551ce,
    0xa3bc0074, 0xd4bb30e2, 0x4adfa541, 0x3dd895d7, 0xa4d1c46d, 0xd3d6f4fb, 0x4369e96a,
    0x346ed9fc, 0xad678846, 0xda60b8d0, 0x44042d73, 0x33031de5, 0xaa0a4c5f, 0xdd0d7cc9,
    0x5005713c, 0x270241aa, 0xbe0b1010, 0xc90c2086, 0x5768b525, 0x206f85b3, 0xb966d409,
    0xce61e49f, 0x5edef90e, 0x29d9c998, 0xb0d09822, 0xc7d7a8b4, 0x59b33d17, 0x2eb40d81,
    0xb7bd5c3b, 0xc0ba6cad, 0xedb88320, 0x9abfb3b6, 0x03b6e20c, 0x74b1d29a, 0xead54739,
    0x9dd277af, 0x04db2615, 0x73dc1683, 0xe3630b12, 0x94643b84, 0x0d6d6a3e, 0x7a6a5aa8,
    0xe40ecf0b, 0x9309ff9d, 0x0a00ae27, 0x7d079eb1, 0xf00f9344, 0x8708a3d2, 0x1e01f268,
    0x6906c2fe, 0xf762575d, 0x806567cb, 0x196c3671, 0x6e6b06e7, 0xfed41b76, 0x89d32be0,
    0x10da7a5a, 0x67dd4acc, 0xf9b9df6f, 0x8ebeeff9, 0x17b7be43, 0x60b08ed5, 0xd6d6a3e8,
    0xa1d1937e, 0x38d8c2c4, 0x4fdff252, 0xd1bb67f1, 0xa6bc5767, 0x3fb506dd, 0x48b2364b,
    0xd80d2bda, 0xaf0a1b4c, 0x36034af6, 0x41047a60, 0xdf60efc3, 0xa867df55, 0x316e8eef,
    0x4669be79, 0xcb61b38c, 0xbc66831a, 0x256fd2a0, 0x5268e236, 0xcc0c7795, 0xbb0b4703,
    0x220216b9, 0x5505262f, 0xc5ba3bbe, 0xb2bd0b28, 0x2bb45a92, 0x5cb36a04, 0xc2d7ffa7,
    0xb5d0cf31, 0x2cd99e8b, 0x5bdeae1d, 0x9b64c2b0, 0xec63f226, 0x756aa39c, 0x026d930a,
    0x9c0906a9, 0xeb0e363f, 0x72076785, 0x05005713, 0x95bf4a82, 0xe2b87a14, 0x7bb12bae,
    0x0cb61b38, 0x92d28e9b, 0xe5d5be0d, 0x7cdcefb7, 0x0bdbdf21, 0x86d3d2d4, 0xf1d4e242,
    0x68ddb3f8, 0x1fda836e, 0x81be16cd, 0xf6b9265b, 0x6fb077e1, 0x18b74777, 0x88085ae6,
    0xff0f6a70, 0x66063bca, 0x11010b5c, 0x8f659eff, 0xf862ae69, 0x616bffd3, 0x166ccf45,
    0xa00ae278, 0xd70dd2ee, 0x4e048354, 0x3903b3c2, 0xa7672661, 0xd06016f7, 0x4969474d,
    0x3e6e77db, 0xaed16a4a, 0xd9d65adc, 0x40df0b66, 0x37d83bf0, 0xa9bcae53, 0xdebb9ec5,
    0x47b2cf7f, 0x30b5ffe9, 0xbdbdf21c, 0xcabac28a, 0x53b39330, 0x24b4a3a6, 0xbad03605,
    0xcdd70693, 0x54de5729, 0x23d967bf, 0xb3667a2e, 0xc4614ab8, 0x5d681b02, 0x2a6f2b94,
    0xb40bbe37, 0xc30c8ea1, 0x5a05df1b, 0x2d02ef8d,
};

/* libsodium declares its inputs nonnull, an empty struct str may be NULL. */
static const unsigned char *bytes_of(struct str text)
{
    return (const unsigned char *)(text.ptr == NULL ? "" : text.ptr);
}

static void put_be(uint8_t *dst, uint64_t value, size_t len)
{
    for (size_t i = len; i > 0; i--) {
        dst[i - 1] = (uint8_t)value;
        value >>= 8;
    }
}

static SHA256_CTX *state_of(struct crypto_record *record)
{
    return (SHA256_CTX *)(void *)record->state;
}

static SHA256_CTX *sha256_of(struct crypto_sha256 *hash)
{
    return (SHA256_CTX *)(void *)hash->state;
}

FALLIBLE crypto_init(struct err *err)
{
    if (sodium_init() < 0)
        return err_detail(err, ERR_INTERNAL, "libsodium does not start");
    return ERR_OK;
}

void crypto_keyed_hash(const uint8_t key[CRYPTO_KEY_BYTES], struct str text,
                       uint8_t ret_hash[CRYPTO_HASH_BYTES])
{
    ASSERT(crypto_generichash(ret_hash, CRYPTO_HASH_BYTES, bytes_of(text), text.len, key,
                              CRYPTO_KEY_BYTES) == 0);
}

void crypto_sha256(struct str bytes, uint8_t ret_hash[CRYPTO_HASH_BYTES])
{
    SHA256_CTX state;

    ASSERT(SHA256_Init(&state) == 1);
    ASSERT(SHA256_Update(&state, bytes_of(bytes), bytes.len) == 1);
    ASSERT(SHA256_Final(ret_hash, &state) == 1);
    crypto_wipe(&state, sizeof(state));
}

void crypto_sha256_begin(struct crypto_sha256 *hash)
{
    ASSERT(SHA256_Init(sha256_of(hash)) == 1);
}

void crypto_sha256_put(struct crypto_sha256 *hash, struct str bytes)
{
    ASSERT(SHA256_Update(sha256_of(hash), bytes_of(bytes), bytes.len) == 1);
}

void crypto_sha256_end(struct crypto_sha256 *hash, uint8_t ret_hash[CRYPTO_HASH_BYTES])
{
    ASSERT(SHA256_Final(ret_hash, sha256_of(hash)) == 1);
    crypto_wipe(hash, sizeof(*hash));
}

void crypto_hmac_sha256(struct str key, struct str bytes, uint8_t ret_mac[CRYPTO_HASH_BYTES])
{
    crypto_auth_hmacsha256_state state;

    crypto_auth_hmacsha256_init(&state, bytes_of(key), key.len);
    crypto_auth_hmacsha256_update(&state, bytes_of(bytes), bytes.len);
    crypto_auth_hmacsha256_final(&state, ret_mac);
    crypto_wipe(&state, sizeof(state));
}

bool crypto_equal(const void *a, const void *b, size_t len)
{
    return len == 0 || sodium_memcmp(a, b, len) == 0;
}

void crypto_wipe(void *bytes, size_t len)
{
    if (len > 0)
        sodium_memzero(bytes, len);
}

uint32_t crypto_crc32(struct str text)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < text.len; i++)
        crc = crc >> 8 ^ crc_table[(uint8_t)crc ^ (uint8_t)text.ptr[i]];
    return ~crc;
}

void crypto_record_begin(struct crypto_record *record, uint8_t version)
{
    ASSERT(SHA256_Init(state_of(record)) == 1);
    ASSERT(SHA256_Update(state_of(record), &version, sizeof(version)) == 1);
}

void crypto_record_text(struct crypto_record *record, struct str text)
{
    crypto_record_bytes(record, text.ptr, text.len);
}

void crypto_record_i64(struct crypto_record *record, int64_t value)
{
    uint8_t column[4 + 8];

    put_be(column, 8, 4);
    put_be(column + 4, (uint64_t)value, 8);
    ASSERT(SHA256_Update(state_of(record), column, sizeof(column)) == 1);
}

void crypto_record_none(struct crypto_record *record)
{
    crypto_record_bytes(record, NULL, 0);
}

void crypto_record_bytes(struct crypto_record *record, const void *bytes, size_t len)
{
    uint8_t head[4];

    /* A longer column would share its encoding with a shorter one. */
    ASSERT(len <= UINT32_MAX);
    put_be(head, len, sizeof(head));
    ASSERT(SHA256_Update(state_of(record), head, sizeof(head)) == 1);
    if (len > 0)
        ASSERT(SHA256_Update(state_of(record), bytes, len) == 1);
}

void crypto_record_end(struct crypto_record *record, uint8_t ret_hash[CRYPTO_HASH_BYTES])
{
    ASSERT(SHA256_Final(ret_hash, state_of(record)) == 1);
}
