/* SPDX-License-Identifier: Apache-2.0 */
/* The use cases of a task's life: submit, query, list, settle, adopt, resolve. They
 * know tenants, money and rows, and reach Ark through the provider table alone;
 * they know no HTTP, no wire format and no curl. */
#ifndef ARKGATE_GATEWAY_TASK_H
#define ARKGATE_GATEWAY_TASK_H

#include "assetlib/assetlib.h"
#include "base/base.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/store/store.h"
#include "billing/billing.h"
#include "gateway/catalogue/catalogue.h"
#include "tenancy/tenancy.h"

enum {
    TASK_ID_MAX = 63,   /* "cgt-YYYYMMDDhhmmss-" and 16; Ark's own are 24 */
    TASK_KEY_MAX = 255, /* idempotency keys, as the other APIs of the field */
    /* Items of a create: 1 text, 9 images, 3 videos, 3 audios, and room for Ark to
     * refuse the rest by its own words. */
    TASK_CONTENT_MAX = 64,
    TASK_URL_MAX = 2048, /* Ark's signed links are about 600 */
    TASK_ERROR_CODE_MAX = 127,
    TASK_ERROR_TEXT_MAX = 1023,
    TASK_IDENTIFIER_MAX = 64, /* Ark's limit on safety_identifier, in characters */
    TASK_FORMAT_MAX = 15      /* output_format: "mp4" */
};

/* state.c: states as a table, one gate for every move ------------------------- */

enum task_state {
    TASK_WAITING,    /* in the gateway's own queue */
    TASK_SUBMITTING, /* committed, being sent */
    TASK_QUEUED,
    TASK_RUNNING,
    TASK_SUCCEEDED,
    TASK_FAILED,
    TASK_EXPIRED,
    TASK_CANCELLED,
    TASK_UNKNOWN, /* sent, and nobody knows whether Ark took it */
    TASK_REFUSED, /* Ark did not take it; hidden from the tenant */
    TASK_STATE_COUNT
};
const char *state_name(enum task_state state);
bool state_parse(struct str name, enum task_state *ret_state);
/* What a client of Ark is told: waiting, submitting and unknown are "queued". The
 * column task.shown says the same. */
enum task_state state_shown(enum task_state state);
/* No move leads out of it. */
bool state_is_terminal(enum task_state state);
/* ERR_CONFLICT when the table has no such move. */
FALLIBLE state_may_move(enum task_state from, enum task_state to, struct err *err);

/* judge.c: what a create asks for ------------------------------------------------ */

enum content_kind { CONTENT_TEXT, CONTENT_IMAGE, CONTENT_VIDEO, CONTENT_AUDIO, CONTENT_DRAFT };

enum {
    DRAFT_EDITS_MAX = 4,
    DRAFT_ASSETS_MAX = 32 /* 15 media of a create, and as many where nobody looks for them */
};

/* A string of a create that names an asset: "asset://…", in any case. */
struct draft_asset {
    enum content_kind kind; /* of its item; CONTENT_TEXT: it stands elsewhere */
    char field[64];         /* its place: "content[1].image_url.url" */
    struct str id;          /* in small letters */
    struct str at; /* its bytes in body, quotes included; len 0: Ark gets it as it is */
};

/* What stands at the end of a prompt: "--rs 720p --dur 5". Weak: what a model does not
 * take means its default, and a member of the body wins. */
struct draft_inline {
    struct str resolution, ratio; /* empty: none */
    bool has_duration, has_frames, has_seed;
    int64_t duration, frames, seed;
};

/* A create as a dialect decoded it; absent text is empty, flags tell absent
 * numbers. Texts borrow from the request. */
struct task_draft {
    const char *dialect;
    struct str body; /* the create as Ark wants it, but for model, identifier and these: */
    struct json_edit edits[DRAFT_EDITS_MAX];
    size_t edit_count;
    /* Of the draft task's id, and of each asset that becomes a link. */
    struct json_patch patches[1 + DRAFT_ASSETS_MAX];
    size_t patch_count;
    struct str model_asked;
    struct str resolution, ratio, tier;
    bool has_duration, has_frames, has_audio, has_seed, has_priority, has_expires_after;
    int64_t duration, frames, seed, priority, expires_after;
    bool audio, last_frame, camera_fixed, web_search;
    bool has_draft, draft; /* the member draft: a quick look first */
    struct draft_inline in_prompt;
    struct str callback_url;     /* trimmed; empty: none */
    const char *callback_member; /* what it is called in the body */
    struct str draft_task;       /* id of the draft that this create finishes; empty: none */
    struct str draft_task_at;    /* its bytes in body, quotes included */
    struct str safety_identifier;
    bool has_text; /* a prompt that is not blank */
    int images, videos, audios, first_frames, last_frames;
    int references;        /* items whose role says so */
    bool references_audio; /* an audio reference outside of content */
    struct draft_asset assets[DRAFT_ASSETS_MAX];
    size_t asset_count;
    char plain_field[64];       /* first medium that is no asset; "" none */
    struct str idempotency_key; /* empty: none */
};

/* The draft with every default filled in and the worst case counted. Its texts may point
 * into its own model: not to be copied. */
struct task_plan {
    struct model model; /* as the tenant sees it */
    struct str resolution, ratio;
    int64_t duration;     /* as asked or default; -1 stays; 0 when frames tell the length */
    int64_t duration_max; /* what the hold counts */
    bool has_frames, has_seed;
    int64_t frames, seed;
    bool audio;
    int width, height;  /* of the largest output it can have */
    int64_t max_tokens; /* worst case */
    int64_t priority, expires_after;
    struct str tier;
};
/* Parameters and modes of plan->model; fills the rest of the plan. Errors name the
 * member. */
FALLIBLE judge_draft(const struct task_draft *draft, struct task_plan *inout_plan,
                     struct err *err);
struct task;
/* Then, for a video from a draft: Ark takes over the draft's length, ratio and sound, so the
 * worst case is the greater of those and what this create says. */
FALLIBLE judge_of_draft(const struct task_draft *draft, const struct task *source,
                        struct task_plan *inout_plan, struct err *err);

/* The worst case again, for own videos of known length and at most so many others. */
void judge_of_videos(const struct task_draft *draft, int64_t video_ms,
                     struct task_plan *inout_plan);

/* provider: how tasks reach Ark; upstream/ fills it, main plugs it in -------------- */

/* What Ark says about one of its tasks; provider-neutral. Texts borrow from body. */
struct upstream_task {
    struct str id;
    enum task_state state;
    int64_t created_s, updated_s;
    struct str model, resolution, ratio, tier, safety_identifier;
    bool has_duration, has_frames, has_fps, has_seed, has_audio, has_priority;
    bool has_expires_after, has_tokens, has_total_tokens, has_tool_uses, has_draft;
    int64_t duration, frames, fps, seed, priority, expires_after, tokens, total_tokens;
    int64_t tool_uses;
    bool audio, draft;
    struct str video_url, last_frame_url, output_format, error_code, error_message;
    struct str body; /* Ark's bytes for this task: the evidence */
};

/* What is sought for a create. */
struct provider_wish {
    const struct model *model;
    int64_t account_id;   /* only this one; 0: any */
    const int64_t *tried; /* none of these */
    size_t tried_count;
};
struct provider_route {
    int64_t account_id, credential_id;
    char sent_model[MODEL_NAME_MAX + 1];
    bool inject;
};
enum provider_outcome {
    PROVIDER_ACCEPTED, /* upstream_id is set */
    PROVIDER_REFUSED,  /* certainly not taken; *err says why */
    PROVIDER_UNKNOWN   /* may have been taken */
};
struct provider_answer {
    enum provider_outcome outcome;
    bool try_another; /* refused for a reason that another account may not have */
    char upstream_id[TASK_ID_MAX + 1];
    int status;
    char detail[256]; /* log only */
};
/* What a GET of one task showed. */
struct provider_sight {
    bool gone;                 /* Ark says, in its own shape, that it has no such task */
    struct upstream_task task; /* unless gone; its texts live in the caller's arena */
    int64_t asked_mono_us;     /* when the question left: what is shown is not older */
};
enum provider_removal {
    PROVIDER_DELETED, /* Ark took the DELETE, or may have: the next look tells */
    PROVIDER_KEPT,    /* Ark refused it: nothing was removed by it */
    PROVIDER_STALE    /* not sent: its turn came too late */
};
struct provider {
    void *self;
    /* The next account that can take the create. ERR_UNAVAILABLE when there is none. */
    enum err_code (*choose)(void *self, const struct provider_wish *wish,
                            struct provider_route *ret_route, struct err *err);
    /* Sends once. Always fills ret_answer; *err only when refused. Blocks until
     * deadline_us (wall clock) at the most. */
    void (*create)(void *self, const struct provider_route *route,
                   const struct task_draft *draft, const char *identifier, int64_t deadline_us,
                   struct provider_answer *ret_answer, struct err *err);
    /* The task is open upstream: ask after it from now on. Does not block. */
    void (*watch)(void *self, int64_t account_id, const char *upstream_id, int64_t created_us);
    /* Asks Ark now. Blocks until deadline_us (sys_mono_us) at the most. ERR_UPSTREAM
     * when Ark did not say anything that can be understood, ERR_BUSY when the
     * account's limits left no turn. */
    enum err_code (*look)(void *self, int64_t account_id, const char *upstream_id,
                          int64_t deadline_us, struct arena *arena,
                          struct provider_sight *ret_sight, struct err *err);
    /* One DELETE, sent before fresh_until_us or not at all. Errors as of look: then
     * certainly nothing left. */
    enum err_code (*remove)(void *self, int64_t account_id, const char *upstream_id,
                            int64_t fresh_until_us, int64_t deadline_us,
                            enum provider_removal *ret_removal, struct err *err);
};

/* service.c: the world of the use cases ------------------------------------------- */

struct task_settings {
    int64_t connect_us;               /* 5 s */
    int64_t send_us;                  /* 20 s, and the body at 1 MB/s on top */
    int64_t submitting_grace_us;      /* 60 s past the deadline a submitting task is unknown */
    int64_t unknown_release_after_us; /* 10 min */
    int64_t unknown_watch_us;         /* 7 days */
    int64_t match_window_us;          /* clocks of Ark and ours may differ: 2 min */
    int64_t gone_recheck_us;          /* 60 s between the two 404s */
    int64_t open_max_us;              /* 7 days */
    int64_t idempotency_us;           /* 24 h */
    int64_t cancel_us;                /* 20 s: two looks, a DELETE and the turns for them */
    int64_t resolve_us;               /* 3 s to look a callback's host up */
};
/* Whether a URL that a tenant gave may be called: https, resolvable, public. */
struct url_guard {
    void *self;
    /* Blocks until deadline_us (sys_mono_us) at the most. ERR_INVALID says what is wrong,
     * to follow the member's name; ERR_BUSY when too many are being asked, by this tenant
     * or by all. */
    enum err_code (*check)(void *self, int64_t tenant_id, struct str url, int64_t deadline_us,
                           struct err *err);
};
struct task_service {
    struct db *db;
    struct catalogue *catalogue;
    struct price_memory *prices; /* NULL: each create reads its price */
    const struct provider *provider;
    struct asset_library *assets;
    struct url_guard callbacks;
    struct task_settings settings;
    struct waiting *waiting; /* NULL: any number may wait */
};
/* The numbers of the design. */
void service_defaults(struct task_settings *ret_settings);

/* waiting.c: a request that waits holds a worker ---------------------------------- */

/* At most max waiters in all, and 100 of one tenant. */
FALLIBLE waiting_open(int max, struct waiting **ret_waiting, struct err *err);
void waiting_close(struct waiting **waiting);
/* How many of one tenant may wait while nobody else does. waiting is not NULL. */
int waiting_tenant_max(const struct waiting *waiting);
/* ERR_BUSY when no more may wait; else waiting_leave must follow. Accepts NULL. */
FALLIBLE waiting_enter(struct waiting *waiting, int64_t tenant_id, struct err *err);
void waiting_leave(struct waiting *waiting, int64_t tenant_id);

/* A task as rows have it. */
struct task {
    int64_t id, tenant_id;
    char token_identity[TOKEN_ID_MAX + 1];
    char minted_id[TASK_ID_MAX + 1], upstream_id[TASK_ID_MAX + 1];
    bool minted_public;
    int64_t account_id, credential_id;
    enum task_state state;
    char dialect[16], model[MODEL_NAME_MAX + 1], model_asked[MODEL_NAME_MAX + 1];
    char resolution[16], ratio[16], tier[16];
    int64_t duration;
    bool has_video, audio, audio_asked, last_frame, has_seed, has_final_seed, has_tokens;
    bool has_total_tokens, has_fps, has_frames, has_draft, draft, web_search, has_tool_uses;
    int64_t seed, final_seed, priority, expires_after, tokens, total_tokens, fps, frames;
    int64_t tool_uses;
    char draft_task[TASK_ID_MAX + 1], output_format[TASK_FORMAT_MAX + 1];
    char safety_identifier[TASK_IDENTIFIER_MAX * 4 + 1];
    int64_t created_us, updated_us, ended_us, missing_us, deleted_us;
    char error_code[TASK_ERROR_CODE_MAX + 1], error_message[TASK_ERROR_TEXT_MAX + 1];
    char video_url[TASK_URL_MAX + 1], last_frame_url[TASK_URL_MAX + 1];
};
/* Can it be an id of Ark's? Such ids go into URLs as they are. */
bool service_is_upstream_id(struct str id);
/* The id that the tenant knows it by. */
const char *service_public_id(const struct task *task);
/* How long its video is, told by seconds or frames; 0 while nobody knows. */
int64_t service_output_ms(const struct task *task);

/* submit_prepare.c ---------------------------------------------------------------- */

/* ERR_MODEL_UNKNOWN, ERR_UNAVAILABLE: the first that is said of a create. */
FALLIBLE submit_prepare_model(struct task_service *service, const struct scope *scope,
                              struct str model, struct err *err);

/* submit.c ------------------------------------------------------------------------ */

struct submit_result {
    char id[TASK_ID_MAX + 1];
    bool replayed; /* the key was used before: nothing was made now */
};
/* The answer of an earlier create with this key and body, when there is one; waits
 * for one that is in flight. *ret_replayed false: the key is free, or empty.
 * ERR_KEY_REUSED when the body was another one. */
FALLIBLE submit_replay(struct task_service *service, const struct scope *scope, struct str key,
                       struct str body, bool *ret_replayed, struct submit_result *ret_result,
                       struct err *err);
/* Commit A, send, commit B. ERR_OK also when the outcome is unknown: the minted id
 * stands. Any number of equal keys at once make one task and get one answer. */
FALLIBLE submit_task(struct task_service *service, const struct scope *scope,
                     const struct task_draft *draft, struct submit_result *ret_result,
                     struct err *err);

/* expire.c ------------------------------------------------------------------------ */

/* Moves what is still submitting past its deadline and the grace to unknown; with
 * all set, whatever its deadline: a process that starts alone on its database
 * knows that nobody else is sending. */
FALLIBLE expire_sends(struct task_service *service, bool all, struct err *err);
/* Drops idempotency keys older than their 24 h. */
FALLIBLE expire_keys(struct task_service *service, struct err *err);

/* query.c ------------------------------------------------------------------------- */

/* By public, minted or upstream id, within the scope. ERR_NOT_FOUND names the id
 * as it was asked for (cut to 64 bytes). */
FALLIBLE query_task(struct task_service *service, const struct scope *scope, struct str id,
                    struct task *ret_task, struct err *err);

/* list.c -------------------------------------------------------------------------- */

enum {
    LIST_PAGE_DEFAULT = 20,
    LIST_PAGE_MAX = 500, /* as Ark's */
    LIST_IDS_MAX = 500,  /* likewise */
    /* With the largest page half a billion tasks, more than one database holds. */
    LIST_PAGE_NUM_MAX = 1000000
};
/* Which tasks; an absent condition holds for all. Refused and deleted ones are in no list. */
struct task_list_filter {
    bool has_status;
    enum task_state status; /* as state_shown gives it */
    struct str model;       /* canonical; empty: any */
    struct str tier;        /* empty: any */
    bool has_ids;
    const struct str *ids; /* public, minted or upstream; at most LIST_IDS_MAX */
    size_t id_count;
    int64_t page_num, page_size; /* from 1 */
};
/* Who is told what a list holds: begin with the number of all matches, then item for
 * each task of the page. They run inside of a read snapshot and may not wait. */
struct task_list_reader {
    enum err_code (*begin)(int64_t total, void *ctx, struct err *err);
    enum err_code (*item)(const struct task *task, void *ctx, struct err *err);
    void *ctx;
};
/* The matches within the scope, newest first. Ids that are not found, or are another
 * tenant's, are left out. */
FALLIBLE list_page(struct task_service *service, const struct scope *scope,
                   const struct task_list_filter *filter, const struct task_list_reader *reader,
                   struct err *err);

/* cancel.c ------------------------------------------------------------------------ */

/* A tenant's DELETE: cancels what waits or is queued, upstream too, and takes an
 * ended task out of the tenant's sight; rows, ledger and Ark's record stay. Blocks
 * for settings.cancel_us at the most. ERR_TASK_RUNNING, ERR_TASK_CANCELLED and
 * ERR_NOT_FOUND name the id as it was asked for. ERR_UPSTREAM: it is not known to be
 * cancelled, and whatever became of it will be found out by polling. */
FALLIBLE cancel_task(struct task_service *service, const struct scope *scope, struct str id,
                     struct err *err);

/* Likewise for an operator, any tenant's task by any of its ids. What has ended stays in
 * its tenant's sight: ERR_CONFLICT. The audit entry is on disk before a DELETE leaves. */
FALLIBLE cancel_as_operator(struct task_service *service, struct str id, const char *actor,
                            struct err *err);

/* settle.c ------------------------------------------------------------------------ */

/* Takes in what Ark says of tasks of one account: state, usage, charge or release,
 * event, evidence, in one transaction. Repeats and steps backwards change nothing;
 * ids that no row owns are skipped. Several share one transaction, and when that
 * fails each gets its own; the first error is returned after all were tried. */
FALLIBLE settle_seen(struct task_service *service, int64_t account_id,
                     const struct upstream_task *seen, size_t count, struct err *err);
/* Ark answered 404 for a task of ours: the second one, gone_recheck_us after the
 * first, ends it as failed and moves its hold to review. */
FALLIBLE settle_missing(struct task_service *service, int64_t account_id,
                        struct str upstream_id, bool *ret_ended, struct err *err);
/* Ark knows the task no longer after a DELETE of ours. It may have finished in the
 * moment before, which Ark charges for and then erases: cancelled for the tenant, the
 * hold in review. */
FALLIBLE settle_erased(struct task_service *service, int64_t account_id, struct str upstream_id,
                       struct err *err);
/* Ends what is open longer than open_max_us, likewise. */
FALLIBLE settle_overdue(struct task_service *service, struct err *err);

/* adopt.c: the unknown -------------------------------------------------------------- */

/* One complete look at an account's list: the tasks that no row owned, as GET
 * showed them. Adopts by identifier, then by the one-and-only-one rule; records the
 * rest as strays; counts the scan for attempts without a match and releases for
 * certain. started_us is when the scan began. */
FALLIBLE adopt_scan(struct task_service *service, int64_t account_id, int64_t started_us,
                    const struct upstream_task *strays, size_t count, struct err *err);
/* Accounts that have unknown or recently released attempts, and since when: what the
 * reconciler has to scan. */
struct adopt_work {
    int64_t account_id;
    int64_t since_us;         /* the oldest of all */
    int64_t unknown_since_us; /* the oldest that is unknown now; 0 when none is */
};
FALLIBLE adopt_pending(struct task_service *service, struct adopt_work *ret_work, size_t max,
                       size_t *ret_count, struct err *err);
/* Keeps, in place, those ids that no task of the account owns. */
FALLIBLE adopt_unowned(struct task_service *service, int64_t account_id, struct str *ids,
                       size_t *inout_count, struct err *err);

/* resolve.c: the operator's word ------------------------------------------------------ */

/* An unknown task: adopt this upstream id, or release it as failed (upstream_id
 * empty). A hold in review: charge this amount of it and release the rest. Each
 * writes its audit entry. */
struct resolve_request {
    struct str task; /* any of its ids */
    struct str upstream_id;
    bool release;
    bool has_charge;
    struct money charge;
    struct str reason;
    const char *actor;
    int64_t now_us;
};
FALLIBLE resolve_task(struct db *db, const struct resolve_request *request, struct err *err);

/* task_view_repo.c: what operators and jobs read, any tenant -------------------------- */

/* An event of a task as "task show" prints it. */
struct task_event {
    int64_t seq, time_us;
    char from[16], to[16], note[257];
};
/* For operators: any tenant's task by any of its ids. */
FALLIBLE task_view_find(struct db_conn *conn, struct str id, struct task *ret_task,
                        struct err *err);
FALLIBLE task_view_events(struct db_conn *conn, const struct task *task,
                          enum err_code (*visit)(const struct task_event *event, void *ctx,
                                                 struct err *err),
                          void *ctx, struct err *err);
/* The callback_url that the create gave; "" without one. */
FALLIBLE task_view_callback(struct db_conn *conn, const struct task *task,
                            char ret_url[TASK_URL_MAX + 1], struct err *err);
/* Newest first, internal id < before (0: from the newest), at most limit. */
struct task_filter {
    int64_t tenant_id; /* 0: all */
    struct str state;  /* "": all */
    int64_t before;
    int limit;
};
FALLIBLE task_view_list(struct db_conn *conn, const struct task_filter *filter,
                        enum err_code (*visit)(const struct task *task, void *ctx,
                                               struct err *err),
                        void *ctx, struct err *err);
/* What the poller keeps of a task. */
struct task_open {
    int64_t id, created_us;
    char upstream_id[TASK_ID_MAX + 1];
    bool missing; /* Ark has answered 404 for it */
};
/* Tasks with an upstream id that have not ended, of one account, id > after. */
FALLIBLE task_view_open(struct db_conn *conn, int64_t account_id, int64_t after, int limit,
                        enum err_code (*visit)(const struct task_open *open, void *ctx,
                                               struct err *err),
                        void *ctx, struct err *err);
/* What doctor reports. */
struct task_health {
    int64_t open, submitting, unknown, review, ambiguous_strays, open_strays, oldest_open_us;
};
FALLIBLE task_view_health(struct db_conn *conn, struct task_health *ret_health,
                          struct err *err);
/* Open tasks that use a credential, in any state before the end. */
FALLIBLE task_view_open_count(struct db_conn *conn, int64_t credential_id, int64_t *ret_count,
                              struct err *err);
/* Strays that wait for an operator. */
struct task_stray {
    int64_t account_id;
    char upstream_id[TASK_ID_MAX + 1];
    char state[16];
    int64_t first_seen_us;
};
FALLIBLE task_view_strays(struct db_conn *conn, int limit,
                          enum err_code (*visit)(const struct task_stray *stray, void *ctx,
                                                 struct err *err),
                          void *ctx, struct err *err);

#endif
