/* SPDX-License-Identifier: Apache-2.0 */
/* A file from its first bytes to its verdict: each step is taken only when the one before
 * found nothing wrong, so that a decoder sees as few files as possible. */
#include "assetlib/media_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FACTS_MAX = 1 << 20, /* of a tool's JSON: 3,500 packets take a quarter */
    SELF_TEST_MAX = 4096
};

/* One check, for the steps below. */
struct check {
    const struct media_options *options;
    const struct media_rules *rules;
    const char *path;
    int64_t size;
    struct media_result *result;
};

static enum err_code no_file(struct err *err, const char *path)
{
    return err_detail(err, ERR_IO, "%s: %s", path, strerror(errno));
}

static void close_fd(const int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

/* The length and the first bytes: all that this process ever reads of it. */
static enum err_code read_head(struct check *check, char head[MEDIA_HEAD_BYTES],
                               size_t *ret_len, struct err *err)
{
    CLEANUP(close_fd)
    int fd = open(check->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat about;
    ssize_t len;

    if (fd < 0 || fstat(fd, &about) != 0)
        return no_file(err, check->path);
    if (!S_ISREG(about.st_mode))
        return err_detail(err, ERR_IO, "%s is no plain file", check->path);
    len = pread(fd, head, MEDIA_HEAD_BYTES, 0);
    if (len < 0)
        return no_file(err, check->path);
    check->size = about.st_size;
    *ret_len = (size_t)len;
    return ERR_OK;
}

/* Runs a tool on the file. What came out is for the next step unless that failed. */
static enum err_code look(struct check *check, const struct media_run *run,
                          struct media_answer *answer, struct err *err)
{
    struct media_verdict *verdict = &check->result->verdict;
    const char *format = check->result->facts.format;

    TRY(media_run(check->options, run, answer, err));
    (void)str_copy(check->result->detail, sizeof(check->result->detail),
                   str_from(answer->said));
    switch (answer->end) {
    case MEDIA_END_GOOD:
        break;
    case MEDIA_END_REFUSED:
        rules_unsupported(
            verdict,
            "the file begins as a %s, but is damaged or of a codec that is not supported",
            format);
        break;
    case MEDIA_END_CRASHED:
        rules_unsupported(verdict, "the file is not a valid %s: its decoder broke down",
                          format);
        break;
    case MEDIA_END_LATE:
        rules_unsupported(verdict, "the %s takes too long to decode", format);
        break;
    case MEDIA_END_LONG:
        rules_unsupported(verdict, "the %s is in more pieces than it can have", format);
        break;
    }
    return ERR_OK;
}

static void answer_fini(struct media_answer *answer)
{
    buf_fini(&answer->out);
}

/* Fills the facts by a tool's JSON and judges them. */
static enum err_code find_facts(struct check *check, struct err *err)
{
    CLEANUP(answer_fini) struct media_answer answer = {.end = MEDIA_END_REFUSED};
    struct media_result *result = check->result;
    struct media_facts *facts = &result->facts;
    const bool image = facts->type == MEDIA_IMAGE;
    const struct media_run run = {
        .tool = image ? "header" : "facts", .format = facts->format, .path = check->path};
    enum err_code rc;

    buf_init(&answer.out, FACTS_MAX);
    TRY(look(check, &run, &answer, err));
    if (result->verdict.failed)
        return ERR_OK;
    rc = image ? media_read_size(buf_str(&answer.out), facts, err)
               : media_read_facts(buf_str(&answer.out), facts, err);
    if (rc == ERR_INVALID) {
        str_copy_cut(result->detail, sizeof(result->detail), str_from(err->msg));
        rules_unsupported(&result->verdict,
                          "the file begins as a %s, but what follows makes no sense",
                          facts->format);
        return ERR_OK;
    }
    TRY(rc);
    rules_judge(facts, check->size, check->rules, &result->verdict);
    return ERR_OK;
}

/* The picture of a HEIC comes as a PNG and is brought into form by a second tool. */
static enum err_code make_thumbnail(struct check *check, struct err *err)
{
    CLEANUP(answer_fini)
    struct media_answer first = {.end = MEDIA_END_REFUSED}, second = {.end = MEDIA_END_REFUSED};
    const char *format = check->result->facts.format;
    const struct media_run run = {.tool = "picture", .format = format, .path = check->path};
    struct media_answer *last = &first;

    buf_init(&first.out, MEDIA_THUMBNAIL_MAX);
    buf_init(&second.out, MEDIA_THUMBNAIL_MAX);
    TRY(look(check, &run, &first, err));
    if (!check->result->verdict.failed && strcmp(format, "heic") == 0) {
        last = &second;
        TRY(look(check, &(struct media_run){.tool = "webp", .input = buf_str(&first.out)}, last,
                 err));
    }
    if (check->result->verdict.failed)
        return ERR_OK;
    if (last->out.len == 0)
        rules_unsupported(&check->result->verdict, "the %s has nothing in it to decode",
                          format);
    check->result->thumbnail = last->out; /* moved */
    last->out = (struct buf){0};
    return ERR_OK;
}

static enum err_code check_content(struct check *check, const struct media_format *format,
                                   struct err *err)
{
    struct media_facts *facts = &check->result->facts;
    struct media_verdict *verdict = &check->result->verdict;

    if (format != NULL) {
        facts->format = format->name;
        facts->content_type = format->content_type;
    }
    if (format == NULL || format->type != facts->type) {
        rules_judge(facts, check->size, check->rules, verdict);
        return ERR_OK;
    }
    if (facts->type == MEDIA_IMAGE) /* one word: what the format itself says */
        (void)str_copy(facts->codec, sizeof(facts->codec), str_from(format->codecs));
    TRY(find_facts(check, err));
    return verdict->failed ? ERR_OK : make_thumbnail(check, err);
}

void media_result_fini(struct media_result *result)
{
    buf_fini(&result->thumbnail);
}

FALLIBLE media_check(const struct media_options *options, const char *path,
                     enum media_type type, struct media_result *ret_result, struct err *err)
{
    char head[MEDIA_HEAD_BYTES];
    size_t len = 0;
    struct check check = {.options = options,
                          .rules = options->rules == NULL ? &rules_default : options->rules,
                          .path = path,
                          .result = ret_result};

    *ret_result = (struct media_result){.facts = {.type = type}};
    TRY(read_head(&check, head, &len, err));
    rules_judge_size(type, check.size, check.rules, &ret_result->verdict);
    if (!ret_result->verdict.failed)
        TRY(check_content(&check, media_format_of((struct str){head, len}), err));
    return ERR_OK;
}

FALLIBLE media_sandbox_check(const struct media_options *options, struct err *err)
{
    CLEANUP(answer_fini) struct media_answer answer = {.end = MEDIA_END_REFUSED};

    buf_init(&answer.out, SELF_TEST_MAX);
    TRY(media_run(options, &(struct media_run){.tool = "--self-test"}, &answer, err));
    /* Without a sandbox its test must fail. */
    if (answer.end == (options->sandbox_off ? MEDIA_END_REFUSED : MEDIA_END_GOOD))
        return ERR_OK;
    return err_set(err, ERR_CONFIG, "the sandbox for media files does not hold: %s",
                   answer.said[0] != '\0' ? answer.said : "its test did not end");
}
