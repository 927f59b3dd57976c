/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of gateway/http show each other and nobody else. */
#ifndef ARKGATE_GATEWAY_HTTP_PRIVATE_H
#define ARKGATE_GATEWAY_HTTP_PRIVATE_H

#include "gateway/http/http.h"

#include <stdatomic.h>

#include <civetweb.h>

enum {
    HTTP_ARENA_MAX = 16 << 20,     /* http.h: everything one request builds */
    HTTP_ANSWER_MAX = 16 << 20,    /* 500 listed tasks of 8 kB, four times over */
    HTTP_EXTRA_HEADERS_MAX = 8192, /* what handlers may add to an answer's head */
    ROUTER_METHODS_MAX = 128,      /* the methods of one path, as a list */
    HTTP_IDLE_US = 5000000         /* between two requests; proxies keep theirs shorter */
};

/* Who is refused because of a drain reads this. */
#define HTTP_SHUTTING_DOWN "the gateway is shutting down"

/* address.c ------------------------------------------------------------ */

struct address {
    uint8_t bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
};

struct address_list {
    struct address_range {
        struct address first;
        int bits;
    } ranges[64]; /* more proxies than a site has; it is walked for each connection */
    size_t count;
};

/* False when text is no IPv4 or IPv6 address. */
bool address_parse(struct str text, struct address *ret_address);
/* Who is at the other end; false when fd is no such socket any more. */
bool address_of_peer(int fd, struct address *ret_address);
/* trusted_proxies: "192.0.2.1;2001:db8::/32"; ERR_CONFIG names the wrong one. */
FALLIBLE address_list_parse(const char *text, struct address_list *ret_list, struct err *err);
/* Loopback, and what is on the list. */
bool address_trusted(const struct address_list *list, const struct address *address);
/* What counts as one client: an IPv4 address, an IPv6 /64. */
struct address address_client(const struct address *address);
/* The last address of one X-Forwarded-For that is not on the list; false when there is
 * none, and *ret_end then says that an earlier header must not be asked either. */
bool address_forwarded(const struct address_list *list, struct str value,
                       struct address *ret_address, bool *ret_end);
/* Likewise for all of a request that a trusted proxy sent. */
bool address_of_request(const struct address_list *list, const struct request *rq,
                        struct address *ret_address);

/* connection.c --------------------------------------------------------- */

/* One worker's connection. Fields are under the table's lock, but for those that are
 * set once at its begin. */
struct connection {
    struct listener *side;            /* NULL: a free slot */
    struct connection *older, *newer; /* while it waits for a head */
    struct connection *next;          /* of its bucket, or free */
    struct address peer, client;      /* client: as counted */
    int64_t since_us;                 /* since when it waits, sys_mono_us */
    int64_t deadline_us;              /* reading ends then */
    void *spool;
    size_t spool_len;
    int fd;
    bool trusted; /* the peer is loopback or a trusted proxy */
    bool waiting, counted, served, cut;
};

struct connections {
    struct lock lock;
    struct connection *slots, *free; /* as many as there are workers */
    size_t count;
    struct connection *buckets[1024]; /* by client; short chains at 4,096 workers */
    uint64_t seed;                    /* so that nobody can aim at one bucket */
    struct address_list trusted;
    int address_max;
    int64_t refused, evicted, reported_us; /* since the last line in the log */
    pthread_t watchdog;
    bool watched, stopping;
    bool cutting; /* no body is waited for any more */
};

/* The lock is the server's to make and to end. */
FALLIBLE connection_open(struct server *server, size_t count, struct err *err);
void connection_close(struct server *server);
/* CivetWeb's callbacks. */
int connection_begin(const struct mg_connection *conn, void **ret_data);
void connection_end(const struct mg_connection *conn);
/* Its head is whole; no time is running any more. */
void connection_busy(const struct mg_connection *conn);
/* Its request is over; it waits for the next head. */
void connection_wait(const struct mg_connection *conn);
/* Counts the client for whom a trusted proxy asks, until connection_wait; false when it
 * has as many requests as it may. */
bool connection_count(const struct request *rq);
/* The head took longer than it may. */
bool connection_late(const struct mg_connection *conn);
/* Reading ends at the deadline (sys_mono_us), which may be moved. */
void connection_limit(const struct mg_connection *conn, int64_t deadline_us);
/* True when the deadline had passed and reading was ended. */
bool connection_unlimit(const struct mg_connection *conn);
/* The request's body is mapped there: what has been read of it is given back to the
 * kernel now and then, so that bodies do not become resident whole. NULL before it is
 * unmapped. */
void connection_spool(const struct mg_connection *conn, void *at, size_t len);
/* Nearly all workers have a connection. */
bool connection_low(const struct mg_connection *conn);
/* Ends the reading of whatever body is being read, now and later, whatever its deadline. */
void connection_cut(struct server *server);
/* Ends those whose time has come; when to come again. Under the lock. */
int64_t connection_sweep(struct server *server);

/* watchdog.c ----------------------------------------------------------- */

FALLIBLE watchdog_start(struct server *server, struct err *err);
/* Accepts one that was never started. */
void watchdog_stop(struct server *server);

/* budget.c ------------------------------------------------------------- */

/* Adds to what the request holds; false when the budget does not have it. */
bool budget_take(struct server *server, struct request *rq, size_t bytes);
/* Gives back all that the request holds. */
void budget_drop(struct server *server, struct request *rq);

/* tls.c ---------------------------------------------------------------- */

/* The certificate of a listener, read again when its files have changed: at most
 * once a second, by a handshake. A pair that is not sound leaves the old one in use
 * and is complained about once. */
struct tls;
/* ERR_CONFIG naming the file; see crypto_tls_load. A certificate out of its dates is
 * taken, with a warning. */
FALLIBLE tls_open(const char *cert_path, const char *key_path, struct tls **ret_tls,
                  struct err *err);
/* The SSL_CTX, for CivetWeb. */
void *tls_context(struct tls *tls);
/* No connection may be left. Accepts NULL in *tls. */
void tls_close(struct tls **tls);

/* server.c ------------------------------------------------------------- */

struct listener {
    struct server *server;
    struct mg_context *context;
    struct tls *tls; /* NULL: plain HTTP */
    bool admin;
    int port;
    atomic_bool started;
    char complaint[256]; /* CivetWeb's first, while it was starting */
    /* under the lock of the connections */
    int workers, live;
    struct connection *oldest, *newest; /* of those that wait for a head */
};

struct server {
    struct server_options options;
    char *spool_dir;
    struct listener public_side, admin_side;
    struct connections connections;
    atomic_size_t inflight; /* bytes of the budget that requests hold */
    struct lock lock;       /* drain waits here */
    atomic_int running;
    atomic_bool leaving; /* not ready; answers close their connections */
    atomic_bool draining;
    atomic_int answering;       /* like running, with those that are refused */
    _Atomic int64_t touched_us; /* sys_mono_us; when one of them last began or ended */
};

/* serve.c: CivetWeb's callbacks ---------------------------------------- */

int serve_request(struct mg_connection *conn);
int serve_engine_error(struct mg_connection *conn, int status, const char *text);

/* health.c ------------------------------------------------------------- */

/* Answers /livez, /healthz and /readyz; false for every other path. */
bool health_answer(struct server *server, struct request *rq);

/* gate.c --------------------------------------------------------------- */

/* What no dialect should have to think about: framing, sizes, spelling. 0 when
 * the head is sound, else the status to answer, with *err filled. */
int gate_check(const struct request *rq, size_t body_max, struct err *err);

/* router.c ------------------------------------------------------------- */

/* The first dialect that owns the path; NULL when none does. */
const struct dialect *router_dialect(const struct server_options *options,
                                     const struct request *rq);
/* Sets rq->tail. ERR_ROUTE_UNKNOWN, or ERR_METHOD_UNKNOWN with an Allow header.
 * HEAD finds the GET route. */
FALLIBLE router_find(struct request *rq, const struct route **ret_route, struct err *err);

/* Which methods the path takes, as "GET, DELETE"; "" for one that no route has. */
void router_methods(const struct request *rq, char dst[ROUTER_METHODS_MAX]);

/* cors.c --------------------------------------------------------------- */

/* Is this a value of cors_origins? */
FALLIBLE cors_check(const char *origins, struct err *err);
/* Answers a browser's question before its request; false for every other request. */
bool cors_preflight(const struct server *server, struct request *rq);
/* Adds what every answer of the public listener says to browsers. */
void cors_answer(const struct server *server, struct request *rq);

/* body.c --------------------------------------------------------------- */

/* A body was announced that nobody has read. */
bool body_pending(const struct request *rq);
/* Reads it all into rq->body. 0, or the status to answer with *err filled; the
 * connection must be closed then. */
int body_read(struct server *server, struct request *rq, struct err *err);
/* After an answer that closes: reads a little of what the client is still
 * sending, so that its kernel does not throw the answer away. */
void body_discard(struct request *rq);

/* spool.c -------------------------------------------------------------- */

/* An unlinked temporary file in dir. */
FALLIBLE spool_open(const char *dir, int *ret_fd, struct err *err);
FALLIBLE spool_write(int fd, const void *bytes, size_t len, struct err *err);
/* Maps the len bytes written so far, read-only. */
FALLIBLE spool_map(int fd, size_t len, void **ret_at, struct err *err);

/* request.c ------------------------------------------------------------ */

void request_init(struct request *rq, const struct listener *side, struct mg_connection *conn);
void request_fini(struct request *rq);
/* Takes method, path, query and client id from the parsed head. */
void request_read_head(struct request *rq);
/* The one line about this request. err's code is ERR_OK when all went well. */
void request_log(const struct request *rq, const struct err *err);

/* response.c ----------------------------------------------------------- */

/* Lets the dialect say what went wrong. status 0: as the error table says. */
void response_error(struct request *rq, const struct err *err, int status);
/* Head and body in one write where they are small; false when the client is gone, or the
 * body's stream failed, with *err filled. Decides whether the connection lives on. */
bool response_send(struct request *rq, struct err *err);

/* range.c -------------------------------------------------------------- */

/* Headers of a request, "" when absent, and what there is. */
struct range_question {
    struct str range, if_range, if_none_match;
    struct str tag; /* quoted, strong */
    int64_t size;
};
struct range_answer {
    int status;          /* 200, 206, 304 or 416 */
    int64_t offset, len; /* of the part that is sent */
};
/* Several ranges, other units and malformed ones are served whole, as RFC 9110 allows. */
void range_decide(const struct range_question *question, struct range_answer *ret_answer);

/* stream.c ------------------------------------------------------------- */

/* Sends the body that is a stream, behind the head. False when it did not arrive whole; *err
 * is filled when that was not the client's doing. */
bool stream_send(struct request *rq, struct err *err);
/* Gives back what the stream reads from; nothing when there is none. */
void stream_close(struct request *rq);

#endif
