/* SPDX-License-Identifier: Apache-2.0 */
/* The "--name value" pairs that end a prompt: which there are. What a value
 * means, and that a wrong one means nothing, sim_picture.c decides. */
#include "gateway/sim/sim_parts.h"

#include <string.h>

static const struct {
    const char *name;
    enum sim_inline which;
} names[] = {
    {"--rs", SIM_INLINE_RESOLUTION}, {"--resolution", SIM_INLINE_RESOLUTION},
    {"--rt", SIM_INLINE_RATIO},      {"--ratio", SIM_INLINE_RATIO},
    {"--dur", SIM_INLINE_DURATION},  {"--duration", SIM_INLINE_DURATION},
    {"--frames", SIM_INLINE_FRAMES}, {"--seed", SIM_INLINE_SEED},
    {"--cf", SIM_INLINE_CAMERA},     {"--camerafixed", SIM_INLINE_CAMERA},
    {"--fps", SIM_INLINE_IGNORED},   {"--framespersecond", SIM_INLINE_IGNORED},
    {"--wm", SIM_INLINE_IGNORED},    {"--watermark", SIM_INLINE_IGNORED},
};

/* The simulator's own markers are no part of the prompt, wherever they stand. */
static struct str without_markers(struct str prompt)
{
    static const char opening[] = "[sim:";

    for (;;) {
        size_t at = prompt.len;

        prompt = str_trim(prompt);
        at = prompt.len;
        if (at == 0 || prompt.ptr[at - 1] != ']')
            return prompt;
        while (at > 0 && prompt.ptr[at - 1] != '[')
            at--;
        if (at == 0 || prompt.len - at + 1 < sizeof(opening) - 1 ||
            memcmp(prompt.ptr + at - 1, opening, sizeof(opening) - 1) != 0)
            return prompt;
        prompt.len = at - 1;
    }
}

/* Cuts the last word off. */
static struct str last_word(struct str *text)
{
    size_t end = text->len, at;

    while (end > 0 && (uint8_t)text->ptr[end - 1] <= ' ')
        end--;
    for (at = end; at > 0 && (uint8_t)text->ptr[at - 1] > ' '; at--)
        continue;
    text->len = at;
    return (struct str){text->ptr + at, end - at};
}

void sim_inline_read(struct str prompt, struct str values[SIM_INLINE_COUNT])
{
    struct str rest = without_markers(prompt);

    for (;;) {
        struct str value = last_word(&rest), name = last_word(&rest);
        size_t i = 0;

        while (i < COUNT_OF(names) && !str_is(name, names[i].name))
            i++;
        if (i == COUNT_OF(names))
            return;
        /* From the end: the last of a name counts. */
        if (values[names[i].which].len == 0)
            values[names[i].which] = value;
    }
}
