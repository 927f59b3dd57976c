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
    ROUTER_METHODS_MAX = 128       /* the methods of one path, as a list */
};

/* watchdog.c ----------------------------------------------------------- */

/* One body that is being read. CivetWeb only knows "no byte for 10 s"; this ends
 * the reading side of the connection when the whole takes too long. */
struct watch {
    struct watch *next, *prev;
    _Atomic int64_t deadline_us; /* sys_mono_us; may be moved while watched */
    char remote_addr[48];
    int remote_port, local_port;
    bool expired; /* under the watchdog's lock */
};

struct watchdog {
    struct lock lock;
    struct watch *first;
    pthread_t thread;
    bool running, stopping;
};

FALLIBLE watchdog_open(struct watchdog *dog, struct err *err);
/* Nothing may be watched any more. Accepts one that was never opened. */
void watchdog_close(struct watchdog *dog);
/* watch is the caller's and must be removed before it goes. */
void watchdog_add(struct watchdog *dog, struct watch *watch, const struct request *rq,
                  int64_t deadline_us);
/* True when the deadline had passed and the connection was cut. */
bool watchdog_remove(struct watchdog *dog, struct watch *watch);

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
};

struct server {
    struct server_options options;
    char *spool_dir;
    struct listener public_side, admin_side;
    struct watchdog watchdog;
    struct lock lock; /* drain waits here */
    atomic_int running;
    atomic_bool draining;
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
void body_discard(struct server *server, struct request *rq);

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
/* Head and body in one write where they are small; false when the client is
 * gone. Decides whether the connection lives on. */
bool response_send(struct request *rq);

#endif
