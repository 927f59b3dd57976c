# SPDX-License-Identifier: Apache-2.0
"""The SDK's four calls against the gateway: what each returns, what the gateway was
asked, and what arrives upstream."""
import asyncio
import json
import os

from sdk import MODEL, NEVER, SETTINGS, Asked, Recorder, Tasks, shared, sync_and_async

FAST = "doubao-seedance-2-0-fast"
PROMPTS = {
    "CJK": "清晨的港口，一只白鹭掠过水面。カメラは静かに追う。바다 위의 안개",
    "emoji": "a kite 🪁 over 海 with a family 👩‍👩‍👧‍👦 and a flag 🇨🇳, thumbs 👍🏽",
    "beyond the basic plane": "𠮷野家 𝄞 \U0010fffd",
    "marks": "e\u0301 rtl: مرحبا \u200f zero\u200bwidth nbsp\u00a0 line\u2028 par\u2029",
    "escapes": "quote \" backslash \\ slash / tab \t newline \n <b>&amp;</b> %00 ${x} \x7f",
}


@sync_and_async
def test_create_and_get(ctx, inst, tasks):
    sdk = tasks()
    made = sdk.create("a lantern", ratio="16:9", resolution="720p", duration=5, generate_audio=False,
                      safety_identifier="user-7", return_last_frame=True, watermark=False, priority=3,
                      execution_expires_after=7200)
    ctx.matches("id", made.id, r"cgt-\d{14}-[a-z0-9]{5}")
    early = sdk.get(made.id)
    ctx.true("a state", early.status in ("queued", "running", "succeeded"), early.status)
    task = sdk.until(made.id, "succeeded", "failed")
    want = {"id": made.id, "model": MODEL, "status": "succeeded", "resolution": "720p", "ratio": "16:9", "duration": 5,
            "framespersecond": 24, "service_tier": "default", "execution_expires_after": 7200, "priority": 3,
            "generate_audio": False, "safety_identifier": "user-7"}
    ctx.equal("members", {name: getattr(task, name, None) for name in want}, want)
    ctx.equal("usage", (task.usage.completion_tokens, task.usage.total_tokens), (108900, 108900))
    for name in ("created_at", "updated_at", "seed"):
        ctx.true(f"{name} is an integer", type(getattr(task, name)) is int, getattr(task, name))
    ctx.true("times in order", task.created_at <= task.updated_at)
    ctx.true("a video and a frame", task.content.video_url.startswith("http") and
             task.content.last_frame_url.startswith("http"), task.content)
    ctx.equal("no error", getattr(task, "error", None), None)


@sync_and_async
def test_request_ids_are_echoed(ctx, inst, tasks):
    """What the SDK shows as request id is read from the answer."""
    raw = tasks().raw_create("an echo")
    sent = raw.http_response.request.headers["X-Client-Request-Id"]
    ctx.matches("the SDK's own", sent, r"[0-9A-Za-z]{34}")
    ctx.equal("echoed", raw.headers.get("X-Client-Request-Id"), sent)
    ctx.equal("as the SDK shows it", raw.request_id, sent)
    ctx.true("and ours", raw.headers.get("X-Request-Id") not in (None, "", sent), raw.headers)


@sync_and_async
def test_explicit_nulls(ctx, inst, tasks):
    """What was not set goes out as null and is as good as absent."""
    raw = tasks().raw_create("nulls")
    body = json.loads(raw.http_response.request.content)
    nulls = [name for name, value in body.items() if value is None]
    ctx.true("the SDK sends them", len(nulls) >= 16, body)
    ctx.equal("status", raw.http_response.status_code, 200)
    task = tasks().get(json.loads(raw.http_response.content)["id"])
    ctx.equal("defaults", (task.service_tier, task.priority, task.execution_expires_after), ("default", 0, 172800))
    raw = tasks().raw_create("more nulls", extra_body={"subdivision_level": None, "file_format": None,
                                                       "optimize_prompt": None, "reasoning_effort": None,
                                                       "human_face_mode": None, "never_heard_of": None})
    ctx.equal("unknown ones", raw.http_response.status_code, 200)


def recorded(ctx):
    """An installation whose creates are recorded on their way to the simulator."""
    if not hasattr(ctx, "recorded"):
        inst = ctx.bare()
        inst.start_sim(20)
        inst.recorder = Recorder(inst.sim)
        inst.add_upstream(url=inst.recorder.url)
        inst.token = inst.add_tenant("acme", "1000")
        inst.start_serve(SETTINGS)
        ctx.recorded = inst
    return ctx.recorded


def exact(text):
    """Parsed, with the digits of every number as they stand."""
    return json.loads(text, parse_int=str, parse_float=str)


@sync_and_async
def test_prompts_arrive_as_they_were(ctx, inst, tasks):
    inst = recorded(ctx)
    sdk = tasks(inst=inst)
    for what, prompt in PROMPTS.items():
        raw = sdk.raw_create(prompt)
        ctx.equal(f"{what}: status", raw.http_response.status_code, 200)
        got = json.loads(inst.recorder.creates[-1])
        ctx.equal(f"{what}: upstream", [item.get("text") for item in got["content"]], [prompt])
    sent = sdk.raw_create(PROMPTS["emoji"]).http_response.request.content
    escaped = os.environ["CONFORMANCE_SDK"] == "python-sdk"
    ctx.equal("one SDK sends surrogate pairs, the other UTF-8",
              (b"\\ud83e\\ude81" in sent, "🪁".encode() in sent), (escaped, not escaped))


@sync_and_async
def test_extra_body_arrives_as_it_was(ctx, inst, tasks):
    inst = recorded(ctx)
    extra = {"x_plain": "å 海 🪁", "x_numbers": [0, -1, 2**31, 2**53 - 1, 1.5, 1e-7, 0.1, 12345678901234567890],
             "x_deep": {"a": [{"b": [[], {}, None, True, False, ""]}], "": {"é": "ü"}}, "x_off": False,
             "framespersecond": 24, "X_Case": 1, "x_case": 2}
    raw = tasks(inst=inst).raw_create("with more", seed=7, extra_body=extra)
    ctx.equal("status", raw.http_response.status_code, 200)
    sent, got = exact(raw.http_response.request.content), exact(inst.recorder.creates[-1])
    ctx.equal("upstream", {name: got.get(name, "absent") for name in extra}, {name: sent[name] for name in extra})
    ctx.equal("beside the known ones", (got["seed"], got["content"]), ("7", sent["content"]))
    ctx.true("nothing of the gateway's is upstream", set(got) <= set(sent) | {"safety_identifier"}, sorted(got))


def listed(ctx, inst, tasks):
    """A tenant of the test's own with a task in every state: client, {name: id}."""
    name = f"lister-{len(inst.rows('SELECT id FROM tenant'))}"
    sdk = tasks(token=inst.add_tenant(name, "500"))
    made = {
        "succeeded": sdk.create("one").id,
        "fast": sdk.create("two", model=FAST + "-260128", resolution="480p").id,
        "failed": sdk.create("three [sim: fail=OutputVideoSensitiveContentDetected]").id,
        "expired": sdk.create("four [sim: expire]").id,
        "running": sdk.create("five [sim: queue_ms=0 stay=running]").id,
        "queued": sdk.create("six [sim: stay=queued]").id,
        "cancelled": sdk.create("seven [sim: stay=queued]").id,
    }
    for name in ("succeeded", "fast", "failed", "expired", "running"):
        sdk.until(made[name], "succeeded" if name == "fast" else name)
    sdk.delete(made["cancelled"])
    return sdk, made


@sync_and_async
def test_list_with_every_filter(ctx, inst, tasks):
    sdk, made = listed(ctx, inst, tasks)
    everything = list(reversed(made.values()))
    rows = [
        ({}, list(reversed(made))),
        ({"page_num": 1, "page_size": 500}, list(reversed(made))),
        ({"service_tier": "default"}, list(reversed(made))),
        ({"service_tier": "flex"}, []),
        ({"model": FAST}, ["fast"]),
        ({"model": FAST + "-260128"}, ["fast"]),
        ({"model": MODEL}, [name for name in reversed(made) if name != "fast"]),
        ({"status": "queued"}, ["queued"]), ({"status": "running"}, ["running"]),
        ({"status": "succeeded"}, ["fast", "succeeded"]), ({"status": "failed"}, ["failed"]),
        ({"status": "expired"}, ["expired"]), ({"status": "cancelled"}, ["cancelled"]),
        ({"task_ids": [made["failed"], NEVER, made["succeeded"]]}, ["failed", "succeeded"]),
        ({"task_ids": made["running"]}, ["running"]),
        ({"task_ids": NEVER}, []),
        ({"status": "succeeded", "model": FAST, "service_tier": "default", "task_ids": list(made.values()),
          "page_num": 1, "page_size": 10}, ["fast"]),
    ]
    for filters, names in rows:
        page = sdk.list(**filters)
        ctx.equal(f"{filters}", (page.total, [item.id for item in page.items]),
                  (len(names), [made[name] for name in names]))
    pages = [sdk.list(page_num=number, page_size=3) for number in (1, 2, 3, 4)]
    ctx.equal("pages", [[item.id for item in page.items] for page in pages],
              [everything[:3], everything[3:6], everything[6:], []])
    ctx.equal("total on every page", [page.total for page in pages], [len(made)] * 4)
    for item in sdk.list(task_ids=[made["succeeded"], made["failed"]]).items:
        alone = sdk.get(item.id)
        for name in ("status", "model", "content", "usage", "error", "created_at", "resolution", "duration"):
            ctx.equal(f"{item.status}: {name} as get has it", getattr(item, name, None), getattr(alone, name, None))


@sync_and_async
def test_failed_tasks_tell_why(ctx, inst, tasks):
    sdk = tasks()
    made = sdk.create("[sim: fail=OutputVideoSensitiveContentDetected] a boat").id
    task = sdk.until(made, "failed", "succeeded")
    ctx.equal("code", task.error.code, "OutputVideoSensitiveContentDetected")
    ctx.true("message", isinstance(task.error.message, str) and task.error.message, task.error)
    ctx.equal("no usage, no content", (getattr(task, "usage", None), getattr(task, "content", None)), (None, None))


@sync_and_async
def test_delete_in_each_state(ctx, inst, tasks):
    sdk = tasks()
    made = {"queued": sdk.create("[sim: stay=queued] a").id,
            "running": sdk.create("[sim: queue_ms=0 stay=running] b").id,
            "succeeded": sdk.create("c").id,
            "failed": sdk.create("[sim: fail=InternalServiceError] d").id,
            "expired": sdk.create("[sim: expire] e").id}
    for state in ("running", "succeeded", "failed", "expired"):
        sdk.until(made[state], state)

    with Asked(inst, 3) as asked:
        sdk.delete(made["queued"])
        ctx.equal("queued: cancelled", sdk.get(made["queued"]).status, "cancelled")
        error = sdk.refused("delete", made["queued"])
    check_conflict(ctx, "cancelled", error, "InvalidAction.CancelledTaskDeletion", made["queued"])
    ctx.equal("cancelled: asked once each", (asked.count("DELETE", 200, made["queued"]),
                                             asked.count("DELETE", 409, made["queued"])), (1, 1))

    with Asked(inst) as asked:
        error = sdk.refused("delete", made["running"])
    check_conflict(ctx, "running", error, "InvalidAction.RunningTaskDeletion", made["running"])
    ctx.equal("running: asked once", asked.count("DELETE", 409, made["running"]), 1)
    ctx.equal("running: still there", sdk.get(made["running"]).status, "running")

    for state in ("succeeded", "failed", "expired"):
        with Asked(inst, 3) as asked:
            sdk.delete(made[state])
            for call in ("get", "delete"):
                error = sdk.refused(call, made[state])
                ctx.equal(f"{state}: {call} afterwards", (type(error).__name__, error.status_code, error.code),
                          ("ArkNotFoundError", 404, "task_not_found"))
        ctx.equal(f"{state}: asked once each", [asked.count(*line, made[state]) for line in
                                                (("DELETE", 200), ("GET", 404), ("DELETE", 404))], [1, 1, 1])
        ctx.equal(f"{state}: in no list", sdk.list(task_ids=[made[state]]).total, 0)


def check_conflict(ctx, what, error, code, task_id):
    ctx.equal(what, (type(error).__name__, error.status_code, error.code, error.type),
              ("ArkConflictError", 409, code, "Conflict"))
    ctx.true(f"{what}: names the id", task_id in error.body["message"], error.body)


@sync_and_async
def test_a_lost_answer_is_no_second_task(ctx, inst, tasks):
    """Ark's answer never comes: the SDK gets an id, sends nothing twice, and the id stays good."""
    sdk, before = tasks(), inst.sim.state()["made"]
    inst.sim.fault("create", 1, drop="after")
    with Asked(inst) as asked:
        made = sdk.create("lost and found").id
    ctx.equal("asked once", asked.count("POST", 200), 1)
    ctx.equal("made once", inst.sim.state()["made"], before + 1)
    ctx.true("it can be asked after", sdk.get(made).status in ("queued", "running", "succeeded"))
    ctx.equal("it is found at Ark", sdk.until(made, "succeeded").id, made)


def test_web_search_for_text(ctx):
    inst = shared(ctx)
    sdk = Tasks(inst)
    made = sdk.create("what the sky over the old town looked like today", tools=[{"type": "web_search"}])
    ctx.matches("id", made.id, r"cgt-\d{14}-[a-z0-9]{5}")
    ctx.equal("it ends well", sdk.until(made.id, "succeeded", "failed").status, "succeeded")
    sdk.close()


def test_many_at_once_async(ctx):
    """One AsyncArk, thirty tasks in flight on its connections."""
    inst = shared(ctx)
    sdk = Tasks(inst, asynchronous=True)

    async def one(number):
        made = await sdk.sdk.create(model=MODEL, content=[{"type": "text", "text": f"boat {number}"}])
        while True:
            task = await sdk.sdk.get(task_id=made.id)
            if task.status not in ("queued", "running"):
                return made.id, task.id, task.status
            await asyncio.sleep(0.2)  # a client's pace

    async def everything():
        return await asyncio.wait_for(asyncio.gather(*(one(number) for number in range(30))), 40)

    ended = sdk.wait(everything())
    sdk.close()
    ctx.equal("thirty tasks", len({made for made, _, _ in ended}), 30)
    ctx.equal("each its own, each succeeded", [row for row in ended if row[0] != row[1] or row[2] != "succeeded"], [])
