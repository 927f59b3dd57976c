/* SPDX-License-Identifier: Apache-2.0 */
/* The caller's side of net: what is refused, what is sent, limits, lines, the
 * end of the loop and many threads at once. */
#include "base/net/net.h"
#include "tests/lib/check.h"
#include "tests/lib/hostile_server.h"

enum { THREADS = 64, CALLS_PER_THREAD = 200 };

static struct hostile server;

static struct net *open_net(struct net_options options)
{
    struct net *net = NULL;
    struct err err = {0};

    CHECK_OK("net_open", net_open(&options, &net, &err), &err);
    return net;
}

static const char *url_of(char *url, size_t size, const char *path)
{
    (void)snprintf(url, size, "http://127.0.0.1:%d%s", server.port, path);
    return url;
}

/* --- refused before anything happens ------------------------------------------ */

static void test_refused_urls(void)
{
    static const char *const urls[] = {
        "",
        "127.0.0.1:9/x",
        "//127.0.0.1/x",
        "/x",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "ws://127.0.0.1/",
        "http://user@127.0.0.1/",
        "http://user:secret@127.0.0.1/",
        "http://:secret@127.0.0.1/",
        "https://@127.0.0.1/",
        "http://127.0.0.1:99999/",
        "http://127.0.0.1:x/",
        "http://127.0.0.1/a b",
        "http://127.0.0.1/a\r\nX: y",
        "http:///",
        "http://[::1/",
    };
    struct net *net = open_net((struct net_options){0});

    for (size_t i = 0; i < COUNT_OF(urls); i++) {
        struct net_call call = {
            .method = "GET", .url = urls[i], .total_us = 1000000, .answer_max = 10};
        struct net_reply reply = {0};
        struct err err = {0};

        CHECK_INT(urls[i], net_call(net, &call, &reply, &err), ERR_INVALID);
        CHECK_TEXT(urls[i], err.field, "url");
        CHECK_TRUE(urls[i], strstr(err.msg, "secret") == NULL);
    }
    net_close(&net);
}

static void test_refused_calls(void)
{
    static const char *const too_many[] = {
        "A: b", "A: b", "A: b", "A: b", "A: b", "A: b", "A: b", "A: b", "A: b",
        "A: b", "A: b", "A: b", "A: b", "A: b", "A: b", "A: b", "A: b", "A: b",
        "A: b", "A: b", "A: b", "A: b", "A: b", "A: b", "A: b", "A: b", "A: b",
        "A: b", "A: b", "A: b", "A: b", "A: b", "A: b", NULL};
    static const struct str body = STR("x");
#define HEADER(text) ((const char *const[]){text, NULL})
    const struct {
        const char *name;
        struct net_call call;
    } rows[] = {
        {"method", {.method = "PATCH", .total_us = 1}},
        {"no method", {.total_us = 1}},
        {"lower case", {.method = "get", .total_us = 1}},
        {"body of a GET", {.method = "GET", .total_us = 1, .body = &body, .body_count = 1}},
        {"no time", {.method = "GET"}},
        {"time below zero", {.method = "GET", .total_us = -1}},
        {"time without end", {.method = "GET", .total_us = INT64_MAX}},
        {"connect below zero", {.method = "GET", .total_us = 1, .connect_us = -1}},
        {"no colon", {.method = "GET", .total_us = 1, .headers = HEADER("secret")}},
        {"no name", {.method = "GET", .total_us = 1, .headers = HEADER(": secret")}},
        {"no value", {.method = "GET", .total_us = 1, .headers = HEADER("A:  ")}},
        {"space", {.method = "GET", .total_us = 1, .headers = HEADER("A : secret")}},
        {"line feed", {.method = "GET", .total_us = 1, .headers = HEADER("A: secret\nB: c")}},
        {"return", {.method = "GET", .total_us = 1, .headers = HEADER("A: secret\rB")}},
        {"length", {.method = "GET", .total_us = 1, .headers = HEADER("content-length: 3")}},
        {"coding",
         {.method = "GET", .total_us = 1, .headers = HEADER("Transfer-Encoding: chunked")}},
        {"expect", {.method = "GET", .total_us = 1, .headers = HEADER("Expect: 100-continue")}},
        {"33 headers", {.method = "GET", .total_us = 1, .headers = too_many}},
    };
#undef HEADER
    struct net *net = open_net((struct net_options){.queue_max = 1});

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct net_call call = rows[i].call;
        struct net_reply reply = {0};
        struct err err = {0};

        call.url = "http://127.0.0.1:1/";
        call.answer_max = 10;
        /* With one place in the queue, a refusal that kept it shows in the next row. */
        CHECK_INT(rows[i].name, net_call(net, &call, &reply, &err), ERR_INVALID);
        CHECK_TRUE(rows[i].name, strstr(err.msg, "secret") == NULL);
    }
    net_close(&net);
}

/* --- what arrives ---------------------------------------------------------------- */

/* Answers with the request's head and body, as far as they came together. */
static void echo(struct hostile *self, int fd, int nth)
{
    struct hostile_request request;
    char head[128];

    (void)nth;
    while (hostile_request(self, fd, &request)) {
        (void)snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
                       strlen(request.head));
        if (!hostile_say(fd, head) || !hostile_say(fd, request.head))
            return;
    }
}

static void test_request(void)
{
    static const char *const headers[] = {"Authorization: Bearer k", "X-Empty-Not: 1", NULL};
    static const char *const typed[] = {"content-type: application/json", NULL};
    static const struct {
        const char *name, *method;
        const char *const *headers;
        const char *has, *has_not;
    } rows[] = {
        {"GET", "GET", headers, "GET /a?b=c HTTP/1.1\r\n", "Content-"},
        {"GET with headers", "GET", headers, "Authorization: Bearer k\r\n", "Expect"},
        {"DELETE", "DELETE", NULL, "DELETE /a?b=c HTTP/1.1\r\n", "Authorization"},
        {"POST", "POST", typed, "Content-Length: 7\r\n", "Expect"},
        {"POST body", "POST", typed, "content-type: application/json\r\n", "urlencoded"},
        {"POST without type", "POST", NULL, "POST /a?b=c HTTP/1.1\r\n", "ype:"},
        {"no coding", "GET", NULL, "Accept: */*\r\n", "Encoding"},
        {"no cookie", "GET", NULL, "Host: 127.0.0.1", "Cookie"},
    };
    static const struct str body[] = {STR("{\"a"), {"", 0}, STR("\":1"), STR("}")};
    struct net *net = open_net((struct net_options){0});
    char url[64];

    hostile_start(&server, echo);
    (void)url_of(url, sizeof(url), "/a?b=c#d");
    for (int repeat = NET_ANY; repeat <= NET_ONCE; repeat++)
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            bool post = strcmp(rows[i].method, "POST") == 0;
            struct net_call call = {.method = rows[i].method,
                                    .url = url,
                                    .headers = rows[i].headers,
                                    .body = body,
                                    .body_count = post ? COUNT_OF(body) : 0,
                                    .repeat = (enum net_repeat)repeat,
                                    .total_us = 2000000,
                                    .answer_max = 10000};
            struct net_reply reply = {0};
            struct err err = {0};
            int64_t before_us = sys_mono_us();

            CHECK_OK(rows[i].name, net_call(net, &call, &reply, &err), &err);
            CHECK_INT(rows[i].name, reply.fate, NET_ANSWERED);
            CHECK_TRUE(rows[i].name, reply.sent_mono_us >= before_us);
            CHECK_TRUE(rows[i].name, reply.sent_mono_us <= sys_mono_us());
            CHECK_TRUE(rows[i].name,
                       reply.body.ptr != NULL && strstr(reply.body.ptr, rows[i].has) != NULL);
            CHECK_TRUE(rows[i].name, reply.body.ptr != NULL &&
                                         strstr(reply.body.ptr, rows[i].has_not) == NULL);
            net_reply_fini(&reply);
        }
    net_close(&net);
    hostile_stop(&server);
    CHECK_INT("keep-alive", server.connections, 1);
}

static const char *retry_line;

static void say_retry(struct hostile *self, int fd, int nth)
{
    struct hostile_request request;

    (void)nth;
    while (hostile_request(self, fd, &request))
        if (!hostile_say(fd, "HTTP/1.1 429 Slow\r\n") ||
            !hostile_say(fd, __atomic_load_n(&retry_line, __ATOMIC_SEQ_CST)) ||
            !hostile_say(fd, "Content-Length: 0\r\n\r\n"))
            return;
}

static void test_retry_after(void)
{
    static const struct {
        const char *line;
        int64_t least, most;
    } rows[] = {
        {"", -1, -1},
        {"Retry-After: 7\r\n", 7, 7},
        {"retry-after:0\r\n", 0, 0},
        {"Retry-After: -3\r\n", -1, -1},
        {"Retry-After: soon\r\n", -1, -1},
        {"Retry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n", -1, -1},
        {"Retry-After: Wed, 21 Oct 2099 07:28:00 GMT\r\n", 1000000, INT64_MAX},
        {"X: y\r\n", -1, -1},
    };
    struct net *net = open_net((struct net_options){0});
    char url[64];

    retry_line = "";
    hostile_start(&server, say_retry);
    (void)url_of(url, sizeof(url), "/");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct net_call call = {
            .method = "GET", .url = url, .total_us = 2000000, .answer_max = 10};
        struct net_reply reply = {0};
        struct err err = {0};

        __atomic_store_n(&retry_line, rows[i].line, __ATOMIC_SEQ_CST);
        CHECK_OK(rows[i].line, net_call(net, &call, &reply, &err), &err);
        CHECK_INT(rows[i].line, reply.status, 429);
        CHECK_TRUE(rows[i].line, reply.retry_after >= rows[i].least);
        CHECK_TRUE(rows[i].line, reply.retry_after <= rows[i].most);
        net_reply_fini(&reply);
    }
    net_close(&net);
    hostile_stop(&server);
}

/* The answer's cap is exact, with and without Content-Length. */
static void test_answer_cap(void)
{
    static const struct {
        size_t max;
        enum net_fate fate;
    } rows[] = {{6, NET_ANSWERED}, {7, NET_ANSWERED}, {5, NET_UNKNOWN}, {0, NET_UNKNOWN}};
    struct net *net = open_net((struct net_options){0});
    char url[64];

    hostile_start(&server, hostile_polite);
    (void)url_of(url, sizeof(url), "/12345");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct net_call call = {
            .method = "GET", .url = url, .total_us = 2000000, .answer_max = rows[i].max};
        struct net_reply reply = {0};
        struct err err = {0};

        CHECK_OK("cap", net_call(net, &call, &reply, &err), &err);
        CHECK_INT("cap", reply.fate, rows[i].fate);
        if (reply.fate == NET_UNKNOWN)
            CHECK_TEXT("cap", reply.reason, "the answer is larger than allowed");
        net_reply_fini(&reply);
    }
    net_close(&net);
    hostile_stop(&server);
}

static void test_proxy_of_the_environment(void)
{
    static const char *const names[] = {"http_proxy", "https_proxy", "all_proxy", "ALL_PROXY"};
    char url[64], proxy[64];
    struct net_call call = {.method = "GET", .url = url, .total_us = 2000000, .answer_max = 10};
    struct net_reply reply = {0};
    struct err err = {0};
    struct net *net;
    int port, fd = hostile_bind(&port); /* bound and deaf */

    (void)snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", port);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        (void)setenv(names[i], proxy, 1);
    net = open_net((struct net_options){0});
    hostile_start(&server, hostile_polite);
    (void)url_of(url, sizeof(url), "/x");
    CHECK_OK("call", net_call(net, &call, &reply, &err), &err);
    CHECK_INT("call", reply.fate, NET_ANSWERED);
    net_reply_fini(&reply);
    net_close(&net);
    hostile_stop(&server);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        (void)unsetenv(names[i]);
    (void)close(fd);
}

/* --- queue, lines, end -------------------------------------------------------------- */

struct result {
    struct lock lock;
    bool done;
    struct net_reply reply;
};

static void keep(void *ctx, struct net_reply *reply)
{
    struct result *result = ctx;

    lock_take(&result->lock);
    result->reply = *reply;
    result->done = true;
    lock_signal(&result->lock);
    lock_drop(&result->lock);
}

static bool await(struct result *result)
{
    int64_t until = sys_mono_us() + 5000000;
    bool done;

    lock_take(&result->lock);
    while (!result->done && lock_wait(&result->lock, until))
        continue;
    done = result->done;
    lock_drop(&result->lock);
    return done;
}

static void results_init(struct result *results, int count)
{
    memset(results, 0, sizeof(*results) * (size_t)count);
    for (int i = 0; i < count; i++)
        lock_init(&results[i].lock);
}

static void results_fini(struct result *results, int count)
{
    for (int i = 0; i < count; i++) {
        net_reply_fini(&results[i].reply);
        lock_fini(&results[i].lock);
    }
}

static void test_queue_full_and_close(void)
{
    struct net *net = open_net((struct net_options){.queue_max = 3, .connections_max = 2});
    char url[64];
    struct net_call call = {
        .method = "GET", .url = url, .total_us = 60000000, .answer_max = 10};
    struct result results[3];
    struct net_reply reply = {0};
    struct err err = {0};
    int64_t start_us;

    results_init(results, 3);
    hostile_start(&server, hostile_silent);
    (void)url_of(url, sizeof(url), "/");
    for (int i = 0; i < 3; i++)
        CHECK_OK("start", net_start(net, &call, keep, &results[i], &err), &err);
    CHECK_INT("full", net_start(net, &call, keep, NULL, &err), ERR_BUSY);
    CHECK_INT("full", net_call(net, &call, &reply, &err), ERR_BUSY);
    CHECK_TRUE("two run", hostile_await(&server, &server.heads, 2));

    start_us = sys_mono_us();
    net_close(&net);
    CHECK_TRUE("at once", sys_mono_us() - start_us < 1000000);
    for (int i = 0; i < 3; i++) {
        CHECK_TRUE("done", results[i].done);
        CHECK_INT("fate", results[i].reply.fate, i < 2 ? NET_UNKNOWN : NET_NOT_SENT);
        CHECK_TEXT("reason", results[i].reply.reason, "the gateway is shutting down");
    }
    hostile_stop(&server);
    CHECK_INT("heads", server.heads, 2);
    results_fini(results, 3);
    net_close(&net); /* nothing to close */
}

static void test_deadline_in_line(void)
{
    struct net *net = open_net((struct net_options){.connections_max = 1});
    char url[64];
    struct net_call call = {.method = "GET", .url = url, .total_us = 600000, .answer_max = 10};
    struct result results[4];
    struct err err = {0};

    results_init(results, 4);
    hostile_start(&server, hostile_silent);
    (void)url_of(url, sizeof(url), "/");
    CHECK_OK("first", net_start(net, &call, keep, &results[0], &err), &err);
    CHECK_TRUE("first runs", hostile_await(&server, &server.heads, 1));
    for (int i = 1; i < 4; i++) { /* ends in the middle of the line, at its start, at its end */
        call.total_us = i == 3 ? 1000000 : 400000 - i * 100000;
        CHECK_OK("wait", net_start(net, &call, keep, &results[i], &err), &err);
    }
    for (int i = 0; i < 4; i++)
        CHECK_TRUE("done", await(&results[i]));
    for (int i = 1; i < 3; i++) {
        CHECK_INT("in line", results[i].reply.fate, NET_NOT_SENT);
        CHECK_TEXT("in line", results[i].reply.reason, "the deadline passed");
        CHECK_TRUE("in time", results[i].reply.took_us < 600000);
    }
    CHECK_INT("the last ran", results[3].reply.fate, NET_UNKNOWN);
    CHECK_TRUE("after the first",
               results[3].reply.sent_mono_us > results[0].reply.sent_mono_us + 500000);
    net_close(&net);
    hostile_stop(&server);
    CHECK_INT("heads", server.heads, 2);
    results_fini(results, 4);
}

/* --- many at once --------------------------------------------------------------------- */

struct caller {
    pthread_t thread;
    struct net *net;
    int index, wrong;
};

static void *call_many(void *ctx)
{
    struct caller *caller = ctx;

    for (int i = 0; i < CALLS_PER_THREAD; i++) {
        char url[64], path[32];
        struct str body = {path, 0};
        struct net_call call = {.method = "POST",
                                .url = url,
                                .body = &body,
                                .body_count = 1,
                                .repeat = NET_ONCE,
                                .total_us = 30000000,
                                .answer_max = 100};
        struct net_reply reply = {0};
        struct err err;

        (void)snprintf(path, sizeof(path), "/%d/%d", caller->index, i);
        body.len = strlen(path);
        (void)url_of(url, sizeof(url), path);
        if (net_call(caller->net, &call, &reply, &err) != ERR_OK ||
            reply.fate != NET_ANSWERED || !str_is(buf_str(&reply.body), path))
            caller->wrong++;
        net_reply_fini(&reply);
    }
    return NULL;
}

static void test_threads(void)
{
    static struct caller callers[THREADS];
    struct net *net = open_net((struct net_options){.connections_max = 32});
    struct err err = {0};

    hostile_start(&server, hostile_polite);
    for (int i = 0; i < THREADS; i++) {
        callers[i] = (struct caller){.net = net, .index = i};
        CHECK_OK(
            "thread",
            lock_thread(&callers[i].thread, "caller", 1 << 18, call_many, &callers[i], &err),
            &err);
    }
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_join(callers[i].thread, NULL);
        CHECK_INT("wrong answers", callers[i].wrong, 0);
    }
    net_close(&net);
    hostile_stop(&server);
    CHECK_INT("arrived", server.bodies, THREADS * CALLS_PER_THREAD);
    CHECK_TRUE("connections", server.connections <= 32);
}

CHECK_MAIN(CHECK_TEST(test_refused_urls), CHECK_TEST(test_refused_calls),
           CHECK_TEST(test_request), CHECK_TEST(test_retry_after), CHECK_TEST(test_answer_cap),
           CHECK_TEST(test_proxy_of_the_environment), CHECK_TEST(test_queue_full_and_close),
           CHECK_TEST(test_deadline_in_line), CHECK_TEST(test_threads))
