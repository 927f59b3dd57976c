/* SPDX-License-Identifier: Apache-2.0 */
/* The text of a signed link:
 *   /files/TENANT/SHA256?type=NAME&expires=SECONDS&signature=HEX
 * There is one spelling of each link; whether its blob exists is not decided here. */
#include "assetlib/link.h"

#include <inttypes.h>
#include <string.h>

enum {
    VERSION = 1, /* of the signed record; another layout is another number */
    HEX_LEN = 2 * CRYPTO_HASH_BYTES,
    TEXT_MAX = 320 /* a link has under 250 bytes; what is longer is none */
};

#define KEY_LABEL "arkgate file link 1"
#define SIGNATURE "&signature="

/* The kinds of assets that may be stored, and of our own thumbnails. */
static const struct link_type types[] = {
    {"jpeg", "image/jpeg"}, {"png", "image/png"},   {"webp", "image/webp"},
    {"bmp", "image/bmp"},   {"tiff", "image/tiff"}, {"gif", "image/gif"},
    {"heic", "image/heic"}, {"mp4", "video/mp4"},   {"mov", "video/quicktime"},
    {"wav", "audio/wav"},   {"mp3", "audio/mpeg"},
};

static enum err_code no_link(struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "there is no such file");
}

/* Path and query of a link, without its signature. */
static void put_text(const struct link *link, struct buf *dst)
{
    char hex[HEX_LEN + 1];

    str_hex(hex, link->sha256, sizeof(link->sha256));
    buf_printf(dst, LINK_PATH "%" PRId64 "/%s?type=%s&expires=%" PRId64, link->tenant_id, hex,
               link->type->name, link->expires_us / 1000000);
}

static void sign(const uint8_t key[CRYPTO_KEY_BYTES], const struct link *link,
                 uint8_t ret_signature[CRYPTO_HASH_BYTES])
{
    uint8_t hash[CRYPTO_HASH_BYTES];
    struct crypto_record record;

    crypto_record_begin(&record, VERSION);
    crypto_record_i64(&record, link->tenant_id);
    crypto_record_bytes(&record, link->sha256, sizeof(link->sha256));
    crypto_record_text(&record, str_from(link->type->name));
    crypto_record_i64(&record, link->expires_us / 1000000);
    crypto_record_end(&record, hash);
    crypto_hmac_sha256((struct str){(const char *)key, CRYPTO_KEY_BYTES},
                       (struct str){(const char *)hash, sizeof(hash)}, ret_signature);
}

/* Cuts the text up to the next end off *rest; false when there is none. */
static bool cut(struct str *rest, const char *end, struct str *ret_text)
{
    const char *at = memmem(rest->ptr, rest->len, end, strlen(end));

    if (at == NULL)
        return false;
    *ret_text = (struct str){rest->ptr, (size_t)(at - rest->ptr)};
    *rest = (struct str){at + strlen(end), rest->len - ret_text->len - strlen(end)};
    return true;
}

/* Takes the values from their places. How they are spelled, and what follows them, is
 * looked at by the caller. */
static bool read_values(struct str text, struct link *ret_link)
{
    struct str tenant, hex, type, expires;

    if (!cut(&text, LINK_PATH, &tenant) || !cut(&text, "/", &tenant) ||
        !cut(&text, "?type=", &hex) || !cut(&text, "&expires=", &type) ||
        !cut(&text, SIGNATURE, &expires))
        return false;
    ret_link->type = link_type_find(type);
    return ret_link->type != NULL && hex.len == HEX_LEN &&
           str_unhex(hex, ret_link->sha256, sizeof(ret_link->sha256)) &&
           str_to_i64(tenant, &ret_link->tenant_id) && ret_link->tenant_id > 0 &&
           str_to_i64(expires, &ret_link->expires_us) && ret_link->expires_us >= 0 &&
           !__builtin_mul_overflow(ret_link->expires_us, 1000000, &ret_link->expires_us);
}

const struct link_type *link_type_find(struct str name)
{
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        if (str_is(name, types[i].name))
            return &types[i];
    }
    return NULL;
}

void link_key(const uint8_t master[CRYPTO_KEY_BYTES], uint8_t ret_key[CRYPTO_KEY_BYTES])
{
    crypto_hmac_sha256((struct str){(const char *)master, CRYPTO_KEY_BYTES}, STR(KEY_LABEL),
                       ret_key);
}

void link_make(const uint8_t key[CRYPTO_KEY_BYTES], struct str public_url,
               const struct link *link, struct buf *dst)
{
    uint8_t signature[CRYPTO_HASH_BYTES];
    char hex[HEX_LEN + 1];

    if (public_url.len > 0 && public_url.ptr[public_url.len - 1] == '/')
        public_url.len--;
    buf_put_str(dst, public_url);
    put_text(link, dst);
    sign(key, link, signature);
    str_hex(hex, signature, sizeof(signature));
    buf_puts(dst, SIGNATURE);
    buf_puts(dst, hex);
}

/* What was read is written anew, and must be what was sent. */
FALLIBLE link_read(const uint8_t key[CRYPTO_KEY_BYTES], const struct link_target *target,
                   struct link *ret_link, struct err *err)
{
    CLEANUP(buf_fini) struct buf given = {0};
    CLEANUP(buf_fini) struct buf ours = {0};
    struct link link;

    buf_init(&given, TEXT_MAX);
    buf_init(&ours, TEXT_MAX);
    buf_put_str(&given, target->path);
    buf_puts(&given, "?");
    buf_put_str(&given, target->query);
    if (given.failed || !read_values(buf_str(&given), &link))
        return no_link(err);
    link_make(key, STR(""), &link, &ours);
    if (ours.failed || given.len != ours.len || !crypto_equal(given.ptr, ours.ptr, ours.len) ||
        link.expires_us <= target->now_us)
        return no_link(err);
    *ret_link = link;
    return ERR_OK;
}
