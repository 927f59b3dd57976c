/* SPDX-License-Identifier: Apache-2.0 */
/* The request as its signature covers it: which headers, in which order, and the text whose
 * hash is signed. */
#include "tenancy/private.h"
#include "tenancy/sign_v4_parts.h"

#include <string.h>

/* A head of 48 kB, the longest that the server takes, whose query is encoded anew. */
enum { CANONICAL_MAX = 3 * SIGN_V4_QUERY_MAX + 49152 };

static enum err_code take_header(const struct sign_v4_request *request, struct str name,
                                 struct sign_v4_headers *headers, struct err *err)
{
    struct sign_v4_header *header = &headers->items[headers->count];
    int count;

    if (headers->count == SIGN_V4_HEADERS_MAX)
        return err_set(err, ERR_AUTHORIZATION, "at most %d headers can be signed",
                       SIGN_V4_HEADERS_MAX);
    if (!name_is(name, 1, SIGN_V4_HEADER_NAME_MAX, NAME_LOWER NAME_UPPER NAME_DIGITS "-_."))
        return err_set(err, ERR_AUTHORIZATION,
                       "a signed header's name must be 1 to %d of a-z, A-Z, 0-9, -, _ and .",
                       SIGN_V4_HEADER_NAME_MAX);
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        header->name[i] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    }
    header->name[name.len] = '\0';
    if (sign_v4_canonical_find(headers, header->name) != NULL)
        return err_set(err, ERR_AUTHORIZATION, "SignedHeaders has %s twice", header->name);
    header->value = str_trim(request->header(request->ctx, header->name, &count));
    if (count != 1)
        return err_set(err, ERR_AUTHORIZATION, "the header %s is signed and occurs %d times",
                       header->name, count);
    headers->count++;
    return ERR_OK;
}

/* How long a host is without a port that clients leave away when they sign. */
static size_t host_len(struct str host)
{
    static const struct str ports[] = {STR(":80"), STR(":443")};

    for (size_t i = 0; i < COUNT_OF(ports); i++) {
        size_t len = host.len > ports[i].len ? host.len - ports[i].len : 0;
        if (len > 0 && memcmp(host.ptr + len, ports[i].ptr, ports[i].len) == 0)
            return len;
    }
    return host.len;
}

static void put_header(const struct sign_v4_header *header, bool without_port,
                       struct buf *ret_text)
{
    struct str value = header->value;

    if (without_port && strcmp(header->name, "host") == 0)
        value.len = host_len(value);
    buf_puts(ret_text, header->name);
    buf_puts(ret_text, ":");
    buf_put_str(ret_text, value);
    buf_puts(ret_text, "\n");
}

static enum err_code hash_text(const struct sign_v4_canonical *from, bool without_port,
                               uint8_t ret_hash[CRYPTO_HASH_BYTES], struct err *err)
{
    CLEANUP(buf_fini) struct buf text = {0};
    const struct sign_v4_headers *headers = &from->headers;

    buf_init(&text, CANONICAL_MAX);
    buf_put_str(&text, from->request->method);
    buf_puts(&text, "\n");
    buf_put_str(&text, from->request->path.len > 0 ? from->request->path : STR("/"));
    buf_puts(&text, "\n");
    sign_v4_query_put(from->query, from->left_out, &text);
    buf_puts(&text, "\n");
    for (size_t i = 0; i < headers->count; i++)
        put_header(&headers->items[i], without_port, &text);
    /* The SDKs write one more line end where they sign no header at all. */
    buf_puts(&text, headers->count == 0 ? "\n\n" : "\n");
    for (size_t i = 0; i < headers->count; i++) {
        buf_puts(&text, i == 0 ? "" : ";");
        buf_puts(&text, headers->items[i].name);
    }
    buf_puts(&text, "\n");
    buf_put_str(&text, from->body_hash);
    if (text.failed)
        return err_set(err, ERR_AUTHORIZATION, "a signed head is at most %d bytes",
                       CANONICAL_MAX);
    crypto_sha256(buf_str(&text), ret_hash);
    return ERR_OK;
}

FALLIBLE sign_v4_canonical_headers(const struct sign_v4_request *request, struct str names,
                                   struct sign_v4_headers *ret_headers, struct err *err)
{
    bool more = names.len > 0;

    ret_headers->count = 0;
    while (more) {
        struct str name = sign_v4_piece(&names, ';');
        more = name.ptr + name.len != names.ptr; /* a separator was cut off */
        TRY(take_header(request, name, ret_headers, err));
    }
    return ERR_OK;
}

const struct sign_v4_header *sign_v4_canonical_find(const struct sign_v4_headers *headers,
                                                    const char *name)
{
    for (size_t i = 0; i < headers->count; i++) {
        if (strcmp(headers->items[i].name, name) == 0)
            return &headers->items[i];
    }
    return NULL;
}

FALLIBLE sign_v4_canonical_hash(const struct sign_v4_canonical *from,
                                uint8_t ret_hashes[2][CRYPTO_HASH_BYTES], size_t *ret_count,
                                struct err *err)
{
    const struct sign_v4_header *host = sign_v4_canonical_find(&from->headers, "host");
    bool has_port = host != NULL && host_len(host->value) != host->value.len;

    TRY(hash_text(from, false, ret_hashes[0], err));
    if (has_port)
        TRY(hash_text(from, true, ret_hashes[1], err));
    *ret_count = has_port ? 2 : 1;
    return ERR_OK;
}
