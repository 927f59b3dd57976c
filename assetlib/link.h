/* SPDX-License-Identifier: Apache-2.0 */
/* Links to blobs that need no credential: whoever has one may read that blob, and nothing
 * else, until it ends. What a link says is signed, so no row is kept for it, and none can
 * be taken back before its time but by removing the blob. */
#ifndef ARKGATE_ASSETLIB_LINK_H
#define ARKGATE_ASSETLIB_LINK_H

#include "base/base.h"
#include "base/crypto.h"

#define LINK_PATH "/files/"
#define LINK_LIFE_US (INT64_C(12) * 3600 * 1000000) /* as Ark's links to assets live */

/* How the blob is to be served: a word in the link, a media type in the answer. */
struct link_type {
    const char *name;       /* "mp4" */
    const char *media_type; /* "video/mp4" */
};

struct link {
    int64_t tenant_id;
    uint8_t sha256[CRYPTO_HASH_BYTES];
    const struct link_type *type;
    int64_t expires_us; /* wall clock; whole seconds count */
};

/* What a client asks for. */
struct link_target {
    struct str path, query; /* as sent; the query without '?' */
    int64_t now_us;
};

/* link.c --------------------------------------------------------------- */

/* The type of a name; NULL for one that no link has. */
const struct link_type *link_type_find(struct str name);
/* The key that signs an installation's links. */
void link_key(const uint8_t master[CRYPTO_KEY_BYTES], uint8_t ret_key[CRYPTO_KEY_BYTES]);
/* Appends the URL: public_url, with or without a slash at its end, then the path. */
void link_make(const uint8_t key[CRYPTO_KEY_BYTES], struct str public_url,
               const struct link *link, struct buf *dst);
/* Reads what link_make wrote behind public_url, byte by byte the same. ERR_NOT_FOUND,
 * always in the same words, for anything else and for a link that has ended. */
FALLIBLE link_read(const uint8_t key[CRYPTO_KEY_BYTES], const struct link_target *target,
                   struct link *ret_link, struct err *err);

#endif
