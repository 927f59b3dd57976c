/* SPDX-License-Identifier: Apache-2.0 */
/* The catalogue in memory, swapped whole when the settings version moved. */
#include "gateway/catalogue/catalogue_parts.h"

#include <stdlib.h>
#include <string.h>

struct catalogue {
    struct db *db;
    struct lock lock;
    struct catalogue_view view; /* behind the lock */
};

static enum err_code read_version(struct db_conn *conn, void *ctx, struct err *err)
{
    return settings_version(conn, ctx, err);
}

static enum err_code load(struct db_conn *conn, void *ctx, struct err *err)
{
    struct catalogue_view *view = ctx;

    catalogue_view_fini(view); /* of a first run of this closure */
    return catalogue_view_load(conn, view, err);
}

static enum err_code complaint_of(struct catalogue *catalogue, struct err *err)
{
    char text[sizeof(catalogue->view.complaint)];

    lock_take(&catalogue->lock);
    memcpy(text, catalogue->view.complaint, sizeof(text));
    lock_drop(&catalogue->lock);
    return text[0] == '\0' ? ERR_OK : err_set(err, ERR_CONFIG, "left out: %s", text);
}

enum err_code catalogue_refresh(struct catalogue *catalogue, struct err *err)
{
    struct catalogue_view view = {0}, old;
    int64_t version;
    bool changed;

    TRY(db_read(catalogue->db, read_version, &version, err));
    lock_take(&catalogue->lock);
    changed = version != catalogue->view.version;
    lock_drop(&catalogue->lock);
    if (!changed)
        return complaint_of(catalogue, err);
    enum err_code rc = db_read(catalogue->db, load, &view, err);

    if (rc != ERR_OK) {
        catalogue_view_fini(&view);
        return rc;
    }
    lock_take(&catalogue->lock);
    old = catalogue->view;
    catalogue->view = view;
    lock_drop(&catalogue->lock);
    catalogue_view_fini(&old);
    return complaint_of(catalogue, err);
}

enum err_code catalogue_open(struct db *db, struct catalogue **ret_catalogue, struct err *err)
{
    struct catalogue *catalogue = calloc(1, sizeof(*catalogue));

    if (catalogue == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory for the catalogue");
    catalogue->db = db;
    catalogue->view.version = -1;
    lock_init(&catalogue->lock);
    enum err_code rc = catalogue_refresh(catalogue, err);

    /* Without a row that it does not understand it serves all the same. */
    if (rc != ERR_OK && catalogue->view.version < 0) {
        catalogue_close(&catalogue);
        return rc;
    }
    *err = (struct err){0};
    *ret_catalogue = catalogue;
    return ERR_OK;
}

void catalogue_close(struct catalogue **catalogue)
{
    if (*catalogue == NULL)
        return;
    catalogue_view_fini(&(*catalogue)->view);
    lock_fini(&(*catalogue)->lock);
    free(*catalogue);
    *catalogue = NULL;
}

enum err_code catalogue_find(struct catalogue *catalogue, int64_t tenant_id, struct str name,
                             struct model *ret_model, struct err *err)
{
    const struct model *found;
    char shown[MODEL_NAME_MAX + 1];

    lock_take(&catalogue->lock);
    found = catalogue_view_find(&catalogue->view, tenant_id, name);
    if (found != NULL)
        *ret_model = *found;
    lock_drop(&catalogue->lock);
    if (found != NULL) {
        (void)str_copy(ret_model->asked, sizeof(ret_model->asked), name);
        return ERR_OK;
    }

    str_copy_cut(shown, sizeof(shown), name);
    enum err_code rc = err_set(err, ERR_MODEL_UNKNOWN,
                               "The model or endpoint %s does not exist or you do not have "
                               "access to it.",
                               shown);
    (void)str_copy(err->field, sizeof(err->field), STR("model"));
    return rc;
}

bool catalogue_at(struct catalogue *catalogue, int64_t tenant_id, size_t position,
                  struct model *ret_model)
{
    const struct model *found;

    lock_take(&catalogue->lock);
    found = catalogue_view_at(&catalogue->view, tenant_id, position);
    if (found != NULL)
        *ret_model = *found;
    lock_drop(&catalogue->lock);
    return found != NULL;
}

bool catalogue_alias(struct catalogue *catalogue, int64_t tenant_id, const char *model,
                     size_t position, char ret_alias[MODEL_NAME_MAX + 1])
{
    const struct catalogue_view *view = &catalogue->view;
    bool found = false;

    lock_take(&catalogue->lock);
    for (size_t i = 0; i < view->name_count && !found; i++) {
        const struct catalogue_name *name = &view->names[i];
        const char *of = view->models[name->model].name;

        if ((name->tenant_id != 0 && name->tenant_id != tenant_id) || strcmp(of, model) != 0 ||
            strcmp(of, name->name) == 0)
            continue;
        found = position-- == 0;
        if (found)
            memcpy(ret_alias, name->name, MODEL_NAME_MAX + 1);
    }
    lock_drop(&catalogue->lock);
    return found;
}
