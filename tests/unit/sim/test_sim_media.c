/* SPDX-License-Identifier: Apache-2.0 */
/* Result videos, looked at with ffprobe; last frames; ranges; input links. */
#include "tests/unit/sim/sim_client.h"

#include <fcntl.h>
#include <sys/stat.h>

static char folder[] = "/tmp/test-sim-media-XXXXXX";

static void make_folder(void)
{
    static bool made;

    if (!made && mkdtemp(folder) == NULL)
        exit(1);
    made = true;
}

static void start_here(void)
{
    make_folder();
    start_with((struct sim_options){.speed = 1000, .media_dir = folder, .seed = 5});
}

/* Fetches a link that the simulator gave. */
static struct reply download(const char *url, const char *headers)
{
    const char *path = strstr(url, "/media/");

    CHECK_TRUE(url, path != NULL && strncmp(url, "http://127.0.0.1:", 17) == 0);
    return ask_as("none", "GET", path == NULL ? "/" : path, headers, NULL);
}

static void save(struct str bytes, const char *path)
{
    FILE *file = fopen(path, "wb");

    CHECK_TRUE(path, file != NULL && fwrite(bytes.ptr, 1, bytes.len, file) == bytes.len);
    if (file != NULL)
        (void)fclose(file);
}

/* What ffprobe says of a file, "name=value" lines. */
static void probe(const char *path, char *dst, size_t size)
{
    char command[512];
    size_t len = 0;

    (void)snprintf(command, sizeof(command),
                   "ffprobe -v error -count_frames -show_entries stream=codec_name,"
                   "codec_tag_string,width,height,pix_fmt,r_frame_rate,nb_read_frames:"
                   "format=duration -of default=nw=1 %s",
                   path);
    FILE *out = popen(command, "r");

    if (out != NULL) {
        len = fread(dst, 1, size - 1, out);
        CHECK_INT("ffprobe", pclose(out), 0);
    }
    dst[len] = '\0';
}

static void check_video(const char *more, const char *const *wanted, size_t count)
{
    struct id id = make_with("ep-1", "a", more);
    char url[256], path[128], said[1024];

    advance(1000);
    (void)str_copy(url, sizeof(url), str_from(now(id, "video_url")));
    struct reply reply = download(url, "");

    CHECK_INT(more, reply.status, 200);
    CHECK_INT(more, reply.body.len, reply.promised);
    CHECK_TRUE(more, strcasestr(reply.raw.ptr, "Content-Type: video/mp4\r\n") != NULL);
    (void)snprintf(path, sizeof(path), "%s/result.mp4", folder);
    save(reply.body, path);
    probe(path, said, sizeof(said));
    for (size_t i = 0; i < count; i++)
        if (strstr(said, wanted[i]) == NULL)
            CHECK_FAILED(more, "%s is not in\n%s", wanted[i], said);
    reply_fini(&reply);
}

static void videos(void)
{
    static const char *const hd[] = {"codec_name=h264\n",   "width=1280\n",
                                     "height=720\n",        "pix_fmt=yuv420p\n",
                                     "r_frame_rate=24/1\n", "nb_read_frames=120\n",
                                     "duration=5.000000\n"};
    static const char *const wide[] = {"width=1470\n", "height=630\n", "nb_read_frames=96\n",
                                       "duration=4.000000\n"};
    static const char *const uhd[] = {"codec_name=hevc\n",     "codec_tag_string=hvc1\n",
                                      "width=4398\n",          "height=1886\n",
                                      "pix_fmt=yuv420p10le\n", "r_frame_rate=24/1\n",
                                      "nb_read_frames=96\n",   "duration=4.000000\n"};

    start_here();
    check_video("", hd, COUNT_OF(hd));
    check_video(",\"ratio\":\"21:9\",\"duration\":4", wide, COUNT_OF(wide));
    check_video(",\"resolution\":\"4k\",\"ratio\":\"21:9\",\"duration\":4", uhd, COUNT_OF(uhd));
    sim_stop(&sim);
}

static void last_frame(void)
{
    static const char magic[] = "\x89PNG\r\n\x1a\n";

    start_here();
    struct id id = make_with("ep-1", "a", ",\"return_last_frame\":true,\"ratio\":\"4:3\"");

    advance(1000);
    char url[256];

    (void)str_copy(url, sizeof(url), str_from(now(id, "last_frame_url")));
    struct reply reply = download(url, "");

    CHECK_INT("status", reply.status, 200);
    CHECK_TRUE("PNG", reply.body.len > 100 && memcmp(reply.body.ptr, magic, 8) == 0);
    if (reply.body.len > 24) { /* width and height, big-endian */
        const uint8_t *at = (const uint8_t *)reply.body.ptr + 16;

        CHECK_INT("width", at[2] << 8 | at[3], 1112);
        CHECK_INT("height", at[6] << 8 | at[7], 834);
    }
    reply_fini(&reply);
    CHECK_TEXT("not asked for", now(make("a"), "last_frame_url"), "");
    sim_stop(&sim);
}

static void ranges(void)
{
    static const struct {
        const char *range;
        int status;
        int64_t first, len; /* -1: to the end */
    } rows[] = {
        {"bytes=0-0", 206, 0, 1},          {"bytes=10-19", 206, 10, 10},
        {"bytes=100-", 206, 100, -1},      {"bytes=-7", 206, -7, 7},
        {"bytes=0-999999999", 200, 0, -1}, {"bytes=999999999-", 416, 0, 0},
        {"bytes=5-4", 416, 0, 0},          {"bytes=-0", 416, 0, 0},
        {"lines=1-2", 200, 0, -1},
    };
    char url[256], header[64];

    start_here();
    struct id id = make("a");

    advance(1000);
    (void)str_copy(url, sizeof(url), str_from(now(id, "video_url")));
    struct reply whole = download(url, "");
    int64_t size = (int64_t)whole.body.len;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        (void)snprintf(header, sizeof(header), "Range: %s\r\n", rows[i].range);
        struct reply part = download(url, header);
        int64_t first = rows[i].first < 0 ? size + rows[i].first : rows[i].first;
        int64_t len = rows[i].len < 0 ? size - first : rows[i].len;

        CHECK_INT(rows[i].range, part.status, rows[i].status);
        CHECK_INT(rows[i].range, part.body.len, len);
        CHECK_TRUE(rows[i].range, (int64_t)part.body.len == len && first + len <= size &&
                                      (len == 0 || memcmp(part.body.ptr, whole.body.ptr + first,
                                                          (size_t)len) == 0));
        reply_fini(&part);
    }
    reply_fini(&whole);
    url[strlen(url) - 5] = url[strlen(url) - 5] == '0' ? '1' : '0';
    expect("another secret", download(url, ""), 404, "NotFound");
    expect("png not asked for", ask("GET", "/media/x.png", NULL), 404, "NotFound");
    (void)str_copy(url, sizeof(url), str_from(now(id, "video_url")));
    advance(86400000);
    expect("a day later", download(url, ""), 403, "AccessDenied");
    sim_stop(&sim);
}

struct visitor {
    const char *url;
    int64_t len;
};

static void *visit(void *ctx)
{
    struct visitor *visitor = ctx;
    struct reply reply = download(visitor->url, "");

    visitor->len = reply.status == 200 ? (int64_t)reply.body.len : -1;
    reply_fini(&reply);
    return NULL;
}

/* The frame's pixels as a hash, of a PNG or of a video's frame with that number. */
static void hash_frame(const char *path, int index, char *dst, size_t size)
{
    char command[512];
    size_t len = 0;

    (void)snprintf(command, sizeof(command),
                   "ffmpeg -v error -i %s -vf 'select=eq(n\\,%d),format=rgb24' -frames:v 1 "
                   "-f md5 -",
                   path, index);
    FILE *out = popen(command, "r");

    if (out != NULL) {
        len = fread(dst, 1, size - 1, out);
        CHECK_INT("ffmpeg", pclose(out), 0);
    }
    dst[len] = '\0';
    CHECK_TRUE("hash", strncmp(dst, "MD5=", 4) == 0);
}

/* Of a number of frames that no second ends with: the PNG is the last of them. */
static void last_of_frames(void)
{
    char url[256], video[128], png[128], last[64], before[64], still[64];
    static const char *const wanted[] = {"nb_read_frames=57\n", "width=864\n", "height=480\n"};
    char said[1024];

    start_here();
    struct id id = make_with("ep-1-0-pro", "a",
                             ",\"return_last_frame\":true,\"frames\":57,"
                             "\"resolution\":\"480p\"");

    advance(1000);
    (void)snprintf(video, sizeof(video), "%s/frames.mp4", folder);
    (void)snprintf(png, sizeof(png), "%s/frames.png", folder);
    (void)str_copy(url, sizeof(url), str_from(now(id, "video_url")));
    struct reply reply = download(url, "");

    save(reply.body, video);
    reply_fini(&reply);
    (void)str_copy(url, sizeof(url), str_from(now(id, "last_frame_url")));
    reply = download(url, "");
    save(reply.body, png);
    reply_fini(&reply);
    probe(video, said, sizeof(said));
    for (size_t i = 0; i < COUNT_OF(wanted); i++)
        CHECK_TRUE(wanted[i], strstr(said, wanted[i]) != NULL);
    hash_frame(video, 56, last, sizeof(last));
    hash_frame(video, 55, before, sizeof(before));
    hash_frame(png, 0, still, sizeof(still));
    CHECK_TEXT("the last frame", still, last);
    CHECK_TRUE("not another", strcmp(still, before) != 0);
    advance(86400000);
    expect("a day later", download(url, ""), 403, "AccessDenied");
    sim_stop(&sim);
}

/* All at once ask for a video that nobody made yet. */
static void together(void)
{
    struct visitor visitors[6];
    pthread_t threads[COUNT_OF(visitors)];
    char url[256];

    start_here();
    struct id id = make_with("ep-1", "a", ",\"resolution\":\"480p\",\"duration\":7");

    advance(1000);
    (void)str_copy(url, sizeof(url), str_from(now(id, "video_url")));
    for (size_t i = 0; i < COUNT_OF(visitors); i++) {
        visitors[i] = (struct visitor){url, 0};
        CHECK_INT("thread", pthread_create(&threads[i], NULL, visit, &visitors[i]), 0);
    }
    for (size_t i = 0; i < COUNT_OF(visitors); i++)
        (void)pthread_join(threads[i], NULL);
    for (size_t i = 0; i < COUNT_OF(visitors); i++)
        CHECK_INT("same file", visitors[i].len, visitors[0].len);
    CHECK_TRUE("a file", visitors[0].len > 1000);
    sim_stop(&sim);
}

static void check_input(const char *type, const char *url, const char *status, const char *name,
                        const char *value)
{
    char body[512];
    struct id id = {""};

    (void)snprintf(
        body, sizeof(body),
        "{\"model\":\"ep-1\",\"content\":[{\"type\":\"%s\",\"%s\":{\"url\":\"%s\"}}]}", type,
        type, url);
    struct reply reply = ask("POST", TASKS, body);

    CHECK_INT(url, reply.status, 200);
    (void)str_copy(id.text, sizeof(id.text), str_from(member(reply.body, "id")));
    reply_fini(&reply);
    advance(1000);
    CHECK_TEXT(url, now(id, "status"), status);
    CHECK_TEXT(url, now(id, name), value);
}

/* The simulator's own results serve as input media. */
static void inputs(void)
{
    char url[256];

    start_here();
    struct id id = make_with("ep-1", "a", ",\"duration\":10");
    struct id long_id = make_with("ep-1", "[sim: final_duration=16]", "");

    advance(1000);
    (void)str_copy(url, sizeof(url), str_from(now(id, "video_url")));
    check_input("video_url", url, "succeeded", "completion_tokens", "324900");
    check_input("image_url", url, "succeeded", "completion_tokens", "108900");
    check_input("video_url", "https://far.example/v.mp4", "succeeded", "completion_tokens",
                "216900");
    check_input("image_url", "http://127.0.0.1:1/none.png", "failed", "code",
                "InvalidParameter.DownloadFailed");
    char body[512];

    (void)snprintf(body, sizeof(body),
                   "{\"model\":\"ep-1\",\"content\":[{\"type\":\"video_url\",\"video_url\":"
                   "{\"url\":\"%s\"}}]}",
                   now(long_id, "video_url"));
    expect("16 s of input", ask("POST", TASKS, body), 400, "InvalidParameter");
    sim_stop(&sim);
}

/* Last: without a folder of its own the simulator takes one and removes it. */
static void private_folder(void)
{
    struct stat info;
    char base[64];

    make_folder();
    (void)snprintf(base, sizeof(base), "%s/private", folder);
    CHECK_INT("base", mkdir(base, 0700), 0);
    (void)setenv("TMPDIR", base, 1);
    start(1000);
    struct id id = make_with("ep-1", "a", ",\"resolution\":\"480p\"");

    advance(1000);
    char url[256];

    (void)str_copy(url, sizeof(url), str_from(now(id, "video_url")));
    struct reply reply = download(url, "");

    CHECK_INT("video", reply.status, 200);
    reply_fini(&reply);
    sim_stop(&sim);
    CHECK_INT("nothing is left", rmdir(base), 0);
    CHECK_TRUE("cache stays", stat(folder, &info) == 0);
    (void)snprintf(base, sizeof(base), "rm -r %s", folder);
    CHECK_INT("tidy", system(base), 0);
}

CHECK_MAIN(CHECK_TEST(videos), CHECK_TEST(last_frame), CHECK_TEST(last_of_frames),
           CHECK_TEST(ranges), CHECK_TEST(together), CHECK_TEST(inputs),
           CHECK_TEST(private_folder))
