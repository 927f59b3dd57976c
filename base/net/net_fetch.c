/* SPDX-License-Identifier: Apache-2.0 */
/* Follows redirects by hand: which answers are some, what they point to, and what of the
 * call may go there. Whether a URL may be called is the guard's decision, each time. */
#include "base/net/net_private.h"

#include <string.h>

static bool is_redirect(const struct net_reply *reply)
{
    int status = reply->status;

    return reply->fate == NET_ANSWERED && reply->location.len > 0 &&
           (status == 301 || status == 302 || status == 303 || status == 307 || status == 308);
}

static enum err_code bad_location(CURLUcode code, struct err *err)
{
    if (code == CURLUE_OUT_OF_MEMORY)
        return err_detail(err, ERR_INTERNAL, "no memory for a URL");
    return err_set(err, ERR_INVALID, "redirects to what is not a valid URL");
}

static void text_fini(char **text)
{
    curl_free(*text);
}

static void url_fini(CURLU **url)
{
    curl_url_cleanup(*url);
}

/* RFC 3986, 3.1; a relative reference has no colon in its first segment (4.2). */
static bool has_scheme(const char *location)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789+-.";
    size_t len = strspn(location, letters);

    return len > 0 && location[len] == ':';
}

/* A path, query or fragment on the same host. */
static enum err_code resolve_relative(const struct buf *url, const struct buf *location,
                                      struct buf *ret_url, struct err *err)
{
    CLEANUP(url_fini) CURLU *parsed = curl_url();
    CLEANUP(text_fini) char *text = NULL;
    CURLUcode code = CURLUE_OUT_OF_MEMORY;

    if (parsed != NULL)
        code = curl_url_set(parsed, CURLUPART_URL, url->ptr, 0);
    if (code == CURLUE_OK)
        code = curl_url_set(parsed, CURLUPART_URL, location->ptr, 0);
    if (code == CURLUE_OK)
        code = curl_url_get(parsed, CURLUPART_URL, &text, 0);
    if (code != CURLUE_OK)
        return bad_location(code, err);
    buf_puts(ret_url, text);
    return ERR_OK;
}

/* Replaces url by what the location means there. A host comes through as it is written:
 * libcurl would tidy it up before the guard saw its spelling. */
static enum err_code resolve(struct buf *url, const struct buf *location, struct err *err)
{
    CLEANUP(buf_fini) struct buf next = {0};

    buf_init(&next, NET_URL_MAX_BYTES);
    if (has_scheme(location->ptr)) {
        buf_puts(&next, location->ptr);
    } else if (strncmp(location->ptr, "//", 2) == 0) {
        buf_put(&next, url->ptr, strcspn(url->ptr, ":") + 1);
        buf_puts(&next, location->ptr);
    } else {
        TRY(resolve_relative(url, location, &next, err));
    }
    TRY(buf_check(&next, err));
    buf_fini(url);
    *url = next;
    next = (struct buf){0};
    return ERR_OK;
}

static bool is_same_part(CURLU *a, CURLU *b, CURLUPart part)
{
    CLEANUP(text_fini) char *in_a = NULL;
    CLEANUP(text_fini) char *in_b = NULL;

    return curl_url_get(a, part, &in_a, CURLU_DEFAULT_PORT) == CURLUE_OK &&
           curl_url_get(b, part, &in_b, CURLU_DEFAULT_PORT) == CURLUE_OK &&
           str_eq_nocase(str_from(in_a), str_from(in_b));
}

/* False when in doubt. */
static bool is_same_origin(const char *a, const char *b)
{
    CLEANUP(url_fini) CURLU *in_a = curl_url();
    CLEANUP(url_fini) CURLU *in_b = curl_url();

    return in_a != NULL && in_b != NULL &&
           curl_url_set(in_a, CURLUPART_URL, a, 0) == CURLUE_OK &&
           curl_url_set(in_b, CURLUPART_URL, b, 0) == CURLUE_OK &&
           is_same_part(in_a, in_b, CURLUPART_SCHEME) &&
           is_same_part(in_a, in_b, CURLUPART_HOST) && is_same_part(in_a, in_b, CURLUPART_PORT);
}

/* One URL; a refusal tells whether it was the caller's own. */
static enum err_code visit(struct net *net, const struct net_call *hop, bool redirected,
                           struct net_reply *ret_reply, struct err *err)
{
    struct err why = {0};
    enum err_code rc = net_call(net, hop, ret_reply, &why);

    if (rc == ERR_OK)
        return ERR_OK;
    if (rc == ERR_INVALID && redirected)
        return err_set(err, ERR_INVALID, "redirects to a URL that is refused: %s", why.msg);
    *err = why;
    return rc;
}

static enum err_code follow(struct net *net, const struct net_call *call, struct buf *url,
                            struct net_reply *ret_reply, struct err *err)
{
    int64_t start_us = sys_mono_us();
    struct net_call hop = *call;

    for (int hops = 0;; hops++) {
        struct net_reply reply = {0};
        enum err_code rc;

        hop.url = url->ptr;
        if (hops > 0)
            hop.total_us = call->total_us - (sys_mono_us() - start_us);
        if (hops > 0 && hop.total_us < 1)
            hop.total_us = 1; /* ends as a late call does */
        TRY(visit(net, &hop, hops > 0, &reply, err));
        if (!is_redirect(&reply)) {
            *ret_reply = reply;
            return ERR_OK;
        }
        rc = hops == NET_REDIRECTS_MAX
                 ? err_set(err, ERR_INVALID, "redirects more than %d times", NET_REDIRECTS_MAX)
                 : resolve(url, &reply.location, err);
        net_reply_fini(&reply);
        TRY(rc);
        if (!is_same_origin(call->url, url->ptr))
            hop.headers = NULL; /* for the rest of the way */
    }
}

enum err_code net_fetch(struct net *net, const struct net_call *call,
                        struct net_reply *ret_reply, struct err *err)
{
    CLEANUP(buf_fini) struct buf url = {0};

    if (call->guard == NULL || call->method == NULL || strcmp(call->method, "GET") != 0)
        return err_detail(err, ERR_INTERNAL, "only a guarded GET follows redirects");
    if (call->url == NULL)
        return err_field(err, "url", "the URL is missing");
    buf_init(&url, NET_URL_MAX_BYTES);
    buf_puts(&url, call->url);
    TRY(buf_check(&url, err));
    return follow(net, call, &url, ret_reply, err);
}
