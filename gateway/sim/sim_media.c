/* SPDX-License-Identifier: Apache-2.0 */
/* Result links: which file a link stands for, and sending it, whole or in part.
 * Files are made when somebody first asks for them. */
#include "gateway/sim/sim_parts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK_BYTES = 64 * 1024 };

static const int64_t link_life_us = 86400 * INT64_C(1000000); /* Ark: 24 hours */

enum err_code sim_media_init(struct sim *sim, const char *dir, struct err *err)
{
    TRY(sim_video_tools(err));
    if (dir != NULL && dir[0] != '\0') {
        /* Room for the longest name in 320 bytes of path. */
        if (!str_copy(sim->media_dir, sizeof(sim->media_dir), str_from(dir)))
            return err_set(err, ERR_CONFIG, "the media folder's name is too long");
        if (mkdir(dir, 0700) != 0 && errno != EEXIST)
            return err_set(err, ERR_CONFIG, "cannot create the media folder %s: %s", dir,
                           strerror(errno));
        return ERR_OK;
    }
    const char *base = getenv("TMPDIR");

    (void)snprintf(sim->media_dir, sizeof(sim->media_dir), "%.200s/arkgate-sim-XXXXXX",
                   base == NULL || base[0] == '\0' ? "/tmp" : base);
    if (mkdtemp(sim->media_dir) == NULL)
        return err_set(err, ERR_CONFIG, "cannot create a folder for videos: %s",
                       strerror(errno));
    sim->media_private = true;
    return ERR_OK;
}

void sim_media_fini(struct sim *sim)
{
    DIR *dir = sim->media_private ? opendir(sim->media_dir) : NULL;

    if (dir != NULL) {
        for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
            if (entry->d_name[0] != '.')
                (void)unlinkat(dirfd(dir), entry->d_name, 0);
        (void)closedir(dir);
        (void)rmdir(sim->media_dir);
    }
}

/* What a link stands for. */
struct wanted {
    bool last_frame;
    struct sim_view view;
};

/* /media/<id>-<16 hex digits>.mp4|png of a task that succeeded. */
static bool find(struct sim_request *rq, struct wanted *ret_wanted, struct sim_refusal *refusal)
{
    struct str name = {rq->path.ptr + strlen("/media/"), rq->path.len - strlen("/media/")};
    const size_t id_len = SIM_ID_BYTES - 1;
    int64_t now_us = sim_now_us(rq->sim), age_us = 0;
    char secret[17] = "";
    bool found = false;

    if (name.len == id_len + 1 + 16 + 4) {
        struct str extension = {name.ptr + name.len - 4, 4};
        bool png = str_is(extension, ".png");

        lock_take(&rq->sim->lock);
        struct sim_task *task = sim_task_find_locked(rq->sim, (struct str){name.ptr, id_len});
        if (task != NULL && (png ? task->return_last_frame : str_is(extension, ".mp4"))) {
            (void)snprintf(secret, sizeof(secret), "%016" PRIx64, task->secret);
            sim_task_view(task, now_us, &ret_wanted->view);
            age_us = now_us - ret_wanted->view.updated_us;
            found = ret_wanted->view.status == SIM_SUCCEEDED &&
                    memcmp(name.ptr + id_len + 1, secret, 16) == 0;
            rq->sim->counters.media += found;
        }
        lock_drop(&rq->sim->lock);
        ret_wanted->last_frame = png;
    }
    if (!found)
        return sim_answer_refuse(refusal, 404, "NotFound", "", "There is no such file.");
    return age_us < link_life_us ||
           sim_answer_refuse(refusal, 403, "AccessDenied", "", "Request has expired.");
}

/* "bytes=a-b", "bytes=a-" or "bytes=-n". False: not satisfiable. Other forms
 * mean the whole file, as HTTP allows. */
static bool read_range(const char *header, int64_t size, int64_t *ret_first, int64_t *ret_last)
{
    struct str text = str_from(header);
    int64_t first = 0, last = size - 1;

    *ret_first = 0;
    *ret_last = size - 1;
    if (!str_starts_nocase(text, STR("bytes=")))
        return true;
    text = (struct str){text.ptr + 6, text.len - 6};
    const char *dash = memchr(text.ptr, '-', text.len);

    if (dash == NULL)
        return true;
    struct str from = {text.ptr, (size_t)(dash - text.ptr)};
    struct str to = {dash + 1, text.len - from.len - 1};

    if (from.len == 0) {
        if (!str_to_i64(to, &last))
            return true;
        first = last >= size ? 0 : size - last;
        if (last <= 0)
            return false;
        last = size - 1;
    } else if (!str_to_i64(from, &first) || (to.len > 0 && !str_to_i64(to, &last))) {
        return true;
    }
    if (first >= size || last < first)
        return false;
    *ret_first = first;
    *ret_last = last < size ? last : size - 1;
    return true;
}

static bool send_bytes(struct sim_request *rq, int fd, int64_t first, int64_t last)
{
    char *chunk = arena_alloc(&rq->arena, CHUNK_BYTES);

    if (chunk == NULL)
        return false;
    while (first <= last) {
        int64_t left = last - first + 1;
        ssize_t got = pread(fd, chunk, left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES, first);

        if (got <= 0 || !sim_server_write(rq, chunk, (size_t)got))
            return false;
        first += got;
    }
    return true;
}

static void send_file(struct sim_request *rq, int fd, int64_t size, const char *type)
{
    const char *range = sim_server_header(rq, "Range");
    int64_t first = 0, last = size - 1;
    bool partial = false;
    char head[512];

    if (range != NULL && !read_range(range, size, &first, &last)) {
        (void)snprintf(head, sizeof(head),
                       "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n"
                       "Content-Range: bytes */%" PRId64 "\r\n\r\n",
                       size);
        (void)sim_server_write(rq, head, strlen(head));
        return;
    }
    partial = first != 0 || last != size - 1;
    int len = snprintf(head, sizeof(head),
                       "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %" PRId64
                       "\r\nAccept-Ranges: bytes\r\n",
                       partial ? "206 Partial Content" : "200 OK", type, last - first + 1);
    if (partial)
        len += snprintf(head + len, sizeof(head) - (size_t)len,
                        "Content-Range: bytes %" PRId64 "-%" PRId64 "/%" PRId64 "\r\n", first,
                        last, size);
    (void)snprintf(head + len, sizeof(head) - (size_t)len, "\r\n");
    if (!sim_server_write(rq, head, strlen(head)) || strcmp(rq->method, "HEAD") == 0)
        return;
    /* A client that gets less than was promised must not reuse the connection. */
    if (!send_bytes(rq, fd, first, last))
        sim_server_drop(rq, false);
}

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

bool sim_media_handle(struct sim_request *rq)
{
    struct sim_refusal refusal;
    struct wanted wanted;
    struct stat info;
    struct err err = {0};
    char path[320];

    if (!find(rq, &wanted, &refusal)) {
        sim_answer_refusal(rq, &refusal);
        return true;
    }
    bool hevc = wanted.view.resolution == SIM_RESOLUTIONS - 1; /* Ark: 4K is 10-bit H.265 */
    enum err_code rc = sim_video_path(rq->sim, wanted.view.width, wanted.view.height,
                                      wanted.view.frames, hevc, wanted.last_frame, path, &err);
    CLEANUP(close_fd) int fd = rc == ERR_OK ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    if (fd < 0 || fstat(fd, &info) != 0) {
        (void)sim_answer_refuse(&refusal, 500, "InternalServiceError", "",
                                "The video could not be made: %s.", err.msg);
        sim_answer_refusal(rq, &refusal);
        return true;
    }
    send_file(rq, fd, info.st_size, wanted.last_frame ? "image/png" : "video/mp4");
    return false;
}
