/* SPDX-License-Identifier: Apache-2.0 */
/* Structured log: one JSON line per event on stderr. Client text is quoted and
 * cut here, so that no caller can forget it. */
#include "base/base.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum {
    LOG_LINE_MAX = 4096, /* PIPE_BUF: one write stays one line */
    LOG_TEXT_MAX = 512
};

static const char *const level_names[] = {"error", "warn", "info", "debug"};
static atomic_int log_level_max = LOG_INFO;

void log_set_level(enum log_level level)
{
    atomic_store(&log_level_max, (int)level);
}

bool log_level_parse(struct str word, enum log_level *ret_level)
{
    for (size_t i = 0; i < COUNT_OF(level_names); i++) {
        if (str_is(word, level_names[i])) {
            *ret_level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

static void put_quoted(struct buf *line, struct str text)
{
    size_t len = text.len < LOG_TEXT_MAX ? text.len : LOG_TEXT_MAX;

    buf_puts(line, "\"");
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (c == '"' || c == '\\')
            buf_printf(line, "\\%c", c);
        else if (c < 0x20 || c >= 0x7f)
            buf_printf(line, "\\u%04x", c);
        else
            buf_put(line, &c, 1);
    }
    buf_puts(line, text.len > len ? "…\"" : "\"");
}

void log_write(enum log_level level, const char *event, const struct log_field *fields,
               size_t count)
{
    CLEANUP(buf_fini) struct buf line = {0};
    int64_t now_us;
    time_t seconds;
    struct tm utc;
    char when[32];

    if ((int)level > atomic_load_explicit(&log_level_max, memory_order_relaxed))
        return;
    now_us = sys_now_us();
    seconds = (time_t)(now_us / 1000000);
    (void)gmtime_r(&seconds, &utc);
    (void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &utc);
    buf_init(&line, LOG_LINE_MAX - 3);
    buf_printf(&line, "{\"time\":\"%s.%03dZ\",\"level\":\"%s\",\"event\":\"%s\"", when,
               (int)(now_us / 1000 % 1000), level_names[level], event);
    for (size_t i = 0; i < count; i++) {
        size_t before = line.len;

        buf_printf(&line, ",\"%s\":", fields[i].name);
        if (fields[i].is_text)
            put_quoted(&line, fields[i].text);
        else
            buf_printf(&line, "%lld", (long long)fields[i].number);
        if (line.failed) {
            /* The line is full: what does not fit is left out whole. */
            line.failed = false;
            line.len = before;
            break;
        }
    }
    line.max = LOG_LINE_MAX;
    buf_puts(&line, "}\n");
    /* Nothing sensible can be done when stderr is gone. */
    ssize_t written = write(STDERR_FILENO, line.ptr, line.len);
    (void)written;
}
