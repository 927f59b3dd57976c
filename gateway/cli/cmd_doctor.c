/* SPDX-License-Identifier: Apache-2.0 */
/* arkgate doctor: what an operator should know about an installation, sick or well.
 * Opens everything itself and goes on when a part is broken; changes nothing. */
#include "gateway/cli/doctor_parts.h"

#include "gateway/task/task.h"
#include "tenancy/tenancy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    STRAYS_MAX = 1000,  /* as long as the longest page of a list */
    FREE_MIN_MIB = 256, /* a write-ahead log at its largest, and a backup's worth */
    OPEN_MAX_HOURS = 72 /* Ark's longest execution_expires_after */
};
static const struct str shipped_book = {"ark-cny", 7}; /* the one that ships */
#define HOUR_US (INT64_C(3600) * 1000000)

static void check_folder(struct checks *checks, const char *dir)
{
    struct stat now;

    if (stat(dir, &now) != 0)
        doctor_report_add(checks, "folder", STATUS_FAIL, "%s: %s", dir, strerror(errno));
    else if ((now.st_mode & 077) != 0)
        doctor_report_add(checks, "folder", STATUS_WARN, "%s has mode %04o: chmod 700 it", dir,
                          (unsigned)(now.st_mode & 07777));
    else
        doctor_report_add(checks, "folder", STATUS_OK, "%s, its owner's alone", dir);
}

static void check_disk(struct checks *checks, const char *dir)
{
    struct statvfs disk;

    if (statvfs(dir, &disk) != 0) {
        doctor_report_add(checks, "disk", STATUS_FAIL, "%s: %s", dir, strerror(errno));
        return;
    }
    /* 128 bits: no file system is that large. */
    __extension__ unsigned __int128 bytes = (unsigned __int128)disk.f_bavail * disk.f_frsize;
    uint64_t mib = (uint64_t)(bytes >> 20);

    doctor_report_add(checks, "disk", mib < FREE_MIN_MIB ? STATUS_WARN : STATUS_OK,
                      "%" PRIu64 " MiB free", mib);
}

/* ---- what the database says ------------------------------------------------------- */

struct survey {
    struct arena *arena;
    /* results, all of the last run */
    bool has_keys;
    char keys[80];
    int64_t upstreams;
    struct checks plain; /* upstreams without TLS */
    int64_t now_us;
    int64_t tool_price_nano; /* of one web search, in the shipped book */
    struct task_health health;
    struct task_stray *strays;
    int stray_count;
};

/* Nobody but this machine reads what goes to these. */
static bool is_loopback(const char *host)
{
    char name[UPSTREAM_URL_MAX + 1];
    struct in_addr v4;
    size_t len = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");

    if (!str_copy(name, sizeof(name), (struct str){host, strnlen(host, len)}))
        return false;
    return strcmp(name, "localhost") == 0 || strcmp(name, "[::1]") == 0 ||
           (inet_pton(AF_INET, name, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127);
}

static FALLIBLE keep_upstream(const struct upstream *upstream, void *ctx, struct err *err)
{
    static const char plain[] = "http://";
    struct survey *survey = ctx;

    (void)err;
    if (upstream->state == UPSTREAM_REMOVED)
        return ERR_OK;
    survey->upstreams++;
    if (strncmp(upstream->base_url, plain, strlen(plain)) == 0 &&
        !is_loopback(upstream->base_url + strlen(plain)))
        doctor_report_add(&survey->plain, "upstream", STATUS_WARN,
                          "%s is reached without TLS: its key travels readable",
                          upstream->name);
    return ERR_OK;
}

static FALLIBLE keep_stray(const struct task_stray *stray, void *ctx, struct err *err)
{
    struct survey *survey = ctx;

    (void)err;
    ASSERT(survey->stray_count < STRAYS_MAX);
    survey->strays[survey->stray_count++] = *stray;
    return ERR_OK;
}

static FALLIBLE read_tool_price(struct db_conn *conn, struct survey *survey, struct err *err)
{
    int64_t version;
    enum err_code rc = price_version(conn, shipped_book, survey->now_us, &version, err);

    survey->tool_price_nano = 0;
    if (rc == ERR_UNAVAILABLE) { /* serve has not been started yet */
        *err = (struct err){0};
        return ERR_OK;
    }
    TRY(rc);
    return price_tool(conn, shipped_book, version, &survey->tool_price_nano, err);
}

static FALLIBLE read_survey(struct db_conn *conn, void *ctx, struct err *err)
{
    struct survey *survey = ctx;

    survey->upstreams = 0;
    survey->stray_count = 0;
    survey->plain = (struct checks){.arena = survey->arena};
    TRY(meta_repo_get(conn, "keys", survey->keys, sizeof(survey->keys), &survey->has_keys,
                      err));
    TRY(upstream_each(conn, keep_upstream, survey, err));
    TRY(read_tool_price(conn, survey, err));
    TRY(task_view_health(conn, &survey->health, err));
    return task_view_strays(conn, STRAYS_MAX, keep_stray, survey, err);
}

static void check_keys(struct checks *checks, const char *dir, const struct survey *survey)
{
    CLEANUP(crypto_keys_wipe) struct crypto_keys keys = {0};
    char fingerprint[65];
    struct err err = {0};

    if (crypto_keys_load(dir, &keys, &err) != ERR_OK) {
        doctor_report_err(checks, "keys", &err);
        return;
    }
    crypto_keys_fingerprint(&keys, fingerprint);
    if (survey == NULL)
        doctor_report_add(checks, "keys", STATUS_OK, "readable by their owner alone");
    else if (!survey->has_keys)
        doctor_report_add(checks, "keys", STATUS_WARN,
                          "the database does not know its keys yet");
    else if (strcmp(survey->keys, fingerprint) != 0)
        doctor_report_add(checks, "keys", STATUS_FAIL,
                          "not the keys that the database was made with");
    else
        doctor_report_add(checks, "keys", STATUS_OK,
                          "the ones that the database was made with");
}

static void check_upstreams(struct checks *checks, const struct survey *survey)
{
    if (survey->upstreams == 0)
        doctor_report_add(checks, "upstream", STATUS_WARN,
                          "there is none: arkgate upstream add");
    else if (survey->plain.first == NULL)
        doctor_report_add(checks, "upstream", STATUS_OK, "%" PRId64 " in use",
                          survey->upstreams);
    for (const struct check *check = survey->plain.first; check != NULL; check = check->next)
        doctor_report_add(checks, check->name, check->status, "%s", check->detail);
}

/* Ark bills its web search apart from the tokens. */
static void check_tools(struct checks *checks, const struct survey *survey)
{
    if (survey->tool_price_nano == 0)
        doctor_report_add(checks, "tools", STATUS_OK,
                          "web_search is not charged for: its price is 0 a use");
    else
        doctor_report_add(checks, "tools", STATUS_WARN,
                          "web_search has a price, and tasks that used it wait in review");
}

static void check_tasks(struct checks *checks, const struct survey *survey, int64_t now_us)
{
    const struct task_health *health = &survey->health;
    char oldest[32] = "";

    if (health->open == 0) {
        doctor_report_add(checks, "tasks", STATUS_OK, "none is open");
    } else {
        bool old = now_us - health->oldest_open_us > OPEN_MAX_HOURS * HOUR_US;

        cli_time_text(health->oldest_open_us, oldest);
        doctor_report_add(checks, "tasks", old ? STATUS_WARN : STATUS_OK,
                          "%" PRId64 " open, the oldest since %s", health->open, oldest);
    }
    doctor_report_add(checks, "unknown", health->unknown > 0 ? STATUS_WARN : STATUS_OK,
                      health->unknown > 0
                          ? "%" PRId64 " creates with an unknown outcome: the server looks "
                            "for them; arkgate task list --state unknown"
                          : "%" PRId64 " creates with an unknown outcome",
                      health->unknown);
    doctor_report_add(checks, "review", health->review > 0 ? STATUS_WARN : STATUS_OK,
                      health->review > 0 ? "%" PRId64
                                           " holds wait for an operator: arkgate task resolve"
                                         : "%" PRId64 " holds wait for an operator",
                      health->review);
    doctor_report_add(checks, "unowned", STATUS_OK,
                      "%" PRId64 " tasks at Ark that no row owns and no create asked for",
                      health->open_strays);
    for (int i = 0; i < survey->stray_count; i++)
        doctor_report_add(checks, "stray", STATUS_WARN,
                          "account %" PRId64
                          " task %s waits for an operator: arkgate task resolve",
                          survey->strays[i].account_id, survey->strays[i].upstream_id);
    if (health->ambiguous_strays > survey->stray_count)
        doctor_report_add(checks, "stray", STATUS_WARN, "and %" PRId64 " more",
                          health->ambiguous_strays - survey->stray_count);
}

/* True when the survey was made; *ret_db is open then. */
static bool check_database(struct checks *checks, const char *path, struct survey *survey,
                           struct db **ret_db)
{
    struct db_options options = {.path = path, .read_only = true, .readers = 1};
    struct err err = {0};

    if (db_open(&options, ret_db, &err) != ERR_OK ||
        db_read(*ret_db, read_survey, survey, &err) != ERR_OK) {
        doctor_report_err(checks, "database", &err);
        return false;
    }
    doctor_report_add(checks, "database", STATUS_OK, "schema %d, readable",
                      db_schema_version());
    if (cli_marks_check(*ret_db, path, &err) != ERR_OK)
        doctor_report_add(checks, "moved", STATUS_WARN, "%s", err.msg);
    return true;
}

static void put_report(struct json_out *out, const struct checks *checks,
                       const struct survey *survey)
{
    json_open_object(out, NULL);
    json_put_bool(out, "ok", !checks->failed);
    json_open_array(out, "items");
    for (const struct check *check = checks->first; check != NULL; check = check->next) {
        json_open_object(out, NULL);
        json_put_text(out, "check", str_from(check->name));
        json_put_text(out, "status", str_from(doctor_report_word(check->status)));
        json_put_text(out, "detail", str_from(check->detail));
        json_close_object(out);
    }
    json_close_array(out);
    json_open_array(out, "strays");
    for (int i = 0; survey != NULL && i < survey->stray_count; i++) {
        char time[32];

        cli_time_text(survey->strays[i].first_seen_us, time);
        json_open_object(out, NULL);
        json_put_int(out, "account", survey->strays[i].account_id);
        json_put_text(out, "upstream_id", str_from(survey->strays[i].upstream_id));
        json_put_text(out, "first_seen", str_from(time));
        json_close_object(out);
    }
    json_close_array(out);
    if (survey != NULL) {
        json_put_int(out, "unknown", survey->health.unknown);
        json_put_int(out, "review", survey->health.review);
    } else {
        json_put_null(out, "unknown");
        json_put_null(out, "review");
    }
    json_put_null(out, "next");
    json_close_object(out);
}

static FALLIBLE run(struct cli_ctx *ctx, struct err *err)
{
    struct survey survey = {.arena = ctx->arena, .now_us = ctx->now_us};
    struct checks checks = {.arena = ctx->arena};
    CLEANUP(db_close) struct db *db = NULL;

    TRY(cli_run_expect(ctx->database, ctx->data_dir, err));
    survey.strays = arena_alloc(ctx->arena, STRAYS_MAX * sizeof(*survey.strays));
    if (survey.strays == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory for a report");
    bool made = check_database(&checks, ctx->database, &survey, &db);

    check_keys(&checks, ctx->keys_dir, made ? &survey : NULL);
    check_folder(&checks, ctx->data_dir);
    check_disk(&checks, ctx->data_dir);
    doctor_assets_check(&checks, ctx, made ? db : NULL, cli_flag(ctx, "blobs"));
    if (made) {
        check_upstreams(&checks, &survey);
        check_tools(&checks, &survey);
        check_tasks(&checks, &survey, ctx->now_us);
    }
    if (checks.full || survey.plain.full)
        return err_detail(err, ERR_INTERNAL, "no memory for a report");
    put_report(ctx->out, &checks, made ? &survey : NULL);
    ctx->failed = checks.failed;
    return ERR_OK;
}

static const struct cli_option options[] = {
    {"blobs", CLI_FLAG, "", "hash all stored files again, however many there are"},
};

const struct command cmd_doctor[] = {
    {"doctor", CLI_ALONE, 0, 0, "",
     "Checks files, keys, database and open matters; exit 1 when one is broken.", options,
     COUNT_OF(options), run},
    {.name = NULL},
};
