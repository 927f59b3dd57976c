/* SPDX-License-Identifier: Apache-2.0 */
/* From a token's text to its scope, with a short memory so that a busy token does
 * not cost a read each time. What a scope may do is decided by who uses it. */
#include "tenancy/private.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    SHARDS = 16, /* so that 1,024 workers do not meet at one lock */
    SETS = 64,
    WAYS = 4, /* 16 * 64 * 4 = 4,096 tokens remembered, about 1 MB when full */
    ENTRY_LIFE_US = 1000000,
    VERSION_LIFE_US = 500000 /* how often settings_version is read at least */
};

struct entry {
    uint8_t hash[CRYPTO_HASH_BYTES];
    int64_t loaded_us; /* monotonic, taken before the read */
    int64_t version;   /* settings_version of the read; 0: empty entry */
    struct scope scope;
};

struct shard {
    _Alignas(64) struct lock lock;
    struct entry entries[SETS][WAYS]; /* under lock */
};

struct auth {
    struct db *db;
    struct secret pepper;
    _Atomic int64_t version;         /* newest settings_version seen */
    _Atomic int64_t version_read_us; /* when somebody last went to read it */
    struct shard shards[SHARDS];
};

struct lookup {
    const uint8_t *hash; /* input */
    struct token token;
    struct tenant tenant; /* suspended and book */
    int64_t version;
};

static enum err_code lookup_read(struct db_conn *conn, void *ctx, struct err *err)
{
    struct lookup *lookup = ctx;

    TRY(settings_version(conn, &lookup->version, err));
    return token_repo_by_hash(conn, lookup->hash, &lookup->token, &lookup->tenant, err);
}

static enum err_code unauthorized(struct err *err)
{
    return err_set(err, ERR_UNAUTHORIZED, "%s", err_text(ERR_UNAUTHORIZED));
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
                      struct scope *ret_scope)
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
            *ret_scope = set[i].scope;
    }
    lock_drop(&shard->lock);
    return found;
}

/* Takes the token's own place, or the oldest of its set. */
static void cache_put(struct auth *auth, const uint8_t hash[CRYPTO_HASH_BYTES], int64_t mono_us,
                      int64_t version, const struct scope *scope)
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
    place->scope = *scope;
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

/* True for one caller each half second: it goes to the database even when its
 * token is remembered, and so learns of changes for everybody. */
static bool version_is_due(struct auth *auth, int64_t mono_us)
{
    int64_t read_us = atomic_load(&auth->version_read_us);

    return mono_us - read_us >= VERSION_LIFE_US &&
           atomic_compare_exchange_strong(&auth->version_read_us, &read_us, mono_us);
}

static enum err_code scope_load(struct auth *auth, const uint8_t hash[CRYPTO_HASH_BYTES],
                                int64_t mono_us, struct scope *ret_scope, struct err *err)
{
    struct lookup lookup = {.hash = hash};
    struct scope scope = {0};

    TRY(db_read(auth->db, lookup_read, &lookup, err));
    version_raise(auth, lookup.version);
    const struct token *token = &lookup.token;
    if (token->revoked || has_ended(token->expires_us))
        return unauthorized(err);

    scope.tenant_id = token->tenant_id;
    scope.own_only = token->own_only;
    scope.suspended = lookup.tenant.suspended;
    scope.expires_us = token->expires_us;
    memcpy(scope.book, lookup.tenant.book, sizeof(scope.book));
    memcpy(scope.tenant_name, token->tenant_name, sizeof(scope.tenant_name));
    memcpy(scope.token_id, token->id, sizeof(scope.token_id));
    memcpy(scope.identity, token->identity, sizeof(scope.identity));
    cache_put(auth, hash, mono_us, lookup.version, &scope);
    *ret_scope = scope;
    return ERR_OK;
}

FALLIBLE auth_open(struct db *db, const uint8_t pepper[CRYPTO_KEY_BYTES],
                   struct auth **ret_auth, struct err *err)
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
    TRY(secret_init(&auth->pepper, (struct str){(const char *)pepper, CRYPTO_KEY_BYTES}, err));
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
    free(*auth);
    *auth = NULL;
}

FALLIBLE auth_token(struct auth *auth, struct str text, struct scope *ret_scope,
                    struct err *err)
{
    uint8_t hash[CRYPTO_HASH_BYTES];
    struct scope scope;

    if (!token_well_formed(text))
        return unauthorized(err);
    crypto_keyed_hash((const uint8_t *)secret_expose(&auth->pepper).ptr, text, hash);
    int64_t mono_us = sys_mono_us();
    if (version_is_due(auth, mono_us) || !cache_get(auth, hash, mono_us, &scope))
        return scope_load(auth, hash, mono_us, ret_scope, err);
    if (has_ended(scope.expires_us))
        return unauthorized(err);
    *ret_scope = scope;
    return ERR_OK;
}
