/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share: the rows behind tenancy.h and the helpers
 * that every operator change uses. A change calls settings_touch first: the row
 * it locks puts changes one behind another on either engine. */
#ifndef ARKGATE_TENANCY_PRIVATE_H
#define ARKGATE_TENANCY_PRIVATE_H

#include "base/json.h"
#include "tenancy/tenancy.h"

/* name.c --------------------------------------------------------------- */

/* 1-64 of a-z 0-9 - _ , beginning with a letter or digit; ERR_INVALID naming
 * field else. */
FALLIBLE name_check(const char *field, struct str name, struct err *err);
/* True when text has min to max bytes, each of them in the ASCII set. */
bool name_is(struct str text, size_t min, size_t max, const char *set);
/* Notes are printed in tables: NOTE_MAX bytes of UTF-8 without control characters;
 * ERR_INVALID naming note else. */
FALLIBLE name_note_check(struct str note, struct err *err);
#define NAME_LOWER "abcdefghijklmnopqrstuvwxyz"
#define NAME_UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define NAME_DIGITS "0123456789"

/* audit.c -------------------------------------------------------------- */

/* Starts the detail object of an entry in *buf, which the caller frees. */
struct json_out audit_detail(struct buf *buf);
/* Closes the detail and appends the entry. */
FALLIBLE audit_change(struct db_conn *conn, const char *actor, int64_t now_us,
                      const char *action, struct str target, struct json_out *detail,
                      struct err *err);

/* A stored entry as it lies there, not yet believed; borrowed from the step. */
struct audit_row {
    int64_t seq;
    int64_t time_us;
    struct str actor, action, target, detail, prev, hash;
};
/* The hash that the columns before it must have. */
void audit_hash(const struct audit_row *row, uint8_t ret_hash[CRYPTO_HASH_BYTES]);

/* audit_repo.c --------------------------------------------------------- */

/* Takes the next number and locks the head until the transaction ends. */
FALLIBLE audit_repo_next(struct db_conn *conn, int64_t *ret_seq,
                         uint8_t ret_prev[CRYPTO_HASH_BYTES], struct err *err);
/* The entry's time; INT64_MIN when there is no such entry. */
FALLIBLE audit_repo_time(struct db_conn *conn, int64_t seq, int64_t *ret_time_us,
                         struct err *err);
FALLIBLE audit_repo_insert(struct db_conn *conn, const struct audit_row *row, struct err *err);
FALLIBLE audit_repo_set_head(struct db_conn *conn, const uint8_t hash[CRYPTO_HASH_BYTES],
                             struct err *err);
/* False in *ret_same when the head is not this number and hash. */
FALLIBLE audit_repo_head_is(struct db_conn *conn, int64_t seq,
                            const uint8_t hash[CRYPTO_HASH_BYTES], bool *ret_same,
                            struct err *err);
/* Rows with seq >= from, in order, at most limit. */
FALLIBLE audit_repo_each(struct db_conn *conn, int64_t from, int limit,
                         enum err_code (*visit)(const struct audit_row *row, void *ctx,
                                                struct err *err),
                         void *ctx, struct err *err);

/* tenant_setting_repo.c ------------------------------------------------- */

FALLIBLE tenant_setting_repo_put(struct db_conn *conn, int64_t tenant_id, struct str name,
                                 struct str value, struct err *err);
FALLIBLE tenant_setting_repo_each(struct db_conn *conn, int64_t tenant_id,
                                  enum err_code (*visit)(struct str name, struct str value,
                                                         void *ctx, struct err *err),
                                  void *ctx, struct err *err);

/* tenant_repo.c -------------------------------------------------------- */

/* Sets tenant->id; ERR_CONFLICT when the name is taken. */
FALLIBLE tenant_repo_insert(struct db_conn *conn, struct tenant *tenant, struct err *err);
FALLIBLE tenant_repo_find(struct db_conn *conn, struct str name, struct tenant *ret_tenant,
                          struct err *err);
FALLIBLE tenant_repo_get(struct db_conn *conn, int64_t id, struct tenant *ret_tenant,
                         struct err *err);
/* Writes suspended and book of the tenant with this id. */
FALLIBLE tenant_repo_update(struct db_conn *conn, const struct tenant *tenant, struct err *err);
FALLIBLE tenant_repo_each(struct db_conn *conn, int64_t after, int limit,
                          enum err_code (*visit)(const struct tenant *tenant, void *ctx,
                                                 struct err *err),
                          void *ctx, struct err *err);

/* token_repo.c --------------------------------------------------------- */

FALLIBLE token_repo_insert(struct db_conn *conn, const struct token *token,
                           const uint8_t hash[CRYPTO_HASH_BYTES], struct err *err);
FALLIBLE token_repo_get(struct db_conn *conn, struct str id, struct token *ret_token,
                        struct err *err);
/* ERR_UNAUTHORIZED when no token has this hash; revoked and expired ones are
 * found. Of the tenant only suspended and book are set. */
FALLIBLE token_repo_by_hash(struct db_conn *conn, const uint8_t hash[CRYPTO_HASH_BYTES],
                            struct token *ret_token, struct tenant *ret_tenant,
                            struct err *err);
FALLIBLE token_repo_set_expiry(struct db_conn *conn, const struct token *token,
                               int64_t expires_us, struct err *err);
FALLIBLE token_repo_revoke(struct db_conn *conn, const struct token *token, int64_t now_us,
                           struct err *err);
/* tenant_id 0: of all tenants. */
FALLIBLE token_repo_each(struct db_conn *conn, int64_t tenant_id, struct str after_id,
                         int limit,
                         enum err_code (*visit)(const struct token *token, void *ctx,
                                                struct err *err),
                         void *ctx, struct err *err);

/* access_key.c --------------------------------------------------------- */

enum { ACCESS_KEY_SEALED_BYTES = ACCESS_KEY_SECRET_CHARS + CRYPTO_SEAL_OVERHEAD };

/* The secret of a row. ERR_INTERNAL when it does not open: whoever signed with it cannot
 * mend that. */
FALLIBLE access_key_open(const uint8_t master[CRYPTO_KEY_BYTES], const char *id,
                         struct str sealed, struct secret *ret_secret, struct err *err);

/* access_key_repo.c ---------------------------------------------------- */

FALLIBLE access_key_repo_insert(struct db_conn *conn, const struct access_key *key,
                                struct str sealed, struct err *err);
FALLIBLE access_key_repo_get(struct db_conn *conn, struct str id, struct access_key *ret_key,
                             struct err *err);
/* ERR_ACCESS_KEY when there is none; a revoked one is found. Of the tenant only suspended
 * and book are set; the sealed secret is appended. */
FALLIBLE access_key_repo_signer(struct db_conn *conn, struct str id, struct access_key *ret_key,
                                struct tenant *ret_tenant, struct buf *ret_sealed,
                                struct err *err);
FALLIBLE access_key_repo_revoke(struct db_conn *conn, const struct access_key *key,
                                int64_t now_us, struct err *err);
/* tenant_id 0: of all tenants. */
FALLIBLE access_key_repo_each(struct db_conn *conn, int64_t tenant_id, struct str after_id,
                              int limit,
                              enum err_code (*visit)(const struct access_key *key, void *ctx,
                                                     struct err *err),
                              void *ctx, struct err *err);

/* upstream_url.c ------------------------------------------------------- */

/* Copies a base URL without the slashes at its end; ERR_INVALID naming base_url. */
FALLIBLE upstream_url_take(struct str text, char ret_url[UPSTREAM_URL_MAX + 1],
                           struct err *err);

/* upstream_repo.c ------------------------------------------------------ */

/* The account of this name, made with the defaults when there is none. */
FALLIBLE upstream_repo_account(struct db_conn *conn, struct str name,
                               struct upstream_account *ret_account, struct err *err);
/* Sets upstream->id; ERR_CONFLICT when the name is taken. The key follows with
 * upstream_repo_set_key, sealed for that id. */
FALLIBLE upstream_repo_insert(struct db_conn *conn, struct upstream *upstream, struct err *err);
FALLIBLE upstream_repo_set_key(struct db_conn *conn, int64_t id, struct str sealed,
                               struct err *err);
FALLIBLE upstream_repo_key(struct db_conn *conn, int64_t id, struct buf *ret_sealed,
                           struct err *err);
FALLIBLE upstream_repo_find(struct db_conn *conn, struct str name,
                            struct upstream *ret_upstream, struct err *err);
/* Writes what may change: the row and its account's limits. */
FALLIBLE upstream_repo_update(struct db_conn *conn, const struct upstream *upstream,
                              struct err *err);
/* sent empty: removes the mapping. */
FALLIBLE upstream_repo_set_model(struct db_conn *conn, int64_t id, struct str model,
                                 struct str sent, struct err *err);
FALLIBLE upstream_repo_models(struct db_conn *conn, int64_t id,
                              enum err_code (*visit)(struct str model, struct str sent,
                                                     void *ctx, struct err *err),
                              void *ctx, struct err *err);
FALLIBLE upstream_repo_each(struct db_conn *conn,
                            enum err_code (*visit)(const struct upstream *upstream, void *ctx,
                                                   struct err *err),
                            void *ctx, struct err *err);

#endif
