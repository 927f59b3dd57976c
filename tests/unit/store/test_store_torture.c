/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the n-th write, sync or lock of the file system fail, for every n until a
 * run meets no failure, once and for good. After each run, and on an image taken
 * as a crash would leave it, the accounts add up, every change that was answered
 * "done" is there once, and none that was answered with an error. */
#include "base/store/sqlite_private.h"
#include "tests/unit/store/fixture.h"

#include <fcntl.h>

enum {
    WRITES = 1,
    SYNCS = 2,
    LOCKS = 4,
    THREADS = 6,
    EACH = 4, /* closures of a thread */
    PURSES = 5,
    START = 1000,
    /* More than any run has operations: the loop must end by itself. */
    RUNS_MAX = 2000,
};

/* The fault to inject; workers and the writer ask at the same time. */
static struct {
    pthread_mutex_t mutex;
    bool armed;
    int classes;
    int write_result;
    bool for_good;
    int n;
    int count;
    bool fired;
} plan = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static bool must_fail(int class)
{
    bool fail = false;

    (void)pthread_mutex_lock(&plan.mutex);
    if (plan.armed && (plan.classes & class) != 0) {
        plan.count++;
        fail = plan.for_good ? plan.count >= plan.n : plan.count == plan.n;
        plan.fired |= fail;
    }
    (void)pthread_mutex_unlock(&plan.mutex);
    return fail;
}

static void arm(bool armed)
{
    (void)pthread_mutex_lock(&plan.mutex);
    plan.armed = armed;
    if (armed) {
        plan.count = 0;
        plan.fired = false;
    }
    (void)pthread_mutex_unlock(&plan.mutex);
}

/* A VFS that hands everything on to the default one, but for the plan. */
struct shim_file {
    sqlite3_file base;
    sqlite3_file *real; /* behind this struct */
};

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct shim_file *)(void *)file)->real;
}

static int shim_close(sqlite3_file *file)
{
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int shim_read(sqlite3_file *file, void *dst, int len, sqlite3_int64 at)
{
    return real_of(file)->pMethods->xRead(real_of(file), dst, len, at);
}

static int shim_write(sqlite3_file *file, const void *src, int len, sqlite3_int64 at)
{
    if (must_fail(WRITES)) {
        /* A disk may take half of it. */
        (void)real_of(file)->pMethods->xWrite(real_of(file), src, len / 2, at);
        return plan.write_result;
    }
    return real_of(file)->pMethods->xWrite(real_of(file), src, len, at);
}

static int shim_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    if (must_fail(WRITES))
        return SQLITE_IOERR_TRUNCATE;
    return real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int shim_sync(sqlite3_file *file, int flags)
{
    (void)flags; /* what is tested is who notices a failure, not the disk */
    (void)file;
    return must_fail(SYNCS) ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

static int shim_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int shim_lock(sqlite3_file *file, int level)
{
    return must_fail(LOCKS) ? SQLITE_BUSY
                            : real_of(file)->pMethods->xLock(real_of(file), level);
}

static int shim_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int shim_reserved(sqlite3_file *file, int *held)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), held);
}

static int shim_control(sqlite3_file *file, int op, void *arg)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}

static int shim_sector(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int shim_device(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int shim_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **at)
{
    return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, at);
}

static int shim_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    if ((flags & SQLITE_SHM_LOCK) != 0 && must_fail(LOCKS))
        return SQLITE_BUSY;
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}

static void shim_shm_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int shim_shm_unmap(sqlite3_file *file, int remove)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}

static const sqlite3_io_methods shim_methods = {
    .iVersion = 2,
    .xClose = shim_close,
    .xRead = shim_read,
    .xWrite = shim_write,
    .xTruncate = shim_truncate,
    .xSync = shim_sync,
    .xFileSize = shim_size,
    .xLock = shim_lock,
    .xUnlock = shim_unlock,
    .xCheckReservedLock = shim_reserved,
    .xFileControl = shim_control,
    .xSectorSize = shim_sector,
    .xDeviceCharacteristics = shim_device,
    .xShmMap = shim_shm_map,
    .xShmLock = shim_shm_lock,
    .xShmBarrier = shim_shm_barrier,
    .xShmUnmap = shim_shm_unmap,
};

static sqlite3_vfs *real_vfs;

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                     int *out)
{
    struct shim_file *shim = (struct shim_file *)(void *)file;

    (void)vfs;
    shim->real = (sqlite3_file *)(void *)(shim + 1);
    int result = real_vfs->xOpen(real_vfs, name, shim->real, flags, out);
    file->pMethods = shim->real->pMethods != NULL ? &shim_methods : NULL;
    return result;
}

/* Waiting for a lock that will never be free need not take its time. */
static int shim_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    return us;
}

static void register_vfs(void)
{
    static sqlite3_vfs vfs;

    if (real_vfs != NULL)
        return;
    real_vfs = sqlite3_vfs_find(NULL);
    vfs = *real_vfs;
    vfs.zName = "torture";
    vfs.szOsFile = (int)sizeof(struct shim_file) + real_vfs->szOsFile;
    vfs.pNext = NULL;
    vfs.xOpen = shim_open;
    vfs.xSleep = shim_sleep;
    if (sqlite3_vfs_register(&vfs, 0) != SQLITE_OK)
        abort();
}

/* One change: moves an amount from purse to purse and writes down that it did. */
struct move {
    int64_t number;
    bool refuses; /* fails by itself, after it has changed something */
    enum err_code code;
    struct err err;
};

struct mover {
    struct db *db;
    struct move moves[EACH];
    pthread_t thread;
};

static FALLIBLE add(struct db_conn *conn, int64_t purse, int64_t amount, struct err *err)
{
    static const char sql[] = "UPDATE purse SET amount = amount + $2 WHERE id = $1";
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, purse);
    db_bind_i64(st, 2, amount);
    return db_run(st, err);
}

static enum err_code move_fn(struct db_conn *conn, void *ctx, struct err *err)
{
    static const char sql[] = "INSERT INTO done (number, source, target, amount, filler)"
                              " VALUES ($1, $2, $3, $4, zeroblob(900))";
    const struct move *move = ctx;
    int64_t source = move->number % PURSES, target = (move->number + 2) % PURSES;
    CLEANUP(db_done) struct db_stmt *st = NULL;

    TRY(add(conn, source, -(move->number + 1), err));
    TRY(add(conn, target, move->number + 1, err));
    TRY(db_prepare(conn, sql, &st, err));
    db_bind_i64(st, 1, move->number);
    db_bind_i64(st, 2, source);
    db_bind_i64(st, 3, target);
    db_bind_i64(st, 4, move->number + 1);
    TRY(db_run(st, err));
    if (move->refuses && move->number % 2 == 0)
        return err_set(err, ERR_QUOTA, "no");
    if (move->refuses)
        return add(conn, source, -2 * START, err); /* below zero: the table refuses */
    return ERR_OK;
}

static void *mover_main(void *ctx)
{
    struct mover *mover = ctx;

    for (int i = 0; i < EACH; i++) {
        struct move *move = &mover->moves[i];
        move->code = db_write(mover->db, DB_ALL, move_fn, move, &move->err);
    }
    return NULL;
}

static void make_template(struct fixture *fx)
{
    fixture_init(fx, (struct db_options){0});
    CHECK_OK("purse",
             fixture_run(fx, "CREATE TABLE purse (id INTEGER PRIMARY KEY, amount"
                             " INTEGER NOT NULL CHECK (amount >= 0)) STRICT"),
             &fx->err);
    CHECK_OK("done",
             fixture_run(fx, "CREATE TABLE done (number INTEGER PRIMARY KEY, source"
                             " INTEGER, target INTEGER, amount INTEGER, filler BLOB)"
                             " STRICT"),
             &fx->err);
    CHECK_OK("rows",
             fixture_run(fx, "INSERT INTO purse (id, amount) VALUES"
                             " (0, 1000), (1, 1000), (2, 1000), (3, 1000), (4, 1000)"),
             &fx->err);
    db_close(&fx->db);
}

static void copy(const char *from, const char *to, const char *suffix)
{
    char source[200], target[200];
    struct err err;

    (void)snprintf(source, sizeof(source), "%s%s", from, suffix);
    (void)snprintf(target, sizeof(target), "%s%s", to, suffix);
    (void)unlink(target);
    if (!db_file_exists(source))
        return;
    CHECK_OK("create", db_file_create(target, &err), &err);
    CHECK_OK("copy", db_file_copy(source, target, &err), &err);
}

static void remove_database(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char name[200];

    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        (void)snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
        (void)unlink(name);
    }
}

static bool is_open_outcome(const struct move *move)
{
    return strncmp(move->err.detail, "outcome open", 12) == 0;
}

/* Compares a database with what the callers were told. */
static void check_truth(const char *label, const char *path, const struct mover *movers)
{
    static const char balances[] =
        "SELECT COUNT(*) FROM purse AS p WHERE amount <> 1000"
        " + (SELECT COALESCE(SUM(amount), 0) FROM done WHERE target = p.id)"
        " - (SELECT COALESCE(SUM(amount), 0) FROM done WHERE source = p.id)";
    struct fixture fx = {0};

    (void)snprintf(fx.path, sizeof(fx.path), "%s", path);
    CHECK_OK(label, db_backup_verify(path, &fx.err), &fx.err);
    fixture_open(&fx, (struct db_options){0});
    if (fx.db == NULL)
        return;
    CHECK_INT(label, fixture_number(&fx, "SELECT SUM(amount) FROM purse"), PURSES * START);
    CHECK_INT(label, fixture_number(&fx, balances), 0);
    for (int i = 0; i < THREADS * EACH; i++) {
        const struct move *move = &movers[i / EACH].moves[i % EACH];
        struct one one = {.sql = "SELECT COUNT(*) FROM done WHERE number = $1",
                          .count = 1,
                          .value = {move->number}};
        CHECK_OK(label, db_read(fx.db, one_fn, &one, &fx.err), &fx.err);
        if (move->code == ERR_OK || !is_open_outcome(move))
            CHECK_INT(label, one.number, move->code == ERR_OK);
    }
    db_close(&fx.db);
}

/* The writer logs what it could not do, hundreds of times here. Takes standard
 * error away, or gives it back. */
static int mute(int saved)
{
    int before = saved < 0 ? dup(STDERR_FILENO) : -1;
    int target = saved < 0 ? open("/dev/null", O_WRONLY | O_CLOEXEC) : saved;

    if (target < 0 || dup2(target, STDERR_FILENO) < 0)
        abort();
    (void)close(target);
    return before;
}

struct totals {
    int runs, done, refused, open;
};

static void run_movers(struct db *db, struct mover *movers)
{
    struct err err;

    for (int i = 0; i < THREADS * EACH; i++)
        movers[i / EACH].moves[i % EACH] = (struct move){.number = i, .refuses = i % 7 == 3};
    for (int i = 0; i < THREADS; i++) {
        movers[i].db = db;
        CHECK_OK("thread",
                 lock_thread(&movers[i].thread, "mover", 1 << 18, mover_main, &movers[i], &err),
                 &err);
    }
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(movers[i].thread, NULL);
}

static void check_answers(const char *label, const struct mover *movers, struct totals *totals)
{
    int failed = 0, open = 0;

    for (int i = 0; i < THREADS * EACH; i++) {
        const struct move *move = &movers[i / EACH].moves[i % EACH];
        totals->done += move->code == ERR_OK;
        totals->refused += move->code != ERR_OK;
        open += move->code != ERR_OK && is_open_outcome(move);
        failed += move->code != ERR_OK && !move->refuses;
        CHECK_TRUE("a refusing closure is refused", !move->refuses || move->code != ERR_OK);
        if (!plan.fired)
            CHECK_INT(label, move->code,
                      !move->refuses          ? ERR_OK
                      : move->number % 2 == 0 ? ERR_QUOTA
                                              : ERR_CONFLICT);
    }
    if (!plan.for_good) {
        CHECK_INT("one failure leaves nothing open", open, 0);
        /* It hits one closure that is alone; a group is run again. */
        if ((plan.classes & LOCKS) == 0)
            CHECK_TRUE("one failure fails one closure", failed <= 1);
    }
    if ((plan.classes & SYNCS) == 0)
        CHECK_INT("what could not be written is known to be absent", open, 0);
    totals->open += open;
}

/* One run with the n-th operation failing; true when none did. */
static bool torture_run(struct fixture *fx, const char *label, struct totals *totals)
{
    struct mover movers[THREADS] = {0};
    char path[160], image[160];
    struct err err;
    struct db *db = NULL;

    (void)snprintf(path, sizeof(path), "%s/run.db", fx->dir);
    (void)snprintf(image, sizeof(image), "%s/image.db", fx->dir);
    remove_database(path);
    remove_database(image);
    copy(fx->path, path, "");
    struct db_options options = {.path = path, .vfs = "torture", .busy_us = 2000};
    arm(true);
    if (db_open(&options, &db, &err) == ERR_OK) {
        int log = mute(-1);
        run_movers(db, movers);
        copy(path, image, "");
        copy(path, image, "-wal");
        db_close(&db);
        (void)mute(log);
        arm(false);
        check_answers(label, movers, totals);
        check_truth("image", image, movers);
    } else {
        arm(false);
        for (int i = 0; i < THREADS * EACH; i++) {
            movers[i / EACH].moves[i % EACH].number = i;
            movers[i / EACH].moves[i % EACH].code = ERR_IO;
        }
    }
    check_truth("reopened", path, movers);
    totals->runs++;
    return !plan.fired;
}

static const struct {
    const char *label;
    int classes;
    int write_result;
} kinds[] = {
    {"disk full", WRITES, SQLITE_FULL},           {"write error", WRITES, SQLITE_IOERR_WRITE},
    {"sync error", SYNCS, SQLITE_IOERR_WRITE},    {"lock busy", LOCKS, SQLITE_IOERR_WRITE},
    {"any", WRITES | SYNCS | LOCKS, SQLITE_FULL},
};

static void torture(bool for_good)
{
    struct fixture fx;

    register_vfs();
    make_template(&fx);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct totals totals = {0};
        bool clean = false;
        for (int n = 1; !clean && n < RUNS_MAX && check_failures < 20; n++) {
            plan.classes = kinds[i].classes;
            plan.write_result = kinds[i].write_result;
            plan.for_good = for_good;
            plan.n = n;
            clean = torture_run(&fx, kinds[i].label, &totals);
        }
        CHECK_TRUE(kinds[i].label, clean);
        CHECK_TRUE("failures were met", totals.runs > 3);
        (void)printf("%-12s %-8s %4d runs, %6d done, %6d refused, %4d open\n", kinds[i].label,
                     for_good ? "for good" : "once", totals.runs, totals.done, totals.refused,
                     totals.open);
    }
    fixture_fini(&fx);
}

static void once(void)
{
    torture(false);
}

static void for_good(void)
{
    torture(true);
}

CHECK_MAIN(CHECK_TEST(once), CHECK_TEST(for_good))
