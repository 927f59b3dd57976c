# SPDX-License-Identifier: Apache-2.0
"""Whose tasks are whose: what is not visible answers as what never existed."""
import time

from arkgate import text_to_video, wait_for

NEVER = "cgt-20260101000000-zzzzz"


def shape(answer, asked):
    """An answer without what may differ: the request id and the id asked for."""
    request_id = answer.header("X-Request-Id")
    names = sorted(name.lower() for name, _ in answer.headers)
    body = answer.body.decode().replace(request_id, "<request>").replace(asked, "<id>")
    return answer.status, names, body


def test_another_tenant_s_task_never_existed(ctx):
    inst = ctx.shared
    other = inst.add_tenant("other", "50")
    mine = inst.serve.create(inst.token, text_to_video()).json["id"]
    for method in ("GET", "DELETE"):
        foreign = inst.serve.call(method, f"/api/v3/contents/generations/tasks/{mine}", other)
        unknown = inst.serve.call(method, f"/api/v3/contents/generations/tasks/{NEVER}", other)
        ctx.equal(f"{method}: the very same bytes", shape(foreign, mine), shape(unknown, NEVER))
    ctx.equal("it is still mine", inst.serve.get(inst.token, mine).status, 200)
    inst.serve.wait_until(inst.token, mine)
    minted = inst.task_row(mine)["minted_id"]
    ctx.equal("nor under its other id", inst.serve.get(other, minted).status, 404)
    ctx.equal("nothing was charged to the other", inst.account("other")["charged_nano"], 0)


def test_own_visibility(ctx):
    inst = ctx.shared
    tokens = {name: inst.cli_json("token", "add", "acme", "--visibility", "own")["token"] for name in ("a", "b")}
    by_a = inst.serve.create(tokens["a"], text_to_video()).json["id"]
    by_tenant = inst.serve.create(inst.token, text_to_video()).json["id"]
    ctx.equal("its own", inst.serve.get(tokens["a"], by_a).status, 200)
    ctx.equal("the tenant's token sees all", inst.serve.get(inst.token, by_a).status, 200)
    for task_id in (by_a, by_tenant):
        hidden = inst.serve.get(tokens["b"], task_id)
        unknown = inst.serve.get(tokens["b"], NEVER)
        ctx.equal("the very same bytes", shape(hidden, task_id), shape(unknown, NEVER))
    ctx.equal("nor what the tenant's token made", inst.serve.get(tokens["a"], by_tenant).status, 404)


def test_a_rotated_token_keeps_its_tasks(ctx):
    inst = ctx.shared
    old = inst.cli_json("token", "add", "acme", "--visibility", "own")
    task_id = inst.serve.create(old["token"], text_to_video()).json["id"]
    new = inst.cli_json("token", "rotate", old["id"])
    ctx.true("another text", new["token"] != old["token"])
    ctx.equal("sees the old one's task", inst.serve.get(new["token"], task_id).status, 200)


def test_a_suspended_tenant_reads_and_does_not_create(ctx):
    inst = ctx.shared
    token = inst.add_tenant("slow", "100000")  # it creates until it is refused
    task_id = inst.serve.create(token, text_to_video()).json["id"]
    inst.cli("tenant", "suspend", "slow")

    def refused():
        answer = inst.serve.create(token, text_to_video())
        return answer if answer.status != 200 else None

    begun = time.monotonic()
    answer = wait_for("suspension", refused, 5)
    ctx.true("within a second and a bit", time.monotonic() - begun < 1.6, time.monotonic() - begun)
    ctx.equal("create", (answer.status, answer.error["code"], answer.error["type"]),
              (403, "AccessDenied", "Forbidden"))
    ctx.equal("get works", inst.serve.get(token, task_id).status, 200)
    inst.cli("tenant", "resume", "slow")
    wait_for("resumed", lambda: inst.serve.create(token, text_to_video()).status == 200, 5)
    inst.serve.wait_until(token, task_id)


def test_a_revoked_token_ends_within_a_second(ctx):
    inst = ctx.shared
    made = inst.cli_json("token", "add", "acme")
    ctx.equal("works", inst.serve.get(made["token"], NEVER).status, 404)
    inst.cli("token", "revoke", made["id"])
    begun = time.monotonic()
    wait_for("revoked", lambda: inst.serve.get(made["token"], NEVER).status == 401, 5)
    ctx.true("within a second and a bit", time.monotonic() - begun < 1.6, time.monotonic() - begun)
    ctx.equal("create", inst.serve.create(made["token"], text_to_video()).status, 401)


def test_a_new_token_works_at_once(ctx):
    inst = ctx.shared
    made = inst.cli_json("token", "add", "acme", "--prefix", "rk", "--note", "second desk")
    ctx.true("prefix", made["token"].startswith("rk-"), made["token"][:4])
    ctx.equal("works", inst.serve.get(made["token"], NEVER).status, 404)


def test_a_token_past_its_time(ctx):
    inst = ctx.shared
    made = inst.cli_json("token", "add", "acme", "--expires", "2s")
    ctx.equal("works", inst.serve.get(made["token"], NEVER).status, 404)
    wait_for("expired", lambda: inst.serve.get(made["token"], NEVER).status == 401, 6)


def test_tokens_are_nowhere_in_clear(ctx):
    """Not in the store, not in the logs, not in a process list."""
    import os

    inst = ctx.shared
    inst.serve.get(inst.token, NEVER)
    words = [inst.token.split("-", 1)[1].encode(), b"ark-test-key-0001"]
    for folder, _, names in os.walk(inst.folder):
        for name in names:
            path = os.path.join(folder, name)
            if path == inst.key_file or not os.path.isfile(path):
                continue
            with open(path, "rb") as file:
                data = file.read()
            ctx.equal(f"secrets in {name}", [w for w in words if w in data], [])
    for process in (inst.serve, inst.sim):
        with open(f"/proc/{process.popen.pid}/cmdline", "rb") as file:
            line = file.read()
        ctx.equal(f"secrets in the arguments of {process.name}", [w for w in words if w in line], [])
