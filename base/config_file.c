/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration file: a small subset of YAML, one mapping of single values.
 * Decides where an error stands; what a value may be is decided in config.c. */
#include "base/config_private.h"

#include <errno.h>
#include <fcntl.h>
#include <libfyaml.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MAX_BYTES = 1 << 20 }; /* a hundred keys fit in 10 kB */

struct reader {
    const struct config_key *keys;
    size_t count;
    bool *seen; /* one per key */
    const char *path;
    void *settings;
    struct fy_diag *diag;
    struct fy_parser *parser;
    struct fy_event *event; /* the present one */
    int line, column;       /* where it begins, or the one before if it has no place */
};

static void free_text(char **text)
{
    free(*text);
}

static void close_file(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

static void free_reader(struct reader *reader)
{
    if (reader->diag != NULL)
        fy_diag_set_collect_errors(reader->diag, false); /* nothing else frees the errors */
    if (reader->event != NULL)
        fy_parser_event_free(reader->parser, reader->event);
    if (reader->parser != NULL)
        fy_parser_destroy(reader->parser);
    fy_diag_unref(reader->diag);
    free(reader->seen);
}

static enum err_code read_file(const char *path, char **ret_text, size_t *ret_len,
                               struct err *err)
{
    CLEANUP(close_file) int fd = open(path, O_RDONLY | O_CLOEXEC);
    CLEANUP(free_text) char *text = malloc(FILE_MAX_BYTES + 1);
    size_t len = 0;
    ssize_t got = 1;

    if (fd < 0)
        return err_set(err, ERR_CONFIG, "%s: %s", path, strerror(errno));
    if (text == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory for the configuration");
    while (got > 0 && len <= FILE_MAX_BYTES) {
        do
            got = read(fd, text + len, FILE_MAX_BYTES + 1 - len);
        while (got < 0 && errno == EINTR);
        len += got > 0 ? (size_t)got : 0;
    }
    if (got < 0)
        return err_set(err, ERR_CONFIG, "%s: %s", path, strerror(errno));
    if (len > FILE_MAX_BYTES)
        return err_set(err, ERR_CONFIG, "%s: larger than 1 MiB", path);
    if (!str_is_utf8((struct str){text, len}))
        return err_set(err, ERR_CONFIG, "%s: not UTF-8", path);
    *ret_text = text;
    *ret_len = len;
    text = NULL;
    return ERR_OK;
}

/* An error at the present event. */
static enum err_code at_event(const struct reader *reader, struct err *err, const char *name,
                              const char *problem)
{
    return err_set(err, ERR_CONFIG, "%s:%d:%d: %s%s%s", reader->path, reader->line,
                   reader->column, name, name[0] == '\0' ? "" : " ", problem);
}

static enum err_code syntax_error(const struct reader *reader, struct err *err)
{
    void *iterator = NULL;
    const struct fy_diag_error *found = fy_diag_errors_iterate(reader->diag, &iterator);

    if (found == NULL)
        return err_set(err, ERR_CONFIG, "%s: not a YAML file", reader->path);
    return err_set(err, ERR_CONFIG, "%s:%d:%d: %s", reader->path, found->line, found->column,
                   found->msg);
}

/* Steps to the next event; FYET_NONE at the end. */
static enum err_code next_event(struct reader *reader, enum fy_event_type *ret_type,
                                struct err *err)
{
    const struct fy_mark *mark = NULL;

    if (reader->event != NULL)
        fy_parser_event_free(reader->parser, reader->event);
    reader->event = fy_parser_parse(reader->parser);
    if (reader->event == NULL && fy_parser_get_stream_error(reader->parser))
        return syntax_error(reader, err);
    if (reader->event != NULL)
        mark = fy_event_start_mark(reader->event);
    if (mark != NULL) {
        reader->line = mark->line + 1;
        reader->column = mark->column + 1;
    }
    *ret_type = reader->event == NULL ? FYET_NONE : reader->event->type;
    return ERR_OK;
}

/* A scalar without anchor or tag; the text lives until the next event. */
static enum err_code need_scalar(const struct reader *reader, enum fy_event_type type,
                                 const char *name, struct str *ret_text, struct err *err)
{
    size_t len = 0;
    const char *text;

    if (type == FYET_ALIAS)
        return at_event(reader, err, name, "must not be an alias");
    if (type != FYET_SCALAR)
        return at_event(reader, err, name, "must be a single value");
    if (fy_event_get_anchor_token(reader->event) != NULL ||
        fy_event_get_tag_token(reader->event) != NULL)
        return at_event(reader, err, name, "must have no anchor and no tag");
    text = fy_token_get_text(reader->event->scalar.value, &len);
    *ret_text = (struct str){text == NULL ? "" : text, text == NULL ? 0 : len};
    return ERR_OK;
}

/* Nothing, ~ or null where a value belongs: more likely a slip than a wish. */
static bool is_null(const struct reader *reader, struct str value)
{
    return (reader->event->scalar.value == NULL ||
            fy_token_scalar_style(reader->event->scalar.value) == FYSS_PLAIN) &&
           (value.len == 0 || str_is(value, "~") || str_is(value, "null"));
}

static enum err_code read_pair(struct reader *reader, enum fy_event_type type, struct err *err)
{
    const struct config_key *key;
    char problem[CONFIG_PROBLEM_BYTES], name[CONFIG_NAME_BYTES];
    struct str text;

    TRY(need_scalar(reader, type, "a key", &text, err));
    str_copy_cut(name, sizeof(name), text);
    key = config_find(reader->keys, reader->count, text);
    if (key == NULL)
        return at_event(reader, err, config_is_plain(str_from(name)) ? name : "this",
                        "is not a known key");
    if (reader->seen[key - reader->keys])
        return at_event(reader, err, key->name, "stands here a second time");
    reader->seen[key - reader->keys] = true;

    TRY(next_event(reader, &type, err));
    TRY(need_scalar(reader, type, key->name, &text, err));
    if (is_null(reader, text))
        return at_event(reader, err, key->name, "has no value");
    if (!config_put(key, text, reader->settings, problem))
        return at_event(reader, err, key->name, problem);
    return ERR_OK;
}

/* Stream start, then nothing or one document with one mapping, stream end. */
static enum err_code read_events(struct reader *reader, struct err *err)
{
    enum fy_event_type type;

    TRY(next_event(reader, &type, err));
    TRY(next_event(reader, &type, err));
    if (type == FYET_STREAM_END)
        return ERR_OK;
    TRY(next_event(reader, &type, err));
    if (type != FYET_MAPPING_START || fy_event_get_anchor_token(reader->event) != NULL ||
        fy_event_get_tag_token(reader->event) != NULL)
        return at_event(reader, err, "", "expected lines of the form \"key: value\"");
    TRY(next_event(reader, &type, err));
    while (type != FYET_MAPPING_END) {
        TRY(read_pair(reader, type, err));
        TRY(next_event(reader, &type, err));
    }
    TRY(next_event(reader, &type, err));
    TRY(next_event(reader, &type, err));
    if (type != FYET_STREAM_END)
        return at_event(reader, err, "", "a second document is not allowed");
    return ERR_OK;
}

/* Errors are collected, so nothing is to be written. */
static void write_nothing(struct fy_diag *diag, void *user, const char *text, size_t len)
{
    (void)diag, (void)user, (void)text, (void)len;
}

static enum err_code open_parser(struct reader *reader, const char *text, size_t len,
                                 struct err *err)
{
    const struct fy_diag_cfg quiet = {
        .output_fn = write_nothing, .level = FYET_ERROR, .module_mask = (1U << FYEM_MAX) - 1};
    struct fy_parse_cfg cfg = {.flags = FYPCF_COLLECT_DIAG};

    reader->seen = calloc(reader->count, sizeof(*reader->seen));
    reader->diag = fy_diag_create(&quiet);
    if (reader->seen == NULL || reader->diag == NULL)
        return err_detail(err, ERR_INTERNAL, "no memory for the configuration");
    fy_diag_set_collect_errors(reader->diag, true);
    cfg.diag = reader->diag;
    reader->parser = fy_parser_create(&cfg);
    if (reader->parser == NULL || fy_parser_set_string(reader->parser, text, len) != 0)
        return err_detail(err, ERR_INTERNAL, "no memory for the configuration");
    return ERR_OK;
}

enum err_code config_file(const struct config_key *keys, size_t count, const char *path,
                          void *settings, struct err *err)
{
    CLEANUP(free_text) char *text = NULL;
    /* Declared after the text, which the parser reads in place. */
    CLEANUP(free_reader)
    struct reader reader = {.keys = keys,
                            .count = count,
                            .path = path,
                            .settings = settings,
                            .line = 1,
                            .column = 1};
    size_t len = 0;

    TRY(read_file(path, &text, &len, err));
    TRY(open_parser(&reader, text, len, err));
    return read_events(&reader, err);
}
