# SPDX-License-Identifier: Apache-2.0
"""On every route, an id that the caller may not see answers the very bytes of one that
never existed, and does nothing. The routes come from the C tables: one whose operation
has no row in ASKS fails here."""
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from arkgate import BASE, CANARY, ENDPOINTS, Answer, check_canary, text_to_video, wait_for

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "docs"))
import check_reference  # noqa: E402  (reads the route tables)

# The poller and the scans stay out of what is compared.
STILL = {"poll_interval": "60s", "scan_interval": "1h", "watch_scan_interval": "1d", "unknown_release_after": "7d"}
# What a gateway writes as time goes by, whoever asks.
CLOCKWORK = ("lease", "store_commit")
DRAFTING = "doubao-seedance-1-5-pro"  # sold here: it makes videos from drafts


def by_path(method, path, asked):
    yield method, path.replace("*", asked), None
    if method == "GET":
        yield "HEAD", path.replace("*", asked), None


def by_path_with_body(method, path, asked):
    yield method, path.replace("*", asked), None
    yield method, path.replace("*", asked), {"id": asked}


def by_filter(method, path, asked):
    for query in ("filter.task_ids={}", "filter.task_ids={}&filter.task_ids=cgt-20200101000000-qqqqq",
                  "filter.task_ids=cgt-20200101000000-qqqqq%2C{}", "filter.task_ids={}&page_num=2&page_size=1",
                  "filter.task_ids={}&filter.status=queued&filter.model=doubao-seedance-2-0"):
        yield method, f"{path}?{query.format(asked)}", None


def by_nothing(method, path, asked):
    """It takes no id; what it shows is the caller's own (tests/flow/test_tenant_api.py)."""
    yield method, path, None


def by_draft(method, path, asked):
    yield method, path, {"model": DRAFTING, "content": [{"type": "draft_task", "draft_task": {"id": asked}}]}


def by_action(method, path, asked):
    """As the id of a group or an asset; of real ones see tests/flow/test_assets.py."""
    for action, body in (("GetAsset", {"Id": asked}), ("GetAssetGroup", {"Id": asked}),
                         ("CreateAsset", {"GroupId": asked, "URL": "https://files.example/a.png", "AssetType": "Image"}),
                         ("ListAssets", {"Filter": {"GroupType": "AIGC", "GroupIds": [asked]}}),
                         ("ListAssetGroups", {"Filter": {"GroupType": "AIGC", "GroupIds": [asked]}})):
        yield method, f"{path}?Action={action}&Version=2024-01-01", body


# operation: every place where a call of it can name a task.
ASKS = {
    "createTask": by_draft,
    "getBalance": by_nothing,
    "getLimits": by_nothing,
    "listTasks": by_filter,
    "getTask": by_path,
    "deleteTask": by_path_with_body,
    "callAction": by_action,
    "getFile": by_path,  # what a link opens: tests/edge/test_files.py
}


def routes():
    return sorted(check_reference.served())


def unknown_like(task_id):
    """An id of the same form that never existed: what counts bytes counts the same."""
    return task_id[:-5] + "qqqqq"


def shape(answer, asked):
    """Everything but the request id, the clock and the id asked for."""
    request_id = answer.header("X-Request-Id")
    headers = [(name, "" if name.lower() in ("x-request-id", "date") else value) for name, value in answer.headers]
    body = answer.body.decode().replace(request_id, "<request>").replace(asked, "<id>")
    return answer.status, answer.reason, headers, body


def calls(inst, token, asked):
    """{what: answer's shape} of one id on every route."""
    shapes = {}
    for method, path, operation in routes():
        for number, (sent, target, body) in enumerate(ASKS[operation](method, path, asked)):
            answer = inst.serve.call(sent, target, token, body)
            shapes[f"{sent} {path} #{number}"] = shape(answer, asked)
    return shapes


def database(inst):
    """All rows of all tables, in whichever order they lie."""
    return {table: sorted(rows, key=repr) for table, rows in inst.store.dump().items() if table not in CLOCKWORK}


def upstream_calls(inst):
    counts = inst.sim.state()["calls"]
    return {name: counts[name] for name in ("create", "get", "delete")}


@contextmanager
def nothing_happens(ctx, what, inst):
    rows, asked = database(inst), upstream_calls(inst)
    yield
    ctx.equal(f"{what}: calls upstream", upstream_calls(inst), asked)
    now = database(inst)
    ctx.equal(f"{what}: tables that changed", [table for table in now if now[table] != rows[table]], [])


def make(inst, token, marker="", until=None):
    answer = inst.serve.create(token, text_to_video(f"[sim: {marker}] a boat" if marker else "a boat", ratio="16:9"))
    if answer.status != 200:
        raise AssertionError(f"create {marker}: {answer}")
    if until:
        inst.serve.wait_until(token, answer.json["id"], (until,))
    return answer.json["id"]


def every_state(inst, token):
    """{state: minted id}: one task of this token in each state that the gateway can rest in."""
    made = {
        "queued": make(inst, token, "stay=queued"),
        "running": make(inst, token, "queue_ms=0 stay=running", "running"),
        "succeeded": make(inst, token, "queue_ms=0 run_ms=0", "succeeded"),
        "failed": make(inst, token, "queue_ms=0 run_ms=0 fail=InternalServiceError", "failed"),
        "expired": make(inst, token, "expire", "expired"),
        "cancelled": make(inst, token, "stay=queued"),
        "deleted": make(inst, token, "queue_ms=0 run_ms=0", "succeeded"),
    }
    for name in ("cancelled", "deleted"):
        answer = inst.serve.call("DELETE", f"{BASE}/{made[name]}", token)
        if answer.status != 200:
            raise AssertionError(f"DELETE of what becomes {name}: {answer}")
    minted = {name: inst.task_row(task_id)["minted_id"] for name, task_id in made.items()}
    inst.sim.fault("create", 1, drop="before")
    minted["unknown"] = make(inst, token)
    inst.sim.fault("create", 1, status=400, code="InvalidParameter", message="no")
    inst.serve.create(token, text_to_video())
    newest = inst.rows("SELECT minted_id, state FROM task ORDER BY id DESC LIMIT 1")[0]
    minted[newest["state"]] = newest["minted_id"]
    return minted


def forms(inst, minted_id):
    """Every id under which this task was ever known."""
    row = inst.task_row(minted_id)
    return sorted({row["minted_id"], row["upstream_id"] or row["minted_id"]})


def world(ctx):
    """Tasks of the tenant's own token and of one with sight of its own alone; who looks."""
    inst = ctx.shared
    if not hasattr(inst, "tasks"):
        inst.names = {"tenant": inst.token}
        for name in ("mine", "sibling"):
            inst.names[name] = inst.cli_json("token", "add", "acme", "--visibility", "own")["token"]
        inst.tasks = {"tenant": every_state(inst, inst.token), "mine": every_state(inst, inst.names["mine"])}
        inst.sim.fault("list", -1, status=500)  # nobody learns more about any of them
        inst.serve.stop()
        inst.start_serve(STILL)
        inst.cli("model", "set", DRAFTING, "sold=on")
        inst.wait_for_model(DRAFTING)
        inst.names["stranger"] = inst.add_tenant("other", "50")
        inst.names["stranger's own"] = inst.cli_json("token", "add", "other", "--visibility", "own")["token"]
        wait_for("the new tenant's tokens work", lambda: inst.serve.get(
            inst.names["stranger's own"], unknown_like("cgt-20200101000000-aaaaa")).status == 404)
    return inst


def check_hidden(ctx, inst, viewer, owner, states):
    """Each of the owner's tasks in these states is as unknown to the viewer."""
    token = inst.names[viewer]
    for state in states:
        for task_id in forms(inst, inst.tasks[owner][state]):
            never = unknown_like(task_id)
            what = f"{viewer} asks for {owner}'s {state} {task_id}"
            with nothing_happens(ctx, what, inst):
                hidden, unknown = calls(inst, token, task_id), calls(inst, token, never)
            for call, answer in unknown.items():
                ctx.equal(f"{what}: {call}", hidden[call], answer)


def test_every_route_has_its_row(ctx):
    found = routes()
    ctx.equal("operations without a row, and rows without an operation",
              {operation for _, _, operation in found} ^ set(ASKS), set())
    ctx.true("both bases are asked", {path.split("/contents")[0] for _, path, _ in found} >= {
        "/api/v3", "/volcark/api/v3"}, found)
    for method, path, operation in found:
        ctx.true(f"{method} {path}: the id of its path is asked for",
                 "*" not in path or "ID" in list(ASKS[operation](method, path, "ID"))[0][1])


def test_the_world_has_every_state(ctx):
    inst = world(ctx)
    for owner, tasks in inst.tasks.items():
        for state, minted in tasks.items():
            row = inst.task_row(minted)
            ctx.equal(f"{owner}'s {state}", "deleted" if row["deleted_us"] else row["state"], state)
    ctx.equal("states", set(inst.tasks["tenant"]), {
        "queued", "running", "succeeded", "failed", "expired", "cancelled", "deleted", "unknown", "refused"})
    answered = {state for state, minted in inst.tasks["tenant"].items()
                if inst.serve.get(inst.token, minted).status == 200}
    ctx.equal("what its tenant sees", set(inst.tasks["tenant"]) - answered, {"deleted", "refused"})


def test_another_tenant_s(ctx):
    inst = world(ctx)
    for owner, tasks in inst.tasks.items():
        check_hidden(ctx, inst, "stranger", owner, tasks)


def test_another_tenant_s_with_a_token_of_own_sight(ctx):
    inst = world(ctx)
    check_hidden(ctx, inst, "stranger's own", "mine", inst.tasks["mine"])


def test_a_sibling_s_and_the_tenant_s_own(ctx):
    inst = world(ctx)
    check_hidden(ctx, inst, "sibling", "mine", inst.tasks["mine"])
    check_hidden(ctx, inst, "mine", "tenant", inst.tasks["tenant"])


def test_one_that_is_on_its_way(ctx):
    """Between its commit and Ark's answer, under the id that nobody was told yet."""
    inst = world(ctx)
    sent = inst.sim.creates()
    inst.sim.fault("create", 1, delay_ms=5000)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(make, inst, inst.token, "stay=queued")
        wait_for("it is on its way", lambda: inst.sim.creates() > sent)
        newest = inst.rows("SELECT minted_id, state FROM task ORDER BY id DESC LIMIT 1")[0]
        ctx.equal("state", newest["state"], "submitting")
        inst.tasks["on its way"] = {"submitting": newest["minted_id"]}
        for viewer in ("stranger", "sibling"):
            check_hidden(ctx, inst, viewer, "on its way", ("submitting",))
        ctx.equal("it still was", inst.task_row(newest["minted_id"])["state"], "submitting")
        ctx.equal("its tenant gets it", inst.task_row(answer.result())["minted_id"], newest["minted_id"])
    del inst.tasks["on its way"]


def test_deleted_and_refused_are_unknown_to_their_owner(ctx):
    inst = world(ctx)
    for owner, viewers in {"tenant": ("tenant",), "mine": ("mine", "tenant")}.items():
        for viewer in viewers:
            check_hidden(ctx, inst, viewer, owner, ("deleted", "refused"))


def test_lists_hold_nobody_else_s(ctx):
    """Whole lists, and every filter, of who has no tasks: as before there were any."""
    inst = world(ctx)
    empty = json.dumps({"total": 0, "items": []}, separators=(",", ":")).encode()
    queries = ["", "?page_size=500", "?filter.model=doubao-seedance-2-0", "?filter.service_tier=default"]
    queries += [f"?filter.status={status}" for status in ("queued", "running", "cancelled", "succeeded", "failed",
                                                          "expired")]
    every = sorted({i for tasks in inst.tasks.values() for minted in tasks.values() for i in forms(inst, minted)})
    queries.append("?filter.task_ids=" + ",".join(every))
    for viewer in ("stranger", "stranger's own", "sibling"):
        for method, path, operation in routes():
            for query in queries if operation == "listTasks" else ():
                answer = inst.serve.call(method, path + query, inst.names[viewer])
                ctx.equal(f"{viewer}: {path}{query[:40]}", (answer.status, answer.body), (200, empty))
    listed = inst.serve.call("GET", f"{BASE}?page_size=500", inst.names["mine"]).json
    seen = [minted for state, minted in inst.tasks["mine"].items() if state not in ("deleted", "refused")]
    ctx.equal("own sight: total", listed["total"], len(seen))
    ctx.equal("own sight: its own", sorted(inst.task_row(item["id"])["minted_id"] for item in listed["items"]),
              sorted(seen))


def test_a_rotated_token_sees_what_the_old_one_made(ctx):
    inst = world(ctx)
    row = inst.rows("SELECT t.id FROM token t JOIN task k ON k.token_identity = t.identity WHERE k.minted_id = ?",
                    inst.tasks["mine"]["queued"])[0]
    before = {target: inst.serve.call("GET", target, inst.names["mine"]).body
              for target in (BASE, f"{BASE}/{inst.tasks['mine']['queued']}")}
    inst.names["mine rotated"] = inst.cli_json("token", "rotate", row["id"])["token"]
    for target, body in before.items():
        ctx.equal(f"the same {target}", inst.serve.call("GET", target, inst.names["mine rotated"]).body, body)
    check_hidden(ctx, inst, "mine rotated", "tenant", ("queued", "succeeded"))


def test_the_upstream_s_secrets_would_be_noticed(ctx):
    """Every answer that a test gets is searched for a word: it is there to be found."""
    inst = world(ctx)
    sent = {row["sent_model"] for row in inst.rows("SELECT sent_model FROM attempt")}
    ctx.equal("what goes upstream holds the word", sent, {ENDPOINTS["doubao-seedance-2-0"]})
    with open(inst.key_file, encoding="ascii") as file:
        ctx.true("so does the key", CANARY in file.read())
    check_canary("nothing in it", Answer(200, [("A", "b")], b"{}", "OK"))
    for what, answer in {"body": Answer(200, [], f'{{"model":"ep-{CANARY}-base"}}'.encode()),
                         "capitals": Answer(200, [], CANARY.upper().encode()),
                         "header": Answer(200, [("Via", CANARY)], b""),
                         "header's name": Answer(200, [(f"X-{CANARY}", "")], b""),
                         "reason": Answer(400, [], b"", CANARY)}.items():
        try:
            check_canary(what, answer)
        except AssertionError:
            continue
        ctx.fail(f"{what}: the word was not noticed")
