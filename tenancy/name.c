/* SPDX-License-Identifier: Apache-2.0 */
/* The one form of names that operators choose: safe in a path, a log line and a
 * shell word, so nothing downstream has to quote it. And what a note may be. */
#include "tenancy/private.h"

#include <string.h>

bool name_is(struct str text, size_t min, size_t max, const char *set)
{
    if (text.len < min || text.len > max)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\0' || strchr(set, text.ptr[i]) == NULL)
            return false;
    }
    return true;
}

FALLIBLE name_check(const char *field, struct str name, struct err *err)
{
    if (name_is(name, 1, TENANT_NAME_MAX, NAME_LOWER NAME_DIGITS "-_") && name.ptr[0] != '-' &&
        name.ptr[0] != '_')
        return ERR_OK;
    return err_field(err, field,
                     "%s must be 1 to %d of a-z, 0-9, - and _, beginning with a letter or "
                     "digit",
                     field, TENANT_NAME_MAX);
}

FALLIBLE name_note_check(struct str note, struct err *err)
{
    bool good = note.len <= NOTE_MAX && str_is_utf8(note);

    for (size_t i = 0; good && i < note.len; i++)
        good = (unsigned char)note.ptr[i] >= 0x20 && note.ptr[i] != 0x7f;
    if (good)
        return ERR_OK;
    return err_field(err, "note", "note must be at most %d bytes of text in one line",
                     NOTE_MAX);
}
