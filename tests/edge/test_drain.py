# SPDX-License-Identifier: Apache-2.0
"""SIGTERM: load balancers are told first, who asked is answered, what hangs at Ark is
parked under its minted id, and nothing holds the process beyond its time. With
ARKGATE_TEST_FULL=1 the stop at random moments is repeated 50 times instead of 5."""
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from arkgate import BASE, BINARY, environment, http_call, text_to_video, wait_for

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from wire import Wire, address, create, request  # noqa: E402

FULL = os.environ.get("ARKGATE_TEST_FULL") == "1"
SEED = int(os.environ.get("ARKGATE_TEST_SEED", "20"))
CLIENTS = 32
LIMIT_S = 30  # from SIGTERM to the end, whatever happens
# What follows a drain on a busy machine with a sanitized binary.
AFTER_S = 8
BODY = json.dumps(text_to_video(resolution="480p")).encode()


def terminate(serve, number=signal.SIGTERM):
    """The signal; returns when it was sent."""
    serve.ended = True
    serve.popen.send_signal(number)
    return time.monotonic()


def ended(ctx, what, serve, begun, within=LIMIT_S, status=0):
    """It ends by itself, in time, with that exit status and a clean log."""
    got = serve.popen.wait(LIMIT_S + 10)
    took = time.monotonic() - begun
    serve.check_log()
    ctx.true(f"{what}: within {within} s", took < within, f"{took:.1f} s")
    ctx.equal(f"{what}: exit status", got, status)
    return took


def refusal(ctx, what, answer):
    """The one answer that a drain may give to a request that came too late."""
    error = answer.json["error"]
    ctx.true(f"{what}: {answer}", answer.status == 503 and "shutting down" in error["message"])
    ctx.true(f"{what}: Retry-After", int(answer.header("Retry-After") or 0) >= 1, answer.headers)
    ctx.equal(f"{what}: connection", answer.header("Connection"), "close")


class Load:
    """Clients on kept connections that create, get and list by turns, until each is told
    that the gateway is shutting down. Every request must have its whole answer."""

    def __init__(self, inst, clients=CLIENTS, pause=0.0):
        self.inst, self.pause = inst, pause
        self.url, self.token = inst.serve.url, inst.token
        self.lock = threading.Lock()
        self.ids, self.troubles = [], []
        self.answers = self.refused = 0
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(n,), daemon=True) for n in range(clients)]
        for thread in self.threads:
            thread.start()

    def ask(self, wire, turn):
        """One request and its answer; False when this client has been sent away."""
        kind = turn % 4
        own = random.choice(self.ids) if self.ids else "cgt-20260101000000-aaaaa"
        data = (create(self.token, BODY) if kind == 0 else
                request("GET", f"{BASE}?page_num=1&page_size=20", self.token) if kind == 1 else
                request("GET", f"{BASE}/{own}", self.token))
        wire.send(data)
        answer = wire.answer()
        if answer is None:
            raise AssertionError(f"no answer to {data[:60]}")
        document = answer.json
        with self.lock:
            self.answers += 1
            if answer.status == 200 and kind == 0:
                self.ids.append(document["id"])
            if answer.status == 503 and "shutting down" in document["error"]["message"]:
                self.refused += 1
                if not answer.header("Retry-After") or answer.header("Connection") != "close":
                    raise AssertionError(f"a refusal without Retry-After or close: {answer.headers}")
                return False
        if answer.status != 200 and not (answer.status == 404 and own.endswith("-aaaaa")):
            raise AssertionError(f"{data[:60]} was answered {answer}")
        return answer.header("Connection") == "keep-alive" or None

    def run(self, number):
        wire, turn, begun = None, number, None
        try:
            while not self.ending.is_set():
                if wire is None:
                    try:
                        wire = Wire(self.url, 60)
                    except ConnectionRefusedError:
                        return  # nothing was asked
                begun = time.monotonic()
                kept = self.ask(wire, turn)
                if kept is not True:
                    wire.socket.close()
                    wire = None
                if kept is False:
                    return
                turn += 1
                if self.pause:
                    time.sleep(self.pause)
        except Exception as error:  # told to the test, which fails
            with self.lock:
                self.troubles.append(f"client {number}, {time.monotonic() - begun:.2f} s: {error!r}")
        finally:
            if wire is not None:
                wire.socket.close()

    def join(self, seconds=60):
        for thread in self.threads:
            thread.join(seconds)
            if thread.is_alive():
                self.troubles.append("a client waits for ever")


def found_after(ctx, inst, ids):
    """Every id that was answered is found by its tenant, and is at Ark once."""
    for task_id in ids:
        answer = inst.serve.get(inst.token, task_id)
        if answer.status != 200 or answer.json["id"] != task_id:
            ctx.fail(f"{task_id}: {answer}")
    ctx.equal("no id twice", len(set(ids)), len(ids))
    owned = {row["id"] for row in inst.rows("SELECT coalesce(upstream_id, minted_id) AS id FROM task"
                                            " UNION SELECT minted_id FROM task")}
    ctx.equal("none is without its row", [i for i in ids if i not in owned], [])


def test_readyz_first(ctx):
    """drain_delay: not ready on both listeners at once, while requests are still served."""
    inst = ctx.new(credit="100000", settings={"drain": "8s", "drain_delay": "3s"})
    serve = inst.serve
    for url in (serve.url, serve.admin):
        ctx.equal(f"{url} before", http_call(url, "GET", "/readyz").status, 200)
    with Wire(serve.url) as kept:
        kept.send(request("GET", BASE, inst.token))
        ctx.equal("kept", kept.answer().header("Connection"), "keep-alive")
        begun = terminate(serve)
        wait_for("stopping", lambda: '"event":"stopping"' in serve.log())
        time.sleep(0.1)  # the log says so a moment before the listeners know
        # A machine that is frozen and goes on interrupts what waits for a time.
        serve.popen.send_signal(signal.SIGSTOP)
        serve.popen.send_signal(signal.SIGCONT)
        for url in (serve.url, serve.admin):
            answer = http_call(url, "GET", "/readyz")
            ctx.equal(f"{url}: {answer}", (answer.status, answer.json),
                      (503, {"status": "not ready", "reason": "draining"}))
            ctx.equal(f"{url}: alive", http_call(url, "GET", "/livez").status, 200)
        kept.send(create(inst.token, BODY))
        answer = kept.answer()
        ctx.equal(f"a create on a kept connection: {answer}", answer.status, 200)
        ctx.equal("which ends", answer.header("Connection"), "close")
    task = answer.json["id"]
    ctx.equal("a new connection", serve.get(inst.token, task).status, 200)
    ctx.true("all that within the delay", time.monotonic() - begun < 3, time.monotonic() - begun)
    took = ended(ctx, "with a delay", serve, begun, 3 + AFTER_S)
    ctx.true("not before the delay is over", took >= 3, took)
    ran = subprocess.run([BINARY, "serve", "--data", inst.data, "--set", "drain=8s,drain_delay=5s"],
                         capture_output=True, text=True, timeout=60, env=environment())
    ctx.equal("a delay longer than half", (ran.returncode, "drain_delay" in ran.stderr), (3, True))
    inst.start_serve()
    inst.serve.wait_until(inst.token, task)


def test_under_load(ctx):
    """Nobody who asked before, or on his old connection, is left without a whole answer."""
    inst = ctx.new(credit="100000", settings={"drain": "10s"})
    load = Load(inst)
    try:
        begun = time.monotonic()
        wait_for("load", lambda: load.answers >= 600 or load.troubles, 60)
        rate = load.answers / (time.monotonic() - begun)
        begun = terminate(inst.serve)
        load.join()
        ended(ctx, "under load", inst.serve, begun, AFTER_S)
    finally:
        load.ending.set()
    print(f"{rate:.0f} requests/s, {load.answers} answers, {len(load.ids)} creates, {load.refused} refused")
    ctx.equal("troubles", load.troubles, [])
    ctx.equal("each client was sent away, or found the port closed", load.refused > 0, True)
    ctx.equal("creates at Ark", inst.sim.creates(), len(load.ids))
    inst.start_serve()
    found_after(ctx, inst, load.ids)


def test_hung_creates(ctx):
    """Sends that Ark does not answer are cut, parked and answered; then adopted."""
    settings = {"drain": "3s", "send_timeout": "60s", "submitting_grace": "0s", "scan_interval": "500ms",
                "unknown_release_after": "120s"}
    inst = ctx.new(settings=settings)
    inst.sim.fault("create", 8, hang_ms=60000)
    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(inst.serve.create, inst.token, text_to_video(f"hung {n}", seed=n)) for n in range(8)]
        wait_for("all are on their way", lambda: inst.sim.creates() == 8)
        begun = terminate(inst.serve)
        answers = [one.result() for one in running]
        took = ended(ctx, "with hung creates", inst.serve, begun, 3 + AFTER_S)
    ctx.true("they had their time", took >= 2, took)
    ctx.equal("answered", [answer.status for answer in answers], [200] * 8)
    rows = inst.rows("SELECT minted_id, state FROM task")
    ctx.equal("parked", {row["state"] for row in rows}, {"unknown"})
    ctx.equal("with their minted ids", {a.json["id"] for a in answers}, {row["minted_id"] for row in rows})
    inst.sim.clear_faults()
    inst.start_serve({**settings, "unknown_release_after": "1s", "send_timeout": "1s"})
    for answer in answers:
        ctx.true("found", inst.serve.wait_until(inst.token, answer.json["id"], seconds=60))
    ctx.equal("sent once each", inst.sim.creates(), 8)


def test_a_delete_under_way(ctx):
    """What a tenant asks of Ark is not given up at the signal."""
    inst = ctx.new(settings={"drain": "10s"})
    task = inst.serve.create(inst.token, text_to_video("[sim: stay=queued]")).json["id"]
    inst.sim.fault("get", 1, delay_ms=1500)
    before = inst.sim.state()["calls"]["delete"]
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(inst.serve.call, "DELETE", f"{BASE}/{task}", inst.token)
        time.sleep(0.3)
        begun = terminate(inst.serve)
        answer = running.result()
        ended(ctx, "with a delete", inst.serve, begun, 3 + AFTER_S)
    ctx.equal(f"deleted: {answer}", answer.status, 200)
    ctx.equal("at Ark", inst.sim.state()["calls"]["delete"] - before, 1)


def test_what_is_slow(ctx):
    """Idle connections, half a head, a slow body, a client that does not read, commands."""
    inst = ctx.new(credit="1000", settings={"drain": "3s"})
    serve = inst.serve
    filler = "x" * 1500
    for n in range(60):
        serve.create(inst.token, text_to_video(f"[sim: stay=queued] {filler}", seed=n))
    idle = [Wire(serve.url) for _ in range(50)]
    for wire in idle:
        wire.send(request("GET", "/livez"))
        ctx.equal("idle", wire.answer().status, 200)
    half = Wire(serve.url)
    half.send(b"GET /livez HTTP/1.1\r\nHost: ed")
    slow = Wire(serve.url, 40)
    slow.send(create(inst.token, BODY[:20], [f"Content-Length: {len(BODY) + 100000}"], length=False))
    lazy = Wire(serve.url, 40)  # asks for much and reads nothing
    lazy.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    lazy.send(request("GET", f"{BASE}?page_size=500", inst.token) * 20)
    ending = threading.Event()
    spoken = []

    def trickle():
        while not ending.wait(0.1) and slow.send(b" "):
            pass

    def commands():
        while not ending.is_set():
            ran = inst.cli("credit", "add", "acme", "1", "--ref", f"r{len(spoken)}", "--reason", "test", status=None)
            spoken.append(ran.returncode)
            if serve.popen.poll() is not None:
                return

    threads = [threading.Thread(target=trickle), threading.Thread(target=commands)]
    for thread in threads:
        thread.start()
    wait_for("a command ran", lambda: spoken)
    begun = terminate(serve)
    try:
        answer = slow.answer()
        refusal(ctx, "the slow body", answer)
        ctx.true("it had its time", time.monotonic() - begun > 1.5, time.monotonic() - begun)
        ended(ctx, "with slow ones", serve, begun, 3 + AFTER_S)
        for wire in (*idle, half):
            ctx.equal("closed without a word", wire.rest(), b"")
    finally:
        ending.set()
        for thread in threads:
            thread.join(60)
        for wire in (*idle, half, slow, lazy):
            wire.socket.close()
    ctx.true(f"commands: {spoken}", spoken[0] == 0)
    inst.start_serve()


def test_idle_ends_at_once(ctx):
    """With nothing under way there is nothing to wait for, whatever is connected."""
    inst = ctx.new()
    wires = [Wire(inst.serve.url) for _ in range(50)]
    for wire in wires[:25]:
        wire.send(request("GET", "/livez"))
        ctx.equal("asked", wire.answer().status, 200)
    time.sleep(0.3)
    begun = terminate(inst.serve)
    ended(ctx, "idle", inst.serve, begun, AFTER_S)
    for wire in wires:
        ctx.equal("closed", wire.rest(), b"")
        wire.socket.close()
    inst.start_serve()


def test_a_hung_poll(ctx):
    """The gateway's own questions to Ark are not waited for."""
    inst = ctx.new(settings={"call_timeout": "60s", "poll_interval": "100ms"})
    inst.sim.fault("get", 10, hang_ms=60000)
    inst.sim.fault("list", 10, hang_ms=60000)
    task = inst.serve.create(inst.token, text_to_video()).json["id"]
    calls = inst.sim.state()["calls"]
    wait_for("a poll hangs", lambda: inst.sim.state()["calls"] != calls)
    begun = terminate(inst.serve)
    ended(ctx, "with a hung poll", inst.serve, begun, AFTER_S)
    inst.sim.clear_faults()
    inst.start_serve()
    inst.serve.wait_until(inst.token, task)


def test_a_second_signal(ctx):
    """It ends the waiting, not the order: what hangs is parked and answered at once. SIGHUP
    is not one."""
    settings = {"drain": "25s", "send_timeout": "60s", "submitting_grace": "0s", "scan_interval": "500ms",
                "unknown_release_after": "120s"}
    inst = ctx.new(settings={**settings, "drain_delay": "0s"})
    for number, delay in ((signal.SIGTERM, "0s"), (signal.SIGINT, "12s")):
        inst.sim.fault("create", 1, hang_ms=60000)
        sent = inst.sim.creates()
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(inst.serve.create, inst.token, text_to_video(f"signal {number}", seed=number))
            wait_for("on its way", lambda: inst.sim.creates() > sent)
            terminate(inst.serve)
            time.sleep(0.5)
            terminate(inst.serve, signal.SIGHUP)
            time.sleep(1)
            ctx.true("SIGHUP does not hurry it", inst.serve.running() and not running.done())
            begun = terminate(inst.serve, number)
            answer = running.result()
            ended(ctx, f"second signal {number}, delay {delay}", inst.serve, begun, AFTER_S)
        ctx.equal(f"answered: {answer}", answer.status, 200)
        ctx.equal("parked", inst.task_row(answer.json["id"])["state"], "unknown")
        inst.sim.clear_faults()
        inst.start_serve({**settings, "drain_delay": "12s"} if number == signal.SIGTERM else
                         {**settings, "unknown_release_after": "1s", "send_timeout": "1s"})


def test_given_up(ctx):
    """A store that does not let go: it is waited for, but no longer than 10 s, and a third
    signal ends the process as a crash would."""
    # Threads that were given up are no leak.
    env = {"TSAN_OPTIONS": os.environ.get("TSAN_OPTIONS", "") + ":report_thread_leaks=0"}
    inst = ctx.new(serve=False)
    for asked in (True, False):
        inst.start_serve({"drain": "1s"}, env=env)
        db = sqlite3.connect(os.path.join(inst.data, "arkgate.db"), isolation_level=None)
        db.execute("BEGIN IMMEDIATE")  # nobody else can write
        command = subprocess.Popen([BINARY, "--data", inst.data, "credit", "add", "acme", "1", "--ref", "given-up",
                                    "--reason", "test"], env=environment(),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(1.5)  # the command has started and is the writer's
            begun = terminate(inst.serve)
            time.sleep(2)
            ctx.true("it waits for the command", inst.serve.running())
            if asked:
                terminate(inst.serve)  # a hurry that changes nothing any more
                time.sleep(0.5)
                ctx.true("it still waits", inst.serve.running())
                begun = terminate(inst.serve)
            given_up = asked or inst.serve.popen.wait(LIMIT_S) != 0
            ended(ctx, f"asked again: {asked}", inst.serve, begun, 3 if asked else 2 + 10 + 2, status=int(given_up))
            ctx.equal("says so", '"event":"stop_given_up"' in inst.serve.log(), given_up)
        finally:
            db.execute("ROLLBACK")
            db.close()
            command.wait(60)
    inst.start_serve()


def test_at_random_moments(ctx):
    """Again and again, with sends that hang now and then: no create lost, none made twice."""
    draw = random.Random(SEED)
    settings = {"drain": "1s", "send_timeout": "20s", "submitting_grace": "0s", "scan_interval": "500ms",
                "unknown_release_after": "120s", "poll_interval": "200ms"}
    inst = ctx.new(credit="1000000", settings=settings)
    ids, made = [], 0
    for turn in range(50 if FULL else 5):
        if turn:
            inst.start_serve(settings)
        if turn % 2:
            inst.sim.fault("create", 3, hang_ms=30000)
        load = Load(inst, clients=16)
        time.sleep(draw.uniform(0.05, 1.0))
        begun = terminate(inst.serve)
        load.join()
        ended(ctx, f"turn {turn} of seed {SEED}", inst.serve, begun, AFTER_S)
        inst.sim.clear_faults()
        ctx.equal(f"turn {turn} of seed {SEED}: troubles", load.troubles, [])
        ids += load.ids
        made = inst.sim.creates()
    ctx.equal("creates at Ark", made, len(ids))
    print(f"{len(ids)} creates, {len(inst.rows('SELECT 1 FROM task WHERE state = ?', 'unknown'))} unknown")
    inst.start_serve({**settings, "unknown_release_after": "1s", "send_timeout": "1s"})
    found_after(ctx, inst, ids)
    wait_for("no outcome is unknown", lambda: not inst.rows("SELECT 1 FROM task WHERE state = 'unknown'"), 60)
