# SPDX-License-Identifier: Apache-2.0
"""What the gateway makes of an Ark that answers badly, late, or not at all: what is
certain is refused and released, what is not is kept and found out."""
from arkgate import text_to_video, wait_for

# Waits that a test cannot sit out are settings; see "arkgate serve --help".
QUICK = {"unknown_release_after": "3s", "submitting_grace": "1s", "connect_timeout": "2s",
         "send_timeout": "3s", "gone_recheck": "1s", "scan_interval": "500ms"}
MINTED = r"cgt-\d{14}-[a-z0-9]{16}"
PLAIN = {"ratio": "16:9"}  # 5.0094


def installation(ctx):
    if not hasattr(ctx, "quick"):
        ctx.quick = ctx.new(credit="1000", settings=QUICK)
    ctx.quick.sim.clear_faults()
    return ctx.quick


def newest(inst):
    return inst.rows("SELECT * FROM task ORDER BY id DESC LIMIT 1")[0]


def test_what_ark_refuses_for_certain(ctx):
    """The hold comes back, the tenant gets the right shape, nothing was made."""
    inst = installation(ctx)
    rows = [
        # what, fault, status, code
        ("bad key", {"status": 401}, 503, "service_unavailable"),
        ("no access", {"status": 403}, 503, "service_unavailable"),
        ("overdue", {"status": 403, "code": "AccountOverdueError"}, 503, "service_unavailable"),
        ("overdue, as 402", {"status": 402, "code": "AccountOverdueError"}, 503, "service_unavailable"),
        ("endpoint closed", {"status": 400, "code": "InvalidEndpoint.ClosedEndpoint"}, 503, "service_unavailable"),
        ("no subscription", {"status": 400, "code": "InvalidSubscription"}, 503, "service_unavailable"),
        ("an id in the code", {"status": 400, "code": "InvalidParameter.ep-20260101000000-abcde"}, 400,
         "InvalidParameter"),
        ("nothing but one", {"status": 400, "code": "ep-20260101000000-abcde"}, 400, "InvalidParameter"),
        ("sensitive", {"status": 400, "code": "InputTextSensitiveContentDetected"}, 400,
         "InputTextSensitiveContentDetected"),
        ("invalid", {"status": 400, "code": "InvalidParameter"}, 400, "InvalidParameter"),
        ("a draft that Ark erased", {"status": 404, "code": "NotFound.draft_task", "message": "The draft is gone."}, 404,
         "NotFound.draft_task"),
        ("an endpoint that is none", {"status": 404, "code": "InvalidEndpointOrModel.NotFound"}, 503,
         "service_unavailable"),
        ("a closed endpoint", {"status": 400, "code": "InvalidEndpoint.ClosedEndpoint"}, 503, "service_unavailable"),
        ("not opened", {"status": 404, "code": "ModelNotOpen"}, 503, "service_unavailable"),
        ("too many", {"status": 429}, 429, None),
        ("Ark's own 500", {"status": 500}, 502, "service_error"),
    ]
    for what, fault, status, code in rows:
        before, made = inst.account(), inst.sim.state()["made"]
        inst.sim.fault("create", 1, **fault)
        answer = inst.serve.create(inst.token, text_to_video(what, **PLAIN))
        if ctx.equal(f"{what}: status of {answer}", answer.status, status) and code:
            ctx.equal(f"{what}: code", answer.error["code"], code)
        after = inst.account()
        for name in ("available_nano", "held_nano", "charged_nano"):
            ctx.equal(f"{what}: {name}", after[name], before[name])
        ctx.equal(f"{what}: nothing made", inst.sim.state()["made"], made)
        task = newest(inst)
        ctx.equal(f"{what}: state", task["state"], "refused")
        ctx.equal(f"{what}: hidden", inst.serve.get(inst.token, task["minted_id"]).status, 404)
        ctx.equal(f"{what}: hold", inst.hold_row(task["minted_id"])["state"], "released")


def test_ark_s_words_without_its_ids(ctx):
    inst = installation(ctx)
    text = "The account 2100000123 may not use ep-20260101000000-abcde for this."
    inst.sim.fault("create", 1, status=400, code="InvalidParameter", message=text)
    answer = inst.serve.create(inst.token, text_to_video())
    message = answer.error["message"]
    ctx.equal("status", answer.status, 400)
    for leak in ("2100000123", "ep-20260101000000-abcde"):
        ctx.true(f"{leak} is removed", leak not in message, message)
    ctx.equal("one request id, ours", message.count("Request id:"), 1)
    ctx.true("ends in it", message.endswith(answer.header("X-Request-Id")), message)


def test_too_many_tells_when(ctx):
    inst = installation(ctx)
    inst.sim.fault("create", 1, status=429)
    answer = inst.serve.create(inst.token, text_to_video())
    ctx.equal("status", answer.status, 429)
    ctx.true("Retry-After", int(answer.header("Retry-After") or 0) >= 1, answer.headers)


def test_made_but_the_answer_is_lost(ctx):
    """200 with an id of ours at once; the gateway finds Ark's task and charges it."""
    inst = installation(ctx)
    rows = {
        "HTML": {"malform": True}, "empty": {"empty": True}, "no id": {"no_id": True},
        "closed": {"drop": "after"}, "reset": {"drop": "reset_after"}, "cut": {"truncate": 5},
        "foreign 502": {"status": 502, "malform": True, "made": True}, "silence": {"hang_ms": 20000},
    }
    made = {}
    for what, fault in rows.items():
        before = inst.account()
        inst.sim.fault("create", 1, **fault)
        calls = inst.sim.creates()
        answer = inst.serve.create(inst.token, text_to_video(f"lost {what}", **PLAIN))
        if not ctx.equal(f"{what}: status of {answer}", answer.status, 200):
            continue
        ctx.equal(f"{what}: sent once", inst.sim.creates(), calls + 1)
        made[what] = answer.json["id"]
        ctx.matches(f"{what}: id", made[what], MINTED)
        now = inst.serve.get(inst.token, made[what])
        ctx.equal(f"{what}: it can be read", now.status, 200)
        ctx.true(f"{what}: as Ark's states", now.json["status"] in ("queued", "running", "succeeded"), now)
        ctx.equal(f"{what}: still held or charged", before["available_nano"] - inst.account()["available_nano"],
                  5009400000)
    for what, task_id in made.items():
        task = inst.serve.wait_until(inst.token, task_id, seconds=40)
        ctx.equal(f"{what}: end", task["status"], "succeeded")
        ctx.equal(f"{what}: id stays", task["id"], task_id)
        row = inst.task_row(task_id)
        ctx.true(f"{what}: has Ark's id", row["upstream_id"] and row["upstream_id"] != task_id, row)
        ctx.equal(f"{what}: Ark's id answers too", inst.serve.get(inst.token, row["upstream_id"]).json["id"], task_id)
        ctx.true(f"{what}: no identifier of ours shows", "safety_identifier" not in task, task)
        ctx.equal(f"{what}: charge", inst.cli_json("task", "show", task_id)["charge"], "5.0094")


def test_nobody_knows_and_nothing_was_made(ctx):
    """The bytes left and no answer came; released only after clean scans."""
    inst = installation(ctx)
    rows = {"closed": {"drop": "before"}, "reset": {"drop": "reset_before"},
            "foreign 502": {"status": 502, "malform": True}}
    before = inst.account()
    ids = {}
    for what, fault in rows.items():
        made = inst.sim.state()["made"]
        inst.sim.fault("create", 1, **fault)
        answer = inst.serve.create(inst.token, text_to_video(f"gone {what}", **PLAIN))
        if ctx.equal(f"{what}: status of {answer}", answer.status, 200):
            ids[what] = answer.json["id"]
        ctx.equal(f"{what}: nothing made", inst.sim.state()["made"], made)
    ctx.equal("held meanwhile", inst.account()["held_nano"] - before["held_nano"], len(ids) * 5009400000)
    for what, task_id in ids.items():
        task = inst.serve.wait_until(inst.token, task_id, seconds=60)
        ctx.equal(f"{what}: end", task["status"], "failed")
        ctx.equal(f"{what}: code", task["error"]["code"], "InternalServiceError")
        ctx.equal(f"{what}: hold", inst.hold_row(task_id)["state"], "released")
    ctx.equal("all came back", inst.account()["available_nano"], before["available_nano"])


def test_nobody_listens(ctx):
    """Not one byte left: certain, so refused and released."""
    inst = ctx.new()
    inst.sim.stop()
    answer = inst.serve.create(inst.token, text_to_video())
    ctx.equal(f"status of {answer}", answer.status, 502)
    ctx.equal("code", answer.error["code"], "service_error")
    ctx.equal("balance", inst.account()["available_nano"], 100 * 10**9)
    ctx.equal("attempt", inst.rows("SELECT state FROM attempt")[0]["state"], "refused")


def test_no_upstream(ctx):
    inst = ctx.bare()
    token = inst.add_tenant()
    inst.start_serve()
    answer = inst.serve.create(token, text_to_video())
    ctx.equal("status and code", (answer.status, answer.error["code"]), (503, "service_unavailable"))
    ctx.equal("balance", inst.account()["available_nano"], 100 * 10**9)


def test_a_slow_answer_is_still_an_answer(ctx):
    inst = installation(ctx)
    inst.sim.fault("create", 1, drip=20)
    answer = inst.serve.create(inst.token, text_to_video())
    ctx.equal("status", answer.status, 200)
    ctx.matches("Ark's id", answer.json["id"], r"cgt-\d{14}-[a-z0-9]{5}")


def test_failed_and_expired_cost_nothing(ctx):
    inst = installation(ctx)
    wait_for("nothing else is open", lambda: not inst.rows("SELECT 1 FROM task WHERE ended_us IS NULL"), 40)
    for marker, status in (("fail=OutputVideoSensitiveContentDetected", "failed"), ("expire", "expired")):
        before = inst.account()["available_nano"]
        task_id = inst.serve.create(inst.token, text_to_video(f"a [sim: {marker}]", **PLAIN)).json["id"]
        task = inst.serve.wait_until(inst.token, task_id)
        ctx.equal(f"{marker}: status", task["status"], status)
        ctx.true(f"{marker}: no usage", "usage" not in task and "content" not in task, task)
        if status == "failed":
            ctx.equal(f"{marker}: code", task["error"]["code"], "OutputVideoSensitiveContentDetected")
        ctx.equal(f"{marker}: hold", inst.hold_row(task_id)["state"], "released")
        ctx.equal(f"{marker}: balance", inst.account()["available_nano"], before)


def test_the_final_values_decide_the_price(ctx):
    inst = installation(ctx)
    rows = [
        # marker, asked, tokens, charge
        ("final_resolution=1080p", PLAIN, 245025, "12.496275"),  # 51 a million
        ("final_resolution=480p", PLAIN, 50638, "2.329348"),
        ("final_ratio=1:1", {"ratio": "21:9"}, 108900, "5.0094"),
        ("final_duration=4", {"ratio": "16:9"}, 87300, "4.0158"),
        ("usage=100000", PLAIN, 100000, "4.6"),
        ("usage=1", PLAIN, 1, "0.000046"),
        ("usage=0", PLAIN, 0, "0"),
    ]
    for marker, asked, tokens, charge in rows:
        task_id = inst.serve.create(inst.token, text_to_video(f"a [sim: {marker}]", **asked)).json["id"]
        task = inst.serve.wait_until(inst.token, task_id)
        ctx.equal(f"{marker}: tokens", task["usage"]["completion_tokens"], tokens)
        shown = inst.cli_json("task", "show", task_id)
        ctx.equal(f"{marker}: charge", shown["charge"], charge)


def test_a_charge_above_the_hold_stops_at_the_line(ctx):
    inst = installation(ctx)
    inst.cli("tenant", "add", "thin", "--credit", "6")
    token = inst.cli_json("token", "add", "thin")["token"]
    task_id = inst.serve.create(token, text_to_video("a [sim: final_resolution=1080p]", **PLAIN)).json["id"]
    inst.serve.wait_until(token, task_id)
    account = inst.account("thin")
    ctx.equal("available", account["available_nano"], 0)
    ctx.equal("charged in all", account["charged_nano"], 12496275000)
    ctx.equal("the platform's loss", abs(account["loss_nano"]), 6496275000)


def test_unbelievable_usage_goes_to_review(ctx):
    inst = installation(ctx)
    for usage in ("missing", "negative", "huge", "500000"):  # the last: over four times the hold
        before = inst.account()
        task_id = inst.serve.create(inst.token, text_to_video(f"a [sim: usage={usage}]", **PLAIN)).json["id"]
        task = inst.serve.wait_until(inst.token, task_id)
        ctx.equal(f"{usage}: the tenant has its video", task["status"], "succeeded")
        ctx.equal(f"{usage}: hold", inst.hold_row(task_id)["state"], "review")
        after = inst.account()
        ctx.equal(f"{usage}: held", after["held_nano"] - before["held_nano"], 5009400000)
        ctx.equal(f"{usage}: charged", after["charged_nano"], before["charged_nano"])
    ctx.true("doctor counts them", "review" in inst.cli("doctor", "-o", "json", status=None).stdout)
    inst.cli("task", "resolve", task_id, "--charge", "1.5", "--reason", "agreed with the tenant")
    ctx.equal("resolved", inst.hold_row(task_id)["state"], "charged")
    ctx.equal("by that much", inst.account()["charged_nano"] - before["charged_nano"], 1500000000)


def test_a_task_that_ark_forgets(ctx):
    """404 twice, some time apart: failed for the tenant, the hold for an operator."""
    inst = installation(ctx)
    task_id = inst.serve.create(inst.token, text_to_video("a [sim: vanish]", **PLAIN)).json["id"]
    task = inst.serve.wait_until(inst.token, task_id, seconds=60)
    ctx.equal("status", task["status"], "failed")
    ctx.equal("hold", inst.hold_row(task_id)["state"], "review")


def test_a_gateway_killed_between_forgets_nothing(ctx):
    """kill -9 while tasks are open; the next one goes on and charges each once."""
    inst = ctx.new(settings=QUICK)
    ids = [inst.serve.create(inst.token, text_to_video(f"k {n}", **PLAIN)).json["id"] for n in range(5)]
    inst.serve.kill()
    inst.start_serve(QUICK)
    for task_id in ids:
        ctx.equal("end", inst.serve.wait_until(inst.token, task_id, seconds=40)["status"], "succeeded")
    ctx.equal("charged once each", inst.account()["charged_nano"], 5 * 5009400000)
    ctx.equal("five made", inst.sim.state()["made"], 5)


def test_created_once_over_a_reused_connection(ctx):
    """The simulator closes the connection of every second create before answering."""
    inst = installation(ctx)
    for n in range(6):
        if n % 2:
            inst.sim.fault("create", 1, drop="after")
        calls = inst.sim.creates()
        inst.serve.create(inst.token, text_to_video(f"once {n}", **PLAIN))
        ctx.equal(f"create {n} was sent once", inst.sim.creates(), calls + 1)

    def settled():
        return inst.rows("SELECT count(*) AS n FROM task WHERE ended_us IS NULL")[0]["n"] == 0

    wait_for("all ended", settled, 40, 0.2)
