# SPDX-License-Identifier: Apache-2.0
"""The numbers under load, measured and printed. Only with ARKGATE_TEST_FULL=1, and on the
release build: what a sanitizer adds says nothing."""
import os
import resource
import sys
import threading
import time

import arkgate
from arkgate import BASE, text_to_video, wait_for

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from test_refused import cpu_seconds  # noqa: E402
from test_load import BODY, HEAD, Good, close_all, long_answer, many_tasks, opened, slow_kinds, unread  # noqa: E402
from wire import Wire, create  # noqa: E402

FULL = os.environ.get("ARKGATE_TEST_FULL") == "1"
RELEASE = os.path.join(arkgate.ROOT, "build/release/gateway/arkgate")
MIB = 1 << 20
WORKERS = 2048
SLOW = 1000
MEASURE_S = 5


def prepare(ctx):
    if not FULL:
        raise ctx.Skip("only with ARKGATE_TEST_FULL=1")
    if not os.path.exists(RELEASE):
        raise ctx.Skip("there is no release build")
    arkgate.BINARY = RELEASE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * WORKERS + 1024:
        raise ctx.Skip(f"the limit of open files is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def resident(pid, what="VmRSS"):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) / 1e3 for line in file if line.startswith(what))


def test_memory_of_connections(ctx):
    prepare(ctx)
    inst = ctx.new(settings={"workers": WORKERS})
    pid = inst.serve.popen.pid
    rest = resident(pid)
    wires = opened(inst.serve.url, 1500)
    time.sleep(1)
    idle = resident(pid)
    for wire in wires:
        wire.send(HEAD)
    statuses = {wire.answer().status for wire in wires}
    served = resident(pid)
    ctx.equal("all are answered", statuses, {200})
    close_all(wires)
    print(f"resident with {WORKERS} workers, MB: {rest:.0f} at rest, {idle:.0f} with 1500 connections, "
          f"{served:.0f} when each was served")
    ctx.true("under 100 MB", max(idle, served) < 100, (idle, served))


def send_create(wire, token, size):
    wire.socket.settimeout(60)
    wire.send(create(token, BODY[:-1] + b" " * (size - len(BODY)) + b"}"))


def test_memory_of_bodies(ctx):
    prepare(ctx)
    inst = ctx.new(credit="1000", settings={"workers": WORKERS})
    pid = inst.serve.popen.pid
    before, peak, through = resident(pid), [0], []

    def watch():
        while not through:
            peak[0] = max(peak[0], resident(pid))
            time.sleep(0.005)
    watcher = threading.Thread(target=watch)
    watcher.start()
    wires = [Wire(inst.serve.url) for _ in range(10)]
    threads = [threading.Thread(target=send_create, args=(wire, inst.token, 64 * MIB)) for wire in wires]
    for thread in threads:
        thread.start()
    statuses = [wire.answer().status for wire in wires]
    for thread in threads:
        thread.join()
    through.append(True)
    watcher.join()
    close_all(wires)
    print(f"ten creates of 64 MiB at once: {sorted(statuses)}, resident {before:.0f} MB before, {peak[0]:.0f} at most")
    ctx.true("made or told to come back", set(statuses) <= {200, 400, 503} and min(statuses) < 503, statuses)
    ctx.true("under 160 MB more", peak[0] - before < 160, peak[0] - before)


def wait_quiet(pid):
    """Until all are stuck, so that it is not the work of their answers that is measured."""
    def quiet():
        before = cpu_seconds(pid)
        time.sleep(0.5)
        return cpu_seconds(pid) - before < 0.1
    wait_for("all writers are stuck", quiet, 30)


def test_slow_clients(ctx):
    """A thousand of each kind, one kind at a time."""
    prepare(ctx)
    inst = ctx.new(credit="100000", settings={"workers": WORKERS, "client_timeout": "40s"})
    many = long_answer(inst)
    kinds = {**slow_kinds(inst), "not reading": (many, b"")}
    for kind, (first, drip) in kinds.items():
        for _ in range(3):  # what else the machine does can only add to a p99
            if beside(ctx, inst, kind, first, drip):
                break
        else:
            ctx.fail(f"{kind}: p99 over the limit, three times")


def beside(ctx, inst, kind, first, drip):
    """Good clients alone, then beside slow ones; whether they were as quick as promised."""
    good = Good(inst.serve.url, inst.token)
    time.sleep(MEASURE_S)
    quiet = good.end()
    wires = (unread if kind == "not reading" else opened)(inst.serve.url, SLOW, first)
    if kind == "not reading":
        wait_quiet(inst.serve.popen.pid)
    good = Good(inst.serve.url, inst.token)
    for at in range(MEASURE_S * 20):  # each sends a byte a second, not all at once
        time.sleep(0.05)
        if drip:
            for wire in wires[at % 20::20]:
                wire.send(drip)
    good.end()
    close_all(wires)
    time.sleep(1)
    print(f"{SLOW} clients, {kind}: p99 {quiet.p99():.2f} ms quiet, {good.p99():.2f} ms beside them; "
          f"lost {len(good.lost)} of {len(good.ms)}; resident {resident(inst.serve.popen.pid):.0f} MB")
    ctx.true(f"{kind}: nothing lost", not good.lost, good.lost[:3])
    return good.p99() < max(2 * quiet.p99(), 10)
