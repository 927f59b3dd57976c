/* SPDX-License-Identifier: Apache-2.0 */
/* What the fuzz targets share. A target is a program with LLVMFuzzerTestOneInput: libFuzzer's
 * or replay.c's main calls it. A broken promise is a failed ASSERT. */
#ifndef ARKGATE_TESTS_FUZZ_H
#define ARKGATE_TESTS_FUZZ_H

#include "base/json.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Is inner a part of outer's bytes? Empty text may stand anywhere. */
static inline bool fuzz_within(struct str outer, struct str inner)
{
    return inner.len == 0 || (inner.ptr >= outer.ptr && inner.len <= outer.len &&
                              inner.ptr + inner.len <= outer.ptr + outer.len);
}

/* What goes out when slices are sent; the caller's to free. */
static inline char *fuzz_join(const struct json_slices *slices)
{
    char *text = malloc(slices->len + 1), *end = text;

    ASSERT(text != NULL);
    for (size_t i = 0; i < slices->count; i++) {
        if (slices->items[i].len > 0)
            memcpy(end, slices->items[i].ptr, slices->items[i].len);
        end += slices->items[i].len;
    }
    ASSERT((size_t)(end - text) == slices->len);
    return text;
}

/* What a refusal owes: a text to show, in UTF-8 all of it. */
static inline void fuzz_check_err(const struct err *err)
{
    ASSERT(err->code != ERR_OK && (err->msg[0] != '\0' || err->detail[0] != '\0'));
    ASSERT(str_is_utf8(str_from(err->msg)) && str_is_utf8(str_from(err->field)));
}

#endif
