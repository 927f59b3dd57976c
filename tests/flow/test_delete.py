# SPDX-License-Identifier: Apache-2.0
"""DELETE of a task in each of its states: what goes upstream, what the tenant sees and
pays afterwards, and what operators still see."""
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from arkgate import BASE, text_to_video, wait_for

VOLCARK = "/volcark/api/v3/contents/generations/tasks"
PRICE = 5009400000
# A poller that looks seldom leaves the answer to the DELETE's own looks.
SELDOM = {"poll_interval": "60s", "cancel_timeout": "5s", "connect_timeout": "2s", "call_timeout": "3s"}
QUICK = {"gone_recheck": "1s", "poll_interval": "100ms"}
RUNNING = "InvalidAction.RunningTaskDeletion"
CANCELLED = "InvalidAction.CancelledTaskDeletion"


def seldom(ctx):
    if not hasattr(ctx, "seldom"):
        ctx.seldom = ctx.new(credit="1000", settings=SELDOM)
    ctx.seldom.sim.clear_faults()
    return ctx.seldom


def create(inst, marker="", base=BASE):
    body = text_to_video(f"[sim: {marker}] a boat" if marker else "a boat", ratio="16:9")
    answer = inst.serve.create(inst.token, body, base=base)
    if answer.status != 200:
        raise AssertionError(f"create: {answer}")
    return answer.json["id"]


def delete(inst, task_id, base=BASE, token=None, body=None):
    return inst.serve.call("DELETE", f"{base}/{task_id}", token or inst.token, body)


def upstream_status(inst, task_id):
    return next(task for task in inst.sim.tasks() if task["id"] == task_id)["status"]


def deletes(inst):
    return inst.sim.state()["calls"]["delete"]


def check_refused(ctx, what, answer, task_id, code):
    if not ctx.equal(f"{what}: status of {answer}", answer.status, 409):
        return
    ctx.equal(f"{what}: code", answer.error["code"], code)
    ctx.equal(f"{what}: type", answer.error["type"], "Conflict")
    ctx.true(f"{what}: names the id", task_id in answer.error["message"], answer.error["message"])
    ctx.equal(f"{what}: x-should-retry", answer.header("x-should-retry"), "false")


def check_done(ctx, what, answer):
    ctx.equal(f"{what}: {answer}", (answer.status, answer.body), (200, b"{}"))
    ctx.true(f"{what}: JSON", answer.header("Content-Type").startswith("application/json"))


def check_deleted(ctx, what, inst, task_id, state, hold):
    """Gone for the tenant, there for everybody else."""
    gone, never = inst.serve.get(inst.token, task_id), inst.serve.get(inst.token, "cgt-20260101000000-zzzzz")
    ctx.equal(f"{what}: gone", (gone.status, gone.error["code"]), (404, "task_not_found"))
    ctx.equal(f"{what}: as an unknown id", gone.error["message"].replace(task_id, "ID").split(" Request id")[0],
              never.error["message"].replace("cgt-20260101000000-zzzzz", "ID").split(" Request id")[0])
    again = delete(inst, task_id)
    ctx.equal(f"{what}: again", (again.status, again.error["code"]), (404, "task_not_found"))
    for query in ("?page_size=500", f"?filter.task_ids={task_id}"):
        listed = inst.serve.call("GET", BASE + query, inst.token).json
        ctx.true(f"{what}: in no list", task_id not in [item["id"] for item in listed["items"]])
    ctx.equal(f"{what}: total", listed["total"], 0)
    shown = inst.cli_json("task", "show", task_id)
    ctx.equal(f"{what}: shown", (shown["state"], shown["hold_state"]), (state, hold))
    ctx.true(f"{what}: deleted_at", shown["deleted_at"])
    ctx.equal(f"{what}: its event", shown["events"][-1]["note"], "deleted by the tenant")
    listed = [item["id"] for item in inst.cli_json("task", "list")["items"]]
    ctx.true(f"{what}: listed", task_id in listed)
    ctx.true(f"{what}: in the ledger", shown["ledger_task"] in inst.cli("ledger", "export").stdout)


def test_queued(ctx):
    inst = seldom(ctx)
    for base, read in ((BASE, VOLCARK), (VOLCARK, BASE)):
        before, sent = inst.account(), deletes(inst)
        task_id = create(inst, "stay=queued", base)
        check_done(ctx, "cancel", delete(inst, task_id, base))
        ctx.equal("one DELETE upstream", deletes(inst), sent + 1)
        ctx.equal("cancelled upstream", upstream_status(inst, task_id), "cancelled")
        task = inst.serve.get(inst.token, task_id, base=read).json
        ctx.equal("cancelled here", task["status"], "cancelled")
        ctx.true("no error, no usage", "error" not in task and "usage" not in task, task)
        after = inst.account()
        for name in ("available_nano", "held_nano", "charged_nano"):
            ctx.equal(name, after[name], before[name])
        check_refused(ctx, "again", delete(inst, task_id, base), task_id, CANCELLED)
        ctx.equal("nothing more upstream", deletes(inst), sent + 1)


def test_running(ctx):
    """By our state at once; by the first look; and by Ark's 409."""
    inst = ctx.shared
    known = create(inst, "queue_ms=0 stay=running")
    inst.serve.wait_until(inst.token, known, ("running",))
    sent = deletes(inst)
    check_refused(ctx, "known", delete(inst, known), known, RUNNING)
    ctx.equal("nothing sent", deletes(inst), sent)

    inst = seldom(ctx)
    sent = deletes(inst)
    task_id = create(inst, "queue_ms=0 run_ms=600000")
    wait_for("it runs", lambda: upstream_status(inst, task_id) == "running")
    check_refused(ctx, "seen", delete(inst, task_id), task_id, RUNNING)
    ctx.equal("no DELETE", deletes(inst), sent)
    ctx.equal("settled", inst.serve.get(inst.token, task_id).json["status"], "running")

    # The DELETE is held up until the task runs.
    task_id = create(inst, "queue_ms=1000 run_ms=600000")
    inst.sim.fault("delete", 1, delay_ms=1500)
    check_refused(ctx, "meanwhile", delete(inst, task_id), task_id, RUNNING)
    ctx.equal("settled", inst.task_row(task_id)["state"], "running")
    ctx.equal("still held", inst.hold_row(task_id)["state"], "open")


def test_ended(ctx):
    inst = ctx.shared
    for what, marker, state, hold in (("succeeded", "", "succeeded", "charged"),
                                      ("failed", "fail=InternalServiceError", "failed", "released"),
                                      ("expired", "expire", "expired", "released")):
        task_id = create(inst, marker)
        inst.serve.wait_until(inst.token, task_id)
        ctx.equal(f"{what}: state", inst.task_row(task_id)["state"], state)
        sent, before = deletes(inst), inst.account()
        check_done(ctx, what, delete(inst, task_id))
        ctx.equal(f"{what}: nothing sent", deletes(inst), sent)
        ctx.equal(f"{what}: still there upstream", upstream_status(inst, task_id), state)
        check_deleted(ctx, what, inst, task_id, state, hold)
        after = inst.account()
        ctx.equal(f"{what}: no entry", (after["seq"], after["head"]), (before["seq"], before["head"]))


def test_ended_and_not_known_here(ctx):
    """The look comes first: it is charged, then hidden, and nothing is deleted at Ark."""
    inst = seldom(ctx)
    before, sent = inst.account(), deletes(inst)
    task_id = create(inst, "queue_ms=0 run_ms=0")
    wait_for("Ark has ended it", lambda: upstream_status(inst, task_id) == "succeeded")
    ctx.equal("queued here", inst.task_row(task_id)["state"], "queued")
    check_done(ctx, "delete", delete(inst, task_id))
    ctx.equal("nothing sent", deletes(inst), sent)
    ctx.equal("charged", inst.account()["charged_nano"] - before["charged_nano"], PRICE)
    check_deleted(ctx, "late", inst, task_id, "succeeded", "charged")


def test_finished_when_the_delete_arrives(ctx):
    """Ark erases what it made and charges us: nobody is refunded on a guess."""
    inst = seldom(ctx)
    before = inst.account()
    task_id = create(inst, "stay=queued finish_before_delete")
    check_done(ctx, "delete", delete(inst, task_id))
    ctx.equal("hold", inst.hold_row(task_id)["state"], "review")
    ctx.equal("held", inst.account()["held_nano"] - before["held_nano"], PRICE)
    ctx.equal("state", inst.serve.get(inst.token, task_id).json["status"], "cancelled")
    check_refused(ctx, "again", delete(inst, task_id), task_id, CANCELLED)
    ctx.true("doctor counts it", "review" in inst.cli("doctor", "-o", "json", status=None).stdout)
    inst.cli("task", "resolve", task_id, "--charge", "5.0094", "--reason", "Ark's bill has it")
    ctx.equal("charged", inst.account()["charged_nano"] - before["charged_nano"], PRICE)


def test_ark_does_not_answer(ctx):
    """Nothing is changed by a look that fails; the poller finds out what a DELETE did."""
    inst = seldom(ctx)
    for what, fault in (("500", {"status": 500}), ("HTML", {"malform": True}), ("empty", {"empty": True}),
                        ("401", {"status": 401}), ("reset", {"drop": "reset_before"}), ("silent", {"hang_ms": 8000})):
        task_id, sent = create(inst, "stay=queued"), deletes(inst)
        inst.sim.fault("get", 9, **fault)
        answer = delete(inst, task_id)
        inst.sim.clear_faults()
        ctx.equal(f"{what}: {answer}", (answer.status, answer.error["code"]), (502, "service_error"))
        ctx.equal(f"{what}: nothing sent", deletes(inst), sent)
        ctx.equal(f"{what}: state", inst.task_row(task_id)["state"], "queued")
        ctx.equal(f"{what}: hold", inst.hold_row(task_id)["state"], "open")
        check_done(ctx, f"{what}: later", delete(inst, task_id))


def test_the_delete_s_answer_is_lost(ctx):
    inst = seldom(ctx)
    for what, fault in (("made, 500", {"status": 500, "made": True}), ("dropped", {"drop": "after"}),
                        ("HTML", {"malform": True}), ("empty", {"empty": True})):
        task_id, sent = create(inst, "stay=queued"), deletes(inst)
        inst.sim.fault("delete", 1, **fault)
        check_done(ctx, what, delete(inst, task_id))
        ctx.equal(f"{what}: sent once", deletes(inst), sent + 1)
        ctx.equal(f"{what}: state", inst.task_row(task_id)["state"], "cancelled")
    for what, fault in (("refused", {"status": 403}), ("never came", {"drop": "before"})):
        task_id = create(inst, "stay=queued")
        inst.sim.fault("delete", 1, **fault)
        answer = delete(inst, task_id)
        ctx.equal(f"{what}: {answer}", (answer.status, answer.error["code"]), (502, "service_error"))
        ctx.equal(f"{what}: state", inst.task_row(task_id)["state"], "queued")
        ctx.equal(f"{what}: hold", inst.hold_row(task_id)["state"], "open")
        check_done(ctx, f"{what}: later", delete(inst, task_id))


def test_the_poller_finds_out(ctx):
    """No look after the DELETE is answered: 502, and the poller settles what it did."""
    inst = ctx.new(credit="100", settings=QUICK)
    for marker, state, hold in (("stay=queued", "cancelled", "released"),
                                ("stay=queued finish_before_delete", "failed", "review")):
        task_id, sent = create(inst, marker), deletes(inst)
        inst.sim.fault("list", -1, status=500)  # the poller knows nothing either
        inst.sim.fault("delete", 1, hang_ms=1000)
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(delete, inst, task_id)
            wait_for("the look before", lambda: deletes(inst) > sent)
            inst.sim.fault("get", -1, status=500)
            answer = answer.result()
        state_then = inst.task_row(task_id)["state"]
        inst.sim.clear_faults()
        ctx.equal(f"{marker}: not known", state_then, "queued")
        ctx.equal(f"{marker}: {answer}", (answer.status, answer.error["code"]), (502, "service_error"))
        wait_for(f"{state} here", lambda: inst.task_row(task_id)["state"] == state, 30)
        ctx.equal(f"{marker}: hold", inst.hold_row(task_id)["state"], hold)


def test_a_look_that_is_too_old_sends_nothing(ctx):
    """Ark takes 2.5 s for a GET: what it shows may be over."""
    inst = seldom(ctx)
    task_id, sent = create(inst, "stay=queued"), deletes(inst)
    inst.sim.fault("get", 9, delay_ms=2500)
    answer = delete(inst, task_id)
    inst.sim.clear_faults()
    ctx.true(f"{answer}", answer.status in (502, 503), answer)
    ctx.equal("nothing sent", deletes(inst), sent)
    ctx.equal("state", inst.task_row(task_id)["state"], "queued")
    inst.sim.fault("get", 1, delay_ms=2500)
    check_done(ctx, "the second look is young", delete(inst, task_id))


def test_unknown_counts_as_running(ctx):
    inst = ctx.shared
    inst.sim.fault("create", 1, drop="before")
    task_id = inst.serve.create(inst.token, text_to_video(ratio="16:9")).json["id"]
    ctx.equal("unknown", inst.task_row(task_id)["state"], "unknown")
    check_refused(ctx, "unknown", delete(inst, task_id), task_id, RUNNING)
    inst.cli("task", "resolve", task_id, "--release", "--reason", "test")
    check_done(ctx, "released", delete(inst, task_id))
    check_deleted(ctx, "released", inst, task_id, "failed", "released")


def test_bodies(ctx):
    """A body, an empty one and none at all; the connection stays usable."""
    inst = seldom(ctx)
    port = int(inst.serve.url.rsplit(":", 1)[1])
    tasks = [create(inst, "stay=queued") for _ in range(4)]
    parts = [b"Content-Length: 2\r\n\r\n{}", b"Content-Length: 0\r\n\r\n", b"\r\n",
             b"Content-Type: text/plain\r\nContent-Length: 9\r\n\r\nno JSON {"]
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        for task_id, part in zip(tasks, parts):
            sock.sendall(f"DELETE {BASE}/{task_id} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {inst.token}\r\n"
                         .encode() + part)
            text = b""
            while not text.endswith(b"\r\n\r\n{}"):
                piece = sock.recv(65536)
                if not piece:
                    raise AssertionError(f"{part}: ends after {text}")
                text += piece
            ctx.true(f"{part}", text.startswith(b"HTTP/1.1 200 "), text[:200])
    for method, tail in (("POST", "/cancel"), ("DELETE", "/cancel"), ("DELETE", "")):
        answer = inst.serve.call(method, f"{BASE}/{tasks[0]}{tail}", inst.token, b"{}")
        ctx.true(f"{method} {tail}: {answer}", answer.status in (404, 409))


def test_whose_it_is(ctx):
    inst = seldom(ctx)
    task_id = create(inst, "stay=queued")
    own = inst.cli_json("token", "add", "acme", "--visibility", "own")["token"]
    other = inst.add_tenant("other", "1")
    sent = deletes(inst)
    for token in (own, other):
        foreign, never = delete(inst, task_id, token=token), delete(inst, "cgt-20260101000000-zzzzz", token=token)
        ctx.equal("404", (foreign.status, foreign.error["code"]), (404, "task_not_found"))
        ctx.equal("the very same bytes",
                  foreign.body.decode().replace(task_id, "ID").replace(foreign.header("X-Request-Id"), "R"),
                  never.body.decode().replace("cgt-20260101000000-zzzzz", "ID")
                  .replace(never.header("X-Request-Id"), "R"))
    ctx.equal("nothing sent", deletes(inst), sent)
    ctx.equal("by its minted id", delete(inst, inst.task_row(task_id)["minted_id"]).status, 200)


def test_two_at_once(ctx):
    inst = seldom(ctx)
    before = inst.account()
    for _ in range(5):
        task_id = create(inst, "stay=queued")
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: delete(inst, task_id), range(4)))
        statuses = sorted(answer.status for answer in answers)
        ctx.equal(f"one cancels {answers}", statuses, [200, 409, 409, 409])
        ctx.equal("released", inst.hold_row(task_id)["state"], "released")
    ctx.equal("available", inst.account()["available_nano"], before["available_nano"])
    # Two deletes of an ended task: one finds it.
    task_id = create(inst, "queue_ms=0 run_ms=0")
    wait_for("Ark has ended it", lambda: upstream_status(inst, task_id) == "succeeded")
    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(pool.map(lambda _: delete(inst, task_id).status, range(4)))
    ctx.equal("one deletes", statuses, [200, 404, 404, 404])
    ctx.equal("charged once", inst.account()["charged_nano"] - before["charged_nano"], PRICE)


def test_against_the_poller(ctx):
    """Tasks that move on while they are cancelled: each is charged or released, once."""
    inst = ctx.new(credit="1000", settings=QUICK)
    ids = [create(inst, f"queue_ms={200 + 90 * n} run_ms=300") for n in range(16)]
    answers = {}

    def cancel(task_id):
        while task_id not in answers:
            answer = delete(inst, task_id)
            if answer.status not in (502, 503):
                answers[task_id] = answer.status

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(cancel, ids))
    wait_for("all ended", lambda: inst.rows("SELECT count(*) AS n FROM task WHERE ended_us IS NULL")[0]["n"] == 0, 40)
    charged = 0
    for task_id in ids:
        row, hold = inst.task_row(task_id), inst.hold_row(task_id)["state"]
        charged += hold == "charged"
        ctx.equal(f"{task_id} {row['state']}: hold", hold, {"cancelled": "released", "succeeded": "charged"}[row["state"]])
        if row["deleted_us"] is None:
            ctx.equal(f"{task_id} {row['state']}: answer", answers[task_id], 200 if hold == "released" else 409)
    ctx.equal("charged", inst.account()["charged_nano"], charged * PRICE)
    ctx.true("both kinds", {"cancelled", "succeeded"} >= {inst.task_row(i)["state"] for i in ids})


def test_cancel_then_get_never_goes_back(ctx):
    inst = ctx.new(credit="100", settings=QUICK)
    task_id = create(inst, "stay=queued")
    seen, stop = [], threading.Event()

    def watch():
        while not stop.is_set():
            seen.append(inst.serve.get(inst.token, task_id).json["status"])

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        check_done(ctx, "cancel", delete(inst, task_id))
        ctx.equal("at once", inst.serve.get(inst.token, task_id).json["status"], "cancelled")
        count = len(seen)
        wait_for("more looks", lambda: len(seen) > count + 5)
    finally:
        stop.set()
        watcher.join()
    ctx.true("queued, then cancelled", seen == sorted(seen, key=["queued", "cancelled"].index), seen)


def test_a_gateway_killed_after_the_delete(ctx):
    """What the DELETE did is found out by the next one."""
    inst = ctx.new(credit="100", settings=QUICK)
    task_id = create(inst, "stay=queued")
    inst.sim.fault("delete", 1, hang_ms=3000)
    caller = threading.Thread(target=lambda: swallow(lambda: delete(inst, task_id)))
    caller.start()
    wait_for("Ark has it", lambda: upstream_status(inst, task_id) == "cancelled")
    inst.serve.kill()
    caller.join()
    inst.start_serve(QUICK)
    wait_for("cancelled here", lambda: inst.task_row(task_id)["state"] == "cancelled", 30)
    ctx.equal("released", inst.hold_row(task_id)["state"], "released")


def test_operators_cancel(ctx):
    """Through the running server and, when there is none, from the command itself."""
    inst = ctx.new(credit="100", settings=SELDOM)
    waiting, running = create(inst, "stay=queued"), create(inst, "queue_ms=0 stay=running")
    shown = inst.cli_json("task", "cancel", waiting)
    ctx.equal("cancelled", (shown["state"], shown["hold_state"]), ("cancelled", "released"))
    ctx.equal("upstream", upstream_status(inst, waiting), "cancelled")
    ctx.equal("the tenant sees it", inst.serve.get(inst.token, waiting).json["status"], "cancelled")
    inst.cli("task", "cancel", running, status=6)
    inst.cli("task", "cancel", "cgt-0", status=5)
    ended = create(inst, "queue_ms=0 run_ms=0")
    wait_for("ended", lambda: upstream_status(inst, ended) == "succeeded")
    inst.cli("task", "cancel", ended, status=6)
    ctx.equal("still visible", inst.serve.get(inst.token, ended).json["status"], "succeeded")
    alone = create(inst, "stay=queued")
    inst.serve.stop()
    ctx.equal("alone", inst.cli_json("task", "cancel", alone)["state"], "cancelled")
    actions = [row["action"] for row in inst.rows("SELECT action FROM audit")]
    ctx.equal("audited", actions.count("task.cancel"), 2)


def swallow(call):
    try:
        call()
    except OSError:
        pass  # the gateway was killed
    except Exception as error:
        if type(error).__name__ not in ("RemoteDisconnected", "BadStatusLine"):
            raise


def test_a_deleted_task_s_key_still_answers(ctx):
    inst = seldom(ctx)
    body = text_to_video("[sim: queue_ms=0 run_ms=0] once", ratio="16:9")
    first = inst.serve.create(inst.token, body, {"Idempotency-Key": "deleted-1"})
    wait_for("ended", lambda: upstream_status(inst, first.json["id"]) == "succeeded")
    check_done(ctx, "delete", delete(inst, first.json["id"]))
    made = inst.sim.creates()
    again = inst.serve.create(inst.token, body, {"Idempotency-Key": "deleted-1"})
    ctx.equal("the same id", (again.status, again.json.get("id")), (200, first.json["id"]))
    ctx.equal("nothing made", inst.sim.creates(), made)


def test_many_at_once_keep_ark_s_limits(ctx):
    inst = ctx.new(credit="1000", sim_arguments=["--limits", "--create-rpm", "100000"])
    ids = [create(inst, "stay=queued") for _ in range(30)]
    begun = time.monotonic()
    with ThreadPoolExecutor(30) as pool:
        statuses = list(pool.map(lambda task_id: delete(inst, task_id).status, ids))
    ctx.equal(f"all in {time.monotonic() - begun:.1f} s", statuses, [200] * len(ids))
    ctx.equal("no call over Ark's limits", sum(inst.sim.state()["limited"].values()), 0)


def test_lists_lose_what_is_deleted(ctx):
    """A deleted task is in no list and in no total; a cancelled one stays."""
    inst = ctx.new()
    kept, gone = (inst.serve.create(inst.token, text_to_video()).json["id"] for _ in range(2))
    for task_id in (kept, gone):
        inst.serve.wait_until(inst.token, task_id)
    ctx.equal("both", inst.serve.call("GET", BASE, inst.token).json["total"], 2)
    ctx.equal("deleted", inst.serve.call("DELETE", f"{BASE}/{gone}", inst.token).status, 200)
    for query in ("", "?filter.status=succeeded", f"?filter.task_ids={gone},{kept}"):
        answer = inst.serve.call("GET", BASE + query, inst.token).json
        ctx.equal(f"one is left in {query!r}", ([i["id"] for i in answer["items"]], answer["total"]),
                  ([kept], 1))
