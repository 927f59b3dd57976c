/* SPDX-License-Identifier: Apache-2.0 */
/* arkgate serve: puts the gateway together, runs it until a signal, and takes it
 * apart in an order that loses nothing. */
#include "gateway/cli/cli.h"

#include "assetlib/link.h"
#include "base/net/guard.h"
#include "gateway/admin/admin.h"
#include "gateway/app.h"
#include "gateway/cli/cli_blobs.h"
#include "gateway/cli/serve_assets.h"
#include "gateway/cli/serve_config.h"
#include "gateway/dialect/dialect.h"
#include "gateway/http/http.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

/* The whole stop stays below 30 s, after which supervisors kill. */
enum {
    CUT_MIN_US = 2000000, /* to write down and answer what was cut, however short the drain */
    AFTER_MAX_US = 10000000, /* after the drain, before the rest of the stop is given up */
    STOP_MAX_US = 29000000,  /* after the signal, likewise */
    SLICE_US = 20000         /* how late a second signal may be seen */
};

/* Everything that runs, in the order in which it starts. */
struct gateway {
    struct serve_config config;
    struct net_resolver *resolver;
    struct crypto_keys keys;
    char home[4096]; /* of a SQLite file, its lock and its command socket; else "" */
    int lock;
    struct db *db;
    struct net *net;
    struct catalogue *catalogue;
    struct price_memory *prices;
    struct ark *ark;
    struct app app;
    struct serve_assets assets;
    struct cli_remote_server remote;
    struct command_server *commands;
    struct server *server;
};

static enum err_code prepare(struct db_conn *conn, void *ctx, struct err *err)
{
    const int64_t *now_us = ctx;

    return price_seed(conn, *now_us, err);
}

static enum err_code open_store(struct gateway *gateway, const struct cli_ctx *ctx,
                                struct err *err)
{
    struct db_options options = {.path = ctx->database,
                                 .readers = (int)gateway->config.readers,
                                 .clock_us = gateway->config.clock_us};

    TRY(crypto_keys_load(ctx->keys_dir, &gateway->keys, err));
    if (!db_is_server(ctx->database)) {
        TRY(cli_run_home(ctx->database, gateway->home, sizeof(gateway->home), err));
        TRY(dir_lock_take(gateway->home, &gateway->lock, err));
        TRY(db_migrate(ctx->database, err));
    }
    TRY(db_open(&options, &gateway->db, err));
    TRY(cli_marks_check(gateway->db, ctx->database, err));
    TRY(cli_run_claim_keys(gateway->db, &gateway->keys, err));
    TRY(cli_blobs_claim(gateway->db, ctx->data_dir, err));
    return db_write(gateway->db, DB_ALL, prepare, (void *)&ctx->now_us, err);
}

/* Ready: the store answers, and tells the time that we tell. */
static bool is_ready(struct app *app, struct buf *why_not)
{
    struct err err = {0};

    if (db_check(app->db, &err) == ERR_OK)
        return true;
    buf_puts(why_not, err.msg);
    return false;
}

/* A tenant's callback: what Ark will be asked to call must not be ours. */
static enum err_code check_callback(void *self, int64_t tenant_id, struct str url,
                                    int64_t deadline_us, struct err *err)
{
    const struct gateway *gateway = self;
    const struct net_url_rule rule = {.https_only = true,
                                      .allow_private = gateway->config.allow_private_network,
                                      .len_max = TASK_URL_MAX,
                                      .owner = tenant_id};

    return net_url_check(gateway->resolver, url, &rule, deadline_us, err);
}

/* What request handlers reach, but for the largest body. */
static enum err_code open_app(struct gateway *gateway, const struct cli_ctx *ctx,
                              struct err *err)
{
    gateway->app.db = gateway->db;
    TRY(catalogue_open(gateway->db, &gateway->catalogue, err));
    TRY(price_memory_open(&gateway->prices, err));
    gateway->app.tasks = (struct task_service){.db = gateway->db,
                                               .catalogue = gateway->catalogue,
                                               .prices = gateway->prices,
                                               .provider = ark_provider(gateway->ark),
                                               .callbacks = {gateway, check_callback},
                                               .settings = gateway->config.tasks};
    /* The rest of the workers stays free for requests that wait for nobody. */
    TRY(waiting_open((int)gateway->config.workers * 6 / 10, &gateway->app.tasks.waiting, err));
    TRY(serve_assets_open(&gateway->assets, ctx, &gateway->config, &gateway->app, err));
    link_key(gateway->keys.master, gateway->app.assets.link_key);
    gateway->app.tasks.assets = &gateway->app.assets;
    return auth_open(gateway->db, &gateway->keys, &gateway->app.auth, err);
}

static enum err_code start(struct gateway *gateway, const struct cli_ctx *ctx, struct err *err)
{
    static const struct dialect *const dialects[] = {&tenant_api_dialect, &volc_dialect,
                                                     &files_dialect, &ark_dialect};
    const struct net_options net_options = {0};
    const struct net_resolver_options resolver_options = {
        .overrides = str_from(gateway->config.resolve)};
    struct server_options options = {
        .listen = gateway->config.listen,
        .admin_listen = gateway->config.admin_listen,
        .tls_cert = gateway->config.tls_cert,
        .tls_key = gateway->config.tls_key,
        .workers = (int)gateway->config.workers,
        .body_max = (size_t)gateway->config.body_max,
        .spool_over = (size_t)gateway->config.spool_over,
        .spool_dir = ctx->data_dir,
        .inflight_max = (size_t)gateway->config.inflight_bytes,
        .client_us = gateway->config.client_us,
        .address_max = (int)gateway->config.address_max,
        .trusted_proxies = gateway->config.trusted_proxies,
        .cors_origins = gateway->config.cors_origins,
        .dialects = dialects,
        .dialect_count = COUNT_OF(dialects),
        .ready = is_ready,
        .app = &gateway->app,
    };

    /* First: it may set an environment variable, and no other thread runs yet. */
    TRY(net_resolver_open(&resolver_options, &gateway->resolver, err));
    TRY(open_store(gateway, ctx, err));
    TRY(net_open(&net_options, &gateway->net, err));
    TRY(ark_open(gateway->db, gateway->net, &gateway->keys, &gateway->config.ark, &gateway->ark,
                 err));
    gateway->app.body_max = options.body_max;
    TRY(open_app(gateway, ctx, err));
    /* If nobody else writes, whatever is still submitting lost its sender; else the
     * reconciler finds it in time. */
    if (!db_is_shared(gateway->db))
        TRY(expire_sends(&gateway->app.tasks, true, err));
    TRY(ark_start(gateway->ark, &gateway->app.tasks, err));
    /* A migration that looked before our lease was there may have gone on under us. */
    TRY(db_check(gateway->db, err));
    gateway->remote = (struct cli_remote_server){gateway->db, &gateway->keys, ctx->data_dir,
                                                 ctx->keys_dir, ctx->database};
    if (!db_is_shared(gateway->db)) /* else commands write for themselves */
        TRY(command_socket_serve(gateway->home, cli_remote_answer, &gateway->remote,
                                 &gateway->commands, err));
    TRY(server_start(&options, &gateway->server, err));
    return serve_assets_start(&gateway->assets, gateway->resolver, &gateway->app,
                              server_public_port(gateway->server), err);
}

/* A stop, from the first signal on. It may not end: a command that runs for minutes cannot
 * be called back. Then the process does; the store is as safe as in a crash. */
struct ending {
    int64_t deadline_us;
    int asked; /* how often since the first signal: once is haste, twice is for good */
    atomic_bool over;
    pthread_t last_resort;
};

/* True when the operator asks again before the time: 0 only looks. A SIGHUP is no such
 * wish: the terminal may have closed because it was told to. */
static bool asked_within(struct ending *ending, int64_t wait_us)
{
    int64_t until_us = sys_mono_us() + wait_us;
    sigset_t signals;
    int got;

    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    do {
        int64_t left_us = until_us - sys_mono_us();
        struct timespec wait = {0};

        if (left_us > 0)
            wait = (struct timespec){.tv_sec = left_us / 1000000,
                                     .tv_nsec = left_us % 1000000 * 1000};
        got = sigtimedwait(&signals, NULL, &wait);
    } while (got < 0 && errno == EINTR); /* a machine that was frozen and goes on */
    ending->asked += got > 0;
    return got > 0;
}

static void *last_resort_run(void *ctx)
{
    struct ending *ending = ctx;

    while (!atomic_load(&ending->over)) {
        (void)asked_within(ending, SLICE_US);
        if (ending->asked >= 2 || sys_mono_us() >= ending->deadline_us) {
            LOG(LOG_ERROR, "stop_given_up",
                LOG_TEXT("detail", ending->asked >= 2 ? "asked by signals" : "out of time"));
            _exit(EXIT_FAILURE);
        }
    }
    return NULL;
}

/* Until no request runs; false when time is up or the operator is in a hurry. */
static bool wait_idle(struct server *server, struct ending *ending, int64_t deadline_us)
{
    bool idle;

    do {
        int64_t slice_us = sys_mono_us() + SLICE_US;

        idle = server_drain(server, slice_us < deadline_us ? slice_us : deadline_us);
    } while (!idle && sys_mono_us() < deadline_us && !asked_within(ending, 0));
    return idle;
}

/* Nothing new is let in. Sends in flight may end by themselves; those that do not are
 * cut, so that their requests are still answered, with the minted id. */
static void drain(struct gateway *gateway, struct ending *ending)
{
    int64_t drain_us = gateway->config.drain_us, cut_us = drain_us / 5;
    int64_t begun_us = sys_mono_us();

    server_leave(gateway->server);
    /* In a hurry from the start: what runs has no time to end by itself. */
    if (gateway->config.drain_delay_us > 0 &&
        asked_within(ending, gateway->config.drain_delay_us))
        begun_us = sys_mono_us() - drain_us;
    ark_halt(gateway->ark);
    serve_assets_halt(&gateway->assets);
    if (!wait_idle(gateway->server, ending, begun_us + drain_us - cut_us)) {
        ark_cut(gateway->ark);
        net_halt(gateway->net);
        server_cut(gateway->server);
        if (!wait_idle(gateway->server, ending,
                       sys_mono_us() + (cut_us > CUT_MIN_US ? cut_us : CUT_MIN_US)))
            LOG(LOG_WARN, "drain_incomplete");
    }
    server_linger(gateway->server);
    /* Nobody waits for what is still asked of Ark. */
    ark_cut(gateway->ark);
    net_halt(gateway->net);
}

static void take_apart(struct gateway *gateway)
{
    command_socket_stop(&gateway->commands);
    server_stop(&gateway->server);
    serve_assets_close(&gateway->assets, &gateway->app);
    ark_close(&gateway->ark);
    net_close(&gateway->net);
    auth_close(&gateway->app.auth);
    waiting_close(&gateway->app.tasks.waiting);
    price_memory_close(&gateway->prices);
    catalogue_close(&gateway->catalogue);
    db_close(&gateway->db);
    dir_lock_drop(&gateway->lock);
    crypto_keys_wipe(&gateway->keys);
    net_resolver_close(&gateway->resolver);
}

/* After the signal. */
static void end(struct gateway *gateway)
{
    struct ending ending = {.deadline_us = sys_mono_us() + STOP_MAX_US};
    struct err err = {0};
    int64_t drained_us;
    bool guarded;

    drain(gateway, &ending);
    drained_us = sys_mono_us();
    if (drained_us + AFTER_MAX_US < ending.deadline_us)
        ending.deadline_us = drained_us + AFTER_MAX_US;
    guarded = lock_thread(&ending.last_resort, "last-resort", 256 << 10, last_resort_run,
                          &ending, &err) == ERR_OK;
    take_apart(gateway);
    atomic_store(&ending.over, true);
    if (guarded)
        (void)pthread_join(ending.last_resort, NULL);
}

static void wait_for_signal(const sigset_t *signals)
{
    int signal = 0;

    (void)sigwait(signals, &signal);
    LOG(LOG_INFO, "stopping", LOG_INT("signal", signal));
}

/* The port as bound; the address as configured. */
static void print_ready(const struct gateway *gateway)
{
    const char *listen = gateway->config.listen, *admin = gateway->config.admin_listen;

    (void)fprintf(stderr, "ready public=http%s://%.*s:%d admin=http://%.*s:%d\n",
                  gateway->config.tls_cert[0] != '\0' ? "s" : "",
                  (int)(strrchr(listen, ':') - listen), listen,
                  server_public_port(gateway->server), (int)(strrchr(admin, ':') - admin),
                  admin, server_admin_port(gateway->server));
}

static enum err_code run_serve(struct cli_ctx *ctx, struct err *err)
{
    struct gateway gateway = {.lock = -1};
    const struct serve_flag flags[] = {
        {"listen", cli_value(ctx, "listen")},
        {"admin_listen", cli_value(ctx, "admin-listen")},
        {"workers", cli_value(ctx, "workers")},
        {"public_url", cli_value(ctx, "public-url")},
        {"log_level", cli_value(ctx, "log-level")},
        {"allow_private_network", cli_flag(ctx, "allow-private-network") ? "true" : NULL},
        {"tls_cert", cli_value(ctx, "tls-cert")},
        {"tls_key", cli_value(ctx, "tls-key")},
    };
    enum log_level level;
    sigset_t signals;

    TRY(serve_config_load(flags, COUNT_OF(flags), cli_value(ctx, "set"), &gateway.config, err));
    if (!log_level_parse(str_from(gateway.config.log_level), &level))
        return err_set(err, ERR_CONFIG, "log_level must be error, warn, info or debug");
    log_set_level(level);
    /* Keys live in this process: no core file, no ptrace by the same user. */
#ifndef ARKGATE_TEST /* leak checkers trace their own process */
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP); /* a closed terminal must not cut requests */
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);

    enum err_code rc = start(&gateway, ctx, err);

    if (gateway.config.allow_private_network)
        LOG(LOG_WARN, "private_network_allowed",
            LOG_TEXT("detail", "callbacks may lead to loopback and private addresses"));
    if (rc == ERR_OK) {
        print_ready(&gateway);
        wait_for_signal(&signals);
        end(&gateway);
    } else {
        take_apart(&gateway);
    }
    return rc;
}

static void print_setting(const struct config_key *key, void *ctx)
{
    (void)ctx;
    (void)printf("  %-22s %-16s %s\n", key->name, key->def, key->help);
}

void cmd_serve_print_settings(void)
{
    (void)printf("\nsettings (file given by --config, or ARKGATE_ and the name in upper case,"
                 " or --set),\nwith their defaults:\n");
    serve_config_each(print_setting, NULL);
}

static const struct cli_option serve_options[] = {
    {"listen", CLI_TEXT, "ADDRESS:PORT", "public listener (127.0.0.1:8080; port 0: any)"},
    {"admin-listen", CLI_TEXT, "ADDRESS:PORT", "admin listener (127.0.0.1:8081)"},
    {"tls-cert", CLI_TEXT, "FILE", "PEM: the public listener's certificate, then its issuers"},
    {"tls-key", CLI_TEXT, "FILE", "PEM: its private key; both or neither"},
    {"workers", CLI_TEXT, "N", "requests served at once (1024)"},
    {"public-url", CLI_TEXT, "URL", "where clients reach the gateway from outside"},
    {"log-level", CLI_TEXT, "LEVEL", "error, warn, info, debug"},
    {"allow-private-network", CLI_FLAG, "",
     "for developers: callbacks may lead to private addresses"},
    {"set", CLI_TEXT, "NAME=VALUE,…", "any setting of the list below"},
};

const struct command cmd_serve[] = {
    {.name = "serve",
     .place = CLI_ALONE,
     .args = "",
     .help = "Run the gateway until SIGTERM.",
     .options = serve_options,
     .option_count = COUNT_OF(serve_options),
     .run = run_serve},
    {.name = NULL},
};
