# SPDX-License-Identifier: Apache-2.0
"""What holds of a database that is a file: one process writes, commands beside it go
through its socket, a copy is another database, and backups are files too."""
import json
import os
import shutil
import stat

ENGINES = ("sqlite",)


def test_commands_go_through_the_socket(ctx):
    inst = ctx.shared
    path = os.path.join(inst.data, "arkgate.sock")
    ctx.true("the lock is held by serve", os.path.exists(path))
    ctx.equal("mode of the socket", stat.S_IMODE(os.stat(path).st_mode) & 0o077, 0)
    second = inst.cli("serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", status=None)
    ctx.equal("a second server is refused", second.returncode, 75)


def test_one_database_one_writer(ctx):
    """The lock is the database's: neither a second gateway nor a command gets around it."""
    inst = ctx.new()
    other = os.path.join(inst.folder, "other")
    os.mkdir(other, 0o700)
    shutil.copytree(os.path.join(inst.data, "keys"), os.path.join(other, "keys"))
    database = "sqlite:" + os.path.join(inst.data, "arkgate.db")
    out = inst.cli("serve", "--data", other, "--database", database, "--listen", "127.0.0.1:0",
                   "--admin-listen", "127.0.0.1:0", data=False, status=75)
    ctx.true("a second gateway is refused", "another process" in out.stderr,
             out.stderr)
    inst.cli("credit", "add", "acme", "5", "--ref", "a", "--reason", "r", "--data", other,
             "--database", database, data=False)
    ctx.equal("booked where it was meant", inst.account()["available_nano"], 105 * 10**9)


def test_a_command_for_another_database(ctx):
    inst = ctx.new()
    shutil.copy(os.path.join(inst.data, "arkgate.db"), os.path.join(inst.data, "copy.db"))
    before = inst.account()
    inst.cli("credit", "add", "acme", "500", "--ref", "b", "--reason", "r", "--database",
             "sqlite:" + os.path.join(inst.data, "copy.db"), status=3)
    ctx.equal("nothing was booked in the wrong one", inst.account(), before)


def test_backup(ctx):
    inst = ctx.shared
    target = os.path.join(inst.folder, "backup.db")
    inst.cli("backup", "create", target)
    ctx.equal("mode", stat.S_IMODE(os.stat(target).st_mode) & 0o077, 0)
    inst.cli("backup", "create", target, status=6)
    inst.cli("backup", "verify", target)
    fresh = os.path.join(inst.folder, "restored")
    inst.cli("init", "--data", fresh, data=False)
    ran = inst.cli("backup", "restore", target, "--data", fresh, status=None, data=False)
    ctx.true("does not overwrite a store", ran.returncode != 0, ran)
    os.remove(os.path.join(fresh, "arkgate.db"))
    inst.cli("backup", "restore", target, "--data", fresh, data=False)
    ctx.equal("verifies", inst.cli("ledger", "verify", "--data", fresh, data=False).returncode, 0)
    names = json.loads(inst.cli("tenant", "list", "--data", fresh, "-o", "json", data=False).stdout)["items"]
    ctx.true("the tenants are there", "acme" in [t["name"] for t in names], names)
    with open(target, "r+b") as file:
        file.seek(os.path.getsize(target) // 2)
        file.write(b"\xff" * 4096)
    ctx.true("damage is seen", inst.cli("backup", "verify", target, status=None).returncode != 0)
    quiet = inst.cli("backup", "create", os.path.join(inst.folder, "quiet.db"), "-q")
    ctx.equal("quiet", quiet.stderr, "")
