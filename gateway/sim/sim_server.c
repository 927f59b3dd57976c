/* SPDX-License-Identifier: Apache-2.0 */
/* The simulator's HTTP: the only file here that sees CivetWeb. Reads requests,
 * sends answers the way a fault wants them, breaks connections. */
#include "gateway/sim/sim_parts.h"

#include <civetweb.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    ARENA_MAX_BYTES = 16 * 1024 * 1024, /* unescaped prompts; pages of 500 pointers */
    /* A page of 500 tasks is 400 kB; /sim/tasks of half a million tasks fits too. */
    ANSWER_MAX_BYTES = 256 * 1024 * 1024,
    CHUNK_BYTES = 64 * 1024
};

const char *sim_server_header(const struct sim_request *rq, const char *name)
{
    return mg_get_header(rq->conn, name);
}

bool sim_server_is_local(const struct sim_request *rq)
{
    const char *from = mg_get_request_info(rq->conn)->remote_addr;

    return strncmp(from, "127.", 4) == 0 || strcmp(from, "::1") == 0 ||
           strncmp(from, "::ffff:127.", 11) == 0;
}

bool sim_server_write(struct sim_request *rq, const void *bytes, size_t len)
{
    return mg_write(rq->conn, bytes, len) == (int)len;
}

bool sim_server_read(struct sim_request *rq, struct sim_refusal *refusal)
{
    long long promised = mg_get_request_info(rq->conn)->content_length;
    const char *expect = sim_server_header(rq, "Expect");
    char *chunk = arena_alloc(&rq->arena, CHUNK_BYTES);
    int got = 0;

    if (chunk == NULL || promised > SIM_BODY_MAX)
        return sim_answer_refuse(refusal, 413, "InvalidParameter", "",
                                 "The request body is larger than 64 MB.");
    if (expect != NULL && str_eq_nocase(str_from(expect), STR("100-continue")))
        (void)mg_write(rq->conn, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    while ((got = mg_read(rq->conn, chunk, CHUNK_BYTES)) > 0)
        buf_put(&rq->body_buf, chunk, (size_t)got);
    if (rq->body_buf.failed)
        return sim_answer_refuse(refusal, 413, "InvalidParameter", "",
                                 "The request body is larger than 64 MB.");
    rq->body = buf_str(&rq->body_buf);
    if (got < 0 || (promised >= 0 && rq->body.len != (size_t)promised))
        return sim_answer_refuse(refusal, 400, "InvalidParameter", "",
                                 "The request body is incomplete.");
    return true;
}

static int port_of(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port);
    if (address->ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)(const void *)address)->sin6_port);
    return -1;
}

/* CivetWeb does not tell a connection's descriptor, so it is looked up: the one
 * socket of this process whose peer is the client's port and whose own port is
 * ours. -1 when there is none. */
static int find_descriptor(const struct sim_request *rq)
{
    const struct mg_request_info *info = mg_get_request_info(rq->conn);
    DIR *dir = opendir("/proc/self/fd");
    int found = -1;

    if (dir == NULL)
        return -1;
    for (struct dirent *entry = readdir(dir); entry != NULL && found < 0;
         entry = readdir(dir)) {
        struct sockaddr_storage peer = {0}, own = {0};
        socklen_t peer_len = sizeof(peer), own_len = sizeof(own);
        int64_t fd;

        if (str_to_i64(str_from(entry->d_name), &fd) &&
            getpeername((int)fd, (struct sockaddr *)&peer, &peer_len) == 0 &&
            getsockname((int)fd, (struct sockaddr *)&own, &own_len) == 0 &&
            port_of(&peer) == info->remote_port && port_of(&own) == rq->sim->port)
            found = (int)fd;
    }
    (void)closedir(dir);
    return found;
}

/* Connecting to AF_UNSPEC dissolves a TCP association at once and sends a reset,
 * whatever CivetWeb does with the descriptor afterwards (it would send a FIN
 * first, even with a linger time of zero). shutdown() alone sends the FIN. */
void sim_server_drop(struct sim_request *rq, bool reset)
{
    struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    int fd = find_descriptor(rq);

    if (fd < 0)
        return;
    if (reset)
        (void)connect(fd, &nowhere, sizeof(nowhere));
    else
        (void)shutdown(fd, SHUT_RDWR);
}

static const char *reason(int status)
{
    static const struct {
        int status;
        const char *text;
    } reasons[] = {
        {200, "OK"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {409, "Conflict"},
        {413, "Payload Too Large"},
        {429, "Too Many Requests"},
        {500, "Internal Server Error"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
    };

    for (size_t i = 0; i < COUNT_OF(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].text;
    return "Unknown";
}

static void send_dripping(struct sim_request *rq, struct str body)
{
    for (size_t i = 0; i < body.len; i++)
        if (!sim_server_write(rq, body.ptr + i, 1) || !sim_pause(rq->sim, rq->fault.drip)) {
            sim_server_drop(rq, false);
            return;
        }
}

static void put_head(struct sim_request *rq, struct buf *head)
{
    const char *client_id = sim_server_header(rq, "X-Client-Request-Id");

    buf_printf(head,
               "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
               "X-Request-Id: %s\r\n",
               rq->status, reason(rq->status), rq->content_type, rq->out.len, rq->id);
    if (client_id != NULL)
        buf_printf(head, "X-Client-Request-Id: %.128s\r\n", client_id);
    if (rq->sim->canary[0] != '\0')
        buf_printf(head,
                   "X-Ark-Account-Id: 2100000001-%s\r\nX-Ark-Endpoint-Id: ep-%s-20260101\r\n"
                   "X-Upstream-Host: ark-%s.internal.example\r\n",
                   rq->sim->canary, rq->sim->canary, rq->sim->canary);
    buf_puts(head, "\r\n");
}

static void send_answer(struct sim_request *rq)
{
    CLEANUP(buf_fini) struct buf head = {0};
    struct str body = buf_str(&rq->out);
    bool cut = rq->fault.truncate >= 0 && (size_t)rq->fault.truncate < body.len;

    buf_init(&head, ANSWER_MAX_BYTES);
    put_head(rq, &head);
    if (cut)
        body.len = (size_t)rq->fault.truncate;
    /* Head and body of an ordinary answer leave in one packet. */
    if (rq->fault.drip == 0)
        buf_put_str(&head, body);
    (void)sim_server_write(rq, head.ptr, head.len);
    if (rq->fault.drip > 0)
        send_dripping(rq, body);
    if (cut)
        sim_server_drop(rq, false);
}

/* 02, milliseconds, hex digits: as Ark's look. */
static void make_id(struct sim_request *rq)
{
    uint64_t random[2] = {sim_random(rq->sim), sim_random(rq->sim)};

    (void)snprintf(rq->id, sizeof(rq->id), "02%lld%016llx%016llx%06llx",
                   (long long)(sim_now_us(rq->sim) / 1000), (unsigned long long)random[0],
                   (unsigned long long)random[1], (unsigned long long)(random[0] >> 40));
}

static void handle(struct sim_request *rq)
{
    bool answered;

    if (str_starts_nocase(rq->path, STR("/media/"))) {
        answered = sim_media_handle(rq);
    } else if (str_starts_nocase(rq->path, STR("/sim/"))) {
        sim_control_handle(rq);
        answered = true;
    } else {
        answered = sim_api_handle(rq);
    }
    if (answered)
        send_answer(rq);
}

static void count_concurrent(struct sim *sim, int64_t change)
{
    lock_take(&sim->lock);
    sim->counters.concurrent += change;
    if (sim->counters.concurrent > sim->counters.concurrent_max)
        sim->counters.concurrent_max = sim->counters.concurrent;
    lock_drop(&sim->lock);
}

/* The life of a request. */
static int on_request(struct mg_connection *conn)
{
    const struct mg_request_info *info = mg_get_request_info(conn);
    struct sim_request rq = {.sim = info->user_data,
                             .conn = conn,
                             .method = info->request_method,
                             .path = str_from(info->local_uri),
                             .query = str_from(info->query_string),
                             .content_type = "application/json"};

    sim_fault_init(&rq.fault);
    arena_init(&rq.arena, ARENA_MAX_BYTES);
    buf_init(&rq.body_buf, SIM_BODY_MAX);
    buf_init(&rq.out, ANSWER_MAX_BYTES);
    make_id(&rq);
    count_concurrent(rq.sim, 1);
    handle(&rq);
    count_concurrent(rq.sim, -1);
    json_free(&rq.doc);
    buf_fini(&rq.out);
    buf_fini(&rq.body_buf);
    arena_fini(&rq.arena);
    return rq.status == 0 ? 200 : rq.status;
}

/* Its complaints are about clients that a fault of ours cut off, or say why it
 * does not start, which the error does in short. */
static int on_log(const struct mg_connection *conn, const char *message)
{
    (void)conn;
    (void)message;
    return 1;
}

/* Requests may come the moment CivetWeb listens, so what they read of the
 * address is set before, but for port 0, which nobody can know then. */
static void set_address(struct sim *sim, struct str host, int port)
{
    if (str_is(host, "0.0.0.0"))
        host = STR("127.0.0.1");
    lock_take(&sim->lock);
    sim->port = port;
    (void)snprintf(sim->base_url, sizeof(sim->base_url), "http://%.*s:%d", (int)host.len,
                   host.ptr, port);
    lock_drop(&sim->lock);
}

enum err_code sim_server_start(struct sim *sim, const struct sim_options *options,
                               struct err *err)
{
    const struct mg_callbacks callbacks = {.begin_request = on_request, .log_message = on_log};
    struct str listen = str_from(options->listen);
    const char *colon = listen.len == 0 ? NULL : memrchr(listen.ptr, ':', listen.len);
    size_t host_len = colon == NULL ? 0 : (size_t)(colon - listen.ptr);
    struct mg_server_port port = {0};
    char workers[16];

    struct str host = {listen.ptr, host_len};
    int64_t wanted = -1;

    if (host_len == 0 || host_len > 64 || !str_to_i64(str_from(colon + 1), &wanted) ||
        wanted < 0 || wanted > 65535)
        return err_set(err, ERR_CONFIG, "the address to listen on must be HOST:PORT");
    set_address(sim, host, (int)wanted);
    (void)snprintf(workers, sizeof(workers), "%d",
                   options->workers == 0 ? 128 : options->workers);
    const char *settings[] = {
        "listening_ports", options->listen, "num_threads", workers, "enable_keep_alive", "yes",
        /* Clients keep connections for up to a minute, as they do with Ark. */
        "keep_alive_timeout_ms", "60000", "request_timeout_ms", "60000", "tcp_nodelay", "1",
        /* 500 task ids of 25 characters and their names. */
        "max_request_size", "65536", NULL};

    sim->server = mg_start(&callbacks, sim, settings);
    if (sim->server == NULL || mg_get_server_ports(sim->server, 1, &port) != 1)
        return err_set(err, ERR_CONFIG, "cannot listen on %s: is it free and of this machine?",
                       options->listen);
    if (wanted == 0)
        set_address(sim, host, port.port);
    return ERR_OK;
}

void sim_server_stop(struct sim *sim)
{
    if (sim->server != NULL)
        mg_stop(sim->server);
    sim->server = NULL;
}
