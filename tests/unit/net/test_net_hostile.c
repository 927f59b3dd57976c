/* SPDX-License-Identifier: Apache-2.0 */
/* What net makes of peers that misbehave: the fate, the status and that it ends
 * in time. One row is one behaviour. */
#include "base/net/net.h"
#include "tests/lib/check.h"
#include "tests/lib/hostile_server.h"

#define HEAD_200 "HTTP/1.1 200 OK\r\n"

static char big[1 << 20]; /* a 1 MB body */

/* --- scripts; those named say_* read the request and send a text --------- */

static void accept_close(struct hostile *server, int fd, int nth)
{
    (void)server, (void)fd, (void)nth; /* the caller of a script closes */
}

static void accept_reset(struct hostile *server, int fd, int nth)
{
    (void)server, (void)nth;
    hostile_reset(fd);
}

static void read_close(struct hostile *server, int fd, int nth)
{
    struct hostile_request request;

    (void)nth;
    (void)hostile_request(server, fd, &request);
}

static void read_reset(struct hostile *server, int fd, int nth)
{
    read_close(server, fd, nth);
    hostile_reset(fd);
}

static void half_close(struct hostile *server, int fd, int nth)
{
    struct hostile_request request;

    (void)nth;
    (void)hostile_head(server, fd, &request);
}

static void half_reset(struct hostile *server, int fd, int nth)
{
    half_close(server, fd, nth);
    hostile_reset(fd);
}

static void speak(struct hostile *server, int fd, const char *text, bool hold)
{
    struct hostile_request request;

    if (!hostile_request(server, fd, &request) || !hostile_say(fd, text))
        return;
    if (hold)
        hostile_hold(server, fd);
}

#define SCRIPT_SAY(name, text, hold)                          \
    static void name(struct hostile *server, int fd, int nth) \
    {                                                         \
        (void)nth;                                            \
        speak(server, fd, text, hold);                        \
    }

SCRIPT_SAY(say_half_status, "HTTP/1.1 20", true)
SCRIPT_SAY(say_head_only, HEAD_200 "Content-Length: 5\r\n\r\n", true)
SCRIPT_SAY(say_half_head, HEAD_200 "Content-Le", false)
SCRIPT_SAY(say_head_no_end, HEAD_200 "X-A: b\r\n", false)
SCRIPT_SAY(say_short_body, HEAD_200 "Content-Length: 50\r\n\r\nhello", false)
SCRIPT_SAY(say_short_held, HEAD_200 "Content-Length: 50\r\n\r\nhello", true)
SCRIPT_SAY(say_to_end, HEAD_200 "\r\nhello", false)
SCRIPT_SAY(say_204, "HTTP/1.1 204 No Content\r\n\r\n", true)
SCRIPT_SAY(say_500, "HTTP/1.1 500 Oh\r\nContent-Length: 5\r\n\r\nhello", true)
SCRIPT_SAY(say_301, "HTTP/1.1 301 Gone\r\nLocation: /second\r\nContent-Length: 0\r\n\r\n", true)
SCRIPT_SAY(say_100, "HTTP/1.1 100 Continue\r\n\r\n" HEAD_200 "Content-Length: 5\r\n\r\nhello",
           true)
SCRIPT_SAY(say_100_close, "HTTP/1.1 100 Continue\r\n\r\n", false)
SCRIPT_SAY(say_100_head, "HTTP/1.1 100 Continue\r\n\r\n" HEAD_200 "A: b\r\n", false)
SCRIPT_SAY(say_101, "HTTP/1.1 101 Switching\r\n\r\nhello", false)
SCRIPT_SAY(say_garbage, "\x16\x03\x01 what is this\r\n\r\nhello", false)
SCRIPT_SAY(say_http09, "hello", false)
SCRIPT_SAY(say_status_0, "HTTP/1.1 000 Nothing\r\nContent-Length: 0\r\n\r\n", true)
SCRIPT_SAY(say_status_word, "HTTP/1.1 abc\r\nContent-Length: 0\r\n\r\n", true)
SCRIPT_SAY(say_chunked,
           HEAD_200 "Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", true)
SCRIPT_SAY(say_chunk_cut, HEAD_200 "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", false)
SCRIPT_SAY(say_chunk_lie, HEAD_200 "Transfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n",
           true)
SCRIPT_SAY(say_chunk_word,
           HEAD_200 "Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n", true)
SCRIPT_SAY(say_chunk_huge,
           HEAD_200 "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello", true)
SCRIPT_SAY(say_length_huge, HEAD_200 "Content-Length: 104857600\r\n\r\nhello", true)

static void drip(struct hostile *server, int fd, int nth)
{
    struct hostile_request request;

    (void)nth;
    if (!hostile_request(server, fd, &request))
        return;
    (void)hostile_say(fd, HEAD_200 "Content-Length: 500\r\n\r\n");
    while (hostile_pause(server, 50) && hostile_say(fd, "x"))
        continue;
}

/* 100 MB after the given head, in chunks when chunked. */
static void flood(struct hostile *server, int fd, const char *head, bool chunked)
{
    struct hostile_request request;

    if (!hostile_request(server, fd, &request) || !hostile_say(fd, head))
        return;
    for (int i = 0; i < 100; i++)
        if ((chunked && !hostile_say(fd, "100000\r\n")) ||
            !hostile_send(fd, big, sizeof(big)) || (chunked && !hostile_say(fd, "\r\n")))
            return;
    (void)hostile_say(fd, chunked ? "0\r\n\r\n" : "");
}

static void flood_chunked(struct hostile *server, int fd, int nth)
{
    (void)nth;
    flood(server, fd, HEAD_200 "Transfer-Encoding: chunked\r\n\r\n", true);
}

static void flood_to_end(struct hostile *server, int fd, int nth)
{
    (void)nth;
    flood(server, fd, HEAD_200 "\r\n", false);
}

static void many_lines(struct hostile *server, int fd, const char *line, int count)
{
    struct hostile_request request;

    if (!hostile_request(server, fd, &request))
        return;
    if (strncmp(line, "HTTP", 4) != 0 && !hostile_say(fd, HEAD_200))
        return;
    for (int i = 0; i < count; i++)
        if (!hostile_say(fd, line))
            return;
    (void)hostile_say(fd, "Content-Length: 5\r\n\r\nhello");
}

static void many_headers(struct hostile *server, int fd, int nth)
{
    (void)nth;
    many_lines(server, fd, "X-Header: thirty-two bytes long\r\n", 1000);
}

static void too_many_headers(struct hostile *server, int fd, int nth)
{
    (void)nth;
    many_lines(server, fd, "X-Header: thirty-two bytes long\r\n", 100000);
}

static void endless_100(struct hostile *server, int fd, int nth)
{
    (void)nth;
    many_lines(server, fd, "HTTP/1.1 100 Continue\r\n\r\n", 100000);
}

static void early_413(struct hostile *server, int fd, int nth)
{
    struct hostile_request request;

    (void)nth;
    if (hostile_head(server, fd, &request) &&
        hostile_say(fd, "HTTP/1.1 413 No\r\nContent-Length: 5\r\n\r\nhello"))
        hostile_hold(server, fd);
}

/* --- rows ----------------------------------------------------------------- */

static const struct row {
    hostile_script script;
    const char *name;
    enum net_fate fate;
    int status;
    bool big_body;
} rows[] = {
#define ROW(script, ...)             \
    {                                \
        script, #script, __VA_ARGS__ \
    }
    ROW(accept_close, NET_UNKNOWN, 0, false),
    ROW(read_close, NET_UNKNOWN, 0, false),
    ROW(read_reset, NET_UNKNOWN, 0, false),
    ROW(half_close, NET_UNKNOWN, 0, true),
    ROW(half_reset, NET_UNKNOWN, 0, true),
    ROW(hostile_silent, NET_UNKNOWN, 0, false),
    ROW(say_half_status, NET_UNKNOWN, 0, false),
    ROW(say_head_only, NET_UNKNOWN, 0, false),
    ROW(say_half_head, NET_UNKNOWN, 0, false),
    ROW(say_head_no_end, NET_UNKNOWN, 0, false),
    ROW(say_short_body, NET_UNKNOWN, 0, false),
    ROW(say_short_held, NET_UNKNOWN, 0, false),
    ROW(drip, NET_UNKNOWN, 0, false),
    ROW(say_to_end, NET_ANSWERED, 200, false),
    ROW(say_204, NET_ANSWERED, 204, false),
    ROW(say_500, NET_ANSWERED, 500, false),
    ROW(say_301, NET_ANSWERED, 301, false),
    ROW(say_100, NET_ANSWERED, 200, false),
    ROW(say_100_close, NET_UNKNOWN, 0, false),
    ROW(say_100_head, NET_UNKNOWN, 0, false),
    ROW(say_101, NET_UNKNOWN, 0, false),
    ROW(endless_100, NET_UNKNOWN, 0, false),
    ROW(say_garbage, NET_UNKNOWN, 0, false),
    ROW(say_http09, NET_UNKNOWN, 0, false),
    ROW(say_status_0, NET_UNKNOWN, 0, false),
    ROW(say_status_word, NET_UNKNOWN, 0, false),
    ROW(say_chunked, NET_ANSWERED, 200, false),
    ROW(say_chunk_cut, NET_UNKNOWN, 0, false),
    ROW(say_chunk_lie, NET_UNKNOWN, 0, false),
    ROW(say_chunk_word, NET_UNKNOWN, 0, false),
    ROW(say_chunk_huge, NET_UNKNOWN, 0, false),
    ROW(say_length_huge, NET_UNKNOWN, 0, false),
    ROW(flood_chunked, NET_UNKNOWN, 0, false),
    ROW(flood_to_end, NET_UNKNOWN, 0, false),
    ROW(many_headers, NET_ANSWERED, 200, false),
    ROW(too_many_headers, NET_UNKNOWN, 0, false),
    ROW(early_413, NET_ANSWERED, 413, true),
#undef ROW
};

static struct net *open_net(void)
{
    struct net_options options = {0};
    struct net *net = NULL;
    struct err err = {0};

    CHECK_OK("net_open", net_open(&options, &net, &err), &err);
    return net;
}

static void run_row(struct net *net, const struct row *row, enum net_repeat repeat)
{
    static struct hostile server;
    struct str body = row->big_body ? (struct str){big, sizeof(big)} : STR("{\"a\":1}");
    struct net_reply reply = {0};
    struct err err = {0};
    char url[64];
    struct net_call call = {.method = "POST",
                            .url = url,
                            .body = &body,
                            .body_count = 1,
                            .repeat = repeat,
                            .total_us = row->fate == NET_ANSWERED ? 5000000 : 250000,
                            .answer_max = 65536};

    hostile_start(&server, row->script);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/first", server.port);
    CHECK_OK(row->name, net_call(net, &call, &reply, &err), &err);
    CHECK_INT(row->name, reply.fate, row->fate);
    CHECK_INT(row->name, reply.status, row->status);
    CHECK_TRUE(row->name, reply.sent_mono_us > 0);
    CHECK_TRUE(row->name, reply.took_us < 3000000);
    if (reply.fate == NET_ANSWERED)
        CHECK_TRUE(row->name, reply.body.len == 0 || str_is(buf_str(&reply.body), "hello"));
    else
        CHECK_TRUE(row->name, reply.reason[0] != '\0' && reply.body.ptr == NULL);
    net_reply_fini(&reply);
    hostile_stop(&server);
    CHECK_TRUE(row->name, server.heads <= 1);
    CHECK_INT(row->name, server.seconds, 0);
}

static void test_rows(void)
{
    struct net *net = open_net();

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        run_row(net, &rows[i], NET_ONCE);
        run_row(net, &rows[i], NET_ANY);
    }
    net_close(&net);
    CHECK_TRUE("closed", net == NULL);
}

/* --- nothing may have been sent --------------------------------------------- */

static void call_not_sent(const char *what, const char *url)
{
    struct net *net = open_net();
    struct net_reply reply = {0};
    struct err err = {0};
    struct net_call call = {.method = "POST",
                            .url = url,
                            .body = &STR("{}"),
                            .body_count = 1,
                            .repeat = NET_ONCE,
                            .connect_us = 300000,
                            .total_us = 2000000,
                            .answer_max = 1000};

    CHECK_OK(what, net_call(net, &call, &reply, &err), &err);
    CHECK_INT(what, reply.fate, NET_NOT_SENT);
    CHECK_INT(what, reply.sent_mono_us, 0);
    CHECK_INT(what, reply.retry_after, -1);
    CHECK_TRUE(what, reply.reason[0] != '\0' && reply.took_us < 1500000);
    net_reply_fini(&reply);
    net_close(&net);
}

static void hold(struct hostile *server, int fd, int nth)
{
    (void)nth;
    hostile_hold(server, fd);
}

static void say_plain(struct hostile *server, int fd, int nth)
{
    (void)nth;
    if (hostile_say(fd, "HTTP/1.1 400 Plain\r\nContent-Length: 0\r\n\r\n"))
        hostile_hold(server, fd);
}

static void test_not_sent(void)
{
    static struct hostile server;
    char url[128];
    int port, fd = hostile_bind(&port);

    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/", port);
    call_not_sent("bound, not listening", url);
    (void)close(fd);
    call_not_sent("no such name", "http://a-label-of-more-than-sixty-three-characters-is-not-a-"
                                  "name-that-any-resolver-asks-for/");

    hostile_start(&server, hold);
    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%d/", server.port);
    call_not_sent("TLS never begins", url);
    hostile_stop(&server);

    hostile_start(&server, say_plain);
    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%d/", server.port);
    call_not_sent("TLS is plain text", url);
    hostile_stop(&server);

    hostile_start(&server, accept_reset);
    (void)snprintf(url, sizeof(url), "https://127.0.0.1:%d/", server.port);
    call_not_sent("TLS is reset", url);
    hostile_stop(&server);
}

/* --- an answer that stands still -------------------------------------------- */

SCRIPT_SAY(say_102_held, "HTTP/1.1 102 Processing\r\n\r\n", true)

static void test_stall(void)
{
    static const struct {
        hostile_script script;
        const char *name;
        int64_t least_us, most_us;
    } stalls[] = {
        {say_short_held, "within the body", 100000, 700000},
        {say_head_only, "after the header", 100000, 700000},
        {hostile_silent, "no answer yet: the deadline", 900000, 2000000},
        {say_102_held, "only an interim answer: the deadline", 900000, 2000000},
    };
    struct net_options options = {.stall_us = 100000};
    struct net *net = NULL;
    struct err err = {0};

    CHECK_OK("net_open", net_open(&options, &net, &err), &err);
    for (size_t i = 0; i < COUNT_OF(stalls); i++) {
        static struct hostile server;
        struct net_reply reply = {0};
        char url[64];
        struct net_call call = {
            .method = "GET", .url = url, .total_us = 1000000, .answer_max = 1000};

        hostile_start(&server, stalls[i].script);
        (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/", server.port);
        CHECK_OK(stalls[i].name, net_call(net, &call, &reply, &err), &err);
        CHECK_INT(stalls[i].name, reply.fate, NET_UNKNOWN);
        CHECK_TRUE(stalls[i].name, reply.took_us >= stalls[i].least_us);
        CHECK_TRUE(stalls[i].name, reply.took_us < stalls[i].most_us);
        net_reply_fini(&reply);
        hostile_stop(&server);
    }
    net_close(&net);
}

CHECK_MAIN(CHECK_TEST(test_rows), CHECK_TEST(test_not_sent), CHECK_TEST(test_stall))
