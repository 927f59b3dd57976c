/* SPDX-License-Identifier: Apache-2.0 */
/* From a token's text, or a signed request, to its scope, with a short memory so that a
 * busy one does not cost a read each time. What a scope may do is decided by who uses it. */
#include "tenancy/private.h"
#include "tenancy/sign_v4.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    SHARDS = 16, /* so that 1,024 workers do not meet at one lock */
    SETS = 64,
    WAYS = 4, /* 16 * 64 * 4 = 4,096 remembered, about 1.2 MB when full */
    ENTRY_LIFE_US = 1000000,
    VERSION_LIFE_US = 500000 /* how often settings_version is read at least */
};

struct known {
    struct scope scope;
    uint8_t key[CRYPTO_HASH_BYTES]; /* of a credential: what signs with it */
};

struct entry {
    uint8_t hash[CRYPTO_HASH_BYTES]; /* of a token's text, or of a credential */
    int64_t loaded_us;               /* monotonic, taken before the read */
    int64_t version;                 /* settings_version of the read; 0: empty entry */
    struct known known;
};

struct shard {
    _Alignas(64) struct lock lock;
    struct entry entries[SETS][WAYS]; /* under lock */
};

struct auth {
    struct db *db;
    struct secret pepper, master;
    _Atomic int64_t version;         /* newest settings_version seen */
    _Atomic int64_t version_read_us; /* when somebody last went to read it */
    struct shard shards[SHARDS];
};

struct lookup {
    const uint8_t *hash; /* input */
    struct token token;
    struct tenant tenant; /* suspended and book */
    struct tenant_settings settings;
    int64_t version;
};

struct signer_lookup {
    struct str id; /* input */
    struct access_key key;
    struct tenant tenant; /* suspended and book */
    struct tenant_settings settings;
    struct buf sealed;
    int64_t version;
};

static enum err_code lookup_read(struct db_conn *conn, void *ctx, struct err *err)
{
    struct lookup *lookup = ctx;

    TRY(settings_version(conn, &lookup->version, err));
    TRY(token_repo_by_hash(conn, lookup->hash, &lookup->token, &lookup->tenant, err));
    return tenant_setting_load(conn, lookup->token.tenant_id, &lookup->settings, err);
}

static enum err_code signer_read(struct db_conn *conn, void *ctx, struct err *err)
{
    struct signer_lookup *lookup = ctx;

    buf_reset(&lookup->sealed); /* it may run twice */
    TRY(settings_version(conn, &lookup->version, err));
    TRY(access_key_repo_signer(conn, lookup->id, &lookup->key, &lookup->tenant, &lookup->sealed,
                               err));
    return tenant_setting_load(conn, lookup->key.tenant_id, &lookup->settings, err);
}

static struct str key_text(const uint8_t key[CRYPTO_KEY_BYTES])
{
    return (struct str){(const char *)key, CRYPTO_KEY_BYTES};
}

static const uint8_t *key_of(const struct secret *secret)
{
    return (const uint8_t *)secret_expose(secret).ptr;
}

static enum err_code unauthorized(struct err *err)
{
    return err_set(err, ERR_UNAUTHORIZED, "%s", err_text(ERR_UNAUTHORIZED));
}

static enum err_code unknown_key(struct err *err)
{
    return err_set(err, ERR_ACCESS_KEY, "%s", err_text(ERR_ACCESS_KEY));
}

static bool has_ended(int64_t expires_us)
{
    return expires_us != 0 && expires_us <= sys_now_us();
}

/* The hash is keyed: nobody outside can choose which entries meet. */
static struct shard *shard_of(struct auth *auth, const uint8_t hash[CRYPTO_HASH_BYTES])
{
    return &auth->shards[hash[0] % SHARDS];
}

static struct entry *set_of(struct shard *shard, const uint8_t hash[CRYPTO_HASH_BYTES])
{
    lock_assert_held(&shard->lock);
    return shard->entries[hash[1] % SETS];
}

static bool entry_is(const struct entry *entry, const uint8_t hash[CRYPTO_HASH_BYTES])
{
    return entry->version != 0 && memcmp(entry->hash, hash, CRYPTO_HASH_BYTES) == 0;
}

static bool cache_get(struct auth *auth, const uint8_t hash[CRYPTO_HASH_BYTES], int64_t mono_us,
                      struct known *ret_known)
{
    struct shard *shard = shard_of(auth, hash);
    int64_t version = atomic_load(&auth->version);
    bool found = false;

    lock_take(&shard->lock);
    struct entry *set = set_of(shard, hash);
    for (int i = 0; i < WAYS && !found; i++) {
        found = entry_is(&set[i], hash) && set[i].version == version &&
                mono_us - set[i].loaded_us < ENTRY_LIFE_US;
        if (found)
            *ret_known = set[i].known;
    }
    lock_drop(&shard->lock);
    return found;
}

/* Takes its own place, or the oldest of its set. */
static void cache_put(struct auth *auth, const uint8_t hash[CRYPTO_HASH_BYTES], int64_t mono_us,
                      int64_t version, const struct known *known)
{
    struct shard *shard = shard_of(auth, hash);

    lock_take(&shard->lock);
    struct entry *set = set_of(shard, hash);
    struct entry *place = &set[0];
    for (int i = 0; i < WAYS; i++) {
        if (entry_is(&set[i], hash)) {
            place = &set[i];
            break;
        }
        if (set[i].loaded_us < place->loaded_us)
            place = &set[i];
    }
    place->loaded_us = mono_us;
    place->version = version;
    place->known = *known;
    memcpy(place->hash, hash, CRYPTO_HASH_BYTES);
    lock_drop(&shard->lock);
}

/* A reader with an older snapshot must not turn the number back. */
static void version_raise(struct auth *auth, int64_t version)
{
    int64_t seen = atomic_load(&auth->version);

    while (seen < version && !atomic_compare_exchange_weak(&auth->version, &seen, version)) {
    }
}

/* True for one caller each half second: it goes to the database even when what it asks
 * for is remembered, and so learns of changes for everybody. */
static bool version_is_due(struct auth *auth, int64_t mono_us)
{
    int64_t read_us = atomic_load(&auth->version_read_us);

    return mono_us - read_us >= VERSION_LIFE_US &&
           atomic_compare_exchange_strong(&auth->version_read_us, &read_us, mono_us);
}

static enum err_code token_load(struct auth *auth, const uint8_t hash[CRYPTO_HASH_BYTES],
                                int64_t mono_us, struct scope *ret_scope, struct err *err)
{
    struct lookup lookup = {.hash = hash};
    struct known known = {0};
    struct scope *scope = &known.scope;

    TRY(db_read(auth->db, lookup_read, &lookup, err));
    version_raise(auth, lookup.version);
    const struct token *token = &lookup.token;
    if (token->revoked || has_ended(token->expires_us))
        return unauthorized(err);

    scope->tenant_id = token->tenant_id;
    scope->own_only = token->own_only;
    scope->suspended = lookup.tenant.suspended;
    scope->expires_us = token->expires_us;
    scope->settings = lookup.settings;
    memcpy(scope->book, lookup.tenant.book, sizeof(scope->book));
    memcpy(scope->tenant_name, token->tenant_name, sizeof(scope->tenant_name));
    memcpy(scope->token_id, token->id, sizeof(scope->token_id));
    memcpy(scope->identity, token->identity, sizeof(scope->identity));
    cache_put(auth, hash, mono_us, lookup.version, &known);
    *ret_scope = *scope;
    return ERR_OK;
}

/* The scope of the access key, and what its secret signs with. Nothing is remembered yet:
 * whoever knows an id could push others out. */
static enum err_code signer_load(struct auth *auth, const struct sign_v4 *sign,
                                 struct signer_lookup *lookup, struct known *ret_known,
                                 struct err *err)
{
    CLEANUP(secret_fini) struct secret secret = {0};
    struct scope *scope = &ret_known->scope;

    TRY(db_read(auth->db, signer_read, lookup, err));
    version_raise(auth, lookup->version);
    const struct access_key *key = &lookup->key;
    if (key->revoked)
        return unknown_key(err);
    TRY(access_key_open(key_of(&auth->master), key->id, buf_str(&lookup->sealed), &secret,
                        err));
    sign_v4_key(sign, secret_expose(&secret), ret_known->key);

    scope->tenant_id = key->tenant_id;
    scope->own_only = key->own_only;
    scope->suspended = lookup->tenant.suspended;
    scope->settings = lookup->settings;
    memcpy(scope->book, lookup->tenant.book, sizeof(scope->book));
    memcpy(scope->tenant_name, key->tenant_name, sizeof(scope->tenant_name));
    memcpy(scope->token_id, key->id, sizeof(key->id));
    memcpy(scope->identity, key->identity, sizeof(scope->identity));
    return ERR_OK;
}

static void known_wipe(struct known *known)
{
    crypto_wipe(known, sizeof(*known));
}

static void signer_done(struct signer_lookup *lookup)
{
    buf_fini(&lookup->sealed);
}

FALLIBLE auth_open(struct db *db, const struct crypto_keys *keys, struct auth **ret_auth,
                   struct err *err)
{
    CLEANUP(auth_close) struct auth *auth = aligned_alloc(_Alignof(struct auth), sizeof(*auth));

    if (auth == NULL)
        return err_detail(err, ERR_INTERNAL, "out of memory");
    memset(auth, 0, sizeof(*auth));
    auth->db = db;
    /* So that the first caller reads, whatever the clock shows. */
    atomic_init(&auth->version_read_us, INT64_MIN / 2);
    for (int i = 0; i < SHARDS; i++)
        lock_init(&auth->shards[i].lock);
    TRY(secret_init(&auth->pepper, key_text(keys->pepper), err));
    TRY(secret_init(&auth->master, key_text(keys->master), err));
    *ret_auth = auth;
    auth = NULL;
    return ERR_OK;
}

void auth_close(struct auth **auth)
{
    if (*auth == NULL)
        return;
    for (int i = 0; i < SHARDS; i++)
        lock_fini(&(*auth)->shards[i].lock);
    secret_fini(&(*auth)->pepper);
    secret_fini(&(*auth)->master);
    crypto_wipe(*auth, sizeof(**auth)); /* what signs is remembered in it */
    free(*auth);
    *auth = NULL;
}

FALLIBLE auth_token(struct auth *auth, struct str text, struct scope *ret_scope,
                    struct err *err)
{
    uint8_t hash[CRYPTO_HASH_BYTES];
    struct known known;

    if (!token_well_formed(text))
        return unauthorized(err);
    crypto_keyed_hash(key_of(&auth->pepper), text, hash);
    int64_t mono_us = sys_mono_us();
    if (version_is_due(auth, mono_us) || !cache_get(auth, hash, mono_us, &known))
        return token_load(auth, hash, mono_us, ret_scope, err);
    if (has_ended(known.scope.expires_us))
        return unauthorized(err);
    *ret_scope = known.scope;
    return ERR_OK;
}

FALLIBLE auth_signed(struct auth *auth, const struct sign_v4 *sign, struct scope *ret_scope,
                     struct err *err)
{
    CLEANUP(signer_done) struct signer_lookup lookup = {.id = sign->key_id};
    CLEANUP(known_wipe) struct known known = {0};
    uint8_t hash[CRYPTO_HASH_BYTES];

    if (!access_key_well_formed(sign->key_id))
        return unknown_key(err);
    /* A credential has slashes, so it is no token's text. */
    crypto_keyed_hash(key_of(&auth->pepper), sign->credential, hash);
    buf_init(&lookup.sealed, ACCESS_KEY_SEALED_BYTES);
    int64_t mono_us = sys_mono_us();
    bool load = version_is_due(auth, mono_us) || !cache_get(auth, hash, mono_us, &known);
    if (load)
        TRY(signer_load(auth, sign, &lookup, &known, err));
    TRY(sign_v4_verify(sign, known.key, sys_now_us(), err));
    if (load)
        cache_put(auth, hash, mono_us, lookup.version, &known);
    *ret_scope = known.scope;
    return ERR_OK;
}
