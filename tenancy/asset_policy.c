/* SPDX-License-Identifier: Apache-2.0 */
/* What no tenant may ask of the asset library, whatever a dialect's forms allow: to change
 * or to delete what is there, and to skip moderation. */
#include "tenancy/private.h"

#include <string.h>

/* White space of Unicode in UTF-8 that str_trim does not know, and the byte order mark. */
static const char *const blanks[] = {
    "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81",
    "\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86",
    "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\x8b",
    "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80",
    "\xef\xbb\xbf"};

FALLIBLE asset_policy_action(struct str action, struct err *err)
{
    if (!str_starts_nocase(action, STR("Update")) && !str_starts_nocase(action, STR("Delete")))
        return ERR_OK;
    return err_set(err, ERR_ACTION_REFUSED,
                   "assets and groups can be neither changed nor deleted");
}

static bool drop_blank(struct str *text)
{
    for (size_t i = 0; i < COUNT_OF(blanks); i++) {
        size_t len = strlen(blanks[i]);

        if (text->len < len)
            continue;
        if (memcmp(text->ptr, blanks[i], len) == 0) {
            *text = (struct str){text->ptr + len, text->len - len};
            return true;
        }
        if (memcmp(text->ptr + text->len - len, blanks[i], len) == 0) {
            text->len -= len;
            return true;
        }
    }
    return false;
}

static bool is_skip(struct str text)
{
    do {
        text = str_trim(text);
    } while (drop_blank(&text));
    return str_eq_nocase(text, STR("Skip"));
}

/* What is too long to be read is no strategy either, and may well be one behind blanks. */
static bool is_skip_value(const struct json_doc *doc, const struct json_value *value)
{
    struct str text = json_text(doc, value);

    return is_skip(text) || (text.len == 0 && json_raw(doc, value).len > 2);
}

/* Below a moderation, or not yet; no deeper than the gate lets texts be. */
static bool asks_to_skip(const struct json_doc *doc, const struct json_value *value,
                         bool moderated)
{
    for (const struct json_value *child = json_first(value); child != NULL;
         child = json_next(child)) {
        struct str name = str_from(json_name(child));

        if (moderated && str_eq_nocase(name, STR("strategy")) &&
            json_type(child) == JSON_STRING && is_skip_value(doc, child))
            return true;
        if (asks_to_skip(doc, child, moderated || str_eq_nocase(name, STR("moderation"))))
            return true;
    }
    return false;
}

FALLIBLE asset_policy_moderation(const struct json_doc *doc, struct err *err)
{
    if (!asks_to_skip(doc, json_root(doc), false))
        return ERR_OK;
    (void)err_set(err, ERR_MODERATION_SKIP, "Moderation.Strategy must not be Skip");
    (void)str_copy(err->field, sizeof(err->field), STR("Moderation.Strategy"));
    return ERR_MODERATION_SKIP;
}
