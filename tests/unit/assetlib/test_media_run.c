/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a tool that hangs, talks, crashes or is not there; and that the sandbox
 * holds. In place of arkgate-probe stand scripts. */
#include "tests/unit/assetlib/files.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

/* Deadlines in milliseconds: of what shall be late, of what shall compute for a while first,
 * and of what ends by itself on the slowest machine. */
enum { SOON = 500, LATER = 3000, LAST = 60000 };

static const struct {
    const char *what;
    const char *script;
    int64_t deadline_ms;
    enum err_code rc;
    const char *says; /* in the verdict's message, or in the error's */
} tools[] = {
    {"hangs", "exec sleep 60", SOON, ERR_UNAVAILABLE, ""},
    {"hangs with its pipes closed", "exec sleep 60 > /dev/null 2>&1", SOON, ERR_UNAVAILABLE,
     ""},
    {"hangs in a child", "sleep 60", SOON, ERR_UNAVAILABLE, ""},
    {"is stopped", "kill -STOP $$", SOON, ERR_UNAVAILABLE, ""},
    {"computes", "while :; do :; done", LATER, ERR_OK, "too long"},
    {"talks", "exec yes", LAST, ERR_OK, "pieces"},
    {"talks on stderr", "yes | head -c 1000000 >&2; echo its end >&2; exit 1", LAST, ERR_OK,
     "damaged"},
    {"gives up", "exit 1", LAST, ERR_OK, "damaged"},
    {"crashes", "kill -SEGV $$", LAST, ERR_OK, "broke down"},
    {"is killed by another", "kill -KILL $$", LAST, ERR_UNAVAILABLE, ""},
    {"says nothing", "exit 0", LAST, ERR_OK, "no sense"},
    {"says nonsense", "echo '{\"width\":1e400,\"height\":5}'", LAST, ERR_OK, "no sense"},
    {"says no JSON", "echo width=5", LAST, ERR_OK, "no sense"},
    {"says a size of nothing", "echo '{\"width\":0,\"height\":5}'", LAST, ERR_OK, "no sense"},
    {"has no sandbox", "echo no Landlock >&2; exit 102", LAST, ERR_CONFIG, "no Landlock"},
    {"has no tool", "echo cannot run /usr/bin/ffmpeg >&2; exit 103", LAST, ERR_CONFIG,
     "ffmpeg"},
    {"has no file", "exit 104", LAST, ERR_IO, ""},
    {"is called wrongly", "exit 101", LAST, ERR_INTERNAL, ""},
};

static int open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;

    while (dir != NULL && readdir(dir) != NULL)
        count++;
    if (dir != NULL)
        (void)closedir(dir);
    return count;
}

static void write_script(const char *script)
{
    FILE *file = fopen(files_path("tool"), "w");

    CHECK_TRUE(script, file != NULL && fprintf(file, "#!/bin/sh\n%s\n", script) > 0 &&
                           fclose(file) == 0 && chmod(files_path("tool"), 0700) == 0);
}

static void make_picture(void)
{
    files_begin();
    files_make("-f lavfi -i testsrc2=s=640x480 -frames:v 1 a.png");
}

static void every_end(void)
{
    make_picture();
    for (size_t i = 0; i < COUNT_OF(tools); i++) {
        CLEANUP(media_result_fini) struct media_result result = {.verdict = {.failed = true}};
        const struct media_options options = {.probe = files_path("tool"),
                                              .deadline_us = tools[i].deadline_ms * 1000,
                                              .cpu_s = 1};
        struct err err = {0};
        int before = open_descriptors();

        write_script(tools[i].script);
        enum err_code rc =
            media_check(&options, files_path("a.png"), MEDIA_IMAGE, &result, &err);
        CHECK_INT(tools[i].what, rc, tools[i].rc);
        CHECK_TRUE(tools[i].what, strstr(rc == ERR_OK ? result.verdict.message : err.msg,
                                         tools[i].says) != NULL);
        CHECK_INT(tools[i].what, result.verdict.failed, rc == ERR_OK);
        CHECK_INT(tools[i].what, open_descriptors(), before);
        CHECK_TRUE(tools[i].what, waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    }
}

static void check_error(const char *what, const struct media_options *options, const char *path,
                        enum err_code want)
{
    CLEANUP(media_result_fini) struct media_result result = {.verdict = {.failed = true}};
    struct err err = {0};

    CHECK_INT(what, media_check(options, path, MEDIA_IMAGE, &result, &err), want);
    CHECK_TRUE(what, !result.verdict.failed);
}

static void *stop_soon(void *stopping)
{
    sys_sleep_us(SOON * 1000);
    atomic_store((atomic_bool *)stopping, true);
    return NULL;
}

/* Whoever stops waits for no look, and what it came to is not the file's fault: not even of
 * one that computes. */
static void stopped(void)
{
    static const char *const scripts[] = {"exec sleep 60", "while :; do :; done"};

    make_picture();
    for (size_t i = 0; i < COUNT_OF(scripts); i++) {
        atomic_bool stopping = false;
        const struct media_options options = {
            .probe = files_path("tool"), .deadline_us = LAST * 1000, .stopping = &stopping};
        int64_t begun_us = sys_mono_us();
        pthread_t thread;

        write_script(scripts[i]);
        CHECK_INT(scripts[i], pthread_create(&thread, NULL, stop_soon, &stopping), 0);
        check_error(scripts[i], &options, files_path("a.png"), ERR_UNAVAILABLE);
        CHECK_TRUE(scripts[i], sys_mono_us() - begun_us < LAST * 1000 / 2);
        CHECK_INT(scripts[i], pthread_join(thread, NULL), 0);
    }
}

static void not_the_files_fault(void)
{
    const struct media_options absent = {.probe = "/nowhere/arkgate-probe"};

    make_picture();
    files_shell("ln -sf a.png link.png; mkfifo pipe.png");
    check_error("no program", &absent, files_path("a.png"), ERR_CONFIG);
    check_error("no file", &files_options, files_path("b.png"), ERR_IO);
    check_error("a link", &files_options, files_path("link.png"), ERR_IO);
    check_error("a pipe", &files_options, files_path("pipe.png"), ERR_IO);
    check_error("a folder", &files_options, files_dir, ERR_IO);
}

static void check_limit(const char *what, struct media_options options, const char *says)
{
    CLEANUP(media_result_fini) struct media_result result = {.verdict = {.failed = false}};
    struct err err = {0};

    CHECK_OK(what, media_check(&options, files_path("deep.png"), MEDIA_IMAGE, &result, &err),
             &err);
    CHECK_TEXT(what, result.verdict.code, "InvalidParameter.FormatUnsupported");
    CHECK_TRUE(what, strstr(result.verdict.message, says) != NULL);
}

/* Of memory and of computing time, with a picture that needs more. */
static void limits(void)
{
    struct media_options small = files_options, brief = files_options;

    make_picture();
    files_make("-f lavfi -i testsrc2=s=6000x6000 -frames:v 1 -pix_fmt rgba64be deep.png");
    small.memory_mb = 480;
    check_limit("memory", small, "damaged");
    brief.cpu_s = 1;
    check_limit("computing time", brief, "too long");
}

static void sandbox(void)
{
    struct media_options options = files_options;
    struct err err = {0};

    CHECK_OK("holds", media_sandbox_check(&options, &err), &err);
    options.sandbox_off = true;
    CHECK_OK("is not wanted", media_sandbox_check(&options, &err), &err);
    options.probe = "/nowhere/arkgate-probe";
    CHECK_INT("no program", media_sandbox_check(&options, &err), ERR_CONFIG);

    files_begin();
    write_script("echo network possible >&2; exit 1");
    options = (struct media_options){.probe = files_path("tool")};
    CHECK_INT("does not hold", media_sandbox_check(&options, &err), ERR_CONFIG);
    CHECK_TRUE("does not hold", strstr(err.msg, "network possible") != NULL);
}

/* The self-test's own words: each thing is refused inside, and was possible outside, or
 * its refusal would mean nothing. */
static void self_test(void)
{
    static const char *const things[] = {"network",           "reading other files",
                                         "creating a file",   "emptying a file",
                                         "changing a file",   "starting a process",
                                         "signalling others", "having others signalled"};
    char line[512];

    files_begin();
    (void)snprintf(line, sizeof(line),
                   PROBE " --self-test 2>&1 | cat > in; " PROBE
                         " --sandbox=off --self-test 2>&1 | cat > out");
    files_shell(line);
    for (size_t i = 0; i < COUNT_OF(things); i++) {
        (void)snprintf(line, sizeof(line), "grep -qx '%s refused' in", things[i]);
        files_shell(line);
        (void)snprintf(line, sizeof(line), "grep -qx '%s possible' out", things[i]);
        files_shell(line);
    }
}

CHECK_MAIN(CHECK_TEST(every_end), CHECK_TEST(not_the_files_fault), CHECK_TEST(stopped),
           CHECK_TEST(limits), CHECK_TEST(sandbox), CHECK_TEST(self_test))
