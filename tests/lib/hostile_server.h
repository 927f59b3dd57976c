/* SPDX-License-Identifier: Apache-2.0 */
/* A loopback server whose every connection runs a test's own script, and which
 * counts what reached it. For tests of outbound calls. */
#ifndef ARKGATE_TESTS_HOSTILE_SERVER_H
#define ARKGATE_TESTS_HOSTILE_SERVER_H

#include "base/base.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define HOSTILE_FN static __attribute__((unused))

enum { HOSTILE_THREADS_MAX = 512 };

struct hostile;
/* Serves one connection; nth counts from 1. The fd is closed afterwards. */
typedef void (*hostile_script)(struct hostile *server, int fd, int nth);

struct hostile {
    int fd, port;
    int stop_fd; /* readable once the server stops */
    hostile_script script;
    pthread_t acceptor;
    pthread_t threads[HOSTILE_THREADS_MAX];
    struct lock lock; /* guards the counts; signalled when one moves */
    int connections;
    int heads;   /* whole request heads seen */
    int bodies;  /* whole requests seen */
    int seconds; /* heads whose target is /second */
};

struct hostile_peer {
    struct hostile *server;
    int fd, nth;
};

struct hostile_request {
    char head[8192];
    char target[128];
    size_t body_bytes; /* announced */
    size_t body_seen;  /* came with the head */
};

HOSTILE_FN void *hostile_serve(void *ctx)
{
    struct hostile_peer *peer = ctx;

    peer->server->script(peer->server, peer->fd, peer->nth);
    (void)close(peer->fd);
    free(peer);
    return NULL;
}

HOSTILE_FN void *hostile_accept(void *ctx)
{
    struct hostile *server = ctx;
    struct pollfd fds[2] = {{server->fd, POLLIN, 0}, {server->stop_fd, POLLIN, 0}};

    while (server->connections < HOSTILE_THREADS_MAX) {
        struct hostile_peer *peer;
        struct err err;
        int fd, one = 1;

        if (poll(fds, 2, -1) < 0 || fds[1].revents != 0)
            break;
        fd = accept(server->fd, NULL, NULL);
        if (fd < 0)
            continue;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        peer = calloc(1, sizeof(*peer));
        lock_take(&server->lock); /* who is answered has been counted */
        *peer = (struct hostile_peer){server, fd, ++server->connections};
        lock_signal(&server->lock);
        lock_drop(&server->lock);
        ASSERT(lock_thread(&server->threads[peer->nth - 1], "peer", 1 << 18, hostile_serve,
                           peer, &err) == ERR_OK);
    }
    return NULL;
}

/* A port of loopback that nobody listens on once the returned fd is closed. */
HOSTILE_FN int hostile_bind(int *ret_port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ASSERT(fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
    ASSERT(getsockname(fd, (struct sockaddr *)&addr, &len) == 0);
    *ret_port = ntohs(addr.sin_port);
    return fd;
}

/* The same port of ::1, -1 when it is taken or there is no IPv6. */
HOSTILE_FN int hostile_bind_v6(int port)
{
    struct sockaddr_in6 addr = {.sin6_family = AF_INET6,
                                .sin6_addr = IN6ADDR_LOOPBACK_INIT,
                                .sin6_port = htons((uint16_t)port)};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* Serves on a bound socket, which it takes over. */
HOSTILE_FN void hostile_start_on(struct hostile *server, hostile_script script, int fd,
                                 int port)
{
    struct err err;

    memset(server, 0, sizeof(*server));
    server->script = script;
    server->fd = fd;
    server->port = port;
    server->stop_fd = eventfd(0, EFD_CLOEXEC);
    ASSERT(server->stop_fd >= 0 && listen(server->fd, 512) == 0);
    lock_init(&server->lock);
    ASSERT(lock_thread(&server->acceptor, "acceptor", 1 << 18, hostile_accept, server, &err) ==
           ERR_OK);
}

HOSTILE_FN void hostile_start(struct hostile *server, hostile_script script)
{
    int port, fd = hostile_bind(&port);

    hostile_start_on(server, script, fd, port);
}

HOSTILE_FN void hostile_stop(struct hostile *server)
{
    uint64_t one = 1;

    ASSERT(write(server->stop_fd, &one, sizeof(one)) == sizeof(one));
    (void)pthread_join(server->acceptor, NULL);
    for (int i = 0; i < server->connections; i++)
        (void)pthread_join(server->threads[i], NULL);
    (void)close(server->fd);
    (void)close(server->stop_fd);
    lock_fini(&server->lock);
}

/* Waits for input on the fd; false when the server stops or the time is over. */
HOSTILE_FN bool hostile_readable(struct hostile *server, int fd, int ms)
{
    struct pollfd fds[2] = {{server->stop_fd, POLLIN, 0}, {fd, POLLIN, 0}};

    return poll(fds, 2, ms) > 0 && fds[0].revents == 0;
}

/* Lets time pass unless the server stops. */
HOSTILE_FN bool hostile_pause(struct hostile *server, int ms)
{
    struct pollfd fd = {server->stop_fd, POLLIN, 0};

    return poll(&fd, 1, ms) == 0;
}

/* Swallows input until the peer closes or the server stops. */
HOSTILE_FN void hostile_hold(struct hostile *server, int fd)
{
    char bytes[4096];

    while (hostile_readable(server, fd, -1) && recv(fd, bytes, sizeof(bytes), 0) > 0)
        continue;
}

/* Makes the close that follows a reset. */
HOSTILE_FN void hostile_reset(int fd)
{
    struct linger linger = {.l_onoff = 1};

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

HOSTILE_FN bool hostile_send(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);

        if (sent <= 0)
            return false;
        bytes += sent;
        len -= (size_t)sent;
    }
    return true;
}

HOSTILE_FN bool hostile_say(int fd, const char *text)
{
    return hostile_send(fd, text, strlen(text));
}

HOSTILE_FN void hostile_count(struct hostile *server, int *count)
{
    lock_take(&server->lock);
    (*count)++;
    lock_signal(&server->lock);
    lock_drop(&server->lock);
}

/* A count of a running server. */
HOSTILE_FN int hostile_seen(struct hostile *server, const int *count)
{
    int seen;

    lock_take(&server->lock);
    seen = *count;
    lock_drop(&server->lock);
    return seen;
}

/* Waits up to 5 s until the count is reached. */
HOSTILE_FN bool hostile_await(struct hostile *server, const int *count, int want)
{
    int64_t until = sys_mono_us() + 5000000;
    bool reached;

    lock_take(&server->lock);
    while (*count < want && lock_wait(&server->lock, until))
        continue;
    reached = *count >= want;
    lock_drop(&server->lock);
    return reached;
}

/* Reads up to the empty line. */
HOSTILE_FN bool hostile_head(struct hostile *server, int fd, struct hostile_request *ret)
{
    size_t len = 0;
    char *end = NULL, *found;

    memset(ret, 0, sizeof(*ret));
    while (end == NULL) {
        ssize_t got;

        if (len + 1 == sizeof(ret->head) || !hostile_readable(server, fd, -1))
            return false;
        got = recv(fd, ret->head + len, sizeof(ret->head) - 1 - len, 0);
        if (got <= 0)
            return false;
        len += (size_t)got;
        end = strstr(ret->head, "\r\n\r\n");
    }
    ret->body_seen = len - (size_t)(end + 4 - ret->head);
    (void)sscanf(ret->head, "%*15s %127s", ret->target);
    found = strcasestr(ret->head, "\r\nContent-Length:");
    if (found != NULL)
        ret->body_bytes = strtoul(found + strlen("\r\nContent-Length:"), NULL, 10);
    hostile_count(server, &server->heads);
    if (strcmp(ret->target, "/second") == 0)
        hostile_count(server, &server->seconds);
    return true;
}

/* Reads a head and as much of its body. */
HOSTILE_FN bool hostile_request(struct hostile *server, int fd, struct hostile_request *ret)
{
    char bytes[16384];

    if (!hostile_head(server, fd, ret))
        return false;
    while (ret->body_seen < ret->body_bytes) {
        ssize_t got = hostile_readable(server, fd, -1) ? recv(fd, bytes, sizeof(bytes), 0) : 0;

        if (got <= 0)
            return false;
        ret->body_seen += (size_t)got;
    }
    hostile_count(server, &server->bodies);
    return true;
}

/* "200", Content-Length and the request's target as the body. */
HOSTILE_FN bool hostile_answer(int fd, const struct hostile_request *request)
{
    char text[256];

    (void)snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
                   strlen(request->target), request->target);
    return hostile_say(fd, text);
}

/* Answers every request until the peer goes. */
HOSTILE_FN void hostile_polite(struct hostile *server, int fd, int nth)
{
    struct hostile_request request;

    (void)nth;
    while (hostile_request(server, fd, &request) && hostile_answer(fd, &request))
        continue;
}

/* Takes requests and never answers. */
HOSTILE_FN void hostile_silent(struct hostile *server, int fd, int nth)
{
    struct hostile_request request;

    (void)nth;
    if (hostile_request(server, fd, &request))
        hostile_hold(server, fd);
}

#endif
