/* SPDX-License-Identifier: Apache-2.0 */
/* Starts, drains and stops the two listeners. Options are checked here, because
 * CivetWeb takes nonsense silently. */
#include "gateway/http/http_private.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    ADMIN_WORKERS = 16,       /* operators, auditors and one metrics scraper */
    WORKERS_MAX = 4096,       /* --workers; above, threads cost more than they bring */
    QUEUE_LEN = 128,          /* connection_queue of each listener */
    OTHER_DESCRIPTORS = 512,  /* 64 readers with three files each, lookups, the log */
    SPOOL_OVER_MAX = 4 << 20, /* doubling stays below the arena's 16 MiB */
    LINGER_MAX_US = 1000000,  /* who asks on and on is not waited for */
    LINGER_MIN_US = 50000,    /* a worker's way to bytes that are here already */
    LINGER_QUIET_US = 250000, /* a far client's way from an answer to its next request */
    LINGER_TICK_US = 5000
};

static const struct {
    const char *name, *value;
} engine_options[] = {
    {"connection_queue", "128"}, /* QUEUE_LEN: accepted and waiting; the kernel holds more */
    {"listen_backlog", "1024"},
    {"max_request_size", "49152"}, /* path 2 kB, query 32 kB, headers */
    {"enable_keep_alive", "yes"},
    {"tcp_nodelay", "1"},
    {"decode_url", "no"},               /* the gate wants the path as it was sent */
    {"enable_auth_domain_check", "no"}, /* so that the gate sees absolute targets */
    {"access_control_allow_origin", ""},
    {"access_control_allow_methods", ""},
    {"access_control_allow_headers", ""},
};

/* "1.2.3.4:80" or "[::1]:80". Names are refused: what they mean can change. */
static bool listen_is_sound(const char *text)
{
    struct in6_addr address;
    const char *colon = text != NULL ? strrchr(text, ':') : NULL;
    char host[64];
    int64_t port;
    size_t len;

    if (colon == NULL || !str_to_i64(str_from(colon + 1), &port) || port < 0 || port > 65535 ||
        colon[1] == '-')
        return false;
    len = (size_t)(colon - text);
    if (len >= 2 && text[0] == '[' && text[len - 1] == ']')
        return str_copy(host, sizeof(host), (struct str){text + 1, len - 2}) &&
               inet_pton(AF_INET6, host, &address) == 1;
    return str_copy(host, sizeof(host), (struct str){text, len}) &&
           inet_pton(AF_INET, host, &address) == 1;
}

/* Better now than at the first large body. */
static FALLIBLE check_spool(const char *dir, struct err *err)
{
    struct err cause = {0};
    int fd;

    if (dir == NULL || spool_open(dir, &fd, &cause) != ERR_OK)
        return err_set(err, ERR_CONFIG, "cannot write temporary files to \"%.200s\"%s%s",
                       dir != NULL ? dir : "", cause.detail[0] != '\0' ? ": " : "",
                       cause.detail);
    (void)close(fd);
    return ERR_OK;
}

static bool is_given(const char *text)
{
    return text != NULL && text[0] != '\0';
}

static FALLIBLE check_tls(const struct server_options *options, struct err *err)
{
    if (is_given(options->tls_cert) != is_given(options->tls_key))
        return err_set(err, ERR_CONFIG, "%s is given without %s: TLS needs both",
                       is_given(options->tls_cert) ? "tls_cert" : "tls_key",
                       is_given(options->tls_cert) ? "tls_key" : "tls_cert");
#ifdef ARKGATE_CIVETWEB_PACKAGE
    if (is_given(options->tls_cert))
        return err_set(err, ERR_CONFIG, "this build's HTTP engine has no TLS");
#endif
    return ERR_OK;
}

static FALLIBLE check_options(const struct server_options *options, struct err *err)
{
    const char *const listens[] = {options->listen, options->admin_listen};

    for (size_t i = 0; i < COUNT_OF(listens); i++) {
        if (!listen_is_sound(listens[i]))
            return err_set(err, ERR_CONFIG,
                           "listen address \"%.80s\": expected an address and a port, like "
                           "127.0.0.1:8080 or [::1]:8080",
                           listens[i] != NULL ? listens[i] : "");
    }
    if (options->workers < 1 || options->workers > WORKERS_MAX)
        return err_set(err, ERR_CONFIG, "workers must be 1 to %d, not %d", WORKERS_MAX,
                       options->workers);
    if (options->body_max < 1 || options->spool_over < 1 ||
        options->spool_over > SPOOL_OVER_MAX)
        return err_set(err, ERR_CONFIG, "the limits of request bodies are out of range");
    if (options->inflight_max < options->body_max)
        return err_set(err, ERR_CONFIG, "inflight_bytes must not be less than body_max");
    if (options->client_us < 1000 || options->client_us > 3600000000 ||
        options->address_max < 1)
        return err_set(err, ERR_CONFIG, "the limits of clients are out of range");
    if (options->dialect_count == 0)
        return err_set(err, ERR_CONFIG, "no public API is configured");
    TRY(check_tls(options, err));
    TRY(cors_check(options->cors_origins, err));
    return check_spool(options->spool_dir, err);
}

/* Every connection is a descriptor; when they run out nobody new is heard, and
 * requests fail half-way. */
static FALLIBLE raise_descriptor_limit(int workers, struct err *err)
{
    rlim_t need = (rlim_t)(workers + ADMIN_WORKERS + QUEUE_LEN) * 2 + OTHER_DESCRIPTORS;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return err_set(err, ERR_CONFIG, "the limit of open files cannot be read");
    if (limit.rlim_max < need)
        return err_set(err, ERR_CONFIG,
                       "%d workers need %llu open files, and the limit is %llu: raise it "
                       "(LimitNOFILE of systemd, ulimit -Hn) or take fewer workers",
                       workers, (unsigned long long)need, (unsigned long long)limit.rlim_max);
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        return err_set(err, ERR_CONFIG, "the limit of open files cannot be raised");
    return ERR_OK;
}

/* While starting, the first line is kept for the error: it names the cause. Later
 * ones are logged. */
static int on_engine_log(const struct mg_connection *conn, const char *text)
{
    struct listener *side = mg_get_user_data(mg_get_context(conn));

    if (strncmp(text, "sslize error", 12) == 0 || strncmp(text, "SSL syscall error", 17) == 0)
        LOG(LOG_DEBUG, "tls_handshake_failed", LOG_TEXT("text", text)); /* anybody's garbage */
    else if (side == NULL || atomic_load(&side->started))
        LOG(LOG_WARN, "civetweb", LOG_TEXT("text", text));
    else if (side->complaint[0] == '\0')
        str_copy_cut(side->complaint, sizeof(side->complaint), str_from(text));
    return 1;
}

/* 1: the context is ours, and stays so when CivetWeb ends; 0: there is none. */
static int on_engine_tls(void **ret_context, void *user_data)
{
    struct listener *side = user_data;

    if (side->tls == NULL)
        return 0;
    *ret_context = tls_context(side->tls);
    return 1;
}

static FALLIBLE side_start(struct listener *side, const char *listen, int workers,
                           struct err *err)
{
    static const struct mg_callbacks callbacks = {.begin_request = serve_request,
                                                  .http_error = serve_engine_error,
                                                  .init_connection = connection_begin,
                                                  .connection_close = connection_end,
                                                  .log_message = on_engine_log,
                                                  .external_ssl_ctx = on_engine_tls};
    const char *options[2 * (COUNT_OF(engine_options) + 4) + 1] = {NULL};
    size_t count = 0;
    char threads[16], client_ms[24], idle_ms[24], address[160];
    struct mg_server_port port = {0};
    struct mg_init_data init = {
        .callbacks = &callbacks, .user_data = side, .configuration_options = options};
    char text[128] = "";
    struct mg_error_data error = {.text = text, .text_buffer_size = sizeof(text)};

    (void)snprintf(threads, sizeof(threads), "%d", workers);
    (void)snprintf(address, sizeof(address), "%s%s", listen, side->tls != NULL ? "s" : "");
    (void)snprintf(client_ms, sizeof(client_ms), "%lld",
                   (long long)side->server->options.client_us / 1000);
    (void)snprintf(idle_ms, sizeof(idle_ms), "%d", HTTP_IDLE_US / 1000);
    options[count++] = "listening_ports";
    options[count++] = address;
    options[count++] = "num_threads";
    options[count++] = threads;
    options[count++] = "request_timeout_ms";
    options[count++] = client_ms;
    options[count++] = "keep_alive_timeout_ms"; /* also the time for a second head */
    options[count++] = idle_ms;
    for (size_t i = 0; i < COUNT_OF(engine_options); i++) {
        options[count++] = engine_options[i].name;
        options[count++] = engine_options[i].value;
    }
    side->context = mg_start2(&init, &error);
    if (side->context == NULL)
        return err_set(err, ERR_CONFIG, "cannot listen on %s: %s", listen,
                       side->complaint[0] != '\0' ? side->complaint : text);
    atomic_store(&side->started, true);
    if (mg_get_server_ports(side->context, 1, &port) != 1)
        return err_set(err, ERR_CONFIG, "cannot listen on %s: no port was bound", listen);
    side->port = port.port;
    return ERR_OK;
}

static void *side_stop(void *ctx)
{
    struct listener *side = ctx;

    if (side->context != NULL)
        mg_stop(side->context);
    side->context = NULL;
    return NULL;
}

static FALLIBLE start(struct server *server, const struct server_options *options,
                      struct err *err)
{
    server->options = *options;
    server->spool_dir = strdup(options->spool_dir);
    if (server->spool_dir == NULL)
        return err_detail(err, ERR_INTERNAL, "out of memory");
    server->public_side.server = server->admin_side.server = server;
    server->admin_side.admin = true;
    server->public_side.workers = options->workers;
    server->admin_side.workers = ADMIN_WORKERS;
    TRY(raise_descriptor_limit(options->workers, err));
    if (is_given(options->tls_cert))
        TRY(tls_open(options->tls_cert, options->tls_key, &server->public_side.tls, err));
    TRY(connection_open(server, (size_t)options->workers + ADMIN_WORKERS, err));
    TRY(watchdog_start(server, err));
    TRY(side_start(&server->admin_side, options->admin_listen, ADMIN_WORKERS, err));
    return side_start(&server->public_side, options->listen, options->workers, err);
}

enum err_code server_start(const struct server_options *options, struct server **ret_server,
                           struct err *err)
{
    struct server *server;
    enum err_code rc;

    TRY(check_options(options, err));
    server = calloc(1, sizeof(*server));
    if (server == NULL)
        return err_detail(err, ERR_INTERNAL, "out of memory");
    lock_init(&server->lock);
    lock_init(&server->connections.lock);
    (void)mg_init_library(0);
    rc = start(server, options, err);
    if (rc != ERR_OK)
        server_stop(&server);
    else
        *ret_server = server;
    return rc;
}

int server_public_port(const struct server *server)
{
    return server->public_side.port;
}

int server_admin_port(const struct server *server)
{
    return server->admin_side.port;
}

void server_leave(struct server *server)
{
    atomic_store(&server->leaving, true);
}

bool server_drain(struct server *server, int64_t mono_deadline_us)
{
    bool idle;

    server_leave(server);
    lock_take(&server->lock);
    atomic_store(&server->draining, true);
    while (!(idle = atomic_load(&server->running) == 0)) {
        if (!lock_wait(&server->lock, mono_deadline_us)) {
            idle = atomic_load(&server->running) == 0;
            break;
        }
    }
    lock_drop(&server->lock);
    return idle;
}

void server_cut(struct server *server)
{
    connection_cut(server);
}

void server_linger(struct server *server)
{
    int64_t begun_us = sys_mono_us(), now_us = begun_us;

    while (now_us - begun_us < LINGER_MAX_US &&
           (now_us - begun_us < LINGER_MIN_US || atomic_load(&server->answering) > 0 ||
            now_us - atomic_load(&server->touched_us) < LINGER_QUIET_US)) {
        sys_sleep_us(LINGER_TICK_US);
        now_us = sys_mono_us();
    }
}

void server_stop(struct server **server)
{
    struct server *it = *server;
    struct err ignored;
    pthread_t helper;
    bool helped;

    if (it == NULL)
        return;
    server_leave(it);
    atomic_store(&it->draining, true);
    /* Each waits for its poll to end, so they wait together. */
    helped = lock_thread(&helper, "http-stop", 256 << 10, side_stop, &it->admin_side,
                         &ignored) == ERR_OK;
    (void)side_stop(&it->public_side);
    if (helped)
        (void)pthread_join(helper, NULL);
    else
        (void)side_stop(&it->admin_side);
    tls_close(&it->public_side.tls);
    watchdog_stop(it);
    connection_close(it);
    lock_fini(&it->connections.lock);
    (void)mg_exit_library();
    lock_fini(&it->lock);
    free(it->spool_dir);
    free(it);
    *server = NULL;
}
