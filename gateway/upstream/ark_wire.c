/* SPDX-License-Identifier: Apache-2.0 */
/* Ark's JSON: task objects, error objects, the answer of a create, and what must
 * not reach a tenant out of any of them. */
#include "gateway/upstream/ark_parts.h"

#include <string.h>

enum { SECONDS_MAX = 86400 }; /* no video is longer than a day; microseconds must fit */

static struct str text_of(const struct json_doc *doc, const struct json_value *object,
                          const char *name)
{
    const struct json_value *value = json_get(object, name);

    return value != NULL && json_type(value) == JSON_STRING ? json_text(doc, value)
                                                            : (struct str){"", 0};
}

static bool int_of(const struct json_value *object, const char *name, int64_t *ret_value)
{
    const struct json_value *value = json_get(object, name);

    *ret_value = 0;
    return value != NULL && json_int(value, ret_value);
}

/* A moment in seconds that also fits as microseconds; 0 when there is none. */
static int64_t seconds_of(const struct json_value *object, const char *name)
{
    int64_t seconds;

    return int_of(object, name, &seconds) && seconds > 0 && seconds < INT64_MAX / 1000000
               ? seconds
               : 0;
}

/* Only the words that Ark uses; ours ("unknown", "refused") are no statuses. */
static bool ark_status(struct str word, enum task_state *ret_state)
{
    static const enum task_state known[] = {TASK_QUEUED, TASK_RUNNING, TASK_SUCCEEDED,
                                            TASK_FAILED, TASK_EXPIRED, TASK_CANCELLED};

    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (str_is(word, state_name(known[i]))) {
            *ret_state = known[i];
            return true;
        }
    }
    return false;
}

/* ---- redaction --------------------------------------------------------------- */

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '_' || c == '.' || c == '*';
}

static bool is_punctuation(char c)
{
    return c == '.' || c == '-' || c == '_';
}

static bool all_digits_or_long_hex(struct str word)
{
    size_t digits = 0, hex = 0;

    for (size_t i = 0; i < word.len; i++) {
        bool digit = word.ptr[i] >= '0' && word.ptr[i] <= '9';

        digits += digit;
        hex += digit || (word.ptr[i] >= 'a' && word.ptr[i] <= 'f');
    }
    /* Account numbers have 10 digits, request ids over 30 hex digits. */
    return (digits == word.len && word.len >= 8) || (hex == word.len && word.len >= 24);
}

/* Keys, endpoints and accounts under whatever name mix both and are long; the masks of keys
 * are stars. Ark's own words ("reference_image", "1080p", "H.265") do not or are not. */
static bool is_like_an_id(struct str word)
{
    enum { MIXED_MIN = 12, RUN_MAX = 7 }; /* the shortest account number has 8 digits */
    size_t digits = 0, letters = 0, run = 0;

    for (size_t i = 0; i < word.len; i++) {
        char c = word.ptr[i];

        digits += c >= '0' && c <= '9';
        run = c >= '0' && c <= '9' ? run + 1 : 0;
        if (run > RUN_MAX)
            return true;
        letters += (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (i > 0 && c == '*' && word.ptr[i - 1] == '*')
            return true;
    }
    return digits > 0 && letters > 0 && word.len >= MIXED_MIN;
}

/* "ark.internal.example", "10.1.2.3", but neither "15.2" nor "content.image_url.url". */
static bool is_like_a_host(struct str word)
{
    static const char *const ends[] = {".com", ".cn", ".net", ".org", ".io", ".local"};
    size_t dots = 0;

    for (size_t i = 0; i < word.len; i++) {
        if (word.ptr[i] == '_')
            return false;
        dots += word.ptr[i] == '.';
    }
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        struct str end = str_from(ends[i]);

        if (word.len > end.len &&
            str_eq_nocase((struct str){word.ptr + word.len - end.len, end.len}, end))
            return true;
    }
    return dots >= 2;
}

/* What stands in for an id, or NULL when the word is none. */
static const char *stand_in_for_id(struct str word)
{
    if (str_starts_nocase(word, STR("ep-")) || str_starts_nocase(word, STR("doubao-")) ||
        str_starts_nocase(word, STR("dreamina-")) || str_starts_nocase(word, STR("seedance-")))
        return "the requested model";
    if (str_starts_nocase(word, STR("cgt-")))
        return "the task";
    if (str_starts_nocase(word, STR("ag-")) && word.len > 20)
        return "(hidden)";
    return all_digits_or_long_hex(word) || is_like_an_id(word) ? "(hidden)" : NULL;
}

static const char *stand_in(struct str word)
{
    const char *instead = stand_in_for_id(word);

    return instead == NULL && is_like_a_host(word) ? "(hidden)" : instead;
}

/* A code without what follows a part that is an id: "NotFound.ep-…" is "NotFound". */
static struct str without_ids(struct str code)
{
    for (size_t at = 0, end; at < code.len; at = end + 1) {
        for (end = at; end < code.len && code.ptr[end] != '.'; end++)
            continue;
        if (stand_in_for_id((struct str){code.ptr + at, end - at}) != NULL)
            return at > 0 ? (struct str){code.ptr, at - 1} : STR("InvalidParameter");
    }
    return code;
}

/* Ark ends messages with its own request id; ours follows in its place. */
static struct str without_request_id(struct str message)
{
    for (size_t i = 0; i < message.len; i++) {
        struct str rest = {message.ptr + i, message.len - i};

        if (str_starts_nocase(rest, STR("request id:")))
            return str_trim((struct str){message.ptr, i});
    }
    return str_trim(message);
}

void ark_wire_redact(struct str message, char *dst, size_t size)
{
    CLEANUP(buf_fini) struct buf out = {0};
    size_t at = 0;

    buf_init(&out, 16384);
    message = without_request_id(message);
    while (at < message.len) {
        struct str word = {message.ptr + at, 0};
        const char *instead;

        while (at + word.len < message.len && is_word_char(word.ptr[word.len]))
            word.len++;
        /* The end of a sentence is no part of an id, nor is a dash in front of it. */
        while (word.len > 1 && is_punctuation(word.ptr[word.len - 1]))
            word.len--;
        if (word.len == 0 || is_punctuation(word.ptr[0])) {
            buf_put(&out, message.ptr + at, 1);
            at++;
            continue;
        }
        instead = stand_in(word);
        if (instead != NULL)
            buf_puts(&out, instead);
        else
            buf_put_str(&out, word);
        at += word.len;
    }
    str_copy_cut(dst, size, buf_str(&out));
}

bool ark_wire_is_ours(struct str code)
{
    static const char *const starts[] = {
        "InvalidEndpoint.", "InvalidSubscription", "InvalidAccountStatus", "Account",
        "OperationDenied",  "ModelNotOpen",        "AuthenticationError",  "AccessDenied"};

    for (size_t i = 0; i < COUNT_OF(starts); i++) {
        if (str_starts_nocase(code, str_from(starts[i])))
            return true;
    }
    return false;
}

/* ---- what Ark says ------------------------------------------------------------ */

static void read_error(const struct json_doc *doc, const struct json_value *value,
                       struct arena *arena, struct upstream_task *task)
{
    const struct json_value *error = json_get(value, "error");
    char *redacted = arena_alloc(arena, TASK_ERROR_TEXT_MAX + 1);

    if (error == NULL)
        error = json_get(value, "failure_reason"); /* lists of older clients' shape */
    if (error == NULL)
        return;
    task->error_code = without_ids(text_of(doc, error, "code"));
    /* What is wrong between Ark and the operator is none of the tenant's business. */
    if (ark_wire_is_ours(task->error_code)) {
        task->error_code = STR("InternalServiceError");
        task->error_message = STR("The task could not be completed.");
        return;
    }
    if (redacted == NULL)
        return;
    ark_wire_redact(text_of(doc, error, "message"), redacted, TASK_ERROR_TEXT_MAX + 1);
    task->error_message = str_from(redacted);
}

bool ark_wire_task(const struct json_doc *doc, const struct json_value *value,
                   struct arena *arena, struct upstream_task *ret_task)
{
    struct upstream_task task = {.id = text_of(doc, value, "id")};
    const struct json_value *content = json_get(value, "content");
    const struct json_value *usage = json_get(value, "usage");
    const struct json_value *audio = json_get(value, "generate_audio");
    const struct json_value *tools = json_get(usage, "tool_usage");

    if (!service_is_upstream_id(task.id) ||
        !ark_status(text_of(doc, value, "status"), &task.state))
        return false;
    task.created_s = seconds_of(value, "created_at");
    task.updated_s = seconds_of(value, "updated_at");
    task.model = text_of(doc, value, "model");
    task.resolution = text_of(doc, value, "resolution");
    task.ratio = text_of(doc, value, "ratio");
    task.tier = text_of(doc, value, "service_tier");
    task.safety_identifier = text_of(doc, value, "safety_identifier");
    task.has_duration = int_of(value, "duration", &task.duration) && task.duration >= -1 &&
                        task.duration <= SECONDS_MAX;
    task.has_frames = int_of(value, "frames", &task.frames) && task.frames > 0 &&
                      task.frames <= SECONDS_MAX * 24;
    task.has_fps = int_of(value, "framespersecond", &task.fps);
    task.has_seed = int_of(value, "seed", &task.seed);
    task.has_priority = int_of(value, "priority", &task.priority);
    task.has_expires_after = int_of(value, "execution_expires_after", &task.expires_after);
    task.has_audio = audio != NULL && json_bool(audio, &task.audio);
    task.has_tokens = int_of(usage, "completion_tokens", &task.tokens);
    task.has_total_tokens = int_of(usage, "total_tokens", &task.total_tokens);
    task.has_tool_uses = int_of(tools, "web_search", &task.tool_uses) && task.tool_uses >= 0;
    task.has_draft = json_bool(json_get(value, "draft"), &task.draft);
    task.output_format = text_of(doc, value, "output_format");
    if (task.output_format.len > TASK_FORMAT_MAX)
        task.output_format = (struct str){"", 0};
    task.video_url = text_of(doc, content, "video_url");
    task.last_frame_url = text_of(doc, content, "last_frame_url");
    read_error(doc, value, arena, &task);
    task.body = json_raw(doc, value);
    *ret_task = task;
    return true;
}

/* A small document of its own, for answers of which little is kept. */
struct answer {
    struct arena arena;
    struct json_doc *doc;
};

static void answer_fini(struct answer *answer)
{
    json_free(&answer->doc);
    arena_fini(&answer->arena);
}

static const struct json_value *answer_parse(struct answer *answer, struct str body)
{
    struct err ignored = {0};

    arena_init(&answer->arena, 1 << 20);
    if (json_parse(&answer->arena, body, &answer->doc, &ignored) != ERR_OK)
        return NULL;
    const struct json_value *root = json_root(answer->doc);

    return json_type(root) == JSON_OBJECT ? root : NULL;
}

bool ark_wire_error(struct str body, char *ret_code, size_t code_size, char *ret_message,
                    size_t message_size)
{
    CLEANUP(answer_fini) struct answer answer = {0};
    const struct json_value *root = answer_parse(&answer, body);
    const struct json_value *error = root == NULL ? NULL : json_get(root, "error");

    if (error == NULL || json_type(error) != JSON_OBJECT)
        return false;
    struct str code = without_ids(text_of(answer.doc, error, "code"));

    if (code.len == 0)
        return false;
    str_copy_cut(ret_code, code_size, code);
    ark_wire_redact(text_of(answer.doc, error, "message"), ret_message, message_size);
    return true;
}

bool ark_wire_created(struct str body, char ret_id[TASK_ID_MAX + 1])
{
    CLEANUP(answer_fini) struct answer answer = {0};
    const struct json_value *root = answer_parse(&answer, body);
    struct str id = root == NULL ? (struct str){"", 0} : text_of(answer.doc, root, "id");

    return service_is_upstream_id(id) && str_copy(ret_id, TASK_ID_MAX + 1, id);
}
