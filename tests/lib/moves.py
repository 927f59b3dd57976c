# SPDX-License-Identifier: Apache-2.0
"""For tests of arkgate migrate: installations in a file, copies of one to spoil, empty
databases for them, and what must hold while and after they move."""
import contextlib
import os
import shutil
import sqlite3

import arkgate
import postgres
from arkgate import text_to_video

QUICK = {"unknown_release_after": "3s", "submitting_grace": "1s", "scan_interval": "1s"}
HOUR_MS = 3_600_000
LONG = "[sim: queue_ms=200 run_ms=%d] " % HOUR_MS


def from_file(ctx):
    """An installation in a file, with a simulator, a tenant and a gateway."""
    inst = arkgate.Installation("sqlite")
    inst.invariants = True
    ctx.installations.append(inst)
    inst.start_sim()
    inst.add_upstream()
    inst.token = inst.add_tenant("acme", "500")
    inst.start_serve(QUICK)
    return inst


@contextlib.contextmanager
def scratch():
    """An empty database."""
    target = postgres.Database(postgres.Server(os.environ[postgres.VARIABLE]))
    try:
        yield target
    finally:
        target.drop()


def contents(target):
    """All rows by table."""
    tables = target.rows("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'")
    return {table["name"]: target.rows(f'SELECT * FROM "{table["name"]}"') for table in tables}


class Copy:
    """A stopped installation's folder once more, which each test may spoil."""
    count = 0

    def __init__(self, inst):
        Copy.count += 1
        self.inst, self.data = inst, os.path.join(inst.folder, f"copy-{Copy.count}")
        shutil.copytree(inst.data, self.data)
        self.file = os.path.join(self.data, "arkgate.db")
        self.url = f"sqlite:{self.file}"

    def cli(self, *arguments, target=None, **options):
        """On this folder's keys, with its file or with a target."""
        where = ("--data", self.data, "--database", target.url if target else self.url)
        env = {**(target.environment if target else {}), **options.pop("env", {})}
        return self.inst.cli(*arguments, *where, data=False, env=env, **options)

    def move(self, target, fault=None, status=0, more=()):
        """migrate; a fault "name:n:kill" ends it by a signal."""
        env = {**target.environment, **({"ARKGATE_FAULT": fault} if fault else {})}
        return self.inst.cli("migrate", "--data", self.data, "--from", self.url, "--to", target.url, *more, data=False,
                             env=env, status=status)

    def write(self, sql, *values):
        db = sqlite3.connect(self.file)
        try:
            with db:
                db.execute(sql, values)
        finally:
            db.close()

    def meta(self):
        db = sqlite3.connect(f"file:{self.file}?mode=ro", uri=True)
        try:
            return dict(db.execute("SELECT name, value FROM meta"))
        finally:
            db.close()

    def takes_writes(self, target=None):
        """A change: its status, and what stderr says."""
        ran = self.cli("tenant", "set", "acme", "credit_line=1", target=target, status=None)
        return ran.returncode, ran.stderr

    def export(self, target=None):
        """What must be the same on both sides."""
        return self.cli("ledger", "export", target=target).stdout, self.cli("audit", "list", "-o", "json", target=target).stdout


base = None  # a stopped installation, whose folder is copied


def a_copy(ctx):
    global base
    if base is None:
        base = from_file(ctx)
        base.serve.wait_until(base.token, base.serve.create(base.token, text_to_video("done")).json["id"])
        base.serve.create(base.token, text_to_video(LONG + "open"))
        base.cli("tenant", "add", "other", "--credit", "3")
        base.serve.stop()
    return Copy(base)


CHANGES = (("tenant", "suspend", "acme"),
           ("serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"), ("init",))
LOOKS = (("ledger", "verify"), ("task", "list"), ("doctor",))


def refused_everywhere(ctx, what, copy, target, full=True):
    """Neither of the two takes a change, and both can be read."""
    for command in CHANGES[:None if full else 1]:
        ran = copy.cli(*command, status=None)
        ctx.true(f"{what}: {command[0]} on the source", ran.returncode == 3 and target.url in ran.stderr, ran)
    for command in LOOKS if full else ():
        ctx.equal(f"{what}: {command} on the source", copy.cli(*command, status=None).returncode, 0)
    rows = contents(target)
    if not rows.get("meta"):  # not begun there: it is an empty database
        made = ("schema_version", "settings_version", "audit_head")  # by the schema itself
        ctx.equal(f"{what}: rows in the target", [n for n in rows if rows[n] and n not in made], [])
        return
    for command in CHANGES[:None if full else 1]:
        ran = copy.cli(*command, target=target, status=None)
        ctx.true(f"{what}: {command[0]} on the target", ran.returncode == 3 and "incomplete copy" in ran.stderr, ran)
    if full:
        ctx.equal(f"{what}: it can be read", copy.cli("tenant", "list", target=target).returncode, 0)


def moved(ctx, what, copy, target, before):
    """The target is the installation now, the source is not."""
    status, said = copy.takes_writes()
    ctx.true(f"{what}: the source is given up", status == 3 and "moved" in said and target.url in said, (status, said))
    ctx.equal(f"{what}: the same entries", copy.export(target), before)
    ctx.equal(f"{what}: and verified", copy.cli("ledger", "verify", target=target).returncode, 0)
    ctx.equal(f"{what}: the target takes writes", copy.takes_writes(target), (0, ""))
    ctx.equal(f"{what}: it moves once", copy.move(target, status=6).returncode, 6)
