/* SPDX-License-Identifier: Apache-2.0 */
/* Spellings of URLs, and the words for what is wrong with each. Names are answered
 * by overrides or by the test; nothing leaves the machine. */
#include "base/net/guard.h"
#include "tests/lib/check.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

enum { PATIENCE_US = 20000000, SHORT_US = 20000 };

#define NOT_HTTPS "must be an https URL"
#define NOT_HTTP "must be an http or https URL"
#define BYTES "must be ASCII without spaces, control characters and backslashes"
#define USER "must not hold a user name or password"
#define PORT "its port must be 80, 443 or above 1023"
#define HOST "its host is not a valid name or address"
#define UNUSUAL "its host or port is not written in the usual form"
#define PRIVATE "its host must resolve, and to public addresses alone"
#define UNRESOLVED "its host must resolve, and to public addresses alone"
#define MALFORMED "is not a valid URL"
#define TOO_MANY "too many host names are being looked up, try again"
#define ANY_REFUSAL "*" /* which words depends on libcurl's version */

static const struct net_url_rule https = {.https_only = true}, http = {0},
                                 internal = {.allow_private = true};

static const char overrides[] =
    "a.test=93.184.216.34;v6.test=2606:4700::1;both.test=93.184.216.34+2606:4700::1;"
    "mixed.test=93.184.216.34+10.0.0.1;mixed6.test=2606:4700::1+fc00::1;"
    "private.test=192.168.1.1;loop.test=127.0.0.1;mapped.test=::ffff:8.8.8.8;"
    "meta.test=169.254.169.254;0x7f.test=93.184.216.34;1.test=93.184.216.34";

static struct {
    struct lock lock;
    bool hold, ready;
    int calls, running, status;
} fake;

/* What the C library takes for an address must not come this far. */
static int fake_lookup(void *ctx, const char *host, struct net_addresses *ret_addresses)
{
    struct in_addr odd;
    int status;

    (void)ctx;
    (void)ret_addresses;
    ASSERT(inet_aton(host, &odd) == 0);
    lock_take(&fake.lock);
    fake.calls++;
    fake.running++;
    while (fake.hold)
        (void)lock_wait(&fake.lock, INT64_MAX);
    fake.running--;
    status = fake.status;
    lock_signal(&fake.lock);
    lock_drop(&fake.lock);
    return status;
}

static void fake_set(bool hold, int status)
{
    if (!fake.ready)
        lock_init(&fake.lock);
    fake.ready = true;
    lock_take(&fake.lock);
    fake.hold = hold;
    fake.status = status;
    fake.calls = 0;
    lock_signal(&fake.lock);
    lock_drop(&fake.lock);
}

static struct net_resolver *open_resolver(int threads, int queue_max)
{
    struct net_resolver_options options = {.threads = threads,
                                           .queue_max = queue_max,
                                           .overrides = str_from(overrides),
                                           .lookup = fake_lookup};
    struct net_resolver *resolver = NULL;
    struct err err;

    fake_set(false, EAI_NONAME);
    CHECK_OK("open", net_resolver_open(&options, &resolver, &err), &err);
    return resolver;
}

static const struct {
    const char *url;
    const struct net_url_rule *rule;
    const char *msg; /* "" accepted */
} rows[] = {
    /* accepted */
    {"https://a.test", &https, ""},
    {"https://a.test/", &https, ""},
    {"HTTPS://A.Test/Path?q=%20#top", &https, ""},
    {"https://a.test/@me", &https, ""},
    {"https://a.test/a:b@c", &https, ""},
    {"https://a.test?q", &https, ""},
    {"https://a.test#f", &https, ""},
    {"https://a.test/../../x", &https, ""},
    {"https://a.test/?u=http://127.0.0.1/", &https, ""},
    {"https://a.test:443/", &https, ""},
    {"https://a.test:80/", &https, ""},
    {"https://a.test:1024/", &https, ""},
    {"https://a.test:65535?x", &https, ""},
    {"http://a.test/", &http, ""},
    {"https://a.test/", &http, ""},
    {"https://v6.test/", &https, ""},
    {"https://both.test/", &https, ""},
    {"https://0x7f.test/", &https, ""},
    {"https://1.test/", &https, ""},
    {"https://93.184.216.34/", &https, ""},
    {"https://93.184.216.34:8443/", &https, ""},
    {"https://[2606:4700::1]/", &https, ""},
    {"https://[2606:4700::ABCD]:8443/x", &https, ""},
    {"http://127.0.0.1:8080/", &internal, ""},
    {"http://[::1]:8080/", &internal, ""},
    {"http://loop.test/", &internal, ""},
    /* text */
    {"", &https, "must not be empty"},
    {" https://a.test/", &https, BYTES},
    {"https://a.test/ ", &https, BYTES},
    {"https://a.test/a b", &https, BYTES},
    {"https://a.test/\r\nHost: b", &https, BYTES},
    {"https://a.test/\t", &https, BYTES},
    {"https://a.test/\x7f", &https, BYTES},
    {"https://a.test\\@loop.test/", &https, BYTES},
    {"https:\\\\a.test/", &https, BYTES},
    {"https://b\xc3\xbc.test/", &https, BYTES},
    {"https://127\xe3\x80\x82"
     "0.0.1/",
     &https, BYTES},
    {"https://\xe2\x91\xa0.test/", &https, BYTES},
    /* scheme */
    {"http://a.test/", &https, NOT_HTTPS},
    {"ftp://a.test/", &https, NOT_HTTPS},
    {"ftp://a.test/", &http, NOT_HTTP},
    {"gopher://a.test/", &http, NOT_HTTP},
    {"dict://a.test/", &http, NOT_HTTP},
    {"file:///etc/passwd", &http, NOT_HTTP},
    {"javascript:alert(1)", &http, NOT_HTTP},
    {"data:text/plain,x", &http, NOT_HTTP},
    {"a.test", &http, NOT_HTTP},
    {"a.test/path", &https, NOT_HTTPS},
    {"//a.test/", &https, NOT_HTTPS},
    {"/path", &https, NOT_HTTPS},
    {"unix:/run/socket", &internal, NOT_HTTP},
    {"httpss://a.test/", &http, NOT_HTTP},
    {"127.0.0.1", &internal, NOT_HTTP},
    /* slashes */
    {"https:a.test/", &https, ANY_REFUSAL},
    {"https:/a.test/", &https, ANY_REFUSAL},
    {"https:///a.test/", &https, ANY_REFUSAL},
    {"https:////a.test/", &https, ANY_REFUSAL},
    {"https://", &https, ANY_REFUSAL},
    {"https:///", &https, ANY_REFUSAL},
    {"https://?a.test", &https, ANY_REFUSAL},
    {"https://#a.test", &https, ANY_REFUSAL},
    /* user info */
    {"https://user@a.test/", &https, USER},
    {"https://user:word@a.test/", &https, USER},
    {"https://a.test@loop.test/", &https, USER},
    {"https://a.test:443@loop.test/", &https, USER},
    {"https://@a.test/", &https, ANY_REFUSAL},
    {"https://:@a.test/", &https, ANY_REFUSAL},
    {"https://a.test%40loop.test/", &https, ANY_REFUSAL},
    /* port */
    {"https://a.test:22/", &https, PORT},
    {"https://a.test:1023/", &https, PORT},
    {"https://a.test:81/", &https, PORT},
    {"https://a.test:0/", &https, PORT},
    {"https://a.test:65536/", &https, PORT},
    {"https://a.test:4294967739/", &https, PORT},
    {"https://a.test:-443/", &https, ANY_REFUSAL},
    {"https://a.test:+443/", &https, ANY_REFUSAL},
    {"https://a.test:443x/", &https, ANY_REFUSAL},
    {"https://a.test:0x1bb/", &https, ANY_REFUSAL},
    {"https://a.test:/", &https, ANY_REFUSAL},
    {"https://a.test:", &https, ANY_REFUSAL},
    {"https://a.test:0443/", &https, UNUSUAL},
    {"https://a.test:443:443/", &https, ANY_REFUSAL},
    /* spellings of addresses */
    {"https://127.1/", &internal, UNUSUAL},
    {"https://127.0.1/", &internal, UNUSUAL},
    {"https://2130706433/", &internal, UNUSUAL},
    {"https://0x7f000001/", &internal, UNUSUAL},
    {"https://0x7f.1/", &internal, UNUSUAL},
    {"https://0X7F.0.0.1/", &internal, UNUSUAL},
    {"https://0177.0.0.1/", &internal, UNUSUAL},
    {"https://127.0.0.01/", &internal, UNUSUAL},
    {"https://0/", &internal, UNUSUAL},
    {"https://017700000001/", &internal, UNUSUAL},
    {"https://93.184.55330/", &https, UNUSUAL},
    {"https://%31%32%37.0.0.1/", &internal, UNUSUAL},
    {"https://%61.test/", &https, UNUSUAL},
    {"https://a%2etest/", &https, UNUSUAL},
    {"https://256.1.1.1/", &internal, HOST},
    {"https://1.2.3.4.5/", &internal, HOST},
    {"https://4294967296/", &internal, HOST},
    {"https://0x/", &internal, ANY_REFUSAL},
    {"https://127.0.0.1./", &internal, ANY_REFUSAL},
    {"https://::1/", &internal, ANY_REFUSAL},
    {"https://[::1/", &internal, ANY_REFUSAL},
    {"https://[::1]x/", &internal, ANY_REFUSAL},
    {"https://[]/", &internal, ANY_REFUSAL},
    {"https://[a.test]/", &internal, ANY_REFUSAL},
    {"https://[127.0.0.1]/", &internal, ANY_REFUSAL},
    {"https://[v1.x]/", &internal, ANY_REFUSAL},
    {"https://[fe80::1%25lo]/", &internal, ANY_REFUSAL},
    {"https://[fe80::1%lo]/", &internal, ANY_REFUSAL},
    {"https://[::1%251]/", &internal, ANY_REFUSAL},
    /* names */
    {"https://a.test./", &https, HOST},
    {"https://a..test/", &https, HOST},
    {"https://.test/", &https, HOST},
    {"https://-a.test/", &https, HOST},
    {"https://a_b.test/", &https, UNRESOLVED},
    {"https://a,b.test/", &https, HOST},
    {"https://a.test,b.test/", &https, HOST},
    {"https://nowhere.test/", &https, UNRESOLVED},
    {"https://nowhere.test/", &internal, UNRESOLVED},
    /* where it leads */
    {"https://127.0.0.1/", &https, PRIVATE},
    {"https://10.0.0.1/", &https, PRIVATE},
    {"https://169.254.169.254/latest/meta-data", &https, PRIVATE},
    {"https://100.100.100.200/", &https, PRIVATE},
    {"https://0.0.0.0/", &https, PRIVATE},
    {"https://255.255.255.255/", &https, PRIVATE},
    {"https://[::1]/", &https, PRIVATE},
    {"https://[::]/", &https, PRIVATE},
    {"https://[fe80::1]/", &https, PRIVATE},
    {"https://[fd00::1]/", &https, PRIVATE},
    {"https://[2002:7f00:1::]/", &https, PRIVATE},
    {"https://[64:ff9b::7f00:1]/", &https, PRIVATE},
    {"https://[::ffff:8.8.8.8]/", &https, PRIVATE},
    {"https://private.test/", &https, PRIVATE},
    {"https://loop.test/", &https, PRIVATE},
    {"https://LOOP.test:8443/", &https, PRIVATE},
    {"https://meta.test/", &https, PRIVATE},
    {"https://mapped.test/", &https, PRIVATE},
    {"https://mixed.test/", &https, PRIVATE},
    {"https://mixed6.test/", &https, PRIVATE},
};

/* The message completes "callback_url: " and repeats nothing of the URL or its host. */
static void check_refusal(const char *url, const struct err *err, const char *msg)
{
    CHECK_INT(url, err->code, ERR_INVALID);
    CHECK_TEXT(url, err->field, "");
    CHECK_TRUE(url, err->msg[0] >= 'a' && err->msg[0] <= 'z');
    CHECK_TRUE(url, strstr(err->msg, ".test") == NULL && strstr(err->msg, "127") == NULL);
    if (strcmp(msg, ANY_REFUSAL) != 0)
        CHECK_TEXT(url, err->msg, msg);
}

static void test_spellings(void)
{
    CLEANUP(net_resolver_close) struct net_resolver *resolver = open_resolver(2, 0);

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct err err = {.code = ERR_OK};
        enum err_code rc = net_url_check(resolver, str_from(rows[i].url), rows[i].rule,
                                         sys_mono_us() + PATIENCE_US, &err);

        if (rows[i].msg[0] == '\0')
            CHECK_OK(rows[i].url, rc, &err);
        else if (rc == ERR_OK)
            CHECK_FAILED(rows[i].url, "%s", "must be refused");
        else
            check_refusal(rows[i].url, &err, rows[i].msg);
    }
    CHECK_INT("names that were asked for", fake.calls, 2);
}

static void test_bytes(void)
{
    CLEANUP(net_resolver_close) struct net_resolver *resolver = open_resolver(1, 0);
    char url[] = "https://a.test/x";
    struct err err;

    for (int byte = 0; byte < 256; byte++) {
        bool good = byte > ' ' && byte < 0x7f && byte != '\\';

        url[sizeof(url) - 2] = (char)byte;
        CHECK_INT(url,
                  net_url_check(resolver, (struct str){url, sizeof(url) - 1}, &https, 0, &err),
                  good ? ERR_OK : ERR_INVALID);
    }
    CHECK_INT("a NUL and another host",
              net_url_check(resolver, STR("https://a.test\0.loop.test/"), &https, 0, &err),
              ERR_INVALID);
}

static void test_length(void)
{
    CLEANUP(net_resolver_close) struct net_resolver *resolver = open_resolver(1, 0);
    const struct net_url_rule tight = {.https_only = true, .len_max = 15};
    char text[8001] = "https://a.test/";
    struct err err;

    CHECK_OK("15", net_url_check(resolver, STR("https://a.test/"), &tight, 0, &err), &err);
    CHECK_INT("16", net_url_check(resolver, STR("https://a.test/1"), &tight, 0, &err),
              ERR_INVALID);
    CHECK_TEXT("16", err.msg, "must be at most 15 bytes long");
    memset(text + 15, 'x', sizeof(text) - 15);
    CHECK_OK("8000", net_url_check(resolver, (struct str){text, 8000}, &https, 0, &err), &err);
    CHECK_INT("8001", net_url_check(resolver, (struct str){text, 8001}, &https, 0, &err),
              ERR_INVALID);
    CHECK_INT("none", net_url_check(resolver, (struct str){NULL, 0}, &https, 0, &err),
              ERR_INVALID);
}

/* The caller of a lookup that hangs gives up once it has begun. */
static void leave_hanging(struct net_resolver *resolver, const struct net_url_rule *rule,
                          const char *url)
{
    int64_t deadline_us = sys_mono_us() + PATIENCE_US;
    enum err_code rc;
    struct err err;

    do /* a busy machine is slow to start a thread */
        rc = net_url_check(resolver, str_from(url), rule, sys_mono_us() + SHORT_US, &err);
    while (rc == ERR_BUSY && sys_mono_us() < deadline_us);
    CHECK_INT(url, rc, ERR_INVALID);
    CHECK_TEXT(url, err.msg, "its host could not be resolved in time");
}

/* A silent name server, then no room for another host, then a machine without memory. */
static void test_not_judged(void)
{
    CLEANUP(net_resolver_close) struct net_resolver *resolver = open_resolver(1, 0);
    struct err err;

    fake_set(true, 0);
    leave_hanging(resolver, &https, "https://silent.test/");
    CHECK_INT("behind it",
              net_url_check(resolver, STR("https://other.test/"), &https,
                            sys_mono_us() + SHORT_US, &err),
              ERR_BUSY);
    CHECK_TEXT("behind it", err.msg, TOO_MANY);
    fake_set(false, EAI_MEMORY);
    CHECK_INT("no memory",
              net_url_check(resolver, STR("https://other.test/"), &https,
                            sys_mono_us() + PATIENCE_US, &err),
              ERR_UNAVAILABLE);
    fake_set(false, EAI_OVERFLOW);
    CHECK_INT("addresses",
              net_url_check(resolver, STR("https://many.test/"), &https,
                            sys_mono_us() + PATIENCE_US, &err),
              ERR_INVALID);
    CHECK_TEXT("addresses", err.msg, "its host has more than 64 addresses");
}

struct caller {
    struct net_resolver *resolver;
    pthread_t thread;
    enum err_code rc;
};

static void *call(void *ctx)
{
    struct caller *caller = ctx;
    struct err err;

    do /* the test itself may hold the only place of the queue for a moment */
        caller->rc = net_url_check(caller->resolver, STR("https://queued.test/"), &https,
                                   sys_mono_us() + PATIENCE_US, &err);
    while (caller->rc == ERR_BUSY);
    return NULL;
}

static void test_busy(void)
{
    CLEANUP(net_resolver_close) struct net_resolver *resolver = open_resolver(1, 1);
    struct caller caller = {.resolver = resolver};
    int64_t deadline_us = sys_mono_us() + PATIENCE_US, until_us;
    enum err_code rc;
    struct err err;

    fake_set(true, EAI_NONAME);
    leave_hanging(resolver, &https, "https://first.test/");
    CHECK_OK("thread", lock_thread(&caller.thread, "caller", 1 << 20, call, &caller, &err),
             &err);
    do { /* until it is refused at once */
        until_us = sys_mono_us() + SHORT_US;
        rc = net_url_check(resolver, STR("https://second.test/"), &https, until_us, &err);
        CHECK_INT("full", rc, ERR_BUSY);
    } while (sys_mono_us() >= until_us && sys_mono_us() < deadline_us);
    CHECK_TRUE("full", sys_mono_us() < deadline_us);
    CHECK_INT("full", err_http_status(err.code), 503);
    fake_set(false, EAI_NONAME);
    (void)pthread_join(caller.thread, NULL);
    CHECK_INT("the one that waited", caller.rc, ERR_INVALID);
}

/* The rule says for whom; what needs no lookup is free. */
static void test_owners(void)
{
    const struct net_url_rule first = {.https_only = true, .owner = 1},
                              second = {.https_only = true, .owner = 2};
    CLEANUP(net_resolver_close) struct net_resolver *resolver = open_resolver(0, 0);
    struct err err;
    char url[48];

    fake_set(true, EAI_NONAME);
    for (int i = 0; i < 4; i++) {
        (void)snprintf(url, sizeof(url), "https://slow%d.test/", i);
        leave_hanging(resolver, &first, url);
    }
    CHECK_INT("too many",
              net_url_check(resolver, STR("https://slow4.test/"), &first,
                            sys_mono_us() + PATIENCE_US, &err),
              ERR_BUSY);
    CHECK_TEXT("too many", err.msg, TOO_MANY);
    CHECK_OK("given", net_url_check(resolver, STR("https://a.test/"), &first, 0, &err), &err);
    CHECK_OK("an address", net_url_check(resolver, STR("https://8.8.8.8/"), &first, 0, &err),
             &err);
    leave_hanging(resolver, &second, "https://slow4.test/");
    fake_set(false, EAI_NONAME);
}

CHECK_MAIN(CHECK_TEST(test_spellings), CHECK_TEST(test_bytes), CHECK_TEST(test_length),
           CHECK_TEST(test_not_judged), CHECK_TEST(test_busy), CHECK_TEST(test_owners))
