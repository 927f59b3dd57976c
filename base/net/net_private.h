/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share: one request, the lists it stands in and
 * the loop that runs it. */
#ifndef ARKGATE_BASE_NET_PRIVATE_H
#define ARKGATE_BASE_NET_PRIVATE_H

#include "base/net/guard_private.h"
#include "base/net/net.h"

#include <curl/curl.h>

enum {
    NET_HEADERS_MAX = 32,              /* per call; the signatures of object stores need 12 */
    NET_URL_MAX_BYTES = 48 << 10,      /* a list that names 500 tasks: 81 bytes each */
    NET_ANSWER_HEAD_MAX_BYTES = 65536, /* all header lines of an answer; nginx sends 8 kB */
    NET_ASIDE_MAX_BYTES = 65536,       /* an error's body beside one that is taken */
    NET_POOL_MAX = 64,                 /* idle easy handles kept, about 25 kB each */
    NET_HOSTS_IDLE_MAX = 64            /* idle host rows kept */
};

/* Why we ended a transfer ourselves. */
enum net_stop {
    NET_STOP_NONE,
    NET_STOP_BODY,     /* answer over answer_max */
    NET_STOP_HEAD,     /* answer's header lines over NET_ANSWER_HEAD_MAX_BYTES */
    NET_STOP_RESEND,   /* libcurl was about to send a NET_ONCE request again */
    NET_STOP_MEMORY,   /* no memory for the answer */
    NET_STOP_DEADLINE, /* total_us is over */
    NET_STOP_STALL,    /* the answer stands still */
    NET_STOP_TAKER,    /* the answer's taker wants no more */
    NET_STOP_CODING,   /* guarded: the answer is compressed */
    NET_STOP_CLOSE     /* net_close */
};

/* Calls to one scheme, host and port, in order of arrival. */
struct net_host {
    struct net_host *next;
    struct net_request *first, *last; /* waiting for a free connection */
    int running;
    size_t len;
    char name[]; /* start of the URL, up to its path */
};

/* One call. The starting thread fills it in, then it belongs to the loop. */
struct net_request {
    struct net_request *next;          /* in the queue, the pool or its host's line */
    struct net_request *older, *newer; /* in the loop's list of live calls */
    struct net_host *host;
    bool running; /* added to the multi handle */

    CURL *easy;
    CURLU *url;
    struct net_target *target; /* guarded calls; such a request is used once */
    char error[CURL_ERROR_SIZE];
    struct curl_slist headers[NET_HEADERS_MAX + 2]; /* borrows the caller's text */
    const char *url_text;
    size_t host_len; /* of url_text, for struct net_host */

    const struct str *body;
    size_t body_count, body_index, body_offset;
    enum net_repeat repeat;
    bool (*take)(void *take_ctx, struct str bytes);
    void *take_ctx;
    size_t answer_max, answer_bytes; /* answer_bytes: arrived */
    int64_t start_us, deadline_us;   /* sys_mono_us */

    net_done done;
    void *ctx;

    enum net_stop stop;
    int tries;       /* how often libcurl was about to send it */
    bool reusable;   /* ended well enough for the pool */
    bool head_whole; /* the empty line after the final header came */
    bool interim;    /* the header is that of a 1xx */
    size_t head_bytes;
    int64_t sent_us, heard_us; /* first request byte; last byte of the answer proper */
    int64_t retry_after;       /* decimal Retry-After, -1 none, -2 another form */
    struct buf answer;
};

struct net {
    struct net_options options;
    CURLM *multi;
    pthread_t thread;

    struct lock lock; /* guards the next five */
    struct net_request *queue_first, *queue_last;
    struct net_request *pool;
    int pool_count;
    int active; /* calls started and not yet done */
    bool woken; /* the loop was told to look into the queue */
    bool stopping;

    /* the loop's own */
    struct net_request *live_first, *live_last;
    struct net_host *hosts;
    int host_count;
    int64_t swept_us;
};

/* net_target.c --------------------------------------------------------- */

/* Where one guarded call may go. */
struct net_target {
    struct net_guard guard;
    struct net_place place;
    struct curl_slist *pin; /* for CURLOPT_RESOLVE */
    CURLSH *share;          /* holds the pin alone, so that no other call sees it */
    bool refused;           /* a socket was */
};

/* Checks the URL and looks its host up; blocks. Errors as net_url_check. */
FALLIBLE net_target_new(const struct net_guard *guard, const char *url,
                        int64_t deadline_mono_us, struct net_target **ret_target,
                        struct err *err);
/* Only once no handle has it any more. */
void net_target_free(struct net_target **target);
/* Ties a handle to the target for good. False when memory is out. */
bool net_target_apply(struct net_target *target, CURL *easy, int64_t stall_us);

/* net_check.c ---------------------------------------------------------- */

/* ERR_INVALID for a call that must not be tried: another method or scheme, user
 * info in the URL, a header that would break framing. url is scratch. */
FALLIBLE net_check_call(const struct net_call *call, CURLU *url, struct err *err);

/* net_answer.c --------------------------------------------------------- */

/* libcurl's callbacks for header lines and bodies; ctx is the struct net_request. */
size_t net_answer_header(char *bytes, size_t size, size_t count, void *ctx);
size_t net_answer_body(char *bytes, size_t size, size_t count, void *ctx);

/* net_request.c -------------------------------------------------------- */

/* NULL when memory is out. */
struct net_request *net_request_new(void);
void net_request_free(struct net_request **request);
/* Makes a checked call ready for the loop; looks the host of a guarded one up. */
FALLIBLE net_request_prepare(struct net_request *request, const struct net_options *options,
                             const struct net_call *call, struct err *err);
/* What the ended transfer amounts to; forgets the caller's text. */
void net_request_finish(struct net_request *request, CURLcode code,
                        struct net_reply *ret_reply);

/* net_loop.c ----------------------------------------------------------- */

/* The thread's function; ctx is the struct net. */
void *net_loop_run(void *ctx);

#endif
