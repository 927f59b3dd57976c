/* SPDX-License-Identifier: Apache-2.0 */
/* Names that are nearly those of members which are checked or paid for. Servers in some
 * languages read a member whatever the case of its letters, the last one winning: "Duration"
 * would pass here as unknown and there as the length of the video. */
#include "gateway/dialect/ark_parts.h"

#include <stdio.h>

static const char *const members[] = {
    "model",          "content",      "callback_url",
    "CallbackURL",    "resolution",   "ratio",
    "duration",       "frames",       "seed",
    "priority",       "service_tier", "execution_expires_after",
    "draft",          "camera_fixed", "safety_identifier",
    "generate_audio", "watermark",    "return_last_frame",
    "tools",          "references",
};
static const char *const item_members[] = {
    "type", "text", "image_url", "video_url", "audio_url", "draft_task", "role",
};
static const char *const object_members[] = {"url", "id"};

/* The next letter in small, as Unicode's simple folding has it: two letters beyond ASCII fold
 * into it, the long s and the sign of the kelvin. */
static char next_folded(const unsigned char **at)
{
    const unsigned char *c = *at;

    if (c[0] == 0xc5 && c[1] == 0xbf) {
        *at += 2;
        return 's';
    }
    if (c[0] == 0xe2 && c[1] == 0x84 && c[2] == 0xaa) {
        *at += 3;
        return 'k';
    }
    *at += c[0] != '\0';
    return (char)(c[0] >= 'A' && c[0] <= 'Z' ? c[0] - 'A' + 'a' : c[0]);
}

static bool folds_to(const char *name, const char *known)
{
    const unsigned char *a = (const unsigned char *)name, *b = (const unsigned char *)known;
    char folded;

    do {
        folded = next_folded(&a);
        if (folded != next_folded(&b))
            return false;
    } while (folded != '\0');
    return true;
}

static enum err_code check_object(const struct json_value *object, const char *const *known,
                                  size_t count, const char *where, struct err *err)
{
    for (const struct json_value *child = json_first(object); child != NULL;
         child = json_next(child)) {
        struct str name = str_from(json_name(child));

        for (size_t i = 0; i < count; i++) {
            char field[64];

            if (str_is(name, known[i]) || !folds_to(name.ptr, known[i]))
                continue;
            (void)snprintf(field, sizeof(field), "%s%.40s", where, name.ptr);
            return err_field(err, field, "%s must be written as %s", field, known[i]);
        }
    }
    return ERR_OK;
}

static enum err_code check_item(const struct json_value *item, size_t index, struct err *err)
{
    char where[32];

    if (json_type(item) != JSON_OBJECT)
        return ERR_OK; /* ark_content.c says what it must be */
    (void)snprintf(where, sizeof(where), "content[%zu].", index);
    TRY(check_object(item, item_members, COUNT_OF(item_members), where, err));
    for (size_t i = 0; i < COUNT_OF(item_members); i++) {
        const struct json_value *object = json_get(item, item_members[i]);

        (void)snprintf(where, sizeof(where), "content[%zu].%s.", index, item_members[i]);
        if (object != NULL && json_type(object) == JSON_OBJECT)
            TRY(check_object(object, object_members, COUNT_OF(object_members), where, err));
    }
    return ERR_OK;
}

enum err_code ark_names_check(const struct json_doc *doc, struct err *err)
{
    const struct json_value *root = json_root(doc);
    const struct json_value *content = json_get(root, "content");
    size_t index = 0;

    TRY(check_object(root, members, COUNT_OF(members), "", err));
    if (content == NULL || json_type(content) != JSON_ARRAY)
        return ERR_OK;
    for (const struct json_value *item = json_first(content); item != NULL;
         item = json_next(item), index++)
        TRY(check_item(item, index, err));
    return ERR_OK;
}
