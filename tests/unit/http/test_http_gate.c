/* SPDX-License-Identifier: Apache-2.0 */
/* The strict gate, row by row, over the wire: every refusal is an answer in JSON
 * and the end of the connection. */
#include "tests/unit/http/toy.h"

#define LINE "POST /toy/echo HTTP/1.1\r\n"
#define REST "Host: toy\r\nAuthorization: Bearer good\r\n"

static const struct {
    const char *what, *request;
    int status;
} cases[] = {
    {"plain", LINE REST "Content-Length: 2\r\n\r\nhi", 200},
    {"chunked", LINE REST "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", 200},
    {"length and encoding",
     LINE REST "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
    {"encoding and length",
     LINE REST "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n", 400},
    {"two equal lengths", LINE REST "Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi", 400},
    {"two lengths", LINE REST "Content-Length: 2\r\nContent-Length: 0\r\n\r\nhi", 400},
    {"a list of lengths", LINE REST "Content-Length: 2, 2\r\n\r\nhi", 400},
    {"+2", LINE REST "Content-Length: +2\r\n\r\nhi", 400},
    {"0x2", LINE REST "Content-Length: 0x2\r\n\r\nhi", 400},
    {"2abc", LINE REST "Content-Length: 2abc\r\n\r\nhi", 400},
    {"-0", LINE REST "Content-Length: -0\r\n\r\n", 400},
    {"-1", LINE REST "Content-Length: -1\r\n\r\n", 411},
    {"empty length", LINE REST "Content-Length: \r\n\r\n", 411},
    {"over the cap", LINE REST "Content-Length: 2097153\r\n\r\n", 413},
    {"18 digits", LINE REST "Content-Length: 999999999999999999\r\n\r\n", 413},
    {"19 digits", LINE REST "Content-Length: 1999999999999999999\r\n\r\n", 413},
    {"identity", LINE REST "Transfer-Encoding: identity\r\n\r\n", 400},
    {"identity, then chunked",
     LINE REST "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     400},
    {"gzip, chunked", LINE REST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400},
    {"chunked on 1.0",
     "POST /toy/echo HTTP/1.0\r\n" REST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
    {"no host", "GET /livez HTTP/1.1\r\n\r\n", 400},
    {"two hosts", "GET /livez HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
    {"two credentials", LINE REST "Authorization: Bearer bad\r\n\r\n", 400},
    {"upgrade",
     "GET /toy/items/a HTTP/1.1\r\n" REST "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 400},
    {"websocket",
     "GET /toy/items/a HTTP/1.1\r\n" REST "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
     400},
    {"other expectation", LINE REST "Expect: tea\r\nContent-Length: 0\r\n\r\n", 417},
    {"percent", "GET /toy/items/%61 HTTP/1.1\r\n" REST "\r\n", 400},
    {"encoded slash", "GET /toy%2Fitems/a HTTP/1.1\r\n" REST "\r\n", 400},
    {"encoded NUL", "GET /toy/items/a%00 HTTP/1.1\r\n" REST "\r\n", 400},
    {"backslash", "GET /toy\\items HTTP/1.1\r\n" REST "\r\n", 400},
    {"high byte", "GET /toy/items/\xc3\xa4 HTTP/1.1\r\n" REST "\r\n", 400},
    {"dot segments", "GET /toy/x/../items/a HTTP/1.1\r\n" REST "\r\n", 400},
    {"empty segment", "GET /toy//items/a HTTP/1.1\r\n" REST "\r\n", 400},
    {"a space before the colon", LINE REST "Content-Length : 2\r\n\r\nhi", 400},
    {"no token", LINE REST "X(y): z\r\n\r\n", 400},
    {"bare LF after the request line", "GET /livez HTTP/1.1\nHost: a\r\n\r\n", 400},
    {"LF CR after the request line", "GET /livez HTTP/1.1\n\rHost: a\r\n\r\n", 400},
    {"LF and a space after it", "GET /livez HTTP/1.1\n Host: a\r\n\r\n", 400},
    {"CR and a space after it", "GET /livez HTTP/1.1\r Host: a\r\n\r\n", 400},
    {"bare LF after a header", LINE REST "X: y\nContent-Length: 0\r\n\r\n", 400},
    /* no end of a head: its time passes */
    {"bare LF after the last header", LINE REST "Content-Length: 0\n\r\n", 408},
    {"bare LFs at the end", LINE REST "Content-Length: 0\n\n", 400},
    {"a space before the first header", LINE " X: y\r\n" REST "\r\n", 400},
    {"two spaces", "GET  /livez HTTP/1.1\r\n" REST "\r\n", 400},
    {"two spaces before the version", "GET /livez  HTTP/1.1\r\n" REST "\r\n", 400},
    {"a line break in the request line", "GET \r\n/livez HTTP/1.1\r\n" REST "\r\n", 400},
    {"obs-fold", LINE REST "X: y\r\n z\r\n\r\n", 400},
    {"a header without a name", LINE REST ": x\r\n\r\n", 400},
    {"a high byte in a name", LINE REST "X\xc3\xa4: x\r\n\r\n", 400},
    {"line feeds before it", "\n\nGET /livez HTTP/1.1\r\n" REST "\r\n", 400},
    {"an empty head before it", "\r\n\r\nGET /livez HTTP/1.1\r\n" REST "\r\n", 400},
    {"a space before it", " GET /livez HTTP/1.1\r\n" REST "\r\n", 400},
    {"a line feed before it", "\nGET /livez HTTP/1.1\r\n" REST "\r\n", 400},
    {"an empty line before it", "\r\nGET /livez HTTP/1.1\r\n" REST "\r\n", 200},
    {"asterisk", "OPTIONS * HTTP/1.1\r\n" REST "\r\n", 400},
    {"a foreign target", "GET http://example.com/livez HTTP/1.1\r\n" REST "\r\n", 400},
    {"two keys", LINE REST "Idempotency-Key: a\r\nIdempotency-Key: b\r\n\r\n", 400},
    {"PATCH", "PATCH /toy/items/a HTTP/1.1\r\n" REST "\r\n", 405},
    {"PROPFIND", "PROPFIND /toy/items/a HTTP/1.1\r\n" REST "\r\n", 405},
};

static void test_cases(void)
{
    struct toy toy;

    toy_start(&toy);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct client client = client_open(toy.port);
        struct answer answer;

        client_puts(&client, cases[i].request);
        client_read(&client, false, &answer);
        CHECK_INT(cases[i].what, answer.status, cases[i].status);
        if (cases[i].status != 200) {
            CHECK_TRUE(cases[i].what, answer.body[0] == '{');
            CHECK_TEXT(cases[i].what, answer_header(&answer, "Connection"), "close");
            CHECK_TRUE(cases[i].what, client_at_end(&client));
        }
        answer_fini(&answer);
        client_close(&client);
    }
    CHECK_INT("handlers that ran", toy.bodies, 2);
    toy_stop(&toy);
}

/* A request line or header block of the given size. */
static int status_of_size(struct toy *toy, const char *before, char filler, size_t count,
                          const char *after)
{
    CLEANUP(buf_fini) struct buf request = {0};
    struct client client = client_open(toy->port);
    struct answer answer;
    int status;

    buf_init(&request, 1 << 20);
    buf_puts(&request, before);
    for (size_t i = 0; i < count; i++)
        buf_put(&request, &filler, 1);
    buf_puts(&request, after);
    (void)client_send(&client, request.ptr, request.len);
    client_read(&client, false, &answer);
    status = answer.status;
    if (status != 200)
        CHECK_TRUE("refused in JSON", answer.body[0] == '{');
    answer_fini(&answer);
    client_close(&client);
    return status;
}

static void test_sizes(void)
{
    static const char rest[] = " HTTP/1.1\r\n" REST "\r\n";
    struct toy toy;

    toy_start(&toy);
    CHECK_INT("path of 2048", status_of_size(&toy, "GET /toy/items/", 'a', 2048 - 11, rest),
              200);
    CHECK_INT("path of 2049", status_of_size(&toy, "GET /toy/items/", 'a', 2049 - 11, rest),
              414);
    CHECK_INT("query of 32768", status_of_size(&toy, "GET /toy/items/a?", 'a', 32768, rest),
              200);
    CHECK_INT("query of 32769", status_of_size(&toy, "GET /toy/items/a?", 'a', 32769, rest),
              414);
    CHECK_INT("head over 48 kB",
              status_of_size(&toy, "GET /toy/items/a HTTP/1.1\r\n" REST "X-Long: ", 'a', 49152,
                             "\r\n\r\n"),
              431);
    CHECK_INT("head far over 48 kB",
              status_of_size(&toy, "GET /toy/items/a HTTP/1.1\r\n" REST "X-Long: ", 'a', 500000,
                             "\r\n\r\n"),
              431);
    toy_stop(&toy);
}

static int status_of_headers(struct toy *toy, int count)
{
    CLEANUP(buf_fini) struct buf request = {0};
    struct answer answer;
    int status;

    buf_init(&request, 65536);
    buf_puts(&request, "GET /livez HTTP/1.1\r\nHost: a\r\n");
    for (int i = 1; i < count; i++)
        buf_printf(&request, "X-%d: y\r\n", i);
    buf_puts(&request, "\r\n");
    client_ask(toy->port, request.ptr, &answer);
    status = answer.status;
    answer_fini(&answer);
    return status;
}

static void test_header_count(void)
{
    struct toy toy;

    toy_start(&toy);
    CHECK_INT("63 headers", status_of_headers(&toy, 63), 200);
    CHECK_INT("64 headers", status_of_headers(&toy, 64), 431);
    CHECK_INT("70 headers", status_of_headers(&toy, 70), 431);
    toy_stop(&toy);
}

/* The target that proxies get; with our own host and port CivetWeb passes it on. */
static void test_absolute_target(void)
{
    struct toy toy;
    struct answer answer;
    char request[256];

    toy_start(&toy);
    (void)snprintf(request, sizeof(request),
                   "GET http://toy:%d/toy/items/a HTTP/1.1\r\n" REST "\r\n", toy.port);
    client_ask(toy.port, request, &answer);
    CHECK_INT("absolute", answer.status, 400);
    answer_fini(&answer);
    toy_stop(&toy);
}

CHECK_MAIN(CHECK_TEST(test_absolute_target), CHECK_TEST(test_cases), CHECK_TEST(test_sizes),
           CHECK_TEST(test_header_count))
