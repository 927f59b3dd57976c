/* SPDX-License-Identifier: Apache-2.0 */
/* Redirects of a guarded GET: which are followed, where to, with what. Every name is
 * answered by the test and every public address is stood in for by loopback. */
#include "base/net/net.h"
#include "tests/lib/check.h"
#include "tests/lib/hostile_server.h"

#include <netdb.h>

enum { TOTAL_US = 20000000, MEDIA = 200000 };

/* "inside…" is private, "turns…" is so from its second lookup on. */
static atomic_int turns_lookups;
static int port; /* where every socket leads */

static int look_up(void *ctx, const char *host, struct net_addresses *ret_addresses)
{
    bool turned = strncmp(host, "turns", 5) == 0 && atomic_fetch_add(&turns_lookups, 1) > 0;
    bool private = turned || strncmp(host, "inside", 6) == 0;

    (void)ctx;
    if (strncmp(host, "nowhere", 7) == 0)
        return EAI_NONAME;
    ret_addresses->count = net_address_parse(private ? STR("127.0.0.1") : STR("93.184.215.14"),
                                             &ret_addresses->items[0]);
    return 0;
}

static bool on_connect(void *ctx, struct sockaddr *address)
{
    struct sockaddr_in *v4 = (void *)address;

    (void)ctx;
    ASSERT(address->sa_family == AF_INET);
    v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    v4->sin_port = htons((uint16_t)port);
    return true;
}

/* What the server answers to /go, whole but for the body's length; and the heads of all
 * requests to /end. */
static struct {
    struct lock lock;
    const char *answer;
    char end_head[8192];
} script;

/* /chain/N leads to /chain/N-1 and then to /end, /loop to itself; /slow/N as /chain/N
 * after 400 ms. */
static bool lead_on(struct hostile *server, int fd, const struct hostile_request *request)
{
    char text[256], word[16];
    int left = 0;

    if (sscanf(request->target, "/%15[a-z]/%d", word, &left) != 2)
        return hostile_say(fd,
                           "HTTP/1.1 301 x\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n");
    if (strcmp(word, "slow") == 0 && !hostile_pause(server, 400))
        return false;
    if (left > 1)
        (void)snprintf(text, sizeof(text),
                       "HTTP/1.1 301 x\r\nLocation: /%s/%d\r\nContent-Length: 0\r\n\r\n", word,
                       left - 1);
    else
        (void)snprintf(text, sizeof(text),
                       "HTTP/1.1 301 x\r\nLocation: /end\r\nContent-Length: 0\r\n\r\n");
    return hostile_say(fd, text);
}

static char media[MEDIA]; /* all m */

/* /media/S: a large body under the status S; /small/S: a byte. */
static bool send_media(int fd, const char *target)
{
    size_t len = target[1] == 'm' ? sizeof(media) : 1;
    char head[128];

    (void)snprintf(head, sizeof(head), "HTTP/1.1 %.3s x\r\nContent-Length: %zu\r\n\r\n",
                   target + 7, len);
    return hostile_say(fd, head) && hostile_send(fd, media, len);
}

static void serve(struct hostile *server, int fd, int nth)
{
    struct hostile_request request;
    const char *answer;
    bool good = true;

    (void)nth;
    while (good && hostile_request(server, fd, &request)) {
        lock_take(&script.lock);
        answer = script.answer;
        if (strncmp(request.target, "/go", 3) != 0)
            (void)str_copy(script.end_head, sizeof(script.end_head), str_from(request.head));
        lock_drop(&script.lock);
        if (strncmp(request.target, "/go", 3) == 0)
            good = hostile_say(fd, answer) && hostile_say(fd, "Content-Length: 2\r\n\r\ngo");
        else if (strncmp(request.target, "/media/", 7) == 0 ||
                 strncmp(request.target, "/small/", 7) == 0)
            good = send_media(fd, request.target);
        else if (strncmp(request.target, "/end", 4) == 0 ||
                 strncmp(request.target, "/deep/end", 9) == 0)
            good = hostile_answer(fd, &request);
        else
            good = lead_on(server, fd, &request);
    }
}

struct bench {
    struct hostile server;
    struct net *net;
    struct net_resolver *resolver;
    struct net_guard guard; /* http and https, public addresses */
};

static void bench_open(struct bench *bench)
{
    struct net_options options = {0};
    struct net_resolver_options names = {.threads = 1, .cache_us = 1, .lookup = look_up};
    struct err err;

    memset(bench, 0, sizeof(*bench));
    memset(&script, 0, sizeof(script));
    lock_init(&script.lock);
    memset(media, 'm', sizeof(media));
    hostile_start(&bench->server, serve);
    port = bench->server.port;
    CHECK_OK("net", net_open(&options, &bench->net, &err), &err);
    CHECK_OK("resolver", net_resolver_open(&names, &bench->resolver, &err), &err);
    bench->guard.resolver = bench->resolver;
    bench->guard.connect = on_connect;
}

static void bench_close(struct bench *bench)
{
    net_close(&bench->net);
    net_resolver_close(&bench->resolver);
    hostile_stop(&bench->server);
    lock_fini(&script.lock);
}

static void set_answer(const char *answer)
{
    lock_take(&script.lock);
    script.answer = answer;
    script.end_head[0] = '\0';
    lock_drop(&script.lock);
}

static enum err_code fetch(struct bench *bench, const char *url, const char *const *headers,
                           int64_t total_us, struct net_reply *ret_reply, struct err *err)
{
    struct net_call call = {.method = "GET",
                            .url = url,
                            .headers = headers,
                            .total_us = total_us,
                            .answer_max = 1000,
                            .guard = &bench->guard};

    *ret_reply = (struct net_reply){0};
    *err = (struct err){0};
    return net_fetch(bench->net, &call, ret_reply, err);
}

#define GO(status, lines) "HTTP/1.1 " #status " x\r\n" lines
#define TO(url) GO(302, "Location: " url "\r\n")
#define REFUSED "redirects to a URL that is refused: "
#define PRIVATE REFUSED "its host must resolve, and to public addresses alone"
#define UNUSUAL REFUSED "its host or port is not written in the usual form"
#define NOT_HTTP REFUSED "must be an http or https URL"

static const struct {
    const char *answer; /* of http://a.test/go */
    const char *msg;    /* of ERR_INVALID; NULL: a reply; "*" any message */
    int status;
    const char *body;
} rows[] = {
    {GO(301, "Location: http://b.test/end\r\n"), NULL, 200, "/end"},
    {GO(302, "Location: http://b.test/end\r\n"), NULL, 200, "/end"},
    {GO(303, "Location: http://b.test/end\r\n"), NULL, 200, "/end"},
    {GO(307, "Location: http://b.test/end\r\n"), NULL, 200, "/end"},
    {GO(308, "location:   http://b.test:8080/end  \r\n"), NULL, 200, "/end"},
    {TO("http://93.184.215.14/end"), NULL, 200, "/end"},
    /* relative */
    {TO("/end"), NULL, 200, "/end"},
    {TO("end"), NULL, 200, "/end"},
    {TO("./end?a=1#top"), NULL, 200, "/end?a=1"},
    {TO("/end?u=http://127.0.0.1/"), NULL, 200, "/end?u=http://127.0.0.1/"},
    {TO("deep/end"), NULL, 200, "/deep/end"},
    {TO("../../end"), NULL, 200, "/end"},
    {TO("//b.test/end"), NULL, 200, "/end"},
    /* not followed */
    {GO(200, "Location: /end\r\n"), NULL, 200, "go"},
    {GO(201, "Location: /end\r\n"), NULL, 201, "go"},
    {GO(300, "Location: /end\r\n"), NULL, 300, "go"},
    {GO(305, "Location: /end\r\n"), NULL, 305, "go"},
    {GO(306, "Location: /end\r\n"), NULL, 306, "go"},
    {GO(302, ""), NULL, 302, "go"},
    {GO(302, "Location: \r\n"), NULL, 302, "go"},
    {GO(302, "Location: /end\r\nLocation: /other\r\n"), NULL, 302, "go"},
    {GO(302, "Content-Location: /end\r\nRefresh: 0; url=/end\r\n"), NULL, 302, "go"},
    {GO(404, "Location: /end\r\n"), NULL, 404, "go"},
    /* private places */
    {TO("http://127.0.0.1/end"), PRIVATE, 0, NULL},
    {TO("http://127.0.0.1:8080/end"), PRIVATE, 0, NULL},
    {TO("https://127.0.0.1/end"), PRIVATE, 0, NULL},
    {TO("//127.0.0.1/end"), PRIVATE, 0, NULL},
    {TO("http://[::1]/end"), PRIVATE, 0, NULL},
    {TO("http://[::ffff:127.0.0.1]/end"), PRIVATE, 0, NULL},
    {TO("http://0.0.0.0/end"), PRIVATE, 0, NULL},
    {TO("http://169.254.169.254/latest/meta-data/"), PRIVATE, 0, NULL},
    {TO("http://inside.test/end"), PRIVATE, 0, NULL},
    {TO("http://nowhere.test/end"), PRIVATE, 0, NULL},
    {TO("http://127.1/end"), UNUSUAL, 0, NULL},
    {TO("http://2130706433/end"), UNUSUAL, 0, NULL},
    {TO("http://0x7f.1/end"), "*", 0, NULL},
    {TO("http://0177.0.0.1/end"), "*", 0, NULL},
    {TO("http://%31%32%37.0.0.1/end"), UNUSUAL, 0, NULL},
    {TO("http://b%2etest/end"), UNUSUAL, 0, NULL},
    {TO("http://93.184.55054/end"), UNUSUAL, 0, NULL},
    {TO("//93.184.55054/end"), UNUSUAL, 0, NULL},
    {TO("http:///127.0.0.1/end"), "*", 0, NULL},
    {TO("http://a.test.:80/end"), "*", 0, NULL},
    {TO("\\\\127.0.0.1\\end"), "*", 0, NULL},
    {TO("http://a.test\\@127.0.0.1/end"), "*", 0, NULL},
    {TO("http://a.test/\xc3\xbc"), "*", 0, NULL},
    /* other schemes, users, ports */
    {TO("ftp://a.test/end"), NOT_HTTP, 0, NULL},
    {TO("file:///etc/passwd"), NOT_HTTP, 0, NULL},
    {TO("gopher://a.test/_x"), NOT_HTTP, 0, NULL},
    {TO("dict://a.test/x"), NOT_HTTP, 0, NULL},
    {TO("javascript:alert(1)"), NOT_HTTP, 0, NULL},
    {TO("end:80/end"), NOT_HTTP, 0, NULL},
    {TO("http://user@a.test/end"), "*", 0, NULL},
    {TO("http://user:word@a.test/end"), "*", 0, NULL},
    {TO("http://b.test@127.0.0.1/end"), "*", 0, NULL},
    {TO("http://a.test:22/end"), REFUSED "its port must be 80, 443 or above 1023", 0, NULL},
    {TO("http://a.test:0/end"), "*", 0, NULL},
    {TO("http://a.test:99999/end"), "*", 0, NULL},
};

static void test_rows(void)
{
    static struct bench bench;

    bench_open(&bench);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *what = rows[i].answer;
        int before = hostile_seen(&bench.server, &bench.server.heads);
        struct net_reply reply;
        struct err err;
        enum err_code rc;

        set_answer(rows[i].answer);
        rc = fetch(&bench, "http://a.test/go", NULL, TOTAL_US, &reply, &err);
        CHECK_INT(what, rc, rows[i].msg == NULL ? ERR_OK : ERR_INVALID);
        if (rc != ERR_OK) {
            CHECK_INT(what, hostile_seen(&bench.server, &bench.server.heads) - before, 1);
            CHECK_TRUE(what, strstr(err.msg, "test") == NULL && strstr(err.msg, "127") == NULL);
            if (rows[i].msg != NULL && rows[i].msg[0] != '*')
                CHECK_TEXT(what, err.msg, rows[i].msg);
            continue;
        }
        CHECK_INT(what, reply.fate, NET_ANSWERED);
        CHECK_INT(what, reply.status, rows[i].status);
        if (rows[i].body != NULL)
            CHECK_TEXT(what, reply.body.ptr, rows[i].body);
        net_reply_fini(&reply);
    }
    bench_close(&bench);
}

static void test_first_url(void)
{
    static const char *const urls[] = {"http://inside.test/go", "http://127.0.0.1/go",
                                       "ftp://a.test/go", "a.test/go", ""};
    static struct bench bench;
    struct net_reply reply;
    struct err err;

    bench_open(&bench);
    for (size_t i = 0; i < COUNT_OF(urls); i++) {
        CHECK_INT(urls[i], fetch(&bench, urls[i], NULL, TOTAL_US, &reply, &err), ERR_INVALID);
        CHECK_TRUE(urls[i], strstr(err.msg, "redirect") == NULL);
    }
    CHECK_INT("missing", fetch(&bench, NULL, NULL, TOTAL_US, &reply, &err), ERR_INVALID);
    CHECK_INT("no time", fetch(&bench, "http://a.test/", NULL, 0, &reply, &err), ERR_INVALID);
    bench.guard.rule.https_only = true;
    CHECK_INT("https alone", fetch(&bench, "http://a.test/go", NULL, TOTAL_US, &reply, &err),
              ERR_INVALID);
    CHECK_INT("connections", hostile_seen(&bench.server, &bench.server.connections), 0);
    bench_close(&bench);
}

static void test_how_many(void)
{
    static const struct {
        const char *url;
        int requests;
        bool good;
    } chains[] = {
        {"http://a.test/chain/1", 2, true},
        {"http://a.test/chain/5", 6, true},
        {"http://a.test/chain/6", 6, false},
        {"http://a.test/loop", 6, false},
    };
    static struct bench bench;

    bench_open(&bench);
    for (size_t i = 0; i < COUNT_OF(chains); i++) {
        int before = hostile_seen(&bench.server, &bench.server.heads);
        struct net_reply reply;
        struct err err;
        enum err_code rc = fetch(&bench, chains[i].url, NULL, TOTAL_US, &reply, &err);

        CHECK_INT(chains[i].url, rc, chains[i].good ? ERR_OK : ERR_INVALID);
        if (rc == ERR_OK)
            CHECK_TEXT(chains[i].url, reply.body.ptr, "/end");
        else
            CHECK_TEXT(chains[i].url, err.msg, "redirects more than 5 times");
        CHECK_INT(chains[i].url, hostile_seen(&bench.server, &bench.server.heads) - before,
                  chains[i].requests);
        net_reply_fini(&reply);
    }
    bench_close(&bench);
}

static void test_one_deadline(void)
{
    static struct bench bench;
    struct net_reply reply;
    struct err err;
    int64_t start_us;

    bench_open(&bench);
    start_us = sys_mono_us();
    CHECK_OK("four times 400 ms",
             fetch(&bench, "http://a.test/slow/4", NULL, 1000000, &reply, &err), &err);
    CHECK_INT("four times 400 ms", reply.fate, NET_UNKNOWN);
    CHECK_TRUE("no longer than allowed", sys_mono_us() - start_us < TOTAL_US / 4);
    net_reply_fini(&reply);
    bench_close(&bench);
}

/* A name that is public for the first URL and private for the next. */
static void test_rebinding(void)
{
    static struct bench bench;
    struct net_reply reply;
    struct err err;

    bench_open(&bench);
    atomic_store(&turns_lookups, 0);
    set_answer(TO("/end"));
    CHECK_INT("turned", fetch(&bench, "http://turns.test/go", NULL, TOTAL_US, &reply, &err),
              ERR_INVALID);
    CHECK_TEXT("turned", err.msg, PRIVATE);
    CHECK_INT("lookups", atomic_load(&turns_lookups), 2);
    CHECK_INT("requests", hostile_seen(&bench.server, &bench.server.heads), 1);
    bench_close(&bench);
}

static void test_headers(void)
{
    static const struct {
        const char *answer;
        bool kept;
    } targets[] = {
        {TO("/end"), true},
        {TO("http://a.test/end"), true},
        {TO("http://A.TEST:80/end"), true},
        {TO("http://a.test:8080/end"), false},
        {TO("http://b.test/end"), false},
        {TO("http://a.test.b.test/end"), false},
        {TO("http://93.184.215.14/end"), false},
    };
    static const char *const headers[] = {"X-Secret: hidden", "Authorization: Bearer hidden",
                                          NULL};
    static struct bench bench;

    bench_open(&bench);
    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        struct net_reply reply;
        struct err err;

        set_answer(targets[i].answer);
        CHECK_OK(targets[i].answer,
                 fetch(&bench, "http://a.test/go", headers, TOTAL_US, &reply, &err), &err);
        CHECK_TEXT(targets[i].answer, reply.body.ptr, "/end");
        CHECK_INT(targets[i].answer, strstr(script.end_head, "hidden") != NULL,
                  targets[i].kept);
        net_reply_fini(&reply);
    }
    bench_close(&bench);
}

struct taken {
    size_t bytes, stop_at;
    bool good;
};

static bool take(void *ctx, struct str bytes)
{
    struct taken *taken = ctx;

    for (size_t i = 0; i < bytes.len; i++)
        taken->good &= bytes.ptr[i] == 'm';
    taken->bytes += bytes.len;
    return taken->bytes < taken->stop_at;
}

/* The taker gets what the redirect leads to, never what came on the way, nor an error. */
static void test_taken(void)
{
    static const struct {
        const char *what, *target;
        size_t answer_max, stop_at;
        enum net_fate fate;
        int status;
        size_t least, most; /* taken */
        const char *reason; /* "" none */
    } cases[] = {
        {"whole", "/media/200", 1 << 20, SIZE_MAX, NET_ANSWERED, 200, MEDIA, MEDIA, ""},
        {"just fits", "/media/200", MEDIA, SIZE_MAX, NET_ANSWERED, 200, MEDIA, MEDIA, ""},
        {"too large", "/media/200", MEDIA - 1, SIZE_MAX, NET_UNKNOWN, 0, 0, MEDIA - 1,
         "the answer is larger than allowed"},
        {"not wanted", "/media/200", 1 << 20, 1, NET_UNKNOWN, 0, 1, MEDIA - 1,
         "the answer was not wanted any more"},
        {"a large error", "/media/404", 1 << 20, SIZE_MAX, NET_UNKNOWN, 0, 0, 0,
         "the answer is larger than allowed"},
        {"a small error", "/small/404", 1 << 20, SIZE_MAX, NET_ANSWERED, 404, 0, 0, ""},
    };
    static struct bench bench;

    bench_open(&bench);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct taken taken = {.stop_at = cases[i].stop_at, .good = true};
        struct net_reply reply = {0};
        char answer[256];
        struct net_call call = {.method = "GET",
                                .url = "http://a.test/go",
                                .total_us = TOTAL_US,
                                .answer_max = cases[i].answer_max,
                                .guard = &bench.guard,
                                .take = take,
                                .take_ctx = &taken};
        struct err err;

        (void)snprintf(answer, sizeof(answer), GO(302, "Location: %s\r\n"), cases[i].target);
        set_answer(answer);
        CHECK_OK(cases[i].what, net_fetch(bench.net, &call, &reply, &err), &err);
        CHECK_INT(cases[i].what, reply.fate, cases[i].fate);
        CHECK_INT(cases[i].what, reply.status, cases[i].status);
        CHECK_TEXT(cases[i].what, reply.reason, cases[i].reason);
        CHECK_TRUE(cases[i].what,
                   taken.good && taken.bytes >= cases[i].least && taken.bytes <= cases[i].most);
        if (cases[i].status == 404)
            CHECK_TEXT(cases[i].what, reply.body.ptr, "m");
        else
            CHECK_INT(cases[i].what, reply.body.len, 0);
        net_reply_fini(&reply);
    }
    bench_close(&bench);
}

static void test_misuse(void)
{
    static struct bench bench;
    struct net_reply reply = {0};
    struct net_call call = {.method = "GET", .url = "http://a.test/", .total_us = TOTAL_US};
    struct err err;

    bench_open(&bench);
    CHECK_INT("no guard", net_fetch(bench.net, &call, &reply, &err), ERR_INTERNAL);
    call.guard = &bench.guard;
    call.method = "POST";
    CHECK_INT("a POST", net_fetch(bench.net, &call, &reply, &err), ERR_INTERNAL);
    CHECK_INT("connections", hostile_seen(&bench.server, &bench.server.connections), 0);
    bench_close(&bench);
}

CHECK_MAIN(CHECK_TEST(test_rows), CHECK_TEST(test_first_url), CHECK_TEST(test_how_many),
           CHECK_TEST(test_one_deadline), CHECK_TEST(test_rebinding), CHECK_TEST(test_headers),
           CHECK_TEST(test_taken), CHECK_TEST(test_misuse))
