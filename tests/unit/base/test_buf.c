/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers at their maximum. */
#include "base/base.h"
#include "tests/lib/check.h"

static void test_up_to_the_maximum(void)
{
    static const size_t maxima[] = {0, 1, 255, 256, 257, 100000};

    for (size_t i = 0; i < COUNT_OF(maxima); i++) {
        CLEANUP(buf_fini) struct buf buf = {0};

        buf_init(&buf, maxima[i]);
        for (size_t at = 0; at < maxima[i]; at++)
            buf_put(&buf, "x", 1);
        CHECK_TRUE("as many as may be", !buf.failed && buf.len == maxima[i]);
        buf_put(&buf, "", 0);
        CHECK_TRUE("nothing more", !buf.failed);
        buf_put(&buf, "x", 1);
        CHECK_TRUE("not one more", buf.failed && buf.len == maxima[i]);
    }
}

/* No number is behind the last one: the byte for its end must not make the room 0. */
static void test_without_a_maximum(void)
{
    CLEANUP(buf_fini) struct buf buf = {0};

    buf_init(&buf, SIZE_MAX);
    for (int i = 0; i < 1000; i++)
        buf_puts(&buf, "ab");
    CHECK_TRUE("kept", !buf.failed && buf.len == 2000 && buf.cap > 2000);
}

CHECK_MAIN(CHECK_TEST(test_up_to_the_maximum), CHECK_TEST(test_without_a_maximum))
