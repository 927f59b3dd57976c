# SPDX-License-Identifier: Apache-2.0
"""What a hold must cover: whatever Ark may make of a create, not what its author says."""
from arkgate import CANARY, text_to_video

PRO = "doubao-seedance-1-5-pro"
NEXT = "doubao-seedance-2-5"


def prepare(ctx):
    if ctx._shared is None:
        inst = ctx._shared = ctx.new(credit="1000")
        inst.cli("upstream", "set", "main", f"model.{PRO}=ep-{CANARY}-1-5-pro")
        inst.cli("model", "set", PRO, "sold=on")
        inst.cli("model", "set", NEXT, "sizes=480p/16:9=854x480 720p/16:9=1280x720", "resolutions=480p 720p",
                 "ratios=16:9 adaptive", "sold=on")
        inst.wait_for_model(PRO)
        inst.wait_for_model(NEXT)
    return ctx.shared


def finished(inst, body):
    answer = inst.serve.create(inst.token, body)
    if answer.status != 200:
        raise AssertionError(f"create: {answer}")
    return inst.serve.wait_until(inst.token, answer.json["id"])


def covered(ctx, what, inst, task):
    hold = inst.hold_row(task["id"])
    ctx.equal(f"{what}: charged", (task["status"], hold["state"]), ("succeeded", "charged"))
    ctx.true(f"{what}: the hold was enough", hold["loss_nano"] == 0 and hold["charge_nano"] <= hold["amount_nano"], hold)


def test_however_many_parameters_follow(ctx):
    inst = prepare(ctx)
    body = text_to_video("[sim: queue_ms=0 run_ms=0] a pier --rs 4k --dur 15" + " --wm true" * 40)
    covered(ctx, "40 pairs behind", inst, finished(inst, body))


def test_a_video_from_a_draft(ctx):
    inst = prepare(ctx)
    draft = finished(inst, text_to_video(model=PRO, draft=True, ratio="21:9", duration=12))
    body = {"model": PRO, "content": [{"type": "draft_task", "draft_task": {"id": draft["id"]}}], "resolution": "720p"}
    covered(ctx, "shorter", inst, finished(inst, {**body, "duration": 4}))
    covered(ctx, "silent", inst, finished(inst, {**body, "generate_audio": False}))
    covered(ctx, "all", inst, finished(inst, {**body, "duration": 4, "generate_audio": False, "ratio": "1:1"}))


def test_a_prompt_that_is_too_long_to_be_read(ctx):
    inst = prepare(ctx)
    prompt = "\\n" * (17 << 20) + " --rs 4k --dur 15"
    body = ('{"model":"doubao-seedance-2-0","content":[{"type":"text","text":"' + prompt + '"},'
            '{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]}').encode()
    answer = inst.serve.call("POST", "/api/v3/contents/generations/tasks", inst.token, body)
    ctx.equal("refused", (answer.status, answer.error["param"]), (400, "content[0].text"))


def test_input_seconds_of_each_model(ctx):
    inst = prepare(ctx)
    for model, width, height, input_ms in (("doubao-seedance-2-0", 1280, 720, 15200), (NEXT, 1280, 720, 30200)):
        body = text_to_video("[sim: queue_ms=0 run_ms=0] a pier", model, ratio="16:9", duration=5, resolution="720p")
        body["content"].append({"type": "video_url", "role": "reference_video",
                                "video_url": {"url": "https://example.com/a.mp4"}})
        answer = inst.serve.create(inst.token, body)
        if ctx.equal(f"{model}: {answer}", answer.status, 200):
            ctx.equal(f"{model}: held", inst.hold_row(answer.json["id"])["tokens"],
                      width * height * (24 * (5000 + input_ms) + 1000) // 1024000)
