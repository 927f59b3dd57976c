/* SPDX-License-Identifier: Apache-2.0 */
/* How many requests may hold a worker while they wait for somebody else's outcome. */
#include "gateway/task/task.h"

#include <stdlib.h>

enum {
    TENANT_WAITERS_MAX = 100, /* one tenant must not hold the others' workers */
    TENANTS_MAX = 64          /* tenants that wait at one time; more are told to retry */
};

struct waiting {
    struct lock lock; /* guards everything below */
    int max, count;
    struct {
        int64_t tenant_id;
        int count; /* 0: the place is free */
    } tenants[TENANTS_MAX];
};

enum err_code waiting_open(int max, struct waiting **ret_waiting, struct err *err)
{
    struct waiting *waiting = calloc(1, sizeof(*waiting));

    if (waiting == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory");
    waiting->max = max;
    lock_init(&waiting->lock);
    *ret_waiting = waiting;
    return ERR_OK;
}

void waiting_close(struct waiting **waiting)
{
    if (*waiting == NULL)
        return;
    lock_fini(&(*waiting)->lock);
    free(*waiting);
    *waiting = NULL;
}

int waiting_tenant_max(const struct waiting *waiting)
{
    return waiting->max < TENANT_WAITERS_MAX ? waiting->max : TENANT_WAITERS_MAX;
}

/* The tenant's place, or a free one; NULL when there is neither. */
static int *place_locked(struct waiting *waiting, int64_t tenant_id)
{
    int *free_place = NULL;

    lock_assert_held(&waiting->lock);
    for (size_t i = 0; i < TENANTS_MAX; i++) {
        if (waiting->tenants[i].count > 0 && waiting->tenants[i].tenant_id == tenant_id)
            return &waiting->tenants[i].count;
    }
    for (size_t i = 0; i < TENANTS_MAX && free_place == NULL; i++) {
        if (waiting->tenants[i].count == 0) {
            waiting->tenants[i].tenant_id = tenant_id;
            free_place = &waiting->tenants[i].count;
        }
    }
    return free_place;
}

enum err_code waiting_enter(struct waiting *waiting, int64_t tenant_id, struct err *err)
{
    bool admitted = false;
    int *count;

    if (waiting == NULL)
        return ERR_OK;
    lock_take(&waiting->lock);
    count = waiting->count < waiting->max ? place_locked(waiting, tenant_id) : NULL;
    if (count != NULL && *count < TENANT_WAITERS_MAX) {
        admitted = true;
        ++*count;
        waiting->count++;
    }
    lock_drop(&waiting->lock);
    return admitted
               ? ERR_OK
               : err_set(err, ERR_BUSY, "too many requests wait for an outcome, try again");
}

void waiting_leave(struct waiting *waiting, int64_t tenant_id)
{
    if (waiting == NULL)
        return;
    lock_take(&waiting->lock);
    int *count = place_locked(waiting, tenant_id);

    ASSERT(count != NULL && *count > 0);
    --*count;
    waiting->count--;
    lock_drop(&waiting->lock);
}
