/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the poller share; for them alone. */
#ifndef ARKGATE_GATEWAY_POLLER_PARTS_H
#define ARKGATE_GATEWAY_POLLER_PARTS_H

#include "gateway/upstream/ark_parts.h"

enum { POLLER_IDS_MAX = 500 }; /* of one list: Ark's largest page */

/* Reading an account's open tasks, a page at a time. The poller's thread alone. */
struct poll_reading {
    int64_t due_us;            /* monotonic */
    int64_t began_us, took_us; /* of the pages since the first */
    int64_t after;
    size_t rows;
};

struct poll_account {
    struct upstream_account limits;
    int64_t term; /* of the lease by which it is ours; 0: another gateway's */
    struct poll_reading reading;
    struct poll_set open; /* of one that is not ours: what calls in flight hold */
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
    char tasks_said[REFRESH_SAID_MAX];
};

/* poller.c ----------------------------------------------------------------- */

/* The account, a new one with the usual limits if need be; NULL when memory is out. */
struct poll_account *poller_account_locked(struct poller *poller, int64_t account_id);
/* Says what went wrong once, not as often as it is tried until an operator mends it. */
void poller_log_refresh(char said[REFRESH_SAID_MAX], const char *what, enum err_code rc,
                        const struct err *err);
/* Puts a taken entry back for its usual pause, or for a moment (monotonic); forgets it when
 * the account is another gateway's now. */
void poller_put_back_locked(struct poller *poller, struct poll_account *account,
                            struct poll_entry *entry, int64_t due_us);
void poller_put_back_soon_locked(struct poller *poller, struct poll_account *account,
                                 struct poll_entry *entry);
void poller_call_free(struct poll_call *call);

/* poller_read.c ------------------------------------------------------------- */

/* Forgets what it keeps of an account that is another gateway's now, and has the tasks of
 * one that became ours read. */
void poller_follow_lease_locked(struct poller *poller, struct poll_account *account);
/* Takes over the directory's accounts and limits; their open tasks are to be read. */
void poller_take_accounts(struct poller *poller);
/* Reads all that is due, before anything else happens. */
FALLIBLE poller_read_all(struct poller *poller, struct err *err);
/* Reads a page for each account that is due; true when there is more to be read at once. */
bool poller_read_due(struct poller *poller);

/* poller_answer.c ----------------------------------------------------------- */

/* Settles what a call learned, puts its entries where they belong, frees it. */
void poller_answer_take(struct poller *poller, struct poll_call *call);

#endif
