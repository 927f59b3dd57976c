/* SPDX-License-Identifier: Apache-2.0 */
/* What the simulated models can do, their sizes and tokens. Constant tables; any
 * thread may read them. */
#ifndef ARKGATE_GATEWAY_SIM_MODEL_H
#define ARKGATE_GATEWAY_SIM_MODEL_H

#include "base/base.h"

enum { SIM_RESOLUTIONS = 4, SIM_RATIOS = 6, SIM_FPS = 24 };

/* What a request shows the model. */
enum sim_mode {
    SIM_MODE_TEXT,
    SIM_MODE_FIRST,     /* a first frame */
    SIM_MODE_FRAMES,    /* a first and a last frame */
    SIM_MODE_REFERENCE, /* reference media */
    SIM_MODE_DRAFT,     /* a succeeded draft to be made well */
    SIM_MODE_COUNT
};

struct sim_model {
    const char *id;
    const char *family;   /* without the date, as Ark's messages print it */
    const char *mark;     /* in the name of an endpoint of this model */
    unsigned resolutions; /* bits */
    unsigned modes;       /* bits of enum sim_mode */
    int resolution;       /* by default */
    int least, most;      /* seconds */
    int images, videos, audios;
    int input_seconds;       /* of all reference videos */
    bool old_sizes;          /* the 1.0 table */
    bool text_adaptive;      /* ratio adaptive without an image; the default then */
    bool frames_adaptive;    /* with a frame nothing else */
    bool chooses;            /* duration -1 */
    bool chooses_by_default; /* … when none is given */
    bool audio_alone;        /* an audio reference may be the only one */
    bool has_audio;          /* generate_audio */
    bool echoes_audio;       /* … is in its answers */
    bool has_frames, has_seed, has_camera, has_draft, has_flex, has_priority, has_search;
    bool tells_format; /* output_format is in its answers */
};

/* sim_model.c ---------------------------------------------------------- */

/* Index of a dated id or of an endpoint's model; -1. */
int sim_model_find(struct str name);
/* The model of an index. */
const struct sim_model *sim_model_at(int model);
/* "t2v", "i2v", "r2v": as Ark's messages call a mode. */
const char *sim_model_mode_name(enum sim_mode mode);
/* Does the model make that resolution? */
bool sim_model_has_resolution(int model, int resolution);
/* Index of "720p", "16:9"; -1. */
int sim_model_resolution(struct str name);
/* The same for ratios. */
int sim_model_ratio(struct str name);
/* The name of an index. */
const char *sim_model_resolution_name(int resolution);
/* The same for ratios. */
const char *sim_model_ratio_name(int ratio);
/* Pixels of the output. */
void sim_model_size(int model, int resolution, int ratio, int *ret_width, int *ret_height);
/* Tokens of a finished video of that size; input_ms counts when has_video. */
int64_t sim_model_tokens(int width, int height, int frames, bool has_video, int64_t input_ms);

#endif
