/* SPDX-License-Identifier: Apache-2.0 */
/* arkgate sim: the built-in Ark in the foreground. */
#include "gateway/cli/cli.h"

#include "gateway/sim/sim.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static enum err_code number(const struct cli_ctx *ctx, const char *name, int64_t def,
                            int64_t min, int64_t max, int64_t *ret_value, struct err *err)
{
    const char *text = cli_value(ctx, name);

    *ret_value = def;
    if (text == NULL)
        return ERR_OK;
    if (!str_to_i64(str_from(text), ret_value) || *ret_value < min || *ret_value > max)
        return err_set(err, ERR_USAGE, "--%s must be %lld to %lld", name, (long long)min,
                       (long long)max);
    return ERR_OK;
}

static enum err_code run_sim(struct cli_ctx *ctx, struct err *err)
{
    const char *listen = cli_value(ctx, "listen");
    struct sim_options options = {.listen = listen == NULL ? "127.0.0.1:9000" : listen,
                                  .api_key = cli_value(ctx, "api-key-file"),
                                  .media_dir = cli_value(ctx, "media"),
                                  .callback_to = cli_value(ctx, "callback-to"),
                                  .canary = cli_value(ctx, "canary"),
                                  .limits = cli_flag(ctx, "limits")};
    int64_t workers;
    struct sim *sim = NULL;
    sigset_t signals;
    int signal_number;

    if (options.api_key == NULL)
        return err_set(err, ERR_USAGE, "--api-key-file is required");
    TRY(number(ctx, "speed", 1, 1, 1000000, &options.speed, err));
    TRY(number(ctx, "create-rpm", 0, 0, 100000000, &options.create_rpm, err));
    TRY(number(ctx, "seed", 0, 0, INT64_MAX, &options.seed, err));
    TRY(number(ctx, "workers", 128, 1, 4096, &workers, err));
    options.workers = (int)workers;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    TRY(sim_start(&options, &sim, err));
    (void)fprintf(stderr, "ready sim=http://%.*s:%d\n",
                  (int)(strrchr(options.listen, ':') - options.listen), options.listen,
                  sim_port(sim));
    (void)sigwait(&signals, &signal_number);
    sim_stop(&sim);
    return ERR_OK;
}

static const struct cli_option sim_command_options[] = {
    {"listen", CLI_TEXT, "ADDRESS:PORT", "where it listens (127.0.0.1:9000; port 0: any)"},
    {"api-key-file", CLI_FILE, "FILE", "accepted keys, comma separated; each an account"},
    {"speed", CLI_TEXT, "N", "times faster than real time (1)"},
    {"media", CLI_TEXT, "DIR", "cache of videos (a private temporary folder)"},
    {"limits", CLI_FLAG, "", "Ark's limits per account are on"},
    {"create-rpm", CLI_TEXT, "N", "creates a minute with --limits (600)"},
    {"seed", CLI_TEXT, "N", "fixed task ids and seeds"},
    {"callback-to", CLI_TEXT, "URL", "where callbacks go (only to loopback links)"},
    {"canary", CLI_TEXT, "WORD", "a word in what an operator keeps private (none)"},
    {"workers", CLI_TEXT, "N", "connections served at once (128)"},
};

const struct command cmd_sim[] = {
    {.name = "sim",
     .place = CLI_ALONE,
     .args = "",
     .help = "Run the built-in Ark simulator until SIGTERM.",
     .options = sim_command_options,
     .option_count = COUNT_OF(sim_command_options),
     .run = run_sim},
    {.name = NULL},
};
