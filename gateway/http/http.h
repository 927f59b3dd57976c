/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes in, bytes out: the only folder that knows CivetWeb. A request belongs to
 * one worker thread from its first byte to its log line; everything it builds
 * lives in its arena. Dialects are tables that main.c hands to server_start. */
#ifndef ARKGATE_GATEWAY_HTTP_H
#define ARKGATE_GATEWAY_HTTP_H

#include "base/base.h"
#include "tenancy/tenancy.h"

struct app; /* the use cases' world, opaque here; declared by gateway/app.h */
struct mg_connection;
struct dialect;
struct sign_v4;

/* A body that is read while it is sent, in pieces of at most 64 KiB. */
struct response_stream {
    /* Exactly len bytes from offset, or an error, which ends the connection: the client must
     * not take half an answer for a whole one. May block on a disk. NULL: no stream. */
    enum err_code (*read)(void *ctx, int64_t offset, char *dst, size_t len, struct err *err);
    void (*close)(void *ctx); /* once, whatever became of the answer */
    void *ctx;
    int64_t offset, len; /* the part of it that is the body */
};

struct response {
    int status;                    /* 0 until set */
    struct buf body;               /* JSON, or empty */
    struct buf headers;            /* extra lines "Name: value\r\n" */
    bool close;                    /* end the connection after this answer */
    struct response_stream stream; /* in place of the body */
};

struct request {
    struct app *app;
    struct mg_connection *conn; /* for gateway/http alone */
    const struct dialect *dialect;
    struct arena arena; /* 16 MiB cap; dies with the request */
    const char *method;
    struct str path;  /* as sent, no query */
    struct str query; /* without '?' */
    struct str tail;  /* what a route's "*" matched */
    struct str body;  /* whole; memory or a mapped unlinked file */
    void *spool;      /* mapping of a large body, or NULL */
    size_t spool_len;
    size_t charged;                  /* bytes of the budget that it holds */
    char id[40];                     /* X-Request-Id of the answer */
    char client_id[129];             /* X-Client-Request-Id, "" when absent */
    bool admin;                      /* came in on the admin listener */
    struct scope scope;              /* filled by the dialect's identify */
    const struct sign_v4 *signature; /* likewise, in the arena; NULL: a token was shown */
    int64_t started_us;              /* sys_mono_us */
    struct response rsp;
};

/* One route. A "*" in the path matches one segment or its end (→ request.tail, from the
 * first "*" on). */
struct route {
    const char *method;
    const char *path;
    const char *operation; /* operationId in openapi/ */
    bool wants_body;       /* read it before the handler runs */
    enum err_code (*handle)(struct request *rq, struct err *err);
};

/* A public API: who asks, what can be asked, how an error looks. */
struct dialect {
    const char *name;
    bool (*owns)(const struct request *rq);                         /* is this path mine? */
    enum err_code (*identify)(struct request *rq, struct err *err); /* from the head alone */
    const struct route *routes;
    size_t route_count;
    /* Fills rq->rsp, whose status is set already when HTTP itself decided it. */
    void (*put_error)(struct request *rq, const struct err *err);
};

/* server.c ------------------------------------------------------------- */

struct server;
struct server_options {
    const char *listen;       /* "127.0.0.1:8080", "[::1]:0" */
    const char *admin_listen; /* likewise; always plain HTTP */
    const char *tls_cert;     /* PEM files of the public listener, both or neither; */
    const char *tls_key;      /* "" or NULL: plain HTTP */
    int workers;              /* public listener's threads */
    size_t body_max;          /* larger bodies are 413 */
    size_t spool_over;        /* larger bodies go to an unlinked file */
    const char *spool_dir;
    size_t inflight_max;         /* bytes of bodies and large answers at once */
    int64_t client_us;           /* for a head, a body's next piece, an answer's next byte */
    int address_max;             /* connections of one client address */
    const char *trusted_proxies; /* "" or NULL: loopback alone; "192.0.2.0/24;..."; kept */
    const char *cors_origins;    /* "" or NULL: off; "*"; "https://a.example;..."; kept */
    const struct dialect *const *dialects; /* first whose owns() is true; the last one
                                              answers what nobody owns */
    size_t dialect_count;
    bool (*ready)(struct app *app, struct buf *why_not); /* for /readyz */
    struct app *app;
};

FALLIBLE server_start(const struct server_options *options, struct server **ret_server,
                      struct err *err);
/* Ports that were bound, for listeners given port 0. */
int server_public_port(const struct server *server);
int server_admin_port(const struct server *server);
/* Stopping goes through these, in this order; each but the last may be left out. All but
 * server_stop may be called again.
 * /readyz turns 503, and every answer closes its connection; requests are served. */
void server_leave(struct server *server);
/* Also, new requests are refused with 503; returns when no request runs or the
 * deadline (sys_mono_us) has passed: true when idle. */
bool server_drain(struct server *server, int64_t mono_deadline_us);
/* Returns at once: bodies that are still arriving get 503 instead of more time. */
void server_cut(struct server *server);
/* Waits until those who had sent a request when the drain began, or send another on their
 * old connection, have their answer: until nobody asks any more, for a second at most. */
void server_linger(struct server *server);
void server_stop(struct server **server);

/* request.c ------------------------------------------------------------ */

/* A request header's value, "" (ptr NULL) when absent. */
struct str request_header(const struct request *rq, const char *name);
/* How often the header occurs. */
int request_header_count(const struct request *rq, const char *name);
/* The decoded value of a query parameter in the arena; false when absent. A
 * malformed %-escape or NUL gives ERR_INVALID naming it. */
FALLIBLE request_query(struct request *rq, const char *name, bool *ret_present,
                       struct str *ret_value, struct err *err);
/* Likewise for the index-th occurrence, from 0, of a parameter that is repeated. */
FALLIBLE request_query_at(struct request *rq, const char *name, size_t index, bool *ret_present,
                          struct str *ret_value, struct err *err);
/* Visits the values of all occurrences in one pass; for long lists. Stops at the first
 * visit that is not ERR_OK and returns what it returned. */
FALLIBLE request_query_each(struct request *rq, const char *name,
                            enum err_code (*visit)(struct str value, void *ctx,
                                                   struct err *err),
                            void *ctx, struct err *err);

/* response.c ----------------------------------------------------------- */

void response_status(struct request *rq, int status);
/* The phrase that goes with it, "" for one that the gateway never answers. */
const char *response_reason(int status);
/* Adds one header line; name and value must not contain CR or LF (they are
 * dropped with the line if they do). A Content-Type replaces application/json. */
void response_header(struct request *rq, const char *name, const char *value);

/* stream.c ------------------------------------------------------------- */

/* Answers with the stream, whose offset and len are those of the whole: all of it, the one
 * range that the request asks for (206), nothing when it has those bytes already (304) or
 * the range is beyond them (416). The tag is quoted, and the same only for the same bytes.
 * Takes the stream over. Content-Type and caching are the handler's to say. */
void stream_answer(struct request *rq, const char *tag, const struct response_stream *stream);

#endif
