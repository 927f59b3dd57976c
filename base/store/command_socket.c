/* SPDX-License-Identifier: Apache-2.0 */
/* The socket by which a command reaches the server of its data directory: framed
 * text both ways, one request at a time, same user only. What requests mean is
 * the callback's business. */
#include "base/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    TEXT_MAX_BYTES = 4 << 20, /* the longest listing a command prints */
    IO_US = 30 * 1000 * 1000,
    /* A client writes its request at once; who does not must not hold up the others. */
    REQUEST_US = 2 * 1000 * 1000,
    /* A command may verify a whole ledger before it answers, and waits its turn. */
    ANSWER_US = 600 * 1000 * 1000,
    BACKLOG = 16,
    STACK_BYTES = 1 << 20, /* use cases run on it */
};

static const char socket_name[] = "arkgate.sock";

struct command_server {
    int dir_fd;
    int listen_fd;
    int stop_fd; /* readable once the server is to stop */
    pthread_t thread;
    command_fn fn;
    void *ctx;
};

/* One side of a connection: stop_fd is -1 on the caller's. */
struct stream {
    int fd;
    int stop_fd;
    int64_t deadline_us;
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static FALLIBLE open_dir(const char *dir, int *ret_fd, struct err *err)
{
    int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "cannot open %s: %s", dir,
                       strerror(errno));
    *ret_fd = fd;
    return ERR_OK;
}

/* A socket's address holds 107 bytes; a directory's path may be longer. */
static struct sockaddr_un address_in(int dir_fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", dir_fd,
                   socket_name);
    return address;
}

static FALLIBLE wait_ready(const struct stream *stream, short events, struct err *err)
{
    struct pollfd fds[] = {{.fd = stream->fd, .events = events},
                           {.fd = stream->stop_fd, .events = POLLIN}};

    for (;;) {
        int64_t left_us = stream->deadline_us - sys_mono_us();
        if (left_us <= 0)
            return err_detail(err, ERR_TIMEOUT, "the command socket's peer is too slow");
        int count = poll(fds, COUNT_OF(fds), (int)(left_us / 1000) + 1);
        if (count < 0 && errno != EINTR)
            return err_detail(err, ERR_IO, "poll: %s", strerror(errno));
        if (count > 0 && fds[1].revents != 0)
            return err_set(err, ERR_UNAVAILABLE, "the server is stopping");
        if (count > 0)
            return ERR_OK;
    }
}

static FALLIBLE receive(const struct stream *stream, void *dst, size_t len, struct err *err)
{
    char *at = dst;

    while (len > 0) {
        TRY(wait_ready(stream, POLLIN, err));
        ssize_t got = recv(stream->fd, at, len, MSG_DONTWAIT);
        if (got == 0)
            return err_detail(err, ERR_IO, "the command socket's peer closed");
        if (got < 0 && errno != EAGAIN && errno != EINTR)
            return err_detail(err, ERR_IO, "recv: %s", strerror(errno));
        if (got > 0) {
            at += got;
            len -= (size_t)got;
        }
    }
    return ERR_OK;
}

static FALLIBLE transmit(const struct stream *stream, const void *src, size_t len,
                         struct err *err)
{
    const char *at = src;

    while (len > 0) {
        TRY(wait_ready(stream, POLLOUT, err));
        ssize_t put = send(stream->fd, at, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (put < 0 && errno != EAGAIN && errno != EINTR)
            return err_detail(err, ERR_IO, "send: %s", strerror(errno));
        if (put > 0) {
            at += put;
            len -= (size_t)put;
        }
    }
    return ERR_OK;
}

static FALLIBLE send_frame(const struct stream *stream, struct str text, struct err *err)
{
    unsigned char head[4];

    if (text.len > TEXT_MAX_BYTES)
        return err_set(err, ERR_TOO_LARGE, "a command may hold at most %d bytes",
                       TEXT_MAX_BYTES);
    for (int i = 0; i < 4; i++)
        head[i] = (unsigned char)(text.len >> (8 * (3 - i)));
    TRY(transmit(stream, head, sizeof(head), err));
    return transmit(stream, text.ptr, text.len, err);
}

/* Appends a frame's text. */
static FALLIBLE receive_frame(const struct stream *stream, struct buf *ret_text,
                              struct err *err)
{
    unsigned char head[4];
    char block[16 << 10];

    TRY(receive(stream, head, sizeof(head), err));
    size_t left =
        (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    if (left > TEXT_MAX_BYTES)
        return err_set(err, ERR_TOO_LARGE, "a command may hold at most %d bytes",
                       TEXT_MAX_BYTES);
    while (left > 0) {
        size_t len = left < sizeof(block) ? left : sizeof(block);
        TRY(receive(stream, block, len, err));
        buf_put(ret_text, block, len);
        left -= len;
    }
    return buf_check(ret_text, err);
}

static FALLIBLE check_peer(int fd, struct err *err)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
        return err_detail(err, ERR_IO, "SO_PEERCRED: %s", strerror(errno));
    if (peer.uid != geteuid())
        return err_detail(err, ERR_PERMISSION, "a command of uid %u was refused",
                          (unsigned)peer.uid);
    return ERR_OK;
}

/* One request. A caller that cannot be answered sees its connection close. */
static FALLIBLE serve_one(struct command_server *server, int fd, struct err *err)
{
    CLEANUP(buf_fini) struct buf request = {0};
    CLEANUP(buf_fini) struct buf answer = {0};
    struct stream stream = {fd, server->stop_fd, sys_mono_us() + REQUEST_US};

    buf_init(&request, TEXT_MAX_BYTES);
    buf_init(&answer, TEXT_MAX_BYTES);
    TRY(check_peer(fd, err));
    TRY(receive_frame(&stream, &request, err));
    server->fn(server->ctx, buf_str(&request), &answer);
    TRY(buf_check(&answer, err));
    stream.deadline_us = sys_mono_us() + IO_US;
    stream.stop_fd = -1; /* its work is done: it gets its answer */
    return send_frame(&stream, buf_str(&answer), err);
}

static void *server_main(void *ctx)
{
    struct command_server *server = ctx;
    struct stream listening = {server->listen_fd, server->stop_fd, INT64_MAX};
    struct pollfd fds[] = {{.fd = listening.fd, .events = POLLIN},
                           {.fd = listening.stop_fd, .events = POLLIN}};

    for (;;) {
        if (poll(fds, COUNT_OF(fds), -1) < 0)
            continue; /* EINTR */
        if (fds[1].revents != 0)
            return NULL;
        CLEANUP(close_fd) int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        struct err err;
        if (fd < 0) {
            /* Out of descriptors, mostly: the connection stays in the backlog. */
            if (errno != EINTR && errno != ECONNABORTED && errno != EAGAIN)
                sys_sleep_us(100 * 1000);
            continue;
        }
        if (serve_one(server, fd, &err) != ERR_OK)
            LOG(LOG_WARN, "command_refused", LOG_TEXT("code", err_name(err.code)),
                LOG_TEXT("detail", err.detail));
    }
}

static FALLIBLE listen_in(struct command_server *server, struct err *err)
{
    struct sockaddr_un address = address_in(server->dir_fd);

    server->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    server->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (server->listen_fd < 0 || server->stop_fd < 0)
        return err_detail(err, ERR_IO, "socket: %s", strerror(errno));
    /* One left by a crash; who holds the directory's lock may remove it. */
    if (unlinkat(server->dir_fd, socket_name, 0) != 0 && errno != ENOENT)
        return err_set(err, ERR_IO, "cannot remove %s: %s", socket_name, strerror(errno));
    /* The mode of the socket becomes that of its name: never open to others. */
    if (fchmod(server->listen_fd, 0600) != 0 ||
        bind(server->listen_fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(server->listen_fd, BACKLOG) != 0)
        return err_set(err, ERR_IO, "cannot listen on %s: %s", socket_name, strerror(errno));
    return ERR_OK;
}

static void server_free(struct command_server **server_ref)
{
    struct command_server *server = *server_ref;

    if (server == NULL)
        return;
    close_fd(&server->listen_fd);
    close_fd(&server->stop_fd);
    close_fd(&server->dir_fd);
    free(server);
    *server_ref = NULL;
}

FALLIBLE command_socket_serve(const char *dir, command_fn fn, void *ctx,
                              struct command_server **ret_server, struct err *err)
{
    CLEANUP(server_free) struct command_server *server = calloc(1, sizeof(*server));

    if (server == NULL)
        return err_detail(err, ERR_UNAVAILABLE, "out of memory for the command socket");
    server->dir_fd = server->listen_fd = server->stop_fd = -1;
    server->fn = fn;
    server->ctx = ctx;
    TRY(open_dir(dir, &server->dir_fd, err));
    TRY(listen_in(server, err));
    TRY(lock_thread(&server->thread, "commands", STACK_BYTES, server_main, server, err));
    *ret_server = server;
    server = NULL;
    return ERR_OK;
}

void command_socket_stop(struct command_server **server)
{
    static const uint64_t one = 1;

    if (*server == NULL)
        return;
    ASSERT(write((*server)->stop_fd, &one, sizeof(one)) == sizeof(one));
    (void)pthread_join((*server)->thread, NULL);
    (void)unlinkat((*server)->dir_fd, socket_name, 0);
    server_free(server);
}

FALLIBLE command_socket_call(const char *dir, struct str request, struct buf *ret_answer,
                             struct err *err)
{
    CLEANUP(close_fd) int dir_fd = -1;
    CLEANUP(close_fd) int fd = -1;

    if (request.len > TEXT_MAX_BYTES)
        return err_set(err, ERR_TOO_LARGE, "a command may hold at most %d bytes",
                       TEXT_MAX_BYTES);
    TRY(open_dir(dir, &dir_fd, err));
    struct sockaddr_un address = address_in(dir_fd);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_detail(err, ERR_IO, "socket: %s", strerror(errno));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        if (errno == ENOENT || errno == ECONNREFUSED)
            return err_set(err, ERR_NOT_FOUND, "no server is running on %s", dir);
        return err_set(err, ERR_IO, "cannot reach the server on %s: %s", dir, strerror(errno));
    }
    struct stream stream = {fd, -1, sys_mono_us() + IO_US};
    enum err_code rc = send_frame(&stream, request, err);

    stream.deadline_us = sys_mono_us() + ANSWER_US;
    if (rc == ERR_OK)
        rc = receive_frame(&stream, ret_answer, err);
    if (rc == ERR_IO)
        return err_set(err, ERR_BUSY,
                       "the server on %s ended the connection: it is stopping, or it does not"
                       " take commands of this user; the command may or may not have run",
                       dir);
    return rc;
}
