# SPDX-License-Identifier: Apache-2.0
"""What two readers could take differently is refused with its status in JSON, and the
connection ends: nothing of it is done, and nothing of anybody else's is shown."""
import json
import os
import resource
import sys
import time

from arkgate import BASE, text_to_video, wait_for

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from probes import bad_chunks, dropped_headers, probes  # noqa: E402
from wire import Wire, ask, chunked, create, request  # noqa: E402

BODY = json.dumps(text_to_video()).encode()


def money(inst):
    return {k: v for k, v in inst.account().items() if k.endswith("_nano")}


class Untouched:
    """Within it nothing may be made, at Ark or here, and no money moved."""

    def __init__(self, ctx, inst):
        self.ctx, self.inst = ctx, inst

    def _look(self):
        state = self.inst.sim.state()
        return {"creates": state["calls"]["create"], "made": state["made"], "money": money(self.inst),
                "tasks": len(self.inst.rows("SELECT id FROM task")),
                "entries": len(self.inst.rows("SELECT seq FROM ledger"))}

    def __enter__(self):
        self.before = self._look()

    def __exit__(self, *_):
        self.ctx.equal("what was there before and is there after", self._look(), self.before)


def check_refused(ctx, inst, rows):
    for name, data, status in rows:
        answer, rest = ask(inst.serve.url, data)
        if not ctx.true(f"{name}: an answer", answer is not None):
            continue
        ctx.equal(f"{name}: status of {answer}", answer.status, status)
        ctx.equal(f"{name}: connection", answer.header("Connection"), "close")
        ctx.equal(f"{name}: what follows", rest, b"")
        ctx.true(f"{name}: a request id", answer.header("X-Request-Id"))
        ctx.true(f"{name}: JSON", isinstance(answer.json, dict) and "json" in answer.header("Content-Type"), answer)
    ctx.true("the gateway lives", inst.serve.running())


def test_refused(ctx):
    inst = ctx.shared
    with Untouched(ctx, inst):
        check_refused(ctx, inst, probes(inst.token, inst.token))


def test_dropped_headers(ctx):
    inst = ctx.shared
    with Untouched(ctx, inst):
        check_refused(ctx, inst, dropped_headers(inst.token, inst.token))


def test_chunked_refused(ctx):
    inst = ctx.shared
    with Untouched(ctx, inst):
        check_refused(ctx, inst, bad_chunks(inst.token, inst.token))


def test_targets_are_named(ctx):
    """Whether the engine or the gate refuses, the target is what the answer blames."""
    inst = ctx.shared
    port = inst.serve.url.rsplit(":", 1)[1]
    for target in ("*", "http://edge/livez", f"http://edge:{port}/livez"):
        answer, _ = ask(inst.serve.url, request("GET", target))
        ctx.true(f"{target}: {answer}", "the request target must be a path" in answer.error["message"])


def test_short_bodies(ctx):
    """The client says that it is through before the body is."""
    inst = ctx.shared
    data = chunked(BODY)
    with Untouched(ctx, inst):
        for name, raw in (("length", create(inst.token, BODY + b" ")[:-1]), ("length of two", create(inst.token, BODY)[:-9]),
                          ("chunk", create(inst.token, data[:-20], ["Transfer-Encoding: chunked"], length=False)),
                          ("no last chunk", create(inst.token, data[:-5], ["Transfer-Encoding: chunked"], length=False))):
            with Wire(inst.serve.url) as wire:
                wire.send(raw)
                wire.finish()
                answer = wire.answer()
                ctx.equal(f"{name}: {answer}", answer and answer.status, 400)
                ctx.equal(f"{name}: what follows", wire.rest(), b"")


def occupy(inst, count):
    """Connections that each keep a worker: it waits for a body. An idle one would be
    closed for the next client."""
    wires = []
    for _ in range(count):
        wire = Wire(inst.serve.url)
        wire.send(create(inst.token, b"", [f"Content-Length: {len(BODY)}", "Expect: 100-continue"], length=False))
        assert wire.answer().status == 100
        wires.append(wire)
    return wires


def replay(url, victim):
    """Line feeds over the first of two requests that a victim left in a worker's buffer."""
    first = request(headers=["Connection: close"])
    answer, rest = ask(url, first + victim)
    assert answer.status == 200 and rest == b"", answer
    with Wire(url) as wire:
        wire.send(b"\n" * len(first))
        wire.finish()
        return wire.answer()


def test_stale_buffer(ctx):
    """Bytes of an earlier connection in the same worker's buffer are nobody's request."""
    inst = ctx.new(settings={"workers": 4})
    victim_lists = request("GET", BASE, inst.token, ["Connection: close"])
    victim_creates = create(inst.token, BODY, ["Connection: close"])
    with Untouched(ctx, inst):
        for victim in (victim_lists, victim_creates):
            held = occupy(inst, 3)  # of four workers: both clients meet the same one
            answer = replay(inst.serve.url, victim)
            for wire in held:
                wire.socket.close()
            ctx.true(f"refused or closed: {answer}", answer is None or answer.status == 400)


def test_two_clients_one_worker(ctx):
    """A head that is cut off is not completed by what the worker read before."""
    inst = ctx.new(settings={"workers": 4})
    victim = request("GET", BASE, inst.token, ["Connection: close"])
    for cut in (5, 20, len(victim) - 30, len(victim) - 4, len(victim) - 2):
        held = occupy(inst, 3)
        ctx.equal("the victim's", ask(inst.serve.url, victim)[0].status, 200)
        with Wire(inst.serve.url) as wire:
            wire.send(victim[:cut])
            wire.finish()
            answer = wire.answer()
            ctx.true(f"cut at {cut}: {answer}", answer is None or answer.status == 400)
        for wire in held:
            wire.socket.close()


def test_sizes_at_the_limit(ctx):
    """One less is served: the limits are where the page says."""
    inst = ctx.shared
    for name, raw, status in (
            ("path of 2 kB", request("GET", "/" + "a" * 2047), 404),
            ("query of 32 kB", request("GET", "/livez?" + "a" * 32768), 200),
            ("head of 48 kB", request(headers=["X: " + "a" * (49152 - len(request()) - 5)]), 200),
            ("63 headers", request(headers=[f"X-{i}: y" for i in range(62)]), 200)):
        answer, _ = ask(inst.serve.url, raw)
        ctx.equal(f"{name}: {answer}", answer.status, status)


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_descriptors_run_out(ctx):
    """The accept loop waits for one instead of trying all the time."""
    inst = ctx.new()
    pid = inst.serve.popen.pid
    limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = max(int(name) for name in os.listdir(f"/proc/{pid}/fd")) + 1
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 4, limits[1]))
    wires = [Wire(inst.serve.url) for _ in range(12)]  # the kernel takes those that wait
    try:
        wait_for("all descriptors in use", lambda: len(os.listdir(f"/proc/{pid}/fd")) >= used + 4)
        before = cpu_seconds(pid)
        time.sleep(2)
        spent = cpu_seconds(pid) - before
        ctx.true("CPU time of 2 s without a descriptor", spent < 1, spent)
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        for wire in wires:
            wire.socket.close()
    answer, _ = ask(inst.serve.url, request())
    ctx.equal("then it serves again", answer.status, 200)
