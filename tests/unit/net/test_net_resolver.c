/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits for whom and what is remembered, with a lookup that the test holds up
 * and lets go. Nothing leaves the machine: "localhost" alone reaches the system. */
#include "base/net/guard.h"
#include "tests/lib/check.h"

#include <dirent.h>
#include <netdb.h>
#include <sched.h>
#include <stdlib.h>

enum { PATIENCE_US = 20000000, SHORT_US = 20000, CALLERS = 8 };

#define TOO_MANY "too many host names are being looked up, try again"

/* Stands in for the system's resolver; "quick…" is never held. */
static struct {
    struct lock lock;
    bool hold;
    int calls, running;
    int status;
    size_t count; /* addresses that it answers */
    char last[300];
} fake;

static int fake_lookup(void *ctx, const char *host, struct net_addresses *ret_addresses)
{
    int status;

    (void)ctx;
    lock_take(&fake.lock);
    fake.calls++;
    fake.running++;
    (void)str_copy(fake.last, sizeof(fake.last), str_from(host));
    lock_signal(&fake.lock);
    while (fake.hold && strncmp(host, "quick", 5) != 0)
        (void)lock_wait(&fake.lock, INT64_MAX);
    status = fake.status;
    for (size_t i = 0; i < fake.count; i++)
        (void)net_address_parse(STR("8.8.4.4"), &ret_addresses->items[i]);
    ret_addresses->count = fake.count;
    fake.running--;
    lock_signal(&fake.lock);
    lock_drop(&fake.lock);
    return status;
}

static void fake_reset(bool hold, int status, size_t count)
{
    static bool ready;

    if (!ready)
        lock_init(&fake.lock);
    ready = true;
    lock_take(&fake.lock);
    fake.hold = hold;
    fake.status = status;
    fake.count = count;
    fake.calls = 0;
    lock_signal(&fake.lock);
    lock_drop(&fake.lock);
}

static int fake_calls(void)
{
    int calls;

    lock_take(&fake.lock);
    calls = fake.calls;
    lock_drop(&fake.lock);
    return calls;
}

static void fake_release(void)
{
    lock_take(&fake.lock);
    fake.hold = false;
    lock_signal(&fake.lock);
    lock_drop(&fake.lock);
}

static void await_running(int count)
{
    int64_t deadline_us = sys_mono_us() + PATIENCE_US;

    lock_take(&fake.lock);
    while (fake.running != count && lock_wait(&fake.lock, deadline_us)) {
    }
    CHECK_INT("lookups running", fake.running, count);
    lock_drop(&fake.lock);
}

static struct net_resolver *open_with(struct net_resolver_options options)
{
    struct net_resolver *resolver = NULL;
    struct err err;

    options.lookup = fake_lookup;
    CHECK_OK("open", net_resolver_open(&options, &resolver, &err), &err);
    return resolver;
}

static enum err_code ask(struct net_resolver *resolver, struct str host, int64_t deadline_us,
                         struct net_addresses *ret_addresses, struct err *err)
{
    const struct net_question question = {.host = host, .deadline_mono_us = deadline_us};

    return net_resolver_lookup(resolver, &question, ret_addresses, err);
}

static enum err_code look_for(struct net_resolver *resolver, int64_t owner, const char *host,
                              int64_t wait_us, struct err *err)
{
    const struct net_question question = {
        .host = str_from(host), .owner = owner, .deadline_mono_us = sys_mono_us() + wait_us};
    struct net_addresses addresses;

    return net_resolver_lookup(resolver, &question, &addresses, err);
}

static enum err_code look(struct net_resolver *resolver, const char *host, int64_t wait_us)
{
    struct err err;

    return look_for(resolver, 0, host, wait_us, &err);
}

/* The caller of a lookup that hangs gives up once it has begun. */
static void leave_hanging(struct net_resolver *resolver, int64_t owner, const char *host)
{
    int64_t deadline_us = sys_mono_us() + PATIENCE_US;
    enum err_code rc;
    struct err err;

    do /* a busy machine is slow to start a thread */
        rc = look_for(resolver, owner, host, SHORT_US, &err);
    while (rc == ERR_BUSY && sys_mono_us() < deadline_us);
    CHECK_INT(host, rc, ERR_TIMEOUT);
    CHECK_TEXT(host, err.msg, "the host could not be resolved in time");
}

/* ERR_BUSY: true at once, false when it was let wait for a thread. */
static bool is_refused(struct net_resolver *resolver, int64_t owner, const char *host)
{
    int64_t start_us = sys_mono_us();
    struct err err = {0};

    CHECK_INT(host, look_for(resolver, owner, host, SHORT_US, &err), ERR_BUSY);
    CHECK_TEXT(host, err.msg, TOO_MANY);
    return sys_mono_us() < start_us + SHORT_US;
}

/* A busy machine may be slow to refuse, too. */
static void await_refusal(struct net_resolver *resolver, int64_t owner, const char *host)
{
    int64_t deadline_us = sys_mono_us() + PATIENCE_US;
    bool refused;

    do
        refused = is_refused(resolver, owner, host);
    while (!refused && sys_mono_us() < deadline_us);
    CHECK_TRUE(host, refused);
}

struct caller {
    pthread_t thread;
    struct net_resolver *resolver;
    char host[32];
    enum err_code rc;
};

static void *call(void *ctx)
{
    struct caller *caller = ctx;

    do /* the test itself may hold the last place of the queue for a moment */
        caller->rc = look(caller->resolver, caller->host, PATIENCE_US);
    while (caller->rc == ERR_BUSY && sched_yield() == 0);
    return NULL;
}

static void caller_start(struct caller *caller, struct net_resolver *resolver, const char *host)
{
    struct err err;

    caller->resolver = resolver;
    (void)str_copy(caller->host, sizeof(caller->host), str_from(host));
    CHECK_OK("thread", lock_thread(&caller->thread, "caller", 1 << 20, call, caller, &err),
             &err);
}

static enum err_code caller_join(struct caller *caller)
{
    (void)pthread_join(caller->thread, NULL);
    return caller->rc;
}

static void test_overrides(void)
{
    CLEANUP(net_resolver_close)
    struct net_resolver *resolver = open_with((struct net_resolver_options){
        .overrides = STR("one.test=10.1.2.3; Two.Test = 1.1.1.1+2606:4700::1+127.0.0.1")});
    struct net_addresses addresses;
    struct err err;

    fake_reset(false, 0, 1);
    CHECK_OK("one", ask(resolver, STR("ONE.test"), 0, &addresses, &err), &err);
    CHECK_INT("one", addresses.count, 1);
    CHECK_TRUE("one", !net_address_is_public((const struct sockaddr *)&addresses.items[0]));
    CHECK_OK("two", ask(resolver, STR("two.test"), 0, &addresses, &err), &err);
    CHECK_INT("two", addresses.count, 3);
    CHECK_INT("second", addresses.items[1].ss_family, AF_INET6);
    CHECK_INT("asked", fake_calls(), 0);
    CHECK_INT("another", look(resolver, "three.test", PATIENCE_US), ERR_OK);
    CHECK_INT("asked", fake_calls(), 1);
    CHECK_TEXT("asked", fake.last, "three.test");
}

static void test_bad_overrides(void)
{
    static const struct {
        const char *text, *part;
    } rows[] = {
        {"a.test", "\"a.test\""},
        {"a.test=", "\"a.test=\""},
        {"=1.1.1.1", "\"=1.1.1.1\""},
        {"a.test=1.1.1.1;", "\"\""},
        {"a.test=1.1.1.1;;b.test=1.1.1.1", "\"\""},
        {"a.test=1.1.1.1;b test=1.1.1.1", "\"b test=1.1.1.1\""},
        {"a.test=127.1", "\"a.test=127.1\""},
        {"a.test=1.1.1.1+", "\"a.test=1.1.1.1+\""},
        {"a.test=[::1]", "\"a.test=[::1]\""},
        {"a.test=b.test", "\"a.test=b.test\""},
        {"1.1.1.1=1.1.1.1", "\"1.1.1.1=1.1.1.1\""},
        {"a.test=1.1.1.1;A.test=1.1.1.2", "\"A.test=1.1.1.2\""},
    };
    char many[66 * 20] = "";
    size_t len = 0;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct net_resolver_options options = {.overrides = str_from(rows[i].text)};
        struct net_resolver *resolver = NULL;
        struct err err;

        CHECK_INT(rows[i].text, net_resolver_open(&options, &resolver, &err), ERR_CONFIG);
        CHECK_TRUE(rows[i].text, strstr(err.msg, rows[i].part) != NULL);
        CHECK_TRUE(rows[i].text, resolver == NULL);
    }
    for (int i = 0; i < 65; i++) {
        struct net_resolver_options options = {.overrides = {many, len}};
        struct net_resolver *resolver = NULL;
        struct err err;

        if (i == 64)
            CHECK_OK("64 hosts", net_resolver_open(&options, &resolver, &err), &err);
        net_resolver_close(&resolver);
        len += (size_t)snprintf(many + len, sizeof(many) - len, "%sh%d=1.1.1.1",
                                i == 0 ? "" : ";", i);
        options.overrides.len = len;
        if (i == 64)
            CHECK_INT("65 hosts", net_resolver_open(&options, &resolver, &err), ERR_CONFIG);
    }
}

#define TEN "abcdefghij"
#define SIXTY TEN TEN TEN TEN TEN TEN

static void test_names(void)
{
    static const struct {
        const char *host;
        bool is_name;
    } rows[] = {
        {"a", true},
        {"a.test", true},
        {"_dmarc.a-b.test", true},
        {"r3---sn.test", true},
        {"1.2.3.com", true},
        {"0x7f.example", true},
        {"xn--bcher-kva.test", true},
        {"1a", true},
        {"0x7fg", true},
        {SIXTY "abc.test", true},
        {SIXTY "." SIXTY "." SIXTY "." SIXTY ".abcdefghi", true}, /* 253 */
        {SIXTY "." SIXTY "." SIXTY "." SIXTY "." TEN, false},
        {SIXTY "abcd.test", false},
        {"", false},
        {".", false},
        {"a.test.", false},
        {".a.test", false},
        {"a..test", false},
        {"-a.test", false},
        {"a-.test", false},
        {"a test", false},
        {"a\ttest", false},
        {"a/test", false},
        {"a:80", false},
        {"a%41.test", false},
        {"b\xc3\xbc.test", false},
        {"1.2.3.4", false},
        {"127.1", false},
        {"2130706433", false},
        {"0x7f000001", false},
        {"0X7F000001", false},
        {"0x", false},
        {"a.test.1", false},
        {"a.0x1", false},
        {"::1", false},
        {"[::1]", false},
    };
    CLEANUP(net_resolver_close)
    struct net_resolver *resolver = open_with((struct net_resolver_options){0});
    struct net_addresses addresses;
    struct err err;

    fake_reset(false, 0, 1);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        CHECK_INT(rows[i].host, look(resolver, rows[i].host, PATIENCE_US),
                  rows[i].is_name ? ERR_OK : ERR_INVALID);
    CHECK_INT("asked", fake_calls(), 11);
    CHECK_INT("a NUL inside", ask(resolver, STR("a.test\0.b"), 0, &addresses, &err),
              ERR_INVALID);
    CHECK_INT("no text", ask(resolver, (struct str){NULL, 0}, 0, &addresses, &err),
              ERR_INVALID);
}

static void test_cache(void)
{
    CLEANUP(net_resolver_close)
    struct net_resolver *resolver = open_with((struct net_resolver_options){0});
    CLEANUP(net_resolver_close)
    struct net_resolver *forgetful = open_with((struct net_resolver_options){.cache_us = 1});

    fake_reset(false, 0, 1);
    for (int i = 0; i < 3; i++)
        CHECK_INT("again", look(resolver, i == 1 ? "A.TEST" : "a.test", PATIENCE_US), ERR_OK);
    CHECK_INT("asked once", fake_calls(), 1);
    CHECK_INT("past deadline", look(resolver, "a.test", -1), ERR_OK);
    for (int i = 0; i < 3; i++) {
        int64_t start_us = sys_mono_us();

        CHECK_INT("forgotten", look(forgetful, "a.test", PATIENCE_US), ERR_OK);
        while (sys_mono_us() < start_us + 1000) {
        }
    }
    CHECK_INT("asked each time", fake_calls(), 4);
}

static void test_cache_is_bounded(void)
{
    CLEANUP(net_resolver_close)
    struct net_resolver *resolver =
        open_with((struct net_resolver_options){.cache_us = INT64_MAX});
    char host[32];

    fake_reset(false, 0, 1);
    for (int i = 0; i <= 1024; i++) {
        (void)snprintf(host, sizeof(host), "h%d.test", i);
        CHECK_INT(host, look(resolver, host, PATIENCE_US), ERR_OK);
    }
    CHECK_INT("asked", fake_calls(), 1025);
    CHECK_INT("newest", look(resolver, "h1024.test", PATIENCE_US), ERR_OK);
    CHECK_INT("second", look(resolver, "h1.test", PATIENCE_US), ERR_OK);
    CHECK_INT("asked", fake_calls(), 1025);
    CHECK_INT("oldest", look(resolver, "h0.test", PATIENCE_US), ERR_OK);
    CHECK_INT("asked", fake_calls(), 1026);
}

/* A negative answer is forgotten sooner than the 10 s of a good one. */
static void test_negative(void)
{
    CLEANUP(net_resolver_close)
    struct net_resolver *resolver = open_with((struct net_resolver_options){0});
    struct lock pause;
    int64_t start_us;

    lock_init(&pause);
    fake_reset(false, EAI_NONAME, 0);
    CHECK_INT("no such name", look(resolver, "a.test", PATIENCE_US), ERR_NOT_FOUND);
    start_us = sys_mono_us();
    CHECK_INT("again", look(resolver, "a.test", PATIENCE_US), ERR_NOT_FOUND);
    if (sys_mono_us() - start_us < 500000) /* a busy machine may have lost the second */
        CHECK_INT("asked once", fake_calls(), 1);
    fake_reset(false, 0, 1);
    lock_take(&pause);
    while (look(resolver, "a.test", PATIENCE_US) != ERR_OK &&
           sys_mono_us() < start_us + 8000000)
        (void)lock_wait(&pause, sys_mono_us() + SHORT_US);
    lock_drop(&pause);
    CHECK_INT("registered meanwhile", look(resolver, "a.test", PATIENCE_US), ERR_OK);
    lock_fini(&pause);
}

static void test_answers(void)
{
    static const struct {
        const char *host;
        int status;
        size_t count;
        enum err_code rc;
    } rows[] = {
        {"n1.test", EAI_NONAME, 0, ERR_NOT_FOUND},
        {"n2.test", EAI_NODATA, 0, ERR_NOT_FOUND},
        {"n3.test", EAI_FAIL, 0, ERR_NOT_FOUND},
        {"n4.test", EAI_AGAIN, 0, ERR_NOT_FOUND},
        {"n5.test", 0, 0, ERR_NOT_FOUND},
        {"n6.test", EAI_MEMORY, 0, ERR_UNAVAILABLE},
        {"n7.test", EAI_SYSTEM, 0, ERR_UNAVAILABLE},
        {"n8.test", EAI_OVERFLOW, NET_ADDRESSES_MAX, ERR_TOO_LARGE},
        {"y1.test", 0, 1, ERR_OK},
        {"y64.test", 0, NET_ADDRESSES_MAX, ERR_OK},
    };
    CLEANUP(net_resolver_close)
    struct net_resolver *resolver = open_with((struct net_resolver_options){0});

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct net_addresses addresses = {.count = 99};
        struct err err = {.code = ERR_OK};

        fake_reset(false, rows[i].status, rows[i].count);
        CHECK_INT(rows[i].host,
                  ask(resolver, str_from(rows[i].host), sys_mono_us() + PATIENCE_US, &addresses,
                      &err),
                  rows[i].rc);
        CHECK_INT(rows[i].host, err.code, rows[i].rc);
        CHECK_INT(rows[i].host, addresses.count, rows[i].rc == ERR_OK ? rows[i].count : 99);
    }
}

static void test_deadline(void)
{
    CLEANUP(net_resolver_close)
    struct net_resolver *resolver = open_with((struct net_resolver_options){0});
    struct net_addresses addresses;
    struct err err;
    int64_t start_us = sys_mono_us();

    fake_reset(true, 0, 1);
    leave_hanging(resolver, 0, "a.test");
    CHECK_TRUE("not early", sys_mono_us() >= start_us + SHORT_US);
    await_running(1);
    CHECK_INT("zero", ask(resolver, STR("a.test"), 0, &addresses, &err), ERR_TIMEOUT);
    CHECK_INT("negative", ask(resolver, STR("a.test"), -1500000, &addresses, &err),
              ERR_TIMEOUT);
    CHECK_INT("the same lookup", fake_calls(), 1);
    fake_release();
    CHECK_INT("later", look(resolver, "a.test", PATIENCE_US), ERR_OK);
    CHECK_INT("its answer was kept", fake_calls(), 1);
}

static void test_sharing(void)
{
    CLEANUP(net_resolver_close)
    struct net_resolver *resolver = open_with((struct net_resolver_options){.threads = 3});
    struct caller callers[CALLERS];

    fake_reset(true, 0, 2);
    for (int i = 0; i < CALLERS; i++)
        caller_start(&callers[i], resolver, i % 2 == 0 ? "a.test" : "b.test");
    await_running(2);
    for (int i = 0; i < 3; i++)
        CHECK_INT("held", look(resolver, "a.test", SHORT_US), ERR_TIMEOUT);
    CHECK_INT("two lookups for two hosts", fake_calls(), 2);
    leave_hanging(resolver, 0, "c.test"); /* the third thread is free */
    await_running(3);
    fake_release();
    for (int i = 0; i < CALLERS; i++)
        CHECK_INT("answered", caller_join(&callers[i]), ERR_OK);
    CHECK_INT("no more lookups", fake_calls(), 3);
    await_running(0); /* nobody waits for the third; the next test must not meet it */
}

/* One host is being looked up, two wait, and there is no room for a fourth. */
static void test_queue_full(void)
{
    CLEANUP(net_resolver_close)
    struct net_resolver *resolver =
        open_with((struct net_resolver_options){.threads = 1, .queue_max = 2});
    struct caller callers[3];

    fake_reset(true, 0, 1);
    caller_start(&callers[0], resolver, "h0.test");
    await_running(1);
    for (int i = 0; i < 6; i++) /* each leaves the queue, and what its owner has begun */
        CHECK_TRUE("waits", !is_refused(resolver, 7, i % 2 == 0 ? "h8.test" : "h9.test"));
    caller_start(&callers[1], resolver, "h1.test");
    caller_start(&callers[2], resolver, "h2.test");
    await_refusal(resolver, 0, "h3.test");
    CHECK_INT("still full", look(resolver, "h4.test", PATIENCE_US), ERR_BUSY);
    CHECK_TRUE("a host that waits is no new one", !is_refused(resolver, 0, "h1.test"));
    fake_release();
    for (int i = 0; i < 3; i++)
        CHECK_INT("answered", caller_join(&callers[i]), ERR_OK);
    CHECK_INT("nobody asked for those given up", fake_calls(), 3);
    CHECK_INT("room again", look(resolver, "h3.test", PATIENCE_US), ERR_OK);
}

/* Slow name servers take their owner's share, whoever waits, and nobody else's. */
static void test_owners(void)
{
    CLEANUP(net_resolver_close)
    struct net_resolver *resolver =
        open_with((struct net_resolver_options){.overrides = STR("over.test=1.1.1.1")});
    struct err err = {0};
    enum err_code rc;
    char host[32];

    fake_reset(true, 0, 1);
    CHECK_OK("before", look_for(resolver, 1, "quick.before", PATIENCE_US, &err), &err);
    for (int i = 0; i < 8; i++) {
        (void)snprintf(host, sizeof(host), "slow%d.test", i);
        if (i < 4)
            leave_hanging(resolver, 1, host);
        else
            await_refusal(resolver, 1, host);
    }
    await_running(4);
    CHECK_INT("no more were begun", fake_calls(), 5);
    CHECK_INT("at once", look_for(resolver, 1, "slow9.test", PATIENCE_US, &err), ERR_BUSY);
    CHECK_OK("known", look_for(resolver, 1, "quick.before", 0, &err), &err);
    CHECK_OK("given", look_for(resolver, 1, "over.test", 0, &err), &err);
    CHECK_INT("under way", look_for(resolver, 1, "slow0.test", 0, &err), ERR_TIMEOUT);

    CHECK_OK("another's", look_for(resolver, 2, "quick.test", PATIENCE_US, &err), &err);
    CHECK_INT("joined", look_for(resolver, 2, "slow0.test", 0, &err), ERR_TIMEOUT);
    for (int i = 0; i < 4; i++) {
        (void)snprintf(host, sizeof(host), "other%d.test", i);
        leave_hanging(resolver, 2, host);
    }
    await_refusal(resolver, 2, "other4.test");
    for (int i = 0; i < 5; i++) {
        (void)snprintf(host, sizeof(host), "nobody%d.test", i);
        leave_hanging(resolver, 0, host);
    }
    CHECK_OK("a third's", look_for(resolver, 3, "quick.third", PATIENCE_US, &err), &err);

    fake_release();
    await_running(0);
    for (int i = 0; i < 8; i++) {
        (void)snprintf(host, sizeof(host), "late%d.test", i);
        do /* the last thread may be on its way to say so */
            rc = look_for(resolver, 1, host, PATIENCE_US, &err);
        while (i == 0 && rc == ERR_BUSY);
        CHECK_INT(host, rc, ERR_OK);
    }
}

/* What hung is counted until it ends, and what never began no longer than it waits. */
static void test_owner_max(void)
{
    CLEANUP(net_resolver_close)
    struct net_resolver *resolver =
        open_with((struct net_resolver_options){.threads = 2, .owner_max = 1});
    char first[32], quick[32], second[32];
    struct err err = {0};

    for (int round = 0; round < 3; round++) {
        (void)snprintf(first, sizeof(first), "first%d.test", round);
        (void)snprintf(quick, sizeof(quick), "quick%d.test", round);
        (void)snprintf(second, sizeof(second), "second%d.test", round);
        fake_reset(true, 0, 1);
        leave_hanging(resolver, 1, first);
        await_refusal(resolver, 1, "more.test");
        CHECK_OK(quick, look_for(resolver, 2, quick, PATIENCE_US, &err), &err);
        leave_hanging(resolver, 2, second);
        for (int i = 0; i < 3; i++)
            CHECK_TRUE("no thread is left", !is_refused(resolver, 3, "third.test"));
        fake_release();
        CHECK_INT(first, look(resolver, first, PATIENCE_US), ERR_OK);
        CHECK_INT(second, look(resolver, second, PATIENCE_US), ERR_OK);
    }
}

/* By name: a sanitizer has a thread of its own. */
static int count_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    int count = 0;

    ASSERT(tasks != NULL);
    for (struct dirent *task = readdir(tasks); task != NULL; task = readdir(tasks)) {
        char path[sizeof(task->d_name) + 32], name[32] = "";
        FILE *file;

        (void)snprintf(path, sizeof(path), "/proc/self/task/%s/comm", task->d_name);
        file = fopen(path, "r");
        if (file == NULL) /* . and .., and a thread that has just ended */
            continue;
        if (fgets(name, sizeof(name), file) != NULL)
            count += strcmp(name, "resolver\n") == 0;
        (void)fclose(file);
    }
    (void)closedir(tasks);
    return count;
}

static void await_threads(const char *what, int count)
{
    int64_t deadline_us = sys_mono_us() + PATIENCE_US;

    while (count_threads() != count && sys_mono_us() < deadline_us)
        (void)sched_yield();
    CHECK_INT(what, count_threads(), count);
}

static void test_threads(void)
{
    struct net_resolver *resolver = open_with((struct net_resolver_options){0});
    char host[32];

    CHECK_INT("none unasked", count_threads(), 0);
    fake_reset(true, 0, 1);
    for (int i = 0; i < 5; i++) {
        (void)snprintf(host, sizeof(host), "quick%d.test", i);
        CHECK_INT(host, look(resolver, host, PATIENCE_US), ERR_OK);
    }
    CHECK_INT("one is enough", count_threads(), 1);
    for (int i = 0; i < 40; i++) {
        (void)snprintf(host, sizeof(host), "slow%d.test", i);
        if (i < 32)
            leave_hanging(resolver, 0, host);
        else
            CHECK_TRUE(host, !is_refused(resolver, 0, host));
    }
    await_running(32);
    CHECK_INT("no more", count_threads(), 32);
    fake_release();
    await_running(0);
    net_resolver_close(&resolver);
    await_threads("closed", 0);

    resolver = open_with((struct net_resolver_options){.threads = 3, .idle_us = 1000});
    for (int round = 0; round < 3; round++) {
        fake_reset(true, 0, 1);
        for (int i = 0; i < 3; i++) {
            (void)snprintf(host, sizeof(host), "slow%d.test", round * 3 + i);
            leave_hanging(resolver, 0, host);
        }
        await_threads("in work", 3);
        fake_release();
        await_threads("idle", 0);
    }
    CHECK_INT("again", look(resolver, "quick.test", PATIENCE_US), ERR_OK);
    net_resolver_close(&resolver);
}

static void *call_often(void *ctx)
{
    struct caller *caller = ctx;
    char host[48];

    for (int i = 0; i < 200 && caller->rc == ERR_OK; i++) {
        (void)snprintf(host, sizeof(host), "%s%d.test", caller->host, i);
        caller->rc = look(caller->resolver, host, PATIENCE_US);
    }
    return NULL;
}

/* Threads that end as lookups arrive: none is forgotten. */
static void test_threads_come_and_go(void)
{
    CLEANUP(net_resolver_close)
    struct net_resolver *resolver =
        open_with((struct net_resolver_options){.threads = 3, .idle_us = 1});
    struct caller callers[CALLERS];
    struct err err;

    fake_reset(false, 0, 1);
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){.resolver = resolver};
        (void)snprintf(callers[i].host, sizeof(callers[i].host), "c%d-", i);
        CHECK_OK(
            "thread",
            lock_thread(&callers[i].thread, "caller", 1 << 20, call_often, &callers[i], &err),
            &err);
    }
    for (int i = 0; i < CALLERS; i++)
        CHECK_INT("answered", caller_join(&callers[i]), ERR_OK);
    CHECK_INT("each once", fake_calls(), CALLERS * 200);
}

static void test_close_while_hanging(void)
{
    struct net_resolver *resolver = open_with((struct net_resolver_options){.threads = 2});
    struct caller waiting;
    int64_t start_us;

    fake_reset(true, 0, 1);
    caller_start(&waiting, resolver, "a.test");
    await_running(1);
    leave_hanging(resolver, 0, "b.test");
    await_running(2);
    start_us = sys_mono_us();
    net_resolver_close(&resolver);
    CHECK_TRUE("closed", resolver == NULL);
    CHECK_INT("the caller was told", caller_join(&waiting), ERR_UNAVAILABLE);
    CHECK_TRUE("neither waited", sys_mono_us() - start_us < PATIENCE_US / 2);
    fake_release();
    await_running(0);
}

static void test_close_idle(void)
{
    struct net_resolver *resolver = NULL;

    net_resolver_close(&resolver);
    resolver = open_with((struct net_resolver_options){.threads = 1000});
    fake_reset(false, 0, 1);
    CHECK_INT("lookup", look(resolver, "a.test", PATIENCE_US), ERR_OK);
    net_resolver_close(&resolver);
}

static void test_system(void)
{
    CLEANUP(net_resolver_close) struct net_resolver *resolver = NULL;
    struct net_resolver_options options = {.threads = 1};
    struct net_addresses addresses = {0};
    struct err err;

    CHECK_OK("open", net_resolver_open(&options, &resolver, &err), &err);
    CHECK_OK("localhost",
             ask(resolver, STR("localhost"), sys_mono_us() + PATIENCE_US, &addresses, &err),
             &err);
    CHECK_TRUE("has an address", addresses.count > 0);
    for (size_t i = 0; i < addresses.count; i++)
        CHECK_TRUE("loopback",
                   !net_address_is_public((const struct sockaddr *)&addresses.items[i]));
}

/* The environment is everybody's: only the system's resolver needs it, and whoever set
 * it knows better. */
static void test_patience(void)
{
    static const char given[] = "timeout:2";
    struct net_resolver_options system = {0};
    struct net_resolver *resolver = NULL;
    struct err err;

    (void)unsetenv("RES_OPTIONS");
    resolver = open_with((struct net_resolver_options){0});
    CHECK_TRUE("not asked", getenv("RES_OPTIONS") == NULL);
    net_resolver_close(&resolver);
    CHECK_OK("open", net_resolver_open(&system, &resolver, &err), &err);
    CHECK_TEXT("set", getenv("RES_OPTIONS"), "timeout:1 attempts:2");
    net_resolver_close(&resolver);
    (void)setenv("RES_OPTIONS", given, 1);
    CHECK_OK("open", net_resolver_open(&system, &resolver, &err), &err);
    CHECK_TEXT("kept", getenv("RES_OPTIONS"), given);
    net_resolver_close(&resolver);
    (void)unsetenv("RES_OPTIONS");
}

CHECK_MAIN(CHECK_TEST(test_patience), CHECK_TEST(test_threads),
           CHECK_TEST(test_threads_come_and_go), CHECK_TEST(test_overrides),
           CHECK_TEST(test_bad_overrides), CHECK_TEST(test_names), CHECK_TEST(test_cache),
           CHECK_TEST(test_cache_is_bounded), CHECK_TEST(test_negative),
           CHECK_TEST(test_answers), CHECK_TEST(test_deadline), CHECK_TEST(test_sharing),
           CHECK_TEST(test_queue_full), CHECK_TEST(test_owners), CHECK_TEST(test_owner_max),
           CHECK_TEST(test_close_while_hanging), CHECK_TEST(test_close_idle),
           CHECK_TEST(test_system))
