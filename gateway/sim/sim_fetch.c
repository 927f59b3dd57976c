/* SPDX-License-Identifier: Apache-2.0 */
/* Input media behind loopback links, over plain http with a socket: enough to
 * see whether a link works and how long a video is. */
#include "gateway/sim/sim_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    FETCH_MS = 5000,                    /* for the whole fetch: loopback is quick */
    FETCH_MAX_BYTES = 64 * 1024 * 1024, /* Ark: a reference video up to 50 MB */
    HEAD_MAX_BYTES = 16 * 1024
};

struct link {
    bool https;
    char host[64];
    char port[8];
    struct str path; /* with the query; "" for the root */
};

static bool parse(struct str url, struct link *ret_link)
{
    struct link link = {.https = str_starts_nocase(url, STR("https://"))};
    size_t skip = link.https ? 8 : 7, len = 0;

    if (!link.https && !str_starts_nocase(url, STR("http://")))
        return false;
    for (size_t i = 0; i < url.len; i++)
        if ((uint8_t)url.ptr[i] <= ' ') /* would end the request line */
            return false;
    struct str rest = {url.ptr + skip, url.len - skip};

    while (len < rest.len && strchr("/?#", rest.ptr[len]) == NULL)
        len++;
    struct str host = {rest.ptr, len};
    const char *colon = memrchr(host.ptr, ':', host.len);
    const char *bracket = memrchr(host.ptr, ']', host.len);
    struct str port = link.https ? STR("443") : STR("80");

    link.path = (struct str){rest.ptr + len, rest.len - len};
    if (colon != NULL && (bracket == NULL || colon > bracket)) {
        port = (struct str){colon + 1, (size_t)(host.ptr + host.len - colon - 1)};
        host.len = (size_t)(colon - host.ptr);
    }
    if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        host = (struct str){host.ptr + 1, host.len - 2};
    if (!str_copy(link.host, sizeof(link.host), host) ||
        !str_copy(link.port, sizeof(link.port), port))
        return false;
    *ret_link = link;
    return true;
}

static bool host_is_local(const char *host)
{
    return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
           (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == strlen(host));
}

bool sim_fetch_is_local(struct str url)
{
    struct link link;

    return parse(url, &link) && host_is_local(link.host);
}

static bool wait_for(int fd, short events, int64_t deadline_us)
{
    int64_t left_us = deadline_us - sys_mono_us();
    struct pollfd poll_fd = {.fd = fd, .events = events};

    return left_us > 0 && poll(&poll_fd, 1, (int)(left_us / 1000) + 1) == 1;
}

static int open_socket(const struct link *link, int64_t deadline_us)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int fd = -1;

    if (getaddrinfo(link->host, link->port, &hints, &found) != 0)
        return -1;
    for (struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next) {
        int problem = 0;
        socklen_t len = sizeof(problem);

        fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
            continue;
        if (connect(fd, at->ai_addr, at->ai_addrlen) == 0 ||
            (errno == EINPROGRESS && wait_for(fd, POLLOUT, deadline_us) &&
             getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &len) == 0 && problem == 0))
            break;
        (void)close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

static bool send_all(int fd, struct str text, int64_t deadline_us)
{
    while (text.len > 0) {
        ssize_t sent = send(fd, text.ptr, text.len, MSG_NOSIGNAL);

        if (sent < 0 && errno == EAGAIN && wait_for(fd, POLLOUT, deadline_us))
            continue;
        if (sent <= 0)
            return false;
        text.ptr += sent;
        text.len -= (size_t)sent;
    }
    return true;
}

/* Reads to the end of the connection: the request is HTTP/1.0. */
static bool receive_all(int fd, struct buf *answer, int64_t deadline_us)
{
    char bytes[16 * 1024];

    for (;;) {
        ssize_t got = recv(fd, bytes, sizeof(bytes), 0);

        if (got == 0)
            return !answer->failed;
        if (got < 0 && errno == EAGAIN && wait_for(fd, POLLIN, deadline_us))
            continue;
        if (got < 0)
            return false;
        buf_put(answer, bytes, (size_t)got);
        if (answer->failed)
            return false;
    }
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

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

bool sim_fetch_media(struct sim *sim, struct str url, bool is_video, int64_t *ret_ms)
{
    int64_t deadline_us = sys_mono_us() + FETCH_MS * 1000;
    CLEANUP(buf_fini) struct buf request = {0}, answer = {0};
    struct link link;
    struct str body;

    if (!parse(url, &link) || link.https)
        return false;
    CLEANUP(close_fd) int fd = open_socket(&link, deadline_us);

    if (fd < 0)
        return false;
    buf_init(&request, HEAD_MAX_BYTES);
    buf_init(&answer, FETCH_MAX_BYTES);
    buf_printf(&request, "GET %s%.*s HTTP/1.0\r\nHost: %s:%s\r\nConnection: close\r\n\r\n",
               link.path.len > 0 && link.path.ptr[0] == '/' ? "" : "/", (int)link.path.len,
               link.path.ptr, link.host, link.port);
    if (request.failed || !send_all(fd, buf_str(&request), deadline_us) ||
        !receive_all(fd, &answer, deadline_us) || !body_of(&answer, &body))
        return false;
    if (is_video)
        measure(sim, body, ret_ms);
    return true;
}
