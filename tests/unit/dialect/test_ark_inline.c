/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters at a prompt's end: which words are read, from where on, and which of
 * several counts. */
#include "gateway/dialect/ark_parts.h"

#include "tests/lib/check.h"

#define NONE (-77)

struct row {
    const char *prompt;
    const char *resolution, *ratio; /* "": none */
    int64_t duration, frames, seed; /* NONE: none */
};

static void check_row(const struct row *row)
{
    struct draft_inline found = {0};

    (void)ark_inline_read(str_from(row->prompt), &found);
    CHECK_TRUE(row->prompt, str_is(found.resolution, row->resolution));
    CHECK_TRUE(row->prompt, str_is(found.ratio, row->ratio));
    CHECK_INT(row->prompt, found.has_duration ? found.duration : NONE, row->duration);
    CHECK_INT(row->prompt, found.has_frames ? found.frames : NONE, row->frames);
    CHECK_INT(row->prompt, found.has_seed ? found.seed : NONE, row->seed);
}

static void test_rows(void)
{
    static const struct row rows[] = {
        {"", "", "", NONE, NONE, NONE},
        {"   ", "", "", NONE, NONE, NONE},
        {"a cat", "", "", NONE, NONE, NONE},
        /* every name */
        {"a cat --rs 720p", "720p", "", NONE, NONE, NONE},
        {"a cat --resolution 720p", "720p", "", NONE, NONE, NONE},
        {"a cat --rt 9:16", "", "9:16", NONE, NONE, NONE},
        {"a cat --ratio adaptive", "", "adaptive", NONE, NONE, NONE},
        {"a cat --dur 5", "", "", 5, NONE, NONE},
        {"a cat --duration 5", "", "", 5, NONE, NONE},
        {"a cat --frames 29", "", "", NONE, 29, NONE},
        {"a cat --seed 42", "", "", NONE, NONE, 42},
        /* names that cost nothing are stepped over */
        {"a cat --rs 720p --fps 24 --framespersecond 24 --cf true --camerafixed false --wm true"
         " --watermark false",
         "720p", "", NONE, NONE, NONE},
        {"a cat --rs 720p --unknown x", "", "", NONE, NONE, NONE},
        /* all at once, in any order, with any blanks */
        {"a cat --seed -1 --dur -1 --rt 1:1 --rs 4K --frames 33", "4K", "1:1", -1, 33, -1},
        {"a cat\n--rs\t480p\r\n--dur \x0b 7\x0c ", "480p", "", 7, NONE, NONE},
        {"--rs 720p", "720p", "", NONE, NONE, NONE},
        {"  --dur   12  ", "", "", 12, NONE, NONE},
        /* only at the end */
        {"--rs 720p a cat", "", "", NONE, NONE, NONE},
        {"a cat --rs 720p is loud", "", "", NONE, NONE, NONE},
        {"a cat --rs 720p meows --dur 5", "", "", 5, NONE, NONE},
        {"a cat --rs 720p, --dur 5.", "720p,", "", NONE, NONE, NONE},
        /* a name without its value, and half a name */
        {"a cat --rs", "", "", NONE, NONE, NONE},
        {"--rs", "", "", NONE, NONE, NONE},
        {"a cat --rs --dur 5", "", "", 5, NONE, NONE},
        {"a cat -- rs 720p", "", "", NONE, NONE, NONE},
        {"a cat -rs 720p", "", "", NONE, NONE, NONE},
        {"a cat --RS 720p", "", "", NONE, NONE, NONE},
        {"a cat --rs=720p", "", "", NONE, NONE, NONE},
        {"a cat --rs720p --dur 5", "", "", 5, NONE, NONE},
        {"a cat -- 720p", "", "", NONE, NONE, NONE},
        /* the last word on a name counts, also under its other name */
        {"a cat --dur 5 --dur 9", "", "", 9, NONE, NONE},
        {"a cat --dur 5 --duration 9", "", "", 9, NONE, NONE},
        {"a cat --duration 9 --dur 5", "", "", 5, NONE, NONE},
        {"a cat --rs 480p --dur 5 --rs 1080p", "1080p", "", 5, NONE, NONE},
        /* and when it is none, nothing does */
        {"a cat --dur 5 --dur long", "", "", NONE, NONE, NONE},
        {"a cat --dur 5s", "", "", NONE, NONE, NONE},
        {"a cat --dur 5.0", "", "", NONE, NONE, NONE},
        {"a cat --dur 0x5", "", "", NONE, NONE, NONE},
        {"a cat --seed 9223372036854775807", "", "", NONE, NONE, INT64_MAX},
        {"a cat --seed 9223372036854775808", "", "", NONE, NONE, NONE},
        {"a cat --seed 000000000000000000000000000000042", "", "", NONE, NONE, NONE},
        /* other scripts before it */
        {"\xe4\xb8\x80\xe5\x8f\xaa\xe7\x8c\xab --rs 720p", "720p", "", NONE, NONE, NONE},
        {"\xe7\x8c\xab--rs 720p", "", "", NONE, NONE, NONE},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        check_row(&rows[i]);
}

/* What is not there is empty, whatever was there before. */
static void test_what_is_not_there(void)
{
    struct draft_inline found = {.resolution = STR("720p"), .has_seed = true, .seed = 1};

    CHECK_TRUE("one way to read it", ark_inline_read(STR("a cat --dur 5"), &found));
    CHECK_TRUE("resolution", found.resolution.len == 0);
    CHECK_TRUE("seed", !found.has_seed);
    CHECK_TRUE("duration", found.has_duration && found.duration == 5);
}

/* Whether a word that is no parameter ends the run makes a difference, or none. */
static void test_two_ways_to_read_it(void)
{
    static const struct {
        const char *prompt;
        bool certain;
    } rows[] = {
        {"a cat", true},
        {"a --foo x", true},
        {"a --foo x --rs 4k", true},
        {"a --rs 4k --foo x", false},
        {"a --dur 5 --foo x --rs 4k", false},
        {"a --rs 4k --foo x --rs 4k", true},
        {"a --rs 480p --foo x --rs 4k", true},
        {"a --seed 5 --foo x", true}, /* costs nothing */
        {"a --wm true --foo x", true},
        {"a --frames 29 --foo x", false},
        {"a --rs 4k -- x", true}, /* no name at all */
        {"a --rs 4k --- x", true},
        {"a --rs 4k and then --foo x", true},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct draft_inline found;

        CHECK_INT(rows[i].prompt, ark_inline_read(str_from(rows[i].prompt), &found),
                  rows[i].certain);
    }
}

static void test_very_many(void)
{
    CLEANUP(buf_fini) struct buf prompt = {0};
    struct draft_inline found = {0};

    buf_init(&prompt, 1 << 20);
    buf_puts(&prompt, "a cat --rs 480p --dur 7");
    for (int i = 0; i < 31; i++)
        buf_puts(&prompt, " --wm true");
    (void)ark_inline_read(buf_str(&prompt), &found);
    CHECK_TRUE("the 32nd is read", found.has_duration && found.duration == 7);
    CHECK_TRUE("the 33rd too", str_is(found.resolution, "480p"));
    for (int i = 0; i < 50000; i++)
        buf_puts(&prompt, " --wm true");
    found = (struct draft_inline){0};
    (void)ark_inline_read(buf_str(&prompt), &found);
    CHECK_TRUE("however many", found.has_duration && found.duration == 7);
}

/* A text is not ended by a NUL of its own. */
static void test_borrowed_bytes(void)
{
    static const char text[] = {'-', '-', 'd', 'u', 'r', ' ', '5', '9', '9'};
    struct draft_inline found = {0};

    (void)ark_inline_read((struct str){text, 7}, &found);
    CHECK_TRUE("cut", found.has_duration && found.duration == 5);
}

CHECK_MAIN(CHECK_TEST(test_rows), CHECK_TEST(test_what_is_not_there),
           CHECK_TEST(test_two_ways_to_read_it), CHECK_TEST(test_very_many),
           CHECK_TEST(test_borrowed_bytes))
