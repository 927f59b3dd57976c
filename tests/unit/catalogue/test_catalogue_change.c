/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator may change, what is refused and by which key, who sees it and when, and
 * what the audit log keeps of it. */
#include "gateway/catalogue/catalogue_parts.h"

#include "tests/lib/catalogue_fixture.h"

#define TENANT 7
#define OTHER 8

#define STANDARD "doubao-seedance-2-0"
#define FAST "doubao-seedance-2-0-fast"
#define NEXT "doubao-seedance-2-5"
#define TEN "1234567890"
#define LONG_NAME TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN "123456789" /* 129 */

/* The value of one key of a model as a tenant sees it. */
struct sought {
    const struct model *model;
    const char *key;
    char value[CATALOGUE_SIZES_MAX + 1];
};

static void seek_key(const struct config_key *key, void *ctx)
{
    struct sought *sought = ctx;

    if (strcmp(key->name, sought->key) == 0)
        catalogue_keys_text(key, sought->model, sought->value, sizeof(sought->value));
}

static void check_value(const struct catalogue_fixture *fixture, int64_t tenant_id,
                        const char *model, const char *key, const char *want)
{
    struct model found = catalogue_fixture_model(fixture->catalogue, tenant_id, model);
    struct sought sought = {.model = &found, .key = key, .value = "no such key"};

    catalogue_keys_each(seek_key, &sought);
    CHECK_TEXT(key, sought.value, want);
}

static void set(const struct catalogue_fixture *fixture, int64_t tenant_id, const char *model,
                const char *key, const char *value)
{
    catalogue_fixture_set(fixture->db, fixture->catalogue, tenant_id, model, key, value);
}

static void check_refused(const struct catalogue_fixture *fixture, int64_t tenant_id,
                          const char *model, const char *key, const char *value,
                          enum err_code code, const char *field)
{
    char what[64];
    struct err err;

    (void)snprintf(what, sizeof(what), "%.20s %.20s=%.20s", model, key, value);
    CHECK_INT(what, catalogue_fixture_try(fixture->db, tenant_id, model, key, value, &err),
              code);
    CHECK_TEXT(what, err.field, field);
    CHECK_TRUE(what, err.msg[0] != '\0');
    CHECK_OK(what, catalogue_refresh(fixture->catalogue, &err), &err);
}

static void check_unknown(const struct catalogue_fixture *fixture, int64_t tenant_id,
                          const char *name)
{
    struct model model;
    struct err err = {0};

    CHECK_INT(name, catalogue_find(fixture->catalogue, tenant_id, str_from(name), &model, &err),
              ERR_MODEL_UNKNOWN);
}

/* One number that a statement answers. */
struct ask_ctx {
    const char *sql;
    int64_t answer;
};

static enum err_code ask_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    struct ask_ctx *asked = ctx;
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, asked->sql, &stmt, err));
    if (db_step(stmt, err) != DB_ROW)
        return err_detail(err, ERR_INTERNAL, "no row");
    asked->answer = db_get_i64(stmt, 0);
    return ERR_OK;
}

static int64_t ask(const struct catalogue_fixture *fixture, const char *sql)
{
    struct ask_ctx asked = {sql, -77};
    struct err err = {0};

    CHECK_OK(sql, db_read(fixture->db, ask_steps, &asked, &err), &err);
    return asked.answer;
}

/* ---- each key ------------------------------------------------------------------- */

/* Of the fast model: 480p 720p, seven ratios, 4 to 15 s and -1, sold. */
static void test_each_key(void)
{
    static const struct {
        const char *key, *good, *shown; /* shown NULL: as given */
        const char *bad, *field;        /* field NULL: the key */
    } rows[] = {
        {"dated", "ep-20260101000000-abcde", NULL, "", NULL},
        {"dated", "d", NULL, "two words", NULL},
        {"dated", "d", NULL, "quo\"te", NULL},
        {"dated", "d", NULL, "back\\slash", NULL},
        {"dated", "d", NULL, "caf\xc3\xa9", NULL},
        {"dated", "d", NULL, LONG_NAME, NULL},
        {"sold", "off", "false", "maybe", NULL},
        {"resolutions", "480p 720p 1080p", NULL, "480p", "resolution"},
        {"resolutions", "720p", NULL, "720p 8k", "sizes"},
        {"resolutions", "720p", NULL, "", "resolution"},
        {"resolution", "480p", NULL, "1080p", NULL},
        {"resolution", "480p", NULL, "", NULL},
        {"ratios", "16:9 adaptive", NULL, "16:9 1:1", "ratio"},
        {"ratios", "adaptive", NULL, "adaptive 9:21", "sizes"},
        {"ratio", "16:9", NULL, "9:21", NULL},
        {"text_ratio", "1:1", NULL, "9:21", NULL},
        {"text_ratio", "", NULL, "16:9 1:1", NULL},
        {"frames_adaptive", "on", "true", "2", NULL},
        {"sizes", "1.0", NULL, "720p/16:9=1280x720", NULL},
        {"sizes", "1.0", NULL, "junk", NULL},
        {"sizes", "1.0", NULL, "", NULL},
        {"duration_min", "5", NULL, "6", "duration"},
        {"duration_min", "1", NULL, "0", NULL},
        {"duration_min", "1", NULL, "16", NULL},
        {"duration_min", "1", NULL, "x", NULL},
        {"duration_max", "3600", NULL, "3601", NULL},
        {"duration_max", "5", NULL, "4", "duration"},
        {"duration_max", "5", NULL, "3", "duration_min"},
        {"duration", "-1", NULL, "-2", NULL},
        {"duration", "4", NULL, "3", NULL},
        {"duration", "15", NULL, "16", NULL},
        {"duration", "15", NULL, "0", NULL},
        {"duration_auto", "no", "false", "", NULL},
        {"text", "0", "false", "False", NULL},
        {"first_frame", "off", "false", "2", NULL},
        {"last_frame", "off", "false", "2", NULL},
        {"reference", "off", "false", "2", NULL},
        {"images", "64", NULL, "65", NULL},
        {"images", "0", NULL, "-1", NULL},
        {"videos", "64", NULL, "65", NULL},
        {"audios", "0", NULL, "1.5", NULL},
        {"audio_alone", "on", "true", "2", NULL},
        {"audio", "off", "false", "2", NULL},
        {"audio_default", "off", "false", "2", NULL},
        {"audio_echoed", "off", "false", "2", NULL},
        {"draft", "on", "true", "2", NULL},
        {"flex", "yes", "true", "2", NULL},
        {"frames", "1", "true", "2", NULL},
        {"camera_fixed", "true", NULL, "2", NULL},
        {"seed", "off", "false", "2", NULL},
        {"priority", "off", "false", "2", NULL},
        {"tools", "off", "false", "2", NULL},
        {"inline_parameters", "off", "false", "2", NULL},
    };
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;

    catalogue_fixture_init(&fixture);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *key = rows[i].key;
        struct model before = catalogue_fixture_model(fixture.catalogue, TENANT, FAST);
        struct sought kept = {.model = &before, .key = key};

        catalogue_keys_each(seek_key, &kept);
        check_refused(&fixture, TENANT, FAST, key, rows[i].bad, ERR_INVALID,
                      rows[i].field == NULL ? key : rows[i].field);
        check_value(&fixture, TENANT, FAST, key, kept.value);
        set(&fixture, TENANT, FAST, key, rows[i].good);
        check_value(&fixture, TENANT, FAST, key,
                    rows[i].shown == NULL ? rows[i].good : rows[i].shown);
        /* As it was, for the next row. */
        set(&fixture, TENANT, FAST, key, kept.value);
        check_value(&fixture, TENANT, FAST, key, kept.value);
    }
}

static void test_keys_that_are_none(void)
{
    char long_value[CATALOGUE_SIZES_MAX + 2], long_key[100];
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;

    memset(long_value, 'x', sizeof(long_value) - 1);
    long_value[sizeof(long_value) - 1] = '\0';
    memset(long_key, 'k', sizeof(long_key) - 1);
    long_key[sizeof(long_key) - 1] = '\0';
    catalogue_fixture_init(&fixture);
    check_refused(&fixture, 0, FAST, "nope", "1", ERR_INVALID, "nope");
    check_refused(&fixture, 0, FAST, "name", "x", ERR_INVALID, "name");
    check_refused(&fixture, 0, FAST, "Sold", "on", ERR_INVALID, "Sold");
    check_refused(&fixture, 0, FAST, "", "on", ERR_INVALID, "");
    check_refused(&fixture, 0, FAST, "sizes", long_value, ERR_INVALID, "model");
    check_refused(&fixture, 0, FAST, long_key, "1", ERR_INVALID, "model");
    check_refused(&fixture, 0, "nobody", "sold", "on", ERR_NOT_FOUND, "");
    check_refused(&fixture, 0, "", "sold", "on", ERR_NOT_FOUND, "");
    check_refused(&fixture, 0, "seedance-2-0", "sold", "on", ERR_NOT_FOUND, "");
    CHECK_INT("nothing was written", ask(&fixture, "SELECT count(*) FROM model_setting"), 0);
    CHECK_INT("nor said", ask(&fixture, "SELECT count(*) FROM audit"), 0);
}

/* ---- models ------------------------------------------------------------------------- */

static void test_a_new_model(void)
{
    static const char *const bad_names[] = {"",    " ",   "a b", "a\"b", "a/b",
                                            "a:b", "-a",  ".a",  "_a",   "caf\xc3\xa9",
                                            "a\n", "a\\", "a,b"};
    static const char *const vendors[] = {"seedance-2-0",
                                          "seedance-2-0-260128",
                                          "seedance-2-0-fast-260128",
                                          "seedance-2-0-mini",
                                          "dreamina-seedance-2.0-mini",
                                          "mine-filter-off",
                                          "ep-20260101000000-abcde",
                                          "EP-x"};
    char name[MODEL_NAME_MAX + 2], last[MODEL_NAME_MAX + 1];
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;
    struct model model, pattern;

    catalogue_fixture_init(&fixture);
    pattern = catalogue_fixture_model(fixture.catalogue, TENANT, STANDARD);
    set(&fixture, 0, "New.Model_2-1", "like", STANDARD);
    model = catalogue_fixture_model(fixture.catalogue, TENANT, "New.Model_2-1");
    CHECK_TEXT("its own name", model.name, "New.Model_2-1");
    CHECK_TRUE("unsold until the operator says so", pattern.sold && !model.sold);
    memcpy(model.name, pattern.name, sizeof(model.name));
    memcpy(model.asked, pattern.asked, sizeof(model.asked));
    model.sold = true;
    CHECK_TRUE("all else as its pattern", memcmp(&model, &pattern, sizeof(model)) == 0);
    CHECK_TRUE("no other name",
               !catalogue_alias(fixture.catalogue, TENANT, "New.Model_2-1", 0, last));
    set(&fixture, 0, "New.Model_2-1", "sold", "on");
    set(&fixture, 0, "New.Model_2-1", "dated", "new-260101");
    check_value(&fixture, TENANT, "New.Model_2-1", "sold", "true");
    check_value(&fixture, TENANT, STANDARD, "dated", "doubao-seedance-2-0-260128");
    check_unknown(&fixture, TENANT, "new-260101"); /* a dated id is no name by itself */

    check_refused(&fixture, 0, "New.Model_2-1", "like", FAST, ERR_CONFLICT, "");
    check_refused(&fixture, 0, STANDARD, "like", FAST, ERR_CONFLICT, "");
    check_refused(&fixture, 0, "doubao-seedance-2-0-260128", "like", FAST, ERR_CONFLICT, "");
    check_refused(&fixture, 0, "x", "like", "nobody", ERR_INVALID, "like");
    check_refused(&fixture, 0, "x", "like", "", ERR_INVALID, "like");
    check_refused(&fixture, 0, "x", "like", "seedance-2-0", ERR_INVALID, "like");
    check_refused(&fixture, 0, "x", "like", "x", ERR_INVALID, "like");
    check_refused(&fixture, TENANT, "x", "like", FAST, ERR_INVALID, "like");
    for (size_t i = 0; i < COUNT_OF(bad_names); i++)
        check_refused(&fixture, 0, bad_names[i], "like", FAST, ERR_INVALID, "model");
    for (size_t i = 0; i < COUNT_OF(vendors); i++)
        check_refused(&fixture, 0, vendors[i], "like", FAST, ERR_INVALID, "model");
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    check_refused(&fixture, 0, name, "like", FAST, ERR_INVALID, "model");
    name[MODEL_NAME_MAX] = '\0';
    set(&fixture, 0, name, "like", FAST);
    check_value(&fixture, TENANT, name, "dated", "doubao-seedance-2-0-fast-260128");
    CHECK_TRUE("the last of all", catalogue_at(fixture.catalogue, 0, 10, &model) &&
                                      !catalogue_at(fixture.catalogue, 0, 11, &pattern));
}

/* A model whose sizes nobody knows cannot be sold, to nobody. */
static void test_selling_needs_sizes(void)
{
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;

    catalogue_fixture_init(&fixture);
    check_refused(&fixture, 0, NEXT, "sold", "on", ERR_INVALID, "sizes");
    check_refused(&fixture, TENANT, NEXT, "sold", "on", ERR_INVALID, "sizes");
    check_value(&fixture, TENANT, NEXT, "sold", "false");
    check_refused(&fixture, 0, NEXT, "sizes", "720p/16:9=1280x720", ERR_INVALID, "sizes");
    set(&fixture, 0, NEXT, "ratios", "16:9 adaptive");
    check_refused(&fixture, 0, NEXT, "sizes", "480p/16:9=854x480 720p/16:9=1280x720",
                  ERR_INVALID, "sizes");
    set(&fixture, 0, NEXT, "sizes",
        "480p/16:9=854x480 720p/16:9=1280x720 1080p/16:9=1920x1080");
    set(&fixture, TENANT, NEXT, "sold", "on");
    check_value(&fixture, TENANT, NEXT, "sold", "true");
    check_value(&fixture, OTHER, NEXT, "sold", "false");
    set(&fixture, 0, NEXT, "sold", "on");
    check_value(&fixture, OTHER, NEXT, "sold", "true");
    /* And what is sold keeps them. */
    check_refused(&fixture, 0, NEXT, "sizes", "", ERR_INVALID, "sizes");
    check_refused(&fixture, OTHER, NEXT, "resolutions", "720p 4k", ERR_INVALID, "sizes");
}

/* ---- who sees what ------------------------------------------------------------------ */

static void test_a_tenant_s_own_word(void)
{
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;
    struct model model;

    catalogue_fixture_init(&fixture);
    set(&fixture, TENANT, "doubao-seedance-2-0-fast-260128", "duration_max", "10");
    check_value(&fixture, TENANT, FAST, "duration_max", "10");
    check_value(&fixture, OTHER, FAST, "duration_max", "15");
    check_value(&fixture, 0, FAST, "duration_max", "15");
    check_value(&fixture, TENANT, STANDARD, "duration_max", "15");
    CHECK_TRUE("by position",
               catalogue_at(fixture.catalogue, TENANT, 1, &model) && model.duration_max == 10);
    CHECK_TRUE("by position",
               catalogue_at(fixture.catalogue, OTHER, 1, &model) && model.duration_max == 15);
    check_value(&fixture, TENANT, "doubao-seedance-2-0-fast-260128", "duration_max", "10");

    /* The installation's later word goes under the tenant's. */
    set(&fixture, 0, FAST, "duration_max", "12");
    set(&fixture, 0, FAST, "audio", "off");
    check_value(&fixture, TENANT, FAST, "duration_max", "10");
    check_value(&fixture, TENANT, FAST, "audio", "false");
    check_value(&fixture, OTHER, FAST, "duration_max", "12");
    /* And must agree with it. */
    set(&fixture, TENANT, FAST, "duration", "9");
    check_refused(&fixture, 0, FAST, "duration_min", "10", ERR_INVALID, "duration");
    check_refused(&fixture, OTHER, FAST, "duration", "13", ERR_INVALID, "duration");

    /* Several tenants and models side by side. */
    set(&fixture, OTHER, FAST, "sold", "off");
    set(&fixture, OTHER, STANDARD, "images", "1");
    set(&fixture, TENANT, STANDARD, "images", "2");
    set(&fixture, TENANT - 1, STANDARD, "images", "3");
    check_value(&fixture, OTHER, FAST, "sold", "false");
    check_value(&fixture, TENANT, FAST, "sold", "true");
    check_value(&fixture, OTHER, STANDARD, "images", "1");
    check_value(&fixture, TENANT, STANDARD, "images", "2");
    check_value(&fixture, TENANT - 1, STANDARD, "images", "3");
    check_value(&fixture, TENANT - 2, STANDARD, "images", "9");
    check_value(&fixture, OTHER + 1, STANDARD, "images", "9");
}

static void test_aliases(void)
{
    char alias[MODEL_NAME_MAX + 1];
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;

    catalogue_fixture_init(&fixture);
    set(&fixture, 0, FAST, "alias", "quick");
    set(&fixture, TENANT, STANDARD, "alias", "mine");
    set(&fixture, OTHER, FAST, "alias", "mine");
    CHECK_TEXT("everybody's", catalogue_fixture_model(fixture.catalogue, TENANT, "quick").name,
               FAST);
    CHECK_TEXT("everybody's", catalogue_fixture_model(fixture.catalogue, 0, "quick").name,
               FAST);
    CHECK_TEXT("one's", catalogue_fixture_model(fixture.catalogue, TENANT, "mine").name,
               STANDARD);
    CHECK_TEXT("another's", catalogue_fixture_model(fixture.catalogue, OTHER, "mine").name,
               FAST);
    check_unknown(&fixture, 0, "mine");
    check_unknown(&fixture, OTHER + 1, "mine");
    CHECK_TRUE("listed", catalogue_alias(fixture.catalogue, TENANT, STANDARD, 1, alias));
    CHECK_TEXT("listed", alias, "mine");
    CHECK_TRUE("not to others", !catalogue_alias(fixture.catalogue, 0, STANDARD, 1, alias));
    /* An alias is a name of the model in "model set" too. */
    set(&fixture, 0, "quick", "images", "5");
    check_value(&fixture, TENANT, FAST, "images", "5");
    set(&fixture, 0, "quick", "alias", "quicker");
    CHECK_TEXT("of the model", catalogue_fixture_model(fixture.catalogue, 0, "quicker").name,
               FAST);

    /* What is a name already. */
    check_refused(&fixture, 0, STANDARD, "alias", "quick", ERR_CONFLICT, "");
    check_refused(&fixture, 0, FAST, "alias", "quick", ERR_CONFLICT, "");
    check_refused(&fixture, TENANT, STANDARD, "alias", "quick", ERR_CONFLICT, "");
    check_refused(&fixture, TENANT, STANDARD, "alias", "mine", ERR_CONFLICT, "");
    check_refused(&fixture, TENANT, STANDARD, "alias", FAST, ERR_CONFLICT, "");
    check_refused(&fixture, 0, STANDARD, "alias", "doubao-seedance-2-0-fast-260128",
                  ERR_CONFLICT, "");
    check_refused(&fixture, 0, "quick", "like", STANDARD, ERR_CONFLICT, "");
    check_refused(&fixture, 0, "nobody", "alias", "x", ERR_NOT_FOUND, "");
    check_refused(&fixture, OTHER + 1, "mine", "alias", "x", ERR_NOT_FOUND, "");
}

static void test_aliases_refused(void)
{
    static const char *const bad[] = {"",
                                      "a b",
                                      "a\"b",
                                      "-a",
                                      "caf\xc3\xa9",
                                      "ep-20260101000000-abcde",
                                      "ep-",
                                      "EP-20260101000000-abcde",
                                      "Ep-x",
                                      "seedance-2-0",
                                      "seedance-2-0-260128",
                                      "seedance-2-0-fast",
                                      "seedance-2-0-fast-260128",
                                      "seedance-2-0-mini",
                                      "dreamina-seedance-2.0-mini",
                                      "doubao-seedance-2-0-filter-off",
                                      LONG_NAME};
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;

    catalogue_fixture_init(&fixture);
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        check_refused(&fixture, 0, FAST, "alias", bad[i], ERR_INVALID, "alias");
        check_refused(&fixture, TENANT, FAST, "alias", bad[i], ERR_INVALID, "alias");
    }
    set(&fixture, 0, FAST, "alias", "epic"); /* begins otherwise */
    CHECK_INT("rows", ask(&fixture, "SELECT count(*) FROM model_alias"), 1);
}

static void test_unalias(void)
{
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;

    catalogue_fixture_init(&fixture);
    set(&fixture, 0, FAST, "alias", "quick");
    set(&fixture, TENANT, FAST, "alias", "mine");
    check_refused(&fixture, 0, FAST, "unalias", "mine", ERR_NOT_FOUND, "");
    check_refused(&fixture, TENANT, FAST, "unalias", "quick", ERR_NOT_FOUND, "");
    check_refused(&fixture, OTHER, FAST, "unalias", "mine", ERR_NOT_FOUND, "");
    check_refused(&fixture, 0, STANDARD, "unalias", "quick", ERR_NOT_FOUND, "");
    check_refused(&fixture, 0, FAST, "unalias", "nothing", ERR_NOT_FOUND, "");
    /* What ships stays. */
    check_refused(&fixture, 0, FAST, "unalias", "doubao-seedance-2-0-fast-260128",
                  ERR_NOT_FOUND, "");
    check_refused(&fixture, 0, FAST, "unalias", FAST, ERR_NOT_FOUND, "");
    set(&fixture, 0, FAST, "unalias", "quick");
    check_unknown(&fixture, TENANT, "quick");
    set(&fixture, TENANT, FAST, "unalias", "mine");
    check_unknown(&fixture, TENANT, "mine");
    set(&fixture, 0, STANDARD, "alias", "quick");
    CHECK_TEXT("free again", catalogue_fixture_model(fixture.catalogue, 0, "quick").name,
               STANDARD);
}

/* ---- endpoints ------------------------------------------------------------------------ */

static bool minted(const char *name)
{
    return strncmp(name, "ep-", 3) == 0 && strspn(name + 3, "0123456789") == 14 &&
           name[17] == '-' && strspn(name + 18, "abcdefghijklmnopqrstuvwxyz0123456789") == 5 &&
           name[23] == '\0';
}

static void test_endpoints(void)
{
    char first[MODEL_NAME_MAX + 1] = "", second[MODEL_NAME_MAX + 1] = "";
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;

    catalogue_fixture_init(&fixture);
    check_refused(&fixture, 0, STANDARD, "endpoint", "new", ERR_INVALID, "endpoint");
    check_refused(&fixture, TENANT, STANDARD, "endpoint", "ep-20260101000000-abcde",
                  ERR_INVALID, "endpoint");
    check_refused(&fixture, TENANT, STANDARD, "endpoint", "", ERR_INVALID, "endpoint");
    set(&fixture, TENANT, STANDARD, "endpoint", "new");
    set(&fixture, TENANT, STANDARD, "endpoint", "new");
    /* Behind the dated id, in the order of the alphabet. */
    CHECK_TRUE("one", catalogue_alias(fixture.catalogue, TENANT, STANDARD, 1, first));
    CHECK_TRUE("two", catalogue_alias(fixture.catalogue, TENANT, STANDARD, 2, second));
    CHECK_TRUE(first, minted(first));
    CHECK_TRUE(second, minted(second));
    CHECK_TRUE("not the same", strcmp(first, second) != 0);
    CHECK_TEXT("hers", catalogue_fixture_model(fixture.catalogue, TENANT, first).name,
               STANDARD);
    CHECK_TEXT("hers", catalogue_fixture_model(fixture.catalogue, TENANT, second).name,
               STANDARD);
    check_unknown(&fixture, OTHER, first);
    check_unknown(&fixture, 0, first);
    CHECK_TRUE("nobody else is told",
               !catalogue_alias(fixture.catalogue, OTHER, STANDARD, 1, first));
    set(&fixture, TENANT, STANDARD, "unalias", second);
    check_unknown(&fixture, TENANT, second);
}

/* ---- news ------------------------------------------------------------------------------ */

/* Statements as they are, and the settings' version with them. */
static enum err_code sql_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    const char *const *sql = ctx;
    CLEANUP(db_done) struct db_stmt *stmt = NULL;

    TRY(db_prepare(conn, *sql, &stmt, err));
    TRY(db_run(stmt, err));
    return settings_touch(conn, err);
}

static void run_sql(const struct catalogue_fixture *fixture, const char *sql)
{
    struct err err = {0};

    CHECK_OK(sql, db_write(fixture->db, DB_ALL, sql_steps, &sql, &err), &err);
}

static enum err_code version_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    return settings_version(conn, ctx, err);
}

static int64_t version(const struct catalogue_fixture *fixture)
{
    int64_t number = -1;
    struct err err = {0};

    CHECK_OK("version", db_read(fixture->db, version_steps, &number, &err), &err);
    return number;
}

static void test_refresh(void)
{
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;
    struct err err;

    catalogue_fixture_init(&fixture);
    int64_t before = version(&fixture);

    check_refused(&fixture, 0, FAST, "images", "65", ERR_INVALID, "images");
    CHECK_INT("a refusal is no news", version(&fixture), before);
    CHECK_OK("set", catalogue_fixture_try(fixture.db, 0, FAST, "images", "4", &err), &err);
    CHECK_TRUE("news", version(&fixture) > before);
    check_value(&fixture, TENANT, FAST, "images", "9");
    CHECK_OK("refresh", catalogue_refresh(fixture.catalogue, &err), &err);
    check_value(&fixture, TENANT, FAST, "images", "4");
    CHECK_OK("nothing new", catalogue_refresh(fixture.catalogue, &err), &err);
    check_value(&fixture, TENANT, FAST, "images", "4");

    /* Another process opens what this one wrote. */
    CLEANUP(catalogue_close) struct catalogue *second = NULL;

    CHECK_OK("open", catalogue_open(fixture.db, &second, &err), &err);
    CHECK_INT("written", catalogue_fixture_model(second, TENANT, FAST).images, 4);
}

/* A row that cannot be understood is left out, is complained of, and costs nothing else. */
static void test_a_row_that_is_not_understood(void)
{
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;
    CLEANUP(catalogue_close) struct catalogue *second = NULL;
    struct err err = {0};

    catalogue_fixture_init(&fixture);
    set(&fixture, TENANT, FAST, "images", "4");
    run_sql(&fixture, "INSERT INTO model_setting VALUES (0, '" STANDARD "', 'images', 'many'),"
                      " (0, '" STANDARD "', 'of_another_version', 'x'),"
                      " (0, '" STANDARD "', 'videos', '2')");
    for (int i = 0; i < 2; i++) {
        CHECK_INT("complained of", catalogue_refresh(fixture.catalogue, &err), ERR_CONFIG);
        CHECK_TRUE("the first by name",
                   strstr(err.msg, STANDARD) != NULL && strstr(err.msg, "images") != NULL);
    }
    check_value(&fixture, TENANT, FAST, "images", "4");
    check_value(&fixture, TENANT, STANDARD, "images", "9");
    check_value(&fixture, TENANT, STANDARD, "videos", "2");
    err = (struct err){0};
    CHECK_OK("opened all the same", catalogue_open(fixture.db, &second, &err), &err);
    run_sql(&fixture, "DELETE FROM model_setting WHERE name IN ('images', 'of_another_version')"
                      " AND tenant_id = 0");
    CHECK_OK("mended", catalogue_refresh(fixture.catalogue, &err), &err);
    check_value(&fixture, TENANT, STANDARD, "videos", "2");
}

/* Rows of a model that ships no longer say nothing. */
static void test_rows_of_a_model_that_left(void)
{
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;
    struct err err = {0};

    catalogue_fixture_init(&fixture);
    run_sql(&fixture, "INSERT INTO model_setting VALUES (0, 'left', 'sold', 'true'),"
                      " (7, 'left', 'no such key', 'x')");
    run_sql(&fixture, "INSERT INTO model_alias VALUES (0, 'left-alias', 'left')");
    CHECK_OK("refresh", catalogue_refresh(fixture.catalogue, &err), &err);
    check_unknown(&fixture, TENANT, "left");
    check_unknown(&fixture, TENANT, "left-alias");
}

/* ---- the audit log ---------------------------------------------------------------------- */

struct entries {
    int count;
    char text[2048];
};

static enum err_code take_entry(const struct audit_entry *entry, void *ctx, struct err *err)
{
    struct entries *entries = ctx;
    size_t len = strlen(entries->text);

    (void)err;
    entries->count++;
    (void)snprintf(entries->text + len, sizeof(entries->text) - len, "%s %s %s %.*s\n",
                   entry->actor, entry->action, entry->target, (int)entry->detail.len,
                   entry->detail.ptr);
    return ERR_OK;
}

static enum err_code audit_steps(struct db_conn *conn, void *ctx, struct err *err)
{
    return audit_each(conn, 0, 100, take_entry, ctx, err);
}

static void test_audit(void)
{
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;
    struct entries entries = {0};
    char endpoint[MODEL_NAME_MAX + 1] = "", want[1024];
    struct err err = {0};
    int64_t count = 0;

    catalogue_fixture_init(&fixture);
    set(&fixture, 0, "x-1", "like", FAST);
    set(&fixture, 0, "x-1", "sizes", "1.0");
    set(&fixture, TENANT, "doubao-seedance-2-0-fast-260128", "alias", "mine");
    check_refused(&fixture, TENANT, FAST, "alias", "mine", ERR_CONFLICT, "");
    set(&fixture, TENANT, FAST, "unalias", "mine");
    set(&fixture, TENANT, FAST, "endpoint", "new");
    CHECK_TRUE("endpoint", catalogue_alias(fixture.catalogue, TENANT, FAST, 1, endpoint));
    CHECK_OK("read", db_read(fixture.db, audit_steps, &entries, &err), &err);
    (void)snprintf(
        want, sizeof(want),
        "cli:test model.set x-1 {\"tenant\":0,\"key\":\"like\",\"value\":\"" FAST "\"}\n"
        "cli:test model.set x-1 {\"tenant\":0,\"key\":\"sizes\",\"value\":\"1.0\"}\n"
        "cli:test model.set " FAST " {\"tenant\":7,\"key\":\"alias\",\"value\":\"mine\"}\n"
        "cli:test model.set " FAST " {\"tenant\":7,\"key\":\"unalias\",\"value\":\"mine\"}\n"
        "cli:test model.set " FAST " {\"tenant\":7,\"key\":\"endpoint\",\"value\":\"%s\"}\n",
        endpoint);
    CHECK_TEXT("entries", entries.text, want);
    CHECK_OK("chain", audit_verify(fixture.db, &count, &err), &err);
    CHECK_INT("chain", count, 5);
}

/* ---- limits -------------------------------------------------------------------------------
 */

static void test_as_many_models_as_there_may_be(void)
{
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;
    struct model model;
    struct err err = {0};

    catalogue_fixture_init(&fixture);
    run_sql(&fixture, "INSERT INTO model_setting"
                      " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                      " WHERE i < 246)"
                      " SELECT 0, 'm-' || i, 'like', '" FAST "' FROM n");
    CHECK_OK("refresh", catalogue_refresh(fixture.catalogue, &err), &err);
    set(&fixture, 0, "last", "like", FAST);
    CHECK_TRUE("256", catalogue_at(fixture.catalogue, 0, CATALOGUE_MODELS_MAX - 1, &model));
    check_refused(&fixture, 0, "beyond", "like", FAST, ERR_CONFLICT, "");
    check_unknown(&fixture, 0, "beyond");
    set(&fixture, 0, "last", "images", "1");
}

static void test_as_many_settings_as_there_may_be(void)
{
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;
    struct err err = {0};

    catalogue_fixture_init(&fixture);
    /* Rows that say nothing count as well. */
    run_sql(&fixture, "INSERT INTO model_setting"
                      " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                      " WHERE i < 19998)"
                      " SELECT i, CASE WHEN i % 400 = 0 THEN '" FAST "' ELSE 'left' END,"
                      " 'images', '1' FROM n");
    CHECK_OK("refresh", catalogue_refresh(fixture.catalogue, &err), &err);
    check_value(&fixture, 400, FAST, "images", "1");
    check_value(&fixture, 19600, FAST, "images", "1");
    check_value(&fixture, 401, FAST, "images", "9");
    set(&fixture, TENANT, FAST, "alias", "mine"); /* 19999 */
    set(&fixture, TENANT, FAST, "images", "3");   /* 20000 */
    set(&fixture, TENANT, FAST, "images", "4");
    check_refused(&fixture, TENANT, FAST, "videos", "1", ERR_CONFLICT, "");
    check_refused(&fixture, TENANT, FAST, "alias", "more", ERR_CONFLICT, "");
    check_value(&fixture, TENANT, FAST, "images", "4");
    set(&fixture, TENANT, FAST, "unalias", "mine");
    set(&fixture, TENANT, FAST, "videos", "1");
}

static void test_as_many_names_as_there_may_be(void)
{
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;
    struct err err = {0};

    catalogue_fixture_init(&fixture);
    /* 9 models with 10 dated ids and aliases ship. */
    run_sql(&fixture, "INSERT INTO model_alias"
                      " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                      " WHERE i < 19980)"
                      " SELECT i % 5, 'n-' || i, '" FAST "' FROM n");
    CHECK_OK("refresh", catalogue_refresh(fixture.catalogue, &err), &err);
    set(&fixture, TENANT, FAST, "alias", "mine");
    check_refused(&fixture, TENANT, FAST, "alias", "more", ERR_CONFLICT, "");
    check_refused(&fixture, TENANT, FAST, "endpoint", "new", ERR_CONFLICT, "");
    CHECK_TEXT("found", catalogue_fixture_model(fixture.catalogue, 4, "n-19979").name, FAST);
    CHECK_TEXT("found", catalogue_fixture_model(fixture.catalogue, 3, "n-19980").name, FAST);
    check_unknown(&fixture, 3, "n-19979");
}

/* A task's row has room for 15 bytes of either. */
static void test_long_words(void)
{
    static const struct {
        const char *word;
        bool fits;
    } rows[] = {{"123456789012345", true}, {"1234567890123456", false}};
    char value[256];
    CLEANUP(catalogue_fixture_fini) struct catalogue_fixture fixture;

    catalogue_fixture_init(&fixture);
    set(&fixture, 0, NEXT, "ratios", "16:9 adaptive");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        set(&fixture, 0, NEXT, "sizes", "");
        (void)snprintf(value, sizeof(value), "720p %s", rows[i].word);
        set(&fixture, 0, NEXT, "resolutions", value);
        (void)snprintf(value, sizeof(value), "720p/16:9=1280x720 %s/16:9=1x1", rows[i].word);
        if (rows[i].fits)
            set(&fixture, 0, NEXT, "sizes", value);
        else
            check_refused(&fixture, 0, NEXT, "sizes", value, ERR_INVALID, "sizes");

        set(&fixture, 0, NEXT, "sizes", "");
        set(&fixture, 0, NEXT, "resolutions", "720p");
        (void)snprintf(value, sizeof(value), "adaptive %s", rows[i].word);
        set(&fixture, 0, NEXT, "ratios", value);
        (void)snprintf(value, sizeof(value), "720p/%s=1280x720", rows[i].word);
        if (rows[i].fits)
            set(&fixture, 0, NEXT, "sizes", value);
        else
            check_refused(&fixture, 0, NEXT, "sizes", value, ERR_INVALID, "sizes");
        set(&fixture, 0, NEXT, "sizes", "");
        set(&fixture, 0, NEXT, "ratios", "16:9 adaptive");
    }
}

CHECK_MAIN(CHECK_TEST(test_long_words), CHECK_TEST(test_each_key),
           CHECK_TEST(test_keys_that_are_none), CHECK_TEST(test_a_new_model),
           CHECK_TEST(test_selling_needs_sizes), CHECK_TEST(test_a_tenant_s_own_word),
           CHECK_TEST(test_aliases), CHECK_TEST(test_aliases_refused), CHECK_TEST(test_unalias),
           CHECK_TEST(test_endpoints), CHECK_TEST(test_refresh),
           CHECK_TEST(test_a_row_that_is_not_understood),
           CHECK_TEST(test_rows_of_a_model_that_left), CHECK_TEST(test_audit),
           CHECK_TEST(test_as_many_models_as_there_may_be),
           CHECK_TEST(test_as_many_settings_as_there_may_be),
           CHECK_TEST(test_as_many_names_as_there_may_be))
