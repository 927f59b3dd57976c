/* SPDX-License-Identifier: Apache-2.0 */
/* Resolves host names on threads of its own, so that callers keep their deadlines: when
 * threads start and end, who waits, for whom a lookup may begin. Does not judge addresses.
 *
 * A lookup cannot be interrupted. Nobody waits for one past his own deadline, not even
 * net_resolver_close: the resolver is counted by its owner, its threads and its calls,
 * and whoever leaves last frees it. Threads are joined unless they are in a lookup at
 * that moment; those are detached. A lookup that outlives its callers still counts for
 * whom it was begun. While all threads hang, hosts that are not cached end with ERR_BUSY. */
#include "base/net/guard_private.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>

enum {
    THREADS_DEFAULT = 32, /* eight owners with silent name servers */
    THREADS_MAX = 64,
    QUEUE_DEFAULT = 256,  /* one for every request in work at a time */
    OWNER_DEFAULT = 4,    /* new names at a time; a tenant's callbacks lead to one or two */
    STACK_BYTES = 1 << 20 /* getaddrinfo loads modules and keeps answers on its stack */
};
static const int64_t idle_default_us = 10000000;
static const int64_t cache_default_us = 10000000;
static const int64_t day_us = 86400LL * 1000000; /* addresses move */
/* A second, twice, for each name server: the system's own 5 s are longer than callers wait. */
static const char patience[] = "timeout:1 attempts:2";
static const char too_many[] = "too many host names are being looked up, try again";

struct worker {
    struct net_resolver *resolver;
    pthread_t thread;
    bool started; /* until it ends for want of work */
    bool looking; /* in a lookup, without the lock */
    bool left;    /* detached by close */
};

struct net_resolver {
    struct net_resolver_options options; /* constant, like the overrides */
    struct net_override *overrides;

    struct lock lock; /* guards the rest */
    bool closing;     /* the workers are close's from then on */
    int refs;         /* the owner, each thread, each call */
    struct worker workers[THREADS_MAX];
    struct net_hosts hosts;
};

/* The system's own, with the hook's signature. Without AI_ADDRCONFIG: addresses that
 * this machine cannot reach now are judged too. */
static int lookup_system(void *lookup_ctx, const char *host,
                         struct net_addresses *ret_addresses)
{
    static const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int status = getaddrinfo(host, NULL, &hints, &list);

    (void)lookup_ctx;
    if (status != 0)
        return status;
    for (const struct addrinfo *at = list; at != NULL && status == 0; at = at->ai_next) {
        if (ret_addresses->count == NET_ADDRESSES_MAX)
            status = EAI_OVERFLOW;
        else if (at->ai_addrlen <= sizeof(ret_addresses->items[0]))
            memcpy(&ret_addresses->items[ret_addresses->count++], at->ai_addr, at->ai_addrlen);
    }
    freeaddrinfo(list);
    return status;
}

/* The lock is free during the lookup. A RUNNING host stays in the table, so only the
 * end of the resolver, which this thread holds up, could free it. */
static void look_up_locked(struct net_resolver *resolver, struct net_entry *host)
{
    struct net_addresses addresses = {0};
    int status;

    lock_drop(&resolver->lock);
    status = resolver->options.lookup(resolver->options.lookup_ctx, host->name, &addresses);
    lock_take(&resolver->lock);
    net_hosts_finish(&resolver->hosts, host, status, &addresses, resolver->options.cache_us);
    lock_signal(&resolver->lock);
}

static void resolver_free(struct net_resolver *resolver)
{
    net_hosts_fini(&resolver->hosts);
    net_override_free(&resolver->overrides);
    lock_fini(&resolver->lock);
    free(resolver);
}

/* Gives up one reference and the lock. */
static void leave_locked(struct net_resolver *resolver)
{
    bool last = --resolver->refs == 0;

    lock_drop(&resolver->lock);
    if (last)
        resolver_free(resolver);
}

static void *work(void *ctx)
{
    struct worker *worker = ctx;
    struct net_resolver *resolver = worker->resolver;
    int64_t idle_until_us = sys_mono_us() + resolver->options.idle_us;

    lock_take(&resolver->lock);
    while (!resolver->closing) {
        struct net_entry *host = net_hosts_begin(&resolver->hosts);

        if (host != NULL) {
            worker->looking = true;
            look_up_locked(resolver, host);
            worker->looking = false;
            idle_until_us = sys_mono_us() + resolver->options.idle_us;
        } else if (sys_mono_us() < idle_until_us) {
            (void)lock_wait(&resolver->lock, idle_until_us);
        } else { /* its place is free for another */
            worker->started = false;
            (void)pthread_detach(worker->thread);
            break;
        }
    }
    leave_locked(resolver);
    return NULL;
}

static void set_options(struct net_resolver *resolver,
                        const struct net_resolver_options *options)
{
    struct net_resolver_options *own = &resolver->options;

    *own = *options;
    own->overrides = (struct str){NULL, 0}; /* the caller's memory */
    if (own->threads <= 0)
        own->threads = THREADS_DEFAULT;
    if (own->threads > THREADS_MAX)
        own->threads = THREADS_MAX;
    if (own->idle_us <= 0)
        own->idle_us = idle_default_us;
    if (own->idle_us > day_us)
        own->idle_us = day_us;
    if (own->owner_max <= 0)
        own->owner_max = OWNER_DEFAULT;
    if (own->queue_max <= 0)
        own->queue_max = QUEUE_DEFAULT;
    if (own->cache_us <= 0)
        own->cache_us = cache_default_us;
    if (own->cache_us > day_us)
        own->cache_us = day_us;
    if (own->lookup == NULL)
        own->lookup = lookup_system;
}

/* A thread for what waits, unless an idle one will take it or all are in work. Where none
 * can be had, those that run get round to it. */
static enum err_code start_worker_locked(struct net_resolver *resolver, struct err *err)
{
    int started = 0, idle = 0;
    struct worker *worker = NULL;
    enum err_code rc;

    lock_assert_held(&resolver->lock);
    for (int i = 0; i < resolver->options.threads; i++) {
        started += resolver->workers[i].started;
        idle += resolver->workers[i].started && !resolver->workers[i].looking;
        if (!resolver->workers[i].started)
            worker = &resolver->workers[i];
    }
    if (worker == NULL || idle >= resolver->hosts.lines[NET_ENTRY_WAITING].count)
        return ERR_OK;
    worker->resolver = resolver;
    rc = lock_thread(&worker->thread, "resolver", STACK_BYTES, work, worker, err);
    if (rc != ERR_OK)
        return started == 0 ? rc : ERR_OK;
    worker->started = true;
    resolver->refs++;
    return ERR_OK;
}

enum err_code net_resolver_open(const struct net_resolver_options *options,
                                struct net_resolver **ret_resolver, struct err *err)
{
    CLEANUP(net_resolver_close) struct net_resolver *resolver = calloc(1, sizeof(*resolver));

    if (resolver == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory for the resolver");
    lock_init(&resolver->lock);
    resolver->refs = 1;
    set_options(resolver, options);
    TRY(net_override_parse(options->overrides, &resolver->overrides, err));
    if (options->lookup == NULL && setenv("RES_OPTIONS", patience, 0) != 0)
        return err_detail(err, ERR_INTERNAL, "no memory for RES_OPTIONS");
    *ret_resolver = resolver;
    resolver = NULL;
    return ERR_OK;
}

void net_resolver_close(struct net_resolver **resolver)
{
    struct net_resolver *closing = *resolver;

    if (closing == NULL)
        return;
    *resolver = NULL;
    lock_take(&closing->lock);
    closing->closing = true;
    lock_signal(&closing->lock);
    for (int i = 0; i < THREADS_MAX; i++) {
        closing->workers[i].left = closing->workers[i].looking;
        if (closing->workers[i].left)
            (void)pthread_detach(closing->workers[i].thread);
    }
    lock_drop(&closing->lock);
    for (int i = 0; i < THREADS_MAX; i++) {
        if (closing->workers[i].started && !closing->workers[i].left)
            (void)pthread_join(closing->workers[i].thread, NULL);
    }
    lock_take(&closing->lock);
    leave_locked(closing);
}

static enum err_code answer_locked(const struct net_resolver *resolver,
                                   const struct net_entry *host,
                                   struct net_addresses *ret_addresses, struct err *err)
{
    if (host->state != NET_ENTRY_DONE && resolver->closing)
        return err_set(err, ERR_UNAVAILABLE, "the gateway is shutting down");
    if (host->state == NET_ENTRY_WAITING)
        return err_set(err, ERR_BUSY, too_many);
    if (host->state == NET_ENTRY_RUNNING)
        return err_set(err, ERR_TIMEOUT, "the host could not be resolved in time");
    switch (host->status) {
    case 0:
        ret_addresses->count = host->count;
        memcpy(ret_addresses->items, host->items, host->count * sizeof(host->items[0]));
        return ERR_OK;
    case EAI_OVERFLOW:
        return err_set(err, ERR_TOO_LARGE, "the host has more than %d addresses",
                       NET_ADDRESSES_MAX);
    case EAI_NONAME:
    case EAI_NODATA:
    case EAI_ADDRFAMILY:
    case EAI_FAIL:
    case EAI_AGAIN: /* its name servers are silent or broken */
        return err_set(err, ERR_NOT_FOUND, "the host does not resolve");
    default:
        return err_detail(err, ERR_UNAVAILABLE, "getaddrinfo: %s", gai_strerror(host->status));
    }
}

/* Begins a lookup of the host that nothing is known about. */
static enum err_code ask_locked(struct net_resolver *resolver, const char *name, int64_t owner,
                                struct net_entry **ret_host, struct err *err)
{
    struct net_hosts *hosts = &resolver->hosts;
    struct net_entry *host;
    enum err_code rc;

    if (hosts->lines[NET_ENTRY_WAITING].count >= resolver->options.queue_max ||
        (owner != 0 && net_hosts_begun(hosts, owner) >= resolver->options.owner_max))
        return err_set(err, ERR_BUSY, too_many);
    host = net_hosts_add(hosts, name, owner);
    if (host == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory for a lookup");
    host->waiters++;
    rc = start_worker_locked(resolver, err);
    if (rc != ERR_OK) {
        net_hosts_leave(hosts, host);
        return rc;
    }
    lock_signal(&resolver->lock);
    *ret_host = host;
    return ERR_OK;
}

static enum err_code look_or_wait_locked(struct net_resolver *resolver, const char *name,
                                         const struct net_question *question,
                                         struct net_addresses *ret_addresses, struct err *err)
{
    struct net_entry *host = net_hosts_find(&resolver->hosts, name);
    int64_t deadline_us = question->deadline_mono_us;
    enum err_code rc;

    if (deadline_us < 0)
        deadline_us = 0; /* no time before the clock's start */
    if (host != NULL)
        host->waiters++;
    else
        TRY(ask_locked(resolver, name, question->owner, &host, err));
    while (host->state != NET_ENTRY_DONE && !resolver->closing &&
           lock_wait(&resolver->lock, deadline_us)) {
    }
    rc = answer_locked(resolver, host, ret_addresses, err);
    net_hosts_leave(&resolver->hosts, host);
    return rc;
}

enum err_code net_resolver_lookup(struct net_resolver *resolver,
                                  const struct net_question *question,
                                  struct net_addresses *ret_addresses, struct err *err)
{
    const struct net_override *override;
    char name[NET_NAME_MAX + 1];
    enum err_code rc;

    if (!net_name_copy(question->host, name))
        return err_set(err, ERR_INVALID, "the host is not a valid name");
    override = net_override_find(resolver->overrides, name);
    if (override != NULL) {
        *ret_addresses = override->addresses;
        return ERR_OK;
    }
    lock_take(&resolver->lock);
    resolver->refs++;
    rc = look_or_wait_locked(resolver, name, question, ret_addresses, err);
    leave_locked(resolver);
    return rc;
}
