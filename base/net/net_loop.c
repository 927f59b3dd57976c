/* SPDX-License-Identifier: Apache-2.0 */
/* The one thread that touches the multi handle: takes calls from the queue,
 * keeps each host within its connections, ends what is late. What a call's end
 * means is decided in net_request.c. */
#include "base/net/net_private.h"

#include <stdlib.h>
#include <string.h>

static const int64_t sweep_us = 50000; /* how late a deadline in a host's line may end */
enum {
    POLL_BUSY_MS = 50,
    POLL_IDLE_MS = 60000, /* the wakeup ends it */
};

/* Hands the request's end to its owner and the request to the pool. */
static void finish(struct net *net, struct net_request *rq, CURLcode code)
{
    struct net_reply reply;
    net_done done = rq->done;
    void *ctx = rq->ctx;

    net_request_finish(rq, code, &reply);
    lock_take(&net->lock);
    net->active--;
    if (rq->reusable && net->pool_count < NET_POOL_MAX) {
        rq->next = net->pool;
        net->pool = rq;
        net->pool_count++;
        rq = NULL;
    }
    lock_drop(&net->lock);
    net_request_free(&rq);
    done(ctx, &reply);
}

static void live_add(struct net *net, struct net_request *rq)
{
    rq->newer = NULL;
    rq->older = net->live_last;
    if (net->live_last != NULL)
        net->live_last->newer = rq;
    else
        net->live_first = rq;
    net->live_last = rq;
}

static void live_remove(struct net *net, struct net_request *rq)
{
    if (rq->older != NULL)
        rq->older->newer = rq->newer;
    else
        net->live_first = rq->newer;
    if (rq->newer != NULL)
        rq->newer->older = rq->older;
    else
        net->live_last = rq->older;
    rq->older = rq->newer = NULL;
}

/* The row of the request's host, made when it is new; NULL when memory is out. */
static struct net_host *host_of(struct net *net, const struct net_request *rq)
{
    struct net_host *host;

    for (host = net->hosts; host != NULL; host = host->next)
        if (host->len == rq->host_len && memcmp(host->name, rq->url_text, host->len) == 0)
            return host;
    host = calloc(1, sizeof(*host) + rq->host_len);
    if (host == NULL)
        return NULL;
    host->len = rq->host_len;
    memcpy(host->name, rq->url_text, rq->host_len);
    host->next = net->hosts;
    net->hosts = host;
    net->host_count++;
    return host;
}

static void host_push(struct net_host *host, struct net_request *rq)
{
    rq->next = NULL;
    if (host->first == NULL)
        host->first = rq;
    else
        host->last->next = rq;
    host->last = rq;
}

static void host_remove(struct net_host *host, struct net_request *rq)
{
    struct net_request **link = &host->first, *before = NULL;

    while (*link != rq) {
        before = *link;
        link = &before->next;
    }
    *link = rq->next;
    if (host->last == rq)
        host->last = before;
    rq->next = NULL;
}

/* Rows without calls, once there are many of them. */
static void forget_idle_hosts(struct net *net, int keep)
{
    struct net_host **link = &net->hosts;

    while (net->host_count > keep && *link != NULL) {
        struct net_host *host = *link;

        if (host->running > 0 || host->first != NULL) {
            link = &host->next;
            continue;
        }
        *link = host->next;
        net->host_count--;
        free(host);
    }
}

/* Takes the request out of everything and ends it. */
static void end(struct net *net, struct net_request *rq, CURLcode code)
{
    struct net_host *host = rq->host;

    if (rq->running) {
        (void)curl_multi_remove_handle(net->multi, rq->easy);
        rq->running = false;
        host->running--;
    } else if (host != NULL) {
        host_remove(host, rq);
    }
    live_remove(net, rq);
    finish(net, rq, code);
}

static void stop(struct net *net, struct net_request *rq, enum net_stop why)
{
    rq->stop = why;
    end(net, rq, CURLE_ABORTED_BY_CALLBACK);
}

/* Gives the request, which waits in no line, to libcurl. */
static void run(struct net *net, struct net_request *rq)
{
    int64_t left_us = rq->deadline_us - sys_mono_us();
    CURLMcode rc;

    rq->running = true;
    rq->host->running++;
    if (left_us <= 0) {
        stop(net, rq, NET_STOP_DEADLINE);
        return;
    }
    (void)curl_easy_setopt(rq->easy, CURLOPT_TIMEOUT_MS, (long)(left_us / 1000 + 1));
    rc = curl_multi_add_handle(net->multi, rq->easy);
    if (rc != CURLM_OK)
        end(net, rq, CURLE_OUT_OF_MEMORY); /* its only cause with handles that are ours */
}

static void run_waiting(struct net *net)
{
    for (struct net_host *host = net->hosts; host != NULL; host = host->next)
        while (host->first != NULL && host->running < net->options.connections_max) {
            struct net_request *rq = host->first;

            host_remove(host, rq);
            run(net, rq);
        }
}

/* Moves what was started since the last look to the hosts' lines. */
static bool take_queue(struct net *net)
{
    struct net_request *rq;
    bool stopping;

    lock_take(&net->lock);
    rq = net->queue_first;
    net->queue_first = net->queue_last = NULL;
    net->woken = false;
    stopping = net->stopping;
    lock_drop(&net->lock);

    while (rq != NULL) {
        struct net_request *next = rq->next;

        live_add(net, rq);
        rq->host = host_of(net, rq);
        if (rq->host == NULL)
            end(net, rq, CURLE_OUT_OF_MEMORY);
        else
            host_push(rq->host, rq);
        rq = next;
    }
    return !stopping;
}

static void collect(struct net *net)
{
    struct CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(net->multi, &left)) != NULL) {
        CURLcode code = message->data.result;
        char *private = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        end(net, (struct net_request *)(void *)private, code);
    }
}

/* Ends what is late. libcurl keeps the deadline of what runs; waiting calls and
 * answers that stand still are found here. */
static void sweep(struct net *net)
{
    int64_t now_us = sys_mono_us();
    struct net_request *newer;

    if (now_us - net->swept_us < sweep_us)
        return;
    net->swept_us = now_us;
    for (struct net_request *rq = net->live_first; rq != NULL; rq = newer) {
        newer = rq->newer;
        if (now_us >= rq->deadline_us)
            stop(net, rq, NET_STOP_DEADLINE);
        else if (rq->heard_us != 0 && now_us - rq->heard_us >= net->options.stall_us)
            stop(net, rq, NET_STOP_STALL);
    }
    forget_idle_hosts(net, NET_HOSTS_IDLE_MAX);
}

static void close_all(struct net *net)
{
    while (net->live_first != NULL)
        stop(net, net->live_first, NET_STOP_CLOSE);
    forget_idle_hosts(net, 0);
    /* Here and not in net_close: OpenSSL writes its good-bye without MSG_NOSIGNAL,
     * and this thread has SIGPIPE blocked. */
    (void)curl_multi_cleanup(net->multi);
    net->multi = NULL;
}

void *net_loop_run(void *ctx)
{
    struct net *net = ctx;
    int running;

    while (take_queue(net)) {
        run_waiting(net);
        (void)curl_multi_perform(net->multi, &running);
        collect(net);
        sweep(net);
        run_waiting(net);
        running = net->live_first != NULL;
        if (curl_multi_poll(net->multi, NULL, 0, running ? POLL_BUSY_MS : POLL_IDLE_MS, NULL) !=
            CURLM_OK)
            sys_sleep_us(1000); /* out of memory: the deadlines go on */
    }
    close_all(net);
    return NULL;
}
