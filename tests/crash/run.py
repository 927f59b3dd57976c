#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Kills the gateway at random moments and at every named fault point, under load, and
checks afterwards that money, tasks and promises to clients are whole; likewise assets and
their files (ingest.py). On PostgreSQL also the server, its connections, and one of two
gateways.

usage: run.py [--engine sqlite|postgresql] [--jobs N] [part of a scenario's name]...

The seed is fixed (ARKGATE_CRASH_SEED takes another); ARKGATE_TEST_FULL=1 makes 200
random kills instead of 50 (on PostgreSQL, with its fault points, instead of 20). The last
line is "N passed, N failed".
"""
import argparse
import concurrent.futures
import glob
import http.client
import os
import random
import re
import sys
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "lib")]

import arkgate  # noqa: E402
import checks  # noqa: E402
import ingest  # noqa: E402
import postgres  # noqa: E402
from clients import Clients, Create  # noqa: E402

SEED = int(os.environ.get("ARKGATE_CRASH_SEED", "20260711"))
FULL = bool(os.environ.get("ARKGATE_TEST_FULL"))
KILLS_PER_BATCH = 10
BATCHES = {"sqlite": 20 if FULL else 5, "postgresql": 20 if FULL else 2}
# On PostgreSQL alone: how often a scenario runs, and how often it does its worst in each.
ROUNDS = 5 if FULL else 1
SERVER_KILLS, CUTS = 5, 15
JOBS = 4  # more would end earlier, but a gateway that hardly runs meets fewer creates before each kill
PASSAGES = (1, 2, 7)
LATER = (30, 60)
# Waits that a test cannot sit out; the window is what checks.agree() counts with.
SETTINGS = {"workers": 64, "connect_timeout": "1s", "send_timeout": "2s", "submitting_grace": "500ms",
            "unknown_release_after": "1s", "match_window": f"{checks.WINDOW_US // 1000}ms",
            "gone_recheck": "1s", "poll_interval": "100ms", "scan_interval": "200ms",
            "watch_scan_interval": "400ms"}


# -- the stage -----------------------------------------------------------------------


def installation(tenants=("acme", "bolt"), server=None):
    """Simulator, upstream with limits out of the way, tenants; no gateway yet."""
    inst = arkgate.Installation(server=server)
    try:
        inst.start_sim(speed=50)
        inst.add_upstream()
        inst.cli("upstream", "set", "main", "list_qps=50", "get_qps=500")
        inst.tokens = [inst.add_tenant(name, "100000") for name in tenants]
    except BaseException:
        inst.close()
        raise
    return inst


def start(inst, fault=None, **settings):
    """The gateway, or None when the fault ended it before it was ready."""
    try:
        return inst.start_serve({**SETTINGS, **settings}, env={"ARKGATE_FAULT": fault} if fault else {})
    except AssertionError:
        if fault is None or inst.processes[-1].running():
            raise
        inst.processes[-1].ended = True  # as expected
        return None


def finish(inst, clients, *serves):
    """Retries of every open promise, quiet, the invariants; then an operator's word on
    what is ambiguous, and the invariants again; then a clean end."""
    clients.lenient = False
    clients.start(*(serves or (start(inst),)), only_again=True)
    clients.join()
    checks.wait_until_quiet(inst)
    checks.check_all(inst, clients)
    checks.operator_decides(inst)
    checks.wait_until_quiet(inst)
    checks.check_all(inst, clients)
    # Nothing in these loads is later than its deadline.
    equal("tasks released although Ark had them", checks.late(inst), set())
    made = inst.sim.state()["made"]
    inst.stop()
    return f"{len(clients.answered)} ids answered, {made} tasks made"


# -- the scenarios ---------------------------------------------------------------------


def kills_at_random(number):
    """Ten kill -9 in a row on one installation, 20 to 400 ms after the load begins."""
    draw = random.Random(SEED + number)
    inst = installation()
    with Closing(inst):
        clients = Clients(inst.tokens, SEED * 1000 + number)
        for _ in range(KILLS_PER_BATCH):
            serve = start(inst)
            clients.start(serve)
            time.sleep(draw.uniform(0.02, 0.4))
            clients.ending.set()
            serve.kill()
            clients.join()
        return finish(inst, clients)


def fault_points():
    """Every FAULT_POINT of the gateway, and whether the code reacts to its failure. Those of
    a move ("copy.…") are tests/flow/test_migrate_killed.py's."""
    found = {}
    for path in sorted(glob.glob(os.path.join(arkgate.ROOT, "**/*.c"), recursive=True)):
        if os.path.relpath(path, arkgate.ROOT).split(os.sep)[0] in ("base", "tenancy", "billing", "assetlib", "gateway"):
            with open(path, encoding="utf-8") as file:
                for ignored, name in re.findall(r'(\(void\)\s*)?FAULT_POINT\(\s*"([^"]+)"', file.read()):
                    if not name.startswith("copy."):
                        found[name] = found.get(name, False) or not ignored
    if len(found) < 5:
        raise AssertionError(f"only {found} in the source: is it read rightly?")
    return found


def killed_at(name):
    """The gateway dies on its 1st, 2nd and 7th way through a fault point, and later under
    load when a start alone passes it."""
    inst = installation()
    with Closing(inst):
        clients = Clients(inst.tokens, f"{SEED} {name}")
        for passage in PASSAGES + (LATER if name.startswith("store.") else ()):
            serve = start(inst, f"{name}:{passage}:kill")
            if serve is not None:
                clients.start(serve, threads=4)
                try:
                    arkgate.wait_for(f"passage {passage} of {name}", lambda: not serve.running(), 15)
                finally:
                    clients.stop()
            equal(f"end of the gateway at {name}", inst.processes[-1].popen.wait(5), -9)
            inst.processes[-1].ended = True
        return finish(inst, clients)


def fails_at(name):
    """What the fault point stands for fails on its 1st, 2nd and 7th time; a kill -9 follows."""
    inst = installation()
    with Closing(inst):
        clients = Clients(inst.tokens, f"{SEED} fail {name}")
        clients.lenient = True
        for passage in PASSAGES + (LATER if name.startswith("store.") else ()):
            serve = start(inst, f"{name}:{passage}:fail")
            if serve is None:  # a gateway may refuse to start
                continue
            clients.start(serve)
            time.sleep(0.5)
            clients.ending.set()
            serve.kill()
            clients.join()
        if clients.refusals > 32:  # one group of writes fails, not the gateway
            raise AssertionError(f"{clients.refusals} creates were refused for one failure")
        return finish(inst, clients)


def released_for_certain():
    """Killed between commit A and the send: nothing was made, the money comes back, and
    the key keeps its answer."""
    inst = installation()
    with Closing(inst):
        clients = Clients(inst.tokens, SEED)
        before = inst.account("acme")
        serve = start(inst, "submit.after_commit_a:1:kill")
        create = Create(inst.tokens[0], arkgate.text_to_video(ratio="16:9"), key="the-key")
        try:
            serve.create(create.token, create.body, {"Idempotency-Key": create.key})
            raise AssertionError("the gateway answered and should be dead")
        except (OSError, http.client.HTTPException):
            equal("end of the gateway", serve.popen.wait(10), -9)
            serve.ended = True
        row = inst.rows("SELECT * FROM task")[0]
        equal("state at the crash", row["state"], "submitting")
        equal("held", inst.account("acme")["held_nano"], 5009400000)
        clients.serve = serve = start(inst)
        equal("the key's answer", clients.send(create), row["minted_id"])
        task = serve.wait_until(create.token, row["minted_id"])
        equal("end", (task["status"], task["error"]["code"]), ("failed", "InternalServiceError"))
        equal("the key's answer later", clients.send(create), row["minted_id"])
        equal("hold", inst.hold_row(row["minted_id"])["state"], "released")
        for name in ("available_nano", "held_nano", "charged_nano"):
            equal(name, inst.account("acme")[name], before[name])
        equal("made upstream", inst.sim.state()["made"], 0)
        checks.check_all(inst, clients)
        inst.stop()


def late_after_release(members):
    """Ark makes the task long after the release: the platform pays, the tenant does not."""
    inst = installation()
    with Closing(inst):
        clients = Clients(inst.tokens, SEED)
        clients.serve = serve = start(inst, match_window="10s")
        before = inst.account("acme")
        # Ark sits on the request until after deadline (2 s), release (1 s) and two scans.
        body = arkgate.text_to_video("late [sim: delay_ms=6500]", ratio="16:9", **members)
        minted = clients.send(Create(inst.tokens[0], body))
        equal("end", serve.wait_until(inst.tokens[0], minted)["status"], "failed")
        equal("nothing is made yet", inst.sim.state()["made"], 0)
        equal("all came back", inst.account("acme")["available_nano"], before["available_nano"])
        # It must be found by a gateway that has just been killed, too.
        serve.kill()
        clients.serve = serve = start(inst, match_window="10s")
        arkgate.wait_for("the loss is booked", lambda: inst.account("acme")["loss_nano"] != 0, 20)
        after = inst.account("acme")
        for name in ("available_nano", "held_nano"):
            equal(name, after[name], before[name])
        equal("loss", abs(after["loss_nano"]), 5009400000)
        equal("the tenant's view", serve.get(inst.tokens[0], minted).json["status"], "failed")
        equal("attempt", inst.rows("SELECT state FROM attempt")[0]["state"], "late")
        equal("owner", inst.rows("SELECT upstream_id FROM task")[0]["upstream_id"], inst.sim.tasks()[0]["id"])
        checks.check_all(inst, clients)
        inst.stop()


def released_on_no_evidence(fault):
    """A list that cannot be a list proves nothing: an unknown task stays unknown while
    Ark answers so, and is found afterwards."""
    inst = installation()
    with Closing(inst):
        clients = Clients(inst.tokens, SEED)
        clients.serve = serve = start(inst)
        inst.sim.fault("list", -1, **fault)
        task_id = clients.send(Create(inst.tokens[0], arkgate.text_to_video("x [sim: drop=after]")))
        scans = inst.sim.state()["calls"]["list"]
        time.sleep(4.5)  # deadline 2 s, release 1 s, several scans
        if inst.sim.state()["calls"]["list"] < scans + 4:
            raise AssertionError("nobody scanned")
        equal("attempt meanwhile", inst.rows("SELECT state FROM attempt")[0]["state"], "unknown")
        inst.sim.clear_faults()
        equal("end", serve.wait_until(inst.tokens[0], task_id)["status"], "succeeded")
        checks.check_all(inst, clients)
        inst.stop()


def seen_under_way():
    """A scan sees the task of a create whose answer is still on its way, beside an
    unknown attempt that agrees with it: it is nobody's, until its own answer comes."""
    inst = installation()
    with Closing(inst):
        clients = Clients(inst.tokens, SEED)
        clients.serve = serve = start(inst)
        gone, made = (arkgate.text_to_video(f"x [sim: {fault}]", safety_identifier="one")
                      for fault in ("drop=before", "drip=30"))
        unknown = clients.send(Create(inst.tokens[0], gone))
        mine = clients.send(Create(inst.tokens[1], made))  # takes about a second, three scans
        equal("the made one", serve.wait_until(inst.tokens[1], mine)["status"], "succeeded")
        equal("the other", serve.wait_until(inst.tokens[0], unknown)["status"], "failed")
        checks.wait_until_quiet(inst)
        checks.check_all(inst, clients)
        inst.stop()


def sigterm_under_load():
    """Every create that the gateway had taken in is answered with an id; it ends with 0
    within 30 s; what it answered is found afterwards."""
    inst = installation()
    with Closing(inst):
        clients = Clients(inst.tokens, SEED)
        for seconds in (0, 0.3):
            serve = start(inst)
            answers, threads = slow_creates(inst, clients, serve, 12)
            if seconds:
                clients.start(serve)
                time.sleep(seconds)
            clients.draining = True  # what comes from now on may be sent away
            clients.ending.set()
            begun = time.monotonic()
            serve.stop(30)
            print(f"sigterm after {seconds} s of load: ended after {time.monotonic() - begun:.1f} s")
            for thread in threads:
                thread.join(30)
            if [a for a in answers if not isinstance(a, str)] or len(answers) != 12:
                raise AssertionError(f"creates under way at SIGTERM: {answers}")
            clients.join()
            clients.draining = False
        return finish(inst, clients)


def slow_creates(inst, clients, serve, count):
    """Threads whose creates are with Ark now, and the list where their ids arrive."""
    answers, before = [], inst.sim.creates()

    def send(number):
        body = arkgate.text_to_video(f"slow {number} [sim: delay_ms=1500]", ratio="16:9")
        try:
            answers.append(clients.send(Create(inst.tokens[0], body)))
        except Exception as error:  # reported by the caller
            answers.append(error)

    clients.serve = serve
    threads = [threading.Thread(target=send, args=(n,), daemon=True) for n in range(count)]
    for thread in threads:
        thread.start()
    arkgate.wait_for("the creates are with Ark", lambda: inst.sim.creates() >= before + count, 10)
    return answers, threads


# -- on PostgreSQL -----------------------------------------------------------------------


def recovered(clients):
    """Creates work again, without a new gateway."""
    create = Create(clients.tokens[0], arkgate.text_to_video("after", resolution="480p", ratio="16:9"))
    arkgate.wait_for("a create after the outage", lambda: clients.send(create), 20)


def server_killed(number):
    """SIGKILL to the whole server at random moments, and its recovery, under a gateway that
    lives on."""
    draw = random.Random(f"{SEED} server {number}")
    with postgres.Cluster() as cluster:
        inst = installation(server=cluster)
        with Closing(inst):
            clients = Clients(inst.tokens, f"{SEED} server {number}")
            clients.lenient = True
            serve = start(inst)
            clients.start(serve)
            for _ in range(SERVER_KILLS):
                time.sleep(draw.uniform(0.1, 0.6))
                cluster.kill()
                time.sleep(draw.uniform(0, 0.5))
                cluster.start()
                recovered(clients)
            clients.stop()
            return finish(inst, clients, serve)


def connections_cut(number):
    """The server cuts all of the gateway's connections, again and again."""
    draw = random.Random(f"{SEED} cut {number}")
    inst = installation()
    with Closing(inst):
        clients = Clients(inst.tokens, f"{SEED} cut {number}")
        clients.lenient = True
        serve = start(inst)
        clients.start(serve)
        cut = 0
        for _ in range(CUTS):
            time.sleep(draw.uniform(0.1, 0.4))
            cut += inst.store.server.terminate_backends(inst.store.name)
        recovered(clients)
        clients.stop()
        if cut < CUTS:
            raise AssertionError(f"{cut} connections were cut: there was hardly a load")
        return f"{cut} cut, {finish(inst, clients, serve)}"


def two_gateways(number):
    """Two gateways on one database, and kill -9 of either; the other lets no client feel it."""
    draw = random.Random(f"{SEED} two {number}")
    inst = installation()
    with Closing(inst):
        clients = Clients(inst.tokens, f"{SEED} two {number}")
        clients.start(start(inst), start(inst))
        for _ in range(KILLS_PER_BATCH):
            time.sleep(draw.uniform(0.02, 0.4))
            at = draw.randrange(2)
            clients.serves[at].kill()
            time.sleep(draw.uniform(0, 0.2))
            clients.serves[at] = start(inst)
        clients.stop()
        return finish(inst, clients, *clients.serves)


# -- the run ------------------------------------------------------------------------------


def equal(what, got, want):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, expected {want!r}")


class Closing:
    """Removes an installation; a failure takes its state and logs along."""

    def __init__(self, inst):
        self.inst = inst

    def __enter__(self):
        return self.inst

    def __exit__(self, kind, error, trace):
        try:
            if error is not None:
                error.args = (f"{error}\nstates: {checks.describe(self.inst)}\n{self.inst.logs(15)}",)
        finally:
            self.inst.close()


def of_assets(scenario, argument):
    """A scenario of ingest.py on an installation of its own."""
    inst = arkgate.Installation()
    with Closing(inst):
        library = ingest.Library(inst)
        try:
            return scenario(library, argument)
        finally:
            library.server.close()


def asset_scenarios(points):
    yield "ingest: kills at random", of_assets, (ingest.kills_at_random, SEED)
    yield "ingest: sigterm", of_assets, (ingest.sigterm, SEED)
    for name, reacts in points.items():
        yield f"ingest: killed at {name}", of_assets, (ingest.killed_at, name)
        if reacts:
            yield f"ingest: fails at {name}", of_assets, (ingest.fails_at, name)


def scenarios(engine):
    points = fault_points()
    library = {name: points.pop(name) for name in list(points) if name.startswith(("ingest.", "blob."))}
    yield from asset_scenarios(library)
    for number in range(BATCHES[engine]):
        yield f"kills at random {number + 1}", kills_at_random, (number,)
    if engine == "postgresql":
        for number in range(ROUNDS):
            yield f"server killed {number + 1}", server_killed, (number,)
            yield f"connections cut {number + 1}", connections_cut, (number,)
            yield f"two gateways {number + 1}", two_gateways, (number,)
        if not FULL:
            return
    yield "released for certain", released_for_certain, ()
    yield "late after a release, by our identifier", late_after_release, ({},)
    yield "late after a release, by the request alone", late_after_release, ({"safety_identifier": "u"},)
    for fault in ({"no_id": True}, {"empty": True}):
        yield f"released on no evidence, {fault}", released_on_no_evidence, (fault,)
    yield "seen under way", seen_under_way, ()
    yield "sigterm under load", sigterm_under_load, ()
    for name, reacts in points.items():
        yield f"killed at {name}", killed_at, (name,)
        if reacts:
            yield f"fails at {name}", fails_at, (name,)


def run(name, scenario, arguments):
    begun = time.monotonic()
    try:
        note = scenario(*arguments) or ""
        print(f"ok {name} {time.monotonic() - begun:.1f} s {note}", flush=True)
        return True
    except Exception as error:
        trace = "".join(line for line in traceback.format_tb(error.__traceback__) if arkgate.ROOT in line)
        print(f"FAILED {name} {time.monotonic() - begun:.1f} s: {error}\n{trace}", flush=True)
        return False


def main(arguments):
    options = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n")[0])
    options.add_argument("--engine", choices=arkgate.ENGINES, default=arkgate.ENGINE)
    options.add_argument("--jobs", type=int, default=JOBS)
    options.add_argument("words", nargs="*")
    given = options.parse_args(arguments)
    arkgate.ENGINE = given.engine  # of every installation from here on
    chosen = [s for s in scenarios(given.engine) if not given.words or any(word in s[0] for word in given.words)]
    with concurrent.futures.ThreadPoolExecutor(given.jobs) as pool:
        passed = list(pool.map(lambda s: run(*s), chosen))
    print(f"seed {SEED}")
    print(f"{passed.count(True)} passed, {passed.count(False)} failed")
    return 0 if passed and all(passed) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
