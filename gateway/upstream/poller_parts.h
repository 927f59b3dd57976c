/* SPDX-License-Identifier: Apache-2.0 */
/* What the two files of the poller share; for them alone. */
#ifndef ARKGATE_GATEWAY_POLLER_PARTS_H
#define ARKGATE_GATEWAY_POLLER_PARTS_H

#include "gateway/upstream/ark_parts.h"

enum { POLLER_IDS_MAX = 500 }; /* of one list: Ark's largest page */

struct poll_account {
    struct upstream_account limits;
    struct poll_set open;
    struct poll_entry *wants_get[POLLER_IDS_MAX]; /* taken; a list left them open */
    size_t wants_get_count;
    bool listing;
    int64_t quiet_until_us; /* backoff after failures */
    int64_t backoff_us;
};

/* One call in flight and, later, its reply. */
struct poll_call {
    struct poller *poller;
    struct poll_call *next; /* in the done list */
    struct poll_account *account;
    bool is_list;
    struct ark_target target;
    char *url;
    const char *headers[3];
    struct net_reply reply;
    size_t count;
    struct poll_entry *entries[];
};

/* Both texts of a struct err. */
enum { REFRESH_SAID_MAX = 800 };

struct poller {
    struct ark *ark;
    struct lock lock; /* guards everything below */
    pthread_t thread;
    bool started, stopping;
    struct poll_account **accounts; /* grows; an account stays until the end */
    size_t account_count;
    struct poll_call *done;
    int in_flight;
    int64_t refresh_at_us;
    /* What the last refresh had to complain of, "" for nothing; the poller's thread alone. */
    char upstreams_said[REFRESH_SAID_MAX], models_said[REFRESH_SAID_MAX];
};

/* poller.c ----------------------------------------------------------------- */

/* Puts a taken entry back for its usual pause, or for a moment (monotonic). */
void poller_put_back_locked(struct poller *poller, struct poll_account *account,
                            struct poll_entry *entry, int64_t due_us);
void poller_put_back_soon_locked(struct poller *poller, struct poll_account *account,
                                 struct poll_entry *entry);
void poller_call_free(struct poll_call *call);

/* poller_answer.c ----------------------------------------------------------- */

/* Settles what a call learned, puts its entries where they belong, frees it. */
void poller_answer_take(struct poller *poller, struct poll_call *call);

#endif
