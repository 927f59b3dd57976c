/* SPDX-License-Identifier: Apache-2.0 */
/* A list's query, right and wrong, and the exact text of its answer. */
#include "gateway/dialect/ark_parts.h"

#include "gateway/app.h"

#include "tests/lib/catalogue_fixture.h"
#include "tests/lib/check.h"

#define TENANT 42

/* What a handler reaches of the program. */
struct world {
    struct catalogue_fixture fixture;
    struct app app;
};

static void world_init(struct world *world)
{
    *world = (struct world){0};
    catalogue_fixture_init(&world->fixture);
    world->app.tasks.catalogue = world->fixture.catalogue;
}

static void world_fini(struct world *world)
{
    catalogue_fixture_fini(&world->fixture);
}

static enum err_code decode(struct world *world, struct request *rq, const char *query,
                            struct task_list_filter *ret_filter, struct err *err)
{
    *rq = (struct request){.app = &world->app, .query = str_from(query)};
    rq->scope.tenant_id = TENANT;
    arena_init(&rq->arena, 1 << 20);
    *err = (struct err){0};
    return ark_list_decode(rq, ret_filter, err);
}

static void test_queries_that_are_right(void)
{
    static const struct {
        const char *query;
        int64_t page_num, page_size;
        const char *status, *model, *tier, *ids; /* "": any; ids joined with '|' */
    } rows[] = {
        {"", 1, 20, "", "", "", ""},
        {"&&", 1, 20, "", "", "", ""},
        {"page_num=2&page_size=500", 2, 500, "", "", "", ""},
        {"page_num=1000000&page_size=1", 1000000, 1, "", "", "", ""},
        {"unknown=%20&x&filter.other=1&Page_Num=0", 1, 20, "", "", "", ""},
        {"filter.status=queued", 1, 20, "queued", "", "", ""},
        {"filter.status=running", 1, 20, "running", "", "", ""},
        {"filter.status=cancelled", 1, 20, "cancelled", "", "", ""},
        {"filter.status=succeeded", 1, 20, "succeeded", "", "", ""},
        {"filter.status=failed", 1, 20, "failed", "", "", ""},
        {"filter%2Estatus=expired", 1, 20, "expired", "", "", ""},
        {"filter.model=doubao-seedance-2-0", 1, 20, "", "doubao-seedance-2-0", "", ""},
        {"filter.model=doubao-seedance-2-0-260128", 1, 20, "", "doubao-seedance-2-0", "", ""},
        {"filter.model=doubao-seedance-2.0-mini", 1, 20, "", "doubao-seedance-2-0-mini", "",
         ""},
        {"filter.service_tier=default", 1, 20, "", "", "default", ""},
        {"filter.service_tier=flex", 1, 20, "", "", "flex", ""},
        {"filter.task_ids=a", 1, 20, "", "", "", "a"},
        {"filter.task_ids=a&x=y&filter.task_ids=b", 1, 20, "", "", "", "a|b"},
        {"filter.task_ids=a,b%2Cc,+d%20&filter.task_ids=e", 1, 20, "", "", "", "a|b|c|d|e"},
        {"filter.task_ids=never%27made", 1, 20, "", "", "", "never'made"},
        {"filter.model=doubao-seedance-2-0-fast&filter.service_tier=flex&filter.status=failed"
         "&filter.task_ids=a&page_num=3&page_size=7",
         3, 7, "failed", "doubao-seedance-2-0-fast", "flex", "a"},
    };

    CLEANUP(world_fini) struct world world;

    world_init(&world);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *what = rows[i].query;
        CLEANUP(buf_fini) struct buf ids = {0};
        struct task_list_filter filter = {0};
        struct request rq;
        struct err err;
        char model[MODEL_NAME_MAX + 1], tier[16];

        CHECK_OK(what, decode(&world, &rq, rows[i].query, &filter, &err), &err);
        CHECK_INT(what, filter.page_num, rows[i].page_num);
        CHECK_INT(what, filter.page_size, rows[i].page_size);
        CHECK_TEXT(what, filter.has_status ? state_name(filter.status) : "", rows[i].status);
        str_copy_cut(model, sizeof(model), filter.model);
        CHECK_TEXT(what, model, rows[i].model);
        str_copy_cut(tier, sizeof(tier), filter.tier);
        CHECK_TEXT(what, tier, rows[i].tier);
        CHECK_INT(what, filter.has_ids, rows[i].ids[0] != '\0');
        buf_init(&ids, 1000);
        buf_puts(&ids, "");
        for (size_t j = 0; j < filter.id_count; j++) {
            buf_puts(&ids, j > 0 ? "|" : "");
            buf_put_str(&ids, filter.ids[j]);
        }
        CHECK_TEXT(what, ids.ptr != NULL ? ids.ptr : "", rows[i].ids);
        arena_fini(&rq.arena);
    }
}

static void test_queries_that_are_wrong(void)
{
    static const struct {
        const char *query, *param;
    } rows[] = {
        {"page_num=0", "page_num"},
        {"page_num=-1", "page_num"},
        {"page_num=1000001", "page_num"},
        {"page_num=", "page_num"},
        {"page_num", "page_num"},
        {"page_num=1.0", "page_num"},
        {"page_num=%201", "page_num"},
        {"page_num=99999999999999999999", "page_num"},
        {"page_num=1%", "page_num"},
        {"page_size=0", "page_size"},
        {"page_size=501", "page_size"},
        {"page_size=ten", "page_size"},
        {"page_size=1%00", "page_size"},
        {"filter.status=", "filter.status"},
        {"filter.status=done", "filter.status"},
        {"filter.status=Queued", "filter.status"},
        {"filter.status=waiting", "filter.status"},
        {"filter.status=submitting", "filter.status"},
        {"filter.status=unknown", "filter.status"},
        {"filter.status=refused", "filter.status"},
        {"filter.status=queued,running", "filter.status"},
        {"filter.status=%zz", "filter.status"},
        {"filter.model=", "filter.model"},
        {"filter.model=ep-20260101000000-abcde", "filter.model"},
        {"filter.model=DOUBAO-SEEDANCE-2-0", "filter.model"},
        {"filter.service_tier=", "filter.service_tier"},
        {"filter.service_tier=fast", "filter.service_tier"},
        {"filter.task_ids=", "filter.task_ids"},
        {"filter.task_ids=,", "filter.task_ids"},
        {"filter.task_ids=a,", "filter.task_ids"},
        {"filter.task_ids=a&filter.task_ids", "filter.task_ids"},
        {"filter.task_ids=a,+,b", "filter.task_ids"},
        {"filter.task_ids=a&filter.task_ids=%4", "filter.task_ids"},
    };

    CLEANUP(world_fini) struct world world;

    world_init(&world);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct task_list_filter filter;
        struct request rq;
        struct err err;

        CHECK_INT(rows[i].query, decode(&world, &rq, rows[i].query, &filter, &err),
                  ERR_INVALID);
        CHECK_TEXT(rows[i].query, err.field, rows[i].param);
        CHECK_TRUE(rows[i].query, strstr(err.msg, rows[i].param) != NULL);
        arena_fini(&rq.arena);
    }
}

/* Whatever name the tenant knows a model by finds its tasks; another's name does not. */
static void test_models_by_any_name(void)
{
    static const struct {
        const char *query;
        int64_t tenant_id;
        const char *model; /* NULL: refused */
    } rows[] = {
        {"filter.model=doubao-seedance-1-0-lite-i2v-250428", TENANT,
         "doubao-seedance-1-0-lite-i2v"},
        {"filter.model=doubao-seedance-2-5", TENANT, "doubao-seedance-2-5"}, /* unsold */
        {"filter.model=ours", TENANT, "doubao-seedance-2-0"},
        {"filter.model=ours", TENANT + 1, "doubao-seedance-2-0"},
        {"filter.model=mine", TENANT, "doubao-seedance-2-0-fast"},
        {"filter.model=mine", TENANT + 1, NULL},
        {"filter.model=seedance-2-0", TENANT, NULL},
    };
    CLEANUP(world_fini) struct world world;

    world_init(&world);
    catalogue_fixture_set(world.fixture.db, world.fixture.catalogue, 0, "doubao-seedance-2-0",
                          "alias", "ours");
    catalogue_fixture_set(world.fixture.db, world.fixture.catalogue, TENANT,
                          "doubao-seedance-2-0-fast", "alias", "mine");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct task_list_filter filter = {0};
        struct request rq = {.app = &world.app, .query = str_from(rows[i].query)};
        struct err err = {0};

        rq.scope.tenant_id = rows[i].tenant_id;
        arena_init(&rq.arena, 1 << 20);
        CHECK_INT(rows[i].query, ark_list_decode(&rq, &filter, &err),
                  rows[i].model == NULL ? ERR_INVALID : ERR_OK);
        CHECK_TRUE(rows[i].query, rows[i].model == NULL || str_is(filter.model, rows[i].model));
        CHECK_TEXT(rows[i].query, err.field, rows[i].model == NULL ? "filter.model" : "");
        arena_fini(&rq.arena);
    }
}

/* 500 ids, and one more, in both spellings. */
static void test_as_many_ids_as_there_may_be(void)
{
    CLEANUP(world_fini) struct world world;

    world_init(&world);
    for (int repeated = 0; repeated < 2; repeated++) {
        for (size_t count = LIST_IDS_MAX; count <= LIST_IDS_MAX + 1; count++) {
            CLEANUP(buf_fini) struct buf query = {0};
            struct task_list_filter filter = {0};
            struct request rq;
            struct err err;

            buf_init(&query, 1 << 16);
            for (size_t i = 0; i < count; i++) {
                buf_puts(&query, repeated || i == 0 ? "&filter.task_ids=" : ",");
                buf_printf(&query, "cgt-%zu", i);
            }
            CHECK_INT("ids", decode(&world, &rq, query.ptr, &filter, &err),
                      count > LIST_IDS_MAX ? ERR_INVALID : ERR_OK);
            if (count > LIST_IDS_MAX)
                CHECK_TEXT("one too many", err.field, "filter.task_ids");
            else
                CHECK_INT("ids", filter.id_count, count);
            arena_fini(&rq.arena);
        }
    }
}

#define TAIL                                                                          \
    ",\"created_at\":1,\"updated_at\":2,\"resolution\":\"720p\",\"ratio\":\"16:9\","  \
    "\"duration\":5,\"service_tier\":\"default\",\"execution_expires_after\":172800," \
    "\"generate_audio\":false,\"priority\":0}"
#define FAILURE "{\"code\":\"InternalServiceError\",\"message\":\"it \\\"broke\\\"\"}"

static void test_the_answer_s_text(void)
{
    struct task tasks[] = {
        {.minted_id = "cgt-2", .state = TASK_UNKNOWN},
        {.minted_id = "cgt-m",
         .upstream_id = "cgt-1",
         .state = TASK_FAILED,
         .error_code = "InternalServiceError",
         .error_message = "it \"broke\""},
    };
    CLEANUP(buf_fini) struct buf body = {0};
    CLEANUP(world_fini) struct world world;
    struct ark_list list = {.body = &body};
    struct err err = {0};

    world_init(&world);
    list.catalogue = world.fixture.catalogue;
    buf_init(&body, 1 << 16);
    CHECK_OK("begin", ark_list_begin(0, &list, &err), &err);
    CHECK_OK("end", ark_list_end(&list, &err), &err);
    CHECK_TEXT("empty", body.ptr, "{\"total\":0,\"items\":[]}");

    /* Begins anew, whatever was written before. */
    CHECK_OK("begin", ark_list_begin(7, &list, &err), &err);
    for (size_t i = 0; i < COUNT_OF(tasks); i++) {
        struct task *task = &tasks[i];

        (void)str_copy(task->model, sizeof(task->model), STR("doubao-seedance-2-0"));
        (void)str_copy(task->model_asked, sizeof(task->model_asked), STR("asked"));
        (void)str_copy(task->resolution, sizeof(task->resolution), STR("720p"));
        (void)str_copy(task->ratio, sizeof(task->ratio), STR("16:9"));
        (void)str_copy(task->tier, sizeof(task->tier), STR("default"));
        task->duration = 5;
        task->expires_after = 172800;
        task->created_us = 1000000;
        task->updated_us = 2999999;
        CHECK_OK("item", ark_list_item(task, &list, &err), &err);
    }
    CHECK_OK("end", ark_list_end(&list, &err), &err);
    CHECK_TEXT("two", body.ptr,
               "{\"total\":7,\"items\":["
               "{\"id\":\"cgt-2\",\"model\":\"asked\",\"status\":\"queued\"" TAIL ","
               "{\"id\":\"cgt-1\",\"model\":\"asked\",\"status\":\"failed\",\"error\":" FAILURE
               ",\"failure_reason\":" FAILURE TAIL "]}");
    CHECK_OK("JSON", json_gate(buf_str(&body), &err), &err);

    buf_reset(&body);
    CHECK_OK("alone", ark_encode_task(list.catalogue, &tasks[1], &body, &err), &err);
    CHECK_TRUE("failure_reason is the lists'", strstr(body.ptr, "failure_reason") == NULL);
}

CHECK_MAIN(CHECK_TEST(test_queries_that_are_right), CHECK_TEST(test_queries_that_are_wrong),
           CHECK_TEST(test_models_by_any_name), CHECK_TEST(test_as_many_ids_as_there_may_be),
           CHECK_TEST(test_the_answer_s_text))
