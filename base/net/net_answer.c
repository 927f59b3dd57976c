/* SPDX-License-Identifier: Apache-2.0 */
/* Takes an answer in, line by line and piece by piece, and ends it when it is too large,
 * compressed under a guard, or not wanted. What the end amounts to is net_request.c's. */
#include "base/net/net_private.h"

static void read_retry_after(struct net_request *rq, struct str line)
{
    static const struct str name = STR("Retry-After:");
    int64_t seconds;

    if (!str_starts_nocase(line, name))
        return;
    if (!str_to_i64(str_trim((struct str){line.ptr + name.len, line.len - name.len}), &seconds))
        rq->retry_after = -2; /* a date: libcurl reads it */
    else
        rq->retry_after = seconds < 0 ? -1 : seconds;
}

/* Nothing was asked for, and libcurl would unpack a transfer coding unasked. */
static bool is_compressed(struct str line)
{
    static const struct str content = STR("Content-Encoding:"),
                            transfer = STR("Transfer-Encoding:");
    struct str name = str_starts_nocase(line, content) ? content : transfer, value;

    if (!str_starts_nocase(line, name))
        return false;
    value = str_trim((struct str){line.ptr + name.len, line.len - name.len});
    return !str_eq_nocase(value, name.ptr == content.ptr ? STR("identity") : STR("chunked"));
}

static bool is_taken(const struct net_request *rq)
{
    long status = 0;

    return rq->take != NULL &&
           curl_easy_getinfo(rq->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK &&
           status / 100 == 2;
}

size_t net_answer_header(char *bytes, size_t size, size_t count, void *ctx)
{
    struct net_request *rq = ctx;
    struct str line = {bytes, size * count};

    rq->head_bytes += line.len;
    if (rq->head_bytes > NET_ANSWER_HEAD_MAX_BYTES) {
        rq->stop = NET_STOP_HEAD;
        return 0;
    }
    if (rq->target != NULL && is_compressed(line)) {
        rq->stop = NET_STOP_CODING;
        return 0;
    }
    if (str_starts_nocase(line, STR("HTTP/"))) { /* a 1xx may stand before the answer */
        rq->head_whole = false;
        rq->interim = line.len > 9 && line.ptr[9] == '1';
        rq->retry_after = -1;
    } else if (str_trim(line).len == 0) {
        rq->head_whole = true;
    } else {
        read_retry_after(rq, line);
    }
    if (!rq->interim)
        rq->heard_us = sys_mono_us();
    return line.len;
}

size_t net_answer_body(char *bytes, size_t size, size_t count, void *ctx)
{
    struct net_request *rq = ctx;
    size_t len = size * count;

    rq->heard_us = sys_mono_us();
    if (len > rq->answer_max - rq->answer_bytes) {
        rq->stop = NET_STOP_BODY;
        return 0;
    }
    rq->answer_bytes += len;
    if (is_taken(rq)) {
        if (rq->take(rq->take_ctx, (struct str){bytes, len}))
            return len;
        rq->stop = NET_STOP_TAKER;
        return 0;
    }
    if (rq->take != NULL && rq->answer_bytes > NET_ASIDE_MAX_BYTES) {
        rq->stop = NET_STOP_BODY;
        return 0;
    }
    buf_put(&rq->answer, bytes, len);
    if (rq->answer.failed) {
        rq->stop = NET_STOP_MEMORY;
        return 0;
    }
    return len;
}
