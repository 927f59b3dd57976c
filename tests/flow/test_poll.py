# SPDX-License-Identifier: Apache-2.0
"""Open tasks are asked after in batches, within the account's limits, and soon enough; what
is no answer changes nothing."""
import time

from arkgate import text_to_video, wait_for

TASKS = 100  # as many as one list call asks for


def test_a_hundred_ends_are_known_within_three_seconds(ctx):
    """One list call a second for all of them; Ark's own limits are on and never met."""
    inst = ctx.new(credit="1000", sim_arguments=["--limits", "--create-rpm", "100000"])
    prompt = "[sim: queue_ms=200 run_ms=3000] a quiet harbour"
    ids = [inst.serve.create(inst.token, text_to_video(prompt, ratio="16:9")).json["id"]
           for _ in range(TASKS)]

    def open_here():
        return inst.rows("SELECT count(*) AS n FROM task WHERE ended_us IS NULL")[0]["n"]

    # The last one's end is at most this far away; then the clock of this test runs.
    wait_for("Ark has ended all",
             lambda: inst.sim.state()["tasks"].get("succeeded", 0) == TASKS, 60, 0.05)
    ended = time.monotonic()
    wait_for("the gateway knows all ends", lambda: open_here() == 0, 30, 0.05)
    late = time.monotonic() - ended
    ctx.true("within 3 s of the last end", late <= 3.0, f"{late:.2f} s")
    state = inst.sim.state()
    ctx.equal("no call over Ark's limits", sum(state["limited"].values()), 0)
    ctx.true("in batches", state["list_ids_max"] > 20, state["list_ids_max"])
    ctx.true("lists a second", state["most_per_second"]["list"] <= 1, state["most_per_second"])
    charged = inst.account()["charged_nano"]
    ctx.equal("every one charged once", charged, TASKS * 5009400000)
    ctx.equal("all succeeded", {inst.serve.get(inst.token, i).json["status"] for i in ids},
              {"succeeded"})


def test_the_largest_batch(ctx):
    """A list may name 500 tasks; its URL is far longer than any other of ours."""
    inst = ctx.new(credit="5000", sim_arguments=["--workers", "256"])
    inst.cli("upstream", "set", "main", "batch=500")
    prompt = "[sim: queue_ms=200 run_ms=4000] a quiet harbour"
    for _ in range(300):
        inst.serve.create(inst.token, text_to_video(prompt, ratio="16:9"))
    wait_for("all ends are known", lambda: inst.rows(
        "SELECT count(*) AS n FROM task WHERE ended_us IS NULL")[0]["n"] == 0, 60, 0.1)
    ctx.true("many in one list", inst.sim.state()["list_ids_max"] > 200,
             inst.sim.state()["list_ids_max"])
    ctx.true("every list was sent", "poll_not_started" not in inst.serve.log())


def test_polls_that_fail_do_no_harm(ctx):
    inst = ctx.new(settings={"poll_interval": "100ms"})  # what follows a failure is a multiple of it
    for what, fault in {"garbage": {"malform": True}, "empty": {"empty": True}, "401": {"status": 401},
                        "500": {"status": 500}, "429": {"status": 429}, "cut": {"truncate": 20},
                        "no task": {"no_id": True}, "closed": {"drop": "after"}}.items():
        task_id = inst.serve.create(inst.token, text_to_video(f"poll {what}", ratio="16:9")).json["id"]
        for call in ("list", "get"):
            inst.sim.fault(call, 2, **fault)
        task = inst.serve.wait_until(inst.token, task_id, seconds=40)
        ctx.equal(f"{what}: end", task["status"], "succeeded")
        inst.sim.clear_faults()
        ctx.equal(f"{what}: charge", inst.cli_json("task", "show", task_id)["charge"], "5.0094")
