/* SPDX-License-Identifier: Apache-2.0 */
/* Settings: what each source may say, where an error is said to be, and that
 * no message repeats a value. */
#include "base/config.h"
#include "tests/lib/check.h"

#include <stdlib.h>
#include <unistd.h>

struct settings {
    char listen[16];
    int64_t workers;
    bool debug;
    int64_t keep_us;
    int64_t body_bytes;
};

#define KEY(member, type, min, max, def)                                  \
    {                                                                     \
#member, type, offsetof(struct settings, member),                 \
            sizeof(((struct settings *)0)->member), min, max, def, "help" \
    }

static const struct config_key keys[] = {
    KEY(listen, CONFIG_TEXT, 0, 0, "127.0.0.1:8080"),
    KEY(workers, CONFIG_INT, -5, 4096, "1024"),
    KEY(debug, CONFIG_BOOL, 0, 0, "off"),
    KEY(keep_us, CONFIG_DURATION, 1000, 86400000000, "10m"),
    KEY(body_bytes, CONFIG_SIZE, 0, 67108864, "64MiB"),
};

static struct settings defaults(void)
{
    struct settings settings;

    memset(&settings, 0xff, sizeof(settings));
    config_defaults(keys, COUNT_OF(keys), &settings);
    return settings;
}

static void test_defaults(void)
{
    struct settings settings = defaults();

    CHECK_TEXT("text", settings.listen, "127.0.0.1:8080");
    CHECK_INT("int", settings.workers, 1024);
    CHECK_INT("bool", settings.debug, false);
    CHECK_INT("duration", settings.keep_us, 600000000);
    CHECK_INT("size", settings.body_bytes, 67108864);
}

static void test_duration(void)
{
    static const struct {
        const char *text;
        int64_t us; /* -1: refused */
    } rows[] = {
        {"90d", 7776000000000},
        {"24h", 86400000000},
        {"10m", 600000000},
        {"3s", 3000000},
        {"500ms", 500000},
        {"250us", 250},
        {"0s", 0},
        {"106751991d", 9223372022400000000},
        {"106751992d", -1},
        {"9223372036854775808us", -1},
        {"", -1},
        {"5", -1},
        {"s", -1},
        {"-5s", -1},
        {"+5s", -1},
        {"5 s", -1},
        {" 5s", -1},
        {"5s ", -1},
        {"5S", -1},
        {"5.5s", -1},
        {"1h30m", -1},
        {"5min", -1},
        {"0x5s", -1},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t us = -2;
        bool is = config_duration(str_from(rows[i].text), &us);

        CHECK_INT(rows[i].text, is, rows[i].us >= 0);
        if (is)
            CHECK_INT(rows[i].text, us, rows[i].us);
    }
}

static void test_set(void)
{
    static const struct {
        const char *name, *value;
        bool ok;
        int64_t number; /* what the member then is, unless it is text */
        const char *msg;
    } rows[] = {
        {"listen", "", true, 0, NULL},
        {"listen", "123456789012345", true, 0, NULL},
        {"listen", "1234567890123456", false, 0, "listen must be at most 15 bytes"},
        {"listen", "a\nb", false, 0, "listen must be UTF-8 without control characters"},
        {"listen", "a\xff", false, 0, "listen must be UTF-8 without control characters"},
        {"workers", "-5", true, -5, NULL},
        {"workers", "4096", true, 4096, NULL},
        {"workers", "4097", false, 0, "workers must be a whole number, from -5 to 4096"},
        {"workers", "-6", false, 0, "workers must be a whole number, from -5 to 4096"},
        {"workers", "7x", false, 0, "workers must be a whole number, from -5 to 4096"},
        {"workers", "", false, 0, "workers must be a whole number, from -5 to 4096"},
        {"debug", "true", true, 1, NULL},
        {"debug", "on", true, 1, NULL},
        {"debug", "yes", true, 1, NULL},
        {"debug", "1", true, 1, NULL},
        {"debug", "no", true, 0, NULL},
        {"debug", "0", true, 0, NULL},
        {"debug", "TRUE", false, 0, "debug must be true or false"},
        {"debug", "2", false, 0, "debug must be true or false"},
        {"keep_us", "1ms", true, 1000, NULL},
        {"keep_us", "1d", true, 86400000000, NULL},
        {"keep_us", "999us", false, 0,
         "keep_us must be a duration such as 500ms, 3s, 10m or 7d, from 1ms to 1d"},
        {"keep_us", "25h", false, 0,
         "keep_us must be a duration such as 500ms, 3s, 10m or 7d, from 1ms to 1d"},
        {"body_bytes", "0", true, 0, NULL},
        {"body_bytes", "100", true, 100, NULL},
        {"body_bytes", "7B", true, 7, NULL},
        {"body_bytes", "256kB", true, 256000, NULL},
        {"body_bytes", "3KiB", true, 3072, NULL},
        {"body_bytes", "2MB", true, 2000000, NULL},
        {"body_bytes", "64MiB", true, 67108864, NULL},
        {"body_bytes", "65MiB", false, 0,
         "body_bytes must be a size such as 100, 256kB or 64MiB, from 0B to 64MiB"},
        {"body_bytes", "9999999TiB", false, 0,
         "body_bytes must be a size such as 100, 256kB or 64MiB, from 0B to 64MiB"},
        {"body_bytes", "1KB", false, 0,
         "body_bytes must be a size such as 100, 256kB or 64MiB, from 0B to 64MiB"},
        {"body_bytes", "-1", false, 0,
         "body_bytes must be a size such as 100, 256kB or 64MiB, from 0B to 64MiB"},
        {"worker", "5", false, 0, "worker is not a known setting"},
        {"", "5", false, 0, " is not a known setting"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct settings settings = defaults(), before = settings;
        struct err err = {0};
        enum err_code rc =
            config_set(keys, COUNT_OF(keys), rows[i].name, rows[i].value, &settings, &err);

        CHECK_INT(rows[i].value, rc, rows[i].ok ? ERR_OK : ERR_CONFIG);
        if (rc != ERR_OK) {
            CHECK_TEXT(rows[i].value, err.msg, rows[i].msg);
            CHECK_INT(rows[i].value, settings.workers, before.workers);
            CHECK_TEXT(rows[i].value, settings.listen, before.listen);
        } else if (strcmp(rows[i].name, "listen") == 0) {
            CHECK_TEXT(rows[i].value, settings.listen, rows[i].value);
        } else {
            int64_t got = rows[i].name[0] == 'w'   ? settings.workers
                          : rows[i].name[0] == 'd' ? settings.debug
                          : rows[i].name[0] == 'k' ? settings.keep_us
                                                   : settings.body_bytes;
            CHECK_INT(rows[i].value, got, rows[i].number);
        }
    }
}

/* --- files ------------------------------------------------------------------ */

static enum err_code read_text(const char *text, size_t len, struct settings *settings,
                               struct err *err)
{
    char path[] = "/tmp/arkgate-test-config-XXXXXX";
    int fd = mkstemp(path);
    enum err_code rc;

    CHECK_TRUE("file", fd >= 0 && write(fd, text, len) == (ssize_t)len);
    rc = config_file(keys, COUNT_OF(keys), path, settings, err);
    (void)close(fd);
    (void)unlink(path);
    if (rc != ERR_OK && strncmp(err->msg, path, strlen(path)) == 0)
        memmove(err->msg, err->msg + strlen(path), strlen(err->msg) - strlen(path) + 1);
    return rc;
}

static void test_file(void)
{
    static const char text[] = "# a comment\n"
                               "listen: \"[::1]:80\"\n"
                               "workers: 12   # twelve\n"
                               "debug: yes\n"
                               "\n"
                               "keep_us: 3s\n"
                               "body_bytes: 256kB\n";
    struct settings settings = defaults();
    struct err err = {0};

    CHECK_OK("file", read_text(text, strlen(text), &settings, &err), &err);
    CHECK_TEXT("listen", settings.listen, "[::1]:80");
    CHECK_INT("workers", settings.workers, 12);
    CHECK_INT("debug", settings.debug, true);
    CHECK_INT("keep", settings.keep_us, 3000000);
    CHECK_INT("body", settings.body_bytes, 256000);
}

static void test_good_files(void)
{
    static const char *const texts[] = {
        "",           "# nothing\n",     "---\n",
        "--- {}\n",   "{workers: 1024}", "workers: 1024",
        "listen: ''", "listen: 'null'",  "---\nworkers: 1024\n...\n",
    };

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct settings settings = defaults();
        struct err err = {0};

        if (strcmp(texts[i], "---\n") == 0) /* an empty document is not a mapping */
            CHECK_INT(texts[i], read_text(texts[i], 4, &settings, &err), ERR_CONFIG);
        else
            CHECK_OK(texts[i], read_text(texts[i], strlen(texts[i]), &settings, &err), &err);
        CHECK_INT(texts[i], settings.workers, 1024);
    }
}

static void test_bad_files(void)
{
    static const struct {
        const char *text, *msg; /* msg without the path; a final * leaves the rest open */
    } rows[] = {
        {"worker: 1\n", ":1:1: worker is not a known key"},
        {"debug: no\n  \nworker: 1\n", ":3:1: worker is not a known key"},
        {"workers: 1\ndebug: no\nworkers: 2\n", ":3:1: workers stands here a second time"},
        {"workers: 1\n\"workers\": 1\n", ":2:2: workers stands here a second time"},
        {"workers: 99999\n", ":1:10: workers must be a whole number, from -5 to 4096"},
        {"debug: no\nworkers: secret\n",
         ":2:10: workers must be a whole number, from -5 to 4096"},
        {"workers:\n", ":1:* workers has no value"},
        {"workers: ~\n", ":1:10: workers has no value"},
        {"listen: null\n", ":1:9: listen has no value"},
        {"listen: \"a\\0b\"\n", ":1:10: listen must be UTF-8 without control characters"},
        {"workers: [1]\n", ":1:10: workers must be a single value"},
        {"workers:\n  a: 1\n", ":2:3: workers must be a single value"},
        {"listen: &x a\n", ":1:* listen must have no anchor and no tag"},
        {"&x listen: a\n", ":1:* a key must have no anchor and no tag"},
        {"listen: *x\n", ":1:*"},
        {"workers: !!int 5\n", ":1:* workers must have no anchor and no tag"},
        {"&x {workers: 5}\n", ":1:* expected lines of the form \"key: value\""},
        {"<<: {workers: 5}\n", ":1:1: << is not a known key"},
        {"? [a]\n: 5\n", ":1:3: a key must be a single value"},
        {"- workers\n", ":1:1: expected lines of the form \"key: value\""},
        {"workers\n", ":1:1: expected lines of the form \"key: value\""},
        {"workers: 5\n---\nworkers: 6\n", ":2:1: a second document is not allowed"},
        {"workers: 5\ndebug: \"no\n", ":2:*"},
        {"workers: 5\n  debug: no\n", ":1:10: *"},
        {"workers: 5\n\tdebug: no\n", ":*"},
        {"workers: 5\n}\n", ":2:*"},
        {"listen: \xff\n", ": not UTF-8"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct settings settings = defaults();
        struct err err = {0};
        const char *star = strchr(rows[i].msg, '*');
        enum err_code rc = read_text(rows[i].text, strlen(rows[i].text), &settings, &err);

        CHECK_INT(rows[i].text, rc, ERR_CONFIG);
        CHECK_TRUE(rows[i].text, strstr(err.msg, "secret") == NULL);
        if (star == NULL)
            CHECK_TEXT(rows[i].text, err.msg, rows[i].msg);
        else if (strncmp(err.msg, rows[i].msg, (size_t)(star - rows[i].msg)) != 0 ||
                 strstr(err.msg, star + 1) == NULL)
            CHECK_FAILED(rows[i].text, "\"%s\" is not like \"%s\"", err.msg, rows[i].msg);
    }
}

static void test_odd_files(void)
{
    enum { BIG = (1 << 20) + 1 };
    struct settings settings = defaults();
    struct err err = {0};
    char *text = malloc(BIG);

    memset(text, '#', BIG);
    CHECK_OK("1 MiB", read_text(text, BIG - 1, &settings, &err), &err);
    CHECK_INT("over 1 MiB", read_text(text, BIG, &settings, &err), ERR_CONFIG);
    CHECK_TEXT("over 1 MiB", err.msg, ": larger than 1 MiB");
    memset(text, '[', BIG);
    CHECK_INT("deep", read_text(text, BIG - 1, &settings, &err), ERR_CONFIG);
    memcpy(text, "workers: ", 9);
    CHECK_INT("deep value", read_text(text, BIG - 1, &settings, &err), ERR_CONFIG);
    memset(text + 9, '0', BIG - 9);
    CHECK_OK("long zero", read_text(text, 20, &settings, &err), &err);
    free(text);

    CHECK_INT("missing", config_file(keys, COUNT_OF(keys), "/tmp/no/such", &settings, &err),
              ERR_CONFIG);
    CHECK_TEXT("missing", err.msg, "/tmp/no/such: No such file or directory");
    CHECK_INT("folder", config_file(keys, COUNT_OF(keys), "/tmp", &settings, &err), ERR_CONFIG);
    CHECK_TEXT("folder", err.msg, "/tmp: Is a directory");
}

/* --- environment -------------------------------------------------------------- */

/* What the caller of this program has set is none of the rows' business. */
static void clear_arkgate_variables(void)
{
    for (char **entry = environ; *entry != NULL;) {
        char name[128];

        if (strncmp(*entry, "ARKGATE", 7) != 0 ||
            !str_copy(name, sizeof(name), (struct str){*entry, strcspn(*entry, "=")})) {
            entry++;
            continue;
        }
        (void)unsetenv(name); /* moves the later ones down */
    }
}

static void test_environment(void)
{
    static const char *const others[] = {"ARKGATE_FAULT", NULL};
    static const struct {
        const char *name, *value, *msg; /* NULL: accepted */
    } rows[] = {
        {"ARKGATE_WORKERS", "7", NULL},
        {"ARKGATE_BODY_BYTES", "1MiB", NULL},
        {"ARKGATE_LISTEN", "", NULL},
        {"ARKGATE_FAULT", "anything", NULL},
        {"ARKGATES", "anything", NULL},
        {"ARKGATE_workers", "7", "environment: ARKGATE_workers is not a known setting"},
        {"ARKGATE_WORKERS_FILE", "/x",
         "environment: ARKGATE_WORKERS_FILE is not a known "
         "setting"},
        {"ARKGATE_WORKER", "7", "environment: ARKGATE_WORKER is not a known setting"},
        {"ARKGATE_", "7", "environment: ARKGATE_ is not a known setting"},
        {"ARKGATE_DEBUG", "", "environment: ARKGATE_DEBUG must be true or false"},
        {"ARKGATE_WORKERS", "secret",
         "environment: ARKGATE_WORKERS must be a whole number, from -5 to 4096"},
    };

    clear_arkgate_variables();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct settings settings = defaults();
        struct err err = {0};
        enum err_code rc;

        (void)setenv(rows[i].name, rows[i].value, 1);
        rc = config_environment(keys, COUNT_OF(keys), others, &settings, &err);
        (void)unsetenv(rows[i].name);
        CHECK_INT(rows[i].name, rc, rows[i].msg == NULL ? ERR_OK : ERR_CONFIG);
        if (rc != ERR_OK)
            CHECK_TEXT(rows[i].name, err.msg, rows[i].msg);
        CHECK_INT(rows[i].name, settings.workers, i == 0 ? 7 : 1024);
    }
}

CHECK_MAIN(CHECK_TEST(test_defaults), CHECK_TEST(test_duration), CHECK_TEST(test_set),
           CHECK_TEST(test_file), CHECK_TEST(test_good_files), CHECK_TEST(test_bad_files),
           CHECK_TEST(test_odd_files), CHECK_TEST(test_environment))
