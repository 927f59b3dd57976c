# SPDX-License-Identifier: Apache-2.0
"""The way of a task that goes well: create, poll, price, and what GET shows."""
import json
import re
from concurrent.futures import ThreadPoolExecutor

from arkgate import BASE, ENDPOINTS, text_to_video

VOLCARK = "/volcark/api/v3/contents/generations/tasks"
FAST = "doubao-seedance-2-0-fast"
# The order in which Ark sends them; what does not apply is left out.
ORDER = ["id", "model", "status", "safety_identifier", "error", "content", "usage", "created_at",
         "updated_at", "seed", "resolution", "ratio", "duration", "framespersecond", "service_tier",
         "execution_expires_after", "generate_audio", "draft", "priority"]
# Members that the official Python SDK sends as null when they are not set.
SDK_NULLS = ["safety_identifier", "callback_url", "return_last_frame", "service_tier",
             "execution_expires_after", "priority", "generate_audio", "draft", "camera_fixed",
             "watermark", "seed", "resolution", "ratio", "duration", "frames", "tools",
             "output_format", "omni_reference_task_type", "subdivision_level", "file_format",
             "optimize_prompt", "reasoning_effort", "human_face_mode"]


def check_order(ctx, what, task):
    known = [name for name in task if name in ORDER]
    ctx.equal(f"{what}: order of members", known, [name for name in ORDER if name in task])
    ctx.equal(f"{what}: members", [name for name in task if name not in ORDER], [])


def test_the_vendors_example_costs_what_it_must(ctx):
    """785,700 tokens at 26 a million."""
    inst = ctx.shared
    body = text_to_video("一艘纸船漂浮在清晨平静的水面上，电影感镜头，柔和自然光。", duration=4, ratio="16:9",
                         resolution="4k", generate_audio=False, watermark=True, return_last_frame=True,
                         execution_expires_after=3600, priority=0, safety_identifier="user-hash-001")
    answer = inst.serve.create(inst.token, body, base=VOLCARK)
    ctx.equal("create", answer.status, 200)
    ctx.equal("create's body", list(answer.json), ["id"])
    task_id = answer.json["id"]
    ctx.matches("id", task_id, r"cgt-\d{14}-[a-z0-9]{5}")
    held = inst.cli_json("task", "show", task_id)
    ctx.equal("hold", held["hold"], "20.4282")
    task = inst.serve.wait_until(inst.token, task_id)
    check_order(ctx, "succeeded", task)
    ctx.equal("status", task["status"], "succeeded")
    ctx.equal("usage", task["usage"], {"completion_tokens": 785700, "total_tokens": 785700})
    for name, want in {"model": "doubao-seedance-2-0", "resolution": "4k", "ratio": "16:9", "duration": 4,
                       "framespersecond": 24, "service_tier": "default", "generate_audio": False,
                       "execution_expires_after": 3600, "priority": 0,
                       "safety_identifier": "user-hash-001"}.items():
        ctx.equal(name, task.get(name), want)
    ctx.equal("content", sorted(task["content"]), ["last_frame_url", "video_url"])
    ctx.true("seed is an integer", type(task["seed"]) is int, task["seed"])
    shown = inst.cli_json("task", "show", task_id)
    ctx.equal("charge", shown["charge"], "20.4282")
    ctx.equal("tokens", shown["tokens"], 785700)
    ctx.equal("unit price", shown["unit_price"], "26")
    ctx.equal("currency", shown["currency"], "CNY")


def test_a_plain_720p_costs_5_0094(ctx):
    inst = ctx.shared
    before = inst.account()
    task_id = inst.serve.create(inst.token, text_to_video(ratio="16:9", duration=5)).json["id"]
    task = inst.serve.wait_until(inst.token, task_id)
    ctx.equal("tokens", task["usage"]["completion_tokens"], 108900)
    shown = inst.cli_json("task", "show", task_id)
    ctx.equal("charge", shown["charge"], "5.0094")
    ctx.equal("sku", shown["sku"], "doubao-seedance-2-0-720p-novideo")
    after = inst.account()
    ctx.equal("available fell by it", before["available_nano"] - after["available_nano"], 5009400000)
    ctx.equal("charged rose by it", after["charged_nano"] - before["charged_nano"], 5009400000)


def test_both_base_paths_are_one_store(ctx):
    inst = ctx.shared
    for made, read in ((BASE, VOLCARK), (VOLCARK, BASE)):
        task_id = inst.serve.create(inst.token, text_to_video(), base=made).json["id"]
        one = inst.serve.get(inst.token, task_id, base=read)
        ctx.equal(f"made at {made}, read at {read}", (one.status, one.json["id"]), (200, task_id))


def test_states_only_move_forward(ctx):
    inst = ctx.shared
    prompt = "a slow tide [sim: queue_ms=1500 run_ms=2500]"
    task_id = inst.serve.create(inst.token, text_to_video(prompt)).json["id"]
    seen = []

    def note(task):
        if not seen or seen[-1] != task["status"]:
            seen.append(task["status"])
        return task["status"] == "succeeded"

    first = inst.serve.get(inst.token, task_id).json
    check_order(ctx, "queued", first)
    ctx.equal("status at once", first["status"], "queued")
    for name in ("content", "usage", "seed", "error"):
        ctx.true(f"no {name} yet", name not in first, first.get(name))
    for name, want in {"resolution": "720p", "ratio": "adaptive", "duration": 5, "service_tier": "default",
                       "execution_expires_after": 172800, "priority": 0}.items():
        ctx.equal(f"{name} before the first poll", first.get(name), want)
    note(first)
    from arkgate import wait_for

    wait_for("succeeded", lambda: note(inst.serve.get(inst.token, task_id).json), 30, 0.05)
    ctx.equal("states seen", seen, ["queued", "running", "succeeded"])


def test_last_frame_only_when_asked(ctx):
    inst = ctx.shared
    for asked in (True, False, None):
        members = {} if asked is None else {"return_last_frame": asked}
        task_id = inst.serve.create(inst.token, text_to_video(**members)).json["id"]
        task = inst.serve.wait_until(inst.token, task_id)
        ctx.equal(f"last_frame_url with {asked}", "last_frame_url" in task["content"], asked is True)
        ctx.true("video_url is there", task["content"]["video_url"].startswith("http"), task["content"])


def test_the_model_is_echoed_as_it_was_asked_for(ctx):
    inst = ctx.shared
    names = {"doubao-seedance-2-0": "doubao-seedance-2-0-260128",
             "doubao-seedance-2-0-260128": "doubao-seedance-2-0-260128",
             "doubao-seedance-2-0-fast": "doubao-seedance-2-0-fast-260128",
             "doubao-seedance-2-0-fast-260128": "doubao-seedance-2-0-fast-260128",
             "doubao-seedance-2-0-mini": "doubao-seedance-2-0-mini-260615",
             "doubao-seedance-2-0-mini-260615": "doubao-seedance-2-0-mini-260615",
             "doubao-seedance-2.0-mini": "doubao-seedance-2-0-mini-260615"}
    upstream = {}
    for name, dated in names.items():
        task_id = inst.serve.create(inst.token, text_to_video(model=name, resolution="480p")).json["id"]
        ctx.equal(f"{name} at once", inst.serve.get(inst.token, task_id).json["model"], name)
        ctx.equal(f"{name} at the end", inst.serve.wait_until(inst.token, task_id)["model"], name)
        upstream[task_id] = dated
    sent = {task["id"]: task["model"] for task in inst.sim.tasks()}
    for task_id, dated in upstream.items():
        ctx.equal(f"what the simulator made of {task_id}", sent[task_id], dated)


def test_the_model_is_sent_as_the_operator_mapped_it(ctx):
    """An endpoint where there is one, else the dated id; the tenant sees neither."""
    inst = ctx.new()
    for mapped, sent in ((ENDPOINTS[FAST], ENDPOINTS[FAST]), ("", FAST + "-260128")):
        if not mapped:
            inst.serve.stop()
            inst.cli("upstream", "add", "plain", "--base-url", inst.sim.url + "/api/v3", "--api-key-file", inst.key_file)
            inst.cli("upstream", "drain", "main")
            inst.start_serve()
        task_id = inst.serve.create(inst.token, text_to_video(model=FAST, resolution="480p")).json["id"]
        task = inst.serve.wait_until(inst.token, task_id)
        ctx.equal(f"{sent}: shown", task["model"], FAST)
        ctx.equal(f"{sent}: sent", inst.rows("SELECT sent_model FROM attempt ORDER BY task_id DESC LIMIT 1")[0]
                  ["sent_model"], sent)


def test_nulls_of_the_official_sdk_count_as_absent(ctx):
    inst = ctx.shared
    body = {**text_to_video(), **{name: None for name in SDK_NULLS}}
    # The SDK's way of writing JSON: separators with blanks, everything escaped.
    raw = json.dumps(body, ensure_ascii=True).encode()
    answer = inst.serve.create(inst.token, raw, {"User-Agent": "volc-sdk-python/1.0.0",
                                                 "Accept": "application/json"})
    ctx.equal("create", answer.status, 200)
    task = inst.serve.wait_until(inst.token, answer.json["id"])
    ctx.equal("defaults", (task["resolution"], task["duration"], task["priority"]), ("720p", 5, 0))


def test_unknown_members_and_4K_go_through(ctx):
    inst = ctx.shared
    raw = (b'{"model":"doubao-seedance-2-0","resolution":"4K","seed":-1,"extra_number":12345678901234567890,'
           b'"extra":{"a":[1.50,null]},"content":[{"type":"text","text":"caf\xc3\xa9"},'
           b'{"type":"image_url","image_url":{"url":"https://example.com/a.png"},"role":"first_frame"}]}')
    answer = inst.serve.create(inst.token, raw)
    ctx.equal("create", (answer.status, answer.body[:8]), (200, b'{"id":"c'))
    ctx.equal("resolution", inst.serve.wait_until(inst.token, answer.json["id"])["resolution"], "4k")


def test_the_model_decides_the_duration(ctx):
    inst = ctx.shared
    answer = inst.serve.create(inst.token, text_to_video("minus one [sim: final_duration=7]", duration=-1,
                                                         ratio="16:9"))
    task_id = answer.json["id"]
    ctx.equal("duration at once", inst.serve.get(inst.token, task_id).json["duration"], -1)
    held = inst.cli_json("task", "show", task_id)
    ctx.equal("held for 15 s", held["hold"], "14.9454")  # 324,900 tokens at 46 a million
    task = inst.serve.wait_until(inst.token, task_id)
    ctx.equal("final duration", task["duration"], 7)
    tokens = 1280 * 720 * (24 * 7 + 1) // 1024
    ctx.equal("tokens", task["usage"]["completion_tokens"], tokens)


def test_request_ids(ctx):
    inst = ctx.shared
    plain = inst.serve.create(inst.token, text_to_video())
    ctx.true("X-Request-Id", plain.header("X-Request-Id"), plain.headers)
    ctx.equal("none asked, none echoed", plain.header("X-Client-Request-Id"), None)
    ids = set()
    for answer in (inst.serve.create(inst.token, text_to_video(), {"X-Client-Request-Id": "mine-1"}),
                   inst.serve.get(inst.token, plain.json["id"], headers={"X-Client-Request-Id": "mine-1"}),
                   inst.serve.get(inst.token, "cgt-none", headers={"X-Client-Request-Id": "mine-1"}),
                   inst.serve.get("bad", "cgt-none", headers={"X-Client-Request-Id": "mine-1"})):
        ctx.equal("X-Client-Request-Id", answer.header("X-Client-Request-Id"), "mine-1")
        ids.add(answer.header("X-Request-Id"))
        ctx.true("content type", (answer.header("Content-Type") or "").startswith("application/json"))
    ctx.equal("request ids differ", len(ids), 4)


def test_hundred_tasks_all_end_and_all_are_charged(ctx):
    """The first promise: a hundred at once, each made, finished and charged once."""
    inst = ctx.new(credit="600")
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: inst.serve.create(inst.token, text_to_video(f"n {n}", ratio="16:9")),
                                range(100)))
    ctx.equal("all made", [a.status for a in answers if a.status != 200], [])
    ids = [a.json["id"] for a in answers if a.status == 200]
    ctx.equal("all different", len(set(ids)), 100)
    ends = [inst.serve.wait_until(inst.token, task_id, seconds=60)["status"] for task_id in ids]
    ctx.equal("all succeeded", ends.count("succeeded"), 100)
    ctx.equal("charged", inst.account()["charged_nano"], 100 * 5009400000)
    ctx.equal("nothing held", inst.account()["held_nano"], 0)
    ctx.true("ids of Ark's form", all(re.fullmatch(r"cgt-\d{14}-\w+", i) for i in ids))
