/* SPDX-License-Identifier: Apache-2.0 */
/* Groups and assets one by one: what is made, who sees it, how many and how large a tenant's
 * may be. The kept counts are compared with the rows after every step. */
#include "tests/unit/assetlib/fixture.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"
#define LONG_ID "group-20261231235959-aaaaaaaaaaa" /* by one letter */

/* "KIND-YYYYMMDDhhmmss-" and 10 of a-z0-9. */
static void check_id(const char *kind, const char *id)
{
    size_t head = strlen(kind);

    CHECK_INT(id, strlen(id), head + 26);
    CHECK_INT(id, strncmp(id, kind, head), 0);
    CHECK_INT(id, strspn(id + head + 1, DIGITS), 14);
    CHECK_INT(id, strspn(id + head + 16, LETTERS DIGITS), 10);
}

/* ---- groups ---------------------------------------------------------------------------- */

static void check_group(struct shelf *shelf, struct scope scope, const char *id,
                        const char *project, enum err_code rc)
{
    struct asset_group group;
    struct err err = {0};

    CHECK_INT(project,
              group_get(&shelf->library, &scope, str_from(id), str_from(project), &group, &err),
              rc);
    if (rc == ERR_OK)
        CHECK_TEXT(project, group.id, id);
}

static void test_groups(void)
{
    struct shelf shelf = {0};
    struct asset_created created = {0};
    int64_t before_us = sys_now_us();
    struct asset_group group;
    struct err err = {0};

    shelf_init(&shelf);
    CHECK_INT("made", make_group(&shelf, &shelf.one, &no_request, &created), ERR_OK);
    CHECK_TRUE("new", !created.replayed);
    check_id("group", created.id);
    CHECK_OK("get",
             group_get(&shelf.library, &shelf.one, str_from(created.id), STR(""), &group, &err),
             &err);
    CHECK_TEXT("id", group.id, created.id);
    CHECK_TEXT("identity", group.identity, "tok-one");
    CHECK_TEXT("name", group.name, "Films");
    CHECK_TEXT("description", group.description, "all of them");
    CHECK_TEXT("project", group.project, "default");
    CHECK_TRUE("created", group.created_us >= before_us && group.created_us <= sys_now_us());

    check_group(&shelf, shelf.one, created.id, "default", ERR_OK);
    check_group(&shelf, shelf.one, created.id, "other", ERR_GROUP_UNKNOWN);
    check_group(&shelf, own_only(shelf.one), created.id, "", ERR_OK);
    check_group(&shelf, shelf.two, created.id, "", ERR_OK);
    check_group(&shelf, own_only(shelf.two), created.id, "", ERR_GROUP_UNKNOWN);
    check_group(&shelf, shelf.rival, created.id, "", ERR_GROUP_UNKNOWN);
    check_group(&shelf, shelf.one, "group-20261231235959-aaaaaaaaaa", "", ERR_GROUP_UNKNOWN);
    check_group(&shelf, shelf.one, LONG_ID, "", ERR_GROUP_UNKNOWN);
    shelf_fini(&shelf);
}

/* What fits into a row, and one byte more: a dialect's limits are not larger. */
static void test_long_texts(void)
{
    static const struct {
        size_t name, description, project; /* bytes */
        enum err_code rc;
    } cases[] = {
        {0, 0, 0, ERR_OK},
        {ASSET_NAME_BYTES, ASSET_DESCRIPTION_BYTES, ASSET_PROJECT_BYTES, ERR_OK},
        {ASSET_NAME_BYTES + 1, 0, 0, ERR_INTERNAL},
        {0, ASSET_DESCRIPTION_BYTES + 1, 0, ERR_INTERNAL},
        {0, 0, ASSET_PROJECT_BYTES + 1, ERR_INTERNAL},
    };
    char text[ASSET_DESCRIPTION_BYTES + 1];
    struct shelf shelf = {0};

    memset(text, 'X', sizeof(text));
    shelf_init(&shelf);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct asset_group_draft draft = {
            {text, cases[i].name}, {text, cases[i].description}, {text, cases[i].project}};
        struct asset_created created;
        struct err err = {0};
        char what[16];

        (void)snprintf(what, sizeof(what), "case %zu", i);
        CHECK_INT(what,
                  group_create(&shelf.library, &shelf.one, &draft, &no_request, &created, &err),
                  cases[i].rc);
        check_counts(&shelf, what);
    }
    CHECK_INT("groups", shelf_ask(&shelf, "SELECT count(*) FROM asset_group"), 2);
    shelf_fini(&shelf);
}

/* ---- assets ---------------------------------------------------------------------------- */

static void check_asset(struct shelf *shelf, struct scope scope, const char *id,
                        const char *project, enum err_code rc)
{
    struct asset asset;
    struct err err = {0};

    CHECK_INT(project,
              asset_get(&shelf->library, &scope, str_from(id), str_from(project), &asset, &err),
              rc);
    if (rc == ERR_OK)
        CHECK_TEXT(project, asset.id, id);
}

static void test_assets(void)
{
    struct shelf shelf = {0};
    struct asset_created created = {0};
    struct asset asset;
    struct err err = {0};

    shelf_init(&shelf);
    struct asset_created group = new_group(&shelf, &shelf.one);
    CHECK_OK("made",
             make_asset(&shelf, &(struct making){&shelf.two, group.id, "", ASSET_VIDEO, NULL},
                        &created, &err),
             &err);
    CHECK_TRUE("new", !created.replayed);
    check_id("asset", created.id);
    CHECK_OK("get",
             asset_get(&shelf.library, &shelf.one, str_from(created.id), STR(""), &asset, &err),
             &err);
    CHECK_TEXT("id", asset.id, created.id);
    CHECK_TEXT("identity", asset.identity, "tok-two");
    CHECK_TEXT("group", asset.group_id, group.id);
    CHECK_INT("type", asset.type, ASSET_VIDEO);
    CHECK_INT("status", asset.status, ASSET_PROCESSING);
    CHECK_TEXT("name", asset.name, "Cut 1");
    CHECK_TEXT("the group's project", asset.project, "default");
    CHECK_INT("the most it may have", asset.bytes, 50);
    CHECK_TRUE("no file", !asset.has_hash && !asset.has_thumbnail);
    CHECK_INT("times", asset.created_us, asset.updated_us);
    CHECK_INT("to be fetched",
              shelf_ask(&shelf, "SELECT count(*) FROM ingest JOIN asset ON asset_id = id"
                                " WHERE ingest.tenant_id = 1 AND url = '"
                                "https://files.test/a?sign=''1''&x=%20'"
                                " AND due_us = asset.created_us AND holder = '' AND tries = 0"),
              1);

    check_asset(&shelf, shelf.one, created.id, "default", ERR_OK);
    check_asset(&shelf, shelf.one, created.id, "other", ERR_ASSET_UNKNOWN);
    check_asset(&shelf, own_only(shelf.two), created.id, "", ERR_OK);
    check_asset(&shelf, own_only(shelf.one), created.id, "", ERR_ASSET_UNKNOWN);
    check_asset(&shelf, shelf.rival, created.id, "", ERR_ASSET_UNKNOWN);
    check_asset(&shelf, shelf.one, group.id, "", ERR_ASSET_UNKNOWN);
    shelf_fini(&shelf);
}

/* Nothing is left of what is refused. */
static void test_refused_assets(void)
{
    struct shelf shelf = {0};
    struct asset_created created = {0};

    shelf_init(&shelf);
    struct asset_created group = new_group(&shelf, &shelf.one);
    struct scope own = own_only(shelf.two);
    const struct {
        const char *what;
        struct making making;
        enum err_code rc;
        const char *field;
    } cases[] = {
        {"the project", {&shelf.two, group.id, "default", ASSET_IMAGE, NULL}, ERR_OK, ""},
        {"another project",
         {&shelf.one, group.id, "Default", ASSET_IMAGE, NULL},
         ERR_INVALID,
         "ProjectName"},
        {"no group", {&shelf.one, "", "", ASSET_IMAGE, NULL}, ERR_GROUP_UNKNOWN, ""},
        {"longer than an id",
         {&shelf.one, LONG_ID, "", ASSET_IMAGE, NULL},
         ERR_GROUP_UNKNOWN,
         ""},
        {"another's group, own ones alone",
         {&own, group.id, "", ASSET_IMAGE, NULL},
         ERR_GROUP_UNKNOWN,
         ""},
        {"another tenant's",
         {&shelf.rival, group.id, "", ASSET_IMAGE, NULL},
         ERR_GROUP_UNKNOWN,
         ""},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct err err = {0};

        CHECK_INT(cases[i].what, make_asset(&shelf, &cases[i].making, &created, &err),
                  cases[i].rc);
        CHECK_TEXT(cases[i].what, err.field, cases[i].field);
    }
    CHECK_INT("assets", shelf_ask(&shelf, "SELECT count(*) FROM asset"), 1);
    CHECK_INT("files", shelf_ask(&shelf, "SELECT count(*) FROM ingest"), 1);
    shelf_fini(&shelf);
}

/* ---- limits ---------------------------------------------------------------------------- */

struct limit_step {
    enum { MAKE, REFUSE, FINISH } kind;
    enum asset_type type; /* of what is made, or not */
    size_t of;            /* the step that made what is finished */
    enum asset_status status;
    int64_t bytes;
};
#define MADE(type_)                 \
    {                               \
        .kind = MAKE, .type = type_ \
    }
#define REFUSED(type_)                \
    {                                 \
        .kind = REFUSE, .type = type_ \
    }
#define FINISHED(of_, status_, bytes_)                                \
    {                                                                 \
        .kind = FINISH, .of = of_, .status = status_, .bytes = bytes_ \
    }

static void run_limits(struct shelf *shelf, const struct scope *scope,
                       const struct limit_step *steps, size_t count)
{
    struct asset_created group, created[16] = {0};
    struct scope generous = *scope;

    ASSERT(count <= COUNT_OF(created));
    generous.settings.asset_count = 1000; /* which limits groups too */
    group = new_group(shelf, &generous);
    for (size_t i = 0; i < count; i++) {
        const struct limit_step *step = &steps[i];
        struct making making = {scope, group.id, "", step->type, NULL};
        struct err err = {0};
        char what[16];

        (void)snprintf(what, sizeof(what), "step %zu", i);
        if (step->kind == FINISH)
            shelf_finish(shelf, (struct finishing){scope, created[step->of].id, step->status,
                                                   step->bytes, NOW});
        else
            CHECK_INT(what, make_asset(shelf, &making, &created[i], &err),
                      step->kind == REFUSE ? ERR_QUOTA : ERR_OK);
        check_counts(shelf, what);
    }
}

static void test_number_limit(void)
{
    static const struct limit_step steps[] = {
        MADE(ASSET_IMAGE),
        MADE(ASSET_AUDIO),
        MADE(ASSET_VIDEO),
        REFUSED(ASSET_AUDIO),
        FINISHED(0, ASSET_ACTIVE, 1), /* counts as before */
        REFUSED(ASSET_IMAGE),
        FINISHED(1, ASSET_FAILED, 0), /* does not any more */
        MADE(ASSET_IMAGE),
        REFUSED(ASSET_IMAGE),
    };
    static const struct limit_step one[] = {MADE(ASSET_IMAGE), REFUSED(ASSET_IMAGE)};
    static const struct limit_step none[] = {REFUSED(ASSET_IMAGE)};
    struct shelf shelf = {0};

    shelf_init(&shelf);
    shelf.one.settings.asset_count = 3;
    run_limits(&shelf, &shelf.one, steps, COUNT_OF(steps));
    shelf.two.settings.asset_count = 3; /* the tenant's, whoever made them */
    run_limits(&shelf, &shelf.two, none, COUNT_OF(none));
    shelf.rival.settings.asset_count = 1;
    run_limits(&shelf, &shelf.rival, one, COUNT_OF(one));
    shelf.rival.settings.asset_count = 0;
    run_limits(&shelf, &shelf.rival, none, COUNT_OF(none));
    shelf_fini(&shelf);
}

/* There may be as many groups as assets. */
static void test_groups_limit(void)
{
    struct asset_created created = {0};
    struct shelf shelf = {0};

    shelf_init(&shelf);
    shelf.one.settings.asset_count = shelf.two.settings.asset_count = 2;
    new_group(&shelf, &shelf.one);
    new_group(&shelf, &shelf.two); /* the tenant's, whoever made them */
    CHECK_INT("a third", make_group(&shelf, &shelf.one, &no_request, &created), ERR_QUOTA);
    CHECK_INT("likewise", make_group(&shelf, &shelf.two, &no_request, &created), ERR_QUOTA);
    CHECK_INT("a rival's", make_group(&shelf, &shelf.rival, &no_request, &created), ERR_OK);
    shelf_fini(&shelf);
}

/* An image may have 30 bytes, a video 50, audio 15. */
static void test_bytes_limit(void)
{
    static const struct limit_step steps[] = {
        MADE(ASSET_VIDEO),
        MADE(ASSET_IMAGE),
        MADE(ASSET_AUDIO), /* 95 of 100 */
        REFUSED(ASSET_AUDIO),
        FINISHED(1, ASSET_ACTIVE, 20),
        MADE(ASSET_AUDIO), /* 100 */
        REFUSED(ASSET_AUDIO),
        FINISHED(2, ASSET_ACTIVE, 1), /* 86: there is one too few */
        REFUSED(ASSET_AUDIO),
        FINISHED(0, ASSET_FAILED, 40), /* 36: failed ones do not count */
        MADE(ASSET_VIDEO),
        REFUSED(ASSET_AUDIO),
        FINISHED(5, ASSET_ACTIVE, 14), /* 85 */
        MADE(ASSET_AUDIO),
    };
    static const struct limit_step none[] = {REFUSED(ASSET_AUDIO)};
    struct shelf shelf = {0};

    shelf_init(&shelf);
    shelf.one.settings.asset_bytes = 100;
    run_limits(&shelf, &shelf.one, steps, COUNT_OF(steps));
    shelf.rival.settings.asset_bytes = 14; /* less than one may have */
    run_limits(&shelf, &shelf.rival, none, COUNT_OF(none));
    shelf_fini(&shelf);
}

CHECK_MAIN(CHECK_TEST(test_groups), CHECK_TEST(test_long_texts), CHECK_TEST(test_assets),
           CHECK_TEST(test_refused_assets), CHECK_TEST(test_number_limit),
           CHECK_TEST(test_groups_limit), CHECK_TEST(test_bytes_limit))
