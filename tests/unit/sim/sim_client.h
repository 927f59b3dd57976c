/* SPDX-License-Identifier: Apache-2.0 */
/* A simulator to test and a client over plain sockets that shows what really
 * arrives: a status, a body cut short, an end of file, a reset. */
#ifndef ARKGATE_TESTS_SIM_CLIENT_H
#define ARKGATE_TESTS_SIM_CLIENT_H

#include "base/base.h"
#include "base/json.h"
#include "gateway/sim/sim.h"
#include "tests/lib/check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define TASKS "/api/v3/contents/generations/tasks"
#define KEY "key-one"

static struct sim *sim;

/* What came back for one request, on a connection of its own. */
struct reply {
    int status;       /* 0: none */
    int64_t promised; /* Content-Length; -1 without */
    int error;        /* errno of the end: 0 for an orderly one */
    bool timed_out;
    struct buf raw;
    struct str body;
};

static inline void reply_fini(struct reply *reply)
{
    buf_fini(&reply->raw);
}

static inline void start_with(struct sim_options options)
{
    struct err err = {0};

    options.listen = "127.0.0.1:0";
    options.api_key = KEY ", key-two";
    options.workers = 8;
    CHECK_OK("start", sim_start(&options, &sim, &err), &err);
    if (sim == NULL)
        exit(1); /* nothing else can be said */
}

static inline void start(int64_t speed)
{
    start_with((struct sim_options){.speed = speed, .seed = 7});
}

static inline int dial(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = 60};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        CHECK_FAILED("dial", "%s", strerror(errno));
        exit(1);
    }
    return fd;
}

static inline void parse_reply(struct reply *reply)
{
    struct str raw = buf_str(&reply->raw);
    const char *end = raw.len == 0 ? NULL : memmem(raw.ptr, raw.len, "\r\n\r\n", 4);

    reply->promised = -1;
    if (end == NULL)
        return;
    const char *length = strcasestr(raw.ptr, "\r\nContent-Length:");

    reply->status = (int)strtol(raw.ptr + 9, NULL, 10);
    if (length != NULL && length < end)
        reply->promised = strtoll(length + 17, NULL, 10);
    reply->body = (struct str){end + 4, raw.len - (size_t)(end + 4 - raw.ptr)};
}

static inline struct reply exchange(const char *head, struct str body)
{
    struct reply reply = {0};
    int fd = dial(sim_port(sim));
    char bytes[65536];
    ssize_t got;

    buf_init(&reply.raw, 64 * 1024 * 1024);
    if (send(fd, head, strlen(head), MSG_NOSIGNAL) < 0 ||
        (body.len > 0 && send(fd, body.ptr, body.len, MSG_NOSIGNAL) < 0))
        reply.error = errno;
    while ((got = recv(fd, bytes, sizeof(bytes), 0)) > 0)
        buf_put(&reply.raw, bytes, (size_t)got);
    if (got < 0)
        reply.error = errno;
    (void)close(fd);
    parse_reply(&reply);
    return reply;
}

/* One request with a key and more header lines ("Name: value\r\n"). */
static inline struct reply ask_as(const char *key, const char *method, const char *path,
                                  const char *headers, const char *body)
{
    CLEANUP(buf_fini) struct buf head = {0};

    buf_init(&head, 256 * 1024);
    buf_printf(
        &head,
        "%s %s HTTP/1.1\r\nHost: sim\r\nConnection: close\r\nAuthorization: Bearer %s\r\n"
        "%s",
        method, path, key, headers);
    if (body != NULL)
        buf_printf(&head, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
                   strlen(body));
    buf_puts(&head, "\r\n");
    return exchange(head.ptr, str_from(body));
}

static inline struct reply ask(const char *method, const char *path, const char *body)
{
    return ask_as(KEY, method, path, "", body);
}

/* Copies the text or the digits of the first member of that name in a JSON text. */
static inline const char *member(struct str json, const char *name)
{
    static char value[512];
    char wanted[80];
    size_t len = 0;
    const char *at;

    value[0] = '\0';
    (void)snprintf(wanted, sizeof(wanted), "\"%s\":", name);
    at = json.len == 0 ? NULL : memmem(json.ptr, json.len, wanted, strlen(wanted));
    if (at == NULL)
        return value;
    at += strlen(wanted);
    if (*at == '"') {
        for (at++; *at != '"' && len + 1 < sizeof(value); at++)
            value[len++] = *at;
    } else {
        for (; strchr(",}]", *at) == NULL && len + 1 < sizeof(value); at++)
            value[len++] = *at;
    }
    value[len] = '\0';
    return value;
}

static inline bool holds(struct str text, const char *part)
{
    return text.len > 0 && memmem(text.ptr, text.len, part, strlen(part)) != NULL;
}

struct id {
    char text[64];
};

static inline void expect(const char *what, struct reply reply, int status, const char *code)
{
    CHECK_INT(what, reply.status, status);
    CHECK_TEXT(what, member(reply.body, "code"), code);
    reply_fini(&reply);
}

/* Creates a task with a prompt and more members (", …" or ""). */
static inline struct id make_with(const char *model, const char *prompt, const char *more)
{
    char body[4096];
    struct id id = {""};

    (void)snprintf(body, sizeof(body),
                   "{\"model\":\"%s\",\"content\":[{\"type\":\"text\",\"text\":\"%s\"}]%s}",
                   model, prompt, more);
    struct reply reply = ask("POST", TASKS, body);

    CHECK_INT(body, reply.status, 200);
    (void)str_copy(id.text, sizeof(id.text), str_from(member(reply.body, "id")));
    reply_fini(&reply);
    return id;
}

static inline struct id make(const char *prompt)
{
    return make_with("doubao-seedance-2-0-260128", prompt, "");
}

static inline struct reply get(struct id id)
{
    char path[160];

    (void)snprintf(path, sizeof(path), TASKS "/%s", id.text);
    return ask("GET", path, NULL);
}

static inline struct reply erase(struct id id)
{
    char path[160];

    (void)snprintf(path, sizeof(path), TASKS "/%s", id.text);
    return ask("DELETE", path, "{}");
}

static inline void advance(int64_t ms)
{
    char body[64];

    (void)snprintf(body, sizeof(body), "{\"advance_ms\":%lld}", (long long)ms);
    struct reply reply = ask("POST", "/sim/clock", body);

    CHECK_INT("clock", reply.status, 200);
    reply_fini(&reply);
}

/* The member of a task as GET shows it now. */
static inline const char *now(struct id id, const char *name)
{
    struct reply reply = get(id);
    const char *value = member(reply.body, name);

    CHECK_INT(name, reply.status, 200);
    reply_fini(&reply);
    return value;
}

static inline void fault(const char *json)
{
    struct reply reply = ask("POST", "/sim/faults", json);

    CHECK_INT(json, reply.status, 200);
    reply_fini(&reply);
}

static inline int64_t counter(const char *name)
{
    struct reply reply = ask("GET", "/sim/state", NULL);
    int64_t value = strtoll(member(reply.body, name), NULL, 10);

    reply_fini(&reply);
    return value;
}

#endif
