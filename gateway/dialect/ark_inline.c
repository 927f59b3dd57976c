/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters at the end of a prompt: "… a quiet harbour --rs 720p --dur 5". Only what
 * changes the price, or what an answer shows, is read; the text goes to Ark as it is.
 * Whether a model takes a value is judged by gateway/task. */
#include "gateway/dialect/ark_parts.h"

/* OTHER: what Ark heeds too, and what costs nothing. */
enum inline_name { RESOLUTION, RATIO, DURATION, FRAMES, SEED, OTHER, INLINE_NAMES };

static const char *const names[INLINE_NAMES][6] = {
    [RESOLUTION] = {"--rs", "--resolution"},
    [RATIO] = {"--rt", "--ratio"},
    [DURATION] = {"--dur", "--duration"},
    [FRAMES] = {"--frames", NULL},
    [SEED] = {"--seed", NULL},
    [OTHER] = {"--fps", "--framespersecond", "--cf", "--camerafixed", "--wm", "--watermark"},
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

/* Cuts the last word off; empty when there is none. */
static struct str cut_last_word(struct str *rest)
{
    struct str text = str_trim(*rest);
    size_t start = text.len;

    while (start > 0 && !is_space(text.ptr[start - 1]))
        start--;
    *rest = (struct str){text.ptr, start};
    return (struct str){text.ptr + start, text.len - start};
}

static bool read_number(struct str value, int64_t *ret_number)
{
    return value.len <= 20 && str_to_i64(value, ret_number);
}

static void take(enum inline_name name, struct str value, struct draft_inline *found)
{
    switch (name) {
    case RESOLUTION:
        found->resolution = value;
        break;
    case RATIO:
        found->ratio = value;
        break;
    case DURATION:
        found->has_duration = read_number(value, &found->duration);
        break;
    case FRAMES:
        found->has_frames = read_number(value, &found->frames);
        break;
    case SEED:
        found->has_seed = read_number(value, &found->seed);
        break;
    case OTHER:
    case INLINE_NAMES:
        break;
    }
}

static enum inline_name name_of(struct str word)
{
    for (int name = 0; name < INLINE_NAMES; name++) {
        for (size_t i = 0; i < COUNT_OF(names[name]) && names[name][i] != NULL; i++) {
            if (str_is(word, names[name][i]))
                return (enum inline_name)name;
        }
    }
    return INLINE_NAMES;
}

/* "--style" as well: how a parameter of some other model looks. */
static bool is_name(struct str word)
{
    return word.len > 2 && word.ptr[0] == '-' && word.ptr[1] == '-' && word.ptr[2] != '-';
}

/* Backwards: the last word on a name is the one that counts, and any other word ends the
 * run; with lenient, only one that does not look like a name does. However many there are:
 * one that is not read is one that is not paid. */
static struct draft_inline read_run(struct str prompt, bool lenient)
{
    bool seen[INLINE_NAMES] = {false};
    struct draft_inline found = {0};

    for (;;) {
        struct str value = cut_last_word(&prompt), word = cut_last_word(&prompt);
        enum inline_name name = name_of(word);

        if (name == INLINE_NAMES && !(lenient && is_name(word)))
            return found;
        if (name == INLINE_NAMES)
            continue;
        if (!seen[name])
            take(name, value, &found);
        seen[name] = true;
    }
}

bool ark_inline_is_priced(const struct draft_inline *found)
{
    return found->resolution.len > 0 || found->ratio.len > 0 || found->has_duration ||
           found->has_frames;
}

bool ark_inline_read(struct str prompt, struct draft_inline *ret_found)
{
    struct draft_inline strict = read_run(prompt, false), lenient = read_run(prompt, true);

    *ret_found = strict;
    return str_eq(strict.resolution, lenient.resolution) &&
           str_eq(strict.ratio, lenient.ratio) && strict.has_duration == lenient.has_duration &&
           strict.has_frames == lenient.has_frames &&
           (!strict.has_duration || strict.duration == lenient.duration) &&
           (!strict.has_frames || strict.frames == lenient.frames);
}
