/* SPDX-License-Identifier: Apache-2.0 */
/* Ends bodies that arrive too slowly. CivetWeb hides its sockets, so the one to
 * cut is found among the process's descriptors by its addresses; that happens
 * only when a client is over its time. */
#include "gateway/http/http_private.h"

#include <dirent.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    WATCHDOG_TICK_US = 500000, /* deadlines are seconds; half of one is fine */
    WATCHDOG_STACK_BYTES = 256 << 10
};

static int port_of(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port);
    if (address->ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)(const void *)address)->sin6_port);
    return -1;
}

/* Cuts the reading side alone: the worker still answers. */
static void cut_if_expired(const struct watchdog *dog, int fd)
{
    struct sockaddr_storage peer, own;
    socklen_t peer_len = sizeof(peer), own_len = sizeof(own);
    char host[sizeof(dog->first->remote_addr)];

    if (getpeername(fd, (struct sockaddr *)&peer, &peer_len) != 0 ||
        getsockname(fd, (struct sockaddr *)&own, &own_len) != 0)
        return;
    for (const struct watch *at = dog->first; at != NULL; at = at->next) {
        if (!at->expired || at->remote_port != port_of(&peer) ||
            at->local_port != port_of(&own))
            continue;
        if (getnameinfo((struct sockaddr *)&peer, peer_len, host, sizeof(host), NULL, 0,
                        NI_NUMERICHOST) == 0 &&
            strcmp(host, at->remote_addr) == 0)
            (void)shutdown(fd, SHUT_RD);
    }
}

/* A watched connection cannot be closed meanwhile: its worker has to take our
 * lock first. So no descriptor found here can belong to someone new. */
static void cut_expired_locked(struct watchdog *dog)
{
    int64_t now_us = sys_mono_us();
    bool any = false;
    DIR *dir;

    lock_assert_held(&dog->lock);
    for (struct watch *at = dog->first; at != NULL; at = at->next) {
        if (atomic_load(&at->deadline_us) <= now_us)
            at->expired = any = true;
    }
    if (!any || (dir = opendir("/proc/self/fd")) == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        int64_t fd;

        if (str_to_i64(str_from(entry->d_name), &fd))
            cut_if_expired(dog, (int)fd);
    }
    (void)closedir(dir);
}

static void *watchdog_run(void *ctx)
{
    struct watchdog *dog = ctx;

    lock_take(&dog->lock);
    while (!dog->stopping) {
        cut_expired_locked(dog);
        (void)lock_wait(&dog->lock, sys_mono_us() + WATCHDOG_TICK_US);
    }
    lock_drop(&dog->lock);
    return NULL;
}

enum err_code watchdog_open(struct watchdog *dog, struct err *err)
{
    *dog = (struct watchdog){0};
    lock_init(&dog->lock);
    enum err_code rc = lock_thread(&dog->thread, "http-watchdog", WATCHDOG_STACK_BYTES,
                                   watchdog_run, dog, err);
    if (rc != ERR_OK)
        lock_fini(&dog->lock);
    dog->running = rc == ERR_OK;
    return rc;
}

void watchdog_close(struct watchdog *dog)
{
    if (!dog->running)
        return;
    lock_take(&dog->lock);
    dog->stopping = true;
    lock_signal(&dog->lock);
    lock_drop(&dog->lock);
    (void)pthread_join(dog->thread, NULL);
    lock_fini(&dog->lock);
    dog->running = false;
}

void watchdog_add(struct watchdog *dog, struct watch *watch, const struct request *rq,
                  int64_t deadline_us)
{
    const struct mg_request_info *info = mg_get_request_info(rq->conn);

    *watch = (struct watch){.remote_port = info->remote_port, .local_port = info->server_port};
    atomic_init(&watch->deadline_us, deadline_us);
    (void)str_copy(watch->remote_addr, sizeof(watch->remote_addr), str_from(info->remote_addr));
    lock_take(&dog->lock);
    watch->next = dog->first;
    if (dog->first != NULL)
        dog->first->prev = watch;
    dog->first = watch;
    lock_drop(&dog->lock);
}

bool watchdog_remove(struct watchdog *dog, struct watch *watch)
{
    lock_take(&dog->lock);
    if (watch->prev != NULL)
        watch->prev->next = watch->next;
    else
        dog->first = watch->next;
    if (watch->next != NULL)
        watch->next->prev = watch->prev;
    lock_drop(&dog->lock);
    return watch->expired;
}
