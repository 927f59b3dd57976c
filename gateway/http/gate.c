/* SPDX-License-Identifier: Apache-2.0 */
/* The strict gate: decides from the head alone whether a request is framed and
 * spelled so that every proxy and we read it alike. It knows no routes and no
 * tenants, and it runs before anything looks at the content. */
#include "gateway/http/http_private.h"

#include <string.h>
#include <strings.h>

enum {
    GATE_PATH_MAX = 2048,   /* the longest route with two ids has 200 bytes */
    GATE_QUERY_MAX = 32768, /* 500 task ids in one filter */
    GATE_HEADERS_MAX = 64,  /* CivetWeb reads no more; behind a 64th may be others */
    GATE_LENGTH_DIGITS = 18 /* fits an int64_t */
};

static const char *const gate_methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"};

/* Headers that two readers could take differently when there are two of them. */
enum single {
    HOST,
    LENGTH,
    ENCODING,
    EXPECT,
    UPGRADE,
    AUTHORIZATION,
    TYPE,
    KEY,
    X_KEY,
    SINGLE_COUNT
};
static const char *const single_names[SINGLE_COUNT] = {
    [HOST] = "Host",         [LENGTH] = "Content-Length", [ENCODING] = "Transfer-Encoding",
    [EXPECT] = "Expect",     [UPGRADE] = "Upgrade",       [AUTHORIZATION] = "Authorization",
    [TYPE] = "Content-Type", [KEY] = "Idempotency-Key",   [X_KEY] = "X-Idempotency-Key",
};

static int refuse(struct err *err, int status, enum err_code code, const char *text)
{
    (void)err_set(err, code, "%s", text);
    return status;
}

static int invalid(struct err *err, const char *text)
{
    return refuse(err, 400, ERR_INVALID, text);
}

static int check_method(const struct request *rq, struct err *err)
{
    for (size_t i = 0; i < COUNT_OF(gate_methods); i++) {
        if (strcmp(rq->method, gate_methods[i]) == 0)
            return 0;
    }
    return refuse(err, 405, ERR_METHOD_UNKNOWN, "the method is not known here");
}

/* The engine puts a NUL over each delimiter that it takes, so the distances between
 * its pointers tell which bytes stood there: a line that ended in a bare LF, began
 * with a space or had more than one space between its words is not where it must be. */
static int check_request_line(const struct mg_request_info *info, struct err *err)
{
    const char *at = info->request_method + strlen(info->request_method) + 1;

    if (info->request_uri != at)
        return invalid(err, "the request line is malformed");
    at = info->query_string != NULL ? info->query_string : at;
    at += strlen(at) + 1 + strlen("HTTP/");
    if (info->http_version != at)
        return invalid(err, "the request line is malformed");
    if (info->num_headers > 0 && info->http_headers[0].name != at + strlen(at) + strlen("\r\n"))
        return invalid(err, "a line of the head does not end in CR LF");
    return 0;
}

static bool is_token(const char *text)
{
    return *text != '\0' &&
           text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                             "!#$%&'*+-.^_`|~")] == '\0';
}

static int check_lines(const struct mg_request_info *info, struct err *err)
{
    for (int i = 0; i < info->num_headers; i++) {
        const struct mg_header *header = &info->http_headers[i];
        const char *next = header->value + strlen(header->value) + strlen("\r\n");

        if (!is_token(header->name))
            return invalid(err, "a header's name holds a character that it must not");
        /* between the colon and the value are blanks; a space before it is a NUL here */
        for (const char *at = header->name + strlen(header->name) + 1; at < header->value;
             at++) {
            if (*at != ' ' && *at != '\t')
                return invalid(err, "there is a space before a header's colon");
        }
        /* what follows the last one is known to the engine alone; see its patch */
        if (i + 1 < info->num_headers && header[1].name != next)
            return invalid(err, "a line of the head does not end in CR LF");
    }
    return 0;
}

static int check_target(const struct request *rq, struct err *err)
{
    const struct mg_request_info *info = mg_get_request_info(rq->conn);

    if (rq->path.len > GATE_PATH_MAX)
        return refuse(err, 414, ERR_INVALID, "the path is longer than 2 kB");
    if (rq->query.len > GATE_QUERY_MAX)
        return refuse(err, 414, ERR_INVALID, "the query is longer than 32 kB");
    if (info->request_uri == NULL || info->request_uri[0] != '/')
        return invalid(err, "the request target must be a path");
    for (size_t i = 0; i < rq->path.len; i++) {
        unsigned char c = (unsigned char)rq->path.ptr[i];

        if (c <= 0x20 || c >= 0x7f || c == '%' || c == '\\')
            return invalid(err, "the path holds a character that no route has");
    }
    /* local_uri is the path without dot segments and doubled slashes */
    if (info->local_uri == NULL || !str_is(rq->path, info->local_uri))
        return invalid(err, "the path must not hold empty or dot segments");
    return 0;
}

static int check_length(const char *text, size_t body_max, struct err *err)
{
    size_t len = strlen(text);
    int64_t length;

    if (len == 0 || strspn(text, "0123456789") != len)
        return invalid(err, "Content-Length must be decimal digits");
    if (len > GATE_LENGTH_DIGITS || !str_to_i64(str_from(text), &length) ||
        (uint64_t)length > body_max)
        return refuse(err, 413, ERR_TOO_LARGE, err_text(ERR_TOO_LARGE));
    return 0;
}

static int check_framing(const struct mg_request_info *info, const char *const *values,
                         size_t body_max, struct err *err)
{
    if (values[HOST] == NULL)
        return invalid(err, "the Host header is missing");
    if (values[UPGRADE] != NULL)
        return invalid(err, "Upgrade is not supported");
    if (values[ENCODING] != NULL && values[LENGTH] != NULL)
        return invalid(err, "Content-Length and Transfer-Encoding exclude each other");
    if (values[ENCODING] != NULL && strcasecmp(values[ENCODING], "chunked") != 0)
        return invalid(err, "Transfer-Encoding must be chunked");
    if (values[ENCODING] != NULL && strcmp(info->http_version, "1.1") != 0)
        return invalid(err, "Transfer-Encoding needs HTTP/1.1");
    if (values[EXPECT] != NULL && strcasecmp(values[EXPECT], "100-continue") != 0)
        return refuse(err, 417, ERR_INVALID, "Expect can only be 100-continue");
    if (values[LENGTH] != NULL)
        return check_length(values[LENGTH], body_max, err);
    return 0;
}

static int check_headers(const struct request *rq, size_t body_max, struct err *err)
{
    const struct mg_request_info *info = mg_get_request_info(rq->conn);
    const char *values[SINGLE_COUNT] = {NULL};

    if (info->num_headers >= GATE_HEADERS_MAX)
        return refuse(err, 431, ERR_INVALID, "the request has more than 63 headers");
    for (int i = 0; i < info->num_headers; i++) {
        for (size_t k = 0; k < SINGLE_COUNT; k++) {
            if (strcasecmp(info->http_headers[i].name, single_names[k]) != 0)
                continue;
            if (values[k] != NULL) {
                (void)err_set(err, ERR_INVALID, "the header %s must occur once",
                              single_names[k]);
                return 400;
            }
            values[k] = info->http_headers[i].value;
            break;
        }
    }
    return check_framing(info, values, body_max, err);
}

int gate_check(const struct request *rq, size_t body_max, struct err *err)
{
    const struct mg_request_info *info = mg_get_request_info(rq->conn);
    int status = check_request_line(info, err);

    if (status == 0)
        status = check_lines(info, err);
    if (status == 0)
        status = check_headers(rq, body_max, err);
    if (status == 0)
        status = check_target(rq, err);
    if (status == 0)
        status = check_method(rq, err);
    return status;
}
