/* SPDX-License-Identifier: Apache-2.0 */
/* Files to look at, made by ffmpeg and heif-enc in a folder that goes with the test. */
#ifndef ARKGATE_TESTS_ASSETLIB_FILES_H
#define ARKGATE_TESTS_ASSETLIB_FILES_H

#include "assetlib/media.h"

#include "tests/lib/check.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char files_dir[] = "/tmp/test-media-XXXXXX";

static inline const char *files_path(const char *name)
{
    static _Thread_local char path[2][256]; /* two in one expression */
    static _Thread_local int turn;

    turn = !turn;
    (void)snprintf(path[turn], sizeof(path[0]), "%s/%s", files_dir, name);
    return path[turn];
}

/* Runs a shell command in the folder. */
static inline void files_shell(const char *command)
{
    char line[2048];

    (void)snprintf(line, sizeof(line), "cd %s && { %s; } < /dev/null", files_dir, command);
    CHECK_INT(command, system(line), 0);
}

/* ffmpeg's arguments from the input to the output's name. */
static inline void files_make(const char *arguments)
{
    char line[1024];

    (void)snprintf(line, sizeof(line), "ffmpeg -v error -y %s", arguments);
    files_shell(line);
}

static inline void files_remove(void)
{
    char line[128];

    (void)snprintf(line, sizeof(line), "rm -r %s", files_dir);
    if (system(line) != 0)
        (void)fprintf(stderr, "%s stays\n", files_dir);
}

static inline void files_begin(void)
{
    static bool begun;

    if (begun)
        return;
    begun = true;
    if (mkdtemp(files_dir) == NULL || chmod(files_dir, 0700) != 0)
        exit(1);
    (void)atexit(files_remove);
}

/* Other bytes at a place of a file, or behind the first occurrence of a text in it. */
static inline void files_patch(const char *name, const char *behind, long skip,
                               struct str bytes)
{
    static char content[8 << 20];
    FILE *file = fopen(files_path(name), "r+b");
    size_t len = file == NULL ? 0 : fread(content, 1, sizeof(content), file);
    const char *at = memmem(content, len, behind, strlen(behind));

    CHECK_TRUE(name, file != NULL && at != NULL);
    if (at != NULL) {
        CHECK_INT(name, fseek(file, at - content + (long)strlen(behind) + skip, SEEK_SET), 0);
        CHECK_INT(name, fwrite(bytes.ptr, 1, bytes.len, file), bytes.len);
    }
    if (file != NULL)
        CHECK_INT(name, fclose(file), 0);
}

static const struct media_options files_options = {.probe = PROBE, .deadline_us = 60000000};

#endif
