# SPDX-License-Identifier: Apache-2.0
"""What an operator can get wrong: other keys, a currency that the book does not have, a
server that hangs at its end."""
import os
import shutil
import threading
import time

from arkgate import text_to_video, wait_for


def test_other_keys(ctx):
    inst, other = ctx.bare(), ctx.bare()
    for name in ("master.key", "pepper.key"):
        shutil.copy(os.path.join(other.data, "keys", name), os.path.join(inst.data, "keys", name))
    inst.cli("tenant", "add", "acme", status=3)
    inst.cli("tenant", "list")  # reading needs none
    shutil.rmtree(os.path.join(inst.data, "keys"))
    inst.cli("init", status=3)
    ctx.true("init makes no keys for an old database",
             not os.path.exists(os.path.join(inst.data, "keys", "master.key")))
    inst.invariants = False  # its keys are gone for good


def test_currency_and_book(ctx):
    inst = ctx.bare()
    inst.cli("tenant", "add", "usd", "--currency", "USD", status=2)
    ctx.equal("the book's own", inst.cli_json("tenant", "add", "a")["currency"], "CNY")
    inst.cli("tenant", "add", "b", "--book", "nosuch", status=5)
    inst.cli("tenant", "set", "a", "book=nosuch", status=5)
    inst.cli("tenant", "add", "line", "--credit-line", "5000")
    audit = inst.cli_json("audit", "list")["items"]
    ctx.true("the first credit line is audited", any("5000" in str(e["detail"]) for e in audit))


def test_the_end_with_a_hung_upstream(ctx):
    """SIGTERM while Ark hangs: the create is answered with its minted id, exit in time."""
    inst = ctx.new(settings={"drain": "5s", "send_timeout": "60s", "unknown_release_after": "1s"})
    inst.sim.fault("create", 1, hang_ms=60000)
    answers = []
    client = threading.Thread(
        target=lambda: answers.append(inst.serve.create(inst.token, text_to_video())))
    client.start()
    wait_for("the create is on its way", lambda: inst.sim.state()["calls"]["create"] == 1)
    begun = time.monotonic()
    inst.serve.stop()
    client.join()
    ctx.true("within the drain time", time.monotonic() - begun < 15, time.monotonic() - begun)
    ctx.equal(f"answered: {answers}", answers[0].status, 200)
    task = inst.rows("SELECT * FROM task")[0]
    ctx.equal("with the minted id", answers[0].json["id"], task["minted_id"])
    ctx.equal("as unknown", task["state"], "unknown")
    inst.sim.clear_faults()
    inst.start_serve({"unknown_release_after": "1s", "submitting_grace": "0s",
                      "scan_interval": "500ms", "send_timeout": "1s"})


def test_twins_do_not_take_every_worker(ctx):
    """Equal keys wait for one outcome, but leave workers to the others."""
    inst = ctx.new(settings={"send_timeout": "6s", "unknown_release_after": "1s",
                             "submitting_grace": "0s", "scan_interval": "500ms", "workers": 40})
    other = inst.add_tenant("other", "10")
    inst.sim.fault("create", 1, hang_ms=5000)
    statuses = []

    def twin():
        headers = {"Idempotency-Key": "same"}
        statuses.append(inst.serve.create(inst.token, text_to_video(), headers).status)

    twins = [threading.Thread(target=twin) for _ in range(60)]
    for thread in twins:
        thread.start()
    wait_for("the surplus is refused", lambda: 503 in statuses)
    begun = time.monotonic()
    status = inst.serve.get(other, "cgt-20260101000000-aaaaa").status
    took = time.monotonic() - begun
    for thread in twins:
        thread.join()
    ctx.equal("another tenant's read", status, 404)
    ctx.true("is not held up", took < 2, f"{took:.1f} s")
    ctx.equal("the surplus is told to retry", set(statuses), {200, 503})
    inst.sim.clear_faults()
