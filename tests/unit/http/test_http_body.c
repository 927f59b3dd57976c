/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies: framing, caps, the spool, strangers, clients that stop or drip. */
#include "tests/unit/http/toy.h"

enum { MIB = 1 << 20 };

/* Content that shows a lost, doubled or moved piece. */
static char *make_content(size_t len)
{
    char *bytes = malloc(len);

    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)('a' + (i / 7 + i / 4099) % 26);
    return bytes;
}

static void send_chunk(struct client *client, const char *bytes, size_t len)
{
    char line[32];

    (void)snprintf(line, sizeof(line), "%zx\r\n", len);
    (void)client_send(client, line, strlen(line));
    (void)client_send(client, bytes, len);
    (void)client_send(client, "\r\n", 2);
}

/* chunk 0: with Content-Length. Too long bodies are cut off while we send. */
static void post(struct toy *toy, const char *content, size_t len, size_t chunk,
                 struct answer *ret)
{
    struct client client = client_open(toy->port);
    char head[256];

    if (chunk == 0) {
        (void)snprintf(head, sizeof(head),
                       TOY_HEAD("POST /toy/echo") "Content-Length: %zu\r\n\r\n", len);
        client_puts(&client, head);
        (void)client_send(&client, content, len);
    } else {
        client_puts(&client, TOY_HEAD("POST /toy/echo") "Transfer-Encoding: chunked\r\n\r\n");
        for (size_t at = 0; at < len; at += chunk)
            send_chunk(&client, content + at, len - at < chunk ? len - at : chunk);
        (void)client_send(&client, "0\r\n\r\n", 5);
    }
    client_read(&client, false, ret);
    client_close(&client);
}

static const struct {
    const char *what;
    size_t len, chunk;
    int status;
    const char *spooled;
} sizes[] = {
    {"1 byte", 1, 0, 200, "no"},
    {"up to the spool", TOY_SPOOL_OVER, 0, 200, "no"},
    {"over the spool", TOY_SPOOL_OVER + 1, 0, 200, "yes"},
    {"1 MiB", MIB, 0, 200, "yes"},
    {"the cap", TOY_BODY_MAX, 0, 200, "yes"},
    {"over the cap", TOY_BODY_MAX + 1, 0, 413, ""},
    {"chunked 1 byte", 1, 1, 200, "no"},
    {"chunked in sevens", 70000, 7777, 200, "no"},
    {"chunked 1 MiB", MIB, 10007, 200, "yes"},
    {"chunked in one", MIB, MIB, 200, "yes"},
    {"chunked to the cap", TOY_BODY_MAX, 65536, 200, "yes"},
    {"chunked over the cap", TOY_BODY_MAX + 1, 65536, 413, ""},
};

static void test_sizes(void)
{
    char *content = make_content(TOY_BODY_MAX + 1);
    struct toy toy;
    struct answer answer;

    toy_start(&toy);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        post(&toy, content, sizes[i].len, sizes[i].chunk, &answer);
        CHECK_INT(sizes[i].what, answer.status, sizes[i].status);
        CHECK_TEXT(sizes[i].what, answer_header(&answer, "X-Spooled"), sizes[i].spooled);
        if (sizes[i].status == 200) {
            CHECK_INT(sizes[i].what, answer.body_len, sizes[i].len);
            CHECK_INT(sizes[i].what, memcmp(answer.body, content, answer.body_len), 0);
        }
        answer_fini(&answer);
    }
    toy_stop(&toy);
    free(content);
}

static const struct {
    const char *what, *request;
    int status;
    const char *body, *connection;
} wires[] = {
    {"POST without length", TOY_HEAD("POST /toy/echo") "\r\n", 200, "", "keep-alive"},
    {"PUT without length", TOY_HEAD("PUT /toy/echo") "\r\n", 200, "", "keep-alive"},
    {"DELETE without length", TOY_HEAD("DELETE /toy/echo") "\r\n", 200, "", "keep-alive"},
    {"length 0", TOY_HEAD("POST /toy/echo") "Content-Length: 0\r\n\r\n", 200, "", "keep-alive"},
    {"empty chunked", TOY_HEAD("POST /toy/echo") "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     200, "", "keep-alive"},
    {"body nobody reads", TOY_HEAD("POST /toy/ignore") "Content-Length: 2\r\n\r\nhi", 201, "{}",
     "close"},
    {"no body to read", TOY_HEAD("POST /toy/ignore") "Content-Length: 0\r\n\r\n", 201, "{}",
     "keep-alive"},
    {"a bad chunk size",
     TOY_HEAD("POST /toy/echo") "Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n",
     400, "{\"toy\":\"INVALID\",\"message\":\"the body ended early\"}", "close"},
    {"a stranger's body",
     "POST /toy/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", 401,
     "{\"toy\":\"UNAUTHORIZED\",\"message\":\"the API key in the request is missing or "
     "invalid\"}",
     "close"},
};

static void test_wires(void)
{
    struct toy toy;
    struct answer answer;

    toy_start(&toy);
    for (size_t i = 0; i < COUNT_OF(wires); i++) {
        client_ask(toy.port, wires[i].request, &answer);
        CHECK_INT(wires[i].what, answer.status, wires[i].status);
        CHECK_TEXT(wires[i].what, answer.body, wires[i].body);
        CHECK_TEXT(wires[i].what, answer_header(&answer, "Connection"), wires[i].connection);
        answer_fini(&answer);
    }
    toy_stop(&toy);
}

static void test_short(void)
{
    struct toy toy;
    struct client client;
    struct answer answer;

    toy_start(&toy);
    client = client_open(toy.port);
    client_puts(&client, TOY_HEAD("POST /toy/echo") "Content-Length: 10\r\n\r\nhello");
    (void)shutdown(client.fd, SHUT_WR);
    client_read(&client, false, &answer);
    CHECK_INT("short", answer.status, 400);
    CHECK_TEXT("short", answer.body,
               "{\"toy\":\"INVALID\",\"message\":\"the body ended early\"}");
    CHECK_INT("no handler saw it", toy.bodies, 0);
    answer_fini(&answer);
    client_close(&client);
    toy_stop(&toy);
}

static void test_expect(void)
{
    struct toy toy;
    struct client client;
    struct answer answer;

    toy_start(&toy);
    client = client_open(toy.port);
    client_puts(&client,
                TOY_HEAD("POST /toy/echo") "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    client_read(&client, true, &answer);
    CHECK_INT("told to go on", answer.status, 100);
    answer_fini(&answer);
    client_puts(&client, "hello");
    client_read(&client, false, &answer);
    CHECK_TEXT("and heard", answer.body, "hello");
    answer_fini(&answer);
    client_close(&client);

    client_ask(toy.port,
               "POST /toy/echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
               "Content-Length: 5\r\n\r\n",
               &answer);
    CHECK_INT("a stranger is not", answer.status, 401);
    CHECK_TEXT("a stranger is sent away", answer_header(&answer, "Connection"), "close");
    answer_fini(&answer);
    client_ask(
        toy.port,
        TOY_HEAD("POST /toy/echo") "Expect: 100-continue\r\nContent-Length: 2097153\r\n\r\n",
        &answer);
    CHECK_INT("nor is who announces too much", answer.status, 413);
    answer_fini(&answer);
    toy_stop(&toy);
}

/* A large refused body must not cost the client its answer. */
static void test_refusal_arrives(void)
{
    char *content = make_content(MIB / 2);
    struct toy toy;
    struct client client;
    struct answer answer;

    toy_start(&toy);
    client = client_open(toy.port);
    client_puts(&client,
                "POST /toy/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 524288\r\n\r\n");
    CHECK_TRUE("all of it was taken", client_send(&client, content, MIB / 2));
    client_read(&client, false, &answer);
    CHECK_INT("the refusal arrives", answer.status, 401);
    CHECK_TRUE("closed", client_at_end(&client));
    answer_fini(&answer);
    client_close(&client);
    toy_stop(&toy);
    free(content);
}

/* The grace is ten seconds; this client would take half an hour. */
static void test_drip(void)
{
    struct toy toy;
    struct client client;
    struct answer answer;
    struct timeval pause = {.tv_usec = 200000};
    int64_t begun_us;
    char peek;

    toy_start(&toy);
    client = client_open(toy.port);
    client_puts(&client, TOY_HEAD("POST /toy/echo") "Content-Length: 10000\r\n\r\n");
    begun_us = sys_mono_us();
    (void)setsockopt(client.fd, SOL_SOCKET, SO_RCVTIMEO, &pause, sizeof(pause));
    while (recv(client.fd, &peek, 1, MSG_PEEK) < 0 && sys_mono_us() - begun_us < 20000000)
        (void)client_send(&client, "x", 1);
    pause = (struct timeval){.tv_sec = 5};
    (void)setsockopt(client.fd, SOL_SOCKET, SO_RCVTIMEO, &pause, sizeof(pause));
    client_read(&client, false, &answer);
    CHECK_INT("too slow", answer.status, 408);
    CHECK_TRUE("in time", sys_mono_us() - begun_us < 13000000);
    answer_fini(&answer);
    client_close(&client);
    toy_stop(&toy);
}

CHECK_MAIN(CHECK_TEST(test_sizes), CHECK_TEST(test_wires), CHECK_TEST(test_short),
           CHECK_TEST(test_expect), CHECK_TEST(test_refusal_arrives), CHECK_TEST(test_drip))
