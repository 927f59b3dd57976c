/* SPDX-License-Identifier: Apache-2.0 */
/* One file of an asset: fetched under the guard, judged, kept, and the asset made active,
 * or failed with a rule and what was found. Whatever is not the file's fault is tried
 * again later. */
#include "assetlib/ingest_parts.h"

#include <stdio.h>
#include <string.h>

enum {
    MARGIN_US = 30 * 1000 * 1000, /* for the database and the disk, beside fetch and look */
    LOOKS_MAX = 30,               /* tries: four minutes, a quarter of an hour of late ones */
    TOOLS = 3                     /* runs of arkgate-probe that a file may take (media.h) */
};

/* A file on its way. */
struct fetching {
    struct ingest *ingest;
    struct ingest_row *row;
    struct asset asset; /* as it will be */
    struct blob_writer *writer;
    bool too_large;
    struct err put_err; /* of the disk */
    struct media_result looked;
};

static void fetching_fini(struct fetching *fetching)
{
    blob_abort(&fetching->writer);
    media_result_fini(&fetching->looked);
}

/* Of one run of arkgate-probe, and as long is waited for a turn. */
static int64_t tool_us(const struct ingest *ingest)
{
    int64_t deadline_us = ingest->options.media.deadline_us;

    return deadline_us > 0 ? deadline_us : MEDIA_DEADLINE_US;
}

int64_t ingest_file_us(const struct ingest *ingest)
{
    return ingest->options.settings.fetch_us + (1 + TOOLS) * tool_us(ingest) + MARGIN_US;
}

static void fail(struct fetching *fetching, const char *code, const char *message)
{
    struct asset *asset = &fetching->asset;

    asset->status = ASSET_FAILED;
    (void)str_copy(asset->error_code, sizeof(asset->error_code), str_from(code));
    str_copy_cut(asset->error_message, sizeof(asset->error_message), str_from(message));
}

/* ---- the download -------------------------------------------------------------------------
 */

static bool take(void *ctx, struct str bytes)
{
    struct fetching *fetching = ctx;
    enum err_code code;

    if (fetching->put_err.code != ERR_OK)
        return false;
    code = blob_put(fetching->writer, bytes, &fetching->put_err);
    fetching->too_large = code == ERR_TOO_LARGE;
    return code == ERR_OK;
}

/* The download did not give a file: for good, or until the next try. */
static enum err_code give_up(struct fetching *fetching, bool for_good, const char *why,
                             struct err *err)
{
    const struct ingest_settings *settings = &fetching->ingest->options.settings;

    if (atomic_load(&fetching->ingest->stopping))
        return err_set(err, ERR_UNAVAILABLE, "the gateway stops");
    fetching->row->downloads++;
    if (!for_good && fetching->row->downloads < settings->tries)
        return err_set(err, ERR_UPSTREAM, "%s", why);
    fail(fetching, "InvalidParameter.DownloadFailed", why);
    return ERR_OK;
}

static enum err_code judge_reply(struct fetching *fetching, const struct net_reply *reply,
                                 struct err *err)
{
    char why[200];

    if (fetching->too_large) {
        struct media_verdict verdict = {0};

        rules_judge_size((enum media_type)fetching->asset.type, fetching->writer->size_max + 1,
                         fetching->ingest->options.media.rules, &verdict);
        fail(fetching, verdict.code, verdict.message);
        return ERR_OK;
    }
    if (fetching->put_err.code != ERR_OK) {
        *err = fetching->put_err;
        return err->code;
    }
    if (reply->fate == NET_ANSWERED && reply->status == 200)
        return ERR_OK;
    if (reply->fate == NET_ANSWERED) {
        (void)snprintf(why, sizeof(why), "the URL answered with status %d, it must be 200",
                       reply->status);
        return give_up(fetching,
                       reply->status < 500 && reply->status != 429 && reply->status != 408, why,
                       err);
    }
    (void)snprintf(why, sizeof(why), "the URL did not give a whole file in time");
    LOG(LOG_INFO, "ingest_fetch", LOG_TEXT("asset", fetching->row->asset_id),
        LOG_TEXT("reason", reply->reason));
    return give_up(fetching, false, why, err);
}

static enum err_code fetch(struct fetching *fetching, struct err *err)
{
    const struct ingest_options *options = &fetching->ingest->options;
    struct net_guard guard = options->guard;
    CLEANUP(net_reply_fini) struct net_reply reply = {0};
    struct net_call call = {.method = "GET",
                            .url = fetching->row->url,
                            .total_us = options->settings.fetch_us,
                            .answer_max = SIZE_MAX, /* take knows the limit, and which it is */
                            .take = take,
                            .take_ctx = fetching,
                            .guard = &guard};
    struct err why = {0};
    char text[256];

    guard.rule.owner = fetching->row->tenant_id;
    enum err_code code = net_fetch(options->net, &call, &reply, &why);

    if (code == ERR_INVALID) {
        (void)snprintf(text, sizeof(text), "the URL is refused: %.200s", why.msg);
        /* A silent name server is refused in the same words: only the last try is certain. */
        return give_up(fetching, false, text, err);
    }
    if (code != ERR_OK) {
        *err = why;
        return code;
    }
    return judge_reply(fetching, &reply, err);
}

/* ---- the look ------------------------------------------------------------------------------
 */

/* Decoders that compete for a processor could all be late, so there is one for each, in the
 * order in which files come. Who waits for long goes on all the same, for his row is his for a
 * time only. False at a stop. */
static bool look_begin(struct ingest *ingest)
{
    int64_t until_us = sys_mono_us() + tool_us(ingest);

    lock_take(&ingest->lock);
    int64_t turn = ingest->looks_asked++;
    while (turn >= ingest->looks_ended + ingest->looks_max && !atomic_load(&ingest->stopping) &&
           lock_wait(&ingest->lock, until_us)) {
    }
    lock_drop(&ingest->lock);
    return !atomic_load(&ingest->stopping);
}

static void look_end(struct ingest *ingest)
{
    lock_take(&ingest->lock);
    ingest->looks_ended++;
    lock_signal(&ingest->lock);
    lock_drop(&ingest->lock);
}

static void take_facts(struct fetching *fetching)
{
    const struct media_facts *facts = &fetching->looked.facts;
    struct asset *asset = &fetching->asset;

    asset->status = ASSET_ACTIVE;
    asset->bytes = fetching->writer->size;
    (void)str_copy(asset->format, sizeof(asset->format), str_from(facts->format));
    str_copy_cut(asset->codec, sizeof(asset->codec), str_from(facts->codec));
    asset->width = facts->width;
    asset->height = facts->height;
    asset->fps_milli = facts->fps_milli;
    /* The longer one: nobody knows which of them Ark goes by. */
    asset->duration_ms =
        facts->claimed_ms > facts->duration_ms ? facts->claimed_ms : facts->duration_ms;
    asset->channels = facts->channels;
}

static enum err_code look(struct fetching *fetching, struct err *err)
{
    const struct ingest_options *options = &fetching->ingest->options;
    char path[BLOB_PATH_SIZE];

    if (!blob_written_path(fetching->writer, path))
        return err_detail(err, ERR_INTERNAL, "the blob store has no local files");
    if (!look_begin(fetching->ingest))
        return err_set(err, ERR_UNAVAILABLE, "the gateway stops");
    enum err_code code = media_check(
        &options->media, path, (enum media_type)fetching->asset.type, &fetching->looked, err);
    look_end(fetching->ingest);

    /* Killed again and again: not the gateway's bad day, but a file that asks for too much, or
     * that hangs. */
    if (code == ERR_UNAVAILABLE && !atomic_load(&fetching->ingest->stopping))
        fetching->row->looks++;
    if (code == ERR_UNAVAILABLE && fetching->row->looks >= LOOKS_MAX) {
        fail(fetching, "InvalidParameter.FormatUnsupported",
             "the file cannot be decoded with the memory and the time that there are");
        return ERR_OK;
    }
    TRY(code);
    if (fetching->looked.verdict.failed) {
        LOG(LOG_INFO, "ingest_failed", LOG_TEXT("asset", fetching->row->asset_id),
            LOG_TEXT("code", fetching->looked.verdict.code),
            LOG_TEXT("detail", fetching->looked.detail));
        fail(fetching, fetching->looked.verdict.code, fetching->looked.verdict.message);
        return ERR_OK;
    }
    take_facts(fetching);
    return ERR_OK;
}

/* ---- the end --------------------------------------------------------------------------------
 */

static enum err_code keep_thumbnail(struct fetching *fetching, struct err *err)
{
    const struct ingest_options *options = &fetching->ingest->options;
    CLEANUP(blob_abort) struct blob_writer *writer = NULL;
    struct str picture = buf_str(&fetching->looked.thumbnail);
    struct blob_id id;

    if (picture.len == 0)
        return ERR_OK;
    TRY(blob_begin(options->blobs, fetching->row->tenant_id, MEDIA_THUMBNAIL_MAX, &writer,
                   err));
    TRY(blob_put(writer, picture, err));
    TRY(blob_commit(&writer, &id, err));
    memcpy(fetching->asset.thumbnail, id.sha256, sizeof(id.sha256));
    fetching->asset.has_thumbnail = true;
    return ERR_OK;
}

static enum err_code keep(struct fetching *fetching, struct err *err)
{
    struct blob_id id;

    TRY(keep_thumbnail(fetching, err));
    TRY(blob_commit(&fetching->writer, &id, err));
    memcpy(fetching->asset.hash, id.sha256, sizeof(id.sha256));
    fetching->asset.has_hash = true;
    (void)FAULT_POINT("ingest.kept");
    return ERR_OK;
}

/* What it counted for while it was processing is what it counts for no more. */
static enum err_code finish_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct fetching *fetching = ctx;
    const struct ingest_row *row = fetching->row;
    const struct scope scope = {.tenant_id = row->tenant_id};
    struct asset before;

    TRY(ingest_repo_delete(conn, &scope, str_from(row->asset_id),
                           str_from(fetching->ingest->holder), row->tries, err));
    TRY(asset_repo_get(conn, &scope, str_from(row->asset_id), STR(""), &before, err));
    TRY(asset_repo_finish(conn, &scope, &fetching->asset, err));
    TRY(asset_repo_count(conn, &scope, &before, -1, -before.bytes, err));
    return asset_repo_count(conn, &scope, &fetching->asset, 1, fetching->asset.bytes, err);
}

static enum err_code finish(struct fetching *fetching, struct err *err)
{
    struct asset *asset = &fetching->asset;

    if (asset->status == ASSET_FAILED)
        asset->bytes = 0;
    asset->updated_us = sys_now_us();
    if (asset->updated_us < asset->created_us)
        asset->updated_us = asset->created_us;
    (void)FAULT_POINT("ingest.before_commit");
    TRY(db_write(fetching->ingest->options.library->db, fetching->row->tenant_id, finish_steps,
                 fetching, err));
    (void)FAULT_POINT("ingest.after_commit");
    return ERR_OK;
}

struct loading {
    const struct ingest_row *row;
    struct asset *asset;
};

static enum err_code load_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    const struct loading *loading = ctx;
    const struct scope scope = {.tenant_id = loading->row->tenant_id};

    return asset_repo_get(conn, &scope, str_from(loading->row->asset_id), STR(""),
                          loading->asset, err);
}

FALLIBLE ingest_file(struct ingest *ingest, struct ingest_row *inout_row, struct err *err)
{
    CLEANUP(fetching_fini) struct fetching fetching = {.ingest = ingest, .row = inout_row};
    struct loading loading = {inout_row, &fetching.asset};
    struct asset_library *library = ingest->options.library;

    TRY(db_read_one(library->db, load_steps, &loading, err));
    TRY(blob_begin(ingest->options.blobs, inout_row->tenant_id,
                   library->bytes_max[fetching.asset.type], &fetching.writer, err));
    TRY(fetch(&fetching, err));
    (void)FAULT_POINT("ingest.fetched");
    if (fetching.asset.status != ASSET_FAILED)
        TRY(look(&fetching, err));
    if (fetching.asset.status != ASSET_FAILED)
        TRY(keep(&fetching, err));
    return finish(&fetching, err);
}
