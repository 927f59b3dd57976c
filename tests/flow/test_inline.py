# SPDX-License-Identifier: Apache-2.0
"""Parameters at the end of a prompt: they count for the hold and the charge, a wrong one
means the default, a member wins, and Ark gets the text as it was."""
import json

from arkgate import text_to_video

ENGINES = ("sqlite",)  # prompts, read before the store is asked

MODEL = "doubao-seedance-2-0"


def tokens(width, height, seconds):
    return width * height * (24 * seconds + 1) // 1024


LARGEST_720P = tokens(1112, 834, 5)  # adaptive, the default
ROWS = [
    # prompt's end, members, resolution, tokens held
    ("--rs 480p", {}, "480p", tokens(864, 496, 5)),
    ("--resolution 1080p", {}, "1080p", tokens(2206, 946, 5)),
    ("--rs 4K", {}, "4k", tokens(3326, 2494, 5)),
    ("--rs 4k --rt 1:1 --dur 10", {}, "4k", tokens(2880, 2880, 10)),
    ("--ratio 9:16 --duration 15", {}, "720p", tokens(720, 1280, 15)),
    ("--dur -1 --rt 16:9", {}, "720p", tokens(1280, 720, 15)),
    ("--rs 8k", {}, "720p", LARGEST_720P),
    ("--rs", {}, "720p", LARGEST_720P),
    ("--dur 3", {}, "720p", LARGEST_720P),
    ("--dur 99", {}, "720p", LARGEST_720P),
    ("--dur five", {}, "720p", LARGEST_720P),
    ("--rt 2:1", {}, "720p", LARGEST_720P),
    ("--frames 57", {}, "720p", LARGEST_720P),
    ("--rs 480p --rs 4k", {}, "4k", tokens(3326, 2494, 5)),
    ("--rs 4k and more", {}, "720p", LARGEST_720P),
    ("--RS 4k", {}, "720p", LARGEST_720P),
    ("--rs=4k", {}, "720p", LARGEST_720P),
    ("--rs 4k --fps 24 --wm true --cf false --seed 7", {}, "4k", tokens(3326, 2494, 5)),
    ("\n--rs\t480p\n--rt  16:9  ", {}, "480p", tokens(864, 496, 5)),
    ("--rs 4k --dur 15", {"resolution": "480p", "duration": 4, "ratio": "16:9"}, "480p", tokens(864, 496, 4)),
    ("--rs 4k", {"resolution": None}, "4k", tokens(3326, 2494, 5)),
]


def test_what_is_held_and_charged(ctx):
    inst = ctx.shared
    for end, members, resolution, held in ROWS:
        prompt = f"[sim: queue_ms=0 run_ms=0] a quiet harbour {end}"
        answer = inst.serve.create(inst.token, text_to_video(prompt, MODEL, **members))
        if not ctx.equal(f"{end!r}: status ({answer})", answer.status, 200):
            continue
        hold = inst.hold_row(answer.json["id"])
        ctx.equal(f"{end!r}: held", hold["tokens"], held)
        done = inst.serve.wait_until(inst.token, answer.json["id"])
        ctx.equal(f"{end!r}: resolution", done["resolution"], resolution)
        ctx.true(f"{end!r}: the hold was enough", inst.hold_row(done["id"])["loss_nano"] == 0 and
                 inst.hold_row(done["id"])["charge_nano"] <= hold["amount_nano"], inst.hold_row(done["id"]))
        sent = next(task for task in inst.sim.tasks() if task["id"] == done["id"])
        ctx.equal(f"{end!r}: as it was", json.loads(sent["body"])["content"][0]["text"], prompt)


def test_the_seed_is_told(ctx):
    inst = ctx.shared
    answer = inst.serve.create(inst.token, text_to_video("[sim: stay=queued] a boat --seed 77"))
    ctx.equal("before the first look", inst.serve.get(inst.token, answer.json["id"]).json["seed"], 77)
    answer = inst.serve.create(inst.token, text_to_video("[sim: stay=queued] a boat --seed 77", seed=5))
    ctx.equal("a member wins", inst.serve.get(inst.token, answer.json["id"]).json["seed"], 5)
    answer = inst.serve.create(inst.token, text_to_video("[sim: stay=queued] a boat --seed x"))
    ctx.true("a wrong one is none", "seed" not in inst.serve.get(inst.token, answer.json["id"]).json)


def test_a_member_is_strict_where_the_prompt_is_not(ctx):
    inst = ctx.shared
    for members, code in (({"resolution": "8k"}, "invalid_request"), ({"duration": 3}, "invalid_duration")):
        answer = inst.serve.create(inst.token, text_to_video("a boat --rs 480p --dur 5", **members))
        ctx.equal(f"{members}", (answer.status, answer.error["code"]), (400, code))
