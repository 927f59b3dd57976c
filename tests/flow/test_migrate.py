# SPDX-License-Identifier: Apache-2.0
"""arkgate migrate: a schema brought up to date, and an installation that moves from a file
into a server's database with all that it has; what is not taken."""
import contextlib
import json
import os
import sqlite3

import arkgate
import postgres
from arkgate import text_to_video, wait_for
from moves import HOUR_MS, LONG, QUICK, a_copy, contents, from_file, moved, scratch

ENGINES = ("postgresql",)


def test_a_whole_installation(ctx):
    """Running, unknown and ended tasks; the gateway goes on with them on the other side."""
    inst, target = from_file(ctx), postgres.Database(postgres.Server(os.environ[postgres.VARIABLE]))
    extra = inst.add_tenant("other", "50")
    serve, sim = inst.serve, inst.sim
    done = serve.create(inst.token, text_to_video("done")).json["id"]
    failed = serve.create(extra, text_to_video("[sim: fail=OutputVideoSensitiveContentDetected]")).json["id"]
    for token, task in ((inst.token, done), (extra, failed)):
        serve.wait_until(token, task)
    serve.call("DELETE", f"{arkgate.BASE}/{done}", inst.token)
    running = [serve.create(token, text_to_video(LONG + "on")).json["id"] for token in (inst.token, extra, inst.token)]
    for token, task in zip((inst.token, extra, inst.token), running):
        serve.wait_until(token, task, ("running",))
    sim.fault("list", -1, status=500)  # nobody finds out for now
    key = {"Idempotency-Key": "kept"}
    unknown = []
    for drop in ("before", "after"):
        sim.fault("create", 1, drop=drop)
        unknown.append(serve.create(inst.token, text_to_video("unknown"), {"Idempotency-Key": f"key {drop}"}).json["id"])
    kept = serve.create(inst.token, text_to_video(LONG + "kept"), key).json["id"]
    inst.cli("tenant", "suspend", "other")
    ran = inst.cli("migrate", "--from", f"sqlite:{inst.data}/arkgate.db", "--to", target.url, status=75,
                   env=target.environment)
    ctx.true("not beside a gateway", "stop it first" in ran.stderr, ran.stderr)
    serve.stop()
    ctx.equal("unknown", sorted({inst.task_row(task)["state"] for task in unknown}), ["unknown"])
    sim.clear_faults()

    def told():
        return [inst.cli(*command).stdout for command in (
            ("ledger", "export"), ("audit", "list", "-o", "json"), ("task", "list", "-o", "json", "--limit", "1000"),
            ("tenant", "list", "-o", "json"), ("token", "list", "-o", "json"), ("upstream", "list", "-o", "json"))]
    before, shown = told(), inst.rows("SELECT id, shown, listed FROM task ORDER BY id")
    ran = inst.cli("migrate", "--from", f"sqlite:{inst.data}/arkgate.db", "--to", target.url, "-o", "json",
                   env=target.environment)
    report = json.loads(ran.stdout)
    for text in ("task: 8 rows, ", "ledger entries", f"{inst.data}/keys/master.key", "pepper.key", report["serve"]):
        ctx.true(f"says {text}", text in ran.stderr, ran.stderr)
    ctx.equal("the command for it", report["serve"],
              f"arkgate serve --data {inst.data} --keys {inst.data}/keys --database {target.url}")
    ctx.equal("mended", report["mended"], 0)
    ctx.true("all rows", report["rows"] > 60 and report["tables"] > 15, report)
    inst.store, inst.options, inst.env, inst.engine = target, ("--database", target.url), target.environment, "postgresql"
    ctx.equal("the same to a byte", told(), before)
    ctx.equal("the same tasks", inst.rows("SELECT id, shown, listed FROM task ORDER BY id"), shown)

    serve = inst.start_serve(QUICK)
    ctx.equal("the same keys and tokens", serve.get(inst.token, kept).status, 200)
    ctx.equal("what was deleted stays so", serve.get(inst.token, done).status, 404)
    ctx.equal("and suspended", serve.create(extra, text_to_video()).status, 403)
    ctx.equal("the same answer to a repeated create",
              serve.create(inst.token, text_to_video(LONG + "kept"), key).json["id"], kept)
    fresh = serve.create(inst.token, text_to_video("new"))
    ctx.equal("a new one", fresh.status, 200)
    sim.advance(2 * HOUR_MS)
    wait_for("all have ended", lambda: inst.rows("SELECT count(*) AS n FROM task WHERE ended_us IS NULL")[0]["n"] == 0, 60)
    for task in (running[0], running[2], kept, fresh.json["id"]):
        ctx.equal(f"{task} ended well", serve.get(inst.token, task).json["status"], "succeeded")
    ctx.equal("its tenant's", serve.get(extra, running[1]).json["status"], "succeeded")
    ctx.equal("one unknown was found, the other never made",
              [inst.task_row(task)["state"] for task in unknown], ["failed", "succeeded"])
    with contextlib.closing(sqlite3.connect(f"file:{inst.data}/arkgate.db?mode=ro", uri=True)) as db:
        ctx.equal("nothing more went into the file", db.execute("SELECT count(*) FROM task").fetchone()[0], 8)


def test_targets_that_are_refused(ctx):
    copy, other = a_copy(ctx), a_copy(ctx)
    with scratch() as target:
        target.write("CREATE TABLE theirs (a int)")
        ctx.true("another program's", "another program" in copy.move(target, status=3).stderr)
    with scratch() as target:
        copy.cli("init", target=target)
        ctx.true("an installation", "an installation" in copy.move(target, status=6).stderr)
    with scratch() as target:
        other.move(target, "copy.row:30:kill", status=None)
        ctx.true("another's copy", "another installation" in copy.move(target, status=6).stderr)
        other.move(target)
        ctx.equal("which ends", other.takes_writes(target), (0, ""))
        ctx.true("and is an installation", "an installation" in copy.move(target, status=6).stderr)
    ctx.equal("no mark is left", sorted(copy.meta()), ["keys"])
    ctx.equal("the source is in use", copy.takes_writes()[0], 0)
    with scratch() as target:
        user, _, rest = target.url.partition("@")
        for url in (f"{user}:hunter2@{rest}", "sqlite:/tmp/a.db", "postgresql://" + "x" * 2000):
            ran = copy.cli("migrate", "--from", copy.url, "--to", url, status=None)
            ctx.true(f"{url[:60]}: refused", ran.returncode in (2, 3) and "hunter2" not in ran.stderr, ran)
        for words in (("--from", copy.url), ("--to", target.url), ("--abandon",), ("--from", copy.file, "--to", target.url),
                      ("--from", copy.url, "--to", target.url, "--abandon")):
            copy.cli("migrate", *words, status=2)
        copy.cli("migrate", "--from", "sqlite:" + copy.data + "/none.db", "--to", target.url, status=3)
        ctx.equal("nothing was made", (os.path.exists(copy.data + "/none.db"), contents(target)), (False, {}))


def test_texts_that_are_none(ctx):
    copy = a_copy(ctx)
    copy.write("UPDATE task SET error_message = CAST(x'6E6FE974FF00' AS TEXT) WHERE id = 2")
    with scratch() as target:
        ran = copy.move(target, more=("-o", "json"))
        ctx.equal("told", json.loads(ran.stdout)["mended"], 1)
        ctx.true("which", "error_message of the row task, id 2" in ran.stderr, ran.stderr)
        ctx.equal("a byte each", target.rows("SELECT error_message FROM task WHERE id = 2"), [{"error_message": "no?t??"}])
        ctx.equal("quiet", copy.move(target, status=6, more=("-q",)).stderr.count("\n"), 1)


# Without migrations 0003 to 0006.
AS_OF_0002 = (*(f"DROP TABLE {table}" for table in ("tenant_setting", "asset_group", "asset_group_count", "asset",
                                                    "asset_count", "asset_use", "asset_request", "ingest", "registered_asset")),
              "DROP TABLE access_key", "DROP INDEX price_row_by_model",
              "ALTER TABLE account ADD COLUMN event_seq INTEGER NOT NULL DEFAULT 0")

# What the newer PostgreSQL does not check with every row of a create, and the older did.
CHECKED = (("task", "tenant_id", "tenant"), ("task", "account_id", "upstream_account"),
           ("task", "credential_id", "upstream"), ("task_count", "tenant_id", "tenant"), ("attempt", "task_id", "task"),
           ("event", "task_id", "task"), ("ledger", "tenant_id", "tenant"), ("hold", "tenant_id", "tenant"))


def make_old(copy):
    """As the first schema was."""
    for sql in (*AS_OF_0002, "DROP TABLE lease", "DROP TABLE account_pace", "UPDATE schema_version SET version = 1"):
        copy.write(sql)


def test_the_schema_alone(ctx):
    copy = a_copy(ctx)
    newest = json.loads(copy.cli("migrate", "-o", "json").stdout)["schema"]
    make_old(copy)
    copy.cli("task", "list", status=3)
    ran = json.loads(copy.cli("migrate", "-o", "json").stdout)
    ctx.equal("brought up", ran, {"database": copy.file, "schema": newest})
    ctx.true("a backup first", os.path.exists(copy.file + ".backup-v1"))
    copy.cli("task", "list")
    ctx.equal("as good as before", copy.takes_writes()[0], 0)
    old = a_copy(ctx)
    before = old.export()
    make_old(old)
    with scratch() as target:
        ran = copy.cli("migrate", target=target, status=3)
        ctx.true("an empty database", "arkgate init" in ran.stderr, ran.stderr)
        old.move(target)
        moved(ctx, "an old file", old, target, before)
        ran = json.loads(old.cli("migrate", "-o", "json", target=target).stdout)
        ctx.equal("up to date", ran, {"database": target.url, "schema": newest})
        before = contents(target)
        for sql in AS_OF_0002:
            target.write(sql.replace("INTEGER", "bigint"))
        for table, column, named in CHECKED:
            target.write(f"ALTER TABLE {table} ADD FOREIGN KEY ({column}) REFERENCES {named} (id)")
        target.write("UPDATE schema_version SET version = 2")
        ran = json.loads(old.cli("migrate", "-o", "json", target=target).stdout)
        ctx.equal("brought up", ran, {"database": target.url, "schema": newest})
        ctx.equal("all that was there", contents(target), before)
        old.cli("ledger", "verify", target=target)
    inst = from_file(ctx)
    ran = inst.cli("migrate", status=75)
    ctx.true("not beside a gateway", "stop it first" in ran.stderr, ran.stderr)
    inst.cli("migrate", "--database", "sqlite:" + inst.data + "/none.db", status=3)
