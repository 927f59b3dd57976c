/* SPDX-License-Identifier: Apache-2.0 */
/* Seconds or frames: Ark tells one of them, and what it tells is what it made. */
#include "tests/unit/task/world.h"

#include "tests/unit/task/seen.h"

static void settled(struct world *world, struct upstream_task seen, struct task *ret_task)
{
    struct task_draft draft = draft_of("{}");
    struct submit_result result;
    struct err err = {0};

    draft.model_asked = STR("doubao-seedance-1-0-pro");
    draft.resolution = STR("480p");
    draft.in_prompt.has_frames = true;
    draft.in_prompt.frames = 289;
    world_script(world, (struct step){.upstream_id = "cgt-1"});
    CHECK_OK("submit", submit_task(&world->service, &world->scope, &draft, &result, &err),
             &err);
    CHECK_TRUE("asked", world_task(world, "cgt-1").frames == 289);
    seen.resolution = STR("480p");
    CHECK_OK("settle", settle_seen(&world->service, account_a(world), &seen, 1, &err), &err);
    *ret_task = world_task(world, "cgt-1");
}

static void open_world(struct world *world)
{
    world_init(world, YUAN(100));
    world_model_set(world, "doubao-seedance-1-0-pro", "sold", "on");
}

static void test_seconds_after_all(void)
{
    struct world world;
    struct task task;

    open_world(&world);
    settled(&world, seen_of("cgt-1", TASK_SUCCEEDED), &task);
    CHECK_TRUE("no frames", !task.has_frames);
    CHECK_INT("seconds", task.duration, 5);
    CHECK_INT("what a price per second counts", service_output_ms(&task), 5000);
    world_fini(&world);
}

static void test_both(void)
{
    struct upstream_task seen = seen_of("cgt-1", TASK_SUCCEEDED);
    struct world world;
    struct task task;

    open_world(&world);
    seen.has_frames = true;
    seen.frames = 121;
    settled(&world, seen, &task);
    CHECK_TRUE("frames", task.has_frames && task.frames == 121);
    world_fini(&world);
}

CHECK_MAIN(CHECK_TEST(test_seconds_after_all), CHECK_TEST(test_both))
