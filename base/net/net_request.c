/* SPDX-License-Identifier: Apache-2.0 */
/* One call on one easy handle: its options, its callbacks and the judgement of
 * its end. The promise of NET_ONCE is kept here, by on_before_request. */
#include "base/net/net_private.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t connect_default_us = 5000000; /* a TCP retransmit or two and TLS */

static const char *const stop_reasons[] = {
    [NET_STOP_NONE] = "",
    [NET_STOP_BODY] = "the answer is larger than allowed",
    [NET_STOP_HEAD] = "the answer's header is larger than 64 KiB",
    [NET_STOP_RESEND] = "the connection died before an answer; not sent again",
    [NET_STOP_MEMORY] = "no memory for the answer",
    [NET_STOP_DEADLINE] = "the deadline passed",
    [NET_STOP_STALL] = "the answer stood still",
    [NET_STOP_TAKER] = "the answer was not wanted any more",
    [NET_STOP_CODING] = "the answer is compressed",
    [NET_STOP_CLOSE] = "the gateway is shutting down",
};

/* Runs when a connection is there and before the first byte of each try. libcurl
 * tries again by itself when a reused connection dies before any answer; the
 * read callback without seek stops that only once body bytes were read, so the
 * second try of a NET_ONCE request whose first put anything out ends here. */
static int on_before_request(void *ctx, char *peer, char *local, int peer_port, int local_port)
{
    struct net_request *rq = ctx;
    long sent_bytes = 0;

    (void)peer, (void)local, (void)peer_port, (void)local_port;
    rq->tries++;
    if (rq->sent_us == 0) {
        rq->sent_us = sys_mono_us();
        return CURL_PREREQFUNC_OK;
    }
    if (rq->repeat == NET_ANY)
        return CURL_PREREQFUNC_OK;
    if (curl_easy_getinfo(rq->easy, CURLINFO_REQUEST_SIZE, &sent_bytes) == CURLE_OK &&
        sent_bytes == 0)
        return CURL_PREREQFUNC_OK; /* the first send failed as a whole */
    rq->stop = NET_STOP_RESEND;
    return CURL_PREREQFUNC_ABORT;
}

static size_t on_read(char *dst, size_t size, size_t count, void *ctx)
{
    struct net_request *rq = ctx;
    size_t room = size * count, len = 0;

    while (len < room && rq->body_index < rq->body_count) {
        struct str slice = rq->body[rq->body_index];
        size_t part = slice.len - rq->body_offset;

        if (part > room - len)
            part = room - len;
        if (part > 0)
            memcpy(dst + len, slice.ptr + rq->body_offset, part);
        len += part;
        rq->body_offset += part;
        if (rq->body_offset == slice.len) {
            rq->body_index++;
            rq->body_offset = 0;
        }
    }
    return len;
}

/* NET_ANY alone: libcurl may send the body again from its start. */
static int on_seek(void *ctx, curl_off_t offset, int origin)
{
    struct net_request *rq = ctx;

    if (offset != 0 || origin != SEEK_SET)
        return CURL_SEEKFUNC_CANTSEEK;
    rq->body_index = 0;
    rq->body_offset = 0;
    return CURL_SEEKFUNC_OK;
}

/* What all calls share; stays on the handle. */
static bool set_fixed_options(struct net_request *rq)
{
    CURL *easy = rq->easy;
    int bad = 0;

#define SET(option, value) (bad |= curl_easy_setopt(easy, option, value) != CURLE_OK)
    SET(CURLOPT_PRIVATE, (void *)rq);
    SET(CURLOPT_ERRORBUFFER, rq->error);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_NOPROGRESS, 1L);
    SET(CURLOPT_PROXY, ""); /* not even the one that the environment names */
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_TCP_NODELAY, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L);     /* or the loop waits for a hanging name server */
    SET(CURLOPT_BUFFERSIZE, 16384L); /* answers are small; 256 handles hold one each */
    SET(CURLOPT_UPLOAD_BUFFERSIZE, 16384L);
    SET(CURLOPT_PREREQFUNCTION, on_before_request);
    SET(CURLOPT_PREREQDATA, rq);
    SET(CURLOPT_READFUNCTION, on_read);
    SET(CURLOPT_READDATA, rq);
    SET(CURLOPT_SEEKDATA, rq);
    SET(CURLOPT_HEADERFUNCTION, net_answer_header);
    SET(CURLOPT_HEADERDATA, rq);
    SET(CURLOPT_WRITEFUNCTION, net_answer_body);
    SET(CURLOPT_WRITEDATA, rq);
    return bad == 0;
}

static long milliseconds(int64_t us)
{
    int64_t ms = (us + 999) / 1000;

    return ms < 1 ? 1 : (long)ms;
}

/* libcurl drops connections idle for more than n whole seconds, so n is one less. */
static long once_idle_seconds(int64_t us)
{
    return us < 2000000 ? 0 : (long)(us / 1000000) - 1;
}

/* Links the caller's own lines; libcurl reads the list and keeps nothing. */
static struct curl_slist *link_headers(struct net_request *rq, const struct net_call *call)
{
    static const char no_expect[] = "Expect:", no_type[] = "Content-Type:";
    bool is_post = strcmp(call->method, "POST") == 0, has_type = false;
    size_t count = 0;

    for (; call->headers != NULL && call->headers[count] != NULL; count++) {
        rq->headers[count].data = (char *)(uintptr_t)call->headers[count];
        has_type |= str_starts_nocase(str_from(call->headers[count]), STR("Content-Type:"));
    }
    if (is_post)
        rq->headers[count++].data = (char *)(uintptr_t)no_expect;
    if (is_post && !has_type) /* or libcurl calls the body a form */
        rq->headers[count++].data = (char *)(uintptr_t)no_type;
    for (size_t i = 0; i < count; i++)
        rq->headers[i].next = i + 1 < count ? &rq->headers[i + 1] : NULL;
    return count > 0 ? rq->headers : NULL;
}

static bool sum_body(const struct net_call *call, curl_off_t *ret_bytes)
{
    curl_off_t bytes = 0;

    for (size_t i = 0; i < call->body_count; i++)
        if (__builtin_add_overflow(bytes, call->body[i].len, &bytes))
            return false;
    *ret_bytes = bytes;
    return true;
}

static bool set_call_options(struct net_request *rq, const struct net_options *options,
                             const struct net_call *call, curl_off_t body_bytes)
{
    CURL *easy = rq->easy;
    bool once = call->repeat == NET_ONCE, is_post = strcmp(call->method, "POST") == 0;
    bool is_delete = strcmp(call->method, "DELETE") == 0;
    int64_t connect_us = call->connect_us == 0 ? connect_default_us : call->connect_us;
    int bad = 0;

    SET(CURLOPT_URL, call->url);
    if (is_post) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, body_bytes);
    } else {
        SET(CURLOPT_HTTPGET, 1L);
    }
    SET(CURLOPT_CUSTOMREQUEST, is_delete ? "DELETE" : NULL);
    SET(CURLOPT_HTTPHEADER, link_headers(rq, call));
    SET(CURLOPT_SEEKFUNCTION, once ? (curl_seek_callback)NULL : on_seek);
    SET(CURLOPT_MAXAGE_CONN, once ? once_idle_seconds(options->once_idle_us) : 118L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(connect_us));
    SET(CURLOPT_MAXFILESIZE_LARGE,
        call->answer_max > INT64_MAX ? (curl_off_t)0 : (curl_off_t)call->answer_max);
#undef SET
    return bad == 0;
}

/* Length of "scheme://host:port". Only sorts calls into lines, decides nothing. */
static size_t host_length(const char *url)
{
    const char *start = strstr(url, "://");
    size_t skip = start == NULL ? 0 : (size_t)(start - url) + 3;

    return skip + strcspn(url + skip, "/?#");
}

struct net_request *net_request_new(void)
{
    struct net_request *rq = calloc(1, sizeof(*rq));

    if (rq == NULL)
        return NULL;
    rq->easy = curl_easy_init();
    rq->url = curl_url();
    if (rq->easy == NULL || rq->url == NULL || !set_fixed_options(rq))
        net_request_free(&rq);
    return rq;
}

void net_request_free(struct net_request **request)
{
    struct net_request *rq = *request;

    *request = NULL;
    if (rq == NULL)
        return;
    curl_easy_cleanup(rq->easy);
    curl_url_cleanup(rq->url);
    net_target_free(&rq->target); /* the handle had its share */
    buf_fini(&rq->answer);
    free(rq);
}

enum err_code net_request_prepare(struct net_request *request,
                                  const struct net_options *options,
                                  const struct net_call *call, struct err *err)
{
    struct net_request *rq = request;
    curl_off_t body_bytes;

    if (!sum_body(call, &body_bytes))
        return err_field(err, "body", "the body is too long");
    rq->next = rq->older = rq->newer = NULL;
    rq->host = NULL;
    rq->running = false;
    rq->error[0] = '\0';
    rq->url_text = call->url;
    rq->host_len = host_length(call->url);
    rq->body = call->body;
    rq->body_count = call->body_count;
    rq->body_index = rq->body_offset = 0;
    rq->repeat = call->repeat;
    rq->tries = 0;
    rq->take = call->take;
    rq->take_ctx = call->take_ctx;
    rq->answer_max = call->answer_max;
    rq->answer_bytes = 0;
    rq->start_us = sys_mono_us();
    rq->deadline_us = rq->start_us + call->total_us;
    rq->stop = NET_STOP_NONE;
    rq->head_whole = rq->interim = false;
    rq->head_bytes = 0;
    rq->sent_us = rq->heard_us = 0;
    rq->retry_after = -1;
    buf_init(&rq->answer, call->answer_max);
    if (call->guard != NULL)
        TRY(net_target_new(call->guard, call->url, rq->deadline_us, &rq->target, err));
    if (!set_call_options(rq, options, call, body_bytes) ||
        (rq->target != NULL && !net_target_apply(rq->target, rq->easy, options->stall_us)))
        return err_detail(err, ERR_INTERNAL, "no memory for a call's options");
    return ERR_OK;
}

static int64_t retry_after(const struct net_request *rq)
{
    curl_off_t seconds = 0;

    if (rq->retry_after != -2)
        return rq->retry_after;
    if (curl_easy_getinfo(rq->easy, CURLINFO_RETRY_AFTER, &seconds) != CURLE_OK)
        return -1;
    return seconds > 0 ? seconds : -1;
}

/* Several lines, of which each reader may take another, count as none. */
static void read_location(const struct net_request *rq, struct buf *ret_location)
{
    struct curl_header *header = NULL;

    if (curl_easy_header(rq->easy, "Location", 0, CURLH_HEADER, -1, &header) != CURLHE_OK ||
        header->amount != 1)
        return;
    buf_init(ret_location, NET_URL_MAX_BYTES);
    buf_put_str(ret_location, str_trim(str_from(header->value)));
    if (ret_location->failed)
        buf_fini(ret_location);
}

static void put_reason(const struct net_request *rq, CURLcode code, long status,
                       struct net_reply *reply)
{
    const char *text = stop_reasons[rq->stop];

    if (rq->stop == NET_STOP_NONE && code == CURLE_FILESIZE_EXCEEDED)
        text = stop_reasons[NET_STOP_BODY];
    if (rq->stop == NET_STOP_NONE && rq->target != NULL && rq->target->refused)
        text = "the guard refused the address";
    if (text[0] != '\0')
        str_copy_cut(reply->reason, sizeof(reply->reason), str_from(text));
    else if (code != CURLE_OK)
        (void)snprintf(reply->reason, sizeof(reply->reason), "curl %d: %.120s", (int)code,
                       rq->error[0] != '\0' ? rq->error : curl_easy_strerror(code));
    else
        (void)snprintf(reply->reason, sizeof(reply->reason),
                       "the answer ended within its header (status %ld)", status);
}

void net_request_finish(struct net_request *request, CURLcode code, struct net_reply *ret_reply)
{
    struct net_request *rq = request;
    long status = 0;

    *ret_reply = (struct net_reply){.took_us = sys_mono_us() - rq->start_us,
                                    .sent_mono_us = rq->sent_us,
                                    .retry_after = -1};
    (void)curl_easy_getinfo(rq->easy, CURLINFO_RESPONSE_CODE, &status);
    /* libcurl is content with an answer that ends within its header lines. */
    if (code == CURLE_OK && rq->stop == NET_STOP_NONE && rq->head_whole && status >= 200 &&
        status <= 999) {
        ret_reply->fate = NET_ANSWERED;
        ret_reply->status = (int)status;
        ret_reply->retry_after = retry_after(rq);
        if (rq->target != NULL && status / 100 == 3)
            read_location(rq, &ret_reply->location);
        ret_reply->body = rq->answer;
        rq->answer = (struct buf){0};
    } else {
        ret_reply->fate = rq->sent_us == 0 ? NET_NOT_SENT : NET_UNKNOWN;
        put_reason(rq, code, status, ret_reply);
        buf_fini(&rq->answer);
    }
    (void)curl_easy_setopt(rq->easy, CURLOPT_HTTPHEADER, NULL);
    rq->body = NULL;
    rq->url_text = NULL;
    /* libcurl counts its own tries over the life of a handle and then refuses more. */
    rq->reusable = ret_reply->fate == NET_ANSWERED && rq->tries == 1 && rq->target == NULL;
}
