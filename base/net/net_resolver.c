/* SPDX-License-Identifier: Apache-2.0 */
/* Resolves host names on threads of its own, so that callers keep their deadlines:
 * who shares a lookup, who waits, what is remembered. Does not judge addresses.
 *
 * A lookup cannot be interrupted. Nobody waits for one past his own deadline, not even
 * net_resolver_close: the resolver is counted by its owner, its threads and its calls,
 * and whoever leaves last frees it. Threads are joined unless they are in a lookup at
 * that moment; those are detached. While all threads hang, hosts that are not cached
 * end with ERR_TIMEOUT, then ERR_BUSY. */
#include "base/net/guard_private.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>

enum {
    THREADS_DEFAULT = 4,
    THREADS_MAX = 64,
    QUEUE_DEFAULT = 256,  /* one for every request in work at a time */
    CACHE_MAX = 1024,     /* under 1 MB with three addresses each, 9 MB at worst */
    BUCKETS = 512,        /* for CACHE_MAX and the queue: two or three entries each */
    STACK_BYTES = 1 << 20 /* getaddrinfo loads modules and keeps answers on its stack */
};
static const int64_t cache_default_us = 10000000;
static const int64_t cache_max_us = 86400LL * 1000000; /* a day: addresses move */
static const int64_t negative_us = 1000000;            /* or cache_us, when that is shorter */

enum entry_state { WAITING, RUNNING, DONE };

/* A host being resolved or remembered. In the table it is WAITING and in the queue,
 * RUNNING, or DONE and in the cache; out of the table its last waiter frees it. */
struct entry {
    struct entry *chain;         /* same bucket */
    struct entry *older, *newer; /* in the queue or the cache */
    enum entry_state state;
    bool listed; /* in the table */
    int waiters;
    int64_t until_us; /* DONE: forgotten then */
    int status;       /* DONE: 0 or EAI_… */
    size_t count;
    struct sockaddr_storage *items;
    char host[NET_NAME_MAX + 1];
};

struct line {
    struct entry *oldest, *newest;
    int count;
};

struct worker {
    struct net_resolver *resolver;
    pthread_t thread;
    bool looking; /* in a lookup, without the lock */
    bool left;    /* detached by close */
};

struct net_resolver {
    struct net_resolver_options options; /* constant, like the overrides */
    struct net_override *overrides;
    struct worker workers[THREADS_MAX];
    int worker_count; /* open and close only */

    struct lock lock; /* guards the rest */
    bool closing;
    int refs; /* the owner, each thread, each call */
    struct entry *buckets[BUCKETS];
    struct line queue, cache;
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

static void line_add(struct line *line, struct entry *entry)
{
    entry->older = line->newest;
    entry->newer = NULL;
    if (line->newest == NULL)
        line->oldest = entry;
    else
        line->newest->newer = entry;
    line->newest = entry;
    line->count++;
}

static void line_remove(struct line *line, struct entry *entry)
{
    if (entry->older == NULL)
        line->oldest = entry->newer;
    else
        entry->older->newer = entry->newer;
    if (entry->newer == NULL)
        line->newest = entry->older;
    else
        entry->newer->older = entry->older;
    line->count--;
}

/* FNV-1a: who chooses colliding names gets a list of 1280, no worse. */
static struct entry **bucket_of(struct net_resolver *resolver, const char *host)
{
    uint32_t hash = 2166136261u;

    for (; *host != '\0'; host++)
        hash = (hash ^ (unsigned char)*host) * 16777619u;
    return &resolver->buckets[hash % BUCKETS];
}

static void entry_free(struct entry *entry)
{
    free(entry->items);
    free(entry);
}

/* Out of the table and of the line that its state puts it in. */
static void unlist_locked(struct net_resolver *resolver, struct entry *entry)
{
    struct entry **at = bucket_of(resolver, entry->host);

    while (*at != entry)
        at = &(*at)->chain;
    *at = entry->chain;
    line_remove(entry->state == DONE ? &resolver->cache : &resolver->queue, entry);
    entry->listed = false;
    if (entry->waiters == 0)
        entry_free(entry);
}

/* What is known or under way about the host, NULL for nothing. */
static struct entry *find_locked(struct net_resolver *resolver, const char *host)
{
    struct entry *entry = *bucket_of(resolver, host);

    while (entry != NULL && strcmp(entry->host, host) != 0)
        entry = entry->chain;
    if (entry != NULL && entry->state == DONE && entry->until_us <= sys_mono_us()) {
        unlist_locked(resolver, entry);
        return NULL;
    }
    return entry;
}

static enum err_code add_locked(struct net_resolver *resolver, const char *host,
                                struct entry **ret_entry, struct err *err)
{
    struct entry **bucket = bucket_of(resolver, host);
    struct entry *entry;

    if (resolver->queue.count >= resolver->options.queue_max)
        return err_detail(err, ERR_BUSY, "%d host names wait for a lookup",
                          resolver->queue.count);
    entry = calloc(1, sizeof(*entry));
    if (entry == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory for a lookup");
    (void)str_copy(entry->host, sizeof(entry->host), str_from(host));
    entry->listed = true;
    entry->chain = *bucket;
    *bucket = entry;
    line_add(&resolver->queue, entry);
    lock_signal(&resolver->lock);
    *ret_entry = entry;
    return ERR_OK;
}

static void finish_locked(struct net_resolver *resolver, struct entry *entry, int status,
                          const struct net_addresses *addresses)
{
    int64_t keep_us = resolver->options.cache_us;

    lock_assert_held(&resolver->lock);
    if (status == 0 && addresses->count == 0)
        status = EAI_NODATA;
    if (status == 0) {
        entry->items = calloc(addresses->count, sizeof(entry->items[0]));
        if (entry->items == NULL)
            status = EAI_MEMORY;
    }
    if (status == 0) {
        entry->count = addresses->count;
        memcpy(entry->items, addresses->items, entry->count * sizeof(entry->items[0]));
    } else if (keep_us > negative_us) {
        keep_us = negative_us;
    }
    entry->status = status;
    entry->until_us = sys_mono_us() + keep_us;
    entry->state = DONE;
    line_add(&resolver->cache, entry);
    if (resolver->cache.count > CACHE_MAX)
        unlist_locked(resolver, resolver->cache.oldest);
    lock_signal(&resolver->lock);
}

/* The lock is free during the lookup. A RUNNING entry stays in the table, so only the
 * end of the resolver, which this thread holds up, could free it. */
static void look_up_locked(struct net_resolver *resolver, struct entry *entry)
{
    struct net_addresses addresses = {0};
    int status;

    line_remove(&resolver->queue, entry);
    entry->state = RUNNING;
    lock_drop(&resolver->lock);
    status = resolver->options.lookup(resolver->options.lookup_ctx, entry->host, &addresses);
    lock_take(&resolver->lock);
    finish_locked(resolver, entry, status, &addresses);
}

static void resolver_free(struct net_resolver *resolver)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        while (resolver->buckets[i] != NULL) {
            struct entry *entry = resolver->buckets[i];

            resolver->buckets[i] = entry->chain;
            entry_free(entry);
        }
    }
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

    lock_take(&resolver->lock);
    while (!resolver->closing) {
        if (resolver->queue.oldest == NULL) {
            (void)lock_wait(&resolver->lock, INT64_MAX);
            continue;
        }
        worker->looking = true;
        look_up_locked(resolver, resolver->queue.oldest);
        worker->looking = false;
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
    if (own->queue_max <= 0)
        own->queue_max = QUEUE_DEFAULT;
    if (own->cache_us <= 0)
        own->cache_us = cache_default_us;
    if (own->cache_us > cache_max_us)
        own->cache_us = cache_max_us;
    if (own->lookup == NULL)
        own->lookup = lookup_system;
}

static enum err_code start_worker(struct net_resolver *resolver, struct err *err)
{
    struct worker *worker = &resolver->workers[resolver->worker_count];
    enum err_code rc;

    worker->resolver = resolver;
    lock_take(&resolver->lock);
    rc = lock_thread(&worker->thread, "resolver", STACK_BYTES, work, worker, err);
    if (rc == ERR_OK) {
        resolver->worker_count++;
        resolver->refs++;
    }
    lock_drop(&resolver->lock);
    return rc;
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
    while (resolver->worker_count < resolver->options.threads)
        TRY(start_worker(resolver, err));
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
    for (int i = 0; i < closing->worker_count; i++) {
        closing->workers[i].left = closing->workers[i].looking;
        if (closing->workers[i].left)
            (void)pthread_detach(closing->workers[i].thread);
    }
    lock_drop(&closing->lock);
    for (int i = 0; i < closing->worker_count; i++) {
        if (!closing->workers[i].left)
            (void)pthread_join(closing->workers[i].thread, NULL);
    }
    lock_take(&closing->lock);
    leave_locked(closing);
}

static enum err_code answer_locked(const struct net_resolver *resolver,
                                   const struct entry *entry,
                                   struct net_addresses *ret_addresses, struct err *err)
{
    if (entry->state != DONE && resolver->closing)
        return err_set(err, ERR_UNAVAILABLE, "the gateway is stopping");
    if (entry->state != DONE)
        return err_set(err, ERR_TIMEOUT, "the host could not be resolved in time");
    switch (entry->status) {
    case 0:
        ret_addresses->count = entry->count;
        memcpy(ret_addresses->items, entry->items, entry->count * sizeof(entry->items[0]));
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
        return err_detail(err, ERR_UNAVAILABLE, "getaddrinfo: %s", gai_strerror(entry->status));
    }
}

static enum err_code look_or_wait_locked(struct net_resolver *resolver, const char *host,
                                         int64_t deadline_mono_us,
                                         struct net_addresses *ret_addresses, struct err *err)
{
    struct entry *entry = find_locked(resolver, host);
    enum err_code rc;

    if (entry == NULL)
        TRY(add_locked(resolver, host, &entry, err));
    entry->waiters++;
    while (entry->state != DONE && !resolver->closing &&
           lock_wait(&resolver->lock, deadline_mono_us)) {
    }
    rc = answer_locked(resolver, entry, ret_addresses, err);
    entry->waiters--;
    if (entry->waiters == 0 && !entry->listed)
        entry_free(entry);
    else if (entry->waiters == 0 && entry->state == WAITING)
        unlist_locked(resolver, entry); /* nobody wants it any more */
    return rc;
}

enum err_code net_resolver_lookup(struct net_resolver *resolver, struct str host,
                                  int64_t deadline_mono_us, struct net_addresses *ret_addresses,
                                  struct err *err)
{
    const struct net_override *override;
    char name[NET_NAME_MAX + 1];
    enum err_code rc;

    if (!net_name_copy(host, name))
        return err_set(err, ERR_INVALID, "the host is not a valid name");
    override = net_override_find(resolver->overrides, name);
    if (override != NULL) {
        *ret_addresses = override->addresses;
        return ERR_OK;
    }
    if (deadline_mono_us < 0)
        deadline_mono_us = 0; /* no time before the clock's start */
    lock_take(&resolver->lock);
    resolver->refs++;
    rc = look_or_wait_locked(resolver, name, deadline_mono_us, ret_addresses, err);
    leave_locked(resolver);
    return rc;
}
