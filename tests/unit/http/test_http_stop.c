/* SPDX-License-Identifier: Apache-2.0 */
/* Starting, draining and stopping. */
#include "tests/unit/http/toy.h"

#ifdef ARKGATE_CIVETWEB_PACKAGE
enum { STOP_MAX_US = 4000000 }; /* Debian's build looks at the stop flag every 2 s */
#else
enum { STOP_MAX_US = 2000000 };
#endif

enum { SECOND_US = 1000000 };

static const struct {
    const char *what, *listen;
    int workers;
    const char *text; /* part of the message */
} bad_options[] = {
    {"no port", "127.0.0.1", 8, "listen address"},
    {"a name", "localhost:0", 8, "listen address"},
    {"a negative port", "127.0.0.1:-1", 8, "listen address"},
    {"a large port", "127.0.0.1:65536", 8, "listen address"},
    {"TLS by accident", "127.0.0.1:443s", 8, "listen address"},
    {"two addresses", "127.0.0.1:0,127.0.0.2:0", 8, "listen address"},
    {"bad IPv6", "[::g]:0", 8, "listen address"},
    {"empty", "", 8, "listen address"},
    {"foreign address", "192.0.2.1:1", 8, "cannot listen on 192.0.2.1:1"},
    {"no workers", "127.0.0.1:0", 0, "workers"},
    {"too many workers", "127.0.0.1:0", 4097, "workers"},
};

static void test_bad_options(void)
{
    for (size_t i = 0; i < COUNT_OF(bad_options); i++) {
        struct toy toy = {0};
        struct server_options options = toy_options(&toy);
        struct server *server = NULL;
        struct err err = {0};

        options.listen = bad_options[i].listen;
        options.workers = bad_options[i].workers;
        CHECK_INT(bad_options[i].what, server_start(&options, &server, &err), ERR_CONFIG);
        CHECK_TRUE(bad_options[i].what, server == NULL);
        if (strstr(err.msg, bad_options[i].text) == NULL)
            CHECK_TEXT(bad_options[i].what, err.msg, bad_options[i].text);
    }
}

static void test_bad_spool(void)
{
    struct toy toy = {0};
    struct server_options options = toy_options(&toy);
    struct server *server = NULL;
    struct err err = {0};

    options.spool_dir = "/nonexistent";
    CHECK_INT("no such folder", server_start(&options, &server, &err), ERR_CONFIG);
    CHECK_TRUE("names it", strstr(err.msg, "/nonexistent") != NULL);
    options.spool_dir = NULL;
    CHECK_INT("none given", server_start(&options, &server, &err), ERR_CONFIG);
}

static void test_in_use(void)
{
    struct toy toy;
    struct server_options options = toy_options(&toy);
    struct server *second = NULL;
    struct err err = {0};
    char taken[32];

    toy_start(&toy);
    (void)snprintf(taken, sizeof(taken), "127.0.0.1:%d", toy.port);
    options.listen = taken;
    CHECK_INT("in use", server_start(&options, &second, &err), ERR_CONFIG);
    CHECK_TRUE("says so", strstr(err.msg, "Address already in use") != NULL);
    toy_stop(&toy);
}

#ifdef ARKGATE_CIVETWEB_PACKAGE
static void test_ipv6(void)
{
    struct toy toy = {0};
    struct server_options options = toy_options(&toy);
    struct server *server = NULL;
    struct err err = {0};

    options.listen = "[::1]:0";
    CHECK_INT("refused, not ignored", server_start(&options, &server, &err), ERR_CONFIG);
}
#else
static void test_ipv6(void)
{
    struct toy toy = {0};
    struct server_options options = toy_options(&toy);
    struct server *server = NULL;
    struct err err = {0};
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct client client = {.fd = socket(AF_INET6, SOCK_STREAM, 0)};
    struct answer answer;

    options.listen = "[::1]:0";
    CHECK_OK("start", server_start(&options, &server, &err), &err);
    if (server != NULL) {
        to.sin6_port = htons((uint16_t)server_public_port(server));
        CHECK_INT("connect", connect(client.fd, (struct sockaddr *)&to, sizeof(to)), 0);
        client_puts(&client, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
        client_read(&client, false, &answer);
        CHECK_INT("IPv6", answer.status, 200);
        answer_fini(&answer);
    }
    client_close(&client);
    server_stop(&server);
}
#endif

static void *drain_later(void *ctx)
{
    struct toy *toy = ctx;

    return server_drain(toy->server, sys_mono_us() + 20 * SECOND_US) ? toy : NULL;
}

static void wait_until_slow(struct toy *toy)
{
    lock_take(&toy->lock);
    while (!toy->slow_entered)
        (void)lock_wait(&toy->lock, INT64_MAX);
    lock_drop(&toy->lock);
}

static void let_slow_go(struct toy *toy)
{
    lock_take(&toy->lock);
    toy->slow_may_leave = true;
    lock_signal(&toy->lock);
    lock_drop(&toy->lock);
}

static void test_drain(void)
{
    struct toy toy;
    struct client slow, idle;
    struct answer answer;
    struct err err = {0};
    pthread_t drainer;
    void *idle_in_time = NULL;

    toy_start(&toy);
    idle = client_open(toy.port);
    client_puts(&idle, TOY_HEAD("GET /toy/items/a") "\r\n");
    client_read(&idle, false, &answer);
    CHECK_TEXT("before", answer_header(&answer, "Connection"), "keep-alive");
    answer_fini(&answer);
    slow = client_open(toy.port);
    client_puts(&slow, TOY_HEAD("GET /toy/slow") "\r\n");
    wait_until_slow(&toy);
    CHECK_TRUE("not idle yet", !server_drain(toy.server, sys_mono_us() + SECOND_US / 20));
    CHECK_OK("thread", lock_thread(&drainer, "drainer", 1 << 20, drain_later, &toy, &err),
             &err);

    client_ask(toy.port, "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    CHECK_INT("not ready", answer.status, 503);
    CHECK_TEXT("draining", answer.body, "{\"status\":\"not ready\",\"reason\":\"draining\"}");
    answer_fini(&answer);
    client_ask(toy.port, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    CHECK_INT("alive", answer.status, 200);
    answer_fini(&answer);
    client_puts(&idle, TOY_HEAD("GET /toy/items/b") "\r\n");
    client_read(&idle, false, &answer);
    CHECK_INT("new requests are refused", answer.status, 503);
    CHECK_TEXT("and closed", answer_header(&answer, "Connection"), "close");
    answer_fini(&answer);

    let_slow_go(&toy);
    client_read(&slow, false, &answer);
    CHECK_INT("the running one ends well", answer.status, 200);
    CHECK_TEXT("the running one ends well", answer.body, "{\"slow\":true}");
    answer_fini(&answer);
    (void)pthread_join(drainer, &idle_in_time);
    CHECK_TRUE("idle", idle_in_time == &toy);
    client_close(&slow);
    client_close(&idle);
    toy_stop(&toy);
}

/* Connections that wait for a request must not hold the stop up. */
static void test_stop_is_quick(void)
{
    struct toy toy;
    struct client client;
    struct answer answer;
    int64_t begun_us;

    toy_start(&toy);
    client = client_open(toy.port);
    client_puts(&client, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    client_read(&client, false, &answer);
    answer_fini(&answer);
    begun_us = sys_mono_us();
    CHECK_TRUE("drain", server_drain(toy.server, begun_us + SECOND_US));
    toy_stop(&toy);
    CHECK_TRUE("quick", sys_mono_us() - begun_us < STOP_MAX_US);
    CHECK_TRUE("stopped", toy.server == NULL);
    CHECK_TRUE("closed", client_at_end(&client));
    client_close(&client);
}

/* Not ready, yet serving: then each answer ends its connection. */
static void test_leave(void)
{
    struct toy toy;
    struct client kept;
    struct answer answer;

    toy_start(&toy);
    kept = client_open(toy.port);
    client_puts(&kept, TOY_HEAD("GET /toy/items/a") "\r\n");
    client_read(&kept, false, &answer);
    CHECK_TEXT("before", answer_header(&answer, "Connection"), "keep-alive");
    answer_fini(&answer);
    server_leave(toy.server);
    client_ask(toy.port, "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    CHECK_TEXT("not ready", answer.body, "{\"status\":\"not ready\",\"reason\":\"draining\"}");
    answer_fini(&answer);
    client_puts(&kept, TOY_HEAD("GET /toy/items/b") "\r\n");
    client_read(&kept, false, &answer);
    CHECK_INT("served", answer.status, 200);
    CHECK_TEXT("and closed", answer_header(&answer, "Connection"), "close");
    answer_fini(&answer);
    client_close(&kept);
    toy_stop(&toy);
}

/* A body that arrives slowly gets an answer, not a closed connection. */
static void test_cut(void)
{
    struct toy toy;
    struct client slow;
    struct answer answer;
    int64_t begun_us;

    toy_start(&toy);
    slow = client_open(toy.port);
    client_puts(&slow, TOY_HEAD("POST /toy/echo") "Content-Length: 100\r\n"
                                                  "Expect: 100-continue\r\n\r\n");
    client_read(&slow, true, &answer);
    CHECK_INT("it is waited for", answer.status, 100);
    answer_fini(&answer);
    client_puts(&slow, "{");
    CHECK_TRUE("not idle", !server_drain(toy.server, sys_mono_us() + SECOND_US / 20));
    begun_us = sys_mono_us();
    server_cut(toy.server);
    client_read(&slow, false, &answer);
    CHECK_INT("the slow body", answer.status, 503);
    CHECK_TEXT("closed", answer_header(&answer, "Connection"), "close");
    answer_fini(&answer);
    CHECK_TRUE("at once", sys_mono_us() - begun_us < 2 * SECOND_US);
    CHECK_TRUE("idle", server_drain(toy.server, sys_mono_us() + SECOND_US));
    begun_us = sys_mono_us();
    server_linger(toy.server);
    CHECK_TRUE("a second at most", sys_mono_us() - begun_us < 3 * SECOND_US / 2);
    client_close(&slow);
    toy_stop(&toy);
}

static void test_many_workers(void)
{
    struct toy toy = {0};
    struct server_options options = toy_options(&toy);
    struct server *server = NULL;
    struct err err = {0};
    struct answer answer;
    int64_t begun_us = sys_mono_us(), started_us, stop_us;

    options.workers = 1024;
    CHECK_OK("start", server_start(&options, &server, &err), &err);
    started_us = sys_mono_us();
    client_ask(server_public_port(server), "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    CHECK_INT("serves", answer.status, 200);
    answer_fini(&answer);
    stop_us = sys_mono_us();
    server_stop(&server);
    (void)fprintf(stderr, "1024 workers: start %" PRId64 " us, stop %" PRId64 " us\n",
                  started_us - begun_us, sys_mono_us() - stop_us);
}

CHECK_MAIN(CHECK_TEST(test_bad_options), CHECK_TEST(test_bad_spool), CHECK_TEST(test_in_use),
           CHECK_TEST(test_ipv6), CHECK_TEST(test_drain), CHECK_TEST(test_leave),
           CHECK_TEST(test_cut), CHECK_TEST(test_stop_is_quick), CHECK_TEST(test_many_workers))
