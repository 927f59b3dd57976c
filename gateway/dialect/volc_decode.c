/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of the asset actions. First what is missing, then what is wrong, each by the name
 * of the member; members that no action knows are left alone. */
#include "gateway/dialect/volc_parts.h"

#include "gateway/app.h"

#include <stdio.h>
#include <string.h>

enum {
    PAGE_NUMBER_MAX = 1 << 30,
    PAGE_SIZE = 10, /* when none is asked for */
    PATH_MAX_BYTES = 64,
    TEXT_MAX = 4 * ASSET_URL_MAX
};

/* The member at "Filter.GroupType"; NULL when it, or what should hold it, is absent. */
static const struct json_value *find(const struct volc_call *call, const char *path)
{
    const struct json_value *value = json_root(call->doc);
    char name[PATH_MAX_BYTES];

    while (value != NULL && *path != '\0') {
        size_t len = strcspn(path, ".");

        if (!str_copy(name, sizeof(name), (struct str){path, len}))
            return NULL;
        value = json_get(value, name);
        path += path[len] == '.' ? len + 1 : len;
    }
    return value;
}

enum err_code volc_decode_need(const struct volc_call *call, const char *const *paths,
                               size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        const struct json_value *value = find(call, paths[i]);

        if (value != NULL &&
            (json_type(value) != JSON_STRING || json_text_head(call->doc, value, 4).len > 0))
            continue;
        (void)err_set(err, ERR_MISSING, "%s is required", paths[i]);
        (void)str_copy(err->field, sizeof(err->field), str_from(paths[i]));
        return ERR_MISSING;
    }
    return ERR_OK;
}

/* A string of at most so many code points, none of them a control character; empty when it
 * is absent. */
static enum err_code read_text(const struct volc_call *call, const char *path,
                               size_t points_max, struct str *ret_text, struct err *err)
{
    const struct json_value *value = find(call, path);
    bool controls = false;

    *ret_text = STR("");
    if (value == NULL)
        return ERR_OK;
    if (json_type(value) != JSON_STRING)
        return err_field(err, path, "%s must be a string", path);
    *ret_text = json_text_head(call->doc, value, TEXT_MAX);
    if (text_points(*ret_text, &controls) > points_max)
        return err_field(err, path, "%s may have at most %zu characters", path, points_max);
    if (controls)
        return err_field(err, path, "%s must not hold control characters", path);
    return ERR_OK;
}

/* One word of the API's own. */
static enum err_code read_word(const struct volc_call *call, const char *path, const char *word,
                               struct err *err)
{
    struct str text;

    TRY(read_text(call, path, ASSET_NAME_POINTS, &text, err));
    if (text.len == 0 || str_is(text, word))
        return ERR_OK;
    return err_field(err, path, "%s must be %s", path, word);
}

/* Ids are compared without case, and written in small letters. */
static enum err_code lower(const struct volc_call *call, struct str *inout_id, struct err *err)
{
    inout_id->ptr = arena_dup_lower(&call->rq->arena, *inout_id);
    return inout_id->ptr != NULL ? ERR_OK
                                 : err_detail(err, ERR_INTERNAL, "no memory for an id");
}

static enum err_code read_id(const struct volc_call *call, const char *path, struct str *ret_id,
                             struct err *err)
{
    TRY(read_text(call, path, ASSET_NAME_POINTS, ret_id, err));
    return lower(call, ret_id, err);
}

enum err_code volc_decode_model(const struct volc_call *call, struct err *err)
{
    struct str name;
    enum err_code code;

    TRY(read_text(call, "model", MODEL_NAME_MAX, &name, err));
    if (name.len == 0)
        return ERR_OK;
    code = submit_prepare_model(&call->rq->app->tasks, &call->rq->scope, name, err);
    if (code == ERR_MODEL_UNKNOWN)
        return err_field(err, "model", "model does not name a model");
    return ERR_OK; /* whether it is sold matters to tasks alone */
}

/* ---- creates --------------------------------------------------------------------------------
 */

enum err_code volc_decode_group(const struct volc_call *call,
                                struct asset_group_draft *ret_draft, struct err *err)
{
    TRY(read_text(call, "Name", ASSET_NAME_POINTS, &ret_draft->name, err));
    TRY(read_word(call, "GroupType", "AIGC", err));
    TRY(read_text(call, "Description", ASSET_DESCRIPTION_POINTS, &ret_draft->description, err));
    TRY(read_text(call, "ProjectName", ASSET_PROJECT_POINTS, &ret_draft->project, err));
    if (ret_draft->project.len == 0)
        ret_draft->project = STR(ASSET_PROJECT_DEFAULT);
    return ERR_OK;
}

static enum err_code read_url(const struct volc_call *call, struct str *ret_url,
                              struct err *err)
{
    TRY(read_text(call, "URL", ASSET_URL_MAX, ret_url, err));
    if (ret_url->len > ASSET_URL_MAX)
        return err_field(err, "URL", "URL may have at most %d bytes", ASSET_URL_MAX);
    if (!str_starts_nocase(*ret_url, STR("https://")) &&
        !str_starts_nocase(*ret_url, STR("http://")))
        return err_field(err, "URL", "URL must begin with http:// or https://");
    return ERR_OK;
}

static enum err_code check_moderation(const struct volc_call *call, struct err *err)
{
    const struct json_value *moderation = find(call, "Moderation");

    if (moderation == NULL)
        return ERR_OK;
    if (json_type(moderation) != JSON_OBJECT)
        return err_field(err, "Moderation", "Moderation must be an object");
    return read_word(call, "Moderation.Strategy", "Default", err);
}

enum err_code volc_decode_asset(const struct volc_call *call, struct asset_draft *ret_draft,
                                struct err *err)
{
    struct str type;

    TRY(read_id(call, "GroupId", &ret_draft->group_id, err));
    TRY(read_url(call, &ret_draft->url, err));
    TRY(read_text(call, "AssetType", ASSET_NAME_POINTS, &type, err));
    if (!asset_type_parse(type, &ret_draft->type))
        return err_field(err, "AssetType", "AssetType must be Image, Video or Audio");
    TRY(read_text(call, "Name", ASSET_NAME_POINTS, &ret_draft->name, err));
    TRY(check_moderation(call, err));
    return read_text(call, "ProjectName", ASSET_PROJECT_POINTS, &ret_draft->project, err);
}

/* ---- reads ----------------------------------------------------------------------------------
 */

enum err_code volc_decode_id(const struct volc_call *call, struct str *ret_id,
                             struct str *ret_project, struct err *err)
{
    TRY(read_id(call, "Id", ret_id, err));
    return read_text(call, "ProjectName", ASSET_PROJECT_POINTS, ret_project, err);
}

static enum err_code read_int(const struct volc_call *call, const char *path, int64_t max,
                              int64_t *inout_value, struct err *err)
{
    const struct json_value *value = find(call, path);

    if (value == NULL ||
        (json_int(value, inout_value) && *inout_value >= 1 && *inout_value <= max))
        return ERR_OK;
    return err_field(err, path, "%s must be an integer from 1 to %lld", path, (long long)max);
}

/* Letters of any case, as the vendor's own documents write some of these words. */
static enum err_code read_choice(const struct volc_call *call, const char *path,
                                 const char *const *words, size_t count, size_t *ret_choice,
                                 struct err *err)
{
    struct str text;

    *ret_choice = 0;
    TRY(read_text(call, path, ASSET_NAME_POINTS, &text, err));
    for (size_t i = 0; text.len > 0 && i < count; i++) {
        *ret_choice = i;
        if (str_eq_nocase(text, str_from(words[i])))
            return ERR_OK;
    }
    return text.len == 0 ? ERR_OK : err_field(err, path, "%s has no such value", path);
}

static enum err_code read_order(const struct volc_call *call, bool assets,
                                struct asset_filter *filter, struct err *err)
{
    static const char *const sorts[] = {"CreateTime", "UpdateTime", "GroupId"};
    static const char *const orders[] = {"Desc", "Asc"};
    size_t sort = 0, order = 0;

    filter->page = 1;
    filter->page_size = PAGE_SIZE;
    TRY(read_int(call, "PageNumber", PAGE_NUMBER_MAX, &filter->page, err));
    TRY(read_int(call, "PageSize", ASSET_PAGE_MAX, &filter->page_size, err));
    TRY(read_choice(call, "SortBy", sorts, assets ? 3 : 2, &sort, err));
    TRY(read_choice(call, "SortOrder", orders, COUNT_OF(orders), &order, err));
    filter->sort = (enum asset_sort)sort;
    filter->ascending = order == 1;
    return ERR_OK;
}

/* One of an array's strings. */
static enum err_code item_text(const struct volc_call *call, const struct json_value *item,
                               const char *path, struct str *ret_text, struct err *err)
{
    if (json_type(item) != JSON_STRING)
        return err_field(err, path, "%s must hold strings", path);
    *ret_text = json_text_head(call->doc, item, PATH_MAX_BYTES);
    return ERR_OK;
}

static enum err_code find_array(const struct volc_call *call, const char *path, size_t max,
                                const struct json_value **ret_array, struct err *err)
{
    const struct json_value *array = find(call, path);

    *ret_array = NULL;
    if (array == NULL)
        return ERR_OK;
    if (json_type(array) != JSON_ARRAY)
        return err_field(err, path, "%s must be an array", path);
    if (json_count(array) > max)
        return err_field(err, path, "%s may hold at most %zu items", path, max);
    if (json_count(array) > 0)
        *ret_array = array;
    return ERR_OK;
}

/* What can be no id is no group's: a comma in it must not look like two. */
static bool is_id(struct str id)
{
    return id.len > 0 && id.len <= ASSET_ID_MAX &&
           strspn(id.ptr, "abcdefghijklmnopqrstuvwxyz0123456789-") >= id.len;
}

static enum err_code read_groups(const struct volc_call *call, struct asset_filter *filter,
                                 struct err *err)
{
    static const char path[] = "Filter.GroupIds";
    const struct json_value *array;
    struct str *groups;

    TRY(find_array(call, path, ASSET_FILTER_GROUPS_MAX, &array, err));
    if (array == NULL)
        return ERR_OK;
    groups = arena_alloc(&call->rq->arena, json_count(array) * sizeof(*groups));
    if (groups == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory for groups");
    filter->groups = groups;
    for (const struct json_value *item = json_first(array); item != NULL;
         item = json_next(item)) {
        struct str *group = &groups[filter->group_count++];

        TRY(item_text(call, item, path, group, err));
        TRY(lower(call, group, err));
        if (!is_id(*group))
            *group = STR("-");
    }
    return ERR_OK;
}

static enum err_code read_statuses(const struct volc_call *call, struct asset_filter *filter,
                                   struct err *err)
{
    static const char path[] = "Filter.Statuses";
    const struct json_value *array;

    TRY(find_array(call, path, ASSET_STATUS_COUNT * 4, &array, err));
    filter->has_status = array != NULL;
    for (const struct json_value *item = json_first(array); item != NULL;
         item = json_next(item)) {
        enum asset_status status;
        struct str name;

        TRY(item_text(call, item, path, &name, err));
        if (!asset_status_parse(name, &status))
            return err_field(err, path, "%s knows Processing, Active and Failed", path);
        filter->status[status] = true;
    }
    return ERR_OK;
}

enum err_code volc_decode_filter(const struct volc_call *call, bool assets,
                                 struct asset_filter *ret_filter, struct err *err)
{
    struct str other;

    *ret_filter = (struct asset_filter){0};
    if (json_type(find(call, "Filter")) != JSON_OBJECT)
        return err_field(err, "Filter", "Filter must be an object");
    TRY(read_word(call, "Filter.GroupType", "AIGC", err));
    TRY(read_groups(call, ret_filter, err));
    if (assets)
        TRY(read_statuses(call, ret_filter, err));
    TRY(read_text(call, "Filter.Name", ASSET_NAME_POINTS, &ret_filter->name, err));
    /* The vendor's document also writes it so. */
    TRY(read_text(call, "Filter.name", ASSET_NAME_POINTS, &other, err));
    if (ret_filter->name.len == 0)
        ret_filter->name = other;
    TRY(read_order(call, assets, ret_filter, err));
    return read_text(call, "ProjectName", ASSET_PROJECT_POINTS, &ret_filter->project, err);
}
