/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target for a create's body, to the draft and out again: what is decoded holds what
 * its tables promise, its texts can be read, and what goes to Ark is JSON. A body that does
 * not begin as an object is read as a prompt. */
#include "gateway/dialect/ark_parts.h"

#include "tests/fuzz/fuzz.h"

#include <stdio.h>

/* Every byte of every text, so that the sanitizer sees one that is gone. */
static void check_texts(const struct task_draft *draft, struct str body)
{
    const struct str texts[] = {
        draft->model_asked,
        draft->resolution,
        draft->ratio,
        draft->tier,
        draft->callback_url,
        draft->draft_task,
        draft->draft_task_at,
        draft->safety_identifier,
        draft->in_prompt.resolution,
        draft->in_prompt.ratio,
        draft->body,
    };

    for (size_t i = 0; i < COUNT_OF(texts); i++)
        ASSERT(str_is_utf8(texts[i]));
    for (size_t i = 0; i < draft->asset_count; i++)
        ASSERT(str_is_utf8(draft->assets[i].id) &&
               str_is_utf8(str_from(draft->assets[i].field)) &&
               fuzz_within(body, draft->assets[i].at));
    ASSERT(draft->body.ptr == body.ptr && draft->body.len == body.len);
    ASSERT(draft->model_asked.len > 0);
    ASSERT(draft->callback_url.len <= TASK_URL_MAX);
    ASSERT((draft->callback_url.len > 0) == (draft->edit_count > 0));
    ASSERT((draft->draft_task.len > 0) == (draft->draft_task_at.len > 0));
    ASSERT(fuzz_within(body, draft->draft_task_at));
}

static void check_numbers(const struct task_draft *draft)
{
    int items = draft->images + draft->videos + draft->audios;

    ASSERT(items <= TASK_CONTENT_MAX && draft->references <= items);
    ASSERT(draft->first_frames + draft->last_frames <= draft->images);
    ASSERT(!draft->has_priority || (draft->priority >= 0 && draft->priority <= 9));
    ASSERT(!draft->has_seed || (draft->seed >= -1 && draft->seed <= UINT32_MAX));
    ASSERT(draft->draft ? draft->has_draft : true);
    ASSERT(draft->edit_count <= DRAFT_EDITS_MAX);
}

/* As ark_create.c puts it together, with a draft's id and assets' links in their places. */
static void check_outgoing(struct arena *arena, const struct task_draft *draft)
{
    struct json_edit edits[2 + DRAFT_EDITS_MAX] = {{"model", STR("\"ep-1\"")},
                                                   {"safety_identifier", STR("\"ag-1\"")}};
    struct json_patch patch = {draft->draft_task_at, STR("\"cgt-1\"")};
    struct json_slices slices;
    size_t count = 2;
    struct err err;

    for (size_t i = 0; i < draft->edit_count; i++)
        edits[count++] = draft->edits[i];
    ASSERT(json_splice(arena, draft->body, edits, count, &slices, &err) == ERR_OK);
    ASSERT(json_splice_patch(arena, &patch, &slices, &err) == ERR_OK);
    for (size_t i = 0; i < draft->asset_count; i++) {
        patch = (struct json_patch){draft->assets[i].at, STR("\"https://x/y\"")};
        ASSERT(json_splice_patch(arena, &patch, &slices, &err) == ERR_OK);
    }

    char *text = fuzz_join(&slices);
    CLEANUP(json_free) struct json_doc *doc = NULL;
    enum err_code rc = json_parse(arena, (struct str){text, slices.len}, &doc, &err);

    ASSERT(rc == ERR_OK || strstr(err.msg, "more than") != NULL);
    if (rc == ERR_OK) {
        const struct json_value *url = json_get(json_root(doc), "callback_url");
        struct task_draft again;

        ASSERT(str_is(json_text(doc, json_get(json_root(doc), "model")), "ep-1"));
        ASSERT(json_get(json_root(doc), "CallbackURL") == NULL);
        ASSERT((url != NULL) == (draft->callback_url.len > 0));
        ASSERT(url == NULL || str_eq(json_text(doc, url), draft->callback_url));
        /* what we send is a create by our own judgement, and asks for the same */
        ASSERT(ark_decode_create(doc, (struct str){text, slices.len}, arena, &again, &err) ==
               ERR_OK);
        ASSERT(again.images == draft->images && again.videos == draft->videos &&
               again.audios == draft->audios && again.duration == draft->duration &&
               again.frames == draft->frames && str_eq(again.resolution, draft->resolution) &&
               str_eq(again.ratio, draft->ratio) && str_eq(again.tier, draft->tier));
        ASSERT(draft->draft_task.len == 0 || str_is(again.draft_task, "cgt-1"));
    }
    json_free(&doc);
    free(text);
}

static void check_create(struct str body)
{
    CLEANUP(arena_fini) struct arena arena = {0};
    CLEANUP(json_free) struct json_doc *doc = NULL;
    struct task_draft draft;
    struct str model;
    struct err err;

    arena_init(&arena, 16 << 20);
    if (json_parse(&arena, body, &doc, &err) != ERR_OK)
        return;
    if (ark_decode_create(doc, body, &arena, &draft, &err) != ERR_OK) {
        fuzz_check_err(&err);
        return;
    }
    ASSERT(ark_decode_model(doc, &model, &err) == ERR_OK && str_eq(model, draft.model_asked));
    ASSERT(ark_names_check(doc, &err) == ERR_OK);
    check_texts(&draft, body);
    check_numbers(&draft);
    check_outgoing(&arena, &draft);
}

static void check_prompt(struct str prompt)
{
    static const char more[] = " --rs 1080p --dur 11";
    struct draft_inline found;
    char *text = malloc(prompt.len + sizeof(more));

    (void)ark_inline_read(prompt, &found);
    ASSERT(fuzz_within(prompt, found.resolution) && fuzz_within(prompt, found.ratio));
    /* whatever stands before: the last word on a parameter is the one that counts */
    ASSERT(text != NULL);
    (void)snprintf(text, prompt.len + sizeof(more), "%.*s%s", (int)prompt.len, prompt.ptr,
                   more);
    (void)ark_inline_read(str_from(text), &found);
    ASSERT(str_is(found.resolution, "1080p") && found.has_duration && found.duration == 11);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};

    if (size > 0 && data[0] != '{')
        check_prompt(text);
    else
        check_create(text);
    return 0;
}
