/* SPDX-License-Identifier: Apache-2.0 */
/* A server with two toy dialects, and a client that speaks raw bytes, for the
 * tests of gateway/http. */
#ifndef ARKGATE_TESTS_HTTP_TOY_H
#define ARKGATE_TESTS_HTTP_TOY_H

#include "gateway/http/http.h"
#include "tests/lib/check.h"

#include <arpa/inet.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define TOY __attribute__((unused)) static

enum { TOY_BODY_MAX = 2 << 20, TOY_SPOOL_OVER = 128 << 10, TOY_BIG = 300000 };

/* The world that handlers see as struct app. */
struct toy {
    struct lock lock;
    bool slow_entered, slow_may_leave;
    atomic_int bodies; /* handlers that got one */
    bool ready;
    struct server *server;
    int port, admin_port;
};

/* --- dialects ------------------------------------------------------------ */

static struct toy *toy_of(struct request *rq)
{
    return (struct toy *)(void *)rq->app;
}

static enum err_code toy_item(struct request *rq, struct err *err)
{
    (void)err;
    buf_puts(&rq->rsp.body, "{\"item\":\"");
    buf_put_str(&rq->rsp.body, rq->tail);
    buf_puts(&rq->rsp.body, "\"}");
    return ERR_OK;
}

static enum err_code toy_echo(struct request *rq, struct err *err)
{
    (void)err;
    atomic_fetch_add(&toy_of(rq)->bodies, 1);
    response_header(rq, "X-Spooled", rq->spool != NULL ? "yes" : "no");
    buf_put_str(&rq->rsp.body, rq->body);
    return ERR_OK;
}

static enum err_code toy_ignore(struct request *rq, struct err *err)
{
    (void)err;
    response_status(rq, 201);
    buf_puts(&rq->rsp.body, "{}");
    return ERR_OK;
}

static enum err_code toy_fail(struct request *rq, struct err *err)
{
    buf_puts(&rq->rsp.body, "half an ans");
    response_header(rq, "Retry-After", "7");
    response_header(rq, "X-Evil", "a\r\nX-Injected: b");
    return err_detail(err, ERR_BUSY, "the toy is tired");
}

static enum err_code toy_big(struct request *rq, struct err *err)
{
    (void)err;
    response_header(rq, "Content-Type", "text/plain");
    for (int i = 0; i < TOY_BIG; i++)
        buf_puts(&rq->rsp.body, "x");
    return ERR_OK;
}

static enum err_code toy_slow(struct request *rq, struct err *err)
{
    struct toy *toy = toy_of(rq);

    (void)err;
    lock_take(&toy->lock);
    toy->slow_entered = true;
    lock_signal(&toy->lock);
    while (!toy->slow_may_leave)
        (void)lock_wait(&toy->lock, INT64_MAX);
    lock_drop(&toy->lock);
    buf_puts(&rq->rsp.body, "{\"slow\":true}");
    return ERR_OK;
}

static enum err_code toy_empty(struct request *rq, struct err *err)
{
    (void)err;
    response_status(rq, 204);
    return ERR_OK;
}

static const struct route toy_routes[] = {
    {"GET", "/toy/items/*", "toy_item", false, toy_item},
    {"DELETE", "/toy/items/*", "toy_ignore", false, toy_ignore},
    {"POST", "/toy/echo", "toy_echo", true, toy_echo},
    {"PUT", "/toy/echo", "toy_echo", true, toy_echo},
    {"DELETE", "/toy/echo", "toy_echo", true, toy_echo},
    {"POST", "/toy/ignore", "toy_ignore", false, toy_ignore},
    {"GET", "/toy/fail", "toy_fail", false, toy_fail},
    {"GET", "/toy/big", "toy_big", false, toy_big},
    {"GET", "/toy/slow", "toy_slow", false, toy_slow},
    {"GET", "/toy/empty", "toy_empty", false, toy_empty},
    {"OPTIONS", "/toy/options", "toy_empty", false, toy_empty},
};

static bool toy_owns(const struct request *rq)
{
    return str_starts_nocase(rq->path, STR("/toy/"));
}

static enum err_code toy_identify(struct request *rq, struct err *err)
{
    if (!str_is(request_header(rq, "Authorization"), "Bearer good"))
        return err_set(err, ERR_UNAUTHORIZED, "%s", err_text(ERR_UNAUTHORIZED));
    rq->scope.tenant_id = 7;
    return ERR_OK;
}

static void toy_put_error(struct request *rq, const struct err *err)
{
    buf_printf(&rq->rsp.body, "{\"toy\":\"%s\",\"message\":\"%s\"}", err_name(err->code),
               err->msg);
}

static bool admin_owns(const struct request *rq)
{
    return rq->admin && str_starts_nocase(rq->path, STR("/admin/"));
}

static const struct route admin_routes[] = {
    {"GET", "/admin/items/*", "toy_item", false, toy_item},
};

static bool last_owns(const struct request *rq)
{
    (void)rq;
    return false;
}

static void last_put_error(struct request *rq, const struct err *err)
{
    buf_printf(&rq->rsp.body, "{\"last\":\"%s\"}", err_name(err->code));
}

static const struct dialect toy_dialect = {
    "toy", toy_owns, toy_identify, toy_routes, COUNT_OF(toy_routes), toy_put_error};
static const struct dialect admin_dialect = {
    "admin", admin_owns, toy_identify, admin_routes, COUNT_OF(admin_routes), toy_put_error};
static const struct dialect last_dialect = {"last", last_owns, toy_identify,
                                            NULL,   0,         last_put_error};
static const struct dialect *const toy_dialects[] = {&toy_dialect, &admin_dialect,
                                                     &last_dialect};

static bool toy_ready(struct app *app, struct buf *why_not)
{
    if (((struct toy *)(void *)app)->ready)
        return true;
    buf_puts(why_not, "the toy sleeps");
    return false;
}

TOY struct server_options toy_options(struct toy *toy)
{
    return (struct server_options){.listen = "127.0.0.1:0",
                                   .admin_listen = "127.0.0.1:0",
                                   .workers = 8,
                                   .body_max = TOY_BODY_MAX,
                                   .spool_over = TOY_SPOOL_OVER,
                                   .spool_dir = "/tmp",
                                   .inflight_max = 64 << 20,
                                   .client_us = 10000000,
                                   .address_max = 256,
                                   .dialects = toy_dialects,
                                   .dialect_count = COUNT_OF(toy_dialects),
                                   .ready = toy_ready,
                                   .app = (struct app *)(void *)toy};
}

TOY void toy_start(struct toy *toy)
{
    struct server_options options = toy_options(toy);
    struct err err = {0};

    *toy = (struct toy){.ready = true};
    lock_init(&toy->lock);
    CHECK_OK("start", server_start(&options, &toy->server, &err), &err);
    if (toy->server == NULL)
        exit(1);
    toy->port = server_public_port(toy->server);
    toy->admin_port = server_admin_port(toy->server);
}

TOY void toy_stop(struct toy *toy)
{
    server_stop(&toy->server);
    lock_fini(&toy->lock);
}

/* --- client -------------------------------------------------------------- */

struct answer {
    int status;      /* 0: the connection ended without an answer */
    char head[8192]; /* status line and headers */
    char *body;      /* NUL-terminated, malloc */
    size_t body_len;
};

struct client {
    int fd;
    char ahead[65536]; /* read but not used */
    size_t ahead_len;
};

TOY struct client client_open(int port)
{
    struct client client = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = 20};

    (void)setsockopt(client.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    (void)setsockopt(client.fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    CHECK_INT("connect", connect(client.fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return client;
}

TOY void client_close(struct client *client)
{
    (void)close(client->fd);
}

/* False when the server no longer takes the bytes. */
TOY bool client_send(struct client *client, const void *bytes, size_t len)
{
    const char *at = bytes;

    while (len > 0) {
        ssize_t done = send(client->fd, at, len, MSG_NOSIGNAL);

        if (done <= 0)
            return false;
        at += done;
        len -= (size_t)done;
    }
    return true;
}

TOY void client_puts(struct client *client, const char *text)
{
    CHECK_TRUE("send", client_send(client, text, strlen(text)));
}

static bool client_more(struct client *client)
{
    ssize_t got = recv(client->fd, client->ahead + client->ahead_len,
                       sizeof(client->ahead) - 1 - client->ahead_len, 0);

    if (got <= 0)
        return false;
    client->ahead_len += (size_t)got;
    client->ahead[client->ahead_len] = '\0';
    return true;
}

static void client_eat(struct client *client, size_t len)
{
    memmove(client->ahead, client->ahead + len, client->ahead_len - len + 1);
    client->ahead_len -= len;
}

TOY const char *answer_header(const struct answer *answer, const char *name)
{
    static char value[1024];
    size_t len = strlen(name);

    for (const char *at = strstr(answer->head, "\r\n"); at != NULL; at = strstr(at, "\r\n")) {
        at += 2;
        if (strncasecmp(at, name, len) != 0 || at[len] != ':')
            continue;
        at += len + 1 + strspn(at + len + 1, " ");
        (void)str_copy(value, sizeof(value), (struct str){at, strcspn(at, "\r\n")});
        return value;
    }
    return "";
}

TOY void answer_fini(struct answer *answer)
{
    free(answer->body);
    answer->body = NULL;
}

/* Reads one answer; without_body for HEAD and 1xx. */
TOY void client_read(struct client *client, bool without_body, struct answer *ret)
{
    char *end;
    size_t head_len, want, have;

    *ret = (struct answer){0};
    client->ahead[client->ahead_len] = '\0';
    while ((end = strstr(client->ahead, "\r\n\r\n")) == NULL) {
        if (!client_more(client)) {
            ret->body = calloc(1, 1);
            return;
        }
    }
    head_len = (size_t)(end - client->ahead) + 4;
    (void)str_copy(ret->head, sizeof(ret->head), (struct str){client->ahead, head_len});
    ret->status = (int)strtol(ret->head + 9, NULL, 10);
    client_eat(client, head_len);
    want = without_body ? 0 : strtoul(answer_header(ret, "Content-Length"), NULL, 10);
    ret->body = calloc(1, want + 1);
    for (have = 0; have < want;) {
        size_t take = client->ahead_len < want - have ? client->ahead_len : want - have;

        memcpy(ret->body + have, client->ahead, take);
        have += take;
        client_eat(client, take);
        if (have < want && !client_more(client))
            break;
    }
    ret->body_len = have;
}

/* True when the server has ended the connection and nothing more comes. */
TOY bool client_at_end(struct client *client)
{
    return client->ahead_len == 0 && !client_more(client);
}

/* One request on a connection of its own. */
TOY void client_ask(int port, const char *request, struct answer *ret)
{
    struct client client = client_open(port);

    client_puts(&client, request);
    client_read(&client, strncmp(request, "HEAD ", 5) == 0, ret);
    client_close(&client);
}

#define TOY_HEAD(line) line " HTTP/1.1\r\nHost: toy\r\nAuthorization: Bearer good\r\n"

#endif
