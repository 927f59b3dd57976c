/* SPDX-License-Identifier: Apache-2.0 */
/* One look at an account's whole list, for the reconciler. */
#ifndef ARKGATE_GATEWAY_SCAN_H
#define ARKGATE_GATEWAY_SCAN_H

#include "gateway/upstream/ark_parts.h"

/* scan.c ------------------------------------------------------------------- */

enum {
    SCAN_PAGE = 500,       /* Ark's largest page */
    SCAN_STRAYS_MAX = 2000 /* unowned tasks kept at once; more make a scan incomplete */
};

/* Ark's tasks of an account that no row owns and that were made since a moment, as
 * GET shows them. The texts of the tasks live until scan_fini. */
struct scan {
    struct upstream_task tasks[SCAN_STRAYS_MAX];
    struct scan_text *texts[SCAN_STRAYS_MAX];
    size_t count;
    int64_t started_us;
};
/* Blocks as long as the account's limits demand. Any code but ERR_OK: the scan is
 * not complete and proves nothing. */
FALLIBLE scan_account(struct ark *ark, const struct upstream_account *account, int64_t since_us,
                      struct scan *ret_scan, struct err *err);
void scan_fini(struct scan *scan);

#endif
