/* SPDX-License-Identifier: Apache-2.0 */
/* The list of what doctor found. What is looked at, and how it is shown, is decided
 * elsewhere. */
#include "gateway/cli/doctor_parts.h"

#include <stdio.h>

static const char *const words[] = {"ok", "warn", "fail"};

const char *doctor_report_word(enum status status)
{
    return words[status];
}

void doctor_report_add(struct checks *checks, const char *name, enum status status,
                       const char *fmt, ...)
{
    struct check *check = arena_alloc(checks->arena, sizeof(*check));
    char text[1024];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    const char *detail = arena_dup(checks->arena, str_from(text));

    if (check == NULL || detail == NULL) {
        checks->full = true;
        return;
    }
    *check = (struct check){.name = name, .detail = detail, .status = status};
    checks->failed = checks->failed || status == STATUS_FAIL;
    if (checks->last == NULL)
        checks->first = check;
    else
        checks->last->next = check;
    checks->last = check;
}

void doctor_report_err(struct checks *checks, const char *name, const struct err *err)
{
    doctor_report_add(checks, name, STATUS_FAIL, "%s%s%s", err->msg,
                      err->detail[0] == '\0' ? "" : ": ", err->detail);
}
