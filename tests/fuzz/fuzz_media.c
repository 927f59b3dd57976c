/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target for what is read of a tenant's media file without a decoder: its first bytes,
 * a picture's header, and what ffprobe printed of it. The first byte chooses. */
#include "assetlib/media_private.h"
#include "assetlib/probe/probe_private.h"
#include "tests/fuzz/fuzz.h"

static const char *const images[] = {"jpeg", "png", "webp", "bmp", "tiff", "gif", "heic"};

static void read_facts(enum media_type type, struct str json)
{
    struct media_facts facts = {.type = type, .format = type == MEDIA_VIDEO ? "mp4" : "wav"};
    struct media_verdict verdict;
    struct err err = {0};

    if (media_read_facts(json, &facts, &err) != ERR_OK) {
        ASSERT(err.code == ERR_INVALID);
        fuzz_check_err(&err);
        return;
    }
    ASSERT(facts.width >= 0 && facts.height >= 0 && facts.channels >= 0);
    ASSERT(facts.duration_ms >= 0 && facts.claimed_ms >= 0 && facts.fps_milli >= 0);
    rules_judge(&facts, 1, &rules_default, &verdict);
    ASSERT(verdict.failed == (verdict.code[0] != '\0') &&
           str_is_utf8(str_from(verdict.message)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data + 1, size - 1};
    struct probe_size picture;

    if (size == 0)
        return 0;
    if (data[0] == 'v' || data[0] == 'a') {
        read_facts(data[0] == 'v' ? MEDIA_VIDEO : MEDIA_AUDIO, rest);
        return 0;
    }
    const struct media_format *format = media_format_of(rest);
    ASSERT(format == NULL || media_format_find(format->name) == format);
    if (probe_image_read(images[data[0] % COUNT_OF(images)],
                         (struct probe_bytes){data + 1, size - 1}, &picture))
        ASSERT(picture.width > 0 && picture.height > 0);
    return 0;
}
