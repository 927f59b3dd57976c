/* SPDX-License-Identifier: Apache-2.0 */
/* Complete looks at an account's list: who is adopted, who is released for certain,
 * who waits for an operator, and what turns up too late. */
#include "tests/unit/task/seen.h"

/* The unowned task that an attempt made, as Ark's GET shows it. */
static struct upstream_task stray_of(struct world *world, const struct task *task,
                                     const char *id, enum task_state state)
{
    static struct attempt attempts[8]; /* the texts of the last strays */
    static size_t at;
    struct attempt *attempt = &attempts[at++ % COUNT_OF(attempts)];
    struct upstream_task stray = seen_of(id, state);

    *attempt = world_attempt(world, task);
    stray.created_s = attempt->created_us / SECOND;
    stray.safety_identifier = str_from(attempt->identifier);
    stray.has_expires_after = stray.has_priority = stray.has_audio = true;
    stray.expires_after = task->expires_after;
    stray.priority = task->priority;
    stray.audio = task->audio;
    return stray;
}

/* A scan that began long after every deadline, when late, or now. */
static enum err_code scan(struct world *world, bool late, const struct upstream_task *strays,
                          size_t count, struct err *err)
{
    int64_t started_us = sys_now_us() + (late ? 60 * MINUTE : 0);

    *err = (struct err){0};
    return adopt_scan(&world->service, account_a(world), started_us, strays, count, err);
}

static void scan_ok(struct world *world, const char *what, bool late,
                    const struct upstream_task *strays, size_t count)
{
    struct err err;

    CHECK_OK(what, scan(world, late, strays, count, &err), &err);
}

static int64_t strays_in(struct world *world, const char *state)
{
    int64_t word = strcmp(state, "open") == 0 ? 0 : strcmp(state, "ambiguous") == 0 ? 1 : 2;

    return world_ask(
        world,
        "SELECT count(*) FROM stray WHERE state ="
        " CASE WHEN $1 = 0 THEN 'open' WHEN $1 = 1 THEN 'ambiguous' ELSE 'adopted' END",
        word);
}

static void test_by_identifier(void)
{
    struct world world;

    world_init(&world, YUAN(100));
    world.script.inject = true;
    /* Equal requests, told apart by their identifiers alone. */
    struct task first = world_unknown(&world), second = world_unknown(&world);
    struct upstream_task strays[] = {stray_of(&world, &second, "cgt-second", TASK_RUNNING),
                                     stray_of(&world, &first, "cgt-first", TASK_QUEUED)};

    scan_ok(&world, "scan", false, strays, 2);
    CHECK_TEXT("first", world_task(&world, first.minted_id).upstream_id, "cgt-first");
    CHECK_TEXT("second", world_task(&world, second.minted_id).upstream_id, "cgt-second");
    check_state(&world, "first", first.minted_id, TASK_QUEUED);
    check_state(&world, "second", second.minted_id, TASK_QUEUED);
    first = world_task(&world, first.minted_id);
    CHECK_TEXT("the id that was given stays", service_public_id(&first), first.minted_id);
    check_state(&world, "under both ids", "cgt-first", TASK_QUEUED);
    CHECK_TEXT("attempt", world_attempt(&world, &first).state, "accepted");
    CHECK_INT("watched", world.script.watches, 2);
    CHECK_INT("account", world.script.watched_account, account_a(&world));
    CHECK_INT("strays", world_ask(&world, "SELECT count(*) FROM stray", 0), 0);
    check_money(&world, "held", YUAN(100) - 2 * HOLD_NANO, 2 * HOLD_NANO, 0);

    /* From here on it is a task like any other. */
    struct upstream_task seen = seen_of("cgt-first", TASK_SUCCEEDED);
    struct err err = {0};

    CHECK_OK("settle", settle_seen(&world.service, account_a(&world), &seen, 1, &err), &err);
    check_money(&world, "charged", YUAN(100) - 2 * HOLD_NANO, HOLD_NANO, HOLD_NANO);
    world_fini(&world);
}

static void test_one_and_only_one(void)
{
    struct world world;

    world_init(&world, YUAN(100));
    struct task task = world_unknown(&world);
    struct upstream_task strays[] = {stray_of(&world, &task, "cgt-other", TASK_RUNNING),
                                     stray_of(&world, &task, "cgt-mine", TASK_RUNNING)};

    strays[0].duration = 6;
    scan_ok(&world, "scan", false, strays, 2);
    CHECK_TEXT("adopted", world_task(&world, task.minted_id).upstream_id, "cgt-mine");
    CHECK_INT("the other is kept in mind", strays_in(&world, "open"), 1);
    CHECK_INT("watched", world.script.watches, 1);
    world_fini(&world);
}

static void test_ambiguous_waits(void)
{
    struct world world;

    world_init(&world, YUAN(100));
    struct task task = world_unknown(&world);
    struct upstream_task strays[] = {stray_of(&world, &task, "cgt-1", TASK_RUNNING),
                                     stray_of(&world, &task, "cgt-2", TASK_SUCCEEDED)};

    for (int i = 0; i < 4; i++)
        scan_ok(&world, "two strays", true, strays, 2);
    check_state(&world, "two strays", task.minted_id, TASK_UNKNOWN);
    CHECK_INT("recorded", strays_in(&world, "ambiguous"), 2);
    CHECK_INT("not watched", world.script.watches, 0);
    check_money(&world, "held", YUAN(100) - HOLD_NANO, HOLD_NANO, 0);

    /* One of them turns out to be another's: what is left is certain. */
    scan_ok(&world, "one left", true, &strays[1], 1);
    CHECK_TEXT("adopted", world_task(&world, task.minted_id).upstream_id, "cgt-2");
    CHECK_INT("closed", strays_in(&world, "adopted"), 1);
    world_fini(&world);
}

static void test_two_attempts_and_one_task(void)
{
    struct world world;

    world_init(&world, YUAN(100));
    struct task first = world_unknown(&world), second = world_unknown(&world);
    struct upstream_task stray = stray_of(&world, &first, "cgt-1", TASK_RUNNING);

    for (int i = 0; i < 4; i++)
        scan_ok(&world, "two attempts", true, &stray, 1);
    check_state(&world, "first", first.minted_id, TASK_UNKNOWN);
    check_state(&world, "second", second.minted_id, TASK_UNKNOWN);
    CHECK_INT("recorded", strays_in(&world, "ambiguous"), 1);
    check_money(&world, "held", YUAN(100) - 2 * HOLD_NANO, 2 * HOLD_NANO, 0);
    world_fini(&world);
}

static struct upstream_task stray_meanwhile;

static void scan_meanwhile(struct world *world)
{
    scan_ok(world, "while another is on its way", true, &stray_meanwhile, 1);
    CHECK_INT("nobody's yet",
              world_ask(world,
                        "SELECT count(*) FROM task"
                        " WHERE upstream_id IS NOT NULL",
                        0),
              0);
}

/* An equal create that is being sent at this moment may be the stray's maker. */
static void test_a_prepared_rival(void)
{
    struct world world;

    world_init(&world, YUAN(100));
    struct task task = world_unknown(&world);

    stray_meanwhile = stray_of(&world, &task, "cgt-1", TASK_RUNNING);
    (void)world_submit(&world, "rival",
                       (struct step){.outcome = PROVIDER_UNKNOWN, .meanwhile = scan_meanwhile});
    check_state(&world, "still unknown", task.minted_id, TASK_UNKNOWN);
    world_fini(&world);
}

/* Alone on its way: its own commit must find everything as it was. */
static void test_a_prepared_attempt_is_left_alone(void)
{
    struct world world;

    world_init(&world, YUAN(100));
    world.script.inject = true;
    struct task task = world_unknown(&world);

    world_tamper(&world, "UPDATE attempt SET state = 'refused'", 0);
    stray_meanwhile = stray_of(&world, &task, "cgt-1", TASK_RUNNING);
    task = world_submit(&world, "alone",
                        (struct step){.upstream_id = "cgt-1", .meanwhile = scan_meanwhile});
    CHECK_TEXT("accepted", state_name(task.state), "queued");
    CHECK_TEXT("accepted", service_public_id(&task), "cgt-1");
    world_fini(&world);
}

static void test_release_for_certain(void)
{
    struct world world;

    world_init(&world, YUAN(100));
    struct task task = world_unknown(&world);

    scan_ok(&world, "early", false, NULL, 0);
    scan_ok(&world, "early", false, NULL, 0);
    scan_ok(&world, "early", false, NULL, 0);
    check_state(&world, "too early to count", task.minted_id, TASK_UNKNOWN);
    CHECK_INT("too early to count", world_attempt(&world, &task).clean_scans, 0);
    scan_ok(&world, "first", true, NULL, 0);
    check_state(&world, "one is not enough", task.minted_id, TASK_UNKNOWN);
    check_money(&world, "one is not enough", YUAN(100) - HOLD_NANO, HOLD_NANO, 0);
    scan_ok(&world, "second", true, NULL, 0);
    task = world_task(&world, task.minted_id);
    CHECK_TEXT("released", state_name(task.state), "failed");
    CHECK_TEXT("code", task.error_code, "InternalServiceError");
    CHECK_TEXT("attempt", world_attempt(&world, &task).state, "released");
    CHECK_TEXT("hold", world_hold(&world, &task).state, "released");
    check_money(&world, "all back", YUAN(100), 0, 0);
    scan_ok(&world, "third", true, NULL, 0);
    check_money(&world, "once", YUAN(100), 0, 0);
    world_fini(&world);
}

/* The scan counts from the moment it began, 10 minutes past the deadline. */
static void test_release_not_a_moment_early(void)
{
    struct world world;
    struct err err = {0};

    world_init(&world, YUAN(100));
    struct task task = world_unknown(&world);
    int64_t certain_us = world_attempt(&world, &task).deadline_us + 10 * MINUTE;

    for (int i = 0; i < 3; i++)
        CHECK_OK("a moment early",
                 adopt_scan(&world.service, account_a(&world), certain_us - 1, NULL, 0, &err),
                 &err);
    CHECK_INT("a moment early", world_attempt(&world, &task).clean_scans, 0);
    CHECK_OK("in time",
             adopt_scan(&world.service, account_a(&world), certain_us, NULL, 0, &err), &err);
    CHECK_INT("in time", world_attempt(&world, &task).clean_scans, 1);
    world_fini(&world);
}

/* A scan with a task that agrees starts the count again. */
static void test_doubt_starts_the_count_again(void)
{
    struct world world;

    world_init(&world, YUAN(100));
    struct task task = world_unknown(&world);
    struct upstream_task strays[] = {stray_of(&world, &task, "cgt-1", TASK_RUNNING),
                                     stray_of(&world, &task, "cgt-2", TASK_RUNNING)};

    scan_ok(&world, "clean", true, NULL, 0);
    CHECK_INT("clean", world_attempt(&world, &task).clean_scans, 1);
    scan_ok(&world, "doubt", true, strays, 2);
    CHECK_INT("doubt", world_attempt(&world, &task).clean_scans, 0);
    scan_ok(&world, "clean", true, NULL, 0);
    check_state(&world, "first of two again", task.minted_id, TASK_UNKNOWN);
    /* What agrees with nobody does not count as doubt. */
    strays[0].duration = 9;
    scan_ok(&world, "a stranger", true, strays, 1);
    check_state(&world, "released", task.minted_id, TASK_FAILED);
    world_fini(&world);
}

static void test_other_accounts_prove_nothing(void)
{
    struct world world;
    struct err err = {0};

    world_init(&world, YUAN(100));
    struct task task = world_unknown(&world);
    struct upstream_task stray = stray_of(&world, &task, "cgt-1", TASK_RUNNING);

    for (int i = 0; i < 3; i++)
        CHECK_OK("other account",
                 adopt_scan(&world.service, world.upstreams[1].account.id,
                            sys_now_us() + 60 * MINUTE, &stray, (size_t)(i == 0), &err),
                 &err);
    check_state(&world, "other account", task.minted_id, TASK_UNKNOWN);
    CHECK_INT("other account", world_attempt(&world, &task).clean_scans, 0);
    world_fini(&world);
}

/* Between list and decision, commit B gave the task to its maker. */
static void test_ownership_is_asked_again(void)
{
    struct world world;

    world_init(&world, YUAN(100));
    struct task mine = world_queued(&world, "cgt-1"), unknown = world_unknown(&world);
    struct upstream_task stray = stray_of(&world, &unknown, "cgt-1", TASK_RUNNING);

    scan_ok(&world, "owned", false, &stray, 1);
    check_state(&world, "owned", unknown.minted_id, TASK_UNKNOWN);
    CHECK_TEXT("owner", world_task(&world, "cgt-1").minted_id, mine.minted_id);
    CHECK_INT("no stray", world_ask(&world, "SELECT count(*) FROM stray", 0), 0);
    CHECK_INT("not watched", world.script.watches, 0);
    world_fini(&world);
}

static struct task released_task(struct world *world)
{
    struct task task = world_unknown(world);

    scan_ok(world, "release", true, NULL, 0);
    scan_ok(world, "release", true, NULL, 0);
    check_state(world, "released", task.minted_id, TASK_FAILED);
    return task;
}

static void test_late_loss(void)
{
    struct world world;

    world_init(&world, YUAN(100));
    struct task task = released_task(&world);
    struct upstream_task stray = stray_of(&world, &task, "cgt-late", TASK_RUNNING);

    scan_ok(&world, "running", false, &stray, 1);
    CHECK_TEXT("not ended yet", world_attempt(&world, &task).state, "released");
    CHECK_INT("kept in mind", strays_in(&world, "open"), 1);
    stray = stray_of(&world, &task, "cgt-late", TASK_SUCCEEDED);
    scan_ok(&world, "succeeded", false, &stray, 1);
    CHECK_TEXT("booked", world_attempt(&world, &task).state, "late");
    CHECK_INT("closed", strays_in(&world, "adopted"), 1);
    struct hold_view hold = world_hold(&world, &task);

    CHECK_INT("loss", hold.loss.nano, HOLD_NANO);
    check_state(&world, "the tenant's word stands", task.minted_id, TASK_FAILED);
    /* charged counts what the platform paid for the tenant's task */
    check_money(&world, "the platform pays", YUAN(100), 0, HOLD_NANO);
    CHECK_INT("loss", world_ask(&world, "SELECT loss_nano FROM account WHERE tenant_id = 1", 0),
              HOLD_NANO);
    scan_ok(&world, "again", false, &stray, 1);
    check_money(&world, "once", YUAN(100), 0, HOLD_NANO);
    world_fini(&world);
}

static void test_late_failure_costs_nothing(void)
{
    struct world world;

    world_init(&world, YUAN(100));
    struct task task = released_task(&world);
    struct upstream_task stray = stray_of(&world, &task, "cgt-late", TASK_FAILED);

    scan_ok(&world, "failed", false, &stray, 1);
    CHECK_TEXT("closed", world_attempt(&world, &task).state, "late");
    check_money(&world, "nothing", YUAN(100), 0, 0);
    world_fini(&world);
}

static void test_late_only_while_watched(void)
{
    struct world world;

    world_init(&world, YUAN(100));
    struct task task = released_task(&world);
    struct upstream_task stray = stray_of(&world, &task, "cgt-late", TASK_SUCCEEDED);

    world.service.settings.unknown_watch_us = -MINUTE;
    scan_ok(&world, "too old", false, &stray, 1);
    CHECK_TEXT("not watched", world_attempt(&world, &task).state, "released");
    CHECK_INT("a stray like any", strays_in(&world, "open"), 1);
    world_fini(&world);
}

/* A late task whose usage cannot be booked is no reason to stop all others. */
static void test_late_loss_without_usage_stops_nobody(void)
{
    struct world world;
    struct err err;

    world_init(&world, YUAN(100));
    world.script.inject = true;
    struct task late = released_task(&world), unknown = world_unknown(&world);
    struct upstream_task strays[] = {stray_of(&world, &late, "cgt-late", TASK_SUCCEEDED),
                                     stray_of(&world, &unknown, "cgt-mine", TASK_RUNNING)};

    strays[0].has_tokens = false;
    (void)scan(&world, false, strays, 2, &err);
    check_state(&world, "adopted all the same", unknown.minted_id, TASK_QUEUED);
    world_fini(&world);
}

/* A row that cannot be decided (here its hold is gone) fails the scan, but holds up no
 * other match. */
static void test_one_bad_row_holds_up_nobody(void)
{
    struct world world;
    struct err err = {0};

    world_init(&world, YUAN(100));
    world.script.inject = true;
    struct task broken = world_unknown(&world), good = world_unknown(&world);
    struct upstream_task stray = stray_of(&world, &good, "cgt-good", TASK_RUNNING);

    world_tamper(&world,
                 "DELETE FROM hold WHERE task = (SELECT minted_id FROM task WHERE id = $1)",
                 broken.id);
    (void)scan(&world, true, NULL, 0, &err); /* the first clean scan of both */
    CHECK_TRUE("the second one releases, and cannot",
               scan(&world, true, &stray, 1, &err) != ERR_OK);
    check_state(&world, "broken", broken.minted_id, TASK_UNKNOWN);
    check_state(&world, "good", good.minted_id, TASK_QUEUED);
    CHECK_TEXT("watched", world.script.watched, "cgt-good");
    world_fini(&world);
}

/* A thousand attempts that are only watched must not hide the one that is unknown. */
static void test_many_released_hide_nobody(void)
{
    struct world world;

    world_init(&world, YUAN(100));
    struct task old = released_task(&world);

    world_tamper(&world,
                 "INSERT INTO task (tenant_id, token_identity, minted_id, account_id,"
                 " credential_id, state, dialect, model, model_asked, resolution, ratio,"
                 " duration, has_video, audio, audio_asked, last_frame, tier, priority,"
                 " expires_after, created_us, updated_us, ended_us)"
                 " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                 " WHERE i < 1000)"
                 " SELECT tenant_id, token_identity, 'cgt-copy-' || i, account_id,"
                 " credential_id, state, dialect, model, model_asked, resolution, ratio,"
                 " duration, has_video, audio, audio_asked, last_frame, tier, priority,"
                 " expires_after, created_us, updated_us, ended_us FROM task, n"
                 " WHERE id = $1",
                 old.id);
    world_tamper(&world,
                 "INSERT INTO attempt (task_id, number, tenant_id, account_id, credential_id,"
                 " state, identifier, sent_model, created_us, deadline_us)"
                 " SELECT id, 1, tenant_id, account_id, credential_id, 'released',"
                 " minted_id, model, created_us, created_us FROM task"
                 " WHERE minted_id LIKE 'cgt-copy-%'",
                 0);
    world.script.inject = true;
    struct task unknown = world_unknown(&world);
    struct upstream_task stray = stray_of(&world, &unknown, "cgt-mine", TASK_RUNNING);

    scan_ok(&world, "scan", false, &stray, 1);
    check_state(&world, "adopted", unknown.minted_id, TASK_QUEUED);
    world_fini(&world);
}

static void test_what_is_to_be_scanned(void)
{
    struct adopt_work work[4];
    struct world world;
    struct err err = {0};
    size_t count = 9;

    world_init(&world, YUAN(100));
    CHECK_OK("nothing", adopt_pending(&world.service, work, 4, &count, &err), &err);
    CHECK_INT("nothing", count, 0);
    (void)world_queued(&world, "cgt-1");
    CHECK_OK("accepted", adopt_pending(&world.service, work, 4, &count, &err), &err);
    CHECK_INT("accepted", count, 0);
    struct task first = world_unknown(&world);

    (void)world_unknown(&world);
    CHECK_OK("unknown", adopt_pending(&world.service, work, 4, &count, &err), &err);
    CHECK_INT("unknown", count, 1);
    CHECK_INT("account", work[0].account_id, account_a(&world));
    CHECK_INT("since", work[0].since_us, world_attempt(&world, &first).created_us);
    CHECK_INT("unknown since", work[0].unknown_since_us, work[0].since_us);
    scan_ok(&world, "release", true, NULL, 0);
    scan_ok(&world, "release", true, NULL, 0);
    CHECK_OK("released", adopt_pending(&world.service, work, 4, &count, &err), &err);
    CHECK_INT("released", count, 1);
    CHECK_INT("watched only", work[0].unknown_since_us, 0);
    world.service.settings.unknown_watch_us = -MINUTE;
    CHECK_OK("a week later", adopt_pending(&world.service, work, 4, &count, &err), &err);
    CHECK_INT("a week later", count, 0);
    world_fini(&world);
}

static void test_unowned(void)
{
    struct str ids[] = {STR("cgt-0"), STR("cgt-1"), STR("cgt-2"), STR("cgt-3"), STR("cgt-1")};
    size_t count = COUNT_OF(ids);
    struct world world;
    struct err err = {0};

    world_init(&world, YUAN(100));
    (void)world_queued(&world, "cgt-1");
    (void)world_queued(&world, "cgt-3");
    CHECK_OK("sift", adopt_unowned(&world.service, account_a(&world), ids, &count, &err), &err);
    CHECK_INT("left", count, 2);
    CHECK_TRUE("in order", str_is(ids[0], "cgt-0") && str_is(ids[1], "cgt-2"));
    ids[0] = STR("cgt-1");
    count = 1;
    CHECK_OK("sift",
             adopt_unowned(&world.service, world.upstreams[1].account.id, ids, &count, &err),
             &err);
    CHECK_INT("another account's", count, 1);
    count = 0;
    CHECK_OK("none", adopt_unowned(&world.service, account_a(&world), ids, &count, &err), &err);
    CHECK_INT("none", count, 0);
    world_fini(&world);
}

CHECK_MAIN(CHECK_TEST(test_by_identifier), CHECK_TEST(test_one_and_only_one),
           CHECK_TEST(test_ambiguous_waits), CHECK_TEST(test_two_attempts_and_one_task),
           CHECK_TEST(test_a_prepared_rival), CHECK_TEST(test_a_prepared_attempt_is_left_alone),
           CHECK_TEST(test_release_for_certain), CHECK_TEST(test_release_not_a_moment_early),
           CHECK_TEST(test_doubt_starts_the_count_again),
           CHECK_TEST(test_other_accounts_prove_nothing),
           CHECK_TEST(test_ownership_is_asked_again), CHECK_TEST(test_late_loss),
           CHECK_TEST(test_late_failure_costs_nothing),
           CHECK_TEST(test_late_only_while_watched),
           CHECK_TEST(test_late_loss_without_usage_stops_nobody),
           CHECK_TEST(test_one_bad_row_holds_up_nobody),
           CHECK_TEST(test_many_released_hide_nobody), CHECK_TEST(test_what_is_to_be_scanned),
           CHECK_TEST(test_unowned))
