# SPDX-License-Identifier: Apache-2.0
"""The catalogue as operators change it under a running gateway, and what the models before
2.0 and the web search make of a task: what Ark gets, what is held, charged and shown."""
from decimal import ROUND_HALF_UP, Decimal

from arkgate import BASE, CANARY, decimal_nano, http_call, text_to_video, wait_for

PRO = "doubao-seedance-1-5-pro"
ONE = "doubao-seedance-1-0-pro"
STANDARD = "doubao-seedance-2-0"


def prepare(ctx):
    if ctx._shared is None:
        inst = ctx._shared = ctx.new(credit="1000")
        for name, endpoint in ((PRO, "1-5-pro"), (ONE, "1-0-pro")):
            inst.cli("upstream", "set", "main", f"model.{name}=ep-{CANARY}-{endpoint}")
            inst.cli("model", "set", name, "sold=on")
        inst.wait_for_model(ONE)
        inst.other = inst.add_tenant("other", "100")
    return ctx.shared


def finished(inst, body, token=None):
    answer = inst.serve.create(token or inst.token, body)
    if answer.status != 200:
        raise AssertionError(f"create: {answer}")
    return inst.serve.wait_until(token or inst.token, answer.json["id"])


def charge_of(tokens, yuan_per_mtoken):
    exact = Decimal(tokens) * Decimal(yuan_per_mtoken) / 1000000
    return decimal_nano(exact.quantize(Decimal("0.000000001"), ROUND_HALF_UP))


def test_a_model_for_one_tenant(ctx):
    inst = prepare(ctx)
    lite = "doubao-seedance-1-0-lite-t2v"
    inst.cli("upstream", "set", "main", f"model.{lite}=ep-{CANARY}-1-0-lite-t2v")
    inst.cli("model", "set", lite, "sold=on", "--tenant", "acme")
    inst.wait_for_model(lite)
    ctx.equal("it", inst.serve.create(inst.token, text_to_video(model=lite)).status, 200)
    other = inst.serve.create(inst.other, text_to_video(model=lite))
    ctx.equal("nobody else", (other.status, other.error["code"]), (503, "service_unavailable"))
    inst.cli("model", "set", lite, "sold=off", "--tenant", "acme")
    inst.wait_for_model(lite, sold=False)


def test_an_endpoint_of_the_tenant_s_own(ctx):
    inst = prepare(ctx)
    shown = inst.cli_json("model", "set", STANDARD, "endpoint=new", "--tenant", "acme")
    endpoint = next(name for name in shown["aliases"].split() if name.startswith("ep-"))
    inst.wait_for_model(endpoint)
    task = finished(inst, text_to_video(model=endpoint))
    ctx.equal("answers speak the name that was asked for", task["model"], endpoint)
    for name in (endpoint, STANDARD, STANDARD + "-260128"):
        items = inst.serve.call("GET", f"{BASE}?filter.model={name}", inst.token).json["items"]
        ctx.true(f"found by {name}", task["id"] in [item["id"] for item in items], items)
    ctx.equal("the limits name it", [m["aliases"] for m in inst.serve.call("GET", "/gw/v1/limits", inst.token).json[
        "models"] if m["name"] == STANDARD], [[STANDARD + "-260128", endpoint]])
    other = inst.serve.create(inst.other, text_to_video(model=endpoint))
    ctx.equal("unknown to others", (other.status, other.error["code"]), (404, "InvalidEndpointOrModel.NotFound"))
    ctx.true("and not in their limits", endpoint not in inst.serve.call("GET", "/gw/v1/limits", inst.other).body.decode())


def test_an_alias_comes_and_goes(ctx):
    inst = prepare(ctx)
    inst.cli("model", "set", STANDARD, "alias=house-video")
    inst.wait_for_model("house-video")
    task = finished(inst, text_to_video(model="house-video"))
    inst.cli("model", "set", STANDARD, "unalias=house-video")
    wait_for("it is gone", lambda: inst.serve.create(inst.token, text_to_video(model="house-video")).status == 404)
    ctx.equal("its task keeps the name", inst.serve.get(inst.token, task["id"]).json["model"], "house-video")


def test_a_tenant_s_name_stays_its_own(ctx):
    inst = prepare(ctx)
    inst.cli("model", "set", STANDARD, "alias=own-name", "--tenant", "acme")
    inst.cli("model", "set", PRO, "alias=own-name", "--tenant", "other")
    for command in (("own-name", f"like={ONE}"), (ONE, "alias=own-name")):
        ran = inst.cli("model", "set", *command, status=6)
        ctx.true(f"{command}: says why", "already" in ran.stderr, ran.stderr)


def test_a_new_model(ctx):
    inst = prepare(ctx)
    inst.cli("model", "set", "house-new", f"like={STANDARD}", f"dated=ep-{CANARY}-new", "sold=on")
    wait_for("it is known", lambda: inst.serve.create(inst.token, text_to_video(model="house-new", seed=-9)).status == 400)
    answer = inst.serve.create(inst.token, text_to_video(model="house-new"))
    ctx.equal("without a price it is not for sale", (answer.status, answer.error["code"]), (503, "service_unavailable"))


def test_a_new_model_begins_as_its_pattern_is_now(ctx):
    inst = prepare(ctx)
    inst.cli("model", "set", "house-zeta", f"like={STANDARD}", "duration_max=10", "alias=house-z")
    inst.cli("model", "set", "house-alpha", "like=house-z")
    shown = inst.cli_json("model", "show", "house-alpha")
    ctx.equal("as the operator had it", (shown["duration_max"], shown["dated"], shown["sold"]),
              (10, f"{STANDARD}-260128", False))
    inst.cli("model", "set", "house-zeta", "duration_max=8")
    ctx.equal("and its own from then on", inst.cli_json("model", "show", "house-alpha")["duration_max"], 10)
    shown = inst.cli_json("model", "set", "house-z", "unalias=house-z")
    ctx.equal("a model may be named by what is taken from it", (shown["name"], shown["aliases"]), ("house-zeta", ""))
    inst.cli("model", "set", STANDARD, "alias=ours", "--tenant", "acme")
    ctx.equal("a tenant's own name will do too", inst.cli_json("model", "set", "ours", "tools=on", "--tenant", "acme")["name"],
              STANDARD)
    inst.cli("model", "set", "ours", f"like={STANDARD}", status=6)
    inst.cli("model", "set", STANDARD, "unalias=ours", "--tenant", "acme")


def test_commands_that_are_refused(ctx):
    inst = prepare(ctx)
    rows = [
        (("model", "set", STANDARD, "alias=seedance-2-0"), 2, "another vendor's name"),
        (("model", "set", STANDARD, "alias=x-filter-off"), 2, "another vendor's name"),
        (("model", "set", STANDARD, "alias=ep-20260101-abcde"), 2, "minted"),
        (("model", "set", STANDARD, f"alias={PRO}"), 6, "already"),
        (("model", "set", "seedance-2-0-fast", f"like={STANDARD}"), 2, "another vendor's name"),
        (("model", "set", "nobody", "sold=on"), 5, "like=MODEL"),
        (("model", "set", STANDARD, "endpoint=new"), 2, "--tenant"),
        (("model", "set", STANDARD, "endpoint=mine", "--tenant", "acme"), 2, "minted"),
        (("model", "set", STANDARD, "colour=blue"), 2, "colour"),
        (("model", "set", STANDARD, "sold=perhaps"), 2, "sold"),
        (("model", "set", STANDARD, "duration_min=20"), 2, "duration_min"),
        (("model", "set", STANDARD, "resolution=8k"), 2, "resolution"),
        (("model", "set", STANDARD, "sizes=720p=1x1"), 2, "is no size"),
        (("model", "set", STANDARD, "sold"), 2, "KEY=VALUE"),
        (("model", "set", STANDARD, "sold=on", "--tenant", "nobody"), 5, "tenant"),
        (("model", "set", "doubao-seedance-2-5", "sold=on"), 2, "sizes"),
        (("model", "show", "nobody"), 5, "does not exist"),
    ]
    before = inst.rows("SELECT * FROM model_setting"), inst.rows("SELECT * FROM model_alias"), len(
        inst.rows("SELECT seq FROM audit"))
    for command, status, word in rows:
        ran = inst.cli(*command, status=status)
        ctx.true(f"{' '.join(command[2:])}: says why", word in ran.stderr, ran.stderr)
    ctx.equal("nothing changed", (inst.rows("SELECT * FROM model_setting"), inst.rows("SELECT * FROM model_alias"),
                                  len(inst.rows("SELECT seq FROM audit"))), before)


def test_flex_is_half_the_price(ctx):
    inst = prepare(ctx)
    for tier, audio, yuan in (("default", True, "16"), ("default", False, "8"), ("flex", True, "8"), ("flex", False, "4")):
        task = finished(inst, text_to_video(model=PRO, service_tier=tier, generate_audio=audio, ratio="16:9"))
        ctx.equal(f"{tier} {audio}: told", (task["service_tier"], task["generate_audio"]), (tier, audio))
        ctx.equal(f"{tier} {audio}: charged", inst.hold_row(task["id"])["charge_nano"],
                  charge_of(task["usage"]["total_tokens"], yuan))
    found = inst.serve.call("GET", f"{BASE}?filter.service_tier=flex", inst.token).json
    ctx.equal("the list knows the tier", {item["service_tier"] for item in found["items"]}, {"flex"})


def test_frames_instead_of_seconds(ctx):
    inst = prepare(ctx)
    created = inst.serve.create(inst.token, text_to_video("[sim: queue_ms=300] a", model=ONE, frames=57, resolution="480p"))
    early = inst.serve.get(inst.token, created.json["id"]).json
    ctx.equal("before the first look", (early.get("frames"), early.get("duration"), early["ratio"]), (57, None, "16:9"))
    task = inst.serve.wait_until(inst.token, created.json["id"])
    ctx.equal("at the end", (task["status"], task.get("frames"), task.get("duration")), ("succeeded", 57, None))
    tokens = 864 * 480 * 58 // 1024
    ctx.equal("tokens", task["usage"]["completion_tokens"], tokens)
    hold = inst.hold_row(task["id"])
    ctx.equal("held and charged", (hold["tokens"], hold["charge_nano"]), (tokens, charge_of(tokens, "15")))
    ctx.equal("operators too", inst.cli_json("task", "show", task["id"])["frames"], 57)


def test_a_draft_and_its_video(ctx):
    inst = prepare(ctx)
    draft = finished(inst, text_to_video(model=PRO, draft=True, ratio="16:9", duration=6))
    ctx.equal("the draft", (draft["draft"], draft["resolution"], draft["duration"]), (True, "480p", 6))
    ctx.equal("is held as 480p", inst.hold_row(draft["id"])["tokens"], 864 * 496 * 145 // 1024)
    body = {"model": PRO, "content": [{"type": "draft_task", "draft_task": {"id": draft["id"]}}], "resolution": "720p"}
    video = finished(inst, body)
    ctx.equal("the video", (video["status"], video["draft_task_id"], video["resolution"], video["duration"]),
              ("succeeded", draft["id"], "720p", 6))
    sent = next(task for task in inst.sim.tasks() if task["id"] == video["id"])
    ctx.true("Ark got its own id", f'"id": "{draft["id"]}"' in sent["body"], sent["body"])
    hidden = inst.serve.create(inst.other, body)
    ctx.equal("another tenant's draft", (hidden.status, hidden.error["code"]), (404, "task_not_found"))
    unknown = inst.serve.create(inst.token, {**body, "content": [
        {"type": "draft_task", "draft_task": {"id": "cgt-20260101000000-aaaaa"}}]})
    ctx.equal("an unknown draft", (unknown.status, unknown.error["code"]), (404, "task_not_found"))


def test_a_draft_under_its_minted_id(ctx):
    inst = ctx.new(credit="100", settings={"scan_interval": "200ms", "send_timeout": "1s"})
    inst.cli("model", "set", PRO, "sold=on")
    inst.cli("upstream", "set", "main", f"model.{PRO}=ep-{CANARY}-1-5-pro")
    inst.wait_for_model(PRO)
    inst.sim.fault("create", 1, drop="after")
    draft = finished(inst, text_to_video(model=PRO, draft=True))
    row = inst.task_row(draft["id"])
    ctx.true("it is known by a minted id", row["minted_id"] == draft["id"] != row["upstream_id"], row)
    video = finished(inst, {"model": PRO, "content": [{"type": "draft_task", "draft_task": {"id": draft["id"]}}]})
    sent = next(task for task in inst.sim.tasks() if task["id"] == video["id"])
    ctx.true("Ark got its own id", f'"id": "{row["upstream_id"]}"' in sent["body"], sent["body"])
    ctx.equal("the tenant reads the one it knows", video["draft_task_id"], draft["id"])


def test_a_draft_that_ark_forgot(ctx):
    inst = prepare(ctx)
    draft = finished(inst, text_to_video(model=PRO, draft=True))
    with open(inst.key_file, encoding="ascii") as file:
        key = file.read().strip()
    gone = http_call(inst.sim.url, "DELETE", f"{BASE}/{draft['id']}", headers={"Authorization": f"Bearer {key}"})
    ctx.equal("as after 7 days", gone.status, 200)
    answer = inst.serve.create(inst.token, {"model": PRO, "content": [
        {"type": "draft_task", "draft_task": {"id": draft["id"]}}]})
    ctx.equal("a retry would not mend it", (answer.status, answer.error["code"], answer.header("x-should-retry")),
              (404, "NotFound.draft_task", "false"))


def test_web_search(ctx):
    inst = prepare(ctx)
    task = finished(inst, text_to_video("[sim: searches=3] the weather", tools=[{"type": "web_search"}], ratio="16:9"))
    ctx.equal("told", (task["tools"], task["usage"]["tool_usage"]), ([{"type": "web_search"}], {"web_search": 3}))
    ctx.equal("kept", inst.task_row(task["id"])["tool_uses"], 3)
    ctx.equal("charged by tokens alone", inst.hold_row(task["id"])["charge_nano"],
              charge_of(task["usage"]["total_tokens"], "46"))
    ctx.true("doctor says so", "web_search is not charged for" in inst.cli("doctor").stdout)
    inst.cli("model", "set", STANDARD, "tools=off", "--tenant", "acme")
    wait_for("switched off", lambda: inst.serve.create(
        inst.token, text_to_video(tools=[{"type": "web_search"}])).status == 400)
    ctx.equal("for others it is on", inst.serve.create(inst.other, text_to_video(tools=[{"type": "web_search"}])).status,
              200)
    inst.cli("model", "set", STANDARD, "tools=on", "--tenant", "acme")
