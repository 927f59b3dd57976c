/* SPDX-License-Identifier: Apache-2.0 */
/* Outbound HTTP. One thread runs one curl multi handle; calls from any thread
 * are queued to it and answered by a callback on that thread or by a blocking
 * wait. No proxy, no cookies, no environment; redirects by net_fetch alone. */
#ifndef ARKGATE_BASE_NET_H
#define ARKGATE_BASE_NET_H

#include "base/base.h"
#include "base/net/guard.h"

struct net; /* thread-safe */

struct net_options {
    int queue_max;        /* calls waiting or running; beyond it ERR_BUSY; 0 means 4096 */
    int connections_max;  /* calls at a time per host; 0 means 256 */
    int64_t once_idle_us; /* NET_ONCE reuses nothing idle so long; 0 means 15 s */
    int64_t stall_us;     /* an answer that stands still so long fails; 0 means 15 s */
};

/* How often a call may reach the peer. */
enum net_repeat {
    NET_ANY, /* GET, DELETE: libcurl may try a dead reused connection again */
    NET_ONCE /* create: at most one request leaves, over no connection idle over 15 s */
};

struct net_call {
    const char *method; /* "GET", "POST", "DELETE" */
    const char *url;
    const char *const *headers; /* "Name: value", NULL-terminated; may hold secrets */
    const struct str *body;     /* slices, concatenated; must outlive the call */
    size_t body_count;
    enum net_repeat repeat;
    int64_t connect_us; /* 0 means 5 s */
    int64_t total_us;   /* whole call, queueing included; required */
    size_t answer_max;  /* bytes; beyond it the call fails */
    /* Takes the body of a 2xx answer piece by piece in place of the reply, whose body is
     * then that of another status, at most 64 KiB. Runs on the loop's thread and must not
     * wait for anything; false ends the call. What it took is of a whole answer only if
     * the fate is NET_ANSWERED. NULL: all bodies to the reply. */
    bool (*take)(void *take_ctx, struct str bytes);
    void *take_ctx;
    /* Required for a URL that a tenant chose; NULL exempts one of an operator's. The URL
     * is checked, the call goes to the addresses of that check and no others, over a
     * connection of its own, and each socket's address is judged once more before it
     * connects. An answer that is encoded, or under 1 kB/s for stall_us, fails. */
    const struct net_guard *guard; /* its resolver must outlive the call */
};

/* What is known about the request when a call ends. */
enum net_fate {
    NET_NOT_SENT, /* no byte of the request left: it certainly did not happen */
    NET_UNKNOWN,  /* bytes left and no whole answer came */
    NET_ANSWERED  /* status and body are whole */
};

struct net_reply {
    enum net_fate fate;
    int status;          /* 0 unless answered */
    int64_t retry_after; /* seconds from Retry-After, -1 when absent or a date past */
    struct buf body;     /* owned by the reply */
    int64_t took_us;
    int64_t sent_mono_us; /* when the first request byte left, 0 if none did */
    struct buf location;  /* guarded calls: where a redirect points, as sent; owned */
    char reason[160];     /* why not answered, for logs */
};

/* net.c ---------------------------------------------------------------- */

FALLIBLE net_open(const struct net_options *options, struct net **ret_net, struct err *err);
/* Fails what is still running, as net_close does, and refuses new calls; what was
 * failed is reported before the thread ends. Thread-safe; returns at once. */
void net_halt(struct net *net);
/* Fails what is still running (NET_NOT_SENT or NET_UNKNOWN) and stops the thread. No
 * net_start may be under way, not even within its lookup. */
void net_close(struct net **net);
/* Blocks. ERR_OK whenever a reply was filled in, whatever its fate; ERR_BUSY when
 * the queue is full (nothing was sent). Under a guard also what net_url_check returns,
 * ERR_INVALID for a URL that is refused: nothing was sent. */
FALLIBLE net_call(struct net *net, const struct net_call *call, struct net_reply *ret_reply,
                  struct err *err);
/* Does not block; done runs on the loop's thread, must not block and takes over
 * the reply. The call's strings and slices must live until then. A guarded call's host
 * is looked up first, on the caller's thread, so that it blocks up to total_us and is
 * refused (ERR_INTERNAL) from within done. */
typedef void (*net_done)(void *ctx, struct net_reply *reply);
FALLIBLE net_start(struct net *net, const struct net_call *call, net_done done, void *ctx,
                   struct err *err);
void net_reply_fini(struct net_reply *reply);

/* net_fetch.c ---------------------------------------------------------- */

enum { NET_REDIRECTS_MAX = 5 }; /* as RFC 2068, 10.3 advised; real chains have one or two */

/* A guarded GET that follows 301, 302, 303, 307 and 308, each URL through the guard's
 * check. total_us holds for all together, answer_max for each answer; the headers go to
 * the first URL's scheme, host and port alone. Returns as net_call; ERR_INVALID too for
 * a redirect that is refused and for more than NET_REDIRECTS_MAX. */
FALLIBLE net_fetch(struct net *net, const struct net_call *call, struct net_reply *ret_reply,
                   struct err *err);

#endif
