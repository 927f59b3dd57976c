/* SPDX-License-Identifier: Apache-2.0 */
/* What every layer stands on: errors, text, memory, logs, clock, locks. Nothing
 * here knows about tenants, money or HTTP. Unless a function says otherwise it
 * may be called from any thread on objects that the thread owns. */
#ifndef ARKGATE_BASE_H
#define ARKGATE_BASE_H

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
/* Runs fn(&variable) when the variable leaves its block. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* Borrowed text: pointer and length, not NUL-terminated. */
struct str {
    const char *ptr;
    size_t len;
};

/* err.c ---------------------------------------------------------------- */

enum err_code {
    ERR_OK = 0,
#define CODE(name, http, exit, retry, text) ERR_##name,
#include "err_codes.def"
#undef CODE
    ERR_CODE_COUNT
};

/* The one error type. A fallible function returns an enum err_code and fills
 * *err only when that code is not ERR_OK. Nothing here allocates, so running
 * out of memory is reported like everything else. */
struct err {
    enum err_code code;
    char field[64];         /* request member at fault, "" when none */
    char msg[512];          /* safe to show to the tenant */
    char detail[256];       /* log only: SQL, errno, upstream body */
    int upstream_status;    /* ERR_UPSTREAM_REFUSED: Ark's status, else 0 */
    char upstream_code[96]; /* ERR_UPSTREAM_REFUSED: Ark's code, else "" */
    int64_t need_nano;      /* ERR_BALANCE: the hold */
    int64_t have_nano;      /* ERR_BALANCE: what is available */
    char currency[8];       /* ERR_BALANCE: of both amounts */
};

#define FALLIBLE __attribute__((warn_unused_result)) enum err_code

/* The only macro that returns. */
#define TRY(call)                       \
    do {                                \
        enum err_code try_rc_ = (call); \
        if (try_rc_ != ERR_OK)          \
            return try_rc_;             \
    } while (0)

/* Kept in production: going on would cross tenants or move money wrongly. */
#define ASSERT(cond)                                      \
    do {                                                  \
        if (!(cond))                                      \
            err_assert_failed(#cond, __FILE__, __LINE__); \
    } while (0)

/* Sets code and a message that a tenant may read; clears the rest. Returns code. */
enum err_code err_set(struct err *err, enum err_code code, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* ERR_INVALID naming the member at fault. */
enum err_code err_field(struct err *err, const char *field, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* The code's own text for the tenant, the formatted text for the log alone. */
enum err_code err_detail(struct err *err, enum err_code code, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* "INVALID", "BALANCE", …; "?" for a number outside the table. */
const char *err_name(enum err_code code);
/* The code of such a name; ERR_INTERNAL for another text. */
enum err_code err_from_name(struct str name);
/* Default text, HTTP status, process exit status and retry flag of a code. */
const char *err_text(enum err_code code);
int err_http_status(enum err_code code);
int err_exit_status(enum err_code code);
bool err_may_retry(enum err_code code);
/* Logs the condition and aborts. */
_Noreturn void err_assert_failed(const char *cond, const char *file, int line);

/* str.c ---------------------------------------------------------------- */

#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})

/* Borrows a C string; NULL gives the empty text. */
struct str str_from(const char *text);
bool str_eq(struct str a, struct str b);
bool str_is(struct str a, const char *text);
/* ASCII case folding. */
bool str_eq_nocase(struct str a, struct str b);
bool str_starts_nocase(struct str text, struct str prefix);
/* Without ASCII white space at both ends. */
struct str str_trim(struct str text);
/* Is word one of the space separated words? */
bool str_has_word(const char *words, struct str word);
/* Decimal integer with optional '-', the whole text, no overflow. */
bool str_to_i64(struct str text, int64_t *ret_value);
/* True when the bytes are well-formed UTF-8 (no surrogates, no overlong forms). */
bool str_is_utf8(struct str text);
/* Copies into dst with a NUL; false (and "") when it does not fit. */
bool str_copy(char *dst, size_t size, struct str text);
/* Like str_copy, but cuts at a code point instead of failing. */
void str_copy_cut(char *dst, size_t size, struct str text);
/* Lower-case hex of len bytes; dst holds 2 * len + 1. */
void str_hex(char *dst, const void *bytes, size_t len);
/* Reads 2 * len hex digits; false on any other text. */
bool str_unhex(struct str hex, void *dst, size_t len);
/* A name or value of a query, %XX and "+" decoded, into dst, which has text.len bytes; false on
 * another use of "%", or a NUL. */
bool str_unquery(struct str text, char *dst, size_t *ret_len);

/* buf.c ---------------------------------------------------------------- */

/* Owned, growing, NUL-terminated bytes with a maximum set at init. A failed
 * append marks the buffer failed and later appends do nothing, so one check at
 * the end is enough. No pointer into it survives the next append. */
struct buf {
    char *ptr;
    size_t len;
    size_t cap;
    size_t max;
    bool failed;
};

void buf_init(struct buf *buf, size_t max);
/* Accepts a zeroed struct. */
void buf_fini(struct buf *buf);
void buf_put(struct buf *buf, const void *bytes, size_t len);
void buf_puts(struct buf *buf, const char *text);
void buf_put_str(struct buf *buf, struct str text);
void buf_printf(struct buf *buf, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Empties it and forgets a failure; keeps the memory. */
void buf_reset(struct buf *buf);
/* Borrows the content. */
struct str buf_str(const struct buf *buf);
/* ERR_TOO_LARGE when an append did not fit, else ERR_OK. */
FALLIBLE buf_check(const struct buf *buf, struct err *err);

/* text.c --------------------------------------------------------------- */

/* How many code points a UTF-8 text has, and whether a control character is among them. */
size_t text_points(struct str text, bool *ret_controls);
/* Appends the text composed and without case (Unicode's full folding), so that texts which
 * differ by that alone become the same; at most three times as long. text is UTF-8. */
FALLIBLE text_fold(struct str text, struct buf *ret_folded, struct err *err);

/* arena.c -------------------------------------------------------------- */

/* Memory of one request or job. Freed as a whole; capped, so a client cannot
 * make us allocate without end. */
struct arena {
    struct arena_block *blocks;
    size_t used;
    size_t max;
};

void arena_init(struct arena *arena, size_t max);
/* Accepts a zeroed struct. */
void arena_fini(struct arena *arena);
/* Zeroed, 16-byte aligned; NULL when the cap is reached or memory is out. */
void *arena_alloc(struct arena *arena, size_t size);
/* A NUL-terminated copy, or NULL. */
char *arena_dup(struct arena *arena, struct str text);
/* Likewise, its ASCII letters small. */
char *arena_dup_lower(struct arena *arena, struct str text);
char *arena_printf(struct arena *arena, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* log.c ---------------------------------------------------------------- */

/* error = someone must act; warn = degraded, says what we did instead;
 * info = state of money, tenant or configuration changed. */
enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log_field {
    const char *name;
    bool is_text;
    struct str text; /* quoted, cut at 512 bytes */
    int64_t number;
};

#define LOG_STR(name, value) ((struct log_field){name, true, (value), 0})
#define LOG_TEXT(name, value) ((struct log_field){name, true, str_from(value), 0})
#define LOG_INT(name, value) ((struct log_field){name, false, {0}, (int64_t)(value)})
/* One JSON line on stderr: LOG(LOG_INFO, "ready", LOG_INT("port", 80)); */
#define LOG(level, event, ...)                                       \
    log_write(level, event, (const struct log_field[]){__VA_ARGS__}, \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

/* Lines above this level are dropped; LOG_INFO until called. */
void log_set_level(enum log_level level);
/* "error", "warn", "info", "debug"; false for another word. */
bool log_level_parse(struct str word, enum log_level *ret_level);
/* Thread-safe; one write(2) per line. */
void log_write(enum log_level level, const char *event, const struct log_field *fields,
               size_t count);

/* sys.c ---------------------------------------------------------------- */

/* Wall clock in microseconds since 1970: this machine's, or the one below. */
int64_t sys_now_us(void);
/* This machine's wall clock, which somebody may set at any moment. */
int64_t sys_local_us(void);
/* Microseconds since this machine was started, sleep included; nobody sets it. */
int64_t sys_boot_us(void);
/* From now on sys_now_us is sys_boot_us plus this, as every gateway on one database tells
 * the time; 0: this machine's clock again. Thread-safe. */
void sys_set_wall_base(int64_t base_us);
/* Monotonic microseconds, for deadlines and durations. */
int64_t sys_mono_us(void);
/* Sleeps; may return early on a signal. */
void sys_sleep_us(int64_t us);
/* Fills with cryptographic randomness. */
void sys_random(void *dst, size_t len);
/* len characters drawn from alphabet without bias, then a NUL. */
void sys_random_text(char *dst, size_t len, const char *alphabet);
/* Uniform in [0, limit). */
uint32_t sys_random_below(uint32_t limit);

/* Named fault points. In a test build (ARKGATE_TEST) the environment variable
 * ARKGATE_FAULT="name:n:what" makes the n-th passage of that name kill the
 * process (what = kill) or fail (what = fail: FAULT_POINT is true). Release
 * builds contain no code and no names for them; lint checks the binary. */
#ifdef ARKGATE_TEST
bool sys_fault(const char *name);
#define FAULT_POINT(name) sys_fault(name)
#else
#define FAULT_POINT(name) false
#endif

/* lock.c --------------------------------------------------------------- */

/* A mutex that knows who holds it, and its condition on the monotonic clock. */
struct lock {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    pthread_t owner;
    bool held;
};

void lock_init(struct lock *lock);
void lock_fini(struct lock *lock);
void lock_take(struct lock *lock);
void lock_drop(struct lock *lock);
/* Aborts unless the calling thread holds it. */
void lock_assert_held(const struct lock *lock);
/* Sleeps until lock_signal or the deadline (sys_mono_us time; INT64_MAX: none).
 * False at the deadline. */
bool lock_wait(struct lock *lock, int64_t mono_deadline_us);
/* Wakes every waiter. */
void lock_signal(struct lock *lock);
/* Starts a joinable thread with a name (at most 15 characters) and its stack. */
FALLIBLE lock_thread(pthread_t *ret_thread, const char *name, size_t stack_bytes,
                     void *(*run)(void *), void *ctx, struct err *err);

#endif
