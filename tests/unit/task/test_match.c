/* SPDX-License-Identifier: Apache-2.0 */
/* Which unowned task can come from which attempt: each rule alone, and the verdicts
 * over several of both. */
#include "gateway/task/match.h"

#include "tests/lib/check.h"

#define SECOND INT64_C(1000000)
#define T0 INT64_C(1800000000) /* s */
#define WINDOW (120 * SECOND)

/* Sent at T0 with a deadline 20 s later, everything given. */
static struct match_attempt attempt_of(void)
{
    return (struct match_attempt){
        .attempt = {.state = "unknown",
                    .sent_model = "ep-20260101000000-abcde",
                    .created_us = T0 * SECOND,
                    .deadline_us = (T0 + 20) * SECOND},
        .task = {.model = "doubao-seedance-2-0",
                 .resolution = "720p",
                 .ratio = "16:9",
                 .tier = "default",
                 .duration = 5,
                 .has_seed = true,
                 .seed = 42,
                 .priority = 3,
                 .expires_after = 172800,
                 .audio = true,
                 .safety_identifier = "user-1"},
        .dated = "doubao-seedance-2-0-260128",
    };
}

static struct upstream_task stray_of(void)
{
    return (struct upstream_task){
        .id = STR("cgt-x"),
        .state = TASK_RUNNING,
        .created_s = T0 + 1,
        .model = STR("doubao-seedance-2-0-260128"),
        .resolution = STR("720p"),
        .ratio = STR("16:9"),
        .tier = STR("default"),
        .safety_identifier = STR("user-1"),
        .has_duration = true,
        .duration = 5,
        .has_seed = true,
        .seed = 42,
        .has_priority = true,
        .priority = 3,
        .has_expires_after = true,
        .expires_after = 172800,
        .has_audio = true,
        .audio = true,
    };
}

static void check_agrees(const char *what, const struct match_attempt *attempt,
                         const struct upstream_task *stray, bool want)
{
    CHECK_INT(what, match_agrees(attempt, stray, WINDOW), want);
}

/* Each echoed field alone: as asked, different, and not echoed. */
static void test_each_field(void)
{
    struct match_attempt attempt = attempt_of();
    struct upstream_task stray;

#define DIFFERS(what, change, want)                 \
    do {                                            \
        stray = stray_of();                         \
        change;                                     \
        check_agrees(what, &attempt, &stray, want); \
    } while (0)

    DIFFERS("nothing", (void)0, true);
    DIFFERS("another model", stray.model = STR("doubao-seedance-2-0-fast-260128"), false);
    DIFFERS("the id that was sent", stray.model = STR("ep-20260101000000-abcde"), true);
    DIFFERS("another endpoint", stray.model = STR("ep-20260101000000-zzzzz"), false);
    DIFFERS("no model", stray.model = STR(""), true);
    DIFFERS("frames instead", stray.has_duration = false; stray.has_frames = true;
            stray.frames = 121, true);
    DIFFERS("a draft", stray.has_draft = stray.draft = true, false);
    DIFFERS("no draft, as it says", stray.has_draft = true, true);
    DIFFERS("resolution", stray.resolution = STR("480p"), false);
    DIFFERS("no resolution", stray.resolution = STR(""), true);
    DIFFERS("ratio", stray.ratio = STR("9:16"), false);
    DIFFERS("no ratio", stray.ratio = STR(""), true);
    DIFFERS("tier", stray.tier = STR("flex"), false);
    DIFFERS("no tier", stray.tier = STR(""), true);
    DIFFERS("duration", stray.duration = 6, false);
    DIFFERS("no duration", stray.has_duration = false, true);
    DIFFERS("seed", stray.seed = 43, false);
    DIFFERS("no seed", stray.has_seed = false, true);
    DIFFERS("priority", stray.priority = 4, false);
    DIFFERS("no priority", stray.has_priority = false, true);
    DIFFERS("expires after", stray.expires_after = 3600, false);
    DIFFERS("no expires after", stray.has_expires_after = false, true);
    DIFFERS("audio", stray.audio = false, false);
    DIFFERS("no audio", stray.has_audio = false; stray.audio = false, true);
    DIFFERS("identifier", stray.safety_identifier = STR("user-2"), false);
    /* Echoed whenever it was given: its absence is a difference. */
    DIFFERS("no identifier", stray.safety_identifier = STR(""), false);
#undef DIFFERS
}

static void test_what_was_left_to_the_model(void)
{
    struct match_attempt attempt = attempt_of();
    struct upstream_task stray = stray_of();

    stray.ratio = STR("4:3");
    check_agrees("ratio given", &attempt, &stray, false);
    (void)str_copy(attempt.task.ratio, sizeof(attempt.task.ratio), STR("adaptive"));
    check_agrees("adaptive", &attempt, &stray, true);

    stray = stray_of();
    stray.duration = 11;
    attempt = attempt_of();
    attempt.task.duration = -1;
    check_agrees("-1", &attempt, &stray, true);

    stray = stray_of();
    stray.seed = 77;
    attempt = attempt_of();
    attempt.task.has_seed = false;
    check_agrees("no seed asked", &attempt, &stray, true);
    attempt.task.has_seed = true;
    attempt.task.seed = -1;
    check_agrees("random seed asked", &attempt, &stray, true);

    /* An adaptive ratio frees nothing else. */
    stray = stray_of();
    stray.resolution = STR("480p");
    attempt = attempt_of();
    (void)str_copy(attempt.task.ratio, sizeof(attempt.task.ratio), STR("adaptive"));
    check_agrees("adaptive, other resolution", &attempt, &stray, false);
}

/* A length asked for in frames is compared as frames, and nothing else is. */
static void test_frames(void)
{
    struct match_attempt attempt = attempt_of();
    struct upstream_task stray = stray_of();

    attempt.task.has_frames = true;
    attempt.task.frames = 29;
    attempt.task.duration = 0;
    stray.has_duration = false;
    stray.duration = 0;
    stray.has_frames = true;
    stray.frames = 29;
    check_agrees("as asked", &attempt, &stray, true);
    stray.frames = 33;
    check_agrees("others", &attempt, &stray, false);
    stray.has_frames = false;
    check_agrees("not echoed", &attempt, &stray, true);
    stray.has_duration = true;
    stray.duration = 1;
    check_agrees("echoed as seconds", &attempt, &stray, true);
}

static void test_drafts(void)
{
    struct match_attempt attempt = attempt_of();
    struct upstream_task stray = stray_of();

    attempt.task.has_draft = attempt.task.draft = true;
    check_agrees("not echoed", &attempt, &stray, true);
    stray.has_draft = true;
    check_agrees("no draft", &attempt, &stray, false);
    stray.draft = true;
    check_agrees("a draft", &attempt, &stray, true);
    attempt.task.draft = false;
    check_agrees("asked for none", &attempt, &stray, false);
    stray.draft = false;
    check_agrees("asked for none, is none", &attempt, &stray, true);

    /* How long the video of a draft becomes was said when the draft was made. */
    attempt = attempt_of();
    stray = stray_of();
    stray.duration = 11;
    check_agrees("another length", &attempt, &stray, false);
    (void)str_copy(attempt.task.draft_task, sizeof(attempt.task.draft_task), STR("cgt-draft"));
    check_agrees("of a draft", &attempt, &stray, true);
    stray.resolution = STR("480p");
    check_agrees("frees nothing else", &attempt, &stray, false);
}

/* A model that left the catalogue has no dated id: only what was sent is left. */
static void test_no_dated_id(void)
{
    struct match_attempt attempt = attempt_of();
    struct upstream_task stray = stray_of();

    attempt.dated[0] = '\0';
    check_agrees("the dated id", &attempt, &stray, false);
    stray.model = STR("ep-20260101000000-abcde");
    check_agrees("the one that was sent", &attempt, &stray, true);
    stray.model = STR("");
    check_agrees("none", &attempt, &stray, true);
}

static void test_identifier_decides_alone(void)
{
    struct match_attempt attempt = attempt_of();
    struct upstream_task stray = stray_of();

    (void)str_copy(attempt.attempt.identifier, sizeof(attempt.attempt.identifier),
                   STR("ag-0123456789"));
    attempt.task.safety_identifier[0] = '\0';
    check_agrees("another's", &attempt, &stray, false);
    stray.safety_identifier = STR("");
    check_agrees("none", &attempt, &stray, false);
    stray.safety_identifier = STR("ag-012345678");
    check_agrees("a part", &attempt, &stray, false);
    stray.safety_identifier = STR("ag-0123456789");
    stray.created_s = T0 + 5 * 86400;
    stray.resolution = STR("480p");
    check_agrees("the same, all else different", &attempt, &stray, true);

    /* A task that carries an identifier of ours is no other attempt's. */
    attempt = attempt_of();
    attempt.task.safety_identifier[0] = '\0';
    stray = stray_of();
    stray.safety_identifier = STR("ag-0123456789");
    check_agrees("not mine", &attempt, &stray, false);
}

static void test_window_edges(void)
{
    static const struct {
        const char *what;
        int64_t created_s;
        bool want;
    } rows[] = {
        {"first second", T0 - 120, true},
        {"one before", T0 - 121, false},
        {"last second", T0 + 20 + 120, true},
        {"one past", T0 + 20 + 121, false},
        {"zero", 0, false},
        {"a day later", T0 + 86400, false},
    };
    struct match_attempt attempt = attempt_of();

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct upstream_task stray = stray_of();

        stray.created_s = rows[i].created_s;
        check_agrees(rows[i].what, &attempt, &stray, rows[i].want);
    }
    /* A window of nothing still covers the way from attempt to deadline. */
    struct upstream_task stray = stray_of();

    stray.created_s = T0;
    CHECK_TRUE("start", match_agrees(&attempt, &stray, 0));
    stray.created_s = T0 + 20;
    CHECK_TRUE("deadline", match_agrees(&attempt, &stray, 0));
    stray.created_s = T0 + 21;
    CHECK_TRUE("past", !match_agrees(&attempt, &stray, 0));
}

/* Attempts and tasks by a letter each: equal letters agree. 'A' and 'a' agree too, so
 * that one of them can be rival to the other. */
static void make(const char *attempts, const char *strays, struct match_attempt *ret_attempts,
                 struct upstream_task *ret_strays)
{
    for (size_t i = 0; attempts[i] != '\0'; i++) {
        ret_attempts[i] = attempt_of();
        ret_attempts[i].task.seed = attempts[i] | 0x20;
        if (attempts[i] < 'a')
            (void)str_copy(ret_attempts[i].attempt.state, sizeof(ret_attempts[i].attempt.state),
                           STR("prepared"));
    }
    for (size_t j = 0; strays[j] != '\0'; j++) {
        ret_strays[j] = stray_of();
        ret_strays[j].seed = strays[j];
    }
}

static void test_verdicts(void)
{
    static const struct {
        const char *what, *attempts, *strays;
        const char *verdicts; /* by attempt: . none, 1 one, ? ambiguous */
        const char *partners; /* by attempt: index of the stray where the verdict is 1 */
        const char *wanted;   /* by stray */
    } rows[] = {
        {"nobody", "", "", "", "", ""},
        {"attempt alone", "a", "", ".", " ", ""},
        {"stray alone", "", "a", "", "", "n"},
        {"one and one", "a", "a", "1", "0", "y"},
        {"strangers", "a", "b", ".", " ", "n"},
        {"two pairs, crossed", "ab", "ba", "11", "10", "yy"},
        {"two strays", "a", "aa", "?", " ", "yy"},
        {"two attempts", "aa", "a", "??", "  ", "y"},
        {"two and two", "aa", "aa", "??", "  ", "yy"},
        {"a prepared rival", "aA", "a", "??", "  ", "y"},
        {"ambiguous beside sure", "aab", "ab", "??1", "  1", "yy"},
        {"last of many", "b", "acdb", "1", "3", "nnny"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct match_attempt attempts[4];
        struct upstream_task strays[4];
        enum match_verdict verdicts[4] = {MATCH_NONE};
        size_t partners[4] = {9, 9, 9, 9};
        bool wanted[4] = {true, true, true, true};
        size_t attempt_count = strlen(rows[i].attempts), stray_count = strlen(rows[i].strays);

        make(rows[i].attempts, rows[i].strays, attempts, strays);
        match_all(attempts, attempt_count, strays, stray_count, WINDOW, verdicts, partners,
                  wanted);
        for (size_t a = 0; a < attempt_count; a++) {
            enum match_verdict want = rows[i].verdicts[a] == '.'   ? MATCH_NONE
                                      : rows[i].verdicts[a] == '1' ? MATCH_ONE
                                                                   : MATCH_AMBIGUOUS;

            CHECK_INT(rows[i].what, verdicts[a], want);
            if (want == MATCH_ONE)
                CHECK_INT(rows[i].what, partners[a], rows[i].partners[a] - '0');
        }
        for (size_t s = 0; s < stray_count; s++)
            CHECK_INT(rows[i].what, wanted[s], rows[i].wanted[s] == 'y');
    }
}

/* Two unknown attempts of the same request are told apart by their identifiers. */
static void test_identifiers_end_a_tie(void)
{
    struct match_attempt attempts[2] = {attempt_of(), attempt_of()};
    struct upstream_task strays[2] = {stray_of(), stray_of()};
    enum match_verdict verdicts[2];
    size_t partners[2];
    bool wanted[2];

    (void)str_copy(attempts[0].attempt.identifier, 65, STR("ag-one"));
    (void)str_copy(attempts[1].attempt.identifier, 65, STR("ag-two"));
    strays[0].safety_identifier = STR("ag-two");
    strays[1].safety_identifier = STR("ag-one");
    match_all(attempts, 2, strays, 2, WINDOW, verdicts, partners, wanted);
    CHECK_INT("first", verdicts[0], MATCH_ONE);
    CHECK_INT("first", partners[0], 1);
    CHECK_INT("second", verdicts[1], MATCH_ONE);
    CHECK_INT("second", partners[1], 0);
}

CHECK_MAIN(CHECK_TEST(test_each_field), CHECK_TEST(test_what_was_left_to_the_model),
           CHECK_TEST(test_frames), CHECK_TEST(test_drafts), CHECK_TEST(test_no_dated_id),
           CHECK_TEST(test_identifier_decides_alone), CHECK_TEST(test_window_edges),
           CHECK_TEST(test_verdicts), CHECK_TEST(test_identifiers_end_a_tie))
