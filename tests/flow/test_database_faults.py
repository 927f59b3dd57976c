# SPDX-License-Identifier: Apache-2.0
"""A database that dies, hangs, has no room or is the wrong one."""
import os
import re
import shutil
import subprocess
import tempfile
import time

import arkgate
import postgres
from arkgate import BASE, text_to_video, wait_for

ENGINES = ("postgresql",)
QUICK = {"lease": "2s", "poll_interval": "100ms", "clock_interval": "500ms"}


def readyz(serve):
    answer = arkgate.http_call(serve.admin, "GET", "/readyz")
    return answer.status, answer.body.decode()


def on_cluster(cluster, settings=None, serve=True):
    inst = arkgate.Installation(server=cluster)
    inst.start_sim()
    inst.add_upstream()
    inst.token = inst.add_tenant("acme", "1000")
    if serve:
        inst.start_serve({**QUICK, **(settings or {})})
    return inst


def test_gone_in_the_middle(ctx):
    """503 with the reason while the database is away, nothing sent to Ark, and everything
    goes on by itself when it is back."""
    with postgres.Cluster() as cluster:
        inst = on_cluster(cluster)
        try:
            serve, token = inst.serve, inst.token
            open_id = serve.create(token, text_to_video("[sim: run_ms=4000]")).json["id"]
            made = inst.sim.creates()
            for away, back in ((cluster.kill, cluster.start), (cluster.stop, cluster.start)):
                away()
                status, text = wait_for("not ready", lambda: readyz(serve)[0] == 503 and readyz(serve))
                ctx.true("says why", "database" in text, text)
                for what, answer in (("create", serve.create(token, text_to_video())),
                                     ("get", serve.get(token, open_id)),
                                     ("list", serve.call("GET", BASE, token)),
                                     ("delete", serve.call("DELETE", f"{BASE}/{open_id}", token))):
                    ctx.equal(f"{what} without a database", answer.status, 503)
                    ctx.true(f"{what}: no inner words", "SELECT" not in answer.body.decode(), answer)
                ctx.equal("nothing was sent", inst.sim.creates(), made)
                back()
                wait_for("ready again", lambda: readyz(serve)[0] == 200)
            ctx.equal("the open one ends", serve.wait_until(token, open_id)["status"], "succeeded")
            ctx.equal("and a new one", serve.wait_until(token, serve.create(token, text_to_video()).json["id"])["status"],
                      "succeeded")
            arkgate.check_invariants(inst, inst.sim)
            inst.stop()
        finally:
            inst.close()


def test_paused(ctx):
    """A database that takes connections and answers nothing: an end to every wait."""
    with postgres.Cluster() as cluster:
        inst = on_cluster(cluster)
        try:
            inst.serve.wait_until(inst.token, inst.serve.create(inst.token, text_to_video()).json["id"])
            cluster.pause()
            begun = time.monotonic()
            answer = inst.serve.create(inst.token, text_to_video(), {"Idempotency-Key": "paused"})
            ctx.equal("create", answer.status, 503)
            ctx.true("within a minute", time.monotonic() - begun < 60, time.monotonic() - begun)
            cluster.resume()
            wait_for("ready again", lambda: readyz(inst.serve)[0] == 200, 60)
            again = inst.serve.create(inst.token, text_to_video(), {"Idempotency-Key": "paused"})
            ctx.equal("the same key", again.status, 200)
            inst.serve.wait_until(inst.token, again.json["id"])
            ctx.equal("made", inst.sim.creates(), 2)
            arkgate.check_invariants(inst, inst.sim)
            inst.stop()
        finally:
            inst.close()


def test_disk_full(ctx):
    """No room for a commit is a 503, never a lost or a doubled row."""
    if os.geteuid() != 0:
        raise ctx.Skip("needs root, to mount a small file system")
    folder = tempfile.mkdtemp(prefix="arkgate-small-")
    os.chmod(folder, 0o755)  # the server is another user's
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m,mode=1777", "tmpfs", folder], check=True)
    try:
        with postgres.Cluster(settings={"max_wal_size": "'64MB'"}, parent=folder) as cluster:
            inst = on_cluster(cluster)
            try:
                serve, token = inst.serve, inst.token
                first = serve.create(token, text_to_video()).json["id"]
                with open(os.path.join(folder, "filler"), "wb") as filler:
                    try:
                        while True:
                            filler.write(b"x" * 65536)
                    except OSError:
                        pass
                # What lies ready in pages and segments of the log is used up first.
                statuses = []
                for number in range(3000):
                    statuses.append(serve.create(token, text_to_video(f"{number} [sim: stay=queued]" + "y" * 3000)).status)
                    if statuses[-1] != 200:
                        break
                ctx.true("refused in the end", statuses[-1] in (500, 503), statuses[-3:])
                os.unlink(os.path.join(folder, "filler"))
                if not cluster.running():  # a log without room stops a server
                    cluster.start()
                wait_for("ready again", lambda: readyz(serve)[0] == 200, 60)
                wait_for("creates again", lambda: serve.create(token, text_to_video()).status == 200, 60)
                ctx.equal("the first", serve.wait_until(token, first)["status"], "succeeded")
                arkgate.check_invariants(inst, inst.sim)
                inst.stop()
            finally:
                inst.close()
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
        os.rmdir(folder)


def refused(ctx, inst, what, word, status, *arguments, env=None):
    ran = inst.cli("serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", *arguments, status=None, env=env)
    ctx.equal(f"{what}: exit", ran.returncode, status)
    ctx.true(f"{what}: says {word}", word in ran.stderr, ran.stderr)


def test_what_a_start_refuses(ctx):
    inst = ctx.bare()
    url = inst.store.url
    server = url.rsplit("/", 1)[0]
    refused(ctx, inst, "nobody there", "cannot be reached", 8, "--database", "postgresql://x@127.0.0.1:1/x")
    refused(ctx, inst, "no such database", "does not exist", 8, "--database", f"{server}/nothing_here")
    refused(ctx, inst, "no such user", "does not exist", 8, "--database", re.sub("//[^@]*@", "//nobody_here@", url))
    refused(ctx, inst, "no URL", "postgresql://", 3, "--database", "mysql://x@y/z")
    other = os.path.join(inst.folder, "other-keys")
    shutil.copytree(os.path.join(inst.data, "keys"), other)
    with open(os.path.join(other, "pepper.key"), "w", encoding="ascii") as file:
        file.write("7" * 64 + "\n")
    refused(ctx, inst, "other key files", "not the ones", 3, "--keys", other)
    refused(ctx, inst, "no key files", "key", 3, "--keys", os.path.join(inst.folder, "nowhere"))
    inst.write("UPDATE schema_version SET version = version + 1")
    refused(ctx, inst, "a newer schema", "newer version", 3)
    ran = inst.cli("tenant", "list", status=None)
    ctx.equal("commands too", ran.returncode, 3)
    ran = inst.cli("migrate", status=None)
    ctx.true("and a migration", ran.returncode == 3 and "newer version" in ran.stderr, ran)
    inst.write("UPDATE schema_version SET version = version - 2")
    refused(ctx, inst, "an older schema", "arkgate migrate", 3)
    inst.write("UPDATE schema_version SET version = version + 1")
