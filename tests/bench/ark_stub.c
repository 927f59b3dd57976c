/* SPDX-License-Identifier: Apache-2.0 */
/* An Ark without latency: every create succeeds at once. It decides nothing, keeps
 * nothing and checks nothing, so that a measurement shows who stands in front of it.
 * usage: ark_stub [PORT]   (loopback; prints "ready stub=URL"; SIGTERM ends it) */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum {
    IN_MAX = 64 * 1024,   /* a list of 500 ids is 22 kB, a create here below 1 kB */
    OUT_MAX = 512 * 1024, /* 500 tasks of 600 bytes, and heads */
    ID_MAX = 63,
    TASK_ROOM = 800,
    EVENTS = 256,
};

struct conn {
    int fd;
    bool last, blocked; /* close once all is written; waits to write, not to read */
    size_t in_len, out_len, out_at;
    char in[IN_MAX + 1];
    char out[OUT_MAX];
};

/* cgt-, Beijing time, five characters that count. */
static void next_id(char *ret_id, size_t size)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    static uint32_t made;
    time_t now = time(NULL) + 8 * 3600;
    char stamp[24], tail[6] = {0};
    uint32_t rest = made++;
    struct tm at;

    for (size_t i = 5; i-- > 0; rest /= 36)
        tail[i] = digits[rest % 36];
    (void)strftime(stamp, sizeof(stamp), "%Y%m%d%H%M%S", gmtime_r(&now, &at));
    (void)snprintf(ret_id, size, "cgt-%s-%s", stamp, tail);
}

static size_t put_task(char *dst, size_t size, const char *id, size_t id_len)
{
    long long now = (long long)time(NULL);

    return (size_t)snprintf(
        dst, size,
        "{\"id\":\"%.*s\",\"model\":\"doubao-seedance-2-0-260128\",\"status\":\"succeeded\","
        "\"content\":{\"video_url\":\"http://127.0.0.1/%.*s.mp4\"},"
        "\"usage\":{\"completion_tokens\":108900,\"total_tokens\":108900},"
        "\"created_at\":%lld,\"updated_at\":%lld,\"seed\":1,\"resolution\":\"720p\","
        "\"ratio\":\"16:9\",\"duration\":5,\"framespersecond\":24,"
        "\"service_tier\":\"default\",\"execution_expires_after\":172800,"
        "\"generate_audio\":true}",
        (int)id_len, id, (int)id_len, id, now, now);
}

/* The tasks that filter.task_ids names; without a filter there are none. */
static size_t put_list(char *dst, size_t size, const char *query)
{
    static const char name[] = "filter.task_ids=";
    size_t len = (size_t)snprintf(dst, size, "{\"items\":["), count = 0;

    for (const char *at = query; size - len > TASK_ROOM && (at = strstr(at, name)) != NULL;) {
        at += sizeof(name) - 1;
        size_t id_len = strcspn(at, "& ");

        if (id_len == 0 || id_len > ID_MAX)
            continue;
        if (count++ > 0)
            dst[len++] = ',';
        len += put_task(dst + len, size - len, at, id_len);
    }
    return len + (size_t)snprintf(dst + len, size - len, "],\"total\":%zu}", count);
}

static bool put_answer(struct conn *conn, const char *head)
{
    static char body[OUT_MAX - 256];
    const char *target = strchr(head, ' ') + 1, *end = target + strcspn(target, " ?"),
               *from = end;
    size_t len, room = OUT_MAX - conn->out_len;

    if (head[0] == 'P') {
        char id[ID_MAX + 1];

        next_id(id, sizeof(id));
        len = (size_t)snprintf(body, sizeof(body), "{\"id\":\"%s\"}", id);
    } else if (*end == '?') {
        len = put_list(body, sizeof(body), end);
    } else {
        while (from > target && end - from < ID_MAX && from[-1] != '/')
            from--;
        len = put_task(body, sizeof(body), from, (size_t)(end - from));
    }
    if (len + 256 > room)
        return false;
    conn->out_len += (size_t)snprintf(
        conn->out + conn->out_len, room,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Request-Id: stub\r\n"
        "Content-Length: %zu\r\n%s\r\n",
        len, conn->last ? "Connection: close\r\n" : "");
    memcpy(conn->out + conn->out_len, body, len);
    conn->out_len += len;
    return true;
}

/* Answers what has come in whole. False: not HTTP as it is spoken here, or too long. */
static bool take_requests(struct conn *conn)
{
    size_t at = 0;

    conn->in[conn->in_len] = '\0';
    while (!conn->last && at < conn->in_len) {
        char *head = conn->in + at, *end = strstr(head, "\r\n\r\n"), *field;

        if (end == NULL)
            break;
        *end = '\0';
        if ((strncmp(head, "GET ", 4) != 0 && strncmp(head, "POST ", 5) != 0) ||
            strcasestr(head, "\r\nTransfer-Encoding:") != NULL)
            return false;
        field = strcasestr(head, "\r\nContent-Length:");
        unsigned long body_len = field == NULL ? 0 : strtoul(field + 17, NULL, 10);

        if (body_len > IN_MAX)
            return false;
        size_t whole = (size_t)(end - head) + 4 + body_len;

        if (whole > conn->in_len - at) {
            *end = '\r';
            break;
        }
        conn->last = strstr(head, " HTTP/1.0") != NULL ||
                     strcasestr(head, "\r\nConnection: close") != NULL;
        if (!put_answer(conn, head))
            return false;
        at += whole;
    }
    memmove(conn->in, conn->in + at, conn->in_len - at);
    conn->in_len -= at;
    return conn->in_len < IN_MAX;
}

static bool wait_for(int loop, struct conn *conn, bool to_write)
{
    struct epoll_event want = {.events = to_write ? EPOLLOUT : EPOLLIN, .data.ptr = conn};

    if (conn->blocked == to_write)
        return true;
    conn->blocked = to_write;
    return epoll_ctl(loop, EPOLL_CTL_MOD, conn->fd, &want) == 0;
}

/* Writes what it can. False: the connection is done with. */
static bool flush_out(int loop, struct conn *conn)
{
    while (conn->out_at < conn->out_len) {
        ssize_t put = send(conn->fd, conn->out + conn->out_at, conn->out_len - conn->out_at,
                           MSG_NOSIGNAL);

        if (put < 0)
            return errno == EAGAIN && wait_for(loop, conn, true);
        conn->out_at += (size_t)put;
    }
    conn->out_at = conn->out_len = 0;
    return !conn->last && wait_for(loop, conn, false);
}

static bool serve_conn(int loop, struct conn *conn)
{
    if (conn->out_len == 0) {
        ssize_t got = recv(conn->fd, conn->in + conn->in_len, IN_MAX - conn->in_len, 0);

        if (got <= 0)
            return got < 0 && errno == EAGAIN;
        conn->in_len += (size_t)got;
        if (!take_requests(conn))
            return false;
    }
    return flush_out(loop, conn);
}

static void drop_conn(struct conn *conn)
{
    (void)close(conn->fd);
    free(conn);
}

static void accept_conn(int loop, int listener)
{
    int one = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct conn *conn = fd < 0 ? NULL : malloc(sizeof(*conn));

    if (conn == NULL) {
        (void)close(fd);
        return;
    }
    conn->fd = fd;
    conn->last = conn->blocked = false;
    conn->in_len = conn->out_len = conn->out_at = 0;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    struct epoll_event want = {.events = EPOLLIN, .data.ptr = conn};

    if (epoll_ctl(loop, EPOLL_CTL_ADD, fd, &want) != 0)
        drop_conn(conn);
}

int main(int argc, char **argv)
{
    unsigned long port = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, loop = epoll_create1(EPOLL_CLOEXEC);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct epoll_event events[EVENTS], want = {.events = EPOLLIN, .data.ptr = NULL};
    socklen_t size = sizeof(at);

    at.sin_port = htons((uint16_t)port);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM); /* never outlives the run */
    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (port > 65535 || bind(listener, (struct sockaddr *)&at, size) != 0 ||
        listen(listener, 1024) != 0 || getsockname(listener, (struct sockaddr *)&at, &size) ||
        epoll_ctl(loop, EPOLL_CTL_ADD, listener, &want) != 0) {
        perror("ark_stub");
        return 1;
    }
    (void)printf("ready stub=http://127.0.0.1:%d\n", ntohs(at.sin_port));
    (void)fflush(stdout);
    for (;;) {
        int count = epoll_wait(loop, events, EVENTS, -1);

        for (int i = 0; i < count; i++) {
            struct conn *conn = events[i].data.ptr;

            if (conn == NULL)
                accept_conn(loop, listener);
            else if (!serve_conn(loop, conn))
                drop_conn(conn);
        }
    }
}
