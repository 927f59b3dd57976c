/* SPDX-License-Identifier: Apache-2.0 */
/* Checks for unit tests. A failed check is printed and counted; the test goes
 * on. CHECK_MAIN runs the tests by name and closes with "N passed, N failed". */
#ifndef ARKGATE_TESTS_CHECK_H
#define ARKGATE_TESTS_CHECK_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static int check_failures; /* of the running test */

#define CHECK_FAILED(what, fmt, ...) \
    (check_failures++,               \
     (void)fprintf(stderr, "%s:%d: %s: " fmt "\n", __FILE__, __LINE__, (what), __VA_ARGS__))

#define CHECK_TRUE(what, cond)                        \
    do {                                              \
        if (!(cond))                                  \
            CHECK_FAILED(what, "expected %s", #cond); \
    } while (0)

#define CHECK_INT(what, got, want)                                                         \
    do {                                                                                   \
        int64_t got_ = (int64_t)(got), want_ = (int64_t)(want);                            \
        if (got_ != want_)                                                                 \
            CHECK_FAILED(what, "%s is %" PRId64 ", expected %" PRId64, #got, got_, want_); \
    } while (0)

#define CHECK_TEXT(what, got, want)                                   \
    do {                                                              \
        const char *got_ = (got), *want_ = (want);                    \
        if (got_ == NULL || strcmp(got_, want_) != 0)                 \
            CHECK_FAILED(what, "%s is \"%s\", expected \"%s\"", #got, \
                         got_ == NULL ? "(null)" : got_, want_);      \
    } while (0)

/* For calls that must succeed: prints the error's text. */
#define CHECK_OK(what, call, err)                                                \
    do {                                                                         \
        enum err_code rc_ = (call);                                              \
        if (rc_ != ERR_OK)                                                       \
            CHECK_FAILED(what, "%s: %s (%s)", #call, (err)->msg, (err)->detail); \
    } while (0)

struct check_test {
    const char *name;
    void (*run)(void);
};

#define CHECK_MAIN(...)                                                        \
    int main(int argc, char **argv)                                            \
    {                                                                          \
        static const struct check_test tests[] = {__VA_ARGS__};                \
        int passed = 0, failed = 0;                                            \
        for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {        \
            if (argc > 1 && strcmp(argv[1], tests[i].name) != 0)               \
                continue;                                                      \
            check_failures = 0;                                                \
            tests[i].run();                                                    \
            if (check_failures == 0)                                           \
                passed++;                                                      \
            else                                                               \
                failed++, (void)fprintf(stderr, "FAILED %s\n", tests[i].name); \
        }                                                                      \
        (void)printf("%d passed, %d failed\n", passed, failed);                \
        return failed != 0 || passed == 0;                                     \
    }
#define CHECK_TEST(fn) \
    {                  \
#fn, fn        \
    }

#endif
