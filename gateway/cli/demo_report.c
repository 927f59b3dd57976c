/* SPDX-License-Identifier: Apache-2.0 */
/* The demo's summary: every number in it is read back from ffprobe, the task's
 * record, the account or the ledger; nothing is computed here. */
#include "gateway/cli/demo_parts.h"

#include "base/json.h"

#include <stdio.h>
#include <string.h>

enum {
    OUTPUT_MAX = 1 << 20, /* a task's record has some kB */
    ARENA_MAX = 4 << 20,
    CHARGE_WAIT_US = 10000000, /* an end is booked within a second */
    CHARGE_LOOK_US = 100000
};

/* A document that a child printed; root borrows from it. */
struct answer {
    struct buf text;
    struct arena arena;
    struct json_doc *doc;
};

static void answer_fini(struct answer *answer)
{
    json_free(&answer->doc);
    arena_fini(&answer->arena);
    buf_fini(&answer->text);
}

static enum err_code ask(const char *dir, const char *name, const char *const *argv,
                         struct answer *ret_answer, struct err *err)
{
    buf_init(&ret_answer->text, OUTPUT_MAX);
    arena_init(&ret_answer->arena, ARENA_MAX);
    TRY(demo_child_run(dir, name, argv, &ret_answer->text, err));
    return json_parse(&ret_answer->arena, buf_str(&ret_answer->text), &ret_answer->doc, err);
}

/* A text or number member as it stands in the document; "?" when absent. */
static struct str member(const struct answer *answer, const struct json_value *object,
                         const char *name)
{
    const struct json_value *value = json_get(object, name);

    if (value == NULL)
        return STR("?");
    return json_type(value) == JSON_STRING ? json_text(answer->doc, value)
                                           : json_raw(answer->doc, value);
}

#define SHOW(text) (int)(text).len, (text).ptr

static enum err_code report_file(const struct demo_place *place, const struct demo_video *video,
                                 struct err *err)
{
    const char *argv[] = {"ffprobe",
                          "-v",
                          "error",
                          "-select_streams",
                          "v:0",
                          "-show_entries",
                          "stream=codec_name,pix_fmt,width,height,r_frame_rate,duration",
                          "-of",
                          "json",
                          video->file,
                          NULL};
    CLEANUP(answer_fini) struct answer answer = {0};

    TRY(ask(place->dir, "ffprobe", argv, &answer, err));
    const struct json_value *stream = json_first(json_get(json_root(answer.doc), "streams"));

    if (stream == NULL)
        return err_set(err, ERR_IO, "%s holds no video", video->file);
    struct str fps = member(&answer, stream, "r_frame_rate");

    if (fps.len > 2 && memcmp(fps.ptr + fps.len - 2, "/1", 2) == 0)
        fps.len -= 2;
    (void)printf(
        "  video       %.*sx%.*s, %.*s %.*s, %.*s fps, %.*s s\n",
        SHOW(member(&answer, stream, "width")), SHOW(member(&answer, stream, "height")),
        SHOW(member(&answer, stream, "codec_name")), SHOW(member(&answer, stream, "pix_fmt")),
        SHOW(fps), SHOW(member(&answer, stream, "duration")));
    (void)printf("  file        %s, %zu bytes\n", video->file, video->bytes);
    return ERR_OK;
}

/* A video that succeeded is never free. */
static bool is_charged(const struct answer *answer)
{
    const struct json_value *charge = json_get(json_root(answer->doc), "charge");

    return charge != NULL && !str_is(json_text(answer->doc, charge), "0");
}

/* The record of an ended task; waits until its end is booked. */
static enum err_code ask_charged(const struct demo_place *place, const char *id,
                                 struct answer *ret_answer, struct err *err)
{
    const char *argv[] = {place->binary, "task", "show", id,  "--data",
                          place->data,   "-o",   "json", NULL};
    int64_t deadline_us = sys_mono_us() + CHARGE_WAIT_US;

    for (;;) {
        struct answer answer = {0};
        enum err_code rc = ask(place->dir, "task-show", argv, &answer, err);

        if (rc == ERR_OK && is_charged(&answer)) {
            *ret_answer = answer;
            return ERR_OK;
        }
        answer_fini(&answer);
        TRY(rc);
        if (sys_mono_us() > deadline_us)
            return err_set(err, ERR_IO, "task %s was not charged", id);
        if (demo_child_wait(CHARGE_LOOK_US))
            return err_set(err, ERR_IO, "interrupted");
    }
}

static enum err_code report_charge(const struct demo_place *place,
                                   const struct demo_video *video, struct err *err)
{
    CLEANUP(answer_fini) struct answer answer = {0};

    TRY(ask_charged(place, video->id, &answer, err));
    const struct json_value *task = json_root(answer.doc);
    struct str currency = member(&answer, task, "currency");
    struct str unit = member(&answer, task, "unit");

    if (str_is(unit, "mtoken"))
        unit = STR("million tokens");
    (void)printf("  tokens      %.*s\n", SHOW(member(&answer, task, "tokens")));
    (void)printf("  unit price  %.*s %.*s per %.*s (%.*s)\n", SHOW(currency),
                 SHOW(member(&answer, task, "unit_price")), SHOW(unit),
                 SHOW(member(&answer, task, "sku")));
    (void)printf("  charge      %.*s %.*s (held until the end: %.*s)\n", SHOW(currency),
                 SHOW(member(&answer, task, "charge")), SHOW(member(&answer, task, "hold")));
    return ERR_OK;
}

static enum err_code report_account(const struct demo_place *place, struct err *err)
{
    const char *argv[] = {place->binary, "tenant", "show", place->tenant, "--data",
                          place->data,   "-o",     "json", NULL};
    CLEANUP(answer_fini) struct answer answer = {0};

    TRY(ask(place->dir, "tenant-show", argv, &answer, err));
    const struct json_value *tenant = json_root(answer.doc);

    (void)printf("Balance of %s\n  available   %.*s %.*s\n  held        %.*s\n"
                 "  charged     %.*s\n\n",
                 place->tenant, SHOW(member(&answer, tenant, "currency")),
                 SHOW(member(&answer, tenant, "available")),
                 SHOW(member(&answer, tenant, "held")),
                 SHOW(member(&answer, tenant, "charged")));
    return ERR_OK;
}

/* Its members, whatever they are: what the ledger proves is its own business. */
static enum err_code report_ledger(const struct demo_place *place, struct err *err)
{
    const char *argv[] = {place->binary, "ledger", "verify", "--data",
                          place->data,   "-o",     "json",   NULL};
    CLEANUP(answer_fini) struct answer answer = {0};

    TRY(ask(place->dir, "ledger-verify", argv, &answer, err));
    (void)printf("Ledger, verified from its first entry to its last\n");
    for (const struct json_value *child = json_first(json_root(answer.doc)); child != NULL;
         child = json_next(child)) {
        const char *name = json_name(child);

        (void)printf("  %-11s %.*s\n", name,
                     SHOW(member(&answer, json_root(answer.doc), name)));
    }
    (void)putchar('\n');
    return ERR_OK;
}

enum err_code demo_report(const struct demo_place *place, const struct demo_video *videos,
                          struct err *err)
{
    for (size_t i = 0; i < DEMO_VIDEOS; i++) {
        (void)printf("%s: task %s, done in %.1f s\n", videos[i].label, videos[i].id,
                     (double)videos[i].took_us / 1e6);
        TRY(report_file(place, &videos[i], err));
        TRY(report_charge(place, &videos[i], err));
        (void)putchar('\n');
    }
    TRY(report_account(place, err));
    return report_ledger(place, err);
}
