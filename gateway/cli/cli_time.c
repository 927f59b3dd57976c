/* SPDX-License-Identifier: Apache-2.0 */
/* Moments as text, in UTC. */
#include "gateway/cli/cli.h"

#include "base/config.h"

#include <time.h>

void cli_time_text(int64_t us, char dst[32])
{
    time_t seconds = (time_t)(us / 1000000);
    struct tm utc;

    (void)gmtime_r(&seconds, &utc);
    (void)strftime(dst, 32, "%Y-%m-%dT%H:%M:%SZ", &utc);
}

enum err_code cli_time_parse(const char *option, const char *text, int64_t now_us,
                             int64_t *ret_us, struct err *err)
{
    struct tm utc = {0};
    int64_t span_us;
    const char *end = strptime(text, "%Y-%m-%d", &utc);

    if (end != NULL && *end == '\0')
        *ret_us = (int64_t)timegm(&utc) * 1000000;
    else if (config_duration(str_from(text), &span_us) && span_us < INT64_MAX - now_us)
        *ret_us = now_us + span_us;
    else
        return err_set(err, ERR_USAGE, "--%s must be a duration (90d) or a date (2027-01-31)",
                       option);
    if (*ret_us <= now_us)
        return err_set(err, ERR_USAGE, "--%s must lie in the future", option);
    return ERR_OK;
}
