/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs on disk: one copy, limits, what a crash or a fault leaves, damage, walking and
 * removing by age. */
#include "assetlib/blob.h"
#include "tests/lib/check.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ABC_NAME "blobs/7/ba/7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define HOUR_US (INT64_C(3600) * 1000000)

struct fixture {
    char dir[64];
    struct blob_store *store;
    struct err err;
};

static void setup(struct fixture *fx)
{
    *fx = (struct fixture){.dir = "/tmp/arkgate-blob-XXXXXX"};
    if (mkdtemp(fx->dir) == NULL)
        abort();
    CHECK_OK("open", blob_disk_open(fx->dir, &fx->store, &fx->err), &fx->err);
    if (fx->store == NULL)
        abort();
}

static void teardown(struct fixture *fx)
{
    char command[128];

    blob_close_store(&fx->store);
    (void)snprintf(command, sizeof(command), "rm -rf %s", fx->dir);
    CHECK_INT("removed", system(command), 0);
}

static const char *path_of(const struct fixture *fx, const char *name)
{
    static char path[4096];

    (void)snprintf(path, sizeof(path), "%s/%s", fx->dir, name);
    return path;
}

static off_t size_of(const struct fixture *fx, const char *name)
{
    struct stat status;

    return stat(path_of(fx, name), &status) == 0 ? status.st_size : -1;
}

static int names_in(const struct fixture *fx, const char *name)
{
    DIR *dir = opendir(path_of(fx, name));
    int count = 0;

    for (const struct dirent *item; dir != NULL && (item = readdir(dir)) != NULL;)
        count += item->d_name[0] != '.';
    if (dir != NULL)
        (void)closedir(dir);
    return count;
}

static void make_older(const struct fixture *fx, const char *name, int64_t age_us)
{
    int64_t then_us = sys_local_us() - age_us;
    struct timespec time = {.tv_sec = then_us / 1000000, .tv_nsec = then_us % 1000000 * 1000};

    CHECK_INT("older",
              utimensat(AT_FDCWD, path_of(fx, name), (struct timespec[2]){time, time}, 0), 0);
}

static enum err_code store(struct fixture *fx, int64_t tenant_id, struct str bytes,
                           struct blob_id *ret_id)
{
    CLEANUP(blob_abort) struct blob_writer *writer = NULL;

    TRY(blob_begin(fx->store, tenant_id, 1 << 20, &writer, &fx->err));
    TRY(blob_put(writer, bytes, &fx->err));
    return blob_commit(&writer, ret_id, &fx->err);
}

static void check_content(struct fixture *fx, const struct blob_id *id, struct str want)
{
    CLEANUP(blob_close) struct blob_reader *reader = NULL;
    char got[256] = "";

    CHECK_OK("open", blob_open(fx->store, id, &reader, &fx->err), &fx->err);
    if (reader == NULL)
        return;
    CHECK_INT("size", blob_size(reader), want.len);
    CHECK_OK("read", blob_read(reader, 0, got, want.len, &fx->err), &fx->err);
    CHECK_TRUE("content", memcmp(got, want.ptr, want.len) == 0);
}

static void test_one_copy(void)
{
    struct fixture fx;
    struct blob_id id, again, other;
    struct stat status;

    setup(&fx);
    CHECK_INT("nothing is made before it is needed", names_in(&fx, ""), 0);
    CHECK_INT("stored", store(&fx, 7, STR("abc"), &id), ERR_OK);
    CHECK_INT("under its hash", size_of(&fx, ABC_NAME), 3);
    CHECK_INT("nothing is left unfinished", names_in(&fx, "blobs/tmp"), 0);
    make_older(&fx, ABC_NAME, HOUR_US);
    CHECK_INT("once more", store(&fx, 7, STR("abc"), &again), ERR_OK);
    CHECK_TRUE("the same blob", memcmp(&id, &again, sizeof(id)) == 0);
    CHECK_INT("once on disk", names_in(&fx, "blobs/7/ba"), 1);
    CHECK_INT("put anew", stat(path_of(&fx, ABC_NAME), &status), 0);
    CHECK_TRUE("put anew", sys_local_us() / 1000000 - status.st_mtim.tv_sec < 600);
    CHECK_INT("another tenant's", store(&fx, 8, STR("abc"), &other), ERR_OK);
    CHECK_INT("is another copy", names_in(&fx, "blobs/8/ba"), 1);
    CHECK_INT("its owner's alone", status.st_mode & 07777, 0600);
    CHECK_INT("folders", stat(path_of(&fx, "blobs/7/ba"), &status), 0);
    CHECK_INT("folders are its owner's alone", status.st_mode & 07777, 0700);
    check_content(&fx, &id, STR("abc"));
    CHECK_INT("no tenant", store(&fx, 0, STR("abc"), &id), ERR_INTERNAL);
    teardown(&fx);
}

static void test_pieces(void)
{
    struct fixture fx;
    struct blob_writer *writer = NULL;
    struct blob_reader *reader = NULL;
    struct blob_id id;
    static char megabyte[1 << 20];
    char got[4];

    setup(&fx);
    for (size_t i = 0; i < sizeof(megabyte); i++)
        megabyte[i] = (char)(i * 7 % 251);
    CHECK_OK("begin", blob_begin(fx.store, 1, sizeof(megabyte), &writer, &fx.err), &fx.err);
    for (size_t at = 0, len = 1; at < sizeof(megabyte); at += len, len = len * 3 % 70001) {
        if (len > sizeof(megabyte) - at)
            len = sizeof(megabyte) - at;
        CHECK_OK("put", blob_put(writer, (struct str){megabyte + at, len}, &fx.err), &fx.err);
    }
    CHECK_OK("nothing", blob_put(writer, (struct str){0}, &fx.err), &fx.err);
    CHECK_OK("commit", blob_commit(&writer, &id, &fx.err), &fx.err);
    CHECK_TRUE("freed", writer == NULL);
    CHECK_OK("whole", blob_check(fx.store, &id, &fx.err), &fx.err);
    CHECK_OK("open", blob_open(fx.store, &id, &reader, &fx.err), &fx.err);
    CHECK_OK("read", blob_read(reader, 1048572, got, 4, &fx.err), &fx.err);
    CHECK_TRUE("the last bytes", memcmp(got, megabyte + 1048572, 4) == 0);
    CHECK_OK("nothing at the end", blob_read(reader, 1048576, got, 0, &fx.err), &fx.err);
    CHECK_INT("over the end", blob_read(reader, 1048573, got, 4, &fx.err), ERR_INTERNAL);
    CHECK_INT("before the start", blob_read(reader, -1, got, 1, &fx.err), ERR_INTERNAL);
    blob_close(&reader);
    CHECK_INT("an empty one", store(&fx, 1, STR(""), &id), ERR_OK);
    CHECK_OK("an empty one is whole", blob_check(fx.store, &id, &fx.err), &fx.err);
    teardown(&fx);
}

static void test_limit(void)
{
    struct fixture fx;
    struct blob_writer *writer = NULL;
    struct blob_id id;

    setup(&fx);
    CHECK_OK("begin", blob_begin(fx.store, 1, 5, &writer, &fx.err), &fx.err);
    CHECK_OK("put", blob_put(writer, STR("abc"), &fx.err), &fx.err);
    CHECK_OK("up to the limit", blob_put(writer, STR("de"), &fx.err), &fx.err);
    CHECK_INT("over it", blob_put(writer, STR("f"), &fx.err), ERR_TOO_LARGE);
    CHECK_INT("nothing more", blob_put(writer, STR(""), &fx.err), ERR_INTERNAL);
    CHECK_INT("and no commit", blob_commit(&writer, &id, &fx.err), ERR_INTERNAL);
    CHECK_TRUE("freed", writer == NULL);
    CHECK_INT("nothing is left", names_in(&fx, "blobs/tmp"), 0);
    CHECK_INT("nothing is stored", names_in(&fx, "blobs/1"), 0);
    teardown(&fx);
}

static void test_paths(void)
{
    struct fixture fx;
    struct blob_writer *writer = NULL;
    char path[BLOB_PATH_SIZE];
    struct stat status;
    struct blob_id id;

    setup(&fx);
    CHECK_OK("begin", blob_begin(fx.store, 7, 10, &writer, &fx.err), &fx.err);
    CHECK_OK("put", blob_put(writer, STR("abc"), &fx.err), &fx.err);
    CHECK_TRUE("a file before the commit", blob_written_path(writer, path));
    CHECK_INT("it is there", stat(path, &status), 0);
    CHECK_INT("with what was put", status.st_size, 3);
    CHECK_OK("commit", blob_commit(&writer, &id, &fx.err), &fx.err);
    CHECK_TRUE("gone from there", stat(path, &status) != 0);
    CHECK_TRUE("a file", blob_path(fx.store, &id, path));
    CHECK_TEXT("at its place", path, path_of(&fx, ABC_NAME));
    CHECK_INT("no such folder", blob_disk_open(path, &fx.store, &fx.err), ERR_CONFIG);
    teardown(&fx);
}

/* RLIMIT_FSIZE is the nearest to a full disk that needs no disk of its own. */
static void test_no_room(void)
{
    struct fixture fx;
    struct blob_writer *writer = NULL;
    struct rlimit before, small;

    setup(&fx);
    (void)signal(SIGXFSZ, SIG_IGN);
    CHECK_INT("limit", getrlimit(RLIMIT_FSIZE, &before), 0);
    CHECK_OK("begin", blob_begin(fx.store, 7, 100, &writer, &fx.err), &fx.err);
    small = (struct rlimit){2, before.rlim_max};
    CHECK_INT("limit", setrlimit(RLIMIT_FSIZE, &small), 0);
    CHECK_INT("an error of ours", blob_put(writer, STR("abc"), &fx.err), ERR_IO);
    CHECK_INT("limit", setrlimit(RLIMIT_FSIZE, &before), 0);
    blob_abort(&writer);
    CHECK_INT("nothing is left", names_in(&fx, "blobs/tmp"), 0);
    teardown(&fx);
}

#ifdef ARKGATE_TEST

/* Stores in a child that has the fault; its exit status, or the signal below 0. */
static int store_with(struct fixture *fx, const char *fault)
{
    struct blob_id id;
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        (void)setenv("ARKGATE_FAULT", fault, 1);
        _exit((int)store(fx, 7, STR("abc"), &id));
    }
    CHECK_TRUE("child", child > 0 && waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static const struct {
    const char *fault;
    int ends;               /* exit status, or the signal below 0 */
    int unfinished, stored; /* files that are left */
} faults[] = {
    {"blob.write:1:fail", ERR_UNAVAILABLE, 0, 0}, {"blob.write:1:kill", -SIGKILL, 1, 0},
    {"blob.before_commit:1:fail", ERR_IO, 0, 0},  {"blob.before_commit:1:kill", -SIGKILL, 1, 0},
    {"blob.after_commit:1:kill", -SIGKILL, 0, 1},
};

static void test_faults(void)
{
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        struct fixture fx;
        struct blob_id id;
        int64_t removed = -1;

        setup(&fx);
        CHECK_INT(faults[i].fault, store_with(&fx, faults[i].fault), faults[i].ends);
        CHECK_INT(faults[i].fault, names_in(&fx, "blobs/tmp"), faults[i].unfinished);
        CHECK_INT(faults[i].fault, names_in(&fx, "blobs/7/ba"), faults[i].stored);
        CHECK_OK("young", blob_sweep(fx.store, HOUR_US, &removed, &fx.err), &fx.err);
        CHECK_INT("none was older", removed, 0);
        CHECK_OK("old", blob_sweep(fx.store, 0, &removed, &fx.err), &fx.err);
        CHECK_INT("all", removed, faults[i].unfinished);
        CHECK_INT("swept", names_in(&fx, "blobs/tmp"), 0);
        CHECK_INT("stored after all", store(&fx, 7, STR("abc"), &id), ERR_OK);
        CHECK_OK("whole", blob_check(fx.store, &id, &fx.err), &fx.err);
        teardown(&fx);
    }
}

#endif

static void damage(const struct fixture *fx, const char *name, const char *bytes)
{
    int fd = open(path_of(fx, name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    CHECK_TRUE("damage", fd >= 0 && write(fd, bytes, strlen(bytes)) == (ssize_t)strlen(bytes));
    (void)close(fd);
}

/* Whatever the folder holds beside our files, and however it was named. */
static void test_odd_folders(void)
{
    struct fixture fx;
    struct blob_store *store_here = NULL;
    struct blob_id id;
    char path[BLOB_PATH_SIZE], whole[BLOB_PATH_SIZE];
    int64_t removed = -1;
    int back = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    setup(&fx);
    CHECK_INT("stored", store(&fx, 7, STR("abc"), &id), ERR_OK);
    CHECK_INT("a folder", mkdir(path_of(&fx, "blobs/tmp/folder"), 0700), 0);
    damage(&fx, "blobs/tmp/left", "half");
    CHECK_OK("swept", blob_sweep(fx.store, 0, &removed, &fx.err), &fx.err);
    CHECK_INT("the file", removed, 1);
    CHECK_INT("not the folder", names_in(&fx, "blobs/tmp"), 1);

    CHECK_TRUE("its path", blob_path(fx.store, &id, whole));
    CHECK_INT("there", chdir(path_of(&fx, ".")), 0);
    CHECK_OK("by a relative name", blob_disk_open(".", &store_here, &fx.err), &fx.err);
    CHECK_INT("back", fchdir(back), 0);
    CHECK_TRUE("path", blob_path(store_here, &id, path));
    CHECK_TEXT("the same from everywhere", path, whole);
    blob_close_store(&store_here);
    (void)close(back);
    teardown(&fx);
}

static void test_damage(void)
{
    struct fixture fx;
    struct blob_reader *reader = NULL;
    struct blob_id id;
    char got[3];

    setup(&fx);
    CHECK_INT("stored", store(&fx, 7, STR("abc"), &id), ERR_OK);
    CHECK_OK("whole", blob_check(fx.store, &id, &fx.err), &fx.err);
    damage(&fx, ABC_NAME, "abd");
    CHECK_INT("another byte", blob_check(fx.store, &id, &fx.err), ERR_MISMATCH);
    CHECK_TEXT(
        "which", fx.err.msg,
        "blob ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad of tenant 7"
        " is not what its name says");
    damage(&fx, ABC_NAME, "ab");
    CHECK_INT("shorter", blob_check(fx.store, &id, &fx.err), ERR_MISMATCH);
    CHECK_INT("put once more", store(&fx, 7, STR("abc"), &id), ERR_OK);
    CHECK_OK("mends it", blob_check(fx.store, &id, &fx.err), &fx.err);

    CHECK_OK("open", blob_open(fx.store, &id, &reader, &fx.err), &fx.err);
    CHECK_INT("cut", truncate(path_of(&fx, ABC_NAME), 2), 0);
    CHECK_INT("shorter than it was", blob_read(reader, 0, got, 3, &fx.err), ERR_IO);
    blob_close(&reader);
    CHECK_INT("gone", unlink(path_of(&fx, ABC_NAME)), 0);
    CHECK_INT("check", blob_check(fx.store, &id, &fx.err), ERR_NOT_FOUND);
    CHECK_INT("open", blob_open(fx.store, &id, &reader, &fx.err), ERR_NOT_FOUND);
    id.tenant_id = 8;
    CHECK_INT("another tenant's", blob_open(fx.store, &id, &reader, &fx.err), ERR_NOT_FOUND);
    teardown(&fx);
}

struct seen {
    int count, stop_after;
    int64_t sizes, tenants;
};

static enum err_code look(const struct blob_entry *entry, void *ctx, struct err *err)
{
    struct seen *seen = ctx;

    seen->count++;
    seen->sizes += entry->size;
    seen->tenants += entry->id.tenant_id;
    if (seen->count == seen->stop_after)
        return err_set(err, ERR_CONFLICT, "enough");
    return ERR_OK;
}

static void test_each(void)
{
    static const char *const strangers[] = {
        "blobs/7/ba/short", "blobs/7/stranger", "blobs/stranger", "blobs/tmp/unfinished",
        /* a hash in capitals is no name of ours */
        "blobs/7/ba/7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
        "blobs/7/ba/7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad0"};
    struct fixture fx;
    struct blob_id id;
    struct seen seen = {0};

    setup(&fx);
    CHECK_OK("none", blob_each(fx.store, look, &seen, &fx.err), &fx.err);
    CHECK_INT("none", seen.count, 0);
    CHECK_INT("stored", store(&fx, 7, STR("abc"), &id), ERR_OK);
    CHECK_INT("stored", store(&fx, 7, STR("defg"), &id), ERR_OK);
    CHECK_INT("stored", store(&fx, 100, STR("abc"), &id), ERR_OK);
    for (size_t i = 0; i < COUNT_OF(strangers); i++)
        damage(&fx, strangers[i], "x");
    CHECK_OK("all", blob_each(fx.store, look, &seen, &fx.err), &fx.err);
    CHECK_INT("blobs", seen.count, 3);
    CHECK_INT("sizes", seen.sizes, 10);
    CHECK_INT("tenants", seen.tenants, 114);
    seen = (struct seen){.stop_after = 2};
    CHECK_INT("stopped", blob_each(fx.store, look, &seen, &fx.err), ERR_CONFLICT);
    CHECK_INT("stopped", seen.count, 2);
    teardown(&fx);
}

/* An operator may have the files on another disk. */
static void test_elsewhere(void)
{
    struct fixture fx, other;
    struct blob_id id;
    struct seen seen = {0};

    setup(&fx);
    setup(&other);
    CHECK_INT("link", symlink(other.dir, path_of(&fx, "blobs")), 0);
    CHECK_INT("stored", store(&fx, 7, STR("abc"), &id), ERR_OK);
    CHECK_INT("there", names_in(&other, "7/ba"), 1);
    CHECK_OK("whole", blob_check(fx.store, &id, &fx.err), &fx.err);
    CHECK_OK("walk", blob_each(fx.store, look, &seen, &fx.err), &fx.err);
    CHECK_INT("found", seen.count, 1);
    teardown(&fx);
    teardown(&other);
}

static void test_remove(void)
{
    struct fixture fx;
    struct blob_reader *reader = NULL;
    struct blob_id id;
    bool removed = true;
    char got[3];

    setup(&fx);
    CHECK_INT("stored", store(&fx, 7, STR("abc"), &id), ERR_OK);
    CHECK_OK("young", blob_remove(fx.store, &id, HOUR_US, &removed, &fx.err), &fx.err);
    CHECK_TRUE("stays", !removed && size_of(&fx, ABC_NAME) == 3);
    make_older(&fx, ABC_NAME, 2 * HOUR_US);
    CHECK_INT("somebody needs it again", store(&fx, 7, STR("abc"), &id), ERR_OK);
    CHECK_OK("young again", blob_remove(fx.store, &id, HOUR_US, &removed, &fx.err), &fx.err);
    CHECK_TRUE("stays", !removed && size_of(&fx, ABC_NAME) == 3);
    make_older(&fx, ABC_NAME, 2 * HOUR_US);
    CHECK_OK("open", blob_open(fx.store, &id, &reader, &fx.err), &fx.err);
    CHECK_OK("old", blob_remove(fx.store, &id, HOUR_US, &removed, &fx.err), &fx.err);
    CHECK_TRUE("goes", removed && size_of(&fx, ABC_NAME) == -1);
    CHECK_OK("who reads it goes on", blob_read(reader, 0, got, 3, &fx.err), &fx.err);
    blob_close(&reader);
    CHECK_OK("gone", blob_remove(fx.store, &id, 0, &removed, &fx.err), &fx.err);
    CHECK_TRUE("gone", !removed);
    teardown(&fx);
}

/* Equal bytes at once, while somebody removes what is old enough. */
static void *store_often(void *ctx)
{
    struct fixture fx = *(struct fixture *)ctx;
    struct blob_id id;

    for (int i = 0; i < 50; i++) {
        if (store(&fx, 7, STR("abc"), &id) != ERR_OK ||
            blob_check(fx.store, &id, &fx.err) != ERR_OK)
            return "failed";
    }
    return NULL;
}

static void test_threads(void)
{
    struct fixture fx;
    pthread_t threads[4];
    void *ended;

    setup(&fx);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        CHECK_INT("thread", pthread_create(&threads[i], NULL, store_often, &fx), 0);
    for (int i = 0; i < 200; i++) {
        struct blob_id id = {.tenant_id = 7};
        bool removed;

        crypto_sha256(STR("abc"), id.sha256);
        CHECK_OK("remove", blob_remove(fx.store, &id, HOUR_US, &removed, &fx.err), &fx.err);
        CHECK_TRUE("too young", !removed);
    }
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        CHECK_INT("join", pthread_join(threads[i], &ended), 0);
        CHECK_TRUE("each found it after its commit", ended == NULL);
    }
    CHECK_INT("one copy", names_in(&fx, "blobs/7/ba"), 1);
    CHECK_INT("nothing unfinished", names_in(&fx, "blobs/tmp"), 0);
    teardown(&fx);
}

CHECK_MAIN(CHECK_TEST(test_one_copy), CHECK_TEST(test_pieces), CHECK_TEST(test_limit),
           CHECK_TEST(test_paths), CHECK_TEST(test_no_room),
#ifdef ARKGATE_TEST
           CHECK_TEST(test_faults),
#endif
           CHECK_TEST(test_odd_folders), CHECK_TEST(test_damage), CHECK_TEST(test_each),
           CHECK_TEST(test_elsewhere), CHECK_TEST(test_remove), CHECK_TEST(test_threads))
