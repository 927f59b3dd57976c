/* SPDX-License-Identifier: Apache-2.0 */
/* Decides whether a text is JSON that the rest of the process may look at. It
 * builds no tree and knows nothing of what the members mean. */
#include "base/json.h"
#include "base/json_private.h"

#include <stdio.h>
#include <string.h>

_Static_assert(JSON_DEPTH_MAX <= 64, "struct gate keeps one bit per depth in 64");

enum { NAME_SHOWN_BYTES = 40 }; /* of a duplicate member in the message */

enum gate_state { WANT_VALUE, WANT_ITEM, WANT_NAME, WANT_FIRST_NAME, WANT_NEXT, GATE_DONE };

struct gate {
    struct str text;
    size_t pos;
    enum gate_state state;
    size_t values;
    int depth;
    uint64_t is_object;              /* bit depth - 1 */
    uint32_t object[JSON_DEPTH_MAX]; /* number of the object open at depth - 1 */
    uint32_t objects;
    struct json_names names;
    struct err *err;
};

static void gate_fini(struct gate *gate)
{
    json_names_fini(&gate->names);
}

static enum err_code gate_fail(const struct gate *gate, size_t at, const char *reason)
{
    return err_set(gate->err, ERR_INVALID, "the body is not valid JSON: %s at byte %zu", reason,
                   at);
}

/* The byte at pos; -1 at the end. */
static int gate_peek(const struct gate *gate)
{
    return gate->pos < gate->text.len ? (unsigned char)gate->text.ptr[gate->pos] : -1;
}

static enum err_code gate_unexpected(const struct gate *gate)
{
    return gate_fail(gate, gate->pos,
                     gate_peek(gate) < 0 ? "unexpected end" : "unexpected character");
}

static bool gate_in_object(const struct gate *gate)
{
    return gate->depth > 0 && (gate->is_object >> (gate->depth - 1) & 1) != 0;
}

/* The four hex digits behind "\u" at pos; -1 when they are not. */
static int32_t gate_hex(const struct gate *gate, size_t pos)
{
    int32_t code = 0;

    if (gate->text.len - pos < 6)
        return -1;
    for (size_t i = pos + 2; i < pos + 6; i++) {
        char c = gate->text.ptr[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        code = code << 4 | digit;
    }
    return code;
}

static enum err_code gate_unicode_escape(struct gate *gate)
{
    size_t at = gate->pos;
    int32_t code = gate_hex(gate, at);

    if (code < 0)
        return gate_fail(gate, at, "an escape without four hex digits");
    if (code == 0)
        return gate_fail(gate, at, "an escaped NUL character");
    gate->pos += 6;
    if (code < 0xD800 || code > 0xDFFF)
        return ERR_OK;
    if (code < 0xDC00 && gate->text.len - gate->pos >= 6 &&
        memcmp(gate->text.ptr + gate->pos, "\\u", 2) == 0) {
        int32_t low = gate_hex(gate, gate->pos);
        if (low >= 0xDC00 && low <= 0xDFFF) {
            gate->pos += 6;
            return ERR_OK;
        }
    }
    return gate_fail(gate, at, "half a surrogate pair");
}

static enum err_code gate_escape(struct gate *gate)
{
    static const char letters[] = "\"\\/bfnrt";

    if (gate->text.len - gate->pos < 2)
        return gate_fail(gate, gate->text.len, "unexpected end");
    char letter = gate->text.ptr[gate->pos + 1];
    if (letter == 'u')
        return gate_unicode_escape(gate);
    if (memchr(letters, letter, sizeof(letters) - 1) == NULL)
        return gate_fail(gate, gate->pos, "an unknown escape");
    gate->pos += 2;
    return ERR_OK;
}

/* pos is at the opening quote and ends behind the closing one. */
static enum err_code gate_string(struct gate *gate, struct str *ret_raw)
{
    size_t start = ++gate->pos;

    for (;;) {
        const char *from = gate->text.ptr + gate->pos;
        gate->pos += json_scan_plain(from, gate->text.len - gate->pos);
        int c = gate_peek(gate);
        if (c == '"')
            break;
        if (c < 0)
            return gate_unexpected(gate);
        if (c < 0x20)
            return gate_fail(gate, gate->pos, "a control character in a string");
        if (c == '\\') {
            TRY(gate_escape(gate));
            continue;
        }
        for (; c >= 0x80; c = gate_peek(gate)) {
            size_t len = json_scan_utf8(gate->text.ptr + gate->pos, gate->text.len - gate->pos);
            if (len == 0)
                return gate_fail(gate, gate->pos, "invalid UTF-8");
            gate->pos += len;
        }
    }
    *ret_raw = (struct str){gate->text.ptr + start, gate->pos - start};
    gate->pos++;
    return ERR_OK;
}

static enum err_code gate_digits(struct gate *gate)
{
    size_t start = gate->pos;

    while (gate_peek(gate) >= '0' && gate_peek(gate) <= '9')
        gate->pos++;
    return gate->pos > start ? ERR_OK : gate_unexpected(gate);
}

static enum err_code gate_number(struct gate *gate)
{
    if (gate_peek(gate) == '-')
        gate->pos++;
    if (gate_peek(gate) == '0')
        gate->pos++;
    else
        TRY(gate_digits(gate));
    if (gate_peek(gate) == '.') {
        gate->pos++;
        TRY(gate_digits(gate));
    }
    if (gate_peek(gate) == 'e' || gate_peek(gate) == 'E') {
        gate->pos++;
        if (gate_peek(gate) == '+' || gate_peek(gate) == '-')
            gate->pos++;
        TRY(gate_digits(gate));
    }
    return ERR_OK;
}

static enum err_code gate_literal(struct gate *gate, struct str word)
{
    if (gate->text.len - gate->pos < word.len ||
        memcmp(gate->text.ptr + gate->pos, word.ptr, word.len) != 0)
        return gate_unexpected(gate);
    gate->pos += word.len;
    return ERR_OK;
}

static enum err_code gate_open(struct gate *gate, bool is_object)
{
    uint64_t bit;

    if (gate->depth == JSON_DEPTH_MAX) {
        char reason[48];
        (void)snprintf(reason, sizeof(reason), "nesting deeper than %d", JSON_DEPTH_MAX);
        return gate_fail(gate, gate->pos, reason);
    }
    bit = UINT64_C(1) << gate->depth;
    gate->is_object = is_object ? gate->is_object | bit : gate->is_object & ~bit;
    gate->object[gate->depth++] = is_object ? ++gate->objects : 0;
    gate->state = is_object ? WANT_FIRST_NAME : WANT_ITEM;
    gate->pos++;
    return ERR_OK;
}

static void gate_close(struct gate *gate)
{
    gate->depth--;
    gate->pos++;
    gate->state = WANT_NEXT;
}

static enum err_code gate_value(struct gate *gate)
{
    int c = gate_peek(gate);
    struct str raw;

    if (c < 0)
        return gate_unexpected(gate);
    if (++gate->values > JSON_NODES_MAX) {
        char reason[48];
        (void)snprintf(reason, sizeof(reason), "more than %d values", JSON_NODES_MAX);
        return gate_fail(gate, gate->pos, reason);
    }
    gate->state = WANT_NEXT;
    switch (c) {
    case '{':
    case '[':
        return gate_open(gate, c == '{');
    case '"':
        return gate_string(gate, &raw);
    case 't':
        return gate_literal(gate, STR("true"));
    case 'f':
        return gate_literal(gate, STR("false"));
    case 'n':
        return gate_literal(gate, STR("null"));
    default:
        if (c != '-' && (c < '0' || c > '9'))
            return gate_unexpected(gate);
        return gate_number(gate);
    }
}

/* Refuses a name that its object has already. */
static enum err_code gate_remember(struct gate *gate, size_t at, struct str raw)
{
    char shown[NAME_SHOWN_BYTES + 1], reason[NAME_SHOWN_BYTES + 32];

    switch (json_names_add(&gate->names, gate->object[gate->depth - 1], raw)) {
    case JSON_NAME_NEW:
        return ERR_OK;
    case JSON_NAME_NO_MEMORY:
        return err_detail(gate->err, ERR_INTERNAL, "no memory for the member names");
    case JSON_NAME_DUPLICATE:
        break;
    }
    str_copy_cut(shown, sizeof(shown), raw); /* still escaped, so safe to print */
    (void)snprintf(reason, sizeof(reason), "duplicate member \"%s\"", shown);
    return gate_fail(gate, at, reason);
}

static enum err_code gate_name(struct gate *gate)
{
    size_t at = gate->pos;
    struct str raw;

    if (gate_peek(gate) != '"')
        return gate_unexpected(gate);
    TRY(gate_string(gate, &raw));
    TRY(gate_remember(gate, at, raw));
    gate->pos = json_scan_space(gate->text, gate->pos);
    if (gate_peek(gate) != ':')
        return gate_unexpected(gate);
    gate->pos++;
    gate->state = WANT_VALUE;
    return ERR_OK;
}

static enum err_code gate_next(struct gate *gate)
{
    int c = gate_peek(gate);

    if (gate->depth == 0) {
        gate->state = GATE_DONE;
        return c < 0 ? ERR_OK : gate_unexpected(gate);
    }
    if (c == (gate_in_object(gate) ? '}' : ']')) {
        gate_close(gate);
        return ERR_OK;
    }
    if (c != ',')
        return gate_unexpected(gate);
    gate->pos++;
    gate->state = gate_in_object(gate) ? WANT_NAME : WANT_VALUE;
    return ERR_OK;
}

static enum err_code gate_step(struct gate *gate)
{
    bool may_close = gate->state == WANT_ITEM || gate->state == WANT_FIRST_NAME;

    if (may_close && gate_peek(gate) == (gate_in_object(gate) ? '}' : ']')) {
        gate_close(gate);
        return ERR_OK;
    }
    switch (gate->state) {
    case WANT_VALUE:
    case WANT_ITEM:
        return gate_value(gate);
    case WANT_NAME:
    case WANT_FIRST_NAME:
        return gate_name(gate);
    case WANT_NEXT:
    case GATE_DONE:
        break;
    }
    return gate_next(gate);
}

FALLIBLE json_gate(struct str text, struct err *err)
{
    CLEANUP(gate_fini) struct gate gate = {.text = text, .state = WANT_VALUE, .err = err};

    if (text.len >= 3 && memcmp(text.ptr, "\xEF\xBB\xBF", 3) == 0)
        return gate_fail(&gate, 0, "a byte order mark");
    while (gate.state != GATE_DONE) {
        gate.pos = json_scan_space(text, gate.pos);
        TRY(gate_step(&gate));
    }
    return ERR_OK;
}
