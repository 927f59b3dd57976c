/* SPDX-License-Identifier: Apache-2.0 */
/* Input media behind loopback links: whether a link works and how long a video
 * is. How it is fetched, sim_link.c decides. */
#include "gateway/sim/sim_parts.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    FETCH_MS = 5000,                    /* for the whole fetch: loopback is quick */
    FETCH_MAX_BYTES = 64 * 1024 * 1024, /* Ark: a reference video up to 50 MB */
    HEAD_MAX_BYTES = 16 * 1024
};

bool sim_fetch_is_local(struct str url)
{
    struct sim_link link;

    return sim_link_parse(url, &link) && sim_link_is_local(&link);
}

/* The body of a 200 answer, borrowed from it. */
static bool body_of(const struct buf *answer, struct str *ret_body)
{
    struct str text = buf_str(answer);
    size_t look = text.len < HEAD_MAX_BYTES ? text.len : HEAD_MAX_BYTES;
    const char *end = look == 0 ? NULL : memmem(text.ptr, look, "\r\n\r\n", 4);

    if (end == NULL || text.len < 12 || strncmp(text.ptr, "HTTP/1.", 7) != 0 ||
        strncmp(text.ptr + 8, " 200", 4) != 0)
        return false;
    *ret_body = (struct str){end + 4, text.len - (size_t)(end + 4 - text.ptr)};
    return ret_body->len > 0;
}

static void measure(struct sim *sim, struct str body, int64_t *ret_ms)
{
    char path[320];
    int fd;
    bool whole;

    (void)snprintf(path, sizeof(path), "%s/input-XXXXXX", sim->media_dir);
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return;
    whole = write(fd, body.ptr, body.len) == (ssize_t)body.len;
    (void)close(fd);
    int64_t length_ms;

    if (whole && sim_video_length(path, &length_ms))
        *ret_ms = length_ms;
    (void)unlink(path);
}

bool sim_fetch_media(struct sim *sim, struct str url, bool is_video, int64_t *ret_ms)
{
    int64_t deadline_us = sys_mono_us() + FETCH_MS * 1000;
    CLEANUP(buf_fini) struct buf request = {0}, answer = {0};
    struct sim_link link;
    struct str body;

    if (!sim_link_parse(url, &link))
        return false;
    buf_init(&request, HEAD_MAX_BYTES);
    buf_init(&answer, FETCH_MAX_BYTES);
    buf_printf(&request, "GET %s%.*s HTTP/1.0\r\nHost: %.*s\r\nConnection: close\r\n\r\n",
               link.path.len > 0 && link.path.ptr[0] == '/' ? "" : "/", (int)link.path.len,
               link.path.ptr, (int)link.name.len, link.name.ptr);
    if (request.failed || !sim_link_ask(sim, &link, buf_str(&request), &answer, deadline_us) ||
        !body_of(&answer, &body))
        return false;
    if (is_video)
        measure(sim, body, ret_ms);
    return true;
}
