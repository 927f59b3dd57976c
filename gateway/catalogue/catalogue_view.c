/* SPDX-License-Identifier: Apache-2.0 */
/* Puts the rows together: shipped ones, the installation's, the tenants'. Immutable once it
 * is whole. */
#include "gateway/catalogue/catalogue_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Other vendors' names for the same models: who uses them means another service. */
static const char *const refused[] = {
    "seedance-2-0",      "seedance-2-0-260128",
    "seedance-2-0-fast", "seedance-2-0-fast-260128",
    "seedance-2-0-mini", "dreamina-seedance-2.0-mini",
};
static const struct str refused_end = {"-filter-off", 11};

bool catalogue_view_refuses(struct str name)
{
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        if (str_is(name, refused[i]))
            return true;
    }
    return name.len >= refused_end.len &&
           str_eq((struct str){name.ptr + name.len - refused_end.len, refused_end.len},
                  refused_end);
}

/* ---- finding ---------------------------------------------------------------- */

static int compare(int64_t tenant_a, const char *a, int64_t tenant_b, const char *b)
{
    if (tenant_a != tenant_b)
        return tenant_a < tenant_b ? -1 : 1;
    return strcmp(a, b);
}

static int by_name(const void *a, const void *b)
{
    const struct catalogue_name *left = a, *right = b;

    return compare(left->tenant_id, left->name, right->tenant_id, right->name);
}

static int by_model(const void *a, const void *b)
{
    const struct catalogue_own *left = a, *right = b;

    return compare(left->tenant_id, left->model.name, right->tenant_id, right->model.name);
}

static const struct catalogue_name *find_name(const struct catalogue_view *view,
                                              int64_t tenant_id, struct str name)
{
    struct catalogue_name key = {.tenant_id = tenant_id};

    /* A NUL inside of the name must not make it another one. */
    if (name.len == 0 || name.len > MODEL_NAME_MAX || memchr(name.ptr, '\0', name.len) != NULL)
        return NULL;
    (void)str_copy(key.name, sizeof(key.name), name);
    return bsearch(&key, view->names, view->name_count, sizeof(key), by_name);
}

/* As the tenant sees the model at a position. */
static const struct model *seen_by(const struct catalogue_view *view, int64_t tenant_id,
                                   size_t position)
{
    const struct model *model = &view->models[position];
    size_t low = 0, high = view->own_count;

    while (tenant_id != 0 && low < high) {
        size_t middle = low + (high - low) / 2;
        const struct catalogue_own *own = &view->owns[middle];
        int order = compare(own->tenant_id, own->model.name, tenant_id, model->name);

        if (order == 0)
            return &own->model;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return model;
}

const struct model *catalogue_view_find(const struct catalogue_view *view, int64_t tenant_id,
                                        struct str name)
{
    const struct catalogue_name *found = NULL;

    if (catalogue_view_refuses(name))
        return NULL;
    if (tenant_id != 0)
        found = find_name(view, tenant_id, name);
    if (found == NULL)
        found = find_name(view, 0, name);
    return found == NULL ? NULL : seen_by(view, tenant_id, found->model);
}

bool catalogue_view_knows(const struct catalogue_view *view, struct str name)
{
    for (size_t i = 0; i < view->name_count; i++) {
        if (str_is(name, view->names[i].name))
            return true;
    }
    return false;
}

const struct model *catalogue_view_at(const struct catalogue_view *view, int64_t tenant_id,
                                      size_t position)
{
    return position < view->model_count ? seen_by(view, tenant_id, position) : NULL;
}

/* ---- loading ------------------------------------------------------------------ */

static bool position_of(const struct catalogue_view *view, struct str name,
                        size_t *ret_position)
{
    for (size_t i = 0; i < view->model_count; i++) {
        if (str_is(name, view->models[i].name)) {
            *ret_position = i;
            return true;
        }
    }
    return false;
}

static enum err_code add_name(struct catalogue_view *view, int64_t tenant_id, struct str name,
                              size_t position, struct err *err)
{
    struct catalogue_name *added = &view->names[view->name_count];

    if (view->name_count == CATALOGUE_NAMES_MAX)
        return err_set(err, ERR_CONFLICT, "the catalogue is full: %d names",
                       CATALOGUE_NAMES_MAX);
    *added = (struct catalogue_name){.tenant_id = tenant_id, .model = position};
    if (!str_copy(added->name, sizeof(added->name), name))
        return err_detail(err, ERR_INTERNAL, "a model's name is too long");
    view->name_count++;
    return ERR_OK;
}

/* The model of that name, made with the defaults when there is none. */
static enum err_code reach_model(struct catalogue_view *view, struct str name,
                                 size_t *ret_position, struct err *err)
{
    if (position_of(view, name, ret_position))
        return ERR_OK;
    if (view->model_count == CATALOGUE_MODELS_MAX)
        return err_set(err, ERR_CONFLICT, "the catalogue is full: %d models",
                       CATALOGUE_MODELS_MAX);
    *ret_position = view->model_count++;
    catalogue_keys_defaults(&view->models[*ret_position]);
    if (!str_copy(view->models[*ret_position].name, sizeof(view->models[0].name), name))
        return err_detail(err, ERR_INTERNAL, "a model's name is too long");
    return add_name(view, 0, name, *ret_position, err);
}

static enum err_code apply(struct catalogue_view *view, struct model *model, struct str key,
                           struct str value, struct err *err)
{
    char name[MODEL_NAME_MAX + 1];
    size_t base;

    if (!str_is(key, "like"))
        return catalogue_keys_set(model, key, value, err);
    if (!position_of(view, value, &base))
        return err_field(err, "like", "there is no model %.*s", (int)value.len, value.ptr);
    memcpy(name, model->name, sizeof(name));
    *model = view->models[base];
    memcpy(model->name, name, sizeof(name));
    return ERR_OK;
}

static enum err_code load_shipped(struct catalogue_view *view, struct err *err)
{
    const struct catalogue_row *row;

    for (size_t i = 0; (row = catalogue_shipped_row(i)) != NULL; i++) {
        size_t at;

        TRY(reach_model(view, str_from(row->model), &at, err));
        if (strcmp(row->key, "alias") == 0)
            TRY(add_name(view, 0, str_from(row->value), at, err));
        else
            TRY(apply(view, &view->models[at], str_from(row->key), str_from(row->value), err));
    }
    return ERR_OK;
}

/* Rows come tenant by tenant and model by model, so what is sought is the last one. */
static enum err_code reach_own(struct catalogue_view *view, int64_t tenant_id, size_t position,
                               struct model **ret_model, struct err *err)
{
    const struct model *model = &view->models[position];
    struct catalogue_own *last = &view->owns[view->own_count - (view->own_count > 0)];

    if (view->own_count == 0 || last->tenant_id != tenant_id ||
        strcmp(last->model.name, model->name) != 0) {
        struct catalogue_own *grown =
            realloc(view->owns, (view->own_count + 1) * sizeof(*view->owns));

        if (grown == NULL)
            return err_detail(err, ERR_INTERNAL, "no memory for the catalogue");
        view->owns = grown;
        last = &view->owns[view->own_count++];
        *last = (struct catalogue_own){.tenant_id = tenant_id, .model = *model};
    }
    *ret_model = &last->model;
    return ERR_OK;
}

/* A row that another version wrote must not keep the rest from being read. */
static enum err_code apply_or_complain(struct catalogue_view *view, struct model *model,
                                       const struct catalogue_repo_row *row, struct err *err)
{
    struct model before = *model;

    if (apply(view, model, row->key, row->value, err) == ERR_OK)
        return ERR_OK;
    *model = before;
    if (view->complaint[0] == '\0')
        (void)snprintf(view->complaint, sizeof(view->complaint), "model %.*s: %.100s",
                       (int)row->model.len, row->model.ptr, err->msg);
    *err = (struct err){0};
    return ERR_OK;
}

static enum err_code take_row(const struct catalogue_repo_row *row, void *ctx, struct err *err)
{
    struct catalogue_view *view = ctx;
    struct model *model;
    size_t at;

    if (view->setting_count++ == CATALOGUE_SETTINGS_MAX)
        return err_set(err, ERR_CONFLICT, "the catalogue is full: %d settings",
                       CATALOGUE_SETTINGS_MAX);
    /* Only "like" makes a model: a row of one that no longer ships says nothing. */
    if (!str_is(row->key, "like") && !position_of(view, row->model, &at))
        return ERR_OK;
    TRY(reach_model(view, row->model, &at, err));
    if (str_is(row->key, "alias"))
        return add_name(view, row->tenant_id, row->value, at, err);
    if (str_is(row->key, "like"))
        return ERR_OK; /* what it began with is in rows of its own */
    model = &view->models[at];
    if (row->tenant_id != 0)
        TRY(reach_own(view, row->tenant_id, at, &model, err));
    return apply_or_complain(view, model, row, err);
}

FALLIBLE catalogue_view_load(struct db_conn *conn, struct catalogue_view *ret_view,
                             struct err *err)
{
    struct catalogue_view view = {
        .models = calloc(CATALOGUE_MODELS_MAX, sizeof(*view.models)),
        .names = calloc(CATALOGUE_NAMES_MAX, sizeof(*view.names)),
        .owns = calloc(1, sizeof(*view.owns)),
    };
    enum err_code rc = view.models == NULL || view.names == NULL || view.owns == NULL
                           ? err_detail(err, ERR_INTERNAL, "no memory for the catalogue")
                           : settings_version(conn, &view.version, err);

    if (rc == ERR_OK)
        rc = load_shipped(&view, err);
    if (rc == ERR_OK)
        rc = catalogue_repo_each(conn, take_row, &view, err);
    if (rc != ERR_OK) {
        catalogue_view_fini(&view);
        return rc;
    }
    qsort(view.names, view.name_count, sizeof(*view.names), by_name);
    qsort(view.owns, view.own_count, sizeof(*view.owns), by_model);
    *ret_view = view;
    return ERR_OK;
}

void catalogue_view_fini(struct catalogue_view *view)
{
    free(view->models);
    free(view->names);
    free(view->owns);
    *view = (struct catalogue_view){0};
}
