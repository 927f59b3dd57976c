/* SPDX-License-Identifier: Apache-2.0 */
/* A request as handlers see it: its head, its id, its query, and the one log line
 * at its end. */
#include "gateway/http/http_private.h"

#include <string.h>
#include <strings.h>
#include <sys/mman.h>

enum {
    ID_LEN = 26, /* 130 random bits */
    CLIENT_ID_MAX = 128,
    LOG_PATH_MAX = 200 /* the longest route with two ids */
};

/* 32 letters, so that five random bits are one without bias. */
static const char id_letters[] = "abcdefghijklmnopqrstuvwxyz234567";

static void make_id(char *dst)
{
    unsigned char bits[ID_LEN];

    sys_random(bits, sizeof(bits));
    for (size_t i = 0; i < sizeof(bits); i++)
        dst[i] = id_letters[bits[i] & 31];
    dst[sizeof(bits)] = '\0';
}

static bool is_client_id(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '.' && c != '_' && c != '-')
            return false;
    }
    return text.len > 0 && text.len <= CLIENT_ID_MAX;
}

/* Cuts the next "name=value" off the query. */
static struct str next_pair(struct str *rest, struct str *ret_value)
{
    const char *end = memchr(rest->ptr, '&', rest->len);
    size_t len = end != NULL ? (size_t)(end - rest->ptr) : rest->len;
    struct str name = {rest->ptr, len};
    const char *equals = memchr(name.ptr, '=', len);

    *ret_value = (struct str){name.ptr + len, 0};
    if (equals != NULL) {
        name.len = (size_t)(equals - name.ptr);
        *ret_value = (struct str){equals + 1, len - name.len - 1};
    }
    rest->ptr += end != NULL ? len + 1 : len;
    rest->len -= end != NULL ? len + 1 : len;
    return name;
}

static FALLIBLE decode_value(struct request *rq, const char *name, struct str raw,
                             struct str *ret_value, struct err *err)
{
    char *text = arena_alloc(&rq->arena, raw.len + 1);
    size_t len;

    if (text == NULL)
        return err_detail(err, ERR_BUSY, "no memory for a query parameter");
    if (!str_unquery(raw, text, &len))
        return err_field(err, name, "the query parameter %s is not well encoded", name);
    *ret_value = (struct str){text, len};
    return ERR_OK;
}

/* Cuts pairs off *rest until one has this name; *ret_found is false at the end. */
static FALLIBLE next_named(struct request *rq, const char *name, struct str *rest,
                           bool *ret_found, struct str *ret_raw, struct err *err)
{
    struct str raw_name, decoded;

    while (rest->len > 0) {
        raw_name = next_pair(rest, ret_raw);
        if (memchr(raw_name.ptr, '%', raw_name.len) != NULL ||
            memchr(raw_name.ptr, '+', raw_name.len) != NULL)
            TRY(decode_value(rq, "name", raw_name, &decoded, err));
        else
            decoded = raw_name;
        if (str_is(decoded, name)) {
            *ret_found = true;
            return ERR_OK;
        }
    }
    *ret_found = false;
    return ERR_OK;
}

void request_init(struct request *rq, const struct listener *side, struct mg_connection *conn)
{
    const struct server_options *options = &side->server->options;

    *rq = (struct request){.app = options->app,
                           .conn = conn,
                           .dialect = options->dialects[options->dialect_count - 1],
                           .method = "",
                           .admin = side->admin,
                           .started_us = sys_mono_us()};
    arena_init(&rq->arena, HTTP_ARENA_MAX);
    buf_init(&rq->rsp.body, HTTP_ANSWER_MAX);
    buf_init(&rq->rsp.headers, HTTP_EXTRA_HEADERS_MAX);
    make_id(rq->id);
}

void request_read_head(struct request *rq)
{
    const struct mg_request_info *info = mg_get_request_info(rq->conn);
    struct str client_id;

    rq->method = info->request_method;
    rq->path = str_from(info->local_uri_raw);
    rq->query = str_from(info->query_string);
    client_id = request_header(rq, "X-Client-Request-Id");
    if (is_client_id(client_id))
        (void)str_copy(rq->client_id, sizeof(rq->client_id), client_id);
}

void request_fini(struct request *rq)
{
    if (rq->spool != NULL) {
        connection_spool(rq->conn, NULL, 0);
        (void)munmap(rq->spool, rq->spool_len);
    }
    stream_close(rq);
    buf_fini(&rq->rsp.body);
    buf_fini(&rq->rsp.headers);
    arena_fini(&rq->arena);
}

void request_log(const struct request *rq, const struct err *err)
{
    /* A probe that hears "not ready" is no failure; an answer that began well and could not
     * be ended is one. */
    bool failed = err->code != ERR_OK && rq->rsp.status != 505 &&
                  (rq->rsp.status >= 500 || rq->rsp.status < 400);
    struct str path = rq->path;

    if (path.len > LOG_PATH_MAX)
        path.len = LOG_PATH_MAX;
    LOG(failed ? LOG_WARN : LOG_DEBUG, "request", LOG_TEXT("id", rq->id),
        LOG_TEXT("method", rq->method), LOG_STR("path", path),
        LOG_INT("status", rq->rsp.status),
        LOG_TEXT("err", err->code == ERR_OK ? "" : err_name(err->code)),
        LOG_TEXT("detail", err->code == ERR_OK ? "" : err->detail),
        LOG_INT("ms", (sys_mono_us() - rq->started_us) / 1000),
        LOG_INT("tenant", rq->scope.tenant_id));
}

struct str request_header(const struct request *rq, const char *name)
{
    return str_from(mg_get_header(rq->conn, name));
}

int request_header_count(const struct request *rq, const char *name)
{
    const struct mg_request_info *info = mg_get_request_info(rq->conn);
    int count = 0;

    for (int i = 0; i < info->num_headers; i++)
        count += strcasecmp(info->http_headers[i].name, name) == 0;
    return count;
}

enum err_code request_query(struct request *rq, const char *name, bool *ret_present,
                            struct str *ret_value, struct err *err)
{
    return request_query_at(rq, name, 0, ret_present, ret_value, err);
}

enum err_code request_query_at(struct request *rq, const char *name, size_t index,
                               bool *ret_present, struct str *ret_value, struct err *err)
{
    struct str rest = rq->query, raw;
    bool found;

    do {
        TRY(next_named(rq, name, &rest, &found, &raw, err));
    } while (found && index-- > 0);
    if (found)
        TRY(decode_value(rq, name, raw, ret_value, err));
    *ret_present = found;
    return ERR_OK;
}

enum err_code request_query_each(struct request *rq, const char *name,
                                 enum err_code (*visit)(struct str value, void *ctx,
                                                        struct err *err),
                                 void *ctx, struct err *err)
{
    struct str rest = rq->query, raw, value;
    bool found;

    for (;;) {
        TRY(next_named(rq, name, &rest, &found, &raw, err));
        if (!found)
            return ERR_OK;
        TRY(decode_value(rq, name, raw, &value, err));
        TRY(visit(value, ctx, err));
    }
}
