# SPDX-License-Identifier: Apache-2.0
"""The command line: shapes, exit codes, output forms, and commands beside a server."""
import csv
import io
import json
import os
import stat
import time

from arkgate import http_call, text_to_video, wait_for


def installation(ctx):
    """No gateway runs: every command writes by itself."""
    if not hasattr(ctx, "plain"):
        ctx.plain = ctx.bare()
    return ctx.plain


def test_init_makes_private_files_and_never_overwrites(ctx):
    inst = installation(ctx)
    ctx.equal("mode of the folder", stat.S_IMODE(os.stat(inst.data).st_mode) & 0o077, 0)
    keys = {}
    for folder, _, names in os.walk(inst.data):
        for name in names:
            path = os.path.join(folder, name)
            ctx.equal(f"mode of {name}", stat.S_IMODE(os.stat(path).st_mode) & 0o077, 0)
            if name.endswith(".key"):
                with open(path, "rb") as file:
                    keys[path] = file.read()
    ctx.equal("two keys", len(keys), 2)
    ran = inst.cli("init", status=None)
    ctx.true("a second init is harmless", ran.returncode in (0, 6), ran)
    for path, before in keys.items():
        with open(path, "rb") as file:
            ctx.equal(f"{os.path.basename(path)} stays", file.read(), before)


def test_tenants(ctx):
    inst = installation(ctx)
    added = inst.cli_json("tenant", "add", "north", "--credit", "12.5")
    ctx.has("add", added, ["book", "credit_line", "currency", "id", "name"])
    ctx.equal("values", (added["name"], added["currency"], added["book"]), ("north", "CNY", "ark-cny"))
    ctx.true("amounts are decimal text", isinstance(added["credit_line"], str), added)
    inst.cli("tenant", "add", "north", status=6)
    for name in ("", "UPPER", "with space", "-dash", "a" * 65, "a/b", "a'b", "ä"):
        ctx.equal(f"name {name!r}", inst.cli("tenant", "add", "--", name, status=None).returncode, 2)
    listed = inst.cli_json("tenant", "list")
    ctx.equal("list", (sorted(listed), [t["name"] for t in listed["items"]]), (["items", "next"], ["north"]))
    shown = inst.cli_json("tenant", "show", "north")
    ctx.equal("show", shown["name"], "north")
    inst.cli("tenant", "show", "south", status=5)
    inst.cli("tenant", "suspend", "south", status=5)


def test_tokens(ctx):
    inst = installation(ctx)
    inst.cli("tenant", "add", "keys")
    added = inst.cli_json("token", "add", "keys")
    ctx.has("add", added, ["expires_at", "id", "prefix", "tenant", "token", "visibility"])
    ctx.matches("token", added["token"], r"oh-[0-9A-Za-z]{38}")
    ctx.equal("values", (added["tenant"], added["visibility"], added["prefix"]), ("keys", "tenant", "oh"))
    table = inst.cli("token", "list").stdout + inst.cli("token", "list", "-o", "json").stdout
    ctx.true("shown once", added["token"] not in table and added["id"] in table, table)
    inst.cli("token", "add", "nobody", status=5)
    ctx.equal("bad visibility", inst.cli("token", "add", "keys", "--visibility", "all", status=None).returncode, 2)
    ctx.equal("bad expiry", inst.cli("token", "add", "keys", "--expires", "soon", status=None).returncode, 2)
    ctx.equal("bad prefix", inst.cli("token", "add", "keys", "--prefix", "a-b", status=None).returncode, 2)
    inst.cli("token", "revoke", added["id"])
    inst.cli("token", "revoke", "tok-nothing", status=5)
    date = inst.cli_json("token", "add", "keys", "--expires", "90d")
    ctx.true("expiry", date["expires_at"], date)


def test_upstreams(ctx):
    inst = installation(ctx)
    inst.cli("upstream", "add", "main", "--base-url", "http://127.0.0.1:9/api/v3", "--api-key-file", inst.key_file)
    inst.cli("upstream", "add", "main", "--base-url", "http://127.0.0.1:9/api/v3", "--api-key-file", inst.key_file,
             status=6)
    listed = inst.cli("upstream", "list", "-o", "json").stdout
    ctx.true("no key in it", "ark-test-key" not in listed, listed)
    ctx.equal("list", [u["name"] for u in json.loads(listed)["items"]], ["main"])
    inst.cli("upstream", "set", "main", "inject=off", "weight=5", "model.doubao-seedance-2-0=ep-20260101000000-abcde")
    ctx.equal("bad key", inst.cli("upstream", "set", "main", "color=red", status=None).returncode, 2)
    ctx.equal("bad value", inst.cli("upstream", "set", "main", "weight=0", status=None).returncode, 2)
    ctx.equal("no such file", inst.cli("upstream", "add", "b", "--base-url", "http://127.0.0.1:9/api/v3",
                                       "--api-key-file", "/nonexistent", status=None).returncode not in (0,), True)
    for url in ("ftp://a/b", "127.0.0.1:9", "http://", "http://user:pw@127.0.0.1/api/v3", "http://127.0.0.1/a b"):
        ctx.equal(f"url {url}", inst.cli("upstream", "add", "c", "--base-url", url, "--api-key-file", inst.key_file,
                                         status=None).returncode, 2)
    ctx.equal("a dead one fails its test", inst.cli("upstream", "test", "main", status=None).returncode, 8)
    inst.cli("upstream", "drain", "main")
    inst.cli("upstream", "remove", "main")
    inst.cli("upstream", "test", "nobody", status=5)


def test_usage_errors(ctx):
    inst = installation(ctx)
    for arguments in (("nonsense",), ("tenant",), ("tenant", "nonsense"), ("tenant", "add"), ("credit", "add", "x"),
                      ("tenant", "list", "--nonsense"), ("tenant", "list", "-o", "xml"), ("tenant", "list", "extra"),
                      ("token", "add", "x", "--note")):
        ran = inst.cli(*arguments, status=None)
        ctx.equal(f"{arguments}: exit", ran.returncode, 2)
        ctx.equal(f"{arguments}: stdout", ran.stdout, "")
        ctx.true(f"{arguments}: says why", ran.stderr.strip(), ran.stderr)
    ran = inst.cli("--help", data=False)
    for command in ("init", "serve", "sim", "tenant", "token", "access-key", "upstream", "credit", "task", "ledger",
                    "audit", "asset", "backup", "doctor", "demo"):
        ctx.true(f"help names {command}", command in ran.stdout, ran.stdout)
    ran = inst.cli("--version", data=False)
    ctx.matches("version", ran.stdout.strip(), r"arkgate \d+\.\d+\.\d+.*")


def test_a_missing_or_wrong_data_directory(ctx):
    inst = installation(ctx)
    nowhere = os.path.join(inst.folder, "nowhere")
    ran = inst.cli("tenant", "list", "--data", nowhere, status=None, data=False)
    ctx.true("fails", ran.returncode in (3, 5), ran)
    ctx.true("makes nothing", not os.path.exists(nowhere))
    ctx.equal("a bad setting", inst.cli("serve", "--listen", "nonsense", status=None).returncode, 3)
    ctx.equal("a bad environment", inst.cli("serve", status=None, env={"ARKGATE_NONSENSE": "1"}).returncode, 3)


def test_output_forms(ctx):
    inst = installation(ctx)
    inst.cli("tenant", "add", "forms", "--credit", "3.25")
    document = inst.cli_json("tenant", "show", "forms")
    rows = list(csv.DictReader(io.StringIO(inst.cli("tenant", "list", "-o", "csv").stdout)))
    ctx.true("csv", "forms" in [row["name"] for row in rows], rows)
    table = inst.cli("tenant", "list").stdout
    ctx.true("table", "forms" in table and "\x1b[" not in table, table)
    ctx.true("a document", isinstance(document, dict), document)
    before = inst.cli("--data", inst.data, *inst.options, "-o", "json", "tenant", "show", "forms", data=False)
    ctx.equal("options before the command", json.loads(before.stdout), document)


def test_secrets_do_not_come_from_the_command_line(ctx):
    inst = installation(ctx)
    ran = inst.cli("upstream", "add", "argv", "--base-url", "http://127.0.0.1:9/api/v3", "--api-key", "x" * 20,
                   status=None)
    ctx.equal("refused", ran.returncode, 2)
    piped = inst.cli("upstream", "add", "piped", "--base-url", "http://127.0.0.1:9/api/v3", "--api-key-file", "-",
                     stdin="ark-test-key-0002\n", status=None)
    ctx.equal(f"from stdin ({piped.stderr})", piped.returncode, 0)


def test_commands_beside_a_server(ctx):
    """What they change holds within a second."""
    inst = ctx.shared
    token = inst.add_tenant("beside", "20")
    ctx.equal("a new token works", inst.serve.create(token, text_to_video()).status, 200)
    inst.cli("tenant", "suspend", "beside")
    begun = time.monotonic()
    wait_for("suspended", lambda: inst.serve.create(token, text_to_video()).status == 403, 5)
    ctx.true("within a second and a bit", time.monotonic() - begun < 1.6)
    ran = inst.cli("tenant", "add", "beside", status=6)
    ctx.true("errors come back too", "beside" in ran.stderr, ran.stderr)


def test_task_list_and_show(ctx):
    inst = ctx.shared
    ids = [inst.serve.create(inst.token, text_to_video(f"t {n}", ratio="16:9")).json["id"] for n in range(3)]
    for task_id in ids:
        inst.serve.wait_until(inst.token, task_id)
    shown = inst.cli_json("task", "show", ids[0])
    ctx.has("show", shown, ["id", "upstream_id", "tenant", "token", "model", "state", "sku", "size", "seconds",
                            "tokens", "unit_price", "unit", "currency", "hold", "charge", "explanation", "events"])
    ctx.equal("values", (shown["id"], shown["tenant"], shown["state"], shown["seconds"], shown["tokens"],
                         shown["charge"], shown["unit_price"]),
              (ids[0], "acme", "succeeded", 5, 108900, "5.0094", "46"))
    ctx.true("explains itself", "5.0094" in json.dumps(shown["explanation"]), shown["explanation"])
    ctx.true("events", [e["to"] for e in shown["events"]][-1] == "succeeded", shown["events"])
    listed = inst.cli_json("task", "list", "--tenant", "acme")
    ctx.equal("list, newest first", [t["id"] for t in listed["items"]][:3], ids[::-1])
    page = inst.cli_json("task", "list", "--limit", "2")
    ctx.equal("a page", (len(page["items"]), page["next"] is not None), (2, True))
    inst.cli("task", "show", "cgt-none", status=5)


def test_ledger_and_audit_lists(ctx):
    inst = ctx.shared
    task_id = inst.serve.create(inst.token, text_to_video(ratio="16:9")).json["id"]
    inst.serve.wait_until(inst.token, task_id)
    wait_for("charged", lambda: inst.hold_row(task_id)["state"] == "charged", 10)
    entries = inst.cli_json("ledger", "list", "acme")["items"]
    mine = [e for e in entries if e.get("task") == inst.task_row(task_id)["minted_id"]]
    ctx.equal("hold and charge", [e["kind"] for e in mine][:2], ["hold", "charge"])
    ctx.equal("amounts are text", [e["amount"] for e in mine][:2], ["5.0094", "5.0094"])
    audit = inst.cli_json("audit", "list")["items"]
    ctx.true("adding a tenant is audited", "tenant.add" in [e["action"] for e in audit], audit[:3])
    ctx.true("no secret in it", inst.token not in json.dumps(audit))


def test_doctor(ctx):
    inst = ctx.shared
    ran = inst.cli("doctor", "-o", "json", status=None)
    ctx.true("one document", isinstance(json.loads(ran.stdout), dict), ran.stdout)
    ctx.true("exit", ran.returncode in (0, 1), ran)


def test_health(ctx):
    inst = ctx.shared
    for url in (inst.serve.url, inst.serve.admin):
        for path in ("/livez", "/healthz", "/readyz"):
            ctx.equal(f"{path}", http_call(url, "GET", path).status, 200)


def test_a_clean_end_with_requests_running(ctx):
    """SIGTERM lets what runs end."""
    from concurrent.futures import ThreadPoolExecutor

    inst = ctx.new()
    inst.sim.fault("create", 1, delay_ms=1500)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(inst.serve.create, inst.token, text_to_video())
        wait_for("sent", lambda: inst.sim.creates() == 1, 10)
        inst.serve.stop()
        ctx.equal("its answer came", running.result().status, 200)
    inst.start_serve()
    inst.serve.wait_until(inst.token, running.result().json["id"])
