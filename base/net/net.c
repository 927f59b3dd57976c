/* SPDX-License-Identifier: Apache-2.0 */
/* The callers' side: opening, starting a call, waiting for one. Makes easy
 * handles ready here, so that the loop's thread only moves bytes. */
#include "base/net/net_private.h"

#include <stdlib.h>

enum {
    QUEUE_DEFAULT = 4096, /* as many as there are workers at most */
    CONNECTIONS_DEFAULT = 256,
    STACK_BYTES = 1 << 20 /* OpenSSL with a sanitizer's frames */
};
static const int64_t once_idle_default_us = 15000000; /* servers keep 60 s and more */
static const int64_t stall_default_us = 15000000;

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready;

static void curl_start(void)
{
    curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void free_requests(struct net_request *list)
{
    while (list != NULL) {
        struct net_request *next = list->next;

        net_request_free(&list);
        list = next;
    }
}

static void release(struct net **net)
{
    if (*net == NULL)
        return;
    if ((*net)->multi != NULL)
        (void)curl_multi_cleanup((*net)->multi);
    free_requests((*net)->pool);
    lock_fini(&(*net)->lock);
    free(*net);
    *net = NULL;
}

static void set_options(struct net *net, const struct net_options *options)
{
    net->options = *options;
    if (options->queue_max <= 0)
        net->options.queue_max = QUEUE_DEFAULT;
    if (options->connections_max <= 0)
        net->options.connections_max = CONNECTIONS_DEFAULT;
    if (options->once_idle_us <= 0)
        net->options.once_idle_us = once_idle_default_us;
    if (options->stall_us <= 0)
        net->options.stall_us = stall_default_us;
}

enum err_code net_open(const struct net_options *options, struct net **ret_net, struct err *err)
{
    CLEANUP(release) struct net *net = NULL;

    (void)pthread_once(&curl_once, curl_start);
    if (curl_ready != CURLE_OK)
        return err_detail(err, ERR_INTERNAL, "curl_global_init: %d", (int)curl_ready);
    net = calloc(1, sizeof(*net));
    if (net == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory for the network loop");
    lock_init(&net->lock);
    set_options(net, options);
    net->multi = curl_multi_init();
    /* Idle connections beyond two full hosts are closed, the oldest first. */
    if (net->multi == NULL ||
        curl_multi_setopt(net->multi, CURLMOPT_MAXCONNECTS,
                          (long)net->options.connections_max * 2) != CURLM_OK)
        return err_detail(err, ERR_INTERNAL, "no memory for the network loop");
    TRY(lock_thread(&net->thread, "net", STACK_BYTES, net_loop_run, net, err));
    *ret_net = net;
    net = NULL;
    return ERR_OK;
}

void net_halt(struct net *net)
{
    lock_take(&net->lock);
    if (!net->stopping) {
        net->stopping = true;
        /* Under the lock: the loop frees the multi handle once it saw stopping. */
        (void)curl_multi_wakeup(net->multi);
    }
    lock_drop(&net->lock);
}

void net_close(struct net **net)
{
    struct net *closing = *net;

    if (closing == NULL)
        return;
    *net = NULL;
    net_halt(closing);
    (void)pthread_join(closing->thread, NULL);
    release(&closing);
}

/* A place among the active calls and, when there is one and none is forbidden, a used
 * request. */
static enum err_code reserve(struct net *net, bool guarded, struct net_request **ret_request,
                             struct err *err)
{
    enum err_code rc = ERR_OK;

    lock_take(&net->lock);
    if (net->stopping) {
        rc = err_set(err, ERR_UNAVAILABLE, "the gateway is shutting down");
    } else if (net->active >= net->options.queue_max) {
        rc = err_detail(err, ERR_BUSY, "%d outbound calls are waiting or running", net->active);
    } else {
        net->active++;
        *ret_request = guarded ? NULL : net->pool;
        if (*ret_request != NULL) {
            net->pool = net->pool->next;
            net->pool_count--;
        }
    }
    lock_drop(&net->lock);
    return rc;
}

static void cancel(struct net *net, struct net_request **request)
{
    net_request_free(request);
    lock_take(&net->lock);
    net->active--;
    lock_drop(&net->lock);
}

static enum err_code prepare(struct net *net, struct net_request **request,
                             const struct net_call *call, struct err *err)
{
    if (*request == NULL)
        *request = net_request_new();
    if (*request == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory for a call");
    TRY(net_check_call(call, (*request)->url, err));
    return net_request_prepare(*request, &net->options, call, err);
}

/* False when the loop stopped meanwhile. */
static bool enqueue(struct net *net, struct net_request *rq)
{
    bool open;

    lock_take(&net->lock);
    open = !net->stopping;
    if (open) {
        if (net->queue_first == NULL)
            net->queue_first = rq;
        else
            net->queue_last->next = rq;
        net->queue_last = rq;
        /* One wakeup for all that gather until the loop looks. */
        if (!net->woken)
            (void)curl_multi_wakeup(net->multi);
        net->woken = true;
    }
    lock_drop(&net->lock);
    return open;
}

enum err_code net_start(struct net *net, const struct net_call *call, net_done done, void *ctx,
                        struct err *err)
{
    struct net_request *rq = NULL;
    enum err_code rc;

    if (call->guard != NULL && pthread_equal(pthread_self(), net->thread))
        return err_detail(err, ERR_INTERNAL, "a guarded call was started by a call's end");
    TRY(reserve(net, call->guard != NULL, &rq, err));
    rc = prepare(net, &rq, call, err);
    if (rc == ERR_OK) {
        rq->done = done;
        rq->ctx = ctx;
        if (enqueue(net, rq))
            return ERR_OK;
        rc = err_set(err, ERR_UNAVAILABLE, "the gateway is shutting down");
    }
    cancel(net, &rq);
    return rc;
}

/* On the stack of one net_call, so nobody else is woken by its end. */
struct waiter {
    struct lock lock;
    bool done;
    struct net_reply *reply;
};

static void wake(void *ctx, struct net_reply *reply)
{
    struct waiter *waiter = ctx;

    lock_take(&waiter->lock);
    *waiter->reply = *reply;
    waiter->done = true;
    lock_signal(&waiter->lock);
    lock_drop(&waiter->lock);
}

enum err_code net_call(struct net *net, const struct net_call *call,
                       struct net_reply *ret_reply, struct err *err)
{
    struct waiter waiter = {.reply = ret_reply};
    enum err_code rc;

    lock_init(&waiter.lock);
    rc = net_start(net, call, wake, &waiter, err);
    if (rc == ERR_OK) {
        lock_take(&waiter.lock);
        while (!waiter.done)
            (void)lock_wait(&waiter.lock, INT64_MAX);
        lock_drop(&waiter.lock);
    }
    lock_fini(&waiter.lock);
    return rc;
}

void net_reply_fini(struct net_reply *reply)
{
    buf_fini(&reply->body);
    buf_fini(&reply->location);
}
