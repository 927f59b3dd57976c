/* SPDX-License-Identifier: Apache-2.0 */
/* The rows behind assetlib.h, for the files of this folder. All statements stay within the
 * scope's tenant unless they say why not; what was purged is not there for them. */
#ifndef ARKGATE_ASSETLIB_ROWS_H
#define ARKGATE_ASSETLIB_ROWS_H

#include "assetlib/assetlib.h"

/* group_repo.c --------------------------------------------------------- */

/* folded: the name without case. */
FALLIBLE group_repo_insert(struct db_conn *conn, const struct scope *scope,
                           const struct asset_group *group, struct str folded, struct err *err);
/* One more of those that lists count. */
FALLIBLE group_repo_count(struct db_conn *conn, const struct scope *scope,
                          const struct asset_group *group, struct err *err);
/* How many there are of the tenant. */
FALLIBLE group_repo_usage(struct db_conn *conn, const struct scope *scope, int64_t *ret_count,
                          struct err *err);
/* project empty: whichever. ERR_GROUP_UNKNOWN. */
FALLIBLE group_repo_get(struct db_conn *conn, const struct scope *scope, struct str id,
                        struct str project, struct asset_group *ret_group, struct err *err);
/* For the statements of this folder: the columns of a group in a fixed order. */
#define GROUP_COLUMNS "id, identity, name, description, project, created_us"
void group_repo_read(struct db_stmt *stmt, struct asset_group *ret_group);

/* asset_repo.c --------------------------------------------------------- */

FALLIBLE asset_repo_insert(struct db_conn *conn, const struct scope *scope,
                           const struct asset *asset, struct str folded, struct err *err);
/* Adds to the counts of its group and of all groups, by its status. */
FALLIBLE asset_repo_count(struct db_conn *conn, const struct scope *scope,
                          const struct asset *asset, int64_t number, int64_t bytes,
                          struct err *err);
/* What counts against the tenant's limits: all but failed ones. */
FALLIBLE asset_repo_usage(struct db_conn *conn, const struct scope *scope, int64_t *ret_count,
                          int64_t *ret_bytes, struct err *err);
/* project empty: whichever. ERR_ASSET_UNKNOWN. */
FALLIBLE asset_repo_get(struct db_conn *conn, const struct scope *scope, struct str id,
                        struct str project, struct asset *ret_asset, struct err *err);
/* From processing to what the asset says now; ERR_CONFLICT when it is not processing. */
FALLIBLE asset_repo_finish(struct db_conn *conn, const struct scope *scope,
                           const struct asset *asset, struct err *err);
/* From now on it is a record for operators alone. ERR_CONFLICT when it is already. */
FALLIBLE asset_repo_purge(struct db_conn *conn, const struct scope *scope, struct str id,
                          int64_t now_us, struct err *err);
/* Once for each task, however often it names the asset. */
FALLIBLE asset_repo_note_use(struct db_conn *conn, const struct scope *scope,
                             struct str asset_id, struct str task, int64_t now_us,
                             struct err *err);
/* Whether any asset of the tenant that was not purged has these bytes, or has them for its
 * picture. */
FALLIBLE asset_repo_refers(struct db_conn *conn, const struct scope *scope,
                           const uint8_t hash[CRYPTO_HASH_BYTES], bool *ret_refers,
                           struct err *err);
/* Likewise of an asset. */
#define ASSET_COLUMNS                                                                        \
    "id, identity, group_id, type, status, name, project, error_code, error_message, bytes," \
    " hash, thumbnail, format, codec, width, height, fps_milli, duration_ms, channels,"      \
    " created_us, updated_us"
enum { ASSET_COLUMN_COUNT = 21 };
void asset_repo_read(struct db_stmt *stmt, struct asset *ret_asset);

/* registered_repo.c ---------------------------------------------------- */

/* The scope's tenant 0: every tenant's. ERR_CONFLICT when it is there and was not purged. */
FALLIBLE registered_repo_put(struct db_conn *conn, const struct scope *scope,
                             const struct asset *asset, struct err *err);
/* The tenant's, or every tenant's. project empty: whichever. ERR_ASSET_UNKNOWN. */
FALLIBLE registered_repo_get(struct db_conn *conn, const struct scope *scope, struct str id,
                             struct str project, struct asset *ret_asset, struct err *err);
/* ERR_CONFLICT when it was purged before. */
FALLIBLE registered_repo_purge(struct db_conn *conn, const struct scope *scope, struct str id,
                               int64_t now_us, struct err *err);
/* Of any tenant, purged ones too. ERR_NOT_FOUND. */
FALLIBLE registered_repo_find(struct db_conn *conn, struct str id,
                              struct asset_record *ret_record, struct err *err);

/* browse_repo.c -------------------------------------------------------- */

/* A filter as statements take it. */
struct browse {
    const struct asset_filter *filter;
    struct str name;   /* LIKE's pattern, folded; empty: all */
    struct str groups; /* ",group-1,group-2,"; empty: all */
    int64_t offset;
};
FALLIBLE browse_repo_count_groups(struct db_conn *conn, const struct scope *scope,
                                  const struct browse *browse, int64_t *ret_total,
                                  struct err *err);
FALLIBLE browse_repo_groups(struct db_conn *conn, const struct scope *scope,
                            const struct browse *browse, const struct asset_reader *reader,
                            struct err *err);
FALLIBLE browse_repo_count_assets(struct db_conn *conn, const struct scope *scope,
                                  const struct browse *browse, int64_t *ret_total,
                                  struct err *err);
FALLIBLE browse_repo_assets(struct db_conn *conn, const struct scope *scope,
                            const struct browse *browse, const struct asset_reader *reader,
                            struct err *err);

/* request_repo.c ------------------------------------------------------- */

/* What a request of this name made, if that is not older. */
FALLIBLE request_repo_find(struct db_conn *conn, const struct scope *scope, struct str name,
                           int64_t not_before_us, bool *ret_found,
                           char ret_id[ASSET_ID_MAX + 1],
                           uint8_t ret_body_hash[CRYPTO_HASH_BYTES], struct err *err);
/* An older row of the name gives way. */
FALLIBLE request_repo_put(struct db_conn *conn, const struct scope *scope, struct str name,
                          struct str id, const uint8_t body_hash[CRYPTO_HASH_BYTES],
                          int64_t now_us, struct err *err);
/* Drops at most max rows that are older. */
FALLIBLE request_repo_sweep(struct db_conn *conn, int64_t before_us, int64_t max,
                            int64_t *ret_count, struct err *err);

/* Tenants that have their share of a gateway's threads: at most so many can. */
enum { INGEST_SKIP_MAX = 2 };

/* ingest_repo.c -------------------------------------------------------- */

/* One file to be fetched. */
struct ingest_row {
    int64_t tenant_id;
    char asset_id[ASSET_ID_MAX + 1];
    char url[ASSET_URL_MAX + 1];
    int64_t tries; /* this one counted */
    /* Of those before, the ones that its server failed, and that a look at it did not survive.
     */
    int64_t downloads, looks;
    int64_t created_us;
};
FALLIBLE ingest_repo_insert(struct db_conn *conn, const struct scope *scope,
                            struct str asset_id, struct str url, int64_t now_us,
                            struct err *err);
/* Whose files are left for later; 0: nobody's. */
struct ingest_skip {
    int64_t tenants[INGEST_SKIP_MAX];
};
struct ingest_claim {
    struct str holder;
    int64_t now_us, until_us;
    struct ingest_skip skip;
};
/* Takes the one that is due longest until a moment; *ret_found false: none is due. */
FALLIBLE ingest_repo_take(struct db_conn *conn, const struct ingest_claim *claim,
                          bool *ret_found, struct ingest_row *ret_row, struct err *err);
/* When the next one is due; INT64_MAX when there is none. */
FALLIBLE ingest_repo_next(struct db_conn *conn, const struct ingest_skip *skip,
                          int64_t *ret_due_us, struct err *err);
/* Gives it back to be taken later, with what it says of downloads and looks. ERR_CONFLICT when
 * another has taken it meanwhile. */
FALLIBLE ingest_repo_later(struct db_conn *conn, const struct scope *scope,
                           const struct ingest_row *row, struct str holder, int64_t due_us,
                           struct err *err);
/* It is over. ERR_CONFLICT when another has taken it meanwhile. */
FALLIBLE ingest_repo_delete(struct db_conn *conn, const struct scope *scope,
                            struct str asset_id, struct str holder, int64_t tries,
                            struct err *err);
/* Nobody fetches it any more; who is at it finds that out at the end. */
FALLIBLE ingest_repo_drop(struct db_conn *conn, const struct scope *scope, struct str asset_id,
                          struct err *err);
/* All are due now: whoever held them is gone. */
FALLIBLE ingest_repo_release(struct db_conn *conn, int64_t now_us, struct err *err);

#endif
