/* SPDX-License-Identifier: Apache-2.0 */
/* The demo as a tenant's client: registers a picture, creates tasks, polls them, downloads
 * the videos.
 * It knows Ark's API and a token, nothing of the installation. */
#include "gateway/cli/demo_parts.h"

#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    POLL_US = 200000,          /* between two looks; also the pace of the progress line */
    FINISH_WAIT_US = 90000000, /* a sanitized simulator encodes 4k in about 10 s */
    CALL_US = 30000000,        /* the simulator encodes when a video is first fetched */
    DOWNLOAD_US = 60000000,
    ACTIVE_WAIT_US = 60000000, /* a picture is looked at in half a second */
    ACTIVE_LOOK_US = 50000,
    ANSWER_MAX = 1 << 20,  /* a task has about 1 kB */
    VIDEO_MAX = 256 << 20, /* 4k for 15 s has about 60 MiB */
    ARENA_MAX = 4 << 20
};

/* ERR_IO with the start of the answer unless it is a 200. */
static enum err_code judge(const char *what, const struct net_reply *reply, struct err *err)
{
    if (reply->fate != NET_ANSWERED)
        return err_set(err, ERR_IO, "%s: no answer: %s", what, reply->reason);
    if (reply->status != 200)
        return err_set(err, ERR_IO, "%s: HTTP %d %.300s", what, reply->status,
                       reply->body.len == 0 ? "" : reply->body.ptr);
    return ERR_OK;
}

static enum err_code call(struct net *net, const char *token, const char *url, struct str body,
                          struct net_reply *ret_reply, struct err *err)
{
    char authorization[512];
    const char *headers[] = {authorization, "Content-Type: application/json", NULL};
    struct net_call request = {.method = body.len > 0 ? "POST" : "GET",
                               .url = url,
                               .headers = headers,
                               .body = &body,
                               .body_count = body.len > 0 ? 1 : 0,
                               .repeat = body.len > 0 ? NET_ONCE : NET_ANY,
                               .total_us = CALL_US,
                               .answer_max = ANSWER_MAX};

    (void)snprintf(authorization, sizeof(authorization), "Authorization: Bearer %s", token);
    TRY(net_call(net, &request, ret_reply, err));
    return judge(url, ret_reply, err);
}

/* Copies a text member; ERR_IO when the answer has none that fits. */
static enum err_code take_text(const struct json_doc *doc, const struct json_value *object,
                               const char *name, char *dst, size_t size, struct err *err)
{
    struct str text = json_text(doc, json_get(object, name));

    if (text.len == 0 || !str_copy(dst, size, text))
        return err_set(err, ERR_IO, "the gateway's answer has no fitting %s", name);
    return ERR_OK;
}

static enum err_code create(struct net *net, const char *tasks, const char *token,
                            struct demo_video *video, struct err *err)
{
    CLEANUP(net_reply_fini) struct net_reply reply = {0};
    CLEANUP(arena_fini) struct arena arena = {0};
    CLEANUP(json_free) struct json_doc *doc = NULL;

    arena_init(&arena, ARENA_MAX);
    TRY(call(net, token, tasks, str_from(video->request), &reply, err));
    TRY(json_parse(&arena, buf_str(&reply.body), &doc, err));
    TRY(take_text(doc, json_root(doc), "id", video->id, sizeof(video->id), err));
    (void)str_copy(video->state, sizeof(video->state), STR("queued"));
    return ERR_OK;
}

static bool has_ended(const struct demo_video *video)
{
    return strcmp(video->state, "queued") != 0 && strcmp(video->state, "running") != 0;
}

/* Asks for one task; a task that failed ends the demo. */
static enum err_code look(struct net *net, const char *tasks, const char *token,
                          int64_t begun_us, struct demo_video *video, struct err *err)
{
    CLEANUP(net_reply_fini) struct net_reply reply = {0};
    CLEANUP(arena_fini) struct arena arena = {0};
    CLEANUP(json_free) struct json_doc *doc = NULL;
    char url[DEMO_URL_MAX];

    arena_init(&arena, ARENA_MAX);
    (void)snprintf(url, sizeof(url), "%s/%s", tasks, video->id);
    TRY(call(net, token, url, STR(""), &reply, err));
    TRY(json_parse(&arena, buf_str(&reply.body), &doc, err));
    TRY(take_text(doc, json_root(doc), "status", video->state, sizeof(video->state), err));
    if (!has_ended(video))
        return ERR_OK;
    video->took_us = sys_mono_us() - begun_us;
    if (strcmp(video->state, "succeeded") != 0)
        return err_set(err, ERR_IO, "task %s ended as %s: %.300s", video->id, video->state,
                       reply.body.ptr);
    return take_text(doc, json_get(json_root(doc), "content"), "video_url", video->url,
                     sizeof(video->url), err);
}

/* On a terminal one line that is written over; else a line per change of a state. */
struct progress {
    bool quiet, terminal;
    char shown[128];
    int64_t begun_us;
};

static void show(struct progress *progress, const struct demo_video *videos)
{
    char states[sizeof(progress->shown)] = "";
    double seconds = (double)(sys_mono_us() - progress->begun_us) / 1e6;
    size_t len = 0;

    for (size_t i = 0; i < DEMO_VIDEOS && len < sizeof(states); i++)
        len += (size_t)snprintf(states + len, sizeof(states) - len, "%s%s %s",
                                i == 0 ? "" : ", ", videos[i].label, videos[i].state);
    if (progress->quiet || (!progress->terminal && strcmp(states, progress->shown) == 0))
        return;
    if (progress->terminal)
        (void)fprintf(stderr, "\r\033[K  %4.1f s  %s", seconds, states);
    else
        (void)fprintf(stderr, "  %4.1f s  %s\n", seconds, states);
    (void)str_copy(progress->shown, sizeof(progress->shown), str_from(states));
}

static enum err_code poll_all(struct net *net, const char *tasks, const char *token,
                              struct progress *progress, struct demo_video *videos,
                              struct err *err)
{
    bool open = true;

    show(progress, videos);
    while (open) {
        if (sys_mono_us() - progress->begun_us > FINISH_WAIT_US)
            return err_set(err, ERR_IO, "the tasks did not end in %d s",
                           FINISH_WAIT_US / 1000000);
        if (demo_child_wait(POLL_US))
            return err_set(err, ERR_IO, "interrupted");
        open = false;
        for (size_t i = 0; i < DEMO_VIDEOS; i++) {
            if (!has_ended(&videos[i]))
                TRY(look(net, tasks, token, progress->begun_us, &videos[i], err));
            open = open || !has_ended(&videos[i]);
        }
        show(progress, videos);
    }
    return ERR_OK;
}

static enum err_code write_file(const char *path, struct str bytes, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    size_t done = 0;
    ssize_t wrote = fd < 0 ? -1 : 0;

    while (wrote >= 0 && done < bytes.len) {
        wrote = write(fd, bytes.ptr + done, bytes.len - done);
        done += wrote > 0 ? (size_t)wrote : 0;
    }
    int saved = errno;

    if (fd >= 0 && close(fd) != 0 && wrote >= 0) {
        saved = errno;
        wrote = -1;
    }
    return wrote < 0 ? err_set(err, ERR_IO, "%s: %s", path, strerror(saved)) : ERR_OK;
}

/* The link is signed: it needs no token and must not get one. */
static enum err_code download(struct net *net, const char *dir, struct demo_video *video,
                              struct err *err)
{
    CLEANUP(net_reply_fini) struct net_reply reply = {0};
    struct net_call request = {.method = "GET",
                               .url = video->url,
                               .repeat = NET_ANY,
                               .total_us = DOWNLOAD_US,
                               .answer_max = VIDEO_MAX};

    TRY(net_call(net, &request, &reply, err));
    TRY(judge(video->url, &reply, err));
    (void)snprintf(video->file, sizeof(video->file), "%s/%s.mp4", dir, video->label);
    video->bytes = reply.body.len;
    return write_file(video->file, buf_str(&reply.body), err);
}

/* ---- the picture ------------------------------------------------------------------------- */

/* Posts one action and copies a member of its Result. */
static enum err_code act(struct net *net, const char *actions, const char *token,
                         const char *action, const char *body, const char *member, char dst[65],
                         struct err *err)
{
    CLEANUP(net_reply_fini) struct net_reply reply = {0};
    CLEANUP(arena_fini) struct arena arena = {0};
    CLEANUP(json_free) struct json_doc *doc = NULL;
    char url[DEMO_URL_MAX];

    arena_init(&arena, ARENA_MAX);
    (void)snprintf(url, sizeof(url), "%s?Action=%s&Version=2024-01-01", actions, action);
    TRY(call(net, token, url, str_from(body), &reply, err));
    TRY(json_parse(&arena, buf_str(&reply.body), &doc, err));
    return take_text(doc, json_get(json_root(doc), "Result"), member, dst, 65, err);
}

enum err_code demo_video_asset(struct net *net, const char *actions, const char *token,
                               const char *picture_url, char ret_id[65], struct err *err)
{
    int64_t deadline_us = sys_mono_us() + ACTIVE_WAIT_US;
    char body[512], group[65], status[65] = "Processing";

    TRY(act(net, actions, token, "CreateAssetGroup",
            "{\"Name\":\"demo\",\"GroupType\":\"AIGC\"}", "Id", group, err));
    (void)snprintf(body, sizeof(body),
                   "{\"GroupId\":\"%s\",\"URL\":\"%s\",\"AssetType\":\"Image\"}", group,
                   picture_url);
    TRY(act(net, actions, token, "CreateAsset", body, "Id", ret_id, err));
    (void)snprintf(body, sizeof(body), "{\"Id\":\"%s\"}", ret_id);
    while (strcmp(status, "Processing") == 0 && sys_mono_us() < deadline_us) {
        if (demo_child_wait(ACTIVE_LOOK_US))
            return err_set(err, ERR_IO, "interrupted");
        TRY(act(net, actions, token, "GetAsset", body, "Status", status, err));
    }
    if (strcmp(status, "Active") != 0)
        return err_set(err, ERR_IO, "the picture is %s, it should be Active", status);
    return ERR_OK;
}

enum err_code demo_video_make(struct net *net, const char *tasks, const char *token,
                              const char *dir, bool quiet, struct demo_video *videos,
                              struct err *err)
{
    struct progress progress = {
        .quiet = quiet, .terminal = isatty(STDERR_FILENO) == 1, .begun_us = sys_mono_us()};

    for (size_t i = 0; i < DEMO_VIDEOS; i++)
        TRY(create(net, tasks, token, &videos[i], err));
    enum err_code rc = poll_all(net, tasks, token, &progress, videos, err);

    if (progress.terminal && !quiet)
        (void)fputc('\n', stderr);
    TRY(rc);
    for (size_t i = 0; i < DEMO_VIDEOS; i++)
        TRY(download(net, dir, &videos[i], err));
    return ERR_OK;
}
