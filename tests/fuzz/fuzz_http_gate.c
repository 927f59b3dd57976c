/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target for a request's head and body: CivetWeb parses, the gate judges, the router
 * looks. What passes must be, for a reader that knows nothing but RFC 9112's strict form,
 * the same request: method, path, query, headers, framing and the bytes of the body. */
#include "gateway/http/http_private.h"

#include "gateway/dialect/dialect.h"
#include "tests/fuzz/engine.h"
#include "tests/fuzz/fuzz.h"

#include <strings.h>

enum { HEAD_MAX = 49152, BODY_MAX = 1 << 20 }; /* max_request_size in server.c */

/* ---- a strict second reader ------------------------------------------------------- */

struct strict {
    struct str bytes; /* as they came */
    struct str head;  /* with its last empty line */
    size_t at;
};

/* A line that ends in CR LF and holds neither alone. */
static bool next_line(struct strict *strict, struct str *ret_line)
{
    const char *from = strict->bytes.ptr + strict->at;
    size_t left = strict->bytes.len - strict->at;
    const char *end = memmem(from, left, "\r\n", 2);

    if (end == NULL)
        return false;
    *ret_line = (struct str){from, (size_t)(end - from)};
    strict->at += ret_line->len + 2;
    return memchr(from, '\r', ret_line->len) == NULL &&
           memchr(from, '\n', ret_line->len) == NULL &&
           memchr(from, '\0', ret_line->len) == NULL;
}

static struct str cut(struct str *rest, char separator)
{
    const char *at = memchr(rest->ptr, separator, rest->len);
    struct str piece = *rest;

    ASSERT(at != NULL);
    piece.len = (size_t)(at - rest->ptr);
    *rest = (struct str){at + 1, rest->len - piece.len - 1};
    return piece;
}

static void check_request_line(struct strict *strict, const struct request *rq,
                               const struct mg_request_info *info)
{
    struct str line, target;

    ASSERT(next_line(strict, &line));
    if (line.len == 0) /* one empty line may stand before a request */
        ASSERT(next_line(strict, &line));
    ASSERT(str_eq(cut(&line, ' '), str_from(rq->method)));
    target = cut(&line, ' ');
    ASSERT(str_is(line, "HTTP/1.0") || str_is(line, "HTTP/1.1"));
    ASSERT(str_is((struct str){line.ptr + 5, line.len - 5}, info->http_version));
    if (memchr(target.ptr, '?', target.len) != NULL) {
        ASSERT(str_eq(cut(&target, '?'), rq->path));
        ASSERT(str_eq(target, rq->query));
    } else {
        ASSERT(rq->query.len == 0 && str_eq(target, rq->path));
    }
}

static bool is_token(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];

        if (c <= 0x20 || c >= 0x7f || memchr("\"(),/:;<=>?@[\\]{}", c, 17) != NULL)
            return false;
    }
    return name.len > 0;
}

struct framing {
    int hosts, lengths, encodings;
    int64_t length;
};

static void check_headers(struct strict *strict, const struct mg_request_info *info,
                          struct framing *framing)
{
    struct str line;
    int i = 0;

    for (;; i++) {
        ASSERT(next_line(strict, &line));
        if (line.len == 0)
            break;
        ASSERT(line.ptr[0] != ' ' && line.ptr[0] != '\t' && i < info->num_headers);

        struct str name = cut(&line, ':'), value = str_trim(line);

        ASSERT(is_token(name));
        ASSERT(str_is(name, info->http_headers[i].name));
        ASSERT(str_eq(value, str_trim(str_from(info->http_headers[i].value))));
        framing->hosts += str_eq_nocase(name, STR("Host"));
        if (str_eq_nocase(name, STR("Content-Length"))) {
            framing->lengths++;
            ASSERT(str_to_i64(value, &framing->length) && value.ptr[0] != '-');
        }
        if (str_eq_nocase(name, STR("Transfer-Encoding"))) {
            framing->encodings++;
            ASSERT(str_eq_nocase(value, STR("chunked")));
        }
    }
    ASSERT(i == info->num_headers);
}

static void check_path(struct str path)
{
    ASSERT(path.len > 0 && path.ptr[0] == '/');
    ASSERT(memmem(path.ptr, path.len, "//", 2) == NULL);
    ASSERT(memmem(path.ptr, path.len, "/./", 3) == NULL);
    ASSERT(memmem(path.ptr, path.len, "/../", 4) == NULL);
    for (size_t i = 0; i < path.len; i++)
        ASSERT(path.ptr[i] > ' ' && path.ptr[i] < 0x7f && path.ptr[i] != '%' &&
               path.ptr[i] != '\\');
}

/* ---- bodies ------------------------------------------------------------------------ */

/* The bytes of the next chunk; false where there is no well-formed one. */
static bool next_chunk(struct strict *strict, struct str *ret_data)
{
    size_t size = 0;
    struct str line;

    if (!next_line(strict, &line) || line.len == 0 || line.len > 15)
        return false;
    for (size_t i = 0; i < line.len; i++) {
        const char *digits = "0123456789abcdef0123456789ABCDEF";
        const char *digit = memchr(digits, line.ptr[i], 32);

        if (digit == NULL)
            return false;
        size = size * 16 + (size_t)(digit - digits) % 16;
    }
    if (size == 0) {
        *ret_data = (struct str){"", 0};
        return true;
    }
    if (strict->bytes.len - strict->at < size + 2 ||
        memcmp(strict->bytes.ptr + strict->at + size, "\r\n", 2) != 0)
        return false;
    *ret_data = (struct str){strict->bytes.ptr + strict->at, size};
    strict->at += size + 2;
    return true;
}

static void check_body(struct strict *strict, struct mg_connection *conn)
{
    size_t room = strict->bytes.len + 1, len = 0;
    char *body = malloc(room);
    int got;

    ASSERT(body != NULL);
    while ((got = mg_read(conn, body + len, room - len)) > 0) {
        len += (size_t)got;
        ASSERT(len < room);
    }
    if (engine_is_complete(conn)) {
        size_t at = 0;
        struct str data;

        do {
            ASSERT(next_chunk(strict, &data) && data.len <= len - at);
            ASSERT(data.len == 0 || memcmp(body + at, data.ptr, data.len) == 0);
            at += data.len;
        } while (data.len > 0);
        ASSERT(at == len);
    } else if (!engine_is_chunked(conn)) {
        ASSERT(len <= strict->bytes.len - strict->at);
        ASSERT(len == 0 || memcmp(body, strict->bytes.ptr + strict->at, len) == 0);
    }
    free(body);
}

/* ---- the whole ----------------------------------------------------------------------- */

static void check_route(struct request *rq)
{
    static const struct dialect *const dialects[] = {&ark_dialect};
    const struct server_options options = {.dialects = dialects, .dialect_count = 1};
    const struct route *route;
    struct err err;

    rq->dialect = router_dialect(&options, rq);
    if (rq->dialect == NULL)
        return;
    if (router_find(rq, &route, &err) != ERR_OK) {
        ASSERT(err.code == ERR_ROUTE_UNKNOWN || err.code == ERR_METHOD_UNKNOWN);
        return;
    }
    ASSERT(strcmp(route->method, rq->method) == 0 || strcmp(rq->method, "HEAD") == 0);
    ASSERT(fuzz_within(rq->path, rq->tail));
    ASSERT(rq->tail.len == 0 || memchr(rq->tail.ptr, '/', rq->tail.len) == NULL);
}

static void check_accepted(struct str bytes, struct request *rq)
{
    const struct mg_request_info *info = mg_get_request_info(rq->conn);
    struct strict strict = {.bytes = bytes};
    struct framing framing = {0};

    check_request_line(&strict, rq, info);
    check_headers(&strict, info, &framing);
    ASSERT(strict.at == engine_head_len(rq->conn));
    ASSERT(framing.hosts == 1 && framing.lengths + framing.encodings <= 1);
    ASSERT(engine_is_chunked(rq->conn) == (framing.encodings == 1));
    ASSERT(framing.encodings == 1 || engine_length(rq->conn) == framing.length);
    ASSERT(framing.length <= BODY_MAX);
    check_path(rq->path);
    check_route(rq);
    check_body(&strict, rq->conn);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct request rq = {0};
    struct err err;
    char *bytes = malloc(size + 1); /* the engine writes into them */

    ASSERT(bytes != NULL);
    if (size > 0)
        memcpy(bytes, data, size);
    if (size <= HEAD_MAX)
        rq.conn = engine_begin(bytes, size);
    if (rq.conn != NULL) {
        buf_init(&rq.rsp.headers, HTTP_EXTRA_HEADERS_MAX);
        request_read_head(&rq);

        int status = gate_check(&rq, BODY_MAX, &err);

        if (status == 0)
            check_accepted((struct str){(const char *)data, size}, &rq);
        else
            fuzz_check_err(&err);
        ASSERT(status == 0 || (status >= 400 && status < 500));
        buf_fini(&rq.rsp.headers);
        engine_end(rq.conn);
    }
    free(bytes);
    return 0;
}
