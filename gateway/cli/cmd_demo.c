/* SPDX-License-Identifier: Apache-2.0 */
/* arkgate demo: the whole way from an empty directory to three charged videos, against
 * the simulator, with the same commands that an operator types. */
#include "gateway/cli/cli.h"

#include "gateway/cli/demo_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TENANT "acme"
#define TASKS "/volcark/api/v3/contents/generations/tasks"
#define ACTIONS "/volcark/"
#define PROMPT "a paper boat on still water at dawn, cinematic, soft light"
/* With one item more, or none: the prompt's comes before it. */
#define REQUEST                                                                             \
    "{\"model\":\"doubao-seedance-2-0\",\"content\":[{\"type\":\"text\",\"text\":\"" PROMPT \
    "\"}%s],\"resolution\":\"%s\",\"ratio\":\"16:9\",\"duration\":%d}"
#define PICTURE                                                                 \
    ",{\"type\":\"image_url\",\"role\":\"first_frame\",\"image_url\":{\"url\":" \
    "\"asset://%s\"}}"

enum {
    KEY_CHARS = 40,
    TOKEN_MAX = 256,
    URL_MAX = 256,
    NAP_US = 1000000, /* --keep: how often it wakes to sleep again */
    OPEN_FILES = 16   /* of nftw */
};

/* Everything the demo has made and must take away. */
struct demo {
    struct cli_ctx *ctx;
    const char *step;     /* what is being done, for the message when it fails */
    const char *step_log; /* the child that does it */
    char binary[DEMO_PATH_MAX];
    char dir[DEMO_PATH_MAX]; /* "" until made */
    char data[DEMO_PATH_MAX];
    char key_file[DEMO_PATH_MAX];
    char sim_url[URL_MAX], public_url[URL_MAX], admin_url[URL_MAX];
    char token[TOKEN_MAX];
    struct demo_child sim, serve;
    struct demo_picture picture;
    struct demo_video videos[DEMO_VIDEOS];
};

static void begin(struct demo *demo, const char *log, const char *step)
{
    demo->step = step;
    demo->step_log = log;
    cli_say(demo->ctx, "* %s", step);
}

static enum err_code make_dir(struct demo *demo, struct err *err)
{
    const char *base = getenv("TMPDIR");
    char path[DEMO_PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", demo->binary, sizeof(demo->binary) - 1);

    if (len < 0)
        return err_set(err, ERR_IO, "/proc/self/exe: %s", strerror(errno));
    demo->binary[len] = '\0';
    (void)snprintf(path, sizeof(path), "%s/arkgate-demo-XXXXXX",
                   base == NULL || base[0] == '\0' ? "/tmp" : base);
    if (mkdtemp(path) == NULL)
        return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
    (void)snprintf(demo->dir, sizeof(demo->dir), "%s", path);
    if (snprintf(demo->data, sizeof(demo->data), "%s/data", path) >= DEMO_PATH_MAX ||
        snprintf(demo->key_file, sizeof(demo->key_file), "%s/ark.key", path) >= DEMO_PATH_MAX)
        return err_set(err, ERR_IO, "%s: the path is too long", path);
    return ERR_OK;
}

/* The key that the simulator accepts and the gateway sends. */
static enum err_code make_key(const struct demo *demo, struct err *err)
{
    char key[KEY_CHARS + 2];
    int fd = open(demo->key_file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_set(err, ERR_IO, "%s: %s", demo->key_file, strerror(errno));
    sys_random_text(key, KEY_CHARS, "abcdefghijklmnopqrstuvwxyz0123456789");
    key[KEY_CHARS] = '\n';
    bool written = write(fd, key, KEY_CHARS + 1) == KEY_CHARS + 1;

    crypto_wipe(key, sizeof(key));
    if (close(fd) != 0 || !written)
        return err_set(err, ERR_IO, "%s cannot be written", demo->key_file);
    return ERR_OK;
}

static enum err_code start_sim(struct demo *demo, struct err *err)
{
    /* 20 times faster: a 5 s video takes 0.7 s instead of 14 */
    const char *argv[] = {
        demo->binary,   "sim",     "--listen", "127.0.0.1:0", "--api-key-file",
        demo->key_file, "--speed", "20",       NULL};

    begin(demo, "sim", "start the built-in Ark simulator");
    TRY(demo_child_start(demo->dir, "sim", argv, &demo->sim, err));
    return demo_child_ready(&demo->sim, "sim=", demo->sim_url, sizeof(demo->sim_url), err);
}

/* A command that is run for its effect. */
static enum err_code run_quietly(struct demo *demo, const char *log, const char *step,
                                 const char *const *argv, struct err *err)
{
    CLEANUP(buf_fini) struct buf output = {0};

    buf_init(&output, 1 << 16);
    begin(demo, log, step);
    return demo_child_run(demo->dir, log, argv, &output, err);
}

static enum err_code make_installation(struct demo *demo, struct err *err)
{
    char base_url[URL_MAX + 16];
    const char *init[] = {demo->binary, "init", "--data", demo->data, NULL};
    const char *upstream[] = {demo->binary,     "upstream",     "add",        "main",
                              "--data",         demo->data,     "--base-url", base_url,
                              "--api-key-file", demo->key_file, NULL};
    const char *tenant[] = {demo->binary, "tenant",   "add", TENANT, "--data",
                            demo->data,   "--credit", "100", NULL};

    (void)snprintf(base_url, sizeof(base_url), "%s/api/v3", demo->sim_url);
    TRY(run_quietly(demo, "init", "make an installation: arkgate init", init, err));
    TRY(run_quietly(demo, "upstream-add", "give it an Ark key: arkgate upstream add main",
                    upstream, err));
    return run_quietly(demo, "tenant-add",
                       "add a tenant with 100 CNY: arkgate tenant add " TENANT, tenant, err);
}

static enum err_code make_token(struct demo *demo, struct err *err)
{
    const char *argv[] = {demo->binary, "token", "add",  TENANT, "--data",
                          demo->data,   "-o",    "json", NULL};
    CLEANUP(buf_fini) struct buf output = {0};
    CLEANUP(json_free) struct json_doc *doc = NULL;

    begin(demo, "token-add", "give the tenant a token: arkgate token add " TENANT);
    buf_init(&output, 1 << 16);
    TRY(demo_child_run(demo->dir, "token-add", argv, &output, err));
    TRY(json_parse(demo->ctx->arena, buf_str(&output), &doc, err));
    struct str token = json_text(doc, json_get(json_root(doc), "token"));

    if (token.len == 0 || !str_copy(demo->token, sizeof(demo->token), token))
        return err_set(err, ERR_IO, "token add printed no token");
    return ERR_OK;
}

static enum err_code start_serve(struct demo *demo, struct err *err)
{
    /* Looks at tasks often, because the simulator is fast; and the picture is on loopback. */
    const char *argv[] = {demo->binary,
                          "serve",
                          "--data",
                          demo->data,
                          "--listen",
                          "127.0.0.1:0",
                          "--admin-listen",
                          "127.0.0.1:0",
                          "--workers",
                          "64",
                          "--set",
                          "poll_interval=200ms",
                          "--allow-private-network",
                          NULL};

    begin(demo, "serve", "start the gateway: arkgate serve");
    TRY(demo_child_start(demo->dir, "serve", argv, &demo->serve, err));
    TRY(demo_child_ready(&demo->serve, "public=", demo->public_url, sizeof(demo->public_url),
                         err));
    return demo_child_ready(&demo->serve, "admin=", demo->admin_url, sizeof(demo->admin_url),
                            err);
}

static void set_video(struct demo_video *video, const char *label, const char *picture,
                      const char *resolution, int seconds)
{
    video->label = label;
    (void)snprintf(video->request, sizeof(video->request), REQUEST, picture, resolution,
                   seconds);
}

/* Group, asset, Active: then a task may name it. */
static enum err_code register_picture(struct demo *demo, struct net *net, char dst[256],
                                      struct err *err)
{
    char actions[URL_MAX + sizeof(ACTIONS)], id[65];

    begin(demo, "serve", "put a picture into the tenant's library: CreateAsset");
    (void)snprintf(actions, sizeof(actions), "%s" ACTIONS, demo->public_url);
    TRY(demo_picture_open(demo->dir, &demo->picture, err));
    TRY(demo_video_asset(net, actions, demo->token, demo->picture.url, id, err));
    (void)snprintf(dst, 256, PICTURE, id);
    return ERR_OK;
}

static enum err_code make_videos(struct demo *demo, struct err *err)
{
    const struct net_options options = {0};
    struct net *net = NULL;
    char tasks[URL_MAX + sizeof(TASKS)], picture[256];

    (void)snprintf(tasks, sizeof(tasks), "%s" TASKS, demo->public_url);
    TRY(net_open(&options, &net, err));
    enum err_code rc = register_picture(demo, net, picture, err);

    if (rc == ERR_OK) {
        set_video(&demo->videos[0], "720p", "", "720p", 5);
        set_video(&demo->videos[1], "4k", "", "4k", 4);
        set_video(&demo->videos[2], "from-picture", picture, "480p", 4);
        begin(demo, "serve", "make a 720p and a 4k video, and one from the picture");
        rc = demo_video_make(net, tasks, demo->token, demo->dir, demo->ctx->quiet, demo->videos,
                             err);
    }
    net_close(&net);
    return rc;
}

static void print_next(const struct demo *demo, bool keep)
{
    const char *url = demo->public_url;

    (void)printf("%s\n\n", keep ? "Everything is still running; try it"
                                : "The same by hand (arkgate demo --keep leaves it running)");
    (void)printf("  curl -sS %s" TASKS " \\\n"
                 "    -H 'Authorization: Bearer %s' \\\n"
                 "    -H 'Content-Type: application/json' \\\n"
                 "    -d '%s'\n\n",
                 url, demo->token, demo->videos[0].request);
    (void)printf("  curl -sS %s" TASKS "/%s \\\n"
                 "    -H 'Authorization: Bearer %s'\n\n",
                 url, demo->videos[0].id, demo->token);
    (void)printf("  %s task show %s --data %s\n\n", demo->binary, demo->videos[0].id,
                 demo->data);
    if (keep)
        (void)printf("gateway %s, admin %s, simulator %s\nfolder  %s (data, videos, logs)\n"
                     "Ctrl-C stops the servers and removes the folder.\n",
                     url, demo->admin_url, demo->sim_url, demo->dir);
    else
        (void)printf("The data, the videos and the logs were in %s, which is removed now.\n",
                     demo->dir);
    (void)fflush(stdout);
}

static enum err_code run_steps(struct demo *demo, struct err *err)
{
    bool keep = cli_flag(demo->ctx, "keep");
    struct demo_place place = {demo->binary, demo->dir, demo->data, TENANT};

    demo->step = "make a temporary directory";
    TRY(make_dir(demo, err));
    TRY(make_key(demo, err));
    TRY(start_sim(demo, err));
    TRY(make_installation(demo, err));
    TRY(make_token(demo, err));
    TRY(start_serve(demo, err));
    TRY(make_videos(demo, err));
    begin(demo, "task-show", "read back what was made, charged and booked");
    (void)putchar('\n');
    TRY(demo_report(&place, demo->videos, err));
    print_next(demo, keep);
    while (keep && !demo_child_wait(NAP_US))
        continue;
    return ERR_OK;
}

static int remove_entry(const char *path, const struct stat *status, int type,
                        struct FTW *position)
{
    (void)status;
    (void)type;
    (void)position;
    return remove(path);
}

/* Stops the servers, the gateway first, so that it can end what it has begun. */
static enum err_code stop_servers(struct demo *demo, struct err *err)
{
    struct demo_child *children[] = {&demo->serve, &demo->sim};
    enum err_code rc = ERR_OK;

    for (size_t i = 0; i < COUNT_OF(children); i++) {
        if (!demo_child_stop(children[i]) && rc == ERR_OK) {
            demo->step_log = children[i]->name;
            rc = err_set(err, ERR_IO, "%s did not end well", children[i]->name);
        }
    }
    return rc;
}

static enum err_code remove_dir(const struct demo *demo, struct err *err)
{
    if (demo->dir[0] != '\0' &&
        nftw(demo->dir, remove_entry, OPEN_FILES, FTW_DEPTH | FTW_PHYS) != 0)
        return err_set(err, ERR_IO, "%s cannot be removed: %s", demo->dir, strerror(errno));
    return ERR_OK;
}

/* Any failure is the demo's own and exits with 1, whatever it was in the child. */
static enum err_code report_failure(const struct demo *demo, struct err *err)
{
    struct err why = *err;

    (void)fflush(stdout);
    if (demo->step_log != NULL)
        demo_child_tail(demo->dir, demo->step_log);
    /* the gateway's trouble may be the simulator's */
    if (demo->step_log != NULL && strcmp(demo->step_log, "serve") == 0)
        demo_child_tail(demo->dir, "sim");
    return err_set(err, ERR_IO, "the demo failed at: %s: %s%s%s", demo->step, why.msg,
                   why.detail[0] == '\0' ? "" : ": ", why.detail);
}

static enum err_code run_demo(struct cli_ctx *ctx, struct err *err)
{
    struct demo *demo = arena_alloc(ctx->arena, sizeof(*demo));
    struct err ignored;

    if (demo == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory");
    demo->ctx = ctx;
    demo_child_signals();
    (void)signal(SIGPIPE, SIG_IGN);
    enum err_code rc = run_steps(demo, err);

    if (rc == ERR_OK) {
        demo->step = "stop the servers";
        rc = stop_servers(demo, err);
    } else {
        (void)stop_servers(demo, &ignored);
    }
    if (rc != ERR_OK)
        rc = report_failure(demo, err);
    demo_picture_close(&demo->picture);
    crypto_wipe(demo->token, sizeof(demo->token));
    if (rc != ERR_OK) {
        (void)remove_dir(demo, &ignored);
        return rc;
    }
    return remove_dir(demo, err);
}

static const struct cli_option demo_options[] = {
    {"keep", CLI_FLAG, "", "leave everything running until Ctrl-C"},
};

const struct command cmd_demo[] = {
    {.name = "demo",
     .place = CLI_ALONE,
     .args = "",
     .help = "Make three videos against the built-in simulator, in a temporary directory.",
     .options = demo_options,
     .option_count = COUNT_OF(demo_options),
     .run = run_demo},
    {.name = NULL},
};
