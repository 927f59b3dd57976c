/* SPDX-License-Identifier: Apache-2.0 */
/* Decides which calls may be tried at all. URLs come from operators and headers
 * from our own code, so a refusal here is a mistake to be shown, not an attack. */
#include "base/net/net_private.h"

#include <string.h>

/* A day: longer than any transfer, and its milliseconds fit a 32-bit long. */
static const int64_t total_max_us = 86400LL * 1000000;

static const char *const methods[] = {"GET", "POST", "DELETE"};

/* libcurl writes these from the body; a second opinion would break framing. */
static const struct str framing[] = {
    STR("Content-Length"), STR("Transfer-Encoding"), STR("Expect"),
    STR("Connection"),     STR("Upgrade"),           STR("TE"),
};

static bool is_token(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char byte = (unsigned char)name.ptr[i];

        if (byte <= ' ' || byte >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", byte) != NULL)
            return false;
    }
    return name.len > 0;
}

static bool is_value(struct str value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char byte = (unsigned char)value.ptr[i];

        if ((byte < ' ' && byte != '\t') || byte == 0x7f)
            return false;
    }
    return str_trim(value).len > 0; /* libcurl reads an empty one as "leave it out" */
}

/* Never quotes the line: it may hold a key. */
static enum err_code check_header(const char *line, struct err *err)
{
    const char *colon = strchr(line, ':');
    struct str name;

    if (colon == NULL)
        return err_set(err, ERR_INVALID, "a request header has no colon");
    name = (struct str){line, (size_t)(colon - line)};
    if (!is_token(name) || !is_value(str_from(colon + 1)))
        return err_set(err, ERR_INVALID, "a request header is malformed");
    for (size_t i = 0; i < COUNT_OF(framing); i++)
        if (str_eq_nocase(name, framing[i]))
            return err_set(err, ERR_INVALID, "the header %s is not the caller's",
                           framing[i].ptr);
    return ERR_OK;
}

static bool has_part(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    CURLUcode rc = curl_url_get(url, part, &text, 0);

    curl_free(text);
    return rc == CURLUE_OK;
}

static bool is_http(CURLU *url)
{
    char *scheme = NULL;
    bool is = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);

    curl_free(scheme);
    return is;
}

static enum err_code check_url(const char *text, CURLU *url, struct err *err)
{
    CURLUcode rc;

    if (text == NULL || strnlen(text, NET_URL_MAX_BYTES + 1) > NET_URL_MAX_BYTES)
        return err_field(err, "url", "the URL is missing or longer than %d bytes",
                         NET_URL_MAX_BYTES);
    /* What the handle held before would be the base of a relative URL. */
    (void)curl_url_set(url, CURLUPART_URL, NULL, 0);
    rc = curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME);
    if (rc == CURLUE_OUT_OF_MEMORY)
        return err_detail(err, ERR_INTERNAL, "no memory for a URL");
    if (rc != CURLUE_OK)
        return err_field(err, "url", "the URL is malformed: %s", curl_url_strerror(rc));
    if (!is_http(url))
        return err_field(err, "url", "the URL must be http or https");
    if (has_part(url, CURLUPART_USER) || has_part(url, CURLUPART_PASSWORD))
        return err_field(err, "url", "the URL must not hold a user name or password");
    return ERR_OK;
}

static bool is_method(const char *method)
{
    for (size_t i = 0; method != NULL && i < COUNT_OF(methods); i++)
        if (strcmp(method, methods[i]) == 0)
            return true;
    return false;
}

enum err_code net_check_call(const struct net_call *call, CURLU *url, struct err *err)
{
    if (!is_method(call->method))
        return err_field(err, "method", "the method must be GET, POST or DELETE");
    if (call->body_count > 0 && strcmp(call->method, "POST") != 0)
        return err_field(err, "body", "only a POST has a body");
    if (call->total_us <= 0 || call->total_us > total_max_us)
        return err_field(err, "total_us", "the total time must be up to a day");
    if (call->connect_us < 0 || call->connect_us > total_max_us)
        return err_field(err, "connect_us", "the connect time must be up to a day");
    for (size_t i = 0; call->headers != NULL && call->headers[i] != NULL; i++) {
        if (i == NET_HEADERS_MAX)
            return err_set(err, ERR_INVALID, "a call has at most %d headers", NET_HEADERS_MAX);
        TRY(check_header(call->headers[i], err));
    }
    /* The guard checks the URL of a guarded call, and has its own words for it. */
    return call->guard != NULL && call->url != NULL ? ERR_OK : check_url(call->url, url, err);
}
