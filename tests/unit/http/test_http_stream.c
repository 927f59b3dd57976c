/* SPDX-License-Identifier: Apache-2.0 */
/* Streamed answers: parts, heads, sources that fail, clients that do not read, and that the
 * source is given back once whatever happens. Also routes with several open segments. */
#include "tests/unit/http/toy.h"

#define TAG "\"tag\""
enum { WHOLE = 300000, CLIENT_US = 300000 };

static atomic_int opened, closed;

struct source {
    int64_t fails_at; /* a piece that reaches this offset cannot be read */
    int64_t len;
};

static char byte_at(int64_t offset)
{
    return (char)('a' + offset % 26);
}

static enum err_code source_read(void *ctx, int64_t offset, char *dst, size_t len,
                                 struct err *err)
{
    const struct source *source = ctx;

    if (len > 64 << 10 || offset + (int64_t)len > source->len)
        return err_detail(err, ERR_INTERNAL, "asked for too much");
    if (offset + (int64_t)len > source->fails_at)
        return err_detail(err, ERR_IO, "the toy's disk is broken");
    for (size_t i = 0; i < len; i++)
        dst[i] = byte_at(offset + (int64_t)i);
    return ERR_OK;
}

static void source_close(void *ctx)
{
    free(ctx);
    atomic_fetch_add(&closed, 1);
}

static enum err_code answer(struct request *rq, int64_t len, int64_t fails_at)
{
    struct source *source = calloc(1, sizeof(*source));
    const struct response_stream stream = {
        .read = source_read, .close = source_close, .ctx = source, .len = len};

    *source = (struct source){fails_at, len};
    atomic_fetch_add(&opened, 1);
    response_header(rq, "Content-Type", "text/plain");
    stream_answer(rq, TAG, &stream);
    return ERR_OK;
}

static enum err_code whole(struct request *rq, struct err *err)
{
    (void)err;
    return answer(rq, WHOLE, INT64_MAX);
}

static enum err_code empty(struct request *rq, struct err *err)
{
    (void)err;
    return answer(rq, 0, INT64_MAX);
}

static enum err_code breaks(struct request *rq, struct err *err)
{
    (void)err;
    return answer(rq, WHOLE, 200000);
}

static enum err_code huge(struct request *rq, struct err *err)
{
    (void)err;
    return answer(rq, INT64_C(1) << 40, INT64_MAX);
}

/* Has a stream and then an error. */
static enum err_code mistaken(struct request *rq, struct err *err)
{
    (void)answer(rq, WHOLE, INT64_MAX);
    return err_set(err, ERR_CONFLICT, "after all not");
}

static enum err_code open_segments(struct request *rq, struct err *err)
{
    (void)err;
    buf_put_str(&rq->rsp.body, rq->tail);
    return ERR_OK;
}

static const struct route routes[] = {
    {"GET", "/s/whole", "whole", false, whole},
    {"GET", "/s/empty", "empty", false, empty},
    {"GET", "/s/breaks", "breaks", false, breaks},
    {"GET", "/s/huge", "huge", false, huge},
    {"GET", "/s/mistaken", "mistaken", false, mistaken},
    {"GET", "/s/*/of/*", "open_segments", false, open_segments},
};

static bool owns(const struct request *rq)
{
    return str_starts_nocase(rq->path, STR("/s/"));
}

static enum err_code identify(struct request *rq, struct err *err)
{
    (void)rq;
    (void)err;
    return ERR_OK;
}

static const struct dialect dialect = {"s",          owns, identify, routes, COUNT_OF(routes),
                                       toy_put_error};
static const struct dialect *const dialects[] = {&dialect};

static void start(struct toy *toy)
{
    struct server_options options = toy_options(toy);
    struct err err = {0};

    *toy = (struct toy){.ready = true};
    lock_init(&toy->lock);
    options.dialects = dialects;
    options.dialect_count = COUNT_OF(dialects);
    options.client_us = CLIENT_US;
    CHECK_OK("start", server_start(&options, &toy->server, &err), &err);
    if (toy->server == NULL)
        exit(1);
    toy->port = server_public_port(toy->server);
    atomic_store(&opened, 0);
    atomic_store(&closed, 0);
}

static void stop(struct toy *toy)
{
    toy_stop(toy);
    CHECK_INT("each source is given back", atomic_load(&closed), atomic_load(&opened));
}

static const struct {
    const char *what, *request;
    int status;
    int64_t offset, len;
    const char *range, *length; /* headers of the answer */
} cases[] = {
    {"whole", "GET /s/whole", 200, 0, WHOLE, "", "300000"},
    {"a part", "GET /s/whole|Range: bytes=65530-131080", 206, 65530, 65551,
     "bytes 65530-131080/300000", "65551"},
    {"its end", "GET /s/whole|Range: bytes=-1", 206, 299999, 1, "bytes 299999-299999/300000",
     "1"},
    {"behind it", "GET /s/whole|Range: bytes=300000-", 416, 0, 0, "bytes */300000", "0"},
    {"two ranges", "GET /s/whole|Range: bytes=0-1,3-4", 200, 0, WHOLE, "", "300000"},
    {"two headers", "GET /s/whole|Range: bytes=0-1\r\nRange: bytes=3-4", 200, 0, WHOLE, "",
     "300000"},
    {"if it is the same", "GET /s/whole|Range: bytes=0-1\r\nIf-Range: " TAG, 206, 0, 2,
     "bytes 0-1/300000", "2"},
    {"if it is another", "GET /s/whole|Range: bytes=0-1\r\nIf-Range: \"u\"", 200, 0, WHOLE, "",
     "300000"},
    {"two conditions", "GET /s/whole|Range: bytes=0-1\r\nIf-Range: " TAG "\r\nIf-Range: \"u\"",
     200, 0, WHOLE, "", "300000"},
    {"known", "GET /s/whole|If-None-Match: " TAG, 304, 0, 0, "", ""},
    {"empty", "GET /s/empty", 200, 0, 0, "", "0"},
    {"head", "HEAD /s/whole", 200, 0, 0, "", "300000"},
    {"a range is of GET", "HEAD /s/whole|Range: bytes=0-1", 200, 0, 0, "", "300000"},
    {"head of known", "HEAD /s/whole|If-None-Match: " TAG, 304, 0, 0, "", ""},
    {"an error", "GET /s/mistaken", 409, -1, 0, "", ""},
};

static void put_request(const char *text, char *dst, size_t size)
{
    struct str line = {text, strcspn(text, "|")};

    (void)snprintf(dst, size, "%.*s HTTP/1.1\r\nHost: toy\r\n%s%s\r\n", (int)line.len, line.ptr,
                   text[line.len] == '|' ? text + line.len + 1 : "",
                   text[line.len] == '|' ? "\r\n" : "");
}

/* All on one connection: none may leave anything of its answer for the next. */
static void test_cases(void)
{
    struct toy toy;
    struct client client;

    start(&toy);
    client = client_open(toy.port);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct answer got;
        char text[512];
        bool right = true;

        put_request(cases[i].request, text, sizeof(text));
        client_puts(&client, text);
        client_read(&client, strncmp(text, "HEAD", 4) == 0, &got);
        CHECK_INT(cases[i].what, got.status, cases[i].status);
        if (cases[i].offset >= 0) {
            CHECK_INT(cases[i].what, got.body_len, cases[i].len);
            CHECK_TEXT(cases[i].what, answer_header(&got, "Content-Range"), cases[i].range);
            CHECK_TEXT(cases[i].what, answer_header(&got, "Content-Length"), cases[i].length);
            CHECK_TEXT(cases[i].what, answer_header(&got, "ETag"), TAG);
            for (size_t k = 0; k < got.body_len; k++)
                right &= got.body[k] == byte_at(cases[i].offset + (int64_t)k);
            CHECK_TRUE(cases[i].what, right);
        }
        answer_fini(&got);
    }
    client_close(&client);
    stop(&toy);
}

/* What cannot be read to the end ends with its connection. */
static void test_broken_source(void)
{
    struct toy toy;
    struct client client;
    struct answer got;

    start(&toy);
    client = client_open(toy.port);
    client_puts(&client, "GET /s/breaks HTTP/1.1\r\nHost: toy\r\n\r\n");
    client_read(&client, false, &got);
    CHECK_INT("it began well", got.status, 200);
    CHECK_TEXT("and said how long it is", answer_header(&got, "Content-Length"), "300000");
    CHECK_INT("three pieces were whole", got.body_len, 3 * 65536);
    CHECK_TRUE("no more of it, and no other answer", client_at_end(&client));
    answer_fini(&got);
    client_close(&client);
    stop(&toy);
}

static void test_unread(void)
{
    struct toy toy;
    struct client client;
    struct answer got;
    int64_t began_us = sys_mono_us();

    start(&toy);
    client = client_open(toy.port);
    client_puts(&client, "GET /s/huge HTTP/1.1\r\nHost: toy\r\n\r\n");
    while (atomic_load(&closed) == 0 && sys_mono_us() - began_us < 30 * INT64_C(1000000))
        sys_sleep_us(10000);
    CHECK_INT("given up", atomic_load(&closed), 1);
    client_close(&client);
    client_ask(toy.port, "HEAD /s/huge HTTP/1.1\r\nHost: toy\r\n\r\n", &got);
    CHECK_TEXT("lengths beyond 32 bits", answer_header(&got, "Content-Length"),
               "1099511627776");
    answer_fini(&got);
    stop(&toy);
}

/* A stop does not wait for who reads a stream without end. */
static void test_cut(void)
{
    struct toy toy;
    struct client client;
    int64_t began_us;

    start(&toy);
    client = client_open(toy.port);
    client_puts(&client, "GET /s/huge HTTP/1.1\r\nHost: toy\r\n\r\n");
    for (int i = 0; i < 20; i++) {
        client.ahead_len = 0;
        CHECK_TRUE("it comes", client_more(&client));
    }
    CHECK_TRUE("it runs", !server_drain(toy.server, sys_mono_us() + 1000));
    server_cut(toy.server);
    began_us = sys_mono_us();
    do
        client.ahead_len = 0;
    while (client_more(&client) && sys_mono_us() - began_us < 30 * INT64_C(1000000));
    CHECK_TRUE("cut", server_drain(toy.server, sys_mono_us() + 1000000));
    client_close(&client);
    stop(&toy);
}

static void test_open_segments(void)
{
    static const struct {
        const char *request, *tail; /* NULL: no such route */
    } paths[] = {
        {"GET /s/a/of/b", "a/of/b"}, {"GET /s/a/of/", NULL},          {"GET /s/a/of", NULL},
        {"GET /s/a/in/b", NULL},     {"GET /s/a/of/b/", NULL},        {"GET /s/a/of/b/c", NULL},
        {"GET /s/a", NULL},          {"GET /s/of/of/of", "of/of/of"},
    };
    struct toy toy;

    start(&toy);
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct answer got;
        char text[512];

        put_request(paths[i].request, text, sizeof(text));
        client_ask(toy.port, text, &got);
        CHECK_INT(paths[i].request, got.status == 200, paths[i].tail != NULL);
        if (paths[i].tail != NULL)
            CHECK_TEXT(paths[i].request, got.body, paths[i].tail);
        answer_fini(&got);
    }
    stop(&toy);
}

CHECK_MAIN(CHECK_TEST(test_cases), CHECK_TEST(test_broken_source), CHECK_TEST(test_unread),
           CHECK_TEST(test_cut), CHECK_TEST(test_open_segments))
