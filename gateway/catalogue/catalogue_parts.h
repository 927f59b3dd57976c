/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of gateway/catalogue share. */
#ifndef ARKGATE_GATEWAY_CATALOGUE_PARTS_H
#define ARKGATE_GATEWAY_CATALOGUE_PARTS_H

#include "gateway/catalogue/catalogue.h"

/* catalogue_view.c: all rows put together --------------------------------- */

struct catalogue_name {
    int64_t tenant_id; /* 0: everybody's */
    char name[MODEL_NAME_MAX + 1];
    size_t model; /* position in the models */
};
/* A model that a tenant sees otherwise. */
struct catalogue_own {
    int64_t tenant_id;
    struct model model;
};
struct catalogue_view {
    int64_t version; /* of the settings */
    struct model *models;
    struct catalogue_name *names; /* by tenant and name once it is whole */
    struct catalogue_own *owns;   /* by tenant and model's name */
    size_t model_count, name_count, own_count;
    size_t setting_count;
    char complaint[256]; /* the first operator's row that was left out, and why; "" none */
};

/* Shipped rows and those of the database. fini accepts a zeroed view. */
FALLIBLE catalogue_view_load(struct db_conn *conn, struct catalogue_view *ret_view,
                             struct err *err);
void catalogue_view_fini(struct catalogue_view *view);
/* NULL when the name is refused or unknown. */
const struct model *catalogue_view_find(const struct catalogue_view *view, int64_t tenant_id,
                                        struct str name);
const struct model *catalogue_view_at(const struct catalogue_view *view, int64_t tenant_id,
                                      size_t position);
/* Is it a name of any model for anybody? */
bool catalogue_view_knows(const struct catalogue_view *view, struct str name);
/* Names that must never mean a model of ours. */
bool catalogue_view_refuses(struct str name);

/* catalogue_keys.c --------------------------------------------------------- */

/* The defaults under every model. */
void catalogue_keys_defaults(struct model *ret_model);
/* ERR_INVALID names the key. */
FALLIBLE catalogue_keys_set(struct model *model, struct str key, struct str value,
                            struct err *err);
/* Do the members agree with one another? */
FALLIBLE catalogue_keys_check(const struct model *model, struct err *err);

/* catalogue_shipped.c -------------------------------------------------------- */

/* In the order in which they are applied; key "like" copies the model of that name, which
 * stands before it, key "alias" adds a name. */
struct catalogue_row {
    const char *model, *key, *value;
};
/* NULL past the last. */
const struct catalogue_row *catalogue_shipped_row(size_t position);

/* catalogue_repo.c ----------------------------------------------------------- */

/* An operator's row; tenant 0 is the installation. */
struct catalogue_repo_row {
    int64_t tenant_id;
    struct str model, key, value; /* key "alias": value is the name */
};
/* Settings first, those of the installation before tenants'; a key "like" only says that
 * the operator made the model, and comes before the others; then aliases. */
FALLIBLE catalogue_repo_each(struct db_conn *conn,
                             enum err_code (*visit)(const struct catalogue_repo_row *row,
                                                    void *ctx, struct err *err),
                             void *ctx, struct err *err);
FALLIBLE catalogue_repo_set(struct db_conn *conn, const struct catalogue_repo_row *row,
                            struct err *err);
/* ERR_CONFLICT when the tenant has that name. */
FALLIBLE catalogue_repo_add_alias(struct db_conn *conn, const struct catalogue_repo_row *row,
                                  struct err *err);
/* ERR_NOT_FOUND when it is not an added one of this model. */
FALLIBLE catalogue_repo_drop_alias(struct db_conn *conn, const struct catalogue_repo_row *row,
                                   struct err *err);

#endif
