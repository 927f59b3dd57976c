/* SPDX-License-Identifier: Apache-2.0 */
/* Calls under a guard: what of a tenant's URLs reaches a socket, and which address that
 * gets. Names are answered by the test, and public addresses are either refused before
 * the connect or stood in for by loopback: nothing leaves the machine. */
#include "base/net/net_private.h"
#include "tests/lib/check.h"
#include "tests/lib/hostile_server.h"

#include <netdb.h>

enum { TOTAL_US = 20000000, SHOWN = 64 };

/* --- names and sockets as the test wants them --------------------------------- */

static struct world {
    struct lock lock;
    const char *answers[4]; /* of the lookups, in turn; the last one stays */
    int lookups;
    bool connect;     /* else every socket is refused, once it was seen */
    int port;         /* where every address leads, on loopback; 0: where it says */
    int sockets;      /* that the guard let pass */
    char seen[SHOWN]; /* the last of them */
} world;

static int look_up(void *ctx, const char *host, struct net_addresses *ret_addresses)
{
    struct str rest;
    size_t at;

    (void)ctx, (void)host;
    lock_take(&world.lock);
    for (at = 0; at < COUNT_OF(world.answers) - 1 && (int)at < world.lookups;)
        if (world.answers[++at] == NULL) {
            at--;
            break;
        }
    world.lookups++;
    rest = str_from(world.answers[at]);
    while (rest.len > 0) {
        size_t len = 0;

        while (len < rest.len && rest.ptr[len] != ' ')
            len++;
        ASSERT(net_address_parse((struct str){rest.ptr, len},
                                 &ret_addresses->items[ret_addresses->count++]));
        len += len < rest.len;
        rest = (struct str){rest.ptr + len, rest.len - len};
    }
    lock_drop(&world.lock);
    return ret_addresses->count > 0 ? 0 : EAI_NONAME;
}

static bool on_connect(void *ctx, struct sockaddr *address)
{
    struct sockaddr_in *v4 = (void *)address;
    struct sockaddr_in6 *v6 = (void *)address;
    char text[INET6_ADDRSTRLEN];
    bool connect;

    (void)ctx;
    lock_take(&world.lock);
    world.sockets++;
    if (address->sa_family == AF_INET)
        (void)snprintf(world.seen, sizeof(world.seen), "%s %d",
                       inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text)),
                       ntohs(v4->sin_port));
    else
        (void)snprintf(world.seen, sizeof(world.seen), "%s %d",
                       inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text)),
                       ntohs(v6->sin6_port));
    connect = world.connect;
    if (connect && world.port != 0) {
        ASSERT(address->sa_family == AF_INET);
        v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        v4->sin_port = htons((uint16_t)world.port);
    }
    lock_drop(&world.lock);
    return connect;
}

static void world_set(const char *first, const char *second, bool connect, int port)
{
    static bool ready;

    if (!ready)
        lock_init(&world.lock);
    ready = true;
    lock_take(&world.lock);
    world.answers[0] = first;
    world.answers[1] = second;
    world.lookups = world.sockets = 0;
    world.connect = connect;
    world.port = port;
    world.seen[0] = '\0';
    lock_drop(&world.lock);
}

struct bench {
    struct net *net;
    struct net_resolver *resolver;
    struct net_guard guard; /* http and https, public addresses */
};

static void bench_open(struct bench *bench, int64_t stall_us)
{
    struct net_options options = {.stall_us = stall_us};
    struct net_resolver_options names = {.threads = 1, .cache_us = 1, .lookup = look_up};
    struct err err;

    *bench = (struct bench){.guard = {.connect = on_connect}};
    CHECK_OK("net", net_open(&options, &bench->net, &err), &err);
    CHECK_OK("resolver", net_resolver_open(&names, &bench->resolver, &err), &err);
    bench->guard.resolver = bench->resolver;
}

static void bench_close(struct bench *bench)
{
    net_close(&bench->net);
    net_resolver_close(&bench->resolver);
}

static enum err_code get(struct bench *bench, const char *url, const struct net_guard *guard,
                         struct net_reply *ret_reply, struct err *err)
{
    struct net_call call = {
        .method = "GET", .url = url, .total_us = TOTAL_US, .answer_max = 1000, .guard = guard};

    *ret_reply = (struct net_reply){0};
    *err = (struct err){0};
    return net_call(bench->net, &call, ret_reply, err);
}

/* --- spellings of loopback ------------------------------------------------------ */

/* What the row's URL does without a guard. */
enum reach { NO, YES, UNTRIED }; /* UNTRIED: it would leave the machine */

/* @ stands for the listeners' port. */
static const struct {
    const char *url;
    enum reach bare;
    bool usual; /* connects under allow_private */
} spellings[] = {
    {"http://127.0.0.1:@/", YES, true},
    {"HTTP://127.0.0.1:@", YES, true},
    {"http://localhost:@/", YES, true},
    {"http://LOCALHOST:@/", YES, true},
    {"http://[::1]:@/", YES, true},
    {"http://[0:0:0:0:0:0:0:1]:@/", YES, false},
    {"http://[::ffff:127.0.0.1]:@/", YES, true},
    {"http://[::ffff:7f00:1]:@/", YES, true},
    {"http://0.0.0.0:@/", YES, true},
    {"http://[::]:@/", YES, true},
    {"http://0:@/", YES, false},
    {"http://127.1:@/", YES, false},
    {"http://127.0.1:@/", YES, false},
    {"http://2130706433:@/", YES, false},
    {"http://0x7f000001:@/", YES, false},
    {"http://0x7F.0x0.0x0.0x1:@/", YES, false},
    {"http://0x7f.1:@/", YES, false},
    {"http://017700000001:@/", YES, false},
    {"http://0177.0.0.1:@/", YES, false},
    {"http://0177.1:@/", YES, false},
    {"http://127.0.0.01:@/", YES, false},
    {"http://00000177.0.0.1:@/", YES, false},
    {"http://%31%32%37.0.0.1:@/", YES, false},
    {"http://127%2e0%2e0%2e1:@/", YES, false},
    {"http:///127.0.0.1:@/", YES, false},
    {"http:/127.0.0.1:@/", YES, false},
    {"http://@127.0.0.1:@/", NO, false},
    {"http://127.0.0.1:0@/", YES, false},
    {"http://[::1%25lo]:@/", YES, false},
    {"http://user@127.0.0.1:@/", NO, false},
    {"http://user:word@127.0.0.1:@/", NO, false},
    {"http://93.184.215.14@127.0.0.1:@/", NO, false},
    {"http://127.0.0.1:@\\@93.184.215.14/", NO, false},
    {"127.0.0.1:@", NO, false},
    {"//127.0.0.1:@/", NO, false},
    {"ftp://127.0.0.1:@/", NO, false},
    {"gopher://127.0.0.1:@/_x", NO, false},
    {"dict://127.0.0.1:@/x", NO, false},
    {"telnet://127.0.0.1:@/", NO, false},
    {"ldap://127.0.0.1:@/", NO, false},
    {"smb://127.0.0.1:@/", NO, false},
    {"file:///etc/passwd", NO, false},
    {"file://127.0.0.1/etc/passwd", NO, false},
    {"javascript:alert(1)", NO, false},
    {"http://127.0.0.1:22/", UNTRIED, false},
    /* elsewhere: the decision alone */
    {"http://127.0.0.2:@/", UNTRIED, false},
    {"http://10.0.0.1:@/", UNTRIED, false},
    {"http://100.64.0.1:@/", UNTRIED, false},
    {"http://169.254.169.254/latest/meta-data/", UNTRIED, false},
    {"http://172.16.0.1:@/", UNTRIED, false},
    {"http://172.31.255.255:@/", UNTRIED, false},
    {"http://192.0.0.1:@/", UNTRIED, false},
    {"http://192.0.2.1:@/", UNTRIED, false},
    {"http://192.88.99.1:@/", UNTRIED, false},
    {"http://192.168.0.1:@/", UNTRIED, false},
    {"http://198.18.0.1:@/", UNTRIED, false},
    {"http://198.51.100.1:@/", UNTRIED, false},
    {"http://203.0.113.1:@/", UNTRIED, false},
    {"http://224.0.0.1:@/", UNTRIED, false},
    {"http://240.0.0.1:@/", UNTRIED, false},
    {"http://255.255.255.255:@/", UNTRIED, false},
    {"http://[::127.0.0.1]:@/", UNTRIED, false},
    {"http://[fe80::1]:@/", UNTRIED, false},
    {"http://[fe80::1%25lo]:@/", UNTRIED, false},
    {"http://[fec0::1]:@/", UNTRIED, false},
    {"http://[fc00::1]:@/", UNTRIED, false},
    {"http://[fd00:ec2::254]/", UNTRIED, false},
    {"http://[ff02::1]:@/", UNTRIED, false},
    {"http://[64:ff9b::7f00:1]:@/", UNTRIED, false},
    {"http://[64:ff9b:1::7f00:1]:@/", UNTRIED, false},
    {"http://[2002:7f00:1::]:@/", UNTRIED, false},
    {"http://[2001:0:7f00:1::]:@/", UNTRIED, false},
    {"http://[2001:db8::1]:@/", UNTRIED, false},
    {"http://[::ffff:10.0.0.1]:@/", UNTRIED, false},
    {"http://[::ffff:0:127.0.0.1]:@/", UNTRIED, false},
};

/* The @ that stands before the path or at the end. */
static void put_port(char *url, size_t size, const char *spelling, int port)
{
    const char *at = strrchr(spelling, '@');

    if (at != NULL && strstr(spelling, "\\@") != NULL)
        at = strchr(spelling, '@');
    if (at == NULL || (at[1] != '/' && at[1] != '\0' && at[1] != '\\' && at[1] != '_'))
        str_copy_cut(url, size, str_from(spelling));
    else
        (void)snprintf(url, size, "%.*s%d%s", (int)(at - spelling), spelling, port, at + 1);
}

struct loopback {
    struct hostile v4, v6;
    bool has_v6;
};

static void loopback_start(struct loopback *loopback)
{
    int fd;

    hostile_start(&loopback->v4, hostile_polite);
    fd = hostile_bind_v6(loopback->v4.port);
    loopback->has_v6 = fd >= 0;
    if (loopback->has_v6)
        hostile_start_on(&loopback->v6, hostile_polite, fd, loopback->v4.port);
}

/* All that were made: the last one, of this function, is accepted behind them. */
static int loopback_connections(struct loopback *loopback, struct bench *bench)
{
    int count = 0;

    for (int i = 0; i < (loopback->has_v6 ? 2 : 1); i++) {
        struct hostile *server = i == 0 ? &loopback->v4 : &loopback->v6;
        struct net_guard guard = bench->guard;
        struct net_reply reply;
        struct err err;
        char url[64];

        guard.rule = (struct net_url_rule){.allow_private = true}; /* its own connection */
        guard.connect = NULL;
        (void)snprintf(url, sizeof(url), i == 0 ? "http://127.0.0.1:%d/" : "http://[::1]:%d/",
                       server->port);
        CHECK_OK(url, get(bench, url, &guard, &reply, &err), &err);
        CHECK_INT(url, reply.fate, NET_ANSWERED);
        net_reply_fini(&reply);
        count += hostile_seen(server, &server->connections) - 1;
    }
    return count;
}

static void loopback_stop(struct loopback *loopback)
{
    hostile_stop(&loopback->v4);
    if (loopback->has_v6)
        hostile_stop(&loopback->v6);
}

static bool needs_v6(const char *url)
{
    return strstr(url, "[::1") != NULL || strstr(url, "[0:0") != NULL ||
           strstr(url, "[::]") != NULL;
}

static int spellings_reached(struct bench *bench, int port, bool has_v6,
                             const struct net_guard *guard)
{
    int reached = 0;

    for (size_t i = 0; i < COUNT_OF(spellings); i++) {
        bool want = guard == NULL ? spellings[i].bare == YES
                                  : guard->rule.allow_private && spellings[i].usual;
        struct net_reply reply;
        struct err err;
        enum err_code rc;
        char url[128];

        /* in private mode only what stays on this machine */
        if ((guard == NULL || guard->rule.allow_private) && spellings[i].bare == UNTRIED)
            continue;
        if (!has_v6 && needs_v6(spellings[i].url))
            continue;
        put_port(url, sizeof(url), spellings[i].url, port);
        rc = get(bench, url, guard, &reply, &err);
        CHECK_INT(url, rc == ERR_OK && reply.fate == NET_ANSWERED, want);
        if (guard != NULL && !want)
            CHECK_INT(url, rc, ERR_INVALID);
        reached += rc == ERR_OK && reply.fate == NET_ANSWERED;
        net_reply_fini(&reply);
    }
    return reached;
}

static void test_spellings(void)
{
    static struct loopback loopback;
    struct bench bench;
    int bare;

    world_set("127.0.0.1", NULL, true, 0);
    bench_open(&bench, 0);
    loopback_start(&loopback);
    bench.guard.rule = (struct net_url_rule){0};
    CHECK_INT("with a guard",
              spellings_reached(&bench, loopback.v4.port, loopback.has_v6, &bench.guard), 0);
    CHECK_INT("sockets", world.sockets, 0);
    bench.guard.rule.https_only = true;
    CHECK_INT("https alone",
              spellings_reached(&bench, loopback.v4.port, loopback.has_v6, &bench.guard), 0);
    CHECK_INT("sockets", world.sockets, 0);
    CHECK_INT("connections", loopback_connections(&loopback, &bench), 0);

    bench.guard.rule = (struct net_url_rule){.allow_private = true};
    CHECK_INT("in private mode",
              spellings_reached(&bench, loopback.v4.port, loopback.has_v6, &bench.guard),
              loopback.has_v6 ? 9 : 7);
    bare = spellings_reached(&bench, loopback.v4.port, loopback.has_v6, NULL);
    CHECK_INT("without", bare, loopback.has_v6 ? 28 : 24);
    loopback_stop(&loopback);
    bench_close(&bench);
}

/* --- the decision about public addresses, without a packet ------------------------ */

static void test_public(void)
{
    static const struct {
        const char *url, *answer, *seen; /* NULL: refused */
        int sockets;
        bool https_only;
    } rows[] = {
        {"http://a.test/", "93.184.215.14", "93.184.215.14 80", 1, false},
        {"https://a.test/", "93.184.215.14", "93.184.215.14 443", 1, true},
        {"https://A.test:8443/x", "93.184.215.14", "93.184.215.14 8443", 1, true},
        {"https://a.test/", "2606:2800::1", "2606:2800::1 443", 1, true},
        {"https://a.test:1024/", "1.1.1.1 8.8.8.8", "8.8.8.8 1024", 2, true},
        {"https://a.test/", "93.184.215.14 2606:2800::1", "*", 2, true},
        {"https://93.184.215.14/", "", "93.184.215.14 443", 1, true},
        {"https://[2606:2800::1]:8443/", "", "2606:2800::1 8443", 1, true},
        {"https://localhost/", "93.184.215.14", "93.184.215.14 443", 1, true},
        {"http://a.test/", "93.184.215.14", NULL, 0, true},
        {"https://a.test/", "", NULL, 0, true},
        {"https://a.test/", "93.184.215.14 127.0.0.1", NULL, 0, true},
        {"https://a.test/", "93.184.215.14 fd00::1", NULL, 0, true},
        {"https://a.test/", "::ffff:93.184.215.14", NULL, 0, true},
        {"https://a.test:81/", "93.184.215.14", NULL, 0, true},
        {"https://a.test./", "93.184.215.14", NULL, 0, true},
    };
    struct bench bench;

    world_set("", NULL, false, 0);
    bench_open(&bench, 0);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct net_reply reply;
        struct err err;
        enum err_code rc;

        world_set(rows[i].answer, NULL, false, 0);
        bench.guard.rule = (struct net_url_rule){.https_only = rows[i].https_only};
        rc = get(&bench, rows[i].url, &bench.guard, &reply, &err);
        CHECK_INT(rows[i].url, rc, rows[i].seen == NULL ? ERR_INVALID : ERR_OK);
        CHECK_INT(rows[i].url, world.sockets, rows[i].sockets);
        if (rows[i].seen != NULL) {
            CHECK_INT(rows[i].url, reply.fate, NET_NOT_SENT);
            CHECK_TEXT(rows[i].url, reply.reason, "the guard refused the address");
            if (rows[i].seen[0] != '*')
                CHECK_TEXT(rows[i].url, world.seen, rows[i].seen);
        }
        net_reply_fini(&reply);
    }
    bench_close(&bench);
}

/* --- a name that changes its mind -------------------------------------------------- */

static void test_rebinding(void)
{
    static struct hostile server;
    struct bench bench;
    struct net_reply reply;
    struct err err;

    hostile_start(&server, hostile_polite);
    world_set("93.184.215.14", "127.0.0.1", true, server.port);
    bench_open(&bench, 0);

    CHECK_OK("looked at before",
             net_url_check(bench.resolver, STR("http://rebind.test/"), &bench.guard.rule,
                           sys_mono_us() + TOTAL_US, &err),
             &err);
    CHECK_INT("changed before the call",
              get(&bench, "http://rebind.test/", &bench.guard, &reply, &err), ERR_INVALID);
    CHECK_INT("lookups", world.lookups, 2);
    CHECK_INT("sockets", world.sockets, 0);

    world_set("93.184.215.14", "127.0.0.1", true, server.port);
    CHECK_OK("changes within the call",
             get(&bench, "http://rebind.test/x", &bench.guard, &reply, &err), &err);
    CHECK_INT("changes within the call", reply.fate, NET_ANSWERED);
    CHECK_INT("lookups", world.lookups, 1);
    CHECK_TEXT("the judged address", world.seen, "93.184.215.14 80");
    net_reply_fini(&reply);
    CHECK_INT("the next call", get(&bench, "http://rebind.test/", &bench.guard, &reply, &err),
              ERR_INVALID);
    CHECK_INT("sockets", world.sockets, 1);
    CHECK_INT("connections", hostile_seen(&server, &server.connections), 1);
    bench_close(&bench);
    hostile_stop(&server);
}

/* The pin is another host's, so that libcurl looks localhost up by itself: as a fault in
 * the pinning would look. */
static void test_pin_fails(void)
{
    static const struct {
        const char *what, *answer;
        bool allow_private, refused;
    } rows[] = {
        {"a public address was judged", "93.184.215.14", false, true},
        {"another private one was judged", "127.0.0.2", true, true},
        {"this one was judged", "127.0.0.1 ::1", true, false},
    };
    static struct hostile server;
    struct bench bench;
    char pinned[64], url[64];

    hostile_start(&server, hostile_polite);
    (void)snprintf(pinned, sizeof(pinned), "http://a.test:%d/", server.port);
    (void)snprintf(url, sizeof(url), "http://localhost:%d/", server.port);
    world_set("", NULL, true, 0);
    bench_open(&bench, 0);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct net_target *target = NULL;
        struct err err;
        CURL *easy = curl_easy_init();
        CURLcode code;

        world_set(rows[i].answer, NULL, true, 0);
        bench.guard.rule.allow_private = rows[i].allow_private;
        CHECK_OK(rows[i].what,
                 net_target_new(&bench.guard, pinned, sys_mono_us() + TOTAL_US, &target, &err),
                 &err);
        CHECK_TRUE(rows[i].what, net_target_apply(target, easy, TOTAL_US));
        (void)curl_easy_setopt(easy, CURLOPT_URL, url);
        (void)curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        code = curl_easy_perform(easy);
        CHECK_INT(rows[i].what, code == CURLE_COULDNT_CONNECT, rows[i].refused);
        CHECK_INT(rows[i].what, target->refused, rows[i].refused);
        CHECK_INT(rows[i].what, world.sockets > 0, !rows[i].refused);
        curl_easy_cleanup(easy);
        net_target_free(&target);
    }
    CHECK_INT("connections", hostile_seen(&server, &server.connections), 1);
    bench_close(&bench);
    hostile_stop(&server);
}

/* --- nothing is shared with other calls ------------------------------------------- */

static void call_twice(struct bench *bench, const char *url, const struct net_guard *guard)
{
    for (int i = 0; i < 2; i++) {
        struct net_reply reply;
        struct err err;

        CHECK_OK(url, get(bench, url, guard, &reply, &err), &err);
        CHECK_INT(url, reply.fate, NET_ANSWERED);
        net_reply_fini(&reply);
    }
}

static void test_alone(void)
{
    static struct hostile here, there; /* localhost, and where the guard leads it */
    struct bench bench;
    char url[64];

    hostile_start(&here, hostile_polite);
    hostile_start(&there, hostile_polite);
    /* an address of this machine that nobody listens on: where a pin left behind would
     * lead the calls without a guard */
    world_set("127.0.0.2", NULL, true, there.port);
    bench_open(&bench, 0);
    bench.guard.rule.allow_private = true;
    (void)snprintf(url, sizeof(url), "http://localhost:%d/", here.port);
    call_twice(&bench, url, &bench.guard);
    CHECK_INT("guarded: a connection each", hostile_seen(&there, &there.connections), 2);
    call_twice(&bench, url, NULL);
    CHECK_INT("not one of those", hostile_seen(&there, &there.connections), 2);
    CHECK_INT("nor their addresses", hostile_seen(&here, &here.connections), 1);
    call_twice(&bench, url, &bench.guard);
    CHECK_INT("not the one that is kept", hostile_seen(&there, &there.connections), 4);
    call_twice(&bench, url, NULL);
    CHECK_INT("which goes on", hostile_seen(&here, &here.connections), 1);
    bench_close(&bench);
    hostile_stop(&here);
    hostile_stop(&there);
}

/* --- answers ------------------------------------------------------------------------ */

static void say(struct hostile *server, int fd, const char *text)
{
    struct hostile_request request;

    if (hostile_request(server, fd, &request) && strcasestr(request.head, "encoding") == NULL &&
        hostile_say(fd, text))
        hostile_hold(server, fd);
}

#define SCRIPT(name, text)                                    \
    static void name(struct hostile *server, int fd, int nth) \
    {                                                         \
        (void)nth;                                            \
        say(server, fd, "HTTP/1.1 200 OK\r\n" text);          \
    }

SCRIPT(say_plain, "Content-Length: 2\r\n\r\nok")
SCRIPT(say_identity, "Content-Encoding: Identity\r\nContent-Length: 2\r\n\r\nok")
SCRIPT(say_chunked, "transfer-encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
SCRIPT(say_gzip, "content-encoding: gzip\r\nContent-Length: 2\r\n\r\nok")
SCRIPT(say_twice, "Content-Encoding: identity, br\r\nContent-Length: 2\r\n\r\nok")
SCRIPT(say_te_gzip, "Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
SCRIPT(say_announced, "Content-Length: 1001\r\n\r\nok")
SCRIPT(say_little, "Content-Length: 500\r\n\r\nok")

static void flood(struct hostile *server, int fd, int nth)
{
    struct hostile_request request;

    (void)nth;
    if (!hostile_request(server, fd, &request) ||
        !hostile_say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"))
        return;
    while (hostile_say(fd, "a\r\n0123456789\r\n"))
        continue;
}

static void drip(struct hostile *server, int fd, int nth)
{
    struct hostile_request request;

    (void)nth;
    if (!hostile_request(server, fd, &request) ||
        !hostile_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"))
        return;
    while (hostile_pause(server, 50) && hostile_say(fd, "x"))
        continue;
}

static void test_answers(void)
{
    static const struct {
        hostile_script script;
        const char *name, *reason; /* NULL: answered; "*": any */
    } rows[] = {
        {say_plain, "plain", NULL},
        {say_identity, "identity", NULL},
        {say_chunked, "chunked", NULL},
        {say_gzip, "gzip", "the answer is compressed"},
        {say_twice, "two codings", "the answer is compressed"},
        {say_te_gzip, "a transfer coding", "the answer is compressed"},
        {say_announced, "announced too large", "the answer is larger than allowed"},
        {flood, "too large", "the answer is larger than allowed"},
        {say_little, "stands still", "*"},
        {drip, "a slow drip", "*"},
    };
    struct bench bench;

    world_set("93.184.215.14", NULL, true, 0);
    bench_open(&bench, 1000000);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        static struct hostile server;
        struct net_reply reply;
        struct err err;

        hostile_start(&server, rows[i].script);
        world_set("93.184.215.14", NULL, true, server.port);
        CHECK_OK(rows[i].name, get(&bench, "http://a.test/", &bench.guard, &reply, &err), &err);
        CHECK_INT(rows[i].name, reply.fate,
                  rows[i].reason == NULL ? NET_ANSWERED : NET_UNKNOWN);
        if (rows[i].reason == NULL)
            CHECK_TEXT(rows[i].name, reply.body.ptr, "ok");
        else if (rows[i].reason[0] != '*')
            CHECK_TEXT(rows[i].name, reply.reason, rows[i].reason);
        CHECK_TRUE(rows[i].name, reply.took_us < TOTAL_US / 2);
        net_reply_fini(&reply);
        hostile_stop(&server);
    }
    bench_close(&bench);
}

/* A webhook's delivery: sent once, and a redirect is its answer. */
static void redirect(struct hostile *server, int fd, int nth)
{
    struct hostile_request request;

    (void)nth;
    if (hostile_request(server, fd, &request) &&
        hostile_say(fd, "HTTP/1.1 307 x\r\nLocation:  http://127.0.0.1/x \r\n"
                        "Content-Length: 0\r\n\r\n"))
        hostile_hold(server, fd);
}

static void test_post(void)
{
    static const struct str body[] = {STR("{\"a\":"), STR("1}")};
    static struct hostile server;
    struct bench bench;
    struct net_reply reply = {0};
    struct net_call call = {.method = "POST",
                            .url = "http://a.test/hook",
                            .body = body,
                            .body_count = COUNT_OF(body),
                            .repeat = NET_ONCE,
                            .total_us = TOTAL_US,
                            .answer_max = 1000,
                            .guard = &bench.guard};
    struct err err;

    hostile_start(&server, redirect);
    world_set("93.184.215.14", NULL, true, server.port);
    bench_open(&bench, 0);
    CHECK_OK("post", net_call(bench.net, &call, &reply, &err), &err);
    CHECK_INT("post", reply.fate, NET_ANSWERED);
    CHECK_INT("post", reply.status, 307);
    CHECK_TEXT("post", reply.location.ptr, "http://127.0.0.1/x");
    CHECK_INT("requests", hostile_seen(&server, &server.bodies), 1);
    CHECK_INT("sockets", world.sockets, 1);
    net_reply_fini(&reply);
    bench_close(&bench);
    hostile_stop(&server);
}

/* --- net_start ------------------------------------------------------------------------ */

struct nested {
    struct bench *bench;
    struct lock lock;
    bool done;
    enum err_code rc;
    struct err err;
};

static void never(void *ctx, struct net_reply *reply)
{
    (void)ctx;
    net_reply_fini(reply);
}

static void start_again(void *ctx, struct net_reply *reply)
{
    struct nested *nested = ctx;
    struct net_call call = {.method = "GET",
                            .url = "http://a.test/",
                            .total_us = TOTAL_US,
                            .guard = &nested->bench->guard};

    net_reply_fini(reply);
    lock_take(&nested->lock);
    nested->rc = net_start(nested->bench->net, &call, never, NULL, &nested->err);
    nested->done = true;
    lock_signal(&nested->lock);
    lock_drop(&nested->lock);
}

/* The lookup would stand in the way of all other calls. */
static void test_not_on_the_loop(void)
{
    struct bench bench;
    struct nested nested = {.bench = &bench};
    struct net_call call = {
        .method = "GET", .url = "http://a.test/", .total_us = TOTAL_US, .guard = &bench.guard};
    struct err err;

    world_set("93.184.215.14", NULL, false, 0);
    bench_open(&bench, 0);
    lock_init(&nested.lock);
    CHECK_OK("from here", net_start(bench.net, &call, start_again, &nested, &err), &err);
    lock_take(&nested.lock);
    while (!nested.done)
        (void)lock_wait(&nested.lock, INT64_MAX);
    lock_drop(&nested.lock);
    CHECK_INT("from its end", nested.rc, ERR_INTERNAL);
    CHECK_INT("lookups", world.lookups, 1);
    lock_fini(&nested.lock);
    bench_close(&bench);
}

CHECK_MAIN(CHECK_TEST(test_spellings), CHECK_TEST(test_public), CHECK_TEST(test_rebinding),
           CHECK_TEST(test_pin_fails), CHECK_TEST(test_alone), CHECK_TEST(test_answers),
           CHECK_TEST(test_post), CHECK_TEST(test_not_on_the_loop))
