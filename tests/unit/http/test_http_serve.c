/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a request: routes, errors in the dialect's shape, ids, connection
 * handling, health. */
#include "tests/unit/http/toy.h"

static const struct {
    const char *what, *request;
    int status;
    const char *body; /* the beginning of it */
} cases[] = {
    {"route with a tail", TOY_HEAD("GET /toy/items/abc-1") "\r\n", 200, "{\"item\":\"abc-1\"}"},
    {"empty tail", TOY_HEAD("GET /toy/items/") "\r\n", 404, "{\"toy\":\"ROUTE_UNKNOWN\""},
    {"tail of two segments", TOY_HEAD("GET /toy/items/a/b") "\r\n", 404,
     "{\"toy\":\"ROUTE_UNKNOWN\""},
    {"query is not the path", TOY_HEAD("GET /toy/items/q?x=/y%zz") "\r\n", 200,
     "{\"item\":\"q\"}"},
    {"unknown route", TOY_HEAD("GET /toy/nope") "\r\n", 404, "{\"toy\":\"ROUTE_UNKNOWN\""},
    {"unknown method", TOY_HEAD("PUT /toy/items/a") "Content-Length: 0\r\n\r\n", 405,
     "{\"toy\":\"METHOD_UNKNOWN\""},
    {"nobody's path", "GET /nobody HTTP/1.1\r\nHost: toy\r\n\r\n", 404,
     "{\"last\":\"ROUTE_UNKNOWN\""},
    {"no credential", "GET /toy/items/a HTTP/1.1\r\nHost: toy\r\n\r\n", 401,
     "{\"toy\":\"UNAUTHORIZED\""},
    {"credential before route", "GET /toy/nope HTTP/1.1\r\nHost: toy\r\n\r\n", 401,
     "{\"toy\":\"UNAUTHORIZED\""},
    {"preflight without credential",
     "OPTIONS /toy/echo HTTP/1.1\r\nHost: toy\r\nOrigin: http://a.b\r\n"
     "Access-Control-Request-Method: POST\r\n\r\n",
     405, "{\"toy\":\"METHOD_UNKNOWN\""},
    {"handler that fails", TOY_HEAD("GET /toy/fail") "\r\n", 503, "{\"toy\":\"BUSY\""},
    {"method CivetWeb refuses", TOY_HEAD("FOO /toy/items/a") "\r\n", 400,
     "{\"last\":\"INVALID\"}"},
    {"not HTTP", "hello\r\n\r\n", 400, "{\"last\":\"INVALID\"}"},
    {"HTTP/3.0", "GET / HTTP/3.0\r\nHost: toy\r\n\r\n", 505, "{\"last\":\"INVALID\"}"},
    {"admin path on the public port", TOY_HEAD("GET /admin/items/a") "\r\n", 404,
     "{\"last\":\"ROUTE_UNKNOWN\""},
    {"livez", "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", 200, "{\"status\":\"ok\"}"},
    {"healthz", "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 200, "{\"status\":\"ok\"}"},
    {"readyz", "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n", 200, "{\"status\":\"ready\"}"},
    {"livez by POST", "POST /livez HTTP/1.1\r\nHost: a\r\n\r\n", 404,
     "{\"last\":\"ROUTE_UNKNOWN\""},
};

static void test_cases(void)
{
    struct toy toy;
    struct answer answer;

    toy_start(&toy);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        client_ask(toy.port, cases[i].request, &answer);
        CHECK_INT(cases[i].what, answer.status, cases[i].status);
        if (strncmp(answer.body, cases[i].body, strlen(cases[i].body)) != 0)
            CHECK_TEXT(cases[i].what, answer.body, cases[i].body);
        CHECK_INT(cases[i].what, strlen(answer_header(&answer, "X-Request-Id")), 26);
        CHECK_TEXT(cases[i].what, answer_header(&answer, "Content-Type"), "application/json");
        CHECK_TEXT(cases[i].what, answer_header(&answer, "Access-Control-Allow-Origin"), "");
        CHECK_TRUE(cases[i].what, answer_header(&answer, "Date")[0] != '\0');
        answer_fini(&answer);
    }
    toy_stop(&toy);
}

static void test_headers(void)
{
    struct toy toy;
    struct answer answer;
    char first[64];

    toy_start(&toy);
    client_ask(toy.port, TOY_HEAD("GET /toy/fail") "X-Client-Request-Id: A.b_c-9\r\n\r\n",
               &answer);
    CHECK_TEXT("headers survive an error", answer_header(&answer, "Retry-After"), "7");
    CHECK_TEXT("no header injection", answer_header(&answer, "X-Injected"), "");
    CHECK_TEXT("client id is echoed", answer_header(&answer, "X-Client-Request-Id"), "A.b_c-9");
    (void)str_copy(first, sizeof(first), str_from(answer_header(&answer, "X-Request-Id")));
    answer_fini(&answer);
    client_ask(toy.port, TOY_HEAD("GET /toy/items/a") "X-Client-Request-Id: a b\r\n\r\n",
               &answer);
    CHECK_TEXT("bad client id is not", answer_header(&answer, "X-Client-Request-Id"), "");
    CHECK_TRUE("ids differ", strcmp(first, answer_header(&answer, "X-Request-Id")) != 0);
    answer_fini(&answer);
    client_ask(toy.port, TOY_HEAD("PUT /toy/items/a") "\r\n", &answer);
    CHECK_TEXT("405 says what is allowed", answer_header(&answer, "Allow"), "GET, DELETE");
    answer_fini(&answer);
    client_ask(toy.port, TOY_HEAD("GET /toy/big") "\r\n", &answer);
    CHECK_INT("large answer", answer.body_len, TOY_BIG);
    CHECK_TEXT("own content type", answer_header(&answer, "Content-Type"), "text/plain");
    answer_fini(&answer);
    client_ask(toy.port, TOY_HEAD("GET /toy/empty") "\r\n", &answer);
    CHECK_INT("no content", answer.status, 204);
    CHECK_TEXT("no content has no length", answer_header(&answer, "Content-Length"), "");
    answer_fini(&answer);
    client_ask(toy.port, TOY_HEAD("OPTIONS /toy/options") "\r\n", &answer);
    CHECK_INT("a route may have OPTIONS", answer.status, 204);
    answer_fini(&answer);
    client_ask(toy.admin_port, TOY_HEAD("GET /admin/items/a") "\r\n", &answer);
    CHECK_INT("the admin listener says so", answer.status, 200);
    answer_fini(&answer);
    toy_stop(&toy);
}

static void test_head(void)
{
    struct toy toy;
    struct client client;
    struct answer answer;

    toy_start(&toy);
    client = client_open(toy.port);
    client_puts(&client, TOY_HEAD("HEAD /toy/items/abc") "\r\n");
    client_puts(&client, TOY_HEAD("GET /toy/items/next") "\r\n");
    client_read(&client, true, &answer);
    CHECK_INT("head", answer.status, 200);
    CHECK_TEXT("head has GET's length", answer_header(&answer, "Content-Length"), "14");
    answer_fini(&answer);
    client_read(&client, false, &answer);
    CHECK_TEXT("no body before the next answer", answer.body, "{\"item\":\"next\"}");
    answer_fini(&answer);
    client_close(&client);
    toy_stop(&toy);
}

static void test_pipeline(void)
{
    static const char *const wanted[] = {"{\"item\":\"1\"}", "two", "{\"item\":\"3\"}"};
    struct toy toy;
    struct client client;
    struct answer answer;

    toy_start(&toy);
    client = client_open(toy.port);
    client_puts(&client,
                TOY_HEAD("GET /toy/items/1") "\r\n" TOY_HEAD(
                    "POST /toy/echo") "Content-Length: 3\r\n\r\ntwo" TOY_HEAD("GET "
                                                                              "/toy/"
                                                                              "items/"
                                                                              "3") "\r\n");
    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        client_read(&client, false, &answer);
        CHECK_TEXT("answers in order", answer.body, wanted[i]);
        CHECK_TEXT("kept alive", answer_header(&answer, "Connection"), "keep-alive");
        answer_fini(&answer);
    }
    client_puts(&client, TOY_HEAD("GET /toy/items/4") "Connection: close\r\n\r\n");
    client_read(&client, false, &answer);
    CHECK_TEXT("the client's wish", answer_header(&answer, "Connection"), "close");
    answer_fini(&answer);
    CHECK_TRUE("closed", client_at_end(&client));
    client_close(&client);
    client = client_open(toy.port);
    client_puts(&client, "GET /livez HTTP/1.0\r\nHost: a\r\n\r\n");
    client_read(&client, false, &answer);
    CHECK_TEXT("1.0 closes", answer_header(&answer, "Connection"), "close");
    CHECK_TRUE("1.0 is closed", client_at_end(&client));
    answer_fini(&answer);
    client_close(&client);
    toy_stop(&toy);
}

static void test_ready(void)
{
    struct toy toy;
    struct answer answer;

    toy_start(&toy);
    toy.ready = false;
    client_ask(toy.admin_port, "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    CHECK_INT("not ready", answer.status, 503);
    CHECK_TEXT("says why", answer.body,
               "{\"status\":\"not ready\",\"reason\":\"the toy sleeps\"}");
    answer_fini(&answer);
    client_ask(toy.admin_port, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", &answer);
    CHECK_INT("alive all the same", answer.status, 200);
    answer_fini(&answer);
    toy_stop(&toy);
}

CHECK_MAIN(CHECK_TEST(test_cases), CHECK_TEST(test_headers), CHECK_TEST(test_head),
           CHECK_TEST(test_pipeline), CHECK_TEST(test_ready))
