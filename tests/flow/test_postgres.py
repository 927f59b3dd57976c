# SPDX-License-Identifier: Apache-2.0
"""What holds of a database that is a server: several gateways are one to their clients,
commands write beside them, and a password comes from anywhere but the command line."""
import os

import arkgate
import postgres
from arkgate import text_to_video, wait_for

ENGINES = ("postgresql",)


def test_two_gateways_are_one(ctx):
    inst = ctx.new()
    one, two = inst.serve, inst.start_serve()
    ctx.equal("both run", inst.serves, [one, two])
    task_id = one.create(inst.token, text_to_video("[sim: stay=queued]")).json["id"]
    ctx.equal("found at the other at once", two.get(inst.token, task_id).status, 200)
    key = {"Idempotency-Key": "either"}
    answers = [serve.create(inst.token, text_to_video("either"), key) for serve in (one, two, one)]
    ctx.equal("one key, one task", len({answer.json["id"] for answer in answers}), 1)
    ctx.equal("made", inst.sim.creates(), 2)
    ctx.equal("cancelled at the other", two.call("DELETE", f"{arkgate.BASE}/{task_id}", inst.token).status, 200)
    wait_for("and here", lambda: one.get(inst.token, task_id).json["status"] == "cancelled")
    token = inst.add_tenant("late", "20")
    for serve in (one, two):
        wait_for("a new tenant is known", lambda: serve.create(token, text_to_video("late")).status == 200, 5)
    inst.cli("tenant", "suspend", "late")
    for serve in (one, two):
        wait_for("suspended", lambda: serve.create(token, text_to_video("late")).status == 403, 5)
    one.stop()
    ctx.equal("the other goes on", two.create(inst.token, text_to_video()).status, 200)


def test_passwords_do_not_come_from_the_command_line(ctx):
    inst = ctx.bare()
    user, _, rest = inst.store.url.partition("@")
    for url in (f"{user}:hunter2@{rest}", f"{inst.store.url}?password=hunter2"):
        ran = inst.cli("tenant", "list", "--data", inst.data, "--database", url, data=False, status=None)
        ctx.true(f"{url}: refused", ran.returncode in (2, 3), ran)
        ctx.true(f"{url}: and not repeated", "hunter2" not in ran.stdout + ran.stderr, ran)


def test_a_server_with_passwords_and_tls(ctx):
    with postgres.Cluster(auth="scram-sha-256", tls=True) as cluster:
        inst = arkgate.Installation(server=cluster)
        try:
            inst.start_sim()
            inst.add_upstream()
            token = inst.add_tenant()
            inst.start_serve()
            inst.serve.wait_until(token, inst.serve.create(token, text_to_video()).json["id"])
            path = os.path.join(inst.folder, "passfile")
            with open(path, "w", encoding="ascii", opener=lambda p, flags: os.open(p, flags, 0o600)) as file:
                file.write(f"*:*:*:*:{cluster.password}\n")
            inst.env = {"PGPASSFILE": path}
            inst.cli("tenant", "list")
            for what, env in (("none", {}), ("wrong", {"PGPASSWORD": "wrong"})):
                inst.env = env
                ran = inst.cli("tenant", "list", status=None)
                ctx.true(f"password {what}", ran.returncode not in (0, 2), ran)
            inst.env = inst.store.environment
            plain = inst.store.url.replace("verify-full", "disable")
            ran = inst.cli("tenant", "list", "--data", inst.data, "--database", plain, data=False, status=None)
            ctx.true("without TLS", ran.returncode not in (0, 2), ran)
            arkgate.check_invariants(inst, inst.sim)
            inst.stop()
        finally:
            inst.close()
