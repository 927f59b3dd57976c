/* SPDX-License-Identifier: Apache-2.0 */
/* The upstreams in memory: reread when the settings version moves, so that a
 * command's change reaches a running gateway within a second. Keys are opened here
 * and live in wiped memory. */
#include "gateway/upstream/ark_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct credential {
    struct upstream upstream;
    struct secret key;
    /* Ids that the operator gave canonical models; others go under Ark's dated id. */
    struct mapping {
        char model[MODEL_NAME_MAX + 1], sent[MODEL_NAME_MAX + 1];
    } * mapped;
    size_t mapped_count;
};

struct directory {
    struct db *db;
    struct crypto_keys keys;
    struct lock lock;
    struct credential *credentials; /* swapped whole under the lock */
    size_t count;
    int64_t version;
};

/* What one read brings. */
struct loading {
    struct directory *directory;
    struct credential *credentials;
    size_t count;
    int64_t version;
};

static void free_credentials(struct credential *credentials, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        secret_fini(&credentials[i].key);
        free(credentials[i].mapped);
    }
    free(credentials);
}

static enum err_code take_mapping(struct str model, struct str sent, void *ctx, struct err *err)
{
    struct credential *credential = ctx;
    struct mapping *grown = realloc(credential->mapped, (credential->mapped_count + 1) *
                                                            sizeof(*credential->mapped));

    if (grown == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory for upstreams");
    credential->mapped = grown;
    grown = &grown[credential->mapped_count++];
    (void)str_copy(grown->model, sizeof(grown->model), model);
    (void)str_copy(grown->sent, sizeof(grown->sent), sent);
    return ERR_OK;
}

static enum err_code load_credential(const struct upstream *upstream, void *ctx,
                                     struct err *err)
{
    struct loading *loading = ctx;

    if (upstream->state == UPSTREAM_REMOVED)
        return ERR_OK;
    if (loading->count == ARK_CREDENTIALS_MAX)
        return err_detail(err, ERR_CONFIG, "more than %d upstreams", ARK_CREDENTIALS_MAX);
    loading->credentials[loading->count++] = (struct credential){.upstream = *upstream};
    return ERR_OK;
}

/* More accounts than the poller and the reconciler look after must not be used. */
static enum err_code check_accounts(const struct loading *loading, struct err *err)
{
    size_t accounts = 0;

    for (size_t i = 0; i < loading->count; i++) {
        bool known = false;

        for (size_t j = 0; j < i && !known; j++)
            known = loading->credentials[j].upstream.account.id ==
                    loading->credentials[i].upstream.account.id;
        accounts += !known;
    }
    return accounts <= ARK_ACCOUNTS_MAX
               ? ERR_OK
               : err_set(err, ERR_CONFIG, "upstreams of more than %d accounts are in use",
                         ARK_ACCOUNTS_MAX);
}

static enum err_code load(struct db_conn *conn, void *ctx, struct err *err)
{
    struct loading *loading = ctx;

    for (size_t i = 0; i < loading->count; i++) {
        secret_fini(&loading->credentials[i].key);
        free(loading->credentials[i].mapped);
    }
    loading->count = 0;
    TRY(settings_version(conn, &loading->version, err));
    TRY(upstream_each(conn, load_credential, loading, err));
    TRY(check_accounts(loading, err));
    for (size_t i = 0; i < loading->count; i++) {
        struct credential *credential = &loading->credentials[i];

        TRY(upstream_key(conn, loading->directory->keys.master, credential->upstream.id,
                         &credential->key, err));
        TRY(upstream_models(conn, credential->upstream.id, take_mapping, credential, err));
    }
    return ERR_OK;
}

static enum err_code read_version(struct db_conn *conn, void *ctx, struct err *err)
{
    return settings_version(conn, ctx, err);
}

enum err_code directory_refresh(struct directory *directory, bool *ret_changed, struct err *err)
{
    struct loading loading = {.directory = directory};
    int64_t version;

    TRY(db_read(directory->db, read_version, &version, err));
    lock_take(&directory->lock);
    bool changed = version != directory->version;
    lock_drop(&directory->lock);
    if (ret_changed != NULL)
        *ret_changed = changed;
    if (!changed)
        return ERR_OK;

    loading.credentials = calloc(ARK_CREDENTIALS_MAX, sizeof(*loading.credentials));
    if (loading.credentials == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory for upstreams");
    enum err_code rc = db_read(directory->db, load, &loading, err);
    if (rc == ERR_OK) {
        struct credential *old;
        size_t old_count;

        lock_take(&directory->lock);
        old = directory->credentials;
        old_count = directory->count;
        directory->credentials = loading.credentials;
        directory->count = loading.count;
        directory->version = loading.version;
        lock_drop(&directory->lock);
        free_credentials(old, old_count);
    } else {
        free_credentials(loading.credentials, loading.count);
    }
    return rc;
}

enum err_code directory_open(struct db *db, const struct crypto_keys *keys,
                             struct directory **ret_directory, struct err *err)
{
    struct directory *directory = calloc(1, sizeof(*directory));

    if (directory == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory");
    directory->db = db;
    directory->keys = *keys;
    directory->version = -1;
    lock_init(&directory->lock);
    enum err_code rc = directory_refresh(directory, NULL, err);
    if (rc != ERR_OK) {
        directory_close(&directory);
        return rc;
    }
    *ret_directory = directory;
    return ERR_OK;
}

void directory_close(struct directory **directory)
{
    if (*directory == NULL)
        return;
    free_credentials((*directory)->credentials, (*directory)->count);
    crypto_keys_wipe(&(*directory)->keys);
    lock_fini(&(*directory)->lock);
    free(*directory);
    *directory = NULL;
}

static bool was_tried(const struct credential *credential, const int64_t *tried, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (credential->upstream.account.id == tried[i])
            return true;
    }
    return false;
}

static void fill_route(const struct credential *credential, const struct model *model,
                       struct provider_route *ret_route)
{
    const char *sent = model->dated;

    for (size_t i = 0; i < credential->mapped_count; i++) {
        if (strcmp(credential->mapped[i].model, model->name) == 0)
            sent = credential->mapped[i].sent;
    }
    *ret_route = (struct provider_route){.account_id = credential->upstream.account.id,
                                         .credential_id = credential->upstream.id,
                                         .inject = credential->upstream.inject};
    (void)str_copy(ret_route->sent_model, sizeof(ret_route->sent_model), str_from(sent));
}

/* May this credential take the create? */
static bool may_take(const struct credential *credential, const struct provider_wish *wish)
{
    return credential->upstream.state == UPSTREAM_ACTIVE &&
           (wish->account_id == 0 || credential->upstream.account.id == wish->account_id) &&
           !was_tried(credential, wish->tried, wish->tried_count);
}

enum err_code directory_choose(struct directory *directory, const struct provider_wish *wish,
                               struct provider_route *ret_route, struct err *err)
{
    int64_t total = 0, at;
    bool found = false;

    lock_take(&directory->lock);
    for (size_t i = 0; i < directory->count; i++) {
        const struct credential *credential = &directory->credentials[i];

        if (may_take(credential, wish))
            total += credential->upstream.weight;
    }
    at = total > 0 ? (int64_t)sys_random_below((uint32_t)total) : 0;
    for (size_t i = 0; i < directory->count && !found && total > 0; i++) {
        const struct credential *credential = &directory->credentials[i];

        if (!may_take(credential, wish))
            continue;
        at -= credential->upstream.weight;
        found = at < 0;
        if (found)
            fill_route(credential, wish->model, ret_route);
    }
    lock_drop(&directory->lock);
    return found ? ERR_OK
                 : err_set(err, ERR_UNAVAILABLE, "the model %s is not available at present",
                           wish->model->asked);
}

static void fill_target(const struct credential *credential, struct ark_target *ret_target)
{
    struct str key = secret_expose(&credential->key);

    (void)str_copy(ret_target->base_url, sizeof(ret_target->base_url),
                   str_from(credential->upstream.base_url));
    (void)snprintf(ret_target->authorization, sizeof(ret_target->authorization),
                   "Authorization: Bearer %.*s", (int)key.len, key.ptr);
}

static enum err_code find_target(struct directory *directory, int64_t credential_id,
                                 int64_t account_id, struct ark_target *ret_target,
                                 struct err *err)
{
    bool found = false;

    lock_take(&directory->lock);
    for (size_t i = 0; i < directory->count && !found; i++) {
        const struct credential *credential = &directory->credentials[i];

        found = credential_id != 0 ? credential->upstream.id == credential_id
                                   : credential->upstream.account.id == account_id;
        if (found)
            fill_target(credential, ret_target);
    }
    lock_drop(&directory->lock);
    return found ? ERR_OK : err_detail(err, ERR_UNAVAILABLE, "no credential is left");
}

enum err_code directory_target(struct directory *directory, int64_t credential_id,
                               struct ark_target *ret_target, struct err *err)
{
    return find_target(directory, credential_id, 0, ret_target, err);
}

enum err_code directory_account_target(struct directory *directory, int64_t account_id,
                                       struct ark_target *ret_target, struct err *err)
{
    return find_target(directory, 0, account_id, ret_target, err);
}

void directory_target_fini(struct ark_target *target)
{
    crypto_wipe(target, sizeof(*target));
}

size_t directory_accounts(struct directory *directory,
                          struct upstream_account ret_accounts[ARK_ACCOUNTS_MAX])
{
    size_t count = 0;

    lock_take(&directory->lock);
    for (size_t i = 0; i < directory->count && count < ARK_ACCOUNTS_MAX; i++) {
        bool known = false;

        for (size_t j = 0; j < count && !known; j++)
            known = ret_accounts[j].id == directory->credentials[i].upstream.account.id;
        if (!known)
            ret_accounts[count++] = directory->credentials[i].upstream.account;
    }
    lock_drop(&directory->lock);
    return count;
}
