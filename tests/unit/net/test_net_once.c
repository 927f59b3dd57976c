/* SPDX-License-Identifier: Apache-2.0 */
/* NET_ONCE: however a connection dies, new or used before, the server never sees
 * the request twice. NET_ANY beside it shows that the scripts would catch it. */
#include "base/net/net.h"
#include "tests/lib/check.h"
#include "tests/lib/hostile_server.h"

enum { ROUNDS = 15 }; /* some outcomes are races between our send and their close */

static char big[1 << 20];

/* On the first connection: answers /first, then does this with /second. Every
 * later connection is polite, so a request sent again would be answered. */
typedef void (*mischief)(struct hostile *server, int fd);

static mischief current;

static void trap(struct hostile *server, int fd, int nth)
{
    struct hostile_request request;

    if (nth > 1) {
        hostile_polite(server, fd, nth);
        return;
    }
    if (hostile_request(server, fd, &request) && hostile_answer(fd, &request))
        current(server, fd);
}

static void close_at_once(struct hostile *server, int fd)
{
    (void)server, (void)fd;
}

static void reset_at_once(struct hostile *server, int fd)
{
    (void)server;
    hostile_reset(fd);
}

/* Sees that a request comes and reads nothing of it. */
static void close_unread(struct hostile *server, int fd)
{
    (void)hostile_readable(server, fd, -1);
}

static void reset_unread(struct hostile *server, int fd)
{
    (void)hostile_readable(server, fd, -1);
    hostile_reset(fd);
}

static void close_in_head(struct hostile *server, int fd)
{
    char byte;

    if (hostile_readable(server, fd, -1))
        (void)!recv(fd, &byte, 1, 0);
}

static void close_after_head(struct hostile *server, int fd)
{
    struct hostile_request request;

    (void)hostile_head(server, fd, &request);
}

static void reset_after_head(struct hostile *server, int fd)
{
    close_after_head(server, fd);
    hostile_reset(fd);
}

static void close_after_body(struct hostile *server, int fd)
{
    struct hostile_request request;

    (void)hostile_request(server, fd, &request);
}

static void reset_after_body(struct hostile *server, int fd)
{
    close_after_body(server, fd);
    hostile_reset(fd);
}

/* Ends only our sending side: the request was read, no answer comes. */
static void shut_after_body(struct hostile *server, int fd)
{
    close_after_body(server, fd);
    (void)shutdown(fd, SHUT_WR);
    hostile_hold(server, fd);
}

static const struct row {
    mischief run;
    const char *name;
    bool seen; /* the head of /second is read, so it was sent for certain */
} rows[] = {
#define ROW(run, seen)  \
    {                   \
        run, #run, seen \
    }
    ROW(close_at_once, false),   ROW(reset_at_once, false),   ROW(close_unread, false),
    ROW(reset_unread, false),    ROW(close_in_head, false),   ROW(close_after_head, true),
    ROW(reset_after_head, true), ROW(close_after_body, true), ROW(reset_after_body, true),
    ROW(shut_after_body, true),
#undef ROW
};

static struct net *open_net(const struct net_options *options)
{
    struct net *net = NULL;
    struct err err = {0};

    CHECK_OK("net_open", net_open(options, &net, &err), &err);
    return net;
}

static enum net_fate call_path(struct net *net, const struct hostile *server, const char *path,
                               const char *method, enum net_repeat repeat, struct str body)
{
    char url[64];
    struct net_reply reply = {0};
    struct err err = {0};
    struct net_call call = {.method = method,
                            .url = url,
                            .body = &body,
                            .body_count = strcmp(method, "POST") == 0 ? 1 : 0,
                            .repeat = repeat,
                            .total_us = 1100000,
                            .answer_max = 1000};

    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", server->port, path);
    CHECK_OK(path, net_call(net, &call, &reply, &err), &err);
    if (reply.fate == NET_ANSWERED)
        CHECK_TRUE(path, str_is(buf_str(&reply.body), path));
    net_reply_fini(&reply);
    return reply.fate;
}

static void run_row(const struct row *row, struct str body)
{
    static struct hostile server;
    struct net_options options = {0};
    struct net *net = open_net(&options);
    enum net_fate fate;

    current = row->run;
    hostile_start(&server, trap);
    CHECK_INT(row->name, call_path(net, &server, "/first", "POST", NET_ONCE, body),
              NET_ANSWERED);
    fate = call_path(net, &server, "/second", "POST", NET_ONCE, body);
    /* Whatever is left of the first try must have come to nothing. */
    net_close(&net);
    hostile_stop(&server);

    CHECK_TRUE(row->name, server.seconds <= 1);
    if (row->seen) {
        CHECK_INT(row->name, fate, NET_UNKNOWN);
        CHECK_INT(row->name, server.seconds, 1);
    }
    if (fate == NET_NOT_SENT)
        CHECK_INT(row->name, server.seconds, 0);
    if (fate == NET_ANSWERED)
        CHECK_INT(row->name, server.seconds, 1);
}

static void test_reused(void)
{
    const struct str bodies[] = {{"", 0}, STR("{\"a\":1}"), {big, sizeof(big)}};

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        for (size_t j = 0; j < COUNT_OF(bodies); j++)
            for (int round = 0; round < ROUNDS; round++)
                run_row(&rows[i], bodies[j]);
}

/* The scripts do provoke libcurl's second try: without NET_ONCE it is there. */
static void test_any_is_repeated(void)
{
    static struct hostile server;
    struct net_options options = {0};
    struct net *net;
    static const char *const methods[] = {"GET", "POST", "DELETE"};

    for (size_t i = 0; i < COUNT_OF(methods); i++) {
        net = open_net(&options);
        current = reset_after_body;
        hostile_start(&server, trap);
        CHECK_INT(methods[i], call_path(net, &server, "/first", methods[i], NET_ANY, STR("{}")),
                  NET_ANSWERED);
        CHECK_INT(methods[i],
                  call_path(net, &server, "/second", methods[i], NET_ANY, STR("{}")),
                  NET_ANSWERED);
        net_close(&net);
        hostile_stop(&server);
        CHECK_INT(methods[i], server.seconds, 2);
        CHECK_INT(methods[i], server.connections, 2);
    }
}

/* One connection after another dies after one answer: libcurl's own limit of
 * five repeats must not add up over the calls of one handle. */
static void answer_then_die(struct hostile *server, int fd, int nth)
{
    struct hostile_request request;

    (void)nth;
    if (hostile_request(server, fd, &request) && hostile_answer(fd, &request) &&
        hostile_request(server, fd, &request))
        hostile_reset(fd);
}

static void test_any_repeats_do_not_add_up(void)
{
    static struct hostile server;
    struct net_options options = {0};
    struct net *net = open_net(&options);

    hostile_start(&server, answer_then_die);
    for (int i = 0; i < 20; i++)
        CHECK_INT("GET", call_path(net, &server, "/first", "GET", NET_ANY, STR("")),
                  NET_ANSWERED);
    net_close(&net);
    hostile_stop(&server);
    CHECK_INT("connections", server.connections, 20);
}

/* An old idle connection is left alone by NET_ONCE and still good for NET_ANY. */
static void test_idle(void)
{
    static struct hostile server, clock;
    struct net_options options = {.once_idle_us = 1000000};
    struct net *net = open_net(&options);
    struct str body = STR("{}");

    hostile_start(&server, hostile_polite);
    hostile_start(&clock, hostile_silent);
    CHECK_INT("new", call_path(net, &server, "/a", "POST", NET_ONCE, body), NET_ANSWERED);
    CHECK_INT("young", call_path(net, &server, "/b", "POST", NET_ONCE, body), NET_ANSWERED);
    CHECK_INT("one connection", hostile_seen(&server, &server.connections), 1);
    CHECK_INT("1.1 s pass", call_path(net, &clock, "/", "GET", NET_ANY, body), NET_UNKNOWN);
    CHECK_INT("any", call_path(net, &server, "/c", "GET", NET_ANY, body), NET_ANSWERED);
    CHECK_INT("reused by any", hostile_seen(&server, &server.connections), 1);
    net_close(&net);

    net = open_net(&options);
    CHECK_INT("new", call_path(net, &server, "/d", "POST", NET_ONCE, body), NET_ANSWERED);
    CHECK_INT("1.1 s pass", call_path(net, &clock, "/", "GET", NET_ANY, body), NET_UNKNOWN);
    CHECK_INT("old", call_path(net, &server, "/e", "POST", NET_ONCE, body), NET_ANSWERED);
    CHECK_INT("not reused by once", hostile_seen(&server, &server.connections), 3);
    net_close(&net);
    hostile_stop(&server);
    hostile_stop(&clock);
}

CHECK_MAIN(CHECK_TEST(test_reused), CHECK_TEST(test_any_is_repeated),
           CHECK_TEST(test_any_repeats_do_not_add_up), CHECK_TEST(test_idle))
