# SPDX-License-Identifier: Apache-2.0
"""The curl examples of the vendor's and a reseller's pages."""
from curl import created, step

NEVER = "cgt-20260611204121-462cw"


def test_text_to_video(ctx):
    task = created(ctx, ctx.shared, "text-to-video")
    ctx.equal("task", (task["status"], task["model"], task["ratio"], task["duration"], task["resolution"]),
              ("succeeded", "doubao-seedance-2-0-260128", "16:9", 5, "720p"))
    status, polled = step(ctx.shared, "poll", task["id"])
    ctx.equal("polled with curl", (status, polled), (200, task))


def test_first_frame(ctx):
    task = created(ctx, ctx.shared, "first-frame")
    ctx.equal("task", (task["status"], task["generate_audio"], task["duration"]), ("succeeded", True, 5))


def test_video_editing_and_extension(ctx):
    inst = ctx.shared
    for name in ("edit-video", "extend-video"):
        task = created(ctx, inst, name)
        ctx.equal(name, (task["status"], task["model"], task["resolution"], task["duration"], task["generate_audio"]),
                  ("succeeded", "doubao-seedance-2-0", "720p", 6, False))
        ctx.equal(f"{name}: priced as one with a video", inst.cli_json("task", "show", task["id"])["sku"],
                  "doubao-seedance-2-0-720p-video")


def test_get_and_list(ctx):
    inst = ctx.shared
    task = created(ctx, inst, "edit-video")
    status, body = step(inst, "get", task["id"])
    ctx.equal("get", (status, body), (200, task))
    ctx.has("get", body, ["id", "model", "status", "content", "usage", "created_at", "updated_at", "resolution", "ratio",
                          "duration", "framespersecond", "service_tier", "execution_expires_after", "generate_audio",
                          "priority"])
    status, body = step(inst, "list")
    ctx.equal("list", (status, list(body)), (200, ["total", "items"]))
    ctx.equal("the newest", body["items"][0]["id"], task["id"])
    ctx.equal("only what was asked for", {(i["status"], i["model"].removesuffix("-260128")) for i in body["items"]},
              {("succeeded", "doubao-seedance-2-0")})
    status, body = step(inst, "get", NEVER)
    ctx.equal("an id that is nobody's", (status, body["error"]["code"]), (404, "task_not_found"))


def test_delete(ctx):
    inst = ctx.shared
    task = created(ctx, inst, "extend-video")
    ctx.equal("delete", step(inst, "delete", task["id"]), (200, {}))
    for name in ("get", "delete"):
        status, body = step(inst, name, task["id"])
        ctx.equal(f"{name} afterwards", (status, body["error"]["code"]), (404, "task_not_found"))
