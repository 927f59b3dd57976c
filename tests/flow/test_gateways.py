# SPDX-License-Identifier: Apache-2.0
"""Several gateways on one database: one balance, one set of Ark's limits, one time; and
what becomes of the work of one that dies."""
import concurrent.futures
import http.server
import json
import os
import shutil
import threading
import time

import arkgate
import media
from arkgate import BASE, text_to_video, wait_for
from test_assets import group
from test_ingest import ended, given

ENGINES = ("postgresql",)
FULL = os.environ.get("ARKGATE_TEST_FULL") == "1"
# With ThreadSanitizer, beside other tests, a renewal may be late by more than a short one.
LEASE = "10s" if "tsan" in arkgate.BINARY else "2s"
QUICK = {"lease": "2s", "poll_interval": "100ms", "clock_interval": "500ms"}


def readyz(serve):
    answer = arkgate.http_call(serve.admin, "GET", "/readyz")
    return answer.status, answer.body.decode()


def limits_kept(inst):
    """Calls that Ark would have refused, by kind."""
    return {kind: count for kind, count in inst.sim.state()["limited"].items() if count}


def test_a_balance_for_seven(ctx):
    """200 creates at once over two gateways make exactly as many as the balance covers."""
    inst = ctx.new(credit="40", speed=1)  # 7 × 5.0094 = 35.0658, 8 would be 40.0752
    two = [inst.serve, inst.start_serve()]
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(
            lambda n: two[n % 2].create(inst.token, text_to_video(f"{n} [sim: stay=queued]", ratio="16:9")),
            range(200)))
    statuses = [answer.status for answer in answers]
    ctx.equal("made", (statuses.count(200), statuses.count(402)), (7, 193))
    ctx.equal("at Ark", inst.sim.creates(), 7)
    ctx.equal("held", inst.account()["held_nano"], 7 * 5009400000)


def test_many_open_tasks_within_ark_s_limits(ctx):
    """However many gateways there are, Ark's account sees one: lists and GETs within its
    limits, while clients of both cancel."""
    count = 2000 if FULL else 400
    inst = ctx.new(credit="100000", sim_arguments=["--limits", "--create-rpm", "1000000"],
                   settings={"lease": LEASE})
    two = [inst.serve, inst.start_serve({"lease": LEASE})]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        ids = list(pool.map(lambda n: two[n % 2].create(
            inst.token, text_to_video(f"{n} [sim: stay=queued]", duration=4)).json["id"], range(count)))
        before, begun = inst.sim.state()["calls"], time.monotonic()
        cancelled = list(pool.map(lambda n: two[n % 2].call("DELETE", f"{BASE}/{ids[n]}", inst.token).status, range(16)))
    ctx.equal("cancelled at either", cancelled, [200] * 16)
    time.sleep(5)
    took, calls = time.monotonic() - begun, inst.sim.state()["calls"]
    ctx.equal("nothing was refused", limits_kept(inst), {})
    for kind, most in (("list", 1), ("get", 20), ("delete", 20)):
        ctx.true(f"{kind}: within {most} a second over {took:.1f} s",
                 calls[kind] - before[kind] <= most * took + 1, calls[kind] - before[kind])
    ctx.true("polled", calls["list"] > before["list"], calls)


def test_the_holder_dies(ctx):
    """The one that asks after tasks is killed, and another goes on where it was."""
    inst = ctx.new(settings=QUICK)
    first = inst.serve  # it came first, so it has the leases
    wait_for("it has the account", lambda: inst.rows("SELECT * FROM lease WHERE name LIKE 'poll:%' AND until_us > 0"))
    holder = inst.rows("SELECT holder FROM lease WHERE name LIKE 'poll:%'")[0]["holder"]
    other = inst.start_serve(QUICK)
    ids = [serve.create(inst.token, text_to_video(str(n))).json["id"] for n in range(5) for serve in (first, other)]
    # Half sent: its outcome is whoever's who takes over.
    lost = other.create(inst.token, text_to_video("x [sim: drop=after]")).json["id"]
    first.kill()
    for task_id in ids + [lost]:
        ctx.equal(f"{task_id} ends", other.wait_until(inst.token, task_id)["status"], "succeeded")
    now = inst.rows("SELECT holder FROM lease WHERE name LIKE 'poll:%'")[0]["holder"]
    ctx.true("another holds it", now != holder, (holder, now))
    third = inst.start_serve(QUICK)
    begun = time.monotonic()
    other.stop()  # a clean stop gives the lease back at once
    task_id = third.create(inst.token, text_to_video("after")).json["id"]
    third.wait_until(inst.token, task_id)
    ctx.true("without waiting for a lease to end", time.monotonic() - begun < 15, time.monotonic() - begun)


def test_cancel_without_the_lease(ctx):
    inst = ctx.new(settings=QUICK)
    wait_for("it has the account", lambda: inst.rows("SELECT * FROM lease WHERE name LIKE 'poll:%' AND until_us > 0"))
    other = inst.start_serve(QUICK)
    for maker, canceller in ((inst.serves[0], other), (other, inst.serves[0]), (other, other)):
        task_id = maker.create(inst.token, text_to_video("[sim: stay=queued]")).json["id"]
        ctx.equal("cancelled", canceller.call("DELETE", f"{BASE}/{task_id}", inst.token).status, 200)
        ctx.equal("everywhere", maker.get(inst.token, task_id).json["status"], "cancelled")


def test_clocks_five_minutes_apart(ctx):
    """A wrong clock is no trouble, a jump is one until the next look."""
    inst = ctx.new(settings=QUICK)
    skew = os.path.join(inst.folder, "skew")

    def set_skew(seconds):
        with open(skew + ".new", "w", encoding="ascii") as file:
            file.write(str(seconds * 1000000))
        os.rename(skew + ".new", skew)
    set_skew(300)
    ahead = inst.start_serve(QUICK, env={"ARKGATE_CLOCK_SKEW": skew})
    made = [serve.create(inst.token, text_to_video("a")).json["id"] for serve in (inst.serves[0], ahead)]
    for task_id in made:
        task = ahead.wait_until(inst.token, task_id)
        ctx.true("made now", abs(task["created_at"] - time.time()) < 30, task)
    times = [row["time_us"] for row in inst.rows("SELECT time_us FROM ledger ORDER BY tenant_id, seq")]
    ctx.true("one time for all", max(times) - time.time() * 1e6 < 60e6, times)
    ctx.equal("ready", readyz(ahead)[0], 200)
    set_skew(310)
    status, text = wait_for("a jump", lambda: readyz(ahead)[0] == 503 and readyz(ahead))
    ctx.true("says why", "clock" in text, text)
    ctx.equal("the other", readyz(inst.serves[0])[0], 200)
    wait_for("found again", lambda: readyz(ahead)[0] == 200)


def test_one_folder_of_files(ctx):
    """Gateways on one database have one folder of stored files, whichever began; doctor knows."""
    inst = ctx.new(settings=QUICK)
    mark = os.path.join(inst.data, "blobs", "id")
    with open(mark, encoding="ascii") as file:
        text = file.read()
    ctx.equal("the database has it too", inst.rows("SELECT value FROM meta WHERE name = 'blobs'"), [{"value": text.strip()}])
    inst.start_serve(QUICK)
    ctx.equal("nothing is left of the making", sorted(os.listdir(os.path.dirname(mark))), ["id"])

    def refused(what, data, word):
        where = ("--data", data, "--keys", os.path.join(inst.data, "keys"), *inst.options)
        ran = inst.cli(*where, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", data=False, status=3)
        ctx.true(f"{what}: {ran.stderr[-300:]}", word in ran.stderr and "blobs/id" in ran.stderr)
        ran = inst.cli(*where, "doctor", "-o", "json", data=False, status=1)
        ctx.true(f"{what}: doctor", any(item["check"] == "blobs" and item["status"] == "fail" and word in item["detail"]
                                        for item in json.loads(ran.stdout)["items"]), ran.stdout)

    other = os.path.join(inst.folder, "other")
    os.mkdir(other, 0o700)
    refused("a folder without a mark", other, "missing")
    ctx.equal("nothing was made", os.listdir(other), [])
    os.mkdir(os.path.join(other, "blobs"))
    with open(os.path.join(other, "blobs", "id"), "w", encoding="ascii") as file:
        file.write("0" * 32 + "\n")
    refused("another database's", other, "another database")
    fresh = ctx.bare()
    shutil.copytree(os.path.join(inst.data, "blobs"), os.path.join(fresh.data, "blobs"))
    ran = fresh.cli("serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", status=3)
    ctx.true("a database without one", "another database" in ran.stderr, ran.stderr)
    # A start that was killed between its two halves is finished by the next one.
    os.rename(mark, f"{mark}-{text.strip()}")
    inst.start_serve(QUICK)
    with open(mark, encoding="ascii") as file:
        ctx.equal("taken", file.read(), text)


def test_a_file_that_another_fetched(ctx):
    inst = ctx.new(serve=False)
    inst.start_serve(QUICK, arguments=("--allow-private-network",))
    inst.start_serve({**QUICK, "ingest_workers": 0})  # asked from here on
    server = media.Server()
    asset_id = given(ctx, inst, inst.token, group(ctx, inst, inst.token), server.give("/a.png", media.image()))
    shown = ended(inst, inst.token, asset_id)
    ctx.equal("active", shown["Status"], "Active")
    ctx.true("its link is this gateway's", shown["URL"].startswith(inst.serve.url), shown)
    answer = arkgate.http_call(inst.serve.url, "GET", shown["URL"][len(inst.serve.url):])
    ctx.true("and its file is there", answer.status == 200 and answer.body == media.image(), answer.status)
    server.close()


# -- what an upstream may say -----------------------------------------------------------------

GARBAGE = b"\xff\xfe\x00 no text at all \xc3\x28 \xed\xa0\x80"


class Babbler(http.server.BaseHTTPRequestHandler):
    """Answers creates with bytes that are no UTF-8, in Ark's shape and out of it."""
    turns = []

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        status, body = self.turns.pop(0)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(GARBAGE)))
        self.end_headers()
        self.wfile.write(GARBAGE)

    def log_message(self, *_):
        pass


def test_an_upstream_that_speaks_no_utf8(ctx):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Babbler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    inst = ctx.bare()
    inst.start_sim()
    inst.add_upstream(url=f"http://127.0.0.1:{server.server_address[1]}")
    token = inst.add_tenant()
    serve = inst.start_serve(QUICK)
    error = json.dumps({"error": {"code": "X", "message": "@", "param": "", "type": "BadRequest"}}).encode()
    Babbler.turns = [(500, GARBAGE), (200, GARBAGE), (400, GARBAGE), (400, error.replace(b"@", GARBAGE)),
                     (200, b'{"id":"cgt-' + GARBAGE + b'"}')]
    for number in range(len(Babbler.turns)):
        answer = serve.create(token, text_to_video(str(number)))
        ctx.equal(f"answer {number}: nobody knows, so the id stands", answer.status, 200)
    rows = inst.rows("SELECT state, detail FROM attempt ORDER BY task_id")
    ctx.equal("written down", [row["state"] for row in rows], ["unknown"] * 5)
    for row in inst.rows("SELECT minted_id FROM task"):
        inst.cli("task", "show", row["minted_id"])
    server.shutdown()
