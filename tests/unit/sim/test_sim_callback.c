/* SPDX-License-Identifier: Apache-2.0 */
/* Callbacks: what is sent where, when, how often; and what /sim/tasks keeps of a
 * create. */
#include "tests/unit/sim/sim_client.h"

#include <poll.h>

#define STANDARD "doubao-seedance-2-0-260128"
#define URL ",\"callback_url\":\"https://cb.example:8443/in/x?k=1#f\""

enum { POSTS_MAX = 64, WAIT_MS = 20000 };

/* A receiver with a thread of its own; answers what it is told. */
static struct receiver {
    int fd, port;
    pthread_t thread;
    struct lock lock;
    bool stop;
    int status; /* 0: closes without an answer */
    size_t count;
    char posts[POSTS_MAX][4096];
    int64_t at_us[POSTS_MAX];
} receiver;

static void serve_one(int fd)
{
    struct timeval patience = {.tv_sec = 20};
    char text[4096] = "", answer[128];
    size_t len = 0;
    ssize_t got;

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    for (;;) {
        const char *end = strstr(text, "\r\n\r\n"), *size = strcasestr(text, "Content-Length:");

        if (end != NULL && size != NULL &&
            len >= (size_t)(end + 4 - text) + strtoul(size + 15, NULL, 10))
            break;
        got = recv(fd, text + len, sizeof(text) - 1 - len, 0);
        if (got <= 0)
            break;
        len += (size_t)got;
        text[len] = '\0';
    }
    lock_take(&receiver.lock);
    if (receiver.count < POSTS_MAX) {
        receiver.at_us[receiver.count] = sys_mono_us();
        memcpy(receiver.posts[receiver.count++], text, sizeof(text));
    }
    int status = receiver.status;

    lock_signal(&receiver.lock);
    lock_drop(&receiver.lock);
    (void)snprintf(answer, sizeof(answer), "HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n",
                   status);
    if (status > 0)
        (void)send(fd, answer, strlen(answer), MSG_NOSIGNAL);
}

static void *receive(void *ctx)
{
    (void)ctx;
    for (bool stop = false; !stop;) {
        struct pollfd poll_fd = {.fd = receiver.fd, .events = POLLIN};

        if (poll(&poll_fd, 1, 50) == 1) {
            int fd = accept(receiver.fd, NULL, NULL);

            if (fd >= 0) {
                serve_one(fd);
                (void)close(fd);
            }
        }
        lock_take(&receiver.lock);
        stop = receiver.stop;
        lock_drop(&receiver.lock);
    }
    return NULL;
}

static void receiver_start(int status)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);

    receiver.stop = false;
    receiver.count = 0;
    receiver.status = status;
    lock_init(&receiver.lock);
    receiver.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_INT("bind", bind(receiver.fd, (struct sockaddr *)&at, sizeof(at)), 0);
    CHECK_INT("listen", listen(receiver.fd, 16), 0);
    (void)getsockname(receiver.fd, (struct sockaddr *)&at, &len);
    receiver.port = ntohs(at.sin_port);
    CHECK_INT("thread", pthread_create(&receiver.thread, NULL, receive, NULL), 0);
}

static void receiver_stop(void)
{
    lock_take(&receiver.lock);
    receiver.stop = true;
    lock_drop(&receiver.lock);
    (void)pthread_join(receiver.thread, NULL);
    (void)close(receiver.fd);
    lock_fini(&receiver.lock);
}

static void expect_posts(const char *what, size_t count)
{
    int64_t deadline_us = sys_mono_us() + WAIT_MS * 1000;

    lock_take(&receiver.lock);
    while (receiver.count < count && lock_wait(&receiver.lock, deadline_us))
        continue;
    CHECK_INT(what, receiver.count, count);
    lock_drop(&receiver.lock);
}

/* The body of the first post that holds that text; "" without. */
static const char *post_with(const char *part)
{
    const char *found = "";

    lock_take(&receiver.lock);
    for (size_t i = 0; i < receiver.count && found[0] == '\0'; i++)
        if (strstr(receiver.posts[i], part) != NULL) {
            const char *end = strstr(receiver.posts[i], "\r\n\r\n");

            found = end == NULL ? "" : end + 4;
        }
    lock_drop(&receiver.lock);
    return found;
}

/* A member of "callbacks" in /sim/state; waits until nothing is under way. */
static int64_t callbacks(const char *name)
{
    int64_t deadline_us = sys_mono_us() + WAIT_MS * 1000, value = -1, waiting = 1;

    while (waiting != 0 && sys_mono_us() < deadline_us) {
        struct reply reply = ask("GET", "/sim/state", NULL);
        const char *at = strstr(reply.body.ptr, "\"callbacks\":");

        if (at == NULL) {
            CHECK_FAILED("callbacks", "%s", reply.body.ptr);
            return -1;
        }
        waiting = strtoll(member(str_from(at), "waiting"), NULL, 10);
        value = strtoll(member(str_from(at), name), NULL, 10);
        reply_fini(&reply);
    }
    return value;
}

static void deliver_here(void)
{
    char body[128];

    (void)snprintf(body, sizeof(body), "{\"deliver_to\":\"http://127.0.0.1:%d\"}",
                   receiver.port);
    expect("target", ask("POST", "/sim/callbacks", body), 200, "");
}

static void same_as_get(struct id id, const char *status)
{
    char part[64];
    struct reply reply = get(id);

    (void)snprintf(part, sizeof(part), "\"status\":\"%s\"", status);
    CHECK_TEXT(status, post_with(part), reply.body.ptr);
    reply_fini(&reply);
}

static void life(void)
{
    receiver_start(200);
    start(1);
    deliver_here();
    struct id id = make_with(STANDARD, "a", URL ",\"safety_identifier\":\"who\"");

    expect_posts("queued", 1);
    same_as_get(id, "queued");
    CHECK_TRUE("request line",
               strncmp(receiver.posts[0], "POST /in/x?k=1 HTTP/1.1\r\n", 25) == 0);
    CHECK_TRUE("host", strstr(receiver.posts[0], "\r\nHost: cb.example:8443\r\n") != NULL);
    CHECK_TRUE("type",
               strstr(receiver.posts[0], "\r\nContent-Type: application/json\r\n") != NULL);
    advance(1100);
    expect_posts("running", 2);
    same_as_get(id, "running");
    advance(14000);
    expect_posts("succeeded", 3);
    same_as_get(id, "succeeded");
    id = make_with(STANDARD, "[sim: fail=InternalServiceError]", URL);
    advance(20000); /* over two changes at once */
    expect_posts("all of a failed one", 6);
    same_as_get(id, "failed");
    id = make_with(STANDARD, "[sim: stay=queued]", URL ",\"execution_expires_after\":3600");
    expect_posts("queued", 7);
    advance(3600000);
    expect_posts("expired", 8);
    same_as_get(id, "expired");
    CHECK_INT("sent", callbacks("sent"), 8);
    CHECK_INT("delivered", callbacks("delivered"), 8);
    CHECK_INT("failed", callbacks("failed"), 0);
    sim_stop(&sim);
    receiver_stop();
}

/* Time alone moves a task, nobody asks. */
static void unasked(void)
{
    receiver_start(204);
    start(20);
    deliver_here();
    (void)make_with(STANDARD, "a", URL);
    expect_posts("three states", 3);
    CHECK_TRUE("succeeded", strstr(post_with("succeeded"), "completion_tokens") != NULL);
    sim_stop(&sim);
    receiver_stop();
}

static void silent(void)
{
    receiver_start(200);
    start(1);
    deliver_here();
    struct id cancelled = make_with(STANDARD, "a", URL);

    expect_posts("queued", 1);
    expect("cancel", erase(cancelled), 200, "");
    (void)make("no link");
    struct id vanished = make_with(STANDARD, "[sim: vanish]", URL);

    expect_posts("queued too", 2); /* once it is gone nobody speaks of it */
    advance(60000);
    expect("gone", get(vanished), 404, "ResourceNotFound");
    struct id finished = make_with(STANDARD, "[sim: finish_before_delete]", URL);

    expect_posts("queued three", 3);
    expect("finished by a DELETE", erase(finished), 200, "");
    expect_posts("and a succeeded one", 4);
    CHECK_TRUE("the last word", holds(str_from(post_with("succeeded")), finished.text));
    CHECK_INT("sent", callbacks("sent"), 4);
    sim_stop(&sim);
    receiver_stop();
}

static void repeats(void)
{
    receiver_start(500);
    start(1000); /* repeats after 200 ms */
    deliver_here();
    (void)make_with(STANDARD, "a", URL);
    CHECK_INT("failed", (expect_posts("one, one, four", 6), callbacks("failed")), 3);
    CHECK_INT("sent", callbacks("sent"), 6);
    CHECK_INT("delivered", callbacks("delivered"), 0);
    CHECK_TRUE("not at once", receiver.at_us[5] - receiver.at_us[0] >= 3 * 200000);
    lock_take(&receiver.lock);
    receiver.status = 0;
    lock_drop(&receiver.lock);
    (void)make_with(STANDARD, "[sim: fail=X]", URL);
    expect_posts("no answer", 12);
    lock_take(&receiver.lock);
    receiver.status = 202;
    lock_drop(&receiver.lock);
    CHECK_INT("failed", callbacks("failed"), 6);
    (void)make_with(STANDARD, "a", URL);
    expect_posts("taken", 15);
    CHECK_INT("delivered", callbacks("delivered"), 3);
    sim_stop(&sim);
    receiver_stop();
}

static void targets(void)
{
    static const char *const bad[] = {
        "{\"deliver_to\":\"https://127.0.0.1:1\"}", "{\"deliver_to\":\"http://192.0.2.1:1\"}",
        "{\"deliver_to\":\"http://127.0.0.1:1/x\"}", "{\"deliver_to\":7}",
        "{\"deliver_to\":\"http://127.0.0.1.example\"}"};
    struct sim_options options = {
        .listen = "127.0.0.1:0", .api_key = "k", .callback_to = "http://example.org"};
    char more[128];
    struct err err = {0};

    receiver_start(200);
    start(1);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        expect(bad[i], ask("POST", "/sim/callbacks", bad[i]), 400, "InvalidParameter");
    (void)make_with(STANDARD, "a", URL);
    (void)make_with(STANDARD, "a", ",\"callback_url\":\"ftp://127.0.0.1/\"");
    (void)make_with(STANDARD, "a", ",\"callback_url\":\"http://127.0.0.1.evil.example/\"");
    (void)snprintf(more, sizeof(more), ",\"callback_url\":\"http://u:p@localhost:%d?q\"",
                   receiver.port);
    (void)make_with(STANDARD, "a", more);
    expect_posts("its own loopback link", 1);
    CHECK_TRUE("request line", strncmp(receiver.posts[0], "POST /?q HTTP/1.1\r\n", 19) == 0);
    CHECK_INT("undelivered", callbacks("undelivered"), 3);
    sim_stop(&sim);
    CHECK_INT("option", sim_start(&options, &sim, &err), ERR_CONFIG);
    (void)snprintf(more, sizeof(more), "http://[::1]:%d", receiver.port);
    start_with((struct sim_options){.speed = 1, .callback_to = more});
    expect("back to links", ask("POST", "/sim/callbacks", "{\"deliver_to\":null}"), 200, "");
    (void)make_with(STANDARD, "a", URL);
    while (callbacks("undelivered") < 1)
        continue;
    sim_stop(&sim);
    receiver_stop();
}

/* Ends at once although a receiver says nothing and much waits. */
static void stops(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char url[64];

    CHECK_INT("bind", bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    CHECK_INT("listen", listen(fd, 64), 0);
    (void)getsockname(fd, (struct sockaddr *)&at, &len);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d", ntohs(at.sin_port));
    start_with((struct sim_options){.speed = 1000, .callback_to = url});
    for (int i = 0; i < 20; i++)
        (void)make_with(STANDARD, "a", URL);
    int64_t started_us = sys_mono_us();

    sim_stop(&sim);
    CHECK_TRUE("soon", sys_mono_us() - started_us < 3000000);
    (void)close(fd);
}

static void recorded(void)
{
    CLEANUP(buf_fini) struct buf large = {0};

    start(1);
    (void)make_with(STANDARD, "a",
                    ",\"callback_url\":\"https://A.example/%7e\",\"seed\":null"
                    ",\"CallbackURL\":\"x\"");
    struct reply reply = ask("GET", "/sim/tasks", NULL);

    CHECK_TRUE("url", holds(reply.body, "\"callback_url\":\"https://A.example/%7e\""));
    CHECK_TRUE("members",
               holds(reply.body, "\"members\":[\"model\",\"content\",\"callback_url\",\"seed\","
                                 "\"CallbackURL\"]"));
    CHECK_TRUE("body", holds(reply.body, "\"body\":\"{\\\"model\\\":\\\"" STANDARD));
    reply_fini(&reply);
    sim_stop(&sim);
    start(1);
    buf_init(&large, 1 << 20);
    buf_puts(&large, "{\"model\":\"" STANDARD "\",\"content\":[{\"type\":\"text\",\"text\":\"");
    for (int i = 0; i < 70000; i++)
        buf_puts(&large, "x");
    buf_puts(&large, "\"}]}");
    expect("large", ask("POST", TASKS, large.ptr), 200, "");
    reply = ask("GET", "/sim/tasks", NULL);
    CHECK_TRUE("no body", !holds(reply.body, "\"body\":"));
    CHECK_TRUE("no url", !holds(reply.body, "callback_url"));
    reply_fini(&reply);
    buf_reset(&large);
    buf_puts(&large,
             "{\"model\":\"" STANDARD "\",\"content\":[{\"type\":\"text\",\"text\":\"a\"}],"
             "\"callback_url\":\"http://a/");
    for (int i = 0; i < 2048; i++)
        buf_puts(&large, "x");
    buf_puts(&large, "\"}");
    expect("long link", ask("POST", TASKS, large.ptr), 400, "InvalidParameter");
    sim_stop(&sim);
}

CHECK_MAIN(CHECK_TEST(life), CHECK_TEST(unasked), CHECK_TEST(silent), CHECK_TEST(repeats),
           CHECK_TEST(targets), CHECK_TEST(stops), CHECK_TEST(recorded))
