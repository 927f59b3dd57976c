# SPDX-License-Identifier: Apache-2.0
"""One key, one task: replays, twins in flight, and what a refusal leaves behind."""
from concurrent.futures import ThreadPoolExecutor

from arkgate import text_to_video, wait_for


def test_a_replay_answers_what_was_answered(ctx):
    inst = ctx.shared
    for header in ("Idempotency-Key", "X-Idempotency-Key"):
        body = text_to_video(f"by {header}")
        first = inst.serve.create(inst.token, body, {header: f"key {header}"})
        calls = inst.sim.creates()
        again = inst.serve.create(inst.token, body, {header: f"key {header}"})
        ctx.equal("status", (first.status, again.status), (200, 200))
        ctx.equal("body", again.body, first.body)
        ctx.equal("first is no replay", first.header("Idempotent-Replayed"), None)
        ctx.equal("replay says so", again.header("Idempotent-Replayed"), "true")
        ctx.equal("nothing was sent", inst.sim.creates(), calls)
        inst.serve.wait_until(inst.token, first.json["id"])
        ended = inst.serve.create(inst.token, body, {header: f"key {header}"})
        ctx.equal("after the end too", ended.body, first.body)


def test_both_headers_and_quotes_are_one_key(ctx):
    inst = ctx.shared
    body = text_to_video("quoted")
    first = inst.serve.create(inst.token, body, {"Idempotency-Key": "same"})
    for headers in ({"Idempotency-Key": '"same"'}, {"X-Idempotency-Key": "same"}):
        again = inst.serve.create(inst.token, body, headers)
        ctx.equal(f"{headers}", (again.status, again.body), (200, first.body))


def test_another_body_is_a_conflict(ctx):
    inst = ctx.shared
    inst.serve.create(inst.token, text_to_video("one"), {"Idempotency-Key": "conflict"})
    calls = inst.sim.creates()
    answer = inst.serve.create(inst.token, text_to_video("two"), {"Idempotency-Key": "conflict"})
    ctx.equal("status and code", (answer.status, answer.error["code"], answer.error["type"]),
              (409, "idempotency_conflict", "Conflict"))
    ctx.equal("x-should-retry", answer.header("x-should-retry"), "false")
    for what, bad in (("model", text_to_video(model="nope")), ("duration", text_to_video(duration=3))):
        answer = inst.serve.create(inst.token, bad, {"Idempotency-Key": "conflict"})
        ctx.equal(f"the key is looked at before the {what}", answer.status, 409)
    ctx.equal("nothing was sent", inst.sim.creates(), calls)


def test_keys_belong_to_the_tenant(ctx):
    inst = ctx.shared
    other = inst.add_tenant("other", "50")
    one = inst.serve.create(inst.token, text_to_video("a"), {"Idempotency-Key": "shared"})
    two = inst.serve.create(other, text_to_video("b"), {"Idempotency-Key": "shared"})
    ctx.equal("both made", (one.status, two.status), (200, 200))
    ctx.true("two tasks", one.json["id"] != two.json["id"])


def test_a_refusal_stores_nothing(ctx):
    inst = ctx.shared
    key = {"Idempotency-Key": "try again"}
    bad = inst.serve.create(inst.token, text_to_video(duration=3), key)
    ctx.equal("refused here", bad.status, 400)
    inst.sim.fault("create", 1, status=400, code="InputTextSensitiveContentDetected")
    refused = inst.serve.create(inst.token, text_to_video("other"), key)
    ctx.equal("refused by Ark", (refused.status, refused.error["code"]),
              (400, "InputTextSensitiveContentDetected"))
    good = inst.serve.create(inst.token, text_to_video("third"), key)
    ctx.equal(f"then made ({good})", good.status, 200)
    ctx.equal("and it is no replay", good.header("Idempotent-Replayed"), None)


def test_an_unknown_outcome_is_replayed_too(ctx):
    inst = ctx.shared
    inst.sim.fault("create", 1, drop="after")
    key, body = {"Idempotency-Key": "lost"}, text_to_video("lost")
    first = inst.serve.create(inst.token, body, key)
    calls = inst.sim.creates()
    again = inst.serve.create(inst.token, body, key)
    ctx.equal("same answer", (again.status, again.body), (200, first.body))
    ctx.equal("replayed", again.header("Idempotent-Replayed"), "true")
    ctx.equal("nothing was sent", inst.sim.creates(), calls)
    inst.serve.wait_until(inst.token, first.json["id"], seconds=60)


def test_the_key_s_length(ctx):
    inst = ctx.shared
    ctx.equal("255", inst.serve.create(inst.token, text_to_video(), {"Idempotency-Key": "k" * 255}).status, 200)
    for what, key in (("256", "k" * 256), ("empty quotes", '""'), ("4,000", "k" * 4000)):
        calls = inst.sim.creates()
        answer = inst.serve.create(inst.token, text_to_video(), {"Idempotency-Key": key})
        ctx.equal(f"{what}: status", answer.status, 400)
        ctx.equal(f"{what}: nothing was sent", inst.sim.creates(), calls)


def hundred(ctx, inst, what, body, key):
    """A hundred equal creates at once: their answers."""
    with ThreadPoolExecutor(100) as pool:
        return list(pool.map(lambda _: inst.serve.create(inst.token, body, {"Idempotency-Key": key}), range(100)))


def test_a_hundred_twins_make_one_task(ctx):
    inst = ctx.shared
    made, calls = inst.sim.state()["made"], inst.sim.creates()
    inst.sim.fault("create", 1, delay_ms=700)
    answers = hundred(ctx, inst, "twins", text_to_video("twins"), "twins")
    ctx.equal("all 200", {a.status for a in answers}, {200})
    ctx.equal("one answer", len({a.body for a in answers}), 1)
    ctx.equal("one create", (inst.sim.creates() - calls, inst.sim.state()["made"] - made), (1, 1))
    ctx.equal("one is the first", sum(a.header("Idempotent-Replayed") is None for a in answers), 1)
    ctx.equal("one hold", len(inst.rows("SELECT 1 FROM idempotency WHERE key = 'twins'")), 1)


def test_twins_share_a_refusal(ctx):
    inst = ctx.shared
    calls = inst.sim.creates()
    inst.sim.fault("create", -1, delay_ms=700, status=400, code="InputTextSensitiveContentDetected")
    answers = hundred(ctx, inst, "refused twins", text_to_video("refused twins"), "refused twins")
    inst.sim.clear_faults()
    ctx.equal("all 400", {a.status for a in answers}, {400})
    ctx.equal("one code", {a.error["code"] for a in answers}, {"InputTextSensitiveContentDetected"})
    # Who came after the refusal was known may try again; who waited did not.
    ctx.true("far fewer than a hundred sent", inst.sim.creates() - calls <= 50, inst.sim.creates() - calls)
    held = inst.rows("SELECT t.id FROM task t JOIN hold h ON h.task = t.minted_id"
                     " WHERE t.state = 'refused' AND h.state <> 'released'")
    ctx.equal("nothing is held for a refusal", held, [])


def test_twins_of_two_bodies(ctx):
    inst = ctx.shared
    inst.sim.fault("create", 1, delay_ms=500)
    bodies = [text_to_video("left"), text_to_video("right")]
    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda n: inst.serve.create(inst.token, bodies[n % 2], {"Idempotency-Key": "two"}),
                                range(40)))
    ctx.equal("half and half", sorted(a.status for a in answers), [200] * 20 + [409] * 20)
    ctx.equal("one id", len({a.json["id"] for a in answers if a.status == 200}), 1)


def test_a_key_outlives_a_restart(ctx):
    inst = ctx.new()
    key, body = {"Idempotency-Key": "kept"}, text_to_video()
    first = inst.serve.create(inst.token, body, key)
    inst.serve.stop()
    inst.start_serve()
    again = inst.serve.create(inst.token, body, key)
    ctx.equal("same answer", (again.status, again.body), (200, first.body))
    ctx.equal("one create", inst.sim.creates(), 1)
    inst.serve.wait_until(inst.token, first.json["id"])
    wait_for("charged", lambda: inst.account()["held_nano"] == 0, 10)
