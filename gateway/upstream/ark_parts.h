/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of gateway/upstream, for its own files. */
#ifndef ARKGATE_GATEWAY_ARK_PARTS_H
#define ARKGATE_GATEWAY_ARK_PARTS_H

#include "base/json.h"
#include "gateway/upstream/ark.h"

enum {
    ARK_ACCOUNTS_MAX = 64, /* in use at a time: few, with many credentials */
    ARK_CREDENTIALS_MAX = 256,
    ARK_ANSWER_MAX = 4 << 20, /* a list of 500 tasks is below 1 MB */
    ARK_CREATE_ANSWER_MAX = 64 << 10
};

/* directory.c: the upstreams in memory ---------------------------------------- */

/* Where and as whom a call is made. fini wipes the key. */
struct ark_target {
    char base_url[UPSTREAM_URL_MAX + 1];
    char authorization[UPSTREAM_KEY_MAX + 32]; /* whole header line */
};
void directory_target_fini(struct ark_target *target);

struct directory; /* thread-safe */
FALLIBLE directory_open(struct db *db, const struct crypto_keys *keys,
                        struct directory **ret_directory, struct err *err);
void directory_close(struct directory **directory);
/* Rereads when the settings version moved. */
FALLIBLE directory_refresh(struct directory *directory, bool *ret_changed, struct err *err);
/* A weighted choice among active credentials. */
FALLIBLE directory_choose(struct directory *directory, const struct provider_wish *wish,
                          struct provider_route *ret_route, struct err *err);
/* ERR_UNAVAILABLE when the credential was removed. */
FALLIBLE directory_target(struct directory *directory, int64_t credential_id,
                          struct ark_target *ret_target, struct err *err);
/* Any credential of the account that is not removed. */
FALLIBLE directory_account_target(struct directory *directory, int64_t account_id,
                                  struct ark_target *ret_target, struct err *err);
/* Copies the accounts; returns how many (at most ARK_ACCOUNTS_MAX). */
size_t directory_accounts(struct directory *directory,
                          struct upstream_account ret_accounts[ARK_ACCOUNTS_MAX]);

/* limiter.c: Ark's limits are per account -------------------------------------- */

enum limiter_kind { LIMITER_LIST, LIMITER_GET, LIMITER_DELETE, LIMITER_KINDS };
struct limiter; /* thread-safe */
/* shared is borrowed: the database of all the gateways that call the same accounts, where
 * clients take their turns; NULL when this process alone calls them. A shared account's
 * GETs are half the clients' and half its poller's, its DELETEs the clients' alone, its
 * lists the poller's alone. */
struct limiter *limiter_new(struct db *shared);
void limiter_free(struct limiter **limiter);
/* May a call of this kind start now? Callers of this and of limiter_wait take turns. */
bool limiter_try(struct limiter *limiter, const struct upstream_account *account,
                 enum limiter_kind kind);
/* Waits for its turn; false when halted. */
bool limiter_wait(struct limiter *limiter, const struct upstream_account *account,
                  enum limiter_kind kind);
/* Likewise for a client, no LIMITER_LIST when shared. ERR_BUSY when stopped, when its turn
 * has not come at deadline_us (monotonic), or when the database does not give it one: it
 * may wait for that one longer. */
FALLIBLE limiter_wait_until(struct limiter *limiter, const struct upstream_account *account,
                            enum limiter_kind kind, int64_t deadline_us, struct err *err);
/* A list has been answered: one that was long on its way may have reached Ark late, and the
 * next one then leaves later. */
void limiter_listed(struct limiter *limiter, const struct upstream_account *account);
/* Another gateway may have called the account a moment ago: the first list and GET are
 * as far away from now as from a call of our own. */
void limiter_rest(struct limiter *limiter, const struct upstream_account *account);
/* The gateway's own calls get no more turns; clients still do. */
void limiter_halt(struct limiter *limiter);
/* Ends every wait, now and later. */
void limiter_stop(struct limiter *limiter);

/* pace_repo.c: clients' turns at an account that several gateways call ------------- */

struct pace_wish {
    int64_t account_id;
    enum limiter_kind kind; /* LIMITER_GET or LIMITER_DELETE */
    int64_t earliest_us;    /* wall time: no slot before this one, */
    int64_t latest_us;      /* and none from here on */
    int64_t spacing_us;     /* to the slot behind it */
};
/* The first slot that is free. *ret_taken is false when it would be too late: then it
 * stays free. */
FALLIBLE pace_repo_take(struct db_conn *conn, const struct pace_wish *wish, bool *ret_taken,
                        int64_t *ret_at_us, struct err *err);

/* lease.c: what one gateway at a time does ------------------------------------------ */

struct leases; /* this gateway's; thread-safe */
struct lease_options {
    struct db *db;               /* all are borrowed */
    struct directory *directory; /* whose accounts there are leases for */
    struct limiter *limiter;     /* rests before an account that was gained is called */
    bool shared;                 /* false: no other gateway, no row, no thread; all is ours */
    int64_t lease_us;
};
/* Nothing is held yet, unless it is not shared. NULL when memory is out. */
struct leases *lease_new(const struct lease_options *options);
/* Takes what is free and starts the thread that goes on with it. */
FALLIBLE lease_start(struct leases *leases, struct err *err);
/* Renews what is held and takes what is free, in one transaction: the thread's work. On a
 * failure what was held is held on, until its time is up. */
FALLIBLE lease_tick(struct leases *leases, struct err *err);
/* Does this gateway look after the account now? 0 when not, else a number that is another
 * one whenever somebody else may have done so in between. Ends by itself, some time before
 * another gateway can begin. */
int64_t lease_term(struct leases *leases, int64_t account_id);
/* Does this gateway end what time ends? */
bool lease_sweeps(struct leases *leases);
/* Gives up accounts and sweeps at once, and tells the other gateways soon; returns at once.
 * That a gateway runs here stays known until lease_free. */
void lease_halt(struct leases *leases);
/* Ends the thread and gives up the rest. Accepts NULL. */
void lease_free(struct leases **leases);

/* lease_repo.c ---------------------------------------------------------------------- */

enum { LEASE_NAME_MAX = 63, LEASE_HOLDER_MAX = 32 };
struct lease_claim {
    char name[LEASE_NAME_MAX + 1];
    const char *holder;
    int64_t schema;           /* of this program */
    int64_t now_us, until_us; /* wall time */
};
/* Takes or renews; *ret_taken is false when it is another's. */
FALLIBLE lease_repo_take(struct db_conn *conn, const struct lease_claim *claim, bool *ret_taken,
                         struct err *err);
/* Anyone may take it now. Nothing happens when it is not the holder's. */
FALLIBLE lease_repo_release(struct db_conn *conn, const char *name, const char *holder,
                            struct err *err);
/* Drops the rows of gateways that were gone at that moment (wall time). */
FALLIBLE lease_repo_forget(struct db_conn *conn, int64_t before_us, struct err *err);

/* ark_wire.c: Ark's JSON -------------------------------------------------------- */

/* Reads one task object; texts borrow from the document. False when it has no
 * usable id or a status that is not Ark's. */
bool ark_wire_task(const struct json_doc *doc, const struct json_value *value,
                   struct arena *arena, struct upstream_task *ret_task);
/* The error object of an answer; false when the body is not in Ark's shape. */
bool ark_wire_error(struct str body, char *ret_code, size_t code_size, char *ret_message,
                    size_t message_size);
/* The id of a create's answer; false when there is none that can be one. */
bool ark_wire_created(struct str body, char ret_id[TASK_ID_MAX + 1]);
/* Does a code of Ark's speak of our account, endpoint or contract, whatever its status? */
bool ark_wire_is_ours(struct str code);
/* Copies a message without what is ours or the operator's: endpoint and model ids,
 * upstream task ids, account numbers, request ids. */
void ark_wire_redact(struct str message, char *dst, size_t size);

/* ark_create.c -------------------------------------------------------------------- */

struct ark {
    struct db *db;
    struct net *net;
    bool shared; /* other gateways may call the same accounts */
    struct ark_settings settings;
    struct directory *directory;
    struct limiter *limiter;
    struct leases *leases;
    struct provider provider;
    struct task_service *service; /* from ark_start on */
    struct poller *poller;
    struct reconciler *reconciler;
};
void ark_create(void *self, const struct provider_route *route, const struct task_draft *draft,
                const char *identifier, int64_t deadline_us, struct provider_answer *ret_answer,
                struct err *err);

/* ark_cancel.c -------------------------------------------------------------------- */

enum err_code ark_cancel_look(void *self, int64_t account_id, const char *upstream_id,
                              int64_t deadline_us, struct arena *arena,
                              struct provider_sight *ret_sight, struct err *err);
enum err_code ark_cancel_remove(void *self, int64_t account_id, const char *upstream_id,
                                int64_t fresh_until_us, int64_t deadline_us,
                                enum provider_removal *ret_removal, struct err *err);

/* poll_set.c: open tasks of one account, by due time and by id ------------------------ */

struct poll_entry {
    char upstream_id[TASK_ID_MAX + 1];
    int64_t created_us; /* wall clock */
    int64_t due_us;     /* monotonic */
    enum task_state state;
    bool missing;   /* Ark answered 404 for it */
    bool in_flight; /* taken out of the heap by a call */
    size_t heap_at;
    struct poll_entry *next; /* in its hash bucket */
};
struct poll_set {
    struct poll_entry **heap, **buckets;
    size_t heap_count, heap_cap, bucket_count, count;
};
void poll_set_fini(struct poll_set *set);
struct poll_entry *poll_set_find(const struct poll_set *set, struct str upstream_id);
/* NULL when it is there already, or memory is out. */
struct poll_entry *poll_set_add(struct poll_set *set, struct str upstream_id,
                                int64_t created_us, int64_t due_us);
/* The earliest that is due by then, taken out of the heap; NULL when none is. */
struct poll_entry *poll_set_take(struct poll_set *set, int64_t due_by_us);
/* Back into the heap at entry->due_us; false when memory is out. */
bool poll_set_put_back(struct poll_set *set, struct poll_entry *entry);
/* Forgets a taken entry. */
void poll_set_drop(struct poll_set *set, struct poll_entry *entry);

/* poller.c ---------------------------------------------------------------------------- */

struct poller;
FALLIBLE poller_start(struct ark *ark, struct poller **ret_poller, struct err *err);
/* Starts no more calls; returns at once. */
void poller_halt(struct poller *poller);
void poller_stop(struct poller **poller);
/* missing: Ark has answered 404 for it before. One of an account that another gateway looks
 * after is dropped: that one finds it in the database. */
void poller_watch(struct poller *poller, int64_t account_id, const char *upstream_id,
                  int64_t created_us, bool missing);

/* reconciler.c ------------------------------------------------------------------------- */

struct reconciler;
FALLIBLE reconciler_start(struct ark *ark, struct reconciler **ret_reconciler, struct err *err);
void reconciler_halt(struct reconciler *reconciler);
void reconciler_stop(struct reconciler **reconciler);

#endif
