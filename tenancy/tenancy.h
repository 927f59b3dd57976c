/* SPDX-License-Identifier: Apache-2.0 */
/* Who is asking and what they may do. Functions that take a db_conn run inside
 * the caller's transaction; every operator change also writes its audit entry
 * there. Nothing here knows HTTP, tasks or prices. */
#ifndef ARKGATE_TENANCY_H
#define ARKGATE_TENANCY_H

#include "base/base.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/store/store.h"

enum {
    TENANT_NAME_MAX = 64,
    TENANT_BOOK_MAX = 63,
    NOTE_MAX = 200, /* of a token or access key: a line of a table */
    TOKEN_ID_MAX = 32,
    TOKEN_TEXT_MAX = 128, /* longest token accepted, prefix and checksum included */
    UPSTREAM_NAME_MAX = 64,
    UPSTREAM_URL_MAX = 512,
    UPSTREAM_KEY_MAX = 4096,
    MODEL_NAME_MAX = 128
};

/* What an operator says of one tenant; all are numbers, a switch is 0 or 1. */
struct tenant_settings {
    int64_t assets_off;               /* assets=off: no action on groups and assets */
    int64_t library;                  /* media_source=library: inputs from the library alone */
    int64_t asset_count, asset_bytes; /* the most of both; failed assets do not count */
};

/* Whose rows a statement may touch. Filled by auth_token or auth_signed, or by the
 * command line for an operator acting on one tenant. */
struct scope {
    int64_t tenant_id;
    char tenant_name[TENANT_NAME_MAX + 1];
    char token_id[TOKEN_ID_MAX + 1]; /* token or access key used, "" for an operator */
    char identity[TOKEN_ID_MAX + 1]; /* first token of a rotation chain, or access key */
    bool own_only;                   /* visibility own: only tasks of this identity */
    bool suspended;                  /* reads work, creates are refused */
    char book[TENANT_BOOK_MAX + 1];  /* whose prices creates have; "" for an operator */
    int64_t expires_us;              /* 0: never */
    struct tenant_settings settings; /* of the tenant; zero for an operator */
};

/* tenant.c ------------------------------------------------------------- */

struct tenant {
    int64_t id;
    char name[TENANT_NAME_MAX + 1];
    bool suspended;
    char currency[8];
    char book[TENANT_BOOK_MAX + 1];
    int64_t created_us;
};

/* 1-64 of a-z 0-9 - _ , beginning with a letter or digit; ERR_INVALID else. */
FALLIBLE tenant_name_check(struct str name, struct err *err);
/* ERR_CONFLICT when the name is taken. The caller opens the money account
 * (billing) in the same transaction. */
FALLIBLE tenant_add(struct db_conn *conn, const char *actor, int64_t now_us, struct str name,
                    struct str currency, struct str book, struct tenant *ret_tenant,
                    struct err *err);
/* ERR_NOT_FOUND. */
FALLIBLE tenant_find(struct db_conn *conn, struct str name, struct tenant *ret_tenant,
                     struct err *err);
FALLIBLE tenant_get(struct db_conn *conn, int64_t id, struct tenant *ret_tenant,
                    struct err *err);
/* Suspends or resumes; no change and no audit entry when it is so already. */
FALLIBLE tenant_suspend(struct db_conn *conn, const char *actor, int64_t now_us,
                        struct str name, bool suspended, struct err *err);
/* Points the tenant at another price book; the caller has checked that it exists
 * and that its currency is the tenant's. */
FALLIBLE tenant_set_book(struct db_conn *conn, const char *actor, int64_t now_us,
                         struct str name, struct str book, struct err *err);
/* Calls visit for each tenant with id > after, at most limit, in id order. */
FALLIBLE tenant_each(struct db_conn *conn, int64_t after, int limit,
                     enum err_code (*visit)(const struct tenant *tenant, void *ctx,
                                            struct err *err),
                     void *ctx, struct err *err);

/* tenant_setting.c ----------------------------------------------------- */

/* ERR_NOT_FOUND: no such setting. ERR_INVALID names it. */
FALLIBLE tenant_setting_set(struct db_conn *conn, const char *actor, int64_t now_us,
                            const struct tenant *tenant, struct str name, struct str value,
                            struct err *err);
FALLIBLE tenant_setting_load(struct db_conn *conn, int64_t tenant_id,
                             struct tenant_settings *ret_settings, struct err *err);
/* As members of the object that is being written. */
void tenant_setting_put(const struct tenant_settings *settings, struct json_out *out);

/* asset_policy.c ------------------------------------------------------- */

/* ERR_ACTION_REFUSED for actions that begin with Update or Delete, in any case. */
FALLIBLE asset_policy_action(struct str action, struct err *err);
/* ERR_MODERATION_SKIP when a member called strategy, at any depth below one called
 * moderation, both in any case, is Skip: in any case, with white space around it. */
FALLIBLE asset_policy_moderation(const struct json_doc *doc, struct err *err);

/* token.c -------------------------------------------------------------- */

struct token {
    char id[TOKEN_ID_MAX + 1]; /* "tok-" and 16 of a-z0-9 */
    char identity[TOKEN_ID_MAX + 1];
    int64_t tenant_id;
    char tenant_name[TENANT_NAME_MAX + 1];
    char prefix[17];
    bool own_only;
    bool revoked;
    char note[NOTE_MAX + 1];
    int64_t created_us, expires_us; /* expires 0: never */
};

/* What a new token is to be. */
struct token_request {
    struct str tenant; /* name */
    struct str prefix; /* 1-16 of a-z A-Z 0-9 _ ; default "oh" */
    bool own_only;
    struct str note;    /* at most 200 bytes of UTF-8 */
    int64_t expires_us; /* 0: never */
};

/* Makes the text <prefix>-<32 base62><6 checksum>; pure. text holds
 * TOKEN_TEXT_MAX + 1. */
void token_mint(struct str prefix, char *ret_text);
/* Form and checksum; a mistyped token never reaches the database. */
bool token_well_formed(struct str text);
/* Stores the keyed hash of text alone. The text and the id come from the caller,
 * so that a closure that runs twice stores the same. */
FALLIBLE token_add(struct db_conn *conn, const char *actor, int64_t now_us,
                   const uint8_t pepper[CRYPTO_KEY_BYTES], const struct token_request *request,
                   const char *id, const char *text, struct token *ret_token, struct err *err);
/* ERR_NOT_FOUND. For operators, who name a token by its id alone. */
FALLIBLE token_get(struct db_conn *conn, struct str id, struct token *ret_token,
                   struct err *err);
/* A new token with the old one's identity, visibility, tenant, note and prefix
 * (text must begin with it) and the same length of life; the old one ends at
 * old_expires_us (now_us: at once) or before. ERR_CONFLICT when it has ended. */
FALLIBLE token_rotate(struct db_conn *conn, const char *actor, int64_t now_us,
                      const uint8_t pepper[CRYPTO_KEY_BYTES], struct str old_id,
                      int64_t old_expires_us, const char *id, const char *text,
                      struct token *ret_token, struct err *err);
/* Ends this token for good; no change when it is revoked already. */
FALLIBLE token_revoke(struct db_conn *conn, const char *actor, int64_t now_us, struct str id,
                      struct err *err);
FALLIBLE token_each(struct db_conn *conn, struct str tenant_name_or_empty, struct str after_id,
                    int limit,
                    enum err_code (*visit)(const struct token *token, void *ctx,
                                           struct err *err),
                    void *ctx, struct err *err);

/* access_key.c --------------------------------------------------------- */

enum {
    ACCESS_KEY_ID_CHARS = 32,    /* "AKLT" and 28 of base62; no longer than TOKEN_ID_MAX */
    ACCESS_KEY_SECRET_CHARS = 40 /* of base62: 238 bits */
};

struct access_key {
    char id[ACCESS_KEY_ID_CHARS + 1];
    char identity[TOKEN_ID_MAX + 1]; /* the id: access keys do not rotate */
    int64_t tenant_id;
    char tenant_name[TENANT_NAME_MAX + 1];
    bool own_only;
    bool revoked;
    char note[NOTE_MAX + 1];
    int64_t created_us;
};

/* What a new access key is to be. */
struct access_key_request {
    struct str tenant; /* name */
    bool own_only;
    struct str note; /* at most NOTE_MAX bytes of UTF-8 */
};

/* Makes both halves; pure. */
void access_key_mint(char ret_id[ACCESS_KEY_ID_CHARS + 1],
                     char ret_secret[ACCESS_KEY_SECRET_CHARS + 1]);
/* The form of an id; what has another never reaches the database. */
bool access_key_well_formed(struct str id);
/* Stores the secret sealed under master, bound to the row. Both halves come from the
 * caller, so that a closure that runs twice stores the same. ERR_CONFLICT: the id is
 * taken. */
FALLIBLE access_key_add(struct db_conn *conn, const char *actor, int64_t now_us,
                        const uint8_t master[CRYPTO_KEY_BYTES],
                        const struct access_key_request *request, const char *id,
                        const char *secret, struct access_key *ret_key, struct err *err);
/* ERR_NOT_FOUND. For operators, who name an access key by its id alone. */
FALLIBLE access_key_find(struct db_conn *conn, struct str id, struct access_key *ret_key,
                         struct err *err);
/* Ends this access key for good; no change when it is revoked already. */
FALLIBLE access_key_revoke(struct db_conn *conn, const char *actor, int64_t now_us,
                           struct str id, struct err *err);
FALLIBLE access_key_each(struct db_conn *conn, struct str tenant_name_or_empty,
                         struct str after_id, int limit,
                         enum err_code (*visit)(const struct access_key *key, void *ctx,
                                                struct err *err),
                         void *ctx, struct err *err);

/* auth.c: token text or signed request to scope, with a one-second cache ---- */

struct sign_v4;
struct auth; /* thread-safe */
/* Keys are copied. */
FALLIBLE auth_open(struct db *db, const struct crypto_keys *keys, struct auth **ret_auth,
                   struct err *err);
void auth_close(struct auth **auth);
/* ERR_UNAUTHORIZED for every cause: missing, malformed, unknown, revoked,
 * expired. A suspended tenant is identified, with scope.suspended set. A cached
 * answer is at most a second old. */
FALLIBLE auth_token(struct auth *auth, struct str text, struct scope *ret_scope,
                    struct err *err);
/* Likewise for a signature that was read (sign_v4.h), in this order: ERR_ACCESS_KEY when
 * its key is unknown or revoked; ERR_TIMESTAMP; ERR_SIGNATURE. Its body is the caller's to
 * compare. */
FALLIBLE auth_signed(struct auth *auth, const struct sign_v4 *sign, struct scope *ret_scope,
                     struct err *err);

/* upstream.c: accounts and sealed credentials ------------------------------ */

enum upstream_state { UPSTREAM_ACTIVE, UPSTREAM_DRAINING, UPSTREAM_REMOVED };

/* Limits are per account: Ark counts them there. */
struct upstream_account {
    int64_t id;
    char name[UPSTREAM_NAME_MAX + 1];
    int64_t list_qps, get_qps, delete_qps; /* calls a second; defaults 1, 20, 20 */
    int64_t batch;                         /* task ids a list call asks for; default 100 */
};

struct upstream {
    int64_t id;
    char name[UPSTREAM_NAME_MAX + 1];
    struct upstream_account account;
    char base_url[UPSTREAM_URL_MAX + 1]; /* without a slash at the end */
    enum upstream_state state;
    bool inject; /* inject=on: an identifier where the tenant gave none */
    int64_t weight;
    int64_t created_us;
};

/* key is sealed under master, bound to the row. ERR_CONFLICT: name taken.
 * account_name empty: the upstream's own name. */
FALLIBLE upstream_add(struct db_conn *conn, const char *actor, int64_t now_us,
                      const uint8_t master[CRYPTO_KEY_BYTES], struct str name,
                      struct str account_name, struct str base_url, struct str key,
                      struct upstream *ret_upstream, struct err *err);
FALLIBLE upstream_find(struct db_conn *conn, struct str name, struct upstream *ret_upstream,
                       struct err *err);
FALLIBLE upstream_key(struct db_conn *conn, const uint8_t master[CRYPTO_KEY_BYTES],
                      int64_t upstream_id, struct secret *ret_key, struct err *err);
/* One KEY=VALUE: inject=on|off, weight=1..1000, list_qps, get_qps, delete_qps
 * (1..1000), batch (1..500), base_url, model.<public name>=<id Ark gets> (an empty
 * value removes the mapping). ERR_INVALID names the key. */
FALLIBLE upstream_set(struct db_conn *conn, const char *actor, int64_t now_us, struct str name,
                      struct str key, struct str value, struct err *err);
FALLIBLE upstream_rotate(struct db_conn *conn, const char *actor, int64_t now_us,
                         const uint8_t master[CRYPTO_KEY_BYTES], struct str name,
                         struct str key, struct err *err);
/* active ⇄ draining → removed. Draining takes no new tasks and polls on; removed
 * is refused (ERR_CONFLICT) while open_tasks is not 0: the caller counts them. */
FALLIBLE upstream_move(struct db_conn *conn, const char *actor, int64_t now_us, struct str name,
                       enum upstream_state to, int64_t open_tasks, struct err *err);
/* The canonical models that this upstream wants under other ids. */
FALLIBLE upstream_models(struct db_conn *conn, int64_t upstream_id,
                         enum err_code (*visit)(struct str model, struct str sent, void *ctx,
                                                struct err *err),
                         void *ctx, struct err *err);
FALLIBLE upstream_each(struct db_conn *conn,
                       enum err_code (*visit)(const struct upstream *upstream, void *ctx,
                                              struct err *err),
                       void *ctx, struct err *err);

/* settings_repo.c: how a running gateway learns of changes ---------------------- */

/* Every change of tenants, tokens, upstreams or prices calls this once in its
 * transaction; readers compare the number every 500 ms. */
FALLIBLE settings_touch(struct db_conn *conn, struct err *err);
FALLIBLE settings_version(struct db_conn *conn, int64_t *ret_version, struct err *err);

/* meta_repo.c: facts about the installation --------------------------------- */

/* Copies the value; *ret_found tells whether there is one. */
FALLIBLE meta_repo_get(struct db_conn *conn, const char *name, char *dst, size_t size,
                       bool *ret_found, struct err *err);
FALLIBLE meta_repo_put(struct db_conn *conn, const char *name, const char *value,
                       struct err *err);
FALLIBLE meta_repo_remove(struct db_conn *conn, const char *name, struct err *err);
/* Every fact, by name; both texts are borrowed for the call. */
FALLIBLE meta_repo_each(struct db_conn *conn,
                        enum err_code (*visit)(struct str name, struct str value, void *ctx,
                                               struct err *err),
                        void *ctx, struct err *err);

/* audit.c, audit_verify.c: the operators' chained log -------------------------------------- */

enum { AUDIT_DETAIL_MAX = 4096 };
struct audit_entry {
    int64_t seq;
    int64_t time_us;
    char actor[65];    /* "cli:root", "system" */
    char action[65];   /* "tenant.add" */
    char target[129];  /* name or id of the thing changed */
    struct str detail; /* JSON object, no secrets; at most AUDIT_DETAIL_MAX */
    uint8_t prev[CRYPTO_HASH_BYTES], hash[CRYPTO_HASH_BYTES];
};

/* Appends in the caller's transaction; seq, prev and hash are set here. */
FALLIBLE audit_append(struct db_conn *conn, const char *actor, int64_t now_us,
                      const char *action, struct str target, struct str detail,
                      struct err *err);
/* Entries with seq > after in order, at most limit. */
FALLIBLE audit_each(struct db_conn *conn, int64_t after, int limit,
                    enum err_code (*visit)(const struct audit_entry *entry, void *ctx,
                                           struct err *err),
                    void *ctx, struct err *err);
/* Pages through the whole log. ERR_MISMATCH naming the first bad row (gap, broken
 * link, changed column, wrong head). */
FALLIBLE audit_verify(struct db *db, int64_t *ret_entries, struct err *err);

#endif
