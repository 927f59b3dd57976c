/* SPDX-License-Identifier: Apache-2.0 */
/* The models as data: names, what each can do, and whether it is sold. Shipped rows, then
 * the operator's for the installation, then those for one tenant: the later word wins, and
 * all are written in one language (catalogue_keys.c). Prices stand in the price books. */
#ifndef ARKGATE_GATEWAY_CATALOGUE_H
#define ARKGATE_GATEWAY_CATALOGUE_H

#include "base/base.h"
#include "base/config.h"
#include "base/store/store.h"
#include "tenancy/tenancy.h"

enum {
    CATALOGUE_WORDS_MAX = 95,       /* "16:9 4:3 1:1 3:4 9:16 21:9 adaptive" is 36 */
    CATALOGUE_SIZES_MAX = 1023,     /* 24 sizes as "1080p/16:9=1920x1080" are 500 */
    CATALOGUE_MODELS_MAX = 256,     /* shipped and added */
    CATALOGUE_SETTINGS_MAX = 20000, /* rows of all tenants */
    CATALOGUE_NAMES_MAX = 20000     /* names and aliases of all tenants */
};

/* One model as one tenant sees it. Lists are space separated words. */
struct model {
    char name[MODEL_NAME_MAX + 1];  /* public and canonical */
    char asked[MODEL_NAME_MAX + 1]; /* the name it was found by: what its tenant may read */
    char dated[MODEL_NAME_MAX + 1]; /* what Ark gets unless an operator mapped it */
    bool sold;                      /* else known, and 503 */
    char resolutions[CATALOGUE_WORDS_MAX + 1];
    char resolution[16]; /* when absent */
    char ratios[CATALOGUE_WORDS_MAX + 1];
    char ratio[16];       /* when absent */
    char text_ratio[16];  /* when absent and nothing but text is given, where adaptive is then
                             no ratio; "" as always */
    bool frames_adaptive; /* a first frame takes no ratio but adaptive */
    char sizes[CATALOGUE_SIZES_MAX + 1];           /* as size_pixels takes it; "" not known */
    int64_t duration_min, duration_max, duration;  /* seconds; duration when absent, or -1 */
    bool duration_auto;                            /* -1: the model decides */
    bool text, first_frame, last_frame, reference; /* modes */
    int64_t images, videos, audios;                /* at most so many of each */
    int64_t video_seconds;                         /* of all videos that are given */
    bool audio_alone;                              /* audio may be the only reference */
    bool audio;                                    /* makes sound */
    bool audio_default, audio_echoed; /* generate_audio when absent; in Ark's answers */
    bool draft, flex, frames, camera_fixed, seed, priority, tools, inline_parameters;
};

struct catalogue; /* thread-safe */

/* catalogue.c -------------------------------------------------------------- */

FALLIBLE catalogue_open(struct db *db, struct catalogue **ret_catalogue, struct err *err);
/* Accepts NULL inside. */
void catalogue_close(struct catalogue **catalogue);
/* Rereads when the settings version moved. Not inside of a db closure. ERR_CONFIG as long as
 * a row of the operator's cannot be understood: it is left out, all else counts. */
FALLIBLE catalogue_refresh(struct catalogue *catalogue, struct err *err);
/* By public name, alias or the tenant's endpoint; sold or not. ERR_MODEL_UNKNOWN. Reads
 * memory alone. */
FALLIBLE catalogue_find(struct catalogue *catalogue, int64_t tenant_id, struct str name,
                        struct model *ret_model, struct err *err);
/* The models by position; false past the last. */
bool catalogue_at(struct catalogue *catalogue, int64_t tenant_id, size_t position,
                  struct model *ret_model);
/* The other names of a model for a tenant, by position; false past the last. */
bool catalogue_alias(struct catalogue *catalogue, int64_t tenant_id, const char *model,
                     size_t position, char ret_alias[MODEL_NAME_MAX + 1]);

/* catalogue_keys.c: the language of the rows ------------------------------- */

/* Every key with its help; the first is "dated". */
void catalogue_keys_each(void (*visit)(const struct config_key *key, void *ctx), void *ctx);
/* The value of a key as "model set" would take it. */
void catalogue_keys_text(const struct config_key *key, const struct model *model, char *dst,
                         size_t size);

/* catalogue_change.c: the operator's word ----------------------------------- */

/* One "KEY=VALUE" of "model set", for one tenant or, with 0, for the installation. Beside
 * the keys: like=MODEL makes a new model that begins as that one; alias=NAME and
 * unalias=NAME; endpoint=new mints an ep-… name for the tenant. ERR_INVALID names the
 * key; refused names stay refused. Returns the model's canonical name. */
FALLIBLE catalogue_change_set(struct db_conn *conn, const char *actor, int64_t now_us,
                              int64_t tenant_id, struct str model, struct str key,
                              struct str value, char ret_model[MODEL_NAME_MAX + 1],
                              struct err *err);
/* After the last of them, by its canonical name: every view of the model holds together,
 * or ERR_INVALID says what does not. */
FALLIBLE catalogue_change_check(struct db_conn *conn, struct str model, struct err *err);

#endif
