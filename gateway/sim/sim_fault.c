/* SPDX-License-Identifier: Apache-2.0 */
/* The table of fault actions and the list of faults waiting for a call. What an
 * action does is decided where it happens: sim_api.c for requests, sim_task.c
 * for tasks. */
#include "gateway/sim/sim_parts.h"

#include <stdlib.h>
#include <string.h>

enum {
    FAULTS_MAX = 1000,       /* waiting at once; a test needs a handful */
    LONGEST_MS = 600 * 1000, /* no client waits longer than its own ten minutes */
    DRIP_MS = 50             /* "drip" alone */
};

enum action_type { ACTION_INT, ACTION_FLAG, ACTION_TEXT };

static const struct action {
    const char *name;
    enum action_type type;
    bool of_task;
    size_t offset, size; /* size: of a text member */
    int64_t min, max;
    const char *words; /* " a b " accepted texts; NULL: any, see text_ok */
} actions[] = {
#define AT(member) offsetof(struct sim_fault, member)
#define SIZE(member) sizeof(((struct sim_fault *)0)->member)
    {"delay_ms", ACTION_INT, false, AT(delay_ms), 0, 0, LONGEST_MS, NULL},
    {"status", ACTION_INT, false, AT(status), 0, 200, 599, NULL},
    {"made", ACTION_FLAG, false, AT(made), 0, 0, 0, NULL},
    {"code", ACTION_TEXT, false, AT(code), SIZE(code), 0, 0, NULL},
    {"message", ACTION_TEXT, false, AT(message), SIZE(message), 0, 0, NULL},
    {"drop", ACTION_TEXT, false, AT(drop), SIZE(drop), 0, 0,
     " before after reset_before reset_after "},
    {"truncate", ACTION_INT, false, AT(truncate), 0, 0, SIM_BODY_MAX, NULL},
    {"malform", ACTION_FLAG, false, AT(malform), 0, 0, 0, NULL},
    {"empty", ACTION_FLAG, false, AT(empty), 0, 0, 0, NULL},
    {"no_id", ACTION_FLAG, false, AT(no_id), 0, 0, 0, NULL},
    {"hang_ms", ACTION_INT, false, AT(hang_ms), 0, 0, LONGEST_MS, NULL},
    {"drip", ACTION_INT, false, AT(drip), 0, 1, 10000, NULL},
    {"fail", ACTION_TEXT, true, AT(fail), SIZE(fail), 0, 0, NULL},
    {"stay", ACTION_TEXT, true, AT(stay), SIZE(stay), 0, 0, " queued running "},
    {"expire", ACTION_FLAG, true, AT(expire), 0, 0, 0, NULL},
    {"vanish", ACTION_FLAG, true, AT(vanish), 0, 0, 0, NULL},
    {"final_resolution", ACTION_TEXT, true, AT(final_resolution), SIZE(final_resolution), 0, 0,
     " 480p 720p 1080p 4k "},
    {"final_ratio", ACTION_TEXT, true, AT(final_ratio), SIZE(final_ratio), 0, 0,
     " 16:9 4:3 1:1 3:4 9:16 21:9 "},
    {"final_duration", ACTION_INT, true, AT(final_duration), 0, 1, SIM_SECONDS_MAX, NULL},
    {"usage", ACTION_TEXT, true, AT(usage), SIZE(usage), 0, 0, NULL},
    {"no_video_url", ACTION_FLAG, true, AT(no_video_url), 0, 0, 0, NULL},
    {"finish_before_delete", ACTION_FLAG, true, AT(finish_before_delete), 0, 0, 0, NULL},
    {"queue_ms", ACTION_INT, true, AT(queue_ms), 0, 0, INT64_C(31536000000), NULL},
    {"searches", ACTION_INT, true, AT(searches), 0, 0, 1000, NULL},
    {"run_ms", ACTION_INT, true, AT(run_ms), 0, 0, INT64_C(31536000000), NULL},
#undef AT
#undef SIZE
};

static const char *const on_names[SIM_ON_COUNT] = {
    [SIM_ON_CREATE] = "create",
    [SIM_ON_GET] = "get",
    [SIM_ON_LIST] = "list",
    [SIM_ON_DELETE] = "delete",
};

const char *sim_fault_on_name(enum sim_on on)
{
    return on_names[on];
}

void sim_fault_init(struct sim_fault *fault)
{
    *fault = (struct sim_fault){.truncate = -1, .queue_ms = -1, .run_ms = -1, .searches = -1};
}

static const struct action *find(struct str name)
{
    for (size_t i = 0; i < COUNT_OF(actions); i++)
        if (str_is(name, actions[i].name))
            return &actions[i];
    return NULL;
}

static bool is_word(const char *words, struct str value)
{
    char padded[32];

    if (value.len == 0 || value.len + 3 > sizeof(padded) ||
        memchr(value.ptr, ' ', value.len) != NULL)
        return false;
    padded[0] = ' ';
    memcpy(padded + 1, value.ptr, value.len);
    memcpy(padded + 1 + value.len, " ", 2);
    return strstr(words, padded) != NULL;
}

static bool text_ok(const struct action *action, struct str value)
{
    int64_t number;

    if (action->words != NULL)
        return is_word(action->words, value);
    if (strcmp(action->name, "usage") == 0)
        return is_word(" missing negative huge ", value) || str_to_i64(value, &number);
    return value.len > 0;
}

static bool set_flag(bool *flag, struct str value)
{
    bool on = value.len == 0 || str_is(value, "true") || str_is(value, "1");

    if (!on && !str_is(value, "false") && !str_is(value, "0"))
        return false;
    *flag = on;
    return true;
}

bool sim_fault_set(struct sim_fault *fault, struct str name, struct str value)
{
    const struct action *action = find(name);
    int64_t number;

    if (action == NULL)
        return false;
    char *member = (char *)fault + action->offset;

    switch (action->type) {
    case ACTION_FLAG:
        if (!set_flag((bool *)member, value))
            return false;
        break;
    case ACTION_INT:
        if (str_is(name, "drip") && (value.len == 0 || str_is(value, "true")))
            number = DRIP_MS;
        else if (!str_to_i64(value, &number))
            return false;
        if (number < action->min || number > action->max)
            return false;
        *(int64_t *)(void *)member = number;
        break;
    case ACTION_TEXT:
        if (!text_ok(action, value) || !str_copy(member, action->size, value))
            return false;
        break;
    }
    fault->any_task_action |= action->of_task;
    return true;
}

/* Cuts the next word off *text; empty at the end. */
static struct str next_word(struct str *text)
{
    struct str rest = str_trim(*text), word = {rest.ptr, 0};

    while (word.len < rest.len && rest.ptr[word.len] != ' ' && rest.ptr[word.len] != '\t' &&
           rest.ptr[word.len] != '\n')
        word.len++;
    *text = (struct str){rest.ptr + word.len, rest.len - word.len};
    return word;
}

/* A code alone means its own status. */
static bool complete(struct sim_fault *fault, struct sim_refusal *refusal)
{
    if (fault->code[0] != '\0' && fault->status == 0)
        fault->status = sim_error_status(fault->code);
    return fault->code[0] == '\0' || fault->status != 0 ||
           sim_answer_refuse(refusal, 400, "InvalidParameter", "code",
                             "The code %s is not in Ark's table: name a status, too.",
                             fault->code);
}

bool sim_fault_marker(struct sim_fault *fault, struct str prompt, struct sim_refusal *refusal)
{
    static const char opening[] = "[sim:";

    for (;;) {
        const char *at = prompt.len < sizeof(opening)
                             ? NULL
                             : memmem(prompt.ptr, prompt.len, opening, sizeof(opening) - 1);
        if (at == NULL)
            return complete(fault, refusal);
        at += sizeof(opening) - 1;
        size_t left = (size_t)(prompt.ptr + prompt.len - at);
        const char *end = memchr(at, ']', left);

        if (end == NULL)
            return sim_answer_refuse(refusal, 400, "InvalidParameter", "content",
                                     "The simulator's marker \"[sim:\" has no \"]\".");
        struct str inside = {at, (size_t)(end - at)};

        for (struct str word = next_word(&inside); word.len > 0; word = next_word(&inside)) {
            const char *equals = memchr(word.ptr, '=', word.len);
            size_t name_len = equals == NULL ? word.len : (size_t)(equals - word.ptr);
            size_t skip = equals == NULL ? name_len : name_len + 1;

            if (!sim_fault_set(fault, (struct str){word.ptr, name_len},
                               (struct str){word.ptr + skip, word.len - skip}))
                return sim_answer_refuse(refusal, 400, "InvalidParameter", "content",
                                         "The simulator does not know the action %.*s.",
                                         (int)(word.len < 80 ? word.len : 80), word.ptr);
        }
        prompt = (struct str){end + 1, (size_t)(prompt.ptr + prompt.len - end - 1)};
    }
}

/* Reads the members of "do". Task actions make sense when a task is made, and
 * one of them when a DELETE arrives. */
static bool read_actions(const struct json_doc *doc, const struct json_value *object,
                         enum sim_on on, struct sim_fault *fault, struct sim_refusal *refusal)
{
    for (const struct json_value *item = json_first(object); item != NULL;
         item = json_next(item)) {
        struct str name = str_from(json_name(item));
        struct str value =
            json_type(item) == JSON_STRING ? json_text(doc, item) : json_raw(doc, item);
        const struct action *action = find(name);

        if (action == NULL || !sim_fault_set(fault, name, value))
            return sim_answer_refuse(refusal, 400, "InvalidParameter", "do",
                                     "Unknown action or bad value: %s.", json_name(item));
        if (action->of_task && on != SIM_ON_CREATE &&
            !(on == SIM_ON_DELETE && str_is(name, "finish_before_delete")))
            return sim_answer_refuse(refusal, 400, "InvalidParameter", "do",
                                     "The action %s is not for %s.", json_name(item),
                                     on_names[on]);
    }
    return complete(fault, refusal);
}

bool sim_fault_add(struct sim *sim, const struct json_doc *doc, struct sim_refusal *refusal)
{
    const struct json_value *root = json_root(doc), *object = json_get(root, "do");
    struct str on_name = json_text(doc, json_get(root, "on"));
    struct sim_fault_entry *entry = NULL, **last;
    struct sim_fault fault;
    int64_t times = 1, waiting = 0;
    int on = 0;

    while (on < SIM_ON_COUNT && !str_is(on_name, on_names[on]))
        on++;
    if (on == SIM_ON_COUNT)
        return sim_answer_refuse(refusal, 400, "InvalidParameter", "on",
                                 "on must be create, get, list or delete.");
    if (json_get(root, "times") != NULL &&
        (!json_int(json_get(root, "times"), &times) || times < -1 || times == 0))
        return sim_answer_refuse(refusal, 400, "InvalidParameter", "times",
                                 "times must be -1 or at least 1.");
    if (object == NULL || json_type(object) != JSON_OBJECT)
        return sim_answer_refuse(refusal, 400, "InvalidParameter", "do",
                                 "do must be an object.");
    sim_fault_init(&fault);
    if (!read_actions(doc, object, (enum sim_on)on, &fault, refusal))
        return false;
    entry = calloc(1, sizeof(*entry));
    if (entry == NULL)
        return sim_answer_refuse(refusal, 500, "InternalServiceError", "", "Out of memory.");
    *entry = (struct sim_fault_entry){(enum sim_on)on, times, fault, NULL};
    lock_take(&sim->lock);
    for (last = &sim->faults; *last != NULL; last = &(*last)->next)
        waiting++;
    if (waiting < FAULTS_MAX)
        *last = entry;
    lock_drop(&sim->lock);
    if (waiting < FAULTS_MAX)
        return true;
    free(entry);
    return sim_answer_refuse(refusal, 429, "QuotaExceeded", "", "Too many faults wait.");
}

void sim_fault_take(struct sim *sim, enum sim_on on, struct sim_fault *ret_fault)
{
    struct sim_fault_entry **at, *used = NULL;

    sim_fault_init(ret_fault);
    lock_take(&sim->lock);
    for (at = &sim->faults; *at != NULL && (*at)->on != on; at = &(*at)->next)
        continue;
    if (*at != NULL) {
        *ret_fault = (*at)->fault;
        if ((*at)->times > 0 && --(*at)->times == 0) {
            used = *at;
            *at = used->next;
        }
    }
    lock_drop(&sim->lock);
    free(used);
}

void sim_fault_clear(struct sim *sim)
{
    lock_take(&sim->lock);
    struct sim_fault_entry *entry = sim->faults;

    sim->faults = NULL;
    lock_drop(&sim->lock);
    while (entry != NULL) {
        struct sim_fault_entry *next = entry->next;

        free(entry);
        entry = next;
    }
}
