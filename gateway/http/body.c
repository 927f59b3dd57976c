/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a request's body whole: small ones into the arena, large ones into the
 * spool, none that is longer or slower than allowed. What the bytes mean is the
 * handlers' business. */
#include "gateway/http/http_private.h"

#include <string.h>
#include <unistd.h>

enum {
    BODY_PIECE = 64 << 10, /* read at once; each has client_us of its own */
    /* after the first client_us: a slow mobile uplink */
    BODY_BYTES_PER_SECOND = 64 << 10,
    DISCARD_MAX = 1 << 20, /* about what a client has under way */
    DISCARD_US = 1000000
};

struct reader {
    struct request *rq;
    struct server *server;
    int64_t started_us;
    bool late;
    int64_t length; /* -1: chunked */
    char *memory;   /* in the arena: the body, or a piece on its way to the spool */
    size_t memory_size;
    int fd; /* spool, or -1 */
    size_t len;
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

static int64_t announced_length(const struct request *rq)
{
    const struct mg_request_info *info = mg_get_request_info(rq->conn);

    if (request_header_count(rq, "Transfer-Encoding") > 0)
        return -1;
    return info->content_length > 0 ? info->content_length : 0;
}

static enum err_code no_budget(struct err *err)
{
    return err_set(err, ERR_BUSY, "too many bytes are under way, try again");
}

static enum err_code too_slow(struct reader *reader, struct err *err)
{
    reader->late = true;
    return err_set(err, ERR_INVALID, "the body arrived too slowly");
}

/* The old block stays in the arena: sizes double, so it wastes at most as much
 * again. */
static FALLIBLE grow(struct reader *reader, size_t size, struct err *err)
{
    char *memory = arena_alloc(&reader->rq->arena, size);

    if (memory == NULL)
        return err_detail(err, ERR_BUSY, "no memory for a body of %zu bytes", size);
    if (reader->len > 0)
        memcpy(memory, reader->memory, reader->len);
    reader->memory = memory;
    reader->memory_size = size;
    return ERR_OK;
}

static FALLIBLE begin(struct reader *reader, struct err *err)
{
    size_t spool_over = reader->server->options.spool_over;
    size_t size = reader->length < 0 ? BODY_PIECE : (size_t)reader->length;

    if (reader->length > (int64_t)spool_over) {
        TRY(spool_open(reader->server->spool_dir, &reader->fd, err));
        size = BODY_PIECE;
    }
    return grow(reader, size, err);
}

/* Where a chunked body outgrows its memory: more of it, or the spool. */
static FALLIBLE make_room(struct reader *reader, struct err *err)
{
    if (reader->fd >= 0 || reader->len < reader->memory_size)
        return ERR_OK;
    if (reader->memory_size < reader->server->options.spool_over)
        return grow(reader, reader->memory_size * 2, err);
    TRY(spool_open(reader->server->spool_dir, &reader->fd, err));
    return spool_write(reader->fd, reader->memory, reader->len, err);
}

/* Reads one piece; 0 bytes mean the end of a chunked body. */
static FALLIBLE read_piece(struct reader *reader, size_t *ret_len, struct err *err)
{
    bool spooled = reader->fd >= 0;
    char *at = spooled ? reader->memory : reader->memory + reader->len;
    size_t room = spooled ? reader->memory_size : reader->memory_size - reader->len;
    int64_t client_us = reader->server->options.client_us;
    int64_t piece_us = sys_mono_us(), deadline_us;
    bool cut;
    int got;

    if (room > BODY_PIECE)
        room = BODY_PIECE;
    if (reader->length >= 0 && room > (size_t)reader->length - reader->len)
        room = (size_t)reader->length - reader->len;
    if (reader->len + room > reader->rq->charged &&
        !budget_take(reader->server, reader->rq, reader->len + room - reader->rq->charged))
        return no_budget(err);
    deadline_us =
        reader->started_us + client_us + (int64_t)reader->len * 1000000 / BODY_BYTES_PER_SECOND;
    if (deadline_us > piece_us + client_us)
        deadline_us = piece_us + client_us;
    connection_limit(reader->rq->conn, deadline_us);
    got = mg_read(reader->rq->conn, at, room);
    /* CivetWeb may have given up before our deadline was looked at */
    cut = connection_unlimit(reader->rq->conn);
    if (sys_mono_us() >= deadline_us)
        return too_slow(reader, err);
    if (cut) /* before its time: nobody waits for bodies any more */
        return err_set(err, ERR_UNAVAILABLE, HTTP_SHUTTING_DOWN);
    if (got < 0 || (got == 0 && reader->length >= 0))
        return err_set(err, ERR_INVALID, "the body ended early");
    if (spooled)
        TRY(spool_write(reader->fd, at, (size_t)got, err));
    *ret_len = (size_t)got;
    return ERR_OK;
}

static FALLIBLE read_all(struct reader *reader, struct err *err)
{
    TRY(begin(reader, err));
    while (reader->length < 0 || reader->len < (size_t)reader->length) {
        size_t got = 0;

        TRY(make_room(reader, err));
        TRY(read_piece(reader, &got, err));
        if (got == 0)
            break;
        reader->len += got;
        if (reader->len > reader->server->options.body_max)
            return err_set(err, ERR_TOO_LARGE, "%s", err_text(ERR_TOO_LARGE));
    }
    return ERR_OK;
}

/* Hands the bytes over to the request. */
static FALLIBLE finish(struct reader *reader, struct err *err)
{
    struct request *rq = reader->rq;

    if (reader->fd >= 0) {
        TRY(spool_map(reader->fd, reader->len, &rq->spool, err));
        rq->spool_len = reader->len;
        connection_spool(rq->conn, rq->spool, rq->spool_len);
        rq->body = (struct str){rq->spool, reader->len};
    } else {
        rq->body = (struct str){reader->memory, reader->len};
    }
    return ERR_OK;
}

bool body_pending(const struct request *rq)
{
    return rq->body.ptr == NULL && announced_length(rq) != 0;
}

int body_read(struct server *server, struct request *rq, struct err *err)
{
    struct reader reader = {.rq = rq,
                            .server = server,
                            .started_us = sys_mono_us(),
                            .length = announced_length(rq),
                            .fd = -1};
    CLEANUP(close_fd) int fd = -1;
    enum err_code rc;

    rq->body = STR("");
    if (reader.length == 0)
        return 0;
    rq->body.ptr = NULL;
    if (reader.length > 0 && !budget_take(server, rq, (size_t)reader.length))
        return err_http_status(no_budget(err));
    /* 1.0 knows no answer before the answer */
    if (request_header_count(rq, "Expect") > 0 &&
        strcmp(mg_get_request_info(rq->conn)->http_version, "1.1") == 0)
        (void)mg_write(rq->conn, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    rc = read_all(&reader, err);
    fd = reader.fd;
    if (reader.late)
        return 408;
    if (request_header_count(rq, "Trailer") > 0)
        rq->rsp.close = true; /* CivetWeb does not read it, and closes */
    if (rc == ERR_OK)
        rc = finish(&reader, err);
    return rc == ERR_OK ? 0 : err_http_status(rc);
}

void body_discard(struct request *rq)
{
    char piece[4096];
    size_t left = DISCARD_MAX;

    /* who waits for "100 Continue" has sent nothing */
    if (request_header_count(rq, "Expect") > 0)
        return;
    connection_limit(rq->conn, sys_mono_us() + DISCARD_US);
    while (left >= sizeof(piece) && mg_read(rq->conn, piece, sizeof(piece)) > 0)
        left -= sizeof(piece);
    (void)connection_unlimit(rq->conn);
}
