/* SPDX-License-Identifier: Apache-2.0 */
/* The demo's picture: made by ffmpeg, and given on loopback to whoever asks, as the
 * tenant's own web server would. */
#include "gateway/cli/demo_parts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PICTURE_MAX = 4 << 20, /* a test card has 100 kB */
    REQUEST_MAX = 4096,
    LOOK_MS = 50, /* how late it may see that it is to end */
    PEER_MS = 5000,
    STACK_BYTES = 256 << 10
};

static enum err_code listen_on(int *ret_fd, int *ret_port, struct err *err)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, 8) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) != 0) {
        (void)err_set(err, ERR_IO, "a socket on loopback: %s", strerror(errno));
        if (fd >= 0)
            (void)close(fd);
        return ERR_IO;
    }
    *ret_fd = fd;
    *ret_port = ntohs(at.sin_port);
    return ERR_OK;
}

/* Reads to the end of a head, whatever it says; false when none comes. */
static bool read_head(int fd)
{
    char head[REQUEST_MAX];
    size_t len = 0;

    while (len < sizeof(head)) {
        struct pollfd peer = {.fd = fd, .events = POLLIN};
        ssize_t got =
            poll(&peer, 1, PEER_MS) > 0 ? read(fd, head + len, sizeof(head) - len) : 0;

        if (got <= 0)
            return false;
        len += (size_t)got;
        if (memmem(head, len, "\r\n\r\n", 4) != NULL)
            return true;
    }
    return false;
}

static void write_all(int fd, struct str bytes)
{
    while (bytes.len > 0) {
        ssize_t wrote = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);

        if (wrote <= 0)
            return; /* who asked is gone */
        bytes.ptr += wrote;
        bytes.len -= (size_t)wrote;
    }
}

static void *serve(void *ctx)
{
    struct demo_picture *picture = ctx;
    char head[160];

    (void)snprintf(head, sizeof(head),
                   "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: %zu\r\n"
                   "Connection: close\r\n\r\n",
                   picture->bytes.len);
    while (!atomic_load(&picture->stopping)) {
        struct pollfd listener = {.fd = picture->fd, .events = POLLIN};
        int peer = poll(&listener, 1, LOOK_MS) > 0
                       ? accept4(picture->fd, NULL, NULL, SOCK_CLOEXEC)
                       : -1;

        if (peer < 0)
            continue;
        if (read_head(peer)) {
            write_all(peer, str_from(head));
            write_all(peer, buf_str(&picture->bytes));
        }
        (void)close(peer);
    }
    return NULL;
}

enum err_code demo_picture_open(const char *dir, struct demo_picture *picture, struct err *err)
{
    /* A moment of FFmpeg's test film, as PNG on stdout. */
    const char *argv[] = {"ffmpeg",    "-nostdin",   "-v",   "error",
                          "-f",        "lavfi",      "-i",   "testsrc2=size=1280x720",
                          "-frames:v", "1",          "-c:v", "png",
                          "-f",        "image2pipe", "-",    NULL};
    int port = 0;

    buf_init(&picture->bytes, PICTURE_MAX);
    TRY(demo_child_run(dir, "ffmpeg", argv, &picture->bytes, err));
    TRY(listen_on(&picture->fd, &port, err));
    enum err_code rc =
        lock_thread(&picture->thread, "picture", STACK_BYTES, serve, picture, err);

    if (rc != ERR_OK) {
        (void)close(picture->fd);
        return rc;
    }
    picture->open = true;
    (void)snprintf(picture->url, sizeof(picture->url), "http://127.0.0.1:%d/card.png", port);
    return ERR_OK;
}

void demo_picture_close(struct demo_picture *picture)
{
    if (picture->open) {
        atomic_store(&picture->stopping, true);
        (void)pthread_join(picture->thread, NULL);
        (void)close(picture->fd);
        picture->open = false;
    }
    buf_fini(&picture->bytes);
}
