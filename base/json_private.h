/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the json_*.c files alone. "Raw" is the inside of a JSON string as it
 * stands in the text: between the quotes, escapes not yet decoded. */
#ifndef ARKGATE_BASE_JSON_PRIVATE_H
#define ARKGATE_BASE_JSON_PRIVATE_H

#include "base/base.h"

enum {
    /* cJSON copies a number into 64 bytes with a NUL and stops there. */
    JSON_NUMBER_BYTES_MAX = 63,
    /* Decoded bytes looked at in one go; at least 4, one code point. */
    JSON_CHUNK_BYTES = 256
};

/* json_scan.c ---------------------------------------------------------- */

/* How many bytes from ptr on are ASCII that needs no escape in a string. */
size_t json_scan_plain(const char *ptr, size_t len);
/* Length of the well-formed UTF-8 sequence at ptr (1 to 4); 0 when there is none. */
size_t json_scan_utf8(const char *ptr, size_t len);
/* The first position from pos on that holds no white space. */
size_t json_scan_space(struct str text, size_t pos);
/* The position behind the string whose opening quote is at pos. */
size_t json_scan_string(struct str text, size_t pos);
/* The position behind the value that starts at pos. Never recurses. */
size_t json_scan_value(struct str text, size_t pos);
/* Decodes from *pos on into dst as many whole code points as size (>= 4) allows,
 * moves *pos behind them and returns their bytes; 0 at the end. Where it stops
 * depends on the decoded text alone, not on how that was escaped. */
size_t json_scan_decode(struct str raw, size_t *pos, char *dst, size_t size);
/* Bytes of the whole decoded text. */
size_t json_scan_decoded_len(struct str raw);
/* Whether two raw texts mean the same. */
bool json_scan_same(struct str a, struct str b);

/* json_names.c --------------------------------------------------------- */

/* Open addressing, at most half full; its size is a power of two. A gated text
 * never puts in more than JSON_NODES_MAX names. Starts zeroed. */
struct json_names {
    struct json_name_slot *slots;
    size_t size;
    size_t used;
};

enum json_name_result { JSON_NAME_NEW, JSON_NAME_DUPLICATE, JSON_NAME_NO_MEMORY };

void json_names_fini(struct json_names *names);
/* Adds a raw name, which must stay where it is, to the object of that number. */
enum json_name_result json_names_add(struct json_names *names, uint32_t object, struct str raw);

/* json_read.c ---------------------------------------------------------- */

struct json_doc;
struct json_value;

/* json_text_head without the arena: a head that must be decoded goes to dst, of
 * max bytes. The value must be a string. */
struct str json_head_copy(const struct json_doc *doc, const struct json_value *value, char *dst,
                          size_t max);

/* json_write.c --------------------------------------------------------- */

/* Appends text as a JSON string, quotes and all. */
void json_put_quoted(struct buf *buf, struct str text);

#endif
