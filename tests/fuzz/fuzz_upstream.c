/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target for Ark's answers: tasks alone and in lists, errors, the answer of a create.
 * Numbers stay where sums with them cannot overflow, and no message keeps what is ours or
 * the operator's. A text that does not begin as an object is redacted as it is. */
#include "gateway/upstream/ark_parts.h"

#include "tests/fuzz/fuzz.h"

/* ---- what must be gone ------------------------------------------------------------ */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* An id's first letters, and at least one more. */
static bool is_id(struct str rest)
{
    static const char *const starts[] = {"ep-", "cgt-", "doubao-"};

    for (size_t i = 0; i < COUNT_OF(starts); i++) {
        size_t len = strlen(starts[i]);

        if (str_starts_nocase(rest, str_from(starts[i])) && rest.len > len &&
            (is_letter(rest.ptr[len]) || is_digit(rest.ptr[len])))
            return true;
    }
    return false;
}

/* No word begins as an endpoint or a task of Ark's, no number is as long as an account's. */
static void check_redacted(const char *text)
{
    size_t digits = 0;

    for (size_t i = 0; text[i] != '\0'; i++) {
        digits = is_digit(text[i]) ? digits + 1 : 0;
        ASSERT(digits < 8);
        /* a dash in a word is no word's end: "step-by-step" */
        if (i == 0 || (!is_letter(text[i - 1]) && !is_digit(text[i - 1]) &&
                       strchr("-._*", text[i - 1]) == NULL))
            ASSERT(!is_id(str_from(text + i)));
    }
}

static void check_redact(struct str message)
{
    static const char ids[][40] = {"ep-20250131120000-abcde", "2100123456",
                                   "cgt-20250131120000-x1y2z", "0123456789abcdef01234567"};
    char text[256], around[512];

    ark_wire_redact(message, text, sizeof(text));
    check_redacted(text);
    ASSERT(!str_is_utf8(message) || str_is_utf8(str_from(text)));
    /* whatever stands in front, an id as a word of its own goes */
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        struct str front = {message.ptr, message.len < 64 ? message.len : 64};
        CLEANUP(buf_fini) struct buf whole = {0};

        buf_init(&whole, sizeof(around));
        buf_put_str(&whole, front);
        buf_printf(&whole, " (%s).", ids[i]);
        ark_wire_redact(buf_str(&whole), around, sizeof(around));
        ASSERT(memmem(around, strlen(around), ids[i], strlen(ids[i])) == NULL);
    }
}

/* ---- what Ark says ------------------------------------------------------------------ */

static void check_task(const struct upstream_task *task, struct str whole)
{
    const struct str texts[] = {task->model,     task->resolution,        task->ratio,
                                task->tier,      task->safety_identifier, task->output_format,
                                task->video_url, task->last_frame_url,    task->error_code};
    struct err err;

    ASSERT(service_is_upstream_id(task->id));
    ASSERT(state_shown(task->state) == task->state && task->state != TASK_REFUSED);
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        ASSERT(str_is_utf8(texts[i]));
    ASSERT(task->created_s >= 0 && task->created_s < INT64_MAX / 1000000);
    ASSERT(task->updated_s >= 0 && task->updated_s < INT64_MAX / 1000000);
    ASSERT(!task->has_duration || (task->duration >= -1 && task->duration <= 86400));
    ASSERT(!task->has_frames || (task->frames > 0 && task->frames <= 86400 * 24));
    ASSERT(!task->has_tool_uses || task->tool_uses >= 0);
    ASSERT(task->output_format.len <= TASK_FORMAT_MAX);
    ASSERT(task->error_message.len <= TASK_ERROR_TEXT_MAX && str_is_utf8(task->error_message));
    if (task->error_message.len > 0)
        check_redacted(task->error_message.ptr);
    ASSERT(!ark_wire_is_ours(task->error_code));
    /* the evidence is Ark's bytes, and JSON by itself */
    ASSERT(fuzz_within(whole, task->body) && json_gate(task->body, &err) == ERR_OK);
}

static void check_tasks(struct str body)
{
    CLEANUP(arena_fini) struct arena arena = {0};
    CLEANUP(json_free) struct json_doc *doc = NULL;
    const struct json_value *items;
    struct upstream_task task;
    struct err err;

    arena_init(&arena, 8 << 20);
    if (json_parse(&arena, body, &doc, &err) != ERR_OK)
        return;
    if (ark_wire_task(doc, json_root(doc), &arena, &task))
        check_task(&task, body);
    items = json_get(json_root(doc), "items");
    for (const struct json_value *item = json_first(items); item != NULL;
         item = json_next(item)) {
        if (ark_wire_task(doc, item, &arena, &task))
            check_task(&task, body);
    }
}

static void check_answers(struct str body)
{
    char id[TASK_ID_MAX + 1], code[96], message[512];

    if (ark_wire_created(body, id))
        ASSERT(service_is_upstream_id(str_from(id)));
    if (ark_wire_error(body, code, sizeof(code), message, sizeof(message))) {
        ASSERT(code[0] != '\0' && str_is_utf8(str_from(code)));
        ASSERT(str_is_utf8(str_from(message)));
        check_redacted(message);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};

    if (size > 0 && data[0] != '{') {
        check_redact(text);
        return 0;
    }
    check_tasks(text);
    check_answers(text);
    return 0;
}
