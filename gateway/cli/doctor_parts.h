/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of doctor share: a list of findings, and who adds to it. */
#ifndef ARKGATE_GATEWAY_DOCTOR_PARTS_H
#define ARKGATE_GATEWAY_DOCTOR_PARTS_H

#include "gateway/cli/cli.h"

/* doctor_report.c --------------------------------------------------------- */

enum status { STATUS_OK, STATUS_WARN, STATUS_FAIL };
struct check {
    struct check *next;
    const char *name, *detail;
    enum status status;
};
/* In the order in which they were added. full: memory was out, so it is not all. */
struct checks {
    struct arena *arena;
    struct check *first, *last;
    bool failed, full;
};
/* "ok", "warn", "fail". */
const char *doctor_report_word(enum status status);
void doctor_report_add(struct checks *checks, const char *name, enum status status,
                       const char *fmt, ...) PRINTF_LIKE(4, 5);
/* What went wrong, as a failure. */
void doctor_report_err(struct checks *checks, const char *name, const struct err *err);

/* doctor_assets.c --------------------------------------------------------- */

/* The stored files, and with a database the assets that should have them and the ingest. All
 * files are hashed again, or as many as take seconds. */
void doctor_assets_check(struct checks *checks, const struct cli_ctx *ctx, struct db *db,
                         bool all);

#endif
