/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that are never in memory whole: which part of a stream is sent, with which
 * headers, and how it reaches the client piece by piece. Where the bytes come from is the
 * handler's business. */
#include "gateway/http/http_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Read and written at once, and all that a streamed answer holds; each has client_us of its
 * own, as a piece of a body. */
enum { STREAM_PIECE = 64 << 10 };

/* A header that says nothing when there are several of it. */
static struct str only(const struct request *rq, const char *name)
{
    return request_header_count(rq, name) == 1 ? request_header(rq, name) : STR("");
}

/* A range is defined for GET, and means nothing when its condition is not clear. */
static struct str asked_range(const struct request *rq)
{
    if (strcmp(rq->method, "GET") != 0 || request_header_count(rq, "If-Range") > 1)
        return STR("");
    return only(rq, "Range");
}

static void put_range(struct request *rq, const struct range_answer *part, int64_t size)
{
    char text[96];

    if (part->status == 416)
        (void)snprintf(text, sizeof(text), "bytes */%" PRId64, size);
    else
        (void)snprintf(text, sizeof(text), "bytes %" PRId64 "-%" PRId64 "/%" PRId64,
                       part->offset, part->offset + part->len - 1, size);
    response_header(rq, "Content-Range", text);
}

/* One piece; false when the client is gone, or did not take it in time. */
static bool send_piece(struct request *rq, const char *piece, size_t len)
{
    const struct listener *side = mg_get_user_data(mg_get_context(rq->conn));
    bool written;

    connection_limit(rq->conn, sys_mono_us() + side->server->options.client_us);
    written = mg_write(rq->conn, piece, len) == (int)len;
    return !connection_unlimit(rq->conn) && written;
}

void stream_answer(struct request *rq, const char *tag, const struct response_stream *stream)
{
    const struct range_question question = {
        .range = asked_range(rq),
        .if_range = only(rq, "If-Range"),
        .if_none_match = only(rq, "If-None-Match"),
        .tag = str_from(tag),
        .size = stream->len,
    };
    struct range_answer part;

    range_decide(&question, &part);
    rq->rsp.stream = *stream;
    rq->rsp.stream.offset += part.offset;
    rq->rsp.stream.len = part.len;
    response_status(rq, part.status);
    response_header(rq, "ETag", tag);
    response_header(rq, "Accept-Ranges", "bytes");
    if (part.status == 206 || part.status == 416)
        put_range(rq, &part, question.size);
}

bool stream_send(struct request *rq, struct err *err)
{
    const struct response_stream *stream = &rq->rsp.stream;
    char *piece = arena_alloc(&rq->arena, STREAM_PIECE);

    if (piece == NULL) {
        (void)err_detail(err, ERR_INTERNAL, "no memory for a piece of a stream");
        return false;
    }
    for (int64_t sent = 0; sent < stream->len;) {
        int64_t rest = stream->len - sent;
        size_t len = rest < STREAM_PIECE ? (size_t)rest : STREAM_PIECE;

        if (stream->read(stream->ctx, stream->offset + sent, piece, len, err) != ERR_OK ||
            !send_piece(rq, piece, len))
            return false;
        sent += (int64_t)len;
    }
    return true;
}

void stream_close(struct request *rq)
{
    struct response_stream *stream = &rq->rsp.stream;

    if (stream->close != NULL)
        stream->close(stream->ctx);
    *stream = (struct response_stream){0};
}
