/* SPDX-License-Identifier: Apache-2.0 */
/* The live connections: whose they are, since when each waits for a head, and which
 * must go: those that are over their time, those over the cap of their address, and,
 * when a listener has no worker left, those that have waited longest. Going means
 * that reading ends; the worker notices at once, and can still answer. */
#include "gateway/http/http_private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#ifdef ARKGATE_CIVETWEB_PACKAGE
#include <dirent.h>
#include <netinet/in.h>
#endif

enum {
    /* A head follows its connection by less than a round trip; who has waited longer
     * is idle. */
    IDLE_AGE_US = 250000,
    SWEEP_US = 500000,      /* deadlines are seconds; half of one is fine */
    SWEEP_FULL_US = 50000,  /* someone waits for a worker */
    SWEEP_SPOOL_US = 50000, /* a core reads 20 MB of JSON meanwhile */
    SEND_BUFFER =
        128 << 10,       /* the kernel doubles it; else it keeps MBs for who does not read */
    REPORT_US = 10000000 /* one line in the log for many refusals */
};

#ifdef ARKGATE_CIVETWEB_PACKAGE

static int port_of(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port);
    return -1; /* that library has no IPv6 */
}

/* Without the patch a connection's socket is the descriptor with its two ports, which
 * are known from the first head on: that one has only CivetWeb's own limit of time. */
static int socket_of(const struct mg_connection *conn)
{
    const struct mg_request_info *info = mg_get_request_info(conn);
    DIR *dir = info != NULL ? opendir("/proc/self/fd") : NULL;
    int found = -1;

    for (struct dirent *entry; dir != NULL && found < 0 && (entry = readdir(dir)) != NULL;) {
        struct sockaddr_storage peer, own;
        socklen_t peer_len = sizeof(peer), own_len = sizeof(own);
        int64_t fd;

        if (str_to_i64(str_from(entry->d_name), &fd) &&
            getpeername((int)fd, (struct sockaddr *)&peer, &peer_len) == 0 &&
            getsockname((int)fd, (struct sockaddr *)&own, &own_len) == 0 &&
            port_of(&peer) == info->remote_port && port_of(&own) == info->server_port)
            found = (int)fd;
    }
    if (dir != NULL)
        (void)closedir(dir);
    return found;
}

#else

static int socket_of(const struct mg_connection *conn)
{
    return mg_get_connection_socket(conn);
}

#endif

static struct connection *of(const struct mg_connection *conn)
{
    return mg_get_user_connection_data(conn);
}

static struct connections *table_of(const struct connection *it)
{
    return &it->side->server->connections;
}

/* --- those that wait for a head, oldest first ----------------------------- */

static void waiting_put(struct connection *it)
{
    struct listener *side = it->side;

    it->waiting = true;
    it->newer = NULL;
    it->older = side->newest;
    *(side->newest != NULL ? &side->newest->newer : &side->oldest) = it;
    side->newest = it;
}

static void waiting_take(struct connection *it)
{
    struct listener *side = it->side;

    if (!it->waiting)
        return;
    *(it->older != NULL ? &it->older->newer : &side->oldest) = it->newer;
    *(it->newer != NULL ? &it->newer->older : &side->newest) = it->older;
    it->waiting = false;
}

/* --- how many of one address ---------------------------------------------- */

static struct connection **bucket_of(struct connections *table, const struct address *address)
{
    uint64_t hash = table->seed;

    for (size_t i = 0; i < sizeof(address->bytes); i++)
        hash = (hash ^ address->bytes[i]) * UINT64_C(0x100000001b3);
    return &table->buckets[(hash >> 32) % COUNT_OF(table->buckets)];
}

/* False when the address has as many as it may. */
static bool count_in(struct connection *it, const struct address *address)
{
    struct connections *table = table_of(it);
    struct connection **bucket;
    int count = 0;

    it->client = address_client(address);
    bucket = bucket_of(table, &it->client);
    for (const struct connection *at = *bucket; at != NULL; at = at->next)
        count += memcmp(&at->client, &it->client, sizeof(it->client)) == 0;
    if (count >= table->address_max) {
        table->refused++;
        return false;
    }
    it->next = *bucket;
    *bucket = it;
    it->counted = true;
    return true;
}

static void count_out(struct connection *it)
{
    struct connection **at = bucket_of(table_of(it), &it->client);

    if (!it->counted)
        return;
    while (*at != it)
        at = &(*at)->next;
    *at = it->next;
    it->counted = false;
}

/* --- ending them ---------------------------------------------------------- */

static void cut(struct connection *it, int how)
{
    it->cut = true;
    waiting_take(it);
    if (it->fd >= 0)
        (void)shutdown(it->fd, how);
}

static bool is_full(const struct listener *side)
{
    return side->live >= side->workers;
}

/* Ends the one that has waited longest. */
static bool make_room(struct listener *side, int64_t now_us)
{
    struct connection *it = side->oldest;

    if (it == NULL || now_us - it->since_us < IDLE_AGE_US)
        return false;
    side->server->connections.evicted++;
    cut(it, SHUT_RD);
    return true;
}

static void report(struct connections *table, int64_t now_us)
{
    if ((table->refused == 0 && table->evicted == 0) || now_us < table->reported_us + REPORT_US)
        return;
    LOG(LOG_WARN, "connections_ended", LOG_INT("over_address_max", table->refused),
        LOG_INT("idle_without_workers", table->evicted));
    table->refused = table->evicted = 0;
    table->reported_us = now_us;
}

/* A body: a head has no worker's attention yet. */
static bool is_reading(const struct connection *it)
{
    return !it->waiting && it->deadline_us != INT64_MAX;
}

int64_t connection_sweep(struct server *server)
{
    struct connections *table = &server->connections;
    struct listener *sides[] = {&server->public_side, &server->admin_side};
    int64_t now_us = sys_mono_us();
    bool full = false, spooled = false;

    lock_assert_held(&table->lock);
    for (size_t i = 0; i < table->count; i++) {
        struct connection *it = &table->slots[i];

        if (it->side != NULL && it->spool != NULL) {
            spooled = true;
            (void)madvise(it->spool, it->spool_len, MADV_DONTNEED);
        }
        if (it->side != NULL && !it->cut &&
            (it->deadline_us <= now_us || (table->cutting && is_reading(it))))
            cut(it, SHUT_RD);
    }
    for (size_t i = 0; i < COUNT_OF(sides); i++) {
        if (!is_full(sides[i]))
            continue;
        full = true;
        (void)make_room(sides[i], now_us);
    }
    report(table, now_us);
    if (full)
        return now_us + SWEEP_FULL_US;
    return now_us + (spooled ? SWEEP_SPOOL_US : SWEEP_US);
}

/* --- the life of one ------------------------------------------------------ */

enum err_code connection_open(struct server *server, size_t count, struct err *err)
{
    struct connections *table = &server->connections;

    TRY(address_list_parse(server->options.trusted_proxies, &table->trusted, err));
    table->slots = calloc(count, sizeof(*table->slots));
    if (table->slots == NULL)
        return err_detail(err, ERR_INTERNAL, "out of memory");
    table->count = count;
    table->address_max = server->options.address_max;
    sys_random(&table->seed, sizeof(table->seed));
    for (size_t i = 0; i < count; i++) {
        table->slots[i].next = table->free;
        table->free = &table->slots[i];
    }
    return ERR_OK;
}

void connection_close(struct server *server)
{
    free(server->connections.slots);
}

int connection_begin(const struct mg_connection *conn, void **ret_data)
{
    struct listener *side = mg_get_user_data(mg_get_context(conn));
    struct connections *table = &side->server->connections;
    int fd = socket_of(conn), send_buffer = SEND_BUFFER;
    int64_t now_us = sys_mono_us();
    struct connection *it;

    if (fd >= 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof(send_buffer));
    lock_take(&table->lock);
    it = table->free;
    ASSERT(it != NULL); /* there is one for each worker */
    table->free = it->next;
    *it = (struct connection){.side = side,
                              .fd = fd,
                              .since_us = now_us,
                              .deadline_us = now_us + side->server->options.client_us};
    side->live++;
    waiting_put(it);
    if (address_of_peer(fd, &it->peer)) {
        it->trusted = address_trusted(&table->trusted, &it->peer);
        if (!it->trusted && !count_in(it, &it->peer))
            cut(it, SHUT_RDWR);
    }
    if (is_full(side) && !make_room(side, now_us))
        lock_signal(&table->lock); /* soon one is old enough */
    lock_drop(&table->lock);
    *ret_data = it;
    return 0;
}

void connection_end(const struct mg_connection *conn)
{
    struct connection *it = of(conn);
    struct connections *table;

    if (it == NULL)
        return; /* it ended before it began: a handshake failed */
    table = table_of(it);
    lock_take(&table->lock);
    waiting_take(it);
    count_out(it);
    it->side->live--;
    it->side = NULL;
    it->next = table->free;
    table->free = it;
    lock_drop(&table->lock);
}

void connection_busy(const struct mg_connection *conn)
{
    struct connection *it = of(conn);
    int fd = it->fd >= 0 ? it->fd : socket_of(conn);

    lock_take(&table_of(it)->lock);
    waiting_take(it);
    it->fd = fd;
    it->deadline_us = INT64_MAX;
    lock_drop(&table_of(it)->lock);
}

void connection_wait(const struct mg_connection *conn)
{
    struct connection *it = of(conn);
    int64_t now_us = sys_mono_us();

    lock_take(&table_of(it)->lock);
    if (it->trusted)
        count_out(it);
    it->served = true;
    it->since_us = now_us;
    it->deadline_us = now_us + HTTP_IDLE_US + it->side->server->options.client_us;
    if (!it->cut)
        waiting_put(it);
    lock_drop(&table_of(it)->lock);
}

bool connection_count(const struct request *rq)
{
    struct connection *it = of(rq->conn);
    struct connections *table = table_of(it);
    struct address client;
    bool ok;

    if (!it->trusted || !address_of_request(&table->trusted, rq, &client))
        return true;
    lock_take(&table->lock);
    ok = count_in(it, &client);
    lock_drop(&table->lock);
    return ok;
}

bool connection_late(const struct mg_connection *conn)
{
    struct connection *it = of(conn);
    int64_t limit_us = it->side->server->options.client_us;
    bool late;

    if (it->served && limit_us > HTTP_IDLE_US)
        limit_us = HTTP_IDLE_US; /* as CivetWeb counts from the second head on */
    lock_take(&table_of(it)->lock);
    late = it->cut || sys_mono_us() - it->since_us >= limit_us;
    lock_drop(&table_of(it)->lock);
    return late;
}

void connection_limit(const struct mg_connection *conn, int64_t deadline_us)
{
    struct connection *it = of(conn);

    lock_take(&table_of(it)->lock);
    it->deadline_us = deadline_us;
    lock_drop(&table_of(it)->lock);
}

bool connection_unlimit(const struct mg_connection *conn)
{
    struct connection *it = of(conn);
    bool was_cut;

    lock_take(&table_of(it)->lock);
    it->deadline_us = INT64_MAX;
    was_cut = it->cut;
    lock_drop(&table_of(it)->lock);
    return was_cut;
}

void connection_spool(const struct mg_connection *conn, void *at, size_t len)
{
    struct connection *it = of(conn);

    lock_take(&table_of(it)->lock);
    it->spool = at;
    it->spool_len = len;
    lock_signal(&table_of(it)->lock);
    lock_drop(&table_of(it)->lock);
}

void connection_cut(struct server *server)
{
    struct connections *table = &server->connections;

    lock_take(&table->lock);
    table->cutting = true;
    lock_signal(&table->lock);
    lock_drop(&table->lock);
}

bool connection_low(const struct mg_connection *conn)
{
    struct connection *it = of(conn);
    bool low;

    lock_take(&table_of(it)->lock);
    low = it->side->live * 8 > it->side->workers * 7;
    lock_drop(&table_of(it)->lock);
    return low;
}
