/* SPDX-License-Identifier: Apache-2.0 */
/* From struct response to bytes on the wire: the status line, the headers that
 * every answer carries, and whether the connection lives on. */
#include "gateway/http/http_private.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum {
    HEAD_MAX = 1024 + HTTP_EXTRA_HEADERS_MAX, /* our own lines have under 500 bytes */
    ONE_WRITE_MAX = 256 << 10                 /* above, a copy costs more than a call */
};

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {302, "Found"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
};

/* The time of the answer, formatted once a second and thread. */
static const char *http_date(void)
{
    static _Thread_local char text[32];
    static _Thread_local time_t formatted;
    time_t now = (time_t)(sys_now_us() / 1000000);
    struct tm utc;

    if (now != formatted) {
        (void)gmtime_r(&now, &utc);
        (void)strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &utc);
        formatted = now;
    }
    return text;
}

static bool list_has(const char *list, const char *word)
{
    size_t len = strlen(word);

    for (const char *at = list; *at != '\0';) {
        at += strspn(at, " \t,");
        size_t item = strcspn(at, " \t,");

        if (item == len && strncasecmp(at, word, len) == 0)
            return true;
        at += item;
    }
    return false;
}

/* The client's wish, read as CivetWeb reads it, so that what we announce is what
 * it does. */
static bool client_keeps(const struct request *rq)
{
    const struct mg_request_info *info = mg_get_request_info(rq->conn);
    const char *wish = mg_get_header(rq->conn, "Connection");

    if (wish != NULL)
        return list_has(wish, "keep-alive") && !list_has(wish, "close");
    return info->http_version != NULL && strcmp(info->http_version, "1.1") == 0;
}

static bool has_content_type(const struct request *rq)
{
    const char *lines = rq->rsp.headers.len > 0 ? rq->rsp.headers.ptr : "";

    for (const char *at = lines; at != NULL && *at != '\0';) {
        if (strncasecmp(at, "Content-Type:", 13) == 0)
            return true;
        at = strchr(at, '\n');
        at = at != NULL ? at + 1 : NULL;
    }
    return false;
}

static size_t body_len(const struct response *rsp)
{
    return rsp->stream.read != NULL ? (size_t)rsp->stream.len : rsp->body.len;
}

/* Writes the head; its length, or 0 when it does not fit. */
static size_t put_head(const struct request *rq, bool keep, char *dst, size_t size)
{
    const struct response *rsp = &rq->rsp;
    bool no_body = rsp->status == 204 || rsp->status == 304;
    char length[64] = "";
    int len;

    if (!no_body)
        (void)snprintf(length, sizeof(length), "Content-Length: %zu\r\n", body_len(rsp));
    len = snprintf(dst, size,
                   "HTTP/1.1 %d %s\r\nDate: %s\r\n%s%sX-Request-Id: %s\r\n%s%s%s%s"
                   "Connection: %s\r\n\r\n",
                   rsp->status, response_reason(rsp->status), http_date(),
                   no_body || rsp->body.len == 0 || has_content_type(rq)
                       ? ""
                       : "Content-Type: application/json\r\n",
                   length, rq->id, rq->client_id[0] != '\0' ? "X-Client-Request-Id: " : "",
                   rq->client_id, rq->client_id[0] != '\0' ? "\r\n" : "",
                   rsp->headers.len > 0 ? rsp->headers.ptr : "", keep ? "keep-alive" : "close");
    return len > 0 && (size_t)len < size ? (size_t)len : 0;
}

static bool write_all(struct mg_connection *conn, const char *bytes, size_t len)
{
    return len == 0 || mg_write(conn, bytes, len) == (int)len;
}

/* The head, and the body that is in memory, where it is small in one write. */
static bool send_bytes(struct request *rq, struct str head, struct str body)
{
    char *whole = NULL;

    if (body.len > 0 && body.len <= ONE_WRITE_MAX)
        whole = arena_alloc(&rq->arena, head.len + body.len);
    if (whole == NULL)
        return write_all(rq->conn, head.ptr, head.len) &&
               write_all(rq->conn, body.ptr, body.len);
    memcpy(whole, head.ptr, head.len);
    memcpy(whole + head.len, body.ptr, body.len);
    return write_all(rq->conn, whole, head.len + body.len);
}

void response_error(struct request *rq, const struct err *err, int status)
{
    stream_close(rq);
    buf_reset(&rq->rsp.body);
    rq->rsp.status = status;
    rq->dialect->put_error(rq, err);
    if (status != 0)
        rq->rsp.status = status;
    else if (rq->rsp.status == 0)
        rq->rsp.status = err_http_status(err->code);
}

bool response_send(struct request *rq, struct err *err)
{
    struct response *rsp = &rq->rsp;
    char head[HEAD_MAX];
    bool keep = !rsp->close && client_keeps(rq) && !connection_low(rq->conn);
    bool no_body = rsp->status == 204 || rsp->status == 304 || strcmp(rq->method, "HEAD") == 0;
    bool streamed = !no_body && rsp->stream.read != NULL;
    struct str body = no_body || streamed ? (struct str){0} : buf_str(&rsp->body);
    size_t head_len = put_head(rq, keep, head, sizeof(head));

    ASSERT(head_len > 0);
    rsp->close = !keep;
    if (!keep)
        mg_disable_keep_alive(rq->conn);
    if (send_bytes(rq, (struct str){head, head_len}, body) &&
        (!streamed || stream_send(rq, err)))
        return true;
    /* half an answer must not be taken for the start of another one */
    mg_disable_keep_alive(rq->conn);
    return false;
}

void response_status(struct request *rq, int status)
{
    rq->rsp.status = status;
}

const char *response_reason(int status)
{
    for (size_t i = 0; i < COUNT_OF(reasons); i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return "";
}

void response_header(struct request *rq, const char *name, const char *value)
{
    struct buf *headers = &rq->rsp.headers;
    size_t line = strlen(name) + strlen(value) + 4;

    if (strpbrk(name, "\r\n:") != NULL || strpbrk(value, "\r\n") != NULL || *name == '\0')
        return;
    /* a line that does not fit is left out whole */
    if (headers->len + line > HTTP_EXTRA_HEADERS_MAX - 1)
        return;
    buf_printf(headers, "%s: %s\r\n", name, value);
}
