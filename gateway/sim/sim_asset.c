/* SPDX-License-Identifier: Apache-2.0 */
/* What accounts have in Ark's library: no more than that it is there, whose, of which type
 * and how long. */
#include "gateway/sim/sim_parts.h"

#include <string.h>

static bool account_of(const struct sim *sim, struct str key, int *ret_account)
{
    for (int i = 0; i < sim->account_count; i++) {
        *ret_account = i;
        if (str_is(key, sim->accounts[i].key))
            return true;
    }
    return false;
}

static bool put_locked(struct sim *sim, const struct sim_asset *asset)
{
    if (sim->asset_count == SIM_ASSETS_MAX)
        return false;
    sim->assets[sim->asset_count++] = *asset;
    return true;
}

bool sim_asset_add(struct sim_request *rq, struct sim_refusal *refusal)
{
    const struct json_value *root = json_root(rq->doc), *ms = json_get(root, "duration_ms");
    struct sim_asset asset = {.duration_ms = 0};
    bool kept;

    /* A member that is missing is an empty text. */
    if (!str_copy(asset.id, sizeof(asset.id), json_text(rq->doc, json_get(root, "id"))) ||
        !str_copy(asset.type, sizeof(asset.type), json_text(rq->doc, json_get(root, "type"))) ||
        asset.id[0] == '\0' || !str_has_word("Image Video Audio", str_from(asset.type)) ||
        !account_of(rq->sim, json_text(rq->doc, json_get(root, "key")), &asset.account) ||
        (ms != NULL && !json_int(ms, &asset.duration_ms)))
        return sim_answer_refuse(refusal, 400, "InvalidParameter", "",
                                 "An asset has a key, an id, a type and perhaps duration_ms.");
    lock_take(&rq->sim->lock);
    kept = put_locked(rq->sim, &asset);
    lock_drop(&rq->sim->lock);
    return kept || sim_answer_refuse(refusal, 400, "InvalidParameter", "",
                                     "There are %d assets already.", SIM_ASSETS_MAX);
}

bool sim_asset_find(struct sim_request *rq, struct str url, struct sim_asset *ret_asset)
{
    static const struct str scheme = STR("asset://");
    struct sim *sim = rq->sim;
    bool found = false;

    if (!str_starts_nocase(url, scheme))
        return false;
    url.ptr += scheme.len;
    url.len -= scheme.len;
    lock_take(&sim->lock);
    for (size_t i = 0; i < sim->asset_count && !found; i++) {
        *ret_asset = sim->assets[i];
        found =
            ret_asset->account == rq->account && str_eq_nocase(url, str_from(ret_asset->id));
    }
    lock_drop(&sim->lock);
    return found;
}
