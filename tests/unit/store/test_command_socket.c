/* SPDX-License-Identifier: Apache-2.0 */
/* Frames both ways, limits, long paths, and stopping in the middle of a request. */
#include "tests/unit/store/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { MIB = 1 << 20 };

static int served;

/* Sends the request back in upper case; "big" gets more than a frame can hold. */
static void echo_fn(void *ctx, struct str request, struct buf *answer)
{
    static const char filler[4096];

    (void)ctx;
    served++;
    if (str_is(request, "big")) {
        for (int i = 0; i < 2000; i++)
            buf_put(answer, filler, sizeof(filler));
        return;
    }
    for (size_t i = 0; i < request.len; i++) {
        char c = request.ptr[i];
        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        buf_put(answer, &c, 1);
    }
}

static void round_trip(void)
{
    struct fixture fx;
    struct command_server *server = NULL;
    CLEANUP(buf_fini) struct buf answer = {0};
    char *big = malloc(MIB);
    char path[128];
    struct stat status;

    fixture_dir(&fx);
    buf_init(&answer, 8 * MIB);
    if (big == NULL)
        abort();
    CHECK_INT("nobody", command_socket_call(fx.dir, STR("x"), &answer, &fx.err), ERR_NOT_FOUND);
    CHECK_OK("serve", command_socket_serve(fx.dir, echo_fn, NULL, &server, &fx.err), &fx.err);
    (void)snprintf(path, sizeof(path), "%s/arkgate.sock", fx.dir);
    CHECK_INT("socket", stat(path, &status), 0);
    CHECK_INT("mode", status.st_mode & 0777, 0600);

    CHECK_OK("small", command_socket_call(fx.dir, STR("hello"), &answer, &fx.err), &fx.err);
    CHECK_TEXT("answer", answer.ptr, "HELLO");
    buf_reset(&answer);
    CHECK_OK("empty", command_socket_call(fx.dir, STR(""), &answer, &fx.err), &fx.err);
    CHECK_INT("answer", answer.len, 0);
    for (size_t i = 0; i < MIB; i++)
        big[i] = (char)('a' + i % 26);
    buf_reset(&answer);
    CHECK_OK("1 MiB", command_socket_call(fx.dir, (struct str){big, MIB}, &answer, &fx.err),
             &fx.err);
    CHECK_INT("answer", answer.len, MIB);
    bool same = answer.len == MIB;
    for (size_t i = 0; same && i < MIB; i++)
        same = answer.ptr[i] == (char)('A' + i % 26);
    CHECK_TRUE("every byte", same);

    command_socket_stop(&server);
    CHECK_TRUE("gone", server == NULL && stat(path, &status) != 0);
    CHECK_INT("nobody", command_socket_call(fx.dir, STR("x"), &answer, &fx.err), ERR_NOT_FOUND);
    free(big);
    fixture_fini(&fx);
}

static int raw_connect(const char *dir)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/arkgate.sock", dir);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        abort();
    return fd;
}

static void limits(void)
{
    struct fixture fx;
    struct command_server *server = NULL;
    CLEANUP(buf_fini) struct buf answer = {0};
    size_t too_long = 4 * MIB + 1;
    char *big = calloc(1, too_long), byte;

    fixture_dir(&fx);
    buf_init(&answer, 8 * MIB);
    log_set_level(LOG_ERROR);
    CHECK_OK("serve", command_socket_serve(fx.dir, echo_fn, NULL, &server, &fx.err), &fx.err);
    served = 0;
    CHECK_INT("too long, refused here",
              command_socket_call(fx.dir, (struct str){big, too_long}, &answer, &fx.err),
              ERR_TOO_LARGE);
    int fd = raw_connect(fx.dir);
    CHECK_INT("too long, refused there", send(fd, "\x00\x40\x00\x01", 4, 0), 4);
    CHECK_INT("closed", recv(fd, &byte, 1, 0), 0);
    (void)close(fd);
    fd = raw_connect(fx.dir); /* hangs up in the middle */
    CHECK_INT("half a frame", send(fd, "\x00\x00\x00\x09half", 8, 0), 8);
    (void)close(fd);
    CHECK_INT("the longest",
              command_socket_call(fx.dir, (struct str){big, 4 * MIB}, &answer, &fx.err),
              ERR_OK);
    CHECK_INT("answer", answer.len, 4 * MIB);
    buf_reset(&answer);
    CHECK_INT("only whole requests were served", served, 1);
    CHECK_INT("answer too long", command_socket_call(fx.dir, STR("big"), &answer, &fx.err),
              ERR_BUSY);
    CLEANUP(buf_fini) struct buf small = {0};
    buf_init(&small, 3);
    CHECK_INT("no room here", command_socket_call(fx.dir, STR("hello"), &small, &fx.err),
              ERR_TOO_LARGE);
    command_socket_stop(&server);
    log_set_level(LOG_INFO);
    free(big);
    fixture_fini(&fx);
}

static void long_path(void)
{
    struct fixture fx;
    struct command_server *server = NULL;
    CLEANUP(buf_fini) struct buf answer = {0};
    char dir[400], name[200];

    fixture_dir(&fx);
    buf_init(&answer, MIB);
    memset(name, 'd', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    (void)snprintf(dir, sizeof(dir), "%s/%s", fx.dir, name);
    CHECK_INT("mkdir", mkdir(dir, 0700), 0);
    CHECK_OK("serve", command_socket_serve(dir, echo_fn, NULL, &server, &fx.err), &fx.err);
    CHECK_OK("call", command_socket_call(dir, STR("x"), &answer, &fx.err), &fx.err);
    CHECK_TEXT("answer", answer.ptr, "X");
    command_socket_stop(&server);
    CHECK_INT("rmdir", rmdir(dir), 0);
    fixture_fini(&fx);
}

static void stale_and_stop(void)
{
    struct fixture fx;
    struct command_server *server = NULL;
    CLEANUP(buf_fini) struct buf answer = {0};
    char path[128];

    fixture_dir(&fx);
    buf_init(&answer, MIB);
    log_set_level(LOG_ERROR);
    (void)snprintf(path, sizeof(path), "%s/arkgate.sock", fx.dir);
    int stale = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    CHECK_TRUE("a stale name", stale >= 0);
    (void)close(stale);
    CHECK_OK("serve", command_socket_serve(fx.dir, echo_fn, NULL, &server, &fx.err), &fx.err);
    CHECK_OK("call", command_socket_call(fx.dir, STR("x"), &answer, &fx.err), &fx.err);
    int fd = raw_connect(fx.dir); /* says nothing: must not hold up the end */
    int64_t from_us = sys_mono_us();
    command_socket_stop(&server);
    CHECK_TRUE("at once", sys_mono_us() - from_us < 10 * 1000 * 1000);
    (void)close(fd);
    log_set_level(LOG_INFO);
    fixture_fini(&fx);
}

CHECK_MAIN(CHECK_TEST(round_trip), CHECK_TEST(limits), CHECK_TEST(long_path),
           CHECK_TEST(stale_and_stop))
