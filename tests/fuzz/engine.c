/* SPDX-License-Identifier: Apache-2.0 */
/* CivetWeb's own source with a door in it: its parser's functions are static. What stands
 * between get_request and begin_request in process_new_connection and handle_request is
 * repeated here for options as gateway/http sets them. */
#include "civetweb.c"

#include "tests/fuzz/engine.h"

static struct mg_context context;
static struct mg_connection connection;

static void set_up_once(void)
{
    if (context.dd.config[REQUEST_TIMEOUT] != NULL)
        return;
    for (int i = 0; config_options[i].name != NULL; i++)
        context.dd.config[i] = (char *)config_options[i].default_value;
    context.dd.config[DECODE_URL] = "no";
    context.dd.config[ENABLE_KEEP_ALIVE] = "yes";
    context.dd.config[ENABLE_AUTH_DOMAIN_CHECK] = "no";
    context.context_type = CONTEXT_SERVER;
    pthread_mutex_init(&context.nonce_mutex, NULL);
    /* No byte will come: whatever is not in the buffer is the end of the connection. */
    STOP_FLAG_ASSIGN(&context.stop_flag, 1);
}

/* The path without dot segments beside the one that was sent; NULL when there is none. */
static char *clean_path(struct mg_request_info *info)
{
    char *tmp;

    if (get_uri_type(info->request_uri) != 2)
        return NULL; /* "*" and absolute targets are answered before begin_request, or have
                      * request_uri[0] != '/' */
    info->local_uri_raw = info->request_uri;
    info->query_string = strchr(info->request_uri, '?');
    if (info->query_string != NULL)
        *(char *)info->query_string++ = '\0';
    tmp = mg_strdup(info->local_uri_raw);
    if (tmp != NULL)
        remove_dot_segments(tmp);
    return tmp;
}

struct mg_connection *engine_begin(char *bytes, size_t len)
{
    struct mg_connection *conn = &connection;
    struct mg_request_info *info = &conn->request_info;
    char complaint[100];
    int status = 0;

    set_up_once();
    memset(conn, 0, sizeof(*conn));
    conn->phys_ctx = &context;
    conn->dom_ctx = &context.dd;
    conn->client.sock = -1;
    conn->buf = bytes;
    conn->buf_size = conn->data_len = (int)len;
    if (!get_request(conn, complaint, sizeof(complaint), &status) ||
        (strcmp(info->http_version, "1.0") != 0 && strcmp(info->http_version, "1.1") != 0))
        return NULL;
    info->local_uri = clean_path(info);
    return info->local_uri == NULL ? NULL : conn;
}

void engine_end(struct mg_connection *conn)
{
    mg_free((void *)conn->request_info.local_uri);
    conn->request_info.local_uri = NULL;
}

size_t engine_head_len(const struct mg_connection *conn)
{
    return (size_t)conn->request_len;
}

int64_t engine_length(const struct mg_connection *conn)
{
    return conn->content_len;
}

bool engine_is_chunked(const struct mg_connection *conn)
{
    return conn->is_chunked != 0;
}

bool engine_is_complete(const struct mg_connection *conn)
{
    return conn->is_chunked >= 3;
}
