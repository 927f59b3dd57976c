/* SPDX-License-Identifier: Apache-2.0 */
/* A little HTTP client over plain sockets. It decides that nothing but loopback
 * is ever connected to; what is asked and what an answer means, its callers do. */
#include "gateway/sim/sim_parts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* How soon a wait sees that the simulator stops. */
enum { SLICE_MS = 50 };

bool sim_link_parse(struct str url, struct sim_link *ret_link)
{
    struct sim_link link = {.https = str_starts_nocase(url, STR("https://"))};
    size_t skip = link.https ? 8 : 7, len = 0, path_len = 0;

    if (!link.https && !str_starts_nocase(url, STR("http://")))
        return false;
    for (size_t i = 0; i < url.len; i++)
        if ((uint8_t)url.ptr[i] <= ' ') /* would end the request line */
            return false;
    struct str rest = {url.ptr + skip, url.len - skip};

    while (len < rest.len && memchr("/?#", rest.ptr[len], 3) == NULL)
        len++;
    while (len + path_len < rest.len && rest.ptr[len + path_len] != '#')
        path_len++;
    struct str host = {rest.ptr, len};
    const char *at = len == 0 ? NULL : memrchr(host.ptr, '@', host.len);

    if (len == 0)
        return false;
    if (at != NULL)
        host = (struct str){at + 1, (size_t)(host.ptr + host.len - at - 1)};
    link.name = host;
    link.path = (struct str){rest.ptr + len, path_len};
    const char *colon = host.len == 0 ? NULL : memrchr(host.ptr, ':', host.len);
    const char *bracket = host.len == 0 ? NULL : memrchr(host.ptr, ']', host.len);
    struct str port = link.https ? STR("443") : STR("80");

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

bool sim_link_is_local(const struct sim_link *link)
{
    const char *host = link->host;

    return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
           (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == strlen(host));
}

static bool stopping(struct sim *sim)
{
    lock_take(&sim->pause_lock);
    bool stop = sim->stopping;

    lock_drop(&sim->pause_lock);
    return stop;
}

static bool wait_for(struct sim *sim, int fd, short events, int64_t deadline_us)
{
    struct pollfd poll_fd = {.fd = fd, .events = events};

    while (!stopping(sim)) {
        int64_t left_ms = (deadline_us - sys_mono_us() + 999) / 1000;

        if (left_ms <= 0)
            return false;
        if (poll(&poll_fd, 1, left_ms < SLICE_MS ? (int)left_ms : SLICE_MS) == 1)
            return true;
    }
    return false;
}

/* Whatever a name server says of "localhost". */
static bool address_is_local(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >>
                   24 ==
               127;
    return address->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(
               &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
}

static int open_socket(struct sim *sim, const struct sim_link *link, int64_t deadline_us)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int fd = -1;

    if (!sim_link_is_local(link) || getaddrinfo(link->host, link->port, &hints, &found) != 0)
        return -1;
    for (struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next) {
        int problem = 0;
        socklen_t len = sizeof(problem);

        if (!address_is_local(at->ai_addr))
            continue;
        fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd < 0)
            continue;
        if (connect(fd, at->ai_addr, at->ai_addrlen) == 0 ||
            (errno == EINPROGRESS && wait_for(sim, fd, POLLOUT, deadline_us) &&
             getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &len) == 0 && problem == 0))
            break;
        (void)close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

static bool send_all(struct sim *sim, int fd, struct str text, int64_t deadline_us)
{
    while (text.len > 0) {
        ssize_t sent = send(fd, text.ptr, text.len, MSG_NOSIGNAL);

        if (sent < 0 && errno == EAGAIN && wait_for(sim, fd, POLLOUT, deadline_us))
            continue;
        if (sent <= 0)
            return false;
        text.ptr += sent;
        text.len -= (size_t)sent;
    }
    return true;
}

/* Reads to the end of the connection: every request asks for one. */
static bool receive_all(struct sim *sim, int fd, struct buf *answer, int64_t deadline_us)
{
    char bytes[16 * 1024];

    while (!answer->failed) {
        ssize_t got = recv(fd, bytes, sizeof(bytes), 0);

        if (got == 0)
            return true;
        if (got < 0 && errno == EAGAIN && wait_for(sim, fd, POLLIN, deadline_us))
            continue;
        if (got < 0)
            return false;
        buf_put(answer, bytes, (size_t)got);
    }
    return false;
}

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

bool sim_link_ask(struct sim *sim, const struct sim_link *link, struct str request,
                  struct buf *answer, int64_t deadline_us)
{
    CLEANUP(close_fd) int fd = link->https ? -1 : open_socket(sim, link, deadline_us);

    return fd >= 0 && send_all(sim, fd, request, deadline_us) &&
           receive_all(sim, fd, answer, deadline_us);
}
