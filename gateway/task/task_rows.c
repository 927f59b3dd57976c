/* SPDX-License-Identifier: Apache-2.0 */
/* Ids: how one is minted, and the one way to say that one does not exist. */
#include "gateway/task/task_rows.h"

#include <string.h>
#include <time.h>

enum { BEIJING_S = 8 * 3600 }; /* Ark's ids carry UTC+8 */

enum err_code task_rows_unknown(struct str id, struct err *err)
{
    char shown[TASK_ID_MAX + 1];

    str_copy_cut(shown, sizeof(shown), id);
    return err_set(err, ERR_NOT_FOUND, "The specified task %s is not found.", shown);
}

void task_rows_mint(int64_t now_us, char ret_id[TASK_ID_MAX + 1])
{
    time_t seconds = (time_t)(now_us / 1000000 + BEIJING_S);
    struct tm at;
    size_t len;

    (void)gmtime_r(&seconds, &at);
    len = strftime(ret_id, TASK_ID_MAX + 1, "cgt-%Y%m%d%H%M%S-", &at);
    sys_random_text(ret_id + len, 16, "abcdefghijklmnopqrstuvwxyz0123456789");
}
