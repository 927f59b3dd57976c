/* SPDX-License-Identifier: Apache-2.0 */
/* What the simulator's files share. A request belongs to one CivetWeb worker;
 * tasks, faults, accounts and counters stand behind sim.lock, media files being
 * made behind sim.media_lock. No lock is held while waiting, fetching, encoding
 * or writing to a client; the two are never held together. */
#ifndef ARKGATE_GATEWAY_SIM_PARTS_H
#define ARKGATE_GATEWAY_SIM_PARTS_H

#include "base/base.h"
#include "base/json.h"
#include "gateway/sim/sim.h"
#include "gateway/sim/sim_callback.h"
#include "gateway/sim/sim_model.h"

enum {
    SIM_ACCOUNTS_MAX = 64,             /* enough for every test; keys are searched in a row */
    SIM_BODY_MAX = 64 * 1024 * 1024,   /* Ark: request body up to 64 MB */
    SIM_TASKS_MAX = 2000000,           /* about 600 bytes each */
    SIM_PAGE_MAX = 500,                /* Ark: page_num and page_size up to 500 */
    SIM_ID_BYTES = 25,                 /* cgt-YYYYMMDDhhmmss-xxxxx and a NUL */
    SIM_BODY_KEPT = 64 * 1024,         /* of a create's body, shown by /sim/tasks */
    SIM_BODIES_MAX = 32 * 1024 * 1024, /* of all of them: /sim/tasks is one answer */
    SIM_MESSAGE_BYTES = 768,           /* of an error with its request id */
    SIM_CANARY_BYTES = 33,
    SIM_SECONDS_MAX = 60, /* of a final_duration */
    SIM_ASSETS_MAX = 64   /* in the libraries of all accounts */
};

/* The values of a prompt's inline parameters. */
enum sim_inline {
    SIM_INLINE_RESOLUTION,
    SIM_INLINE_RATIO,
    SIM_INLINE_DURATION,
    SIM_INLINE_FRAMES,
    SIM_INLINE_SEED,
    SIM_INLINE_CAMERA,  /* changes nothing that shows */
    SIM_INLINE_IGNORED, /* known, and without any effect */
    SIM_INLINE_COUNT
};

enum sim_status {
    SIM_QUEUED,
    SIM_RUNNING,
    SIM_SUCCEEDED,
    SIM_FAILED,
    SIM_EXPIRED,
    SIM_CANCELLED,
    SIM_STATUS_COUNT
};

/* What a request asks of Ark; faults and limits are kept by it. */
enum sim_on { SIM_ON_CREATE, SIM_ON_GET, SIM_ON_LIST, SIM_ON_DELETE, SIM_ON_COUNT };

/* A refusal in Ark's shape. */
struct sim_refusal {
    int status; /* HTTP */
    char code[96];
    char message[384]; /* without the request id, which the answer adds */
    char param[64];
};

/* The actions of a fault. Zero is "nothing", but for the members set to -1 by
 * sim_fault_init. */
struct sim_fault {
    /* of one request */
    int64_t delay_ms; /* wait first, then go on */
    int64_t status;   /* answer this and do nothing … */
    bool made;        /* … or do it all the same */
    char code[96];    /* of that answer; by default what Ark says with the status */
    char message[160];
    char drop[16];    /* before | after | reset_before | reset_after */
    int64_t truncate; /* bytes of the body sent before the connection ends; -1: all */
    bool malform;     /* HTML instead of the answer */
    bool empty;       /* no body */
    bool no_id;       /* {} */
    int64_t hang_ms;  /* do it, stay silent that long, close */
    int64_t drip;     /* milliseconds between the body's bytes */
    /* of a task */
    char fail[96]; /* ends failed with this code */
    char stay[16]; /* queued | running */
    bool expire;   /* ends expired */
    bool vanish;   /* unknown once it runs */
    char final_resolution[8];
    char final_ratio[8];
    int64_t final_duration;
    char usage[24]; /* missing | negative | huge | a number */
    bool no_video_url;
    bool finish_before_delete; /* succeeded when a DELETE arrives, which then erases it */
    int64_t queue_ms;          /* real time, not divided by the speed; -1: as usual */
    int64_t run_ms;
    int64_t searches;     /* of a task with web_search; -1: one */
    bool any_task_action; /* one of the second group is set */
};

/* A create that passed the checks. Text is borrowed from the request. */
struct sim_draft {
    int model;           /* index for sim_model_* */
    struct str endpoint; /* "ep-…" when called by one */
    struct str safety_identifier;
    struct str callback_url; /* as received */
    struct str members;      /* names of the top level as a JSON array */
    struct str body;
    struct str draft_task; /* the draft that is made well; "" for most */
    struct str inline_values[SIM_INLINE_COUNT];
    enum sim_mode mode;
    int resolution, ratio;
    int duration;
    int frames; /* 0: by duration */
    int priority;
    int64_t seed; /* -1: drawn */
    int64_t expires_after;
    bool generate_audio, return_last_frame, draft, flex, search;
    bool has_video;
    int64_t input_ms;      /* length of the input videos */
    const char *fail_code; /* a link could not be fetched: static text, else NULL */
    struct sim_fault fault;
    uint8_t body_sha256[32];
};

struct sim_task {
    struct sim_task *next; /* of the same hash bucket */
    char id[SIM_ID_BYTES];
    uint8_t account, model, resolution, ratio, duration, priority;
    uint8_t settled; /* enum sim_status fixed by an act, not by time; else SIM_STATUS_COUNT */
    bool generate_audio, return_last_frame, draft, flex, search, has_video, erased;
    uint16_t frames;  /* 0: by duration */
    uint8_t reported; /* enum sim_status that its callback told last */
    char *endpoint, *safety_identifier, *callback_url, *draft_task; /* NULL when not given */
    char *members, *body;                            /* body: NULL when not kept */
    const char *fail_code;                           /* static text, or NULL */
    struct sim_fault *fault;                         /* NULL for most */
    int64_t created_us, start_us, end_us, expire_us; /* sim clock; INT64_MAX: never */
    int64_t settled_us;
    int64_t seed, expires_after;
    int64_t input_ms;
    uint64_t secret; /* in its media links */
    uint8_t body_sha256[32];
};

/* A task as it stands at one moment. */
struct sim_view {
    enum sim_status status;
    int64_t updated_us;
    int resolution, ratio, duration; /* final ones once it ended */
    int width, height;
    int frames;            /* of the video */
    bool by_frames;        /* it was asked for so: duration is not shown */
    const char *fail_code; /* when failed */
    int64_t tokens;        /* when succeeded; meaningless unless has_usage */
    bool has_usage;
};

/* Calls in the running second, and the most that any second saw. */
struct sim_window {
    int64_t second;
    int64_t count, most;
};

struct sim_account {
    char key[256];
    int64_t next_us[SIM_ON_COUNT]; /* limiter: theoretical arrival time of the next call */
    struct sim_window window[SIM_ON_COUNT];
};

struct sim_asset {
    int account;
    char id[40], type[8]; /* "Image" */
    int64_t duration_ms;  /* of a video; 0: as one that is not opened */
};

struct sim_counters {
    int64_t calls[SIM_ON_COUNT];   /* with a good key */
    int64_t limited[SIM_ON_COUNT]; /* answered 429 by the limits */
    int64_t unauthorized;
    int64_t made;
    int64_t list_ids_max; /* ids in one list call */
    int64_t media;
    int64_t concurrent, concurrent_max; /* requests */
};

struct sim_fault_entry {
    enum sim_on on;
    int64_t times; /* left; -1: for ever */
    struct sim_fault fault;
    struct sim_fault_entry *next;
};

struct sim {
    struct lock lock;
    struct mg_context *server;
    int port;
    char base_url[96];
    int64_t speed;
    char canary[SIM_CANARY_BYTES]; /* "": off */
    bool limits;
    int64_t create_rpm;
    struct sim_account accounts[SIM_ACCOUNTS_MAX];
    int account_count;
    int64_t clock_offset_us;
    bool seeded;
    uint64_t random;
    size_t bodies_bytes; /* kept */
    struct sim_callbacks callbacks;
    struct sim_task **tasks; /* in order of creation */
    size_t task_count, task_cap;
    struct sim_task **buckets; /* by id */
    size_t bucket_count;       /* a power of two */
    struct sim_fault_entry *faults;
    struct sim_counters counters;
    struct sim_asset assets[SIM_ASSETS_MAX];
    size_t asset_count;

    struct lock pause_lock;
    bool stopping; /* behind pause_lock */

    struct lock media_lock;
    char media_dir[256];
    bool media_private;  /* remove it at the end */
    char making[64][40]; /* files being made; "" is a free place */
};

/* One request; built and freed by sim_server.c. */
struct sim_request {
    struct sim *sim;
    struct mg_connection *conn;
    const char *method;
    struct str path, query; /* as sent */
    struct str body;
    struct buf body_buf;
    struct arena arena;
    struct json_doc *doc;
    int account;
    char id[64]; /* X-Request-Id */
    int status;
    struct buf out;
    const char *content_type;
    struct sim_fault fault; /* actions on this request */
};

/* sim.c ---------------------------------------------------------------- */

/* The simulator's wall clock. */
int64_t sim_now_us(struct sim *sim);
/* Sleeps until that monotonic time or until the simulator stops; false then. */
bool sim_pause(struct sim *sim, int64_t ms);
/* Uniform 64 bits, from the seed when one was given. Takes the lock. */
uint64_t sim_random(struct sim *sim);

/* sim_server.c: HTTP in and out ----------------------------------------- */

/* Listens; on failure nothing is left running. */
FALLIBLE sim_server_start(struct sim *sim, const struct sim_options *options, struct err *err);
/* Waits for running requests. Harmless when it never started. */
void sim_server_stop(struct sim *sim);
/* Request header, or NULL. */
const char *sim_server_header(const struct sim_request *rq, const char *name);
/* True when the client's address is a loopback one. */
bool sim_server_is_local(const struct sim_request *rq);
/* Raw bytes to the client; false when it is gone. */
bool sim_server_write(struct sim_request *rq, const void *bytes, size_t len);
/* Reads the whole body into rq->body. False: too large or cut short, refusal set. */
bool sim_server_read(struct sim_request *rq, struct sim_refusal *refusal);
/* Ends the connection without an answer: with a FIN, or with a reset. */
void sim_server_drop(struct sim_request *rq, bool reset);

/* sim_api.c: the data plane --------------------------------------------- */

/* Answers a request under /api/v3 into rq, or drops it as a fault asks; false
 * then: nothing is to be sent. */
bool sim_api_handle(struct sim_request *rq);

/* sim_control.c: /sim/ -------------------------------------------------- */

/* Answers a request under /sim/ into rq. */
void sim_control_handle(struct sim_request *rq);

/* sim_answer.c: bodies -------------------------------------------------- */

/* Makes the refusal rq's answer. */
void sim_answer_refusal(struct sim_request *rq, const struct sim_refusal *refusal);
/* Fills a refusal; always false, so that checks can return it. */
bool sim_answer_refuse(struct sim_refusal *refusal, int status, const char *code,
                       const char *param, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* One task as GET and callbacks (with_safety) or lists show it. */
void sim_answer_task(const struct sim *sim, struct json_out *out, const struct sim_task *task,
                     int64_t now_us, bool with_safety);

/* sim_error.c: Ark's table of errors --------------------------------------- */

/* The status of a code; 0 when the table has none. */
int sim_error_status(const char *code);
/* The usual code of a status. */
const char *sim_error_code(int status);
/* error.type of an answer. */
const char *sim_error_type(int status, const char *code);
/* The table's words for a code; false when it has none. */
bool sim_error_message(const struct sim *sim, const char *code, char *ret_text, size_t size);
/* The message with what Ark puts behind it: the canary's words, the request id. */
void sim_error_finish(const struct sim *sim, const char *message, const char *id,
                      char ret_text[SIM_MESSAGE_BYTES]);

/* sim_check.c: is a create valid ----------------------------------------- */

/* Checks rq->body as Ark does and fills the draft. */
bool sim_check_create(struct sim_request *rq, struct sim_draft *draft,
                      struct sim_refusal *refusal);

/* sim_picture.c: the other members of a create ----------------------------- */

/* Checks what the content's mode and the model allow; fills the draft. */
bool sim_picture_check(struct sim_request *rq, struct sim_draft *draft,
                       struct sim_refusal *refusal);

/* sim_inline.c: a prompt's last words --------------------------------------- */

/* Sets the values of the "--name value" pairs that end a prompt; borrows it. */
void sim_inline_read(struct str prompt, struct str values[SIM_INLINE_COUNT]);

/* sim_content.c: the content of a create ---------------------------------- */

/* Checks rq->doc's content, reads the prompt's faults and inline parameters. */
bool sim_content_check(struct sim_request *rq, struct sim_draft *draft,
                       struct sim_refusal *refusal);
/* Fetches loopback links; one that cannot be had makes the task fail later. */
bool sim_content_fetch(struct sim_request *rq, struct sim_draft *draft,
                       struct sim_refusal *refusal);

/* sim_asset.c: the accounts' libraries -------------------------------------- */

/* Adds what rq->doc says. */
bool sim_asset_add(struct sim_request *rq, struct sim_refusal *refusal);
/* What the caller's account has under an asset://; false: nothing. */
bool sim_asset_find(struct sim_request *rq, struct str url, struct sim_asset *ret_asset);

/* sim_task.c: the tasks --------------------------------------------------- */

/* Makes a task; takes the lock. False when the store is full. */
bool sim_task_make(struct sim *sim, int account, const struct sim_draft *draft,
                   char ret_id[SIM_ID_BYTES]);
/* By id, whoever owns it, erased ones too; NULL. The lock is held. */
struct sim_task *sim_task_find_locked(struct sim *sim, struct str id);
/* Can this account see it now? The lock is held. */
bool sim_task_visible_locked(const struct sim *sim, const struct sim_task *task, int account,
                             int64_t now_us);
/* The task at that moment of the simulator's clock. */
void sim_task_view(const struct sim_task *task, int64_t now_us, struct sim_view *ret_view);
/* "queued", … */
const char *sim_task_status_name(enum sim_status status);
/* SIM_STATUS_COUNT for another word. */
enum sim_status sim_task_status(struct str name);
/* At the end, when no request runs. */
void sim_task_free_all(struct sim *sim);

/* sim_list.c: one page of tasks ------------------------------------------- */

/* Answers GET …/tasks into rq; false with a refusal for a bad query. */
bool sim_list_answer(struct sim_request *rq, struct sim_refusal *refusal);

/* sim_limit.c: counting and Ark's limits ----------------------------------- */

/* Counts a call; false when the account's limit refuses it. */
bool sim_limit_pass(struct sim *sim, int account, enum sim_on on);

/* sim_fault.c: faults ------------------------------------------------------ */

/* No action at all. */
void sim_fault_init(struct sim_fault *fault);
/* Sets one action; false for an unknown name or a bad value. */
bool sim_fault_set(struct sim_fault *fault, struct str name, struct str value);
/* Applies every "[sim: …]" of a prompt; false names what it does not know. */
bool sim_fault_marker(struct sim_fault *fault, struct str prompt, struct sim_refusal *refusal);
/* Adds the fault of a control request. */
bool sim_fault_add(struct sim *sim, const struct json_doc *doc, struct sim_refusal *refusal);
/* Takes the first fault waiting for this kind of call. */
void sim_fault_take(struct sim *sim, enum sim_on on, struct sim_fault *ret_fault);
/* Forgets the waiting ones; tasks keep theirs. */
void sim_fault_clear(struct sim *sim);
/* "create", "get", "list", "delete". */
const char *sim_fault_on_name(enum sim_on on);

/* sim_fetch.c: input media -------------------------------------------------- */

/* True for http(s)://127.x, localhost or [::1]. */
bool sim_fetch_is_local(struct str url);
/* GETs a loopback link; for a video also measures it with ffprobe. False when
 * it cannot be had. *ret_ms stays as it is when the length is unknown. */
bool sim_fetch_media(struct sim *sim, struct str url, bool is_video, int64_t *ret_ms);

/* sim_media.c: result files -------------------------------------------------- */

/* Makes the cache folder and looks for ffmpeg and ffprobe. */
FALLIBLE sim_media_init(struct sim *sim, const char *dir, struct err *err);
/* Removes a private folder. */
void sim_media_fini(struct sim *sim);
/* Serves /media/<task>-<secret>.mp4 and .png; false when the client is gone or
 * the answer is already sent, else rq holds an answer. */
bool sim_media_handle(struct sim_request *rq);

/* sim_video.c: ffmpeg --------------------------------------------------------- */

/* Path of the video or its last frame, made now if it is not in the cache. */
FALLIBLE sim_video_path(struct sim *sim, int width, int height, int frames, bool hevc,
                        bool last_frame, char ret_path[320], struct err *err);
/* Length of a media file in milliseconds; false when ffprobe knows none. */
bool sim_video_length(const char *path, int64_t *ret_ms);
/* ERR_CONFIG unless both tools run. */
FALLIBLE sim_video_tools(struct err *err);

#endif
