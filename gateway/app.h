/* SPDX-License-Identifier: Apache-2.0 */
/* What a request handler can reach. Made by serve before the listeners open, read
 * only afterwards. */
#ifndef ARKGATE_GATEWAY_APP_H
#define ARKGATE_GATEWAY_APP_H

#include "assetlib/assetlib.h"
#include "assetlib/blob.h"
#include "gateway/task/task.h"
#include "tenancy/tenancy.h"

struct app {
    struct db *db;
    struct auth *auth;
    size_t body_max; /* the largest request body, as the listeners enforce it */
    struct task_service tasks;
    struct asset_library assets;
    struct blob_store *blobs;
};

#endif
