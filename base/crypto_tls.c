/* SPDX-License-Identifier: Apache-2.0 */
/* The server's side of TLS: which versions and ciphers there are, and which
 * certificate a connection gets. When files are looked at again is decided by the
 * caller; sockets are no business of this file. */
#include "base/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

enum {
    FILE_MAX = 256 << 10, /* a leaf and nine issuers with RSA keys have 20 kB */
    CHAIN_MAX = 10        /* issuers; public ones need two */
};

/* Forward secrecy and AEAD only; TLS 1.3 has nothing else anyway. */
static const char ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
static const unsigned char http_1_1[] = "\x08http/1.1";

/* What one connection is given. Shared with it by reference counts. */
struct identity {
    X509 *cert;
    EVP_PKEY *key;
    STACK_OF(X509) * chain;
    uint8_t id[CRYPTO_HASH_BYTES]; /* of the certificate's DER form */
};

struct crypto_tls {
    SSL_CTX *context;
    struct lock lock;
    struct identity now; /* under the lock */
    void (*before)(void *ctx);
    void *ctx;
};

struct file_text {
    char *ptr;
    size_t len;
};

static void file_text_fini(struct file_text *text)
{
    if (text->ptr != NULL)
        crypto_wipe(text->ptr, text->len);
    free(text->ptr);
    *text = (struct file_text){0};
}

static void fd_close(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static void bio_free(BIO **bio)
{
    BIO_free(*bio);
    *bio = NULL;
}

static void connection_free(SSL **ssl)
{
    SSL_free(*ssl);
    *ssl = NULL;
}

static void identity_fini(struct identity *identity)
{
    X509_free(identity->cert);
    EVP_PKEY_free(identity->key);
    sk_X509_pop_free(identity->chain, X509_free);
    *identity = (struct identity){0};
}

/* OpenSSL's own word for the last failure of this thread. */
static const char *reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());

    return text != NULL ? text : "unknown reason";
}

/* Nobody but the owner; a group may read what belongs to root, which is how
 * distributions hand a key to services. */
static bool key_mode_is_sound(const struct stat *stat)
{
    return (stat->st_mode & 0137) == 0 && ((stat->st_mode & 040) == 0 || stat->st_uid == 0);
}

static enum err_code file_read(const char *path, bool is_key, struct file_text *ret_text,
                               struct err *err)
{
    const char *what = is_key ? "tls_key" : "tls_cert";
    CLEANUP(file_text_fini) struct file_text text = {0};
    struct stat stat;
    /* O_NONBLOCK: a FIFO in its place must not stop us. */
    CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || fstat(fd, &stat) != 0)
        return err_set(err, ERR_CONFIG, "%s %s: %s", what, path, strerror(errno));
    if (!S_ISREG(stat.st_mode) || stat.st_size > FILE_MAX)
        return err_set(err, ERR_CONFIG, "%s %s is not a file of at most %d kB", what, path,
                       FILE_MAX >> 10);
    if (is_key && !key_mode_is_sound(&stat))
        return err_set(err, ERR_CONFIG, "%s %s has mode %04o, must be 0600 or 0400", what, path,
                       (unsigned)(stat.st_mode & 07777));
    text.len = (size_t)stat.st_size;
    text.ptr = malloc(text.len + 1);
    if (text.ptr == NULL)
        return err_detail(err, ERR_INTERNAL, "out of memory");
    if (read(fd, text.ptr, text.len) != (ssize_t)text.len)
        return err_set(err, ERR_CONFIG, "%s %s cannot be read whole", what, path);
    *ret_text = text;
    text = (struct file_text){0};
    return ERR_OK;
}

/* The leaf first, then its issuers in any number that is sound. */
static enum err_code read_chain(const char *path, struct identity *identity, struct err *err)
{
    CLEANUP(file_text_fini) struct file_text text = {0};
    CLEANUP(bio_free) BIO *bio = NULL;

    TRY(file_read(path, false, &text, err));
    bio = BIO_new_mem_buf(text.ptr, (int)text.len);
    identity->chain = sk_X509_new_null();
    if (bio == NULL || identity->chain == NULL)
        return err_detail(err, ERR_INTERNAL, "out of memory");
    identity->cert = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
    if (identity->cert == NULL)
        return err_set(err, ERR_CONFIG, "tls_cert %s: no certificate in PEM form: %s", path,
                       reason());
    for (int i = 0; i <= CHAIN_MAX; i++) {
        X509 *next = PEM_read_bio_X509(bio, NULL, NULL, NULL);

        if (next == NULL && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
            return ERR_OK; /* the end */
        if (next == NULL || sk_X509_push(identity->chain, next) <= 0) {
            X509_free(next);
            return err_set(err, ERR_CONFIG, "tls_cert %s: issuer %d: %s", path, i + 1,
                           reason());
        }
    }
    return err_set(err, ERR_CONFIG, "tls_cert %s: more than %d issuers", path, CHAIN_MAX);
}

static int no_password(char *dst, int size, int writing, void *asked)
{
    (void)dst, (void)size, (void)writing;
    *(bool *)asked = true;
    return -1;
}

static enum err_code read_key(const char *path, struct identity *identity, struct err *err)
{
    CLEANUP(file_text_fini) struct file_text text = {0};
    CLEANUP(bio_free) BIO *bio = NULL;
    bool asked = false;
    int type;

    TRY(file_read(path, true, &text, err));
    bio = BIO_new_mem_buf(text.ptr, (int)text.len);
    if (bio == NULL)
        return err_detail(err, ERR_INTERNAL, "out of memory");
    identity->key = PEM_read_bio_PrivateKey(bio, NULL, no_password, &asked);
    if (asked)
        return err_set(err, ERR_CONFIG,
                       "tls_key %s is encrypted; there is nobody to ask for its password",
                       path);
    if (identity->key == NULL)
        return err_set(err, ERR_CONFIG, "tls_key %s: no private key in PEM form: %s", path,
                       reason());
    type = EVP_PKEY_get_base_id(identity->key);
    if (type != EVP_PKEY_RSA && type != EVP_PKEY_EC && type != EVP_PKEY_ED25519)
        return err_set(err, ERR_CONFIG, "tls_key %s must be RSA, EC or Ed25519", path);
    return ERR_OK;
}

static int64_t time_us(const ASN1_TIME *time)
{
    struct tm tm = {0};

    if (ASN1_TIME_to_tm(time, &tm) != 1)
        return 0;
    return (int64_t)timegm(&tm) * 1000000;
}

static bool identity_use(const struct identity *identity, SSL *ssl)
{
    return SSL_use_cert_and_key(ssl, identity->cert, identity->key, identity->chain, 1) == 1;
}

static enum err_code identity_read(SSL_CTX *context, const char *cert_path,
                                   const char *key_path, struct identity *ret_identity,
                                   struct err *err)
{
    CLEANUP(identity_fini) struct identity it = {0};
    CLEANUP(connection_free) SSL *ssl = SSL_new(context);
    unsigned len = sizeof(it.id);

    if (ssl == NULL)
        return err_detail(err, ERR_INTERNAL, "SSL_new: %s", reason());
    TRY(read_chain(cert_path, &it, err));
    TRY(read_key(key_path, &it, err));
    if (X509_check_private_key(it.cert, it.key) != 1)
        return err_set(err, ERR_CONFIG, "tls_key %s is not the key of the certificate %s",
                       key_path, cert_path);
    if (X509_digest(it.cert, EVP_sha256(), it.id, &len) != 1)
        return err_detail(err, ERR_INTERNAL, "X509_digest: %s", reason());
    /* Tried here, so that a key that is too short is no surprise for clients. */
    if (!identity_use(&it, ssl))
        return err_set(err, ERR_CONFIG, "tls_cert %s: %s", cert_path, reason());
    *ret_identity = it;
    it = (struct identity){0};
    return ERR_OK;
}

/* Before anything of the handshake is decided. A session that began with another
 * certificate is not taken up again: its client sees the new one. */
static int on_hello(SSL *ssl, int *alert, void *arg)
{
    struct crypto_tls *tls = arg;
    bool used;

    tls->before(tls->ctx);
    lock_take(&tls->lock);
    used = identity_use(&tls->now, ssl) &&
           SSL_set_session_id_context(ssl, tls->now.id, sizeof(tls->now.id)) == 1;
    lock_drop(&tls->lock);
    *alert = SSL_AD_INTERNAL_ERROR;
    return used ? SSL_CLIENT_HELLO_SUCCESS : SSL_CLIENT_HELLO_ERROR;
}

static int on_alpn(SSL *ssl, const unsigned char **ret_out, unsigned char *ret_len,
                   const unsigned char *offered, unsigned offered_len, void *arg)
{
    unsigned char *out;

    (void)ssl, (void)arg;
    if (SSL_select_next_proto(&out, ret_len, http_1_1, sizeof(http_1_1) - 1, offered,
                              offered_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret_out = out;
    return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *context_new(struct crypto_tls *tls)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());

    if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(context, ciphers) != 1) {
        SSL_CTX_free(context);
        return NULL;
    }
    /* A body is framed by HTTP; and who is cut off in one still gets his answer. */
    (void)SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                           SSL_OP_CIPHER_SERVER_PREFERENCE |
                                           SSL_OP_PRIORITIZE_CHACHA |
                                           SSL_OP_IGNORE_UNEXPECTED_EOF);
    /* Tickets hold sessions at their clients; idle connections hold no buffers. */
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_client_hello_cb(context, on_hello, tls);
    SSL_CTX_set_alpn_select_cb(context, on_alpn, NULL);
    return context;
}

FALLIBLE crypto_tls_open(void (*before)(void *ctx), void *ctx, struct crypto_tls **ret_tls,
                         struct err *err)
{
    struct crypto_tls *tls = calloc(1, sizeof(*tls));

    if (tls == NULL)
        return err_detail(err, ERR_INTERNAL, "out of memory");
    *tls = (struct crypto_tls){.before = before, .ctx = ctx};
    lock_init(&tls->lock);
    ERR_clear_error();
    tls->context = context_new(tls);
    if (tls->context == NULL) {
        enum err_code rc = err_detail(err, ERR_INTERNAL, "SSL_CTX_new: %s", reason());

        crypto_tls_close(&tls);
        return rc;
    }
    *ret_tls = tls;
    return ERR_OK;
}

FALLIBLE crypto_tls_load(struct crypto_tls *tls, const char *cert_path, const char *key_path,
                         struct crypto_tls_dates *ret_dates, struct err *err)
{
    CLEANUP(identity_fini) struct identity it = {0};
    struct identity old;
    enum err_code rc;

    ERR_clear_error();
    rc = identity_read(tls->context, cert_path, key_path, &it, err);
    ERR_clear_error(); /* the end of a PEM file is an error to OpenSSL */
    if (rc != ERR_OK)
        return rc;
    ret_dates->not_before_us = time_us(X509_get0_notBefore(it.cert));
    ret_dates->not_after_us = time_us(X509_get0_notAfter(it.cert));
    lock_take(&tls->lock);
    old = tls->now;
    tls->now = it;
    lock_drop(&tls->lock);
    it = old; /* freed here; connections hold their own references */
    return ERR_OK;
}

void *crypto_tls_context(struct crypto_tls *tls)
{
    return tls->context;
}

void crypto_tls_close(struct crypto_tls **tls)
{
    struct crypto_tls *it = *tls;

    if (it == NULL)
        return;
    SSL_CTX_free(it->context);
    identity_fini(&it->now);
    lock_fini(&it->lock);
    free(it);
    *tls = NULL;
}
