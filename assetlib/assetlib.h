/* SPDX-License-Identifier: Apache-2.0 */
/* Groups and assets of tenants: the rows, the limits, and the job that fetches, checks and
 * keeps what an asset's URL leads to. Knows neither wire formats nor tasks nor prices. */
#ifndef ARKGATE_ASSETLIB_H
#define ARKGATE_ASSETLIB_H

#include "base/base.h"
#include "base/crypto.h"
#include "base/store/store.h"
#include "tenancy/tenancy.h"

#include <stdatomic.h>

enum {
    ASSET_ID_MAX = 31,      /* "asset-YYYYMMDDhhmmss-" and 10 */
    ASSET_NAME_POINTS = 64, /* Ark's limits, in code points */
    ASSET_DESCRIPTION_POINTS = 300,
    ASSET_PROJECT_POINTS = 64, /* Volcengine's limit on a project's name */
    ASSET_NAME_BYTES = ASSET_NAME_POINTS * 4,
    ASSET_DESCRIPTION_BYTES = ASSET_DESCRIPTION_POINTS * 4,
    ASSET_PROJECT_BYTES = ASSET_PROJECT_POINTS * 4,
    ASSET_URL_MAX = 8000, /* as the guard's; signed links are about 600 */
    ASSET_PAGE_MAX = 100, /* Ark's PageSize */
    ASSET_FILTER_GROUPS_MAX = 100,
    ASSET_LINK_MAX = 1024, /* of a public URL of 512 bytes and what is signed */
    ASSET_ERROR_CODE_MAX = 63,
    ASSET_ERROR_TEXT_MAX = 255,
    ASSET_DURATION_MAX_MS = 3600000 /* of one in Ark's library; its own limits are lower */
};
#define ASSET_PROJECT_DEFAULT "default" /* Volcengine's, where none is named */

enum asset_type { ASSET_IMAGE, ASSET_VIDEO, ASSET_AUDIO, ASSET_TYPE_COUNT };
enum asset_status { ASSET_PROCESSING, ASSET_ACTIVE, ASSET_FAILED, ASSET_STATUS_COUNT };

/* "Image", "Processing": as rows and Ark's API have them. */
const char *asset_type_name(enum asset_type type);
bool asset_type_parse(struct str name, enum asset_type *ret_type);
const char *asset_status_name(enum asset_status status);
bool asset_status_parse(struct str name, enum asset_status *ret_status);

struct asset_group {
    char id[ASSET_ID_MAX + 1];
    char identity[TOKEN_ID_MAX + 1]; /* who made it */
    char name[ASSET_NAME_BYTES + 1];
    char description[ASSET_DESCRIPTION_BYTES + 1];
    char project[ASSET_PROJECT_BYTES + 1];
    int64_t created_us;
};

struct asset {
    char id[ASSET_ID_MAX + 1];
    char identity[TOKEN_ID_MAX + 1];
    char group_id[ASSET_ID_MAX + 1];
    enum asset_type type;
    enum asset_status status;
    char name[ASSET_NAME_BYTES + 1];
    char project[ASSET_PROJECT_BYTES + 1];
    char error_code[ASSET_ERROR_CODE_MAX + 1], error_message[ASSET_ERROR_TEXT_MAX + 1];
    int64_t bytes; /* of the file; while processing, the most that it may have */
    bool has_hash, has_thumbnail;
    uint8_t hash[CRYPTO_HASH_BYTES], thumbnail[CRYPTO_HASH_BYTES];
    char format[16], codec[32];
    int64_t width, height, fps_milli, duration_ms, channels; /* 0: it has none */
    int64_t account_id; /* whose library at Ark has it; 0: its file is here */
    int64_t created_us, updated_us;
};

struct ingest; /* ingest.h */

struct asset_library {
    struct db *db;
    int64_t bytes_max[ASSET_TYPE_COUNT]; /* of one file */
    int64_t request_keep_us;             /* how long a repeated request is known: 24 h */
    uint8_t link_key[CRYPTO_KEY_BYTES];  /* link.h */
    const char *_Atomic public_url;      /* where links begin; "" when nobody knows */
    struct ingest *_Atomic waker;        /* told of assets that wait; NULL: nobody here */
};

/* What makes two requests the same one. */
struct asset_request {
    struct str key;       /* the caller's own; the same with another body is ERR_KEY_REUSED */
    struct str signature; /* of a signed request, which none else can have */
    struct str call;      /* the number that a client gives a call and its repetitions */
    uint8_t body_hash[CRYPTO_HASH_BYTES]; /* of action and body */
};
struct asset_created {
    char id[ASSET_ID_MAX + 1];
    bool replayed; /* by an earlier request: nothing was made now */
};

/* group.c -------------------------------------------------------------- */

struct asset_group_draft {
    struct str name, description, project;
};
/* Texts are UTF-8 and within the limits above. */
FALLIBLE group_create(struct asset_library *library, const struct scope *scope,
                      const struct asset_group_draft *draft,
                      const struct asset_request *request, struct asset_created *ret_created,
                      struct err *err);
/* project empty: whichever. ERR_GROUP_UNKNOWN, also when it is out of the scope. */
FALLIBLE group_get(struct asset_library *library, const struct scope *scope, struct str id,
                   struct str project, struct asset_group *ret_group, struct err *err);

/* asset.c -------------------------------------------------------------- */

struct asset_draft {
    struct str group_id, url, name;
    struct str project; /* empty: the group's */
    enum asset_type type;
};
/* It is processing from then on. ERR_GROUP_UNKNOWN; ERR_INVALID naming ProjectName when it
 * is not the group's; ERR_QUOTA when the tenant may have no more, by number or bytes, what
 * is processing counted with the most that it may have. */
FALLIBLE asset_create(struct asset_library *library, const struct scope *scope,
                      const struct asset_draft *draft, const struct asset_request *request,
                      struct asset_created *ret_created, struct err *err);
/* project empty: whichever. Registered ones too. ERR_ASSET_UNKNOWN, also when it is out of the
 * scope. */
FALLIBLE asset_get(struct asset_library *library, const struct scope *scope, struct str id,
                   struct str project, struct asset *ret_asset, struct err *err);

/* Appends a link to the file of an active asset, alive until then; nothing when Ark alone has
 * the file. ERR_UNAVAILABLE when nobody knows where links begin. */
FALLIBLE asset_link(const struct asset_library *library, const struct scope *scope,
                    const struct asset *asset, int64_t expires_us, struct buf *dst,
                    struct err *err);
/* In the transaction that makes the task: what the asset was used for. */
FALLIBLE asset_note_use(struct db_conn *conn, const struct scope *scope, struct str asset_id,
                        struct str task, int64_t now_us, struct err *err);

/* browse.c: lists ------------------------------------------------------- */

enum asset_sort { ASSET_SORT_CREATED, ASSET_SORT_UPDATED, ASSET_SORT_GROUP, ASSET_SORT_COUNT };
struct asset_filter {
    struct str name; /* part of the name, in any case; empty: all */
    const struct str *groups;
    size_t group_count; /* 0: all; at most ASSET_FILTER_GROUPS_MAX */
    bool has_status, status[ASSET_STATUS_COUNT];
    struct str project; /* empty: all */
    enum asset_sort sort;
    bool ascending;
    int64_t page; /* from 1 */
    int64_t page_size;
};
/* Both are of one snapshot: first the total, then each of the page. */
struct asset_reader {
    enum err_code (*total)(int64_t total, void *ctx, struct err *err);
    enum err_code (*asset)(const struct asset *asset, void *ctx, struct err *err);
    enum err_code (*group)(const struct asset_group *group, void *ctx, struct err *err);
    void *ctx;
};
FALLIBLE browse_groups(struct asset_library *library, const struct scope *scope,
                       const struct asset_filter *filter, const struct asset_reader *reader,
                       struct err *err);
FALLIBLE browse_assets(struct asset_library *library, const struct scope *scope,
                       const struct asset_filter *filter, const struct asset_reader *reader,
                       struct err *err);

/* asset_view_repo.c: what operators see, of any tenant ------------------- */

/* A row as it stands, with what tenants never see. */
struct asset_record {
    struct asset asset;
    int64_t tenant_id; /* 0: every tenant's */
    int64_t purged_us; /* 0: not purged */
};
typedef enum err_code (*asset_record_visit)(const struct asset_record *record, void *ctx,
                                            struct err *err);
typedef enum err_code (*asset_use_visit)(struct str task, int64_t time_us, void *ctx,
                                         struct err *err);
/* Registered ones too. ERR_NOT_FOUND. */
FALLIBLE asset_view_find(struct db_conn *conn, struct str id, struct asset_record *ret_record,
                         struct err *err);
/* Whose group it is. ERR_NOT_FOUND. */
FALLIBLE asset_view_group(struct db_conn *conn, struct str id, int64_t *ret_tenant_id,
                          struct err *err);
struct asset_record_filter {
    int64_t tenant_id; /* 0: all */
    struct str group;  /* of that tenant; empty: all */
    struct str status; /* or "Purged"; empty: all */
    struct str before; /* an asset, and when it was made: only older ones; empty: all */
    int64_t before_us;
    int limit;
};
FALLIBLE asset_view_list(struct db_conn *conn, const struct asset_record_filter *filter,
                         asset_record_visit visit, void *ctx, struct err *err);
/* Active ones by id. */
FALLIBLE asset_view_active(struct db_conn *conn, struct str after_id, int limit,
                           asset_record_visit visit, void *ctx, struct err *err);
/* Those of a tenant that have these bytes, or have them for their picture, by id. */
FALLIBLE asset_view_of_bytes(struct db_conn *conn, const struct scope *scope,
                             const uint8_t hash[CRYPTO_HASH_BYTES], int limit,
                             asset_record_visit visit, void *ctx, struct err *err);
/* The tasks that were made with it, by their minted ids, the newest first. */
FALLIBLE asset_view_uses(struct db_conn *conn, const struct scope *scope, struct str asset_id,
                         int limit, asset_use_visit visit, void *ctx, struct err *err);
struct asset_health {
    bool has_assets;
    int64_t late; /* files that should have been taken before a moment */
};
FALLIBLE asset_view_health(struct db_conn *conn, int64_t due_before_us,
                           struct asset_health *ret_health, struct err *err);

/* registered.c: assets of Ark's own library ----------------------------- */

struct asset_registration {
    struct str upstream; /* one of the account that has it */
    struct str id;       /* Ark's, in small letters */
    struct str tenant;   /* whose tasks may name it; empty: every tenant's */
    enum asset_type type;
    struct str name;
    int64_t duration_ms; /* 0: not known */
    const char *actor;
    int64_t now_us;
};
/* It is active from then on, in no group and in no list of a tenant's, and its asset:// goes
 * to Ark as it is, on that account. ERR_INVALID names what is wrong; ERR_NOT_FOUND: upstream
 * or tenant; ERR_CONFLICT when there is an asset of this id that was not purged. */
FALLIBLE registered_add(struct db *db, const struct asset_registration *told,
                        struct asset_record *ret_record, struct err *err);

/* registered_repo.c ------------------------------------------------------ */

/* The highest id first; of a tenant: with those of every tenant. The group counts for
 * nothing. */
FALLIBLE registered_list(struct db_conn *conn, const struct asset_record_filter *filter,
                         asset_record_visit visit, void *ctx, struct err *err);

#endif
