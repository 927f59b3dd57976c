/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the public listener's certificate as its files are. What TLS we speak is
 * decided in base/crypto_tls.c; this file decides when the files are read again and
 * what the operator is told. */
#include "gateway/http/http_private.h"

#include "base/crypto.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LOOK_EVERY_US = 1000000 }; /* two stat calls; renewals come once in weeks */

/* A file as it was: any change, a rename over it included, makes another. */
struct file_mark {
    dev_t device;
    ino_t node;
    off_t size;
    struct timespec modified, changed;
};

struct tls {
    struct crypto_tls *crypto;
    char *paths[2];             /* certificate, key */
    struct file_mark marks[2];  /* as last read; owned by who holds look_at_us */
    _Atomic int64_t look_at_us; /* sys_mono_us; INT64_MAX while a thread looks */
};

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* True when the file is another than the mark, which is brought up to it. */
static bool file_moved(const char *path, struct file_mark *mark)
{
    struct file_mark now = {0}; /* of a file that is not there */
    struct stat stat_now;
    bool same;

    if (stat(path, &stat_now) == 0)
        now = (struct file_mark){stat_now.st_dev, stat_now.st_ino, stat_now.st_size,
                                 stat_now.st_mtim, stat_now.st_ctim};
    same = now.device == mark->device && now.node == mark->node && now.size == mark->size &&
           same_time(now.modified, mark->modified) && same_time(now.changed, mark->changed);
    *mark = now;
    return !same;
}

static bool files_moved(struct tls *tls)
{
    bool cert = file_moved(tls->paths[0], &tls->marks[0]);
    bool key = file_moved(tls->paths[1], &tls->marks[1]);

    return cert || key;
}

/* Clients will not take it; whoever runs the gateway should hear of it from us. */
static void warn_of_dates(const struct tls *tls, const struct crypto_tls_dates *dates)
{
    int64_t now_us = sys_now_us();

    if (dates->not_after_us <= now_us)
        LOG(LOG_WARN, "tls_certificate_expired", LOG_TEXT("tls_cert", tls->paths[0]),
            LOG_INT("days_ago", (now_us - dates->not_after_us) / (86400 * INT64_C(1000000))));
    else if (dates->not_before_us > now_us)
        LOG(LOG_WARN, "tls_certificate_not_yet_valid", LOG_TEXT("tls_cert", tls->paths[0]));
}

/* The marks are taken before the files are read: what changes meanwhile is seen by
 * the next look. One that fails is not tried again before something changes. */
static void look(struct tls *tls)
{
    struct crypto_tls_dates dates;
    struct err err = {0};

    if (!files_moved(tls))
        return;
    if (crypto_tls_load(tls->crypto, tls->paths[0], tls->paths[1], &dates, &err) != ERR_OK) {
        LOG(LOG_WARN, "tls_files_refused", LOG_TEXT("reason", err.msg),
            LOG_TEXT("detail", "the certificate that was loaded before stays in use"));
        return;
    }
    LOG(LOG_INFO, "tls_files_loaded", LOG_TEXT("tls_cert", tls->paths[0]));
    warn_of_dates(tls, &dates);
}

/* One thread looks; the others go on with what there is. */
static void on_handshake(void *ctx)
{
    struct tls *tls = ctx;
    int64_t at_us = atomic_load(&tls->look_at_us);

    if (at_us > sys_mono_us() ||
        !atomic_compare_exchange_strong(&tls->look_at_us, &at_us, INT64_MAX))
        return;
    look(tls);
    atomic_store(&tls->look_at_us, sys_mono_us() + LOOK_EVERY_US);
}

static enum err_code open_files(struct tls *tls, const char *cert_path, const char *key_path,
                                struct err *err)
{
    struct crypto_tls_dates dates;

    tls->paths[0] = strdup(cert_path);
    tls->paths[1] = strdup(key_path);
    if (tls->paths[0] == NULL || tls->paths[1] == NULL)
        return err_detail(err, ERR_INTERNAL, "out of memory");
    TRY(crypto_tls_open(on_handshake, tls, &tls->crypto, err));
    (void)files_moved(tls);
    TRY(crypto_tls_load(tls->crypto, cert_path, key_path, &dates, err));
    warn_of_dates(tls, &dates);
    return ERR_OK;
}

enum err_code tls_open(const char *cert_path, const char *key_path, struct tls **ret_tls,
                       struct err *err)
{
    struct tls *tls = calloc(1, sizeof(*tls));

    if (tls == NULL)
        return err_detail(err, ERR_INTERNAL, "out of memory");
    enum err_code rc = open_files(tls, cert_path, key_path, err);
    if (rc != ERR_OK)
        tls_close(&tls);
    else
        *ret_tls = tls;
    return rc;
}

void *tls_context(struct tls *tls)
{
    return crypto_tls_context(tls->crypto);
}

void tls_close(struct tls **tls)
{
    struct tls *it = *tls;

    if (it == NULL)
        return;
    crypto_tls_close(&it->crypto);
    free(it->paths[0]);
    free(it->paths[1]);
    free(it);
    *tls = NULL;
}
