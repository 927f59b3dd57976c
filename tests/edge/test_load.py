# SPDX-License-Identifier: Apache-2.0
"""Slow clients, many clients and large bodies: the good ones are answered, the slow ones
end in time, and what is held has a bound. With ARKGATE_TEST_FULL=1 also the whole numbers,
printed, for which ARKGATE_LOAD_BIN may name a binary without sanitizers."""
import fcntl
import json
import os
import resource
import select
import socket
import struct
import subprocess
import sys
import threading
import time

import arkgate
from arkgate import BASE, http_call, text_to_video, wait_for

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from wire import Wire, address, create, request  # noqa: E402

FULL = os.environ.get("ARKGATE_TEST_FULL") == "1"
BODY = json.dumps(text_to_video()).encode()
MIB = 1 << 20
HEAD = request()
SIOCGIFADDR = 0x8915
TIME_S = 2  # client_timeout of most tests here


def opened(url, count, data=b""):
    wires = [Wire(url) for _ in range(count)]
    for wire in wires:
        wire.send(data)
    return wires


def close_all(wires):
    for wire in wires:
        wire.socket.close()


def ended(wire):
    """Whether the other side has closed; what it said before is kept in wire.bytes."""
    while select.select([wire.socket], [], [], 0)[0]:
        try:
            piece = wire.socket.recv(65536)
        except ConnectionResetError:
            piece = b""
        if not piece:
            return True
        wire.bytes += piece
    return False


def wait_ended(ctx, what, wires, seconds):
    """All of them end, and when the last did."""
    began = time.monotonic()
    left = list(wires)
    while left and time.monotonic() - began < seconds:
        left = [wire for wire in left if not ended(wire)]
        time.sleep(0.05)
    ctx.true(f"{what}: ended within {seconds} s", not left, len(left))
    return time.monotonic() - began


class Good(threading.Thread):
    """Clients that do nothing wrong: a new connection for each request."""

    def __init__(self, url, token, pause=0.01):
        super().__init__()
        self.url, self.data, self.pause = url, request("GET", BASE + "?page_size=1", token, ["Connection: close"]), pause
        self.ms, self.lost, self.through = [], [], False
        self.start()

    def run(self):
        while not self.through:
            began = time.monotonic()
            try:
                with Wire(self.url, 10) as wire:
                    wire.send(self.data)
                    answer = wire.answer()
                if answer is None or answer.status != 200:
                    self.lost.append(repr(answer))
            except (OSError, AssertionError) as error:
                self.lost.append(repr(error))
            self.ms.append((time.monotonic() - began) * 1e3)
            time.sleep(self.pause)

    def end(self):
        self.through = True
        self.join()
        return self

    def p99(self):
        return sorted(self.ms)[int(len(self.ms) * 0.99)]


def slow_kinds(inst):
    """What each kind sends first, and what it drips."""
    head = create(inst.token, b"", [f"Content-Length: {len(BODY)}"], length=False)
    return {"idle": (b"", b""), "slow head": (HEAD[:20], b"a"), "slow body": (head + BODY[:10], b" ")}


def test_slow_clients(ctx):
    """A hundred of each kind: good clients lose nothing, the slow ones end in time."""
    inst = ctx.new(settings={"workers": 128, "client_timeout": f"{TIME_S}s"})
    for kind, (first, drip) in slow_kinds(inst).items():
        good = Good(inst.serve.url, inst.token)
        wires = opened(inst.serve.url, 100, first)
        began, left = time.monotonic(), list(wires)
        while left and time.monotonic() - began < 3 * TIME_S:
            left = [wire for wire in left if not ended(wire)]
            for wire in left:
                wire.send(drip)
            time.sleep(0.3)
        took = time.monotonic() - began
        ctx.true(f"{kind}: all end in time", not left and took < TIME_S + 1.5, (len(left), took))
        wrong = {wire.bytes[:12] for wire in wires} - {b"" if kind == "idle" else b"HTTP/1.1 408"}
        ctx.true(f"{kind}: what they hear", not wrong, wrong)
        good.end()
        ctx.true(f"{kind}: good clients of {len(good.ms)} lost", not good.lost and len(good.ms) > 20, good.lost[:3])
        close_all(wires)


def test_late_byte(ctx):
    """A head's time is that of the whole, not that of its last byte."""
    inst = ctx.new(settings={"client_timeout": f"{TIME_S}s"})
    with Wire(inst.serve.url) as wire:
        wire.send(HEAD[:10])
        time.sleep(TIME_S * 0.9)
        wire.send(HEAD[10:20])
        took = wait_ended(ctx, "a byte before the end", [wire], 2 * TIME_S)
        ctx.true("no second term", took < TIME_S * 0.1 + 1, took)
        ctx.true("408", wire.bytes.startswith(b"HTTP/1.1 408 "), wire.bytes)


def test_stalled_body(ctx):
    """Much at first does not buy a long silence."""
    inst = ctx.new(settings={"client_timeout": f"{TIME_S}s"})
    with Wire(inst.serve.url) as wire:
        wire.send(create(inst.token, b"", [f"Content-Length: {8 * MIB}"], length=False) + b" " * (4 * MIB))
        took = wait_ended(ctx, "a stalled body", [wire], 4 * TIME_S)
        ctx.true("in time", TIME_S - 0.5 < took < TIME_S + 2.5, took)  # half a second, and one of reading on
        ctx.true("408", wire.bytes.startswith(b"HTTP/1.1 408 "), wire.bytes)


def test_idle_make_room(ctx):
    """More idle connections than workers: the oldest go, and the others stay."""
    inst = ctx.new(settings={"workers": 16})
    idle = []
    for _ in range(15):
        idle += opened(inst.serve.url, 1)
        time.sleep(0.02)
    time.sleep(0.5)
    ctx.equal("idle ones ended while a worker is free", [i for i, wire in enumerate(idle) if ended(wire)], [])
    for count in range(1, 4):
        idle += opened(inst.serve.url, 1)
        time.sleep(0.5)
        ctx.equal("ended", [i for i, wire in enumerate(idle) if ended(wire)], list(range(count)))
    good = Good(inst.serve.url, inst.token)
    more = opened(inst.serve.url, 100)
    time.sleep(3)
    good.end()
    ctx.true("good clients beside 100 idle ones", not good.lost and len(good.ms) > 10, (len(good.ms), good.lost[:3]))
    # Who had to wait until idle ones are ended by their time would wait five seconds.
    ctx.true("and quickly", good.p99() < 4000, good.p99())
    close_all(idle + more)


def test_keep_alive_ends_when_low(ctx):
    inst = ctx.new(settings={"workers": 16})
    with Wire(inst.serve.url) as wire:
        wire.send(HEAD)
        ctx.equal("alone", wire.answer().header("Connection"), "keep-alive")
        held = opened(inst.serve.url, 14, slow_kinds(inst)["slow body"][0])
        time.sleep(0.5)
        wire.send(HEAD)
        ctx.equal("nearly all workers busy", wire.answer().header("Connection"), "close")
        close_all(held)


def test_inflight(ctx):
    """Bodies share a budget; who has none hears 503, and it is given back."""
    inst = ctx.new(settings={"body_max": "2MiB", "inflight_bytes": "4MiB"})
    head = create(inst.token, b"", [f"Content-Length: {2 * MIB}"], length=False)
    chunked = create(inst.token, b"", ["Transfer-Encoding: chunked"], length=False)
    stranger = create("nobody", b"", [f"Content-Length: {2 * MIB}"], length=False)
    unknown = opened(inst.serve.url, 20, stranger)
    held = opened(inst.serve.url, 2, head)
    time.sleep(0.3)
    with Wire(inst.serve.url) as wire:
        wire.send(head)
        answer = wire.answer()
        ctx.equal(f"beyond the budget: {answer}", (answer.status, answer.header("Retry-After"), answer.header("Connection")),
                  (503, "1", "close"))
    answer = inst.serve.create(inst.token, BODY)
    ctx.equal("a small one: also bytes", answer.status, 503)
    with Wire(inst.serve.url) as wire:
        wire.send(chunked + b"5\r\naaaaa\r\n")
        answer = wire.answer()
        ctx.equal(f"chunked beyond the budget: {answer}", answer.status, 503)
    ctx.equal("without a body", inst.serve.call("GET", BASE, inst.token).status, 200)
    close_all(held[:1])
    time.sleep(0.5)
    ctx.equal("given back", inst.serve.create(inst.token, BODY).status, 200)
    close_all(unknown + held)
    for _ in range(20):  # nothing leaks
        ctx.equal("refused body", inst.serve.create(inst.token, b"x" * (2 * MIB)).status, 400)


def test_inflight_answers(ctx):
    """A large answer is bytes under way as well."""
    inst = ctx.new(credit="100000", settings={"body_max": "2MiB", "inflight_bytes": "2MiB"})
    many_tasks(inst, 250)
    large = BASE + "?page_size=250"
    answer = inst.serve.call("GET", large, inst.token)
    ctx.true("an answer that counts", answer.status == 200 and len(answer.body) > 64 << 10, len(answer.body))
    head = create(inst.token, b"", [f"Content-Length: {2 * MIB}"], length=False)
    held = opened(inst.serve.url, 1, head)

    def no_budget():  # once the gateway has read that head
        if ended(held[0]):  # it was read while a large answer was under way
            close_all(held)
            held[:] = opened(inst.serve.url, 1, head)
            return None
        answer = inst.serve.call("GET", large, inst.token)
        return answer if answer.status != 200 else None
    answer = wait_for("the budget is taken", no_budget, 9, 0.2)  # a body is late after 10
    ctx.equal(f"no budget: {answer}", (answer.status, answer.header("Retry-After")), (503, "1"))
    ctx.equal("a small one", inst.serve.call("GET", BASE + "?page_size=5", inst.token).status, 200)
    close_all(held)
    time.sleep(0.5)
    for _ in range(40):  # 40 times 90 kB are more than the budget
        ctx.equal("given back", inst.serve.call("GET", large, inst.token).status, 200)


def test_address_max(ctx):
    """Requests that a proxy passes on count for the client that it names."""
    inst = ctx.new(settings={"address_max": 3, "trusted_proxies": "198.51.100.0/24;2001:db8:1::/48"})
    first = slow_kinds(inst)["slow body"][0]

    def head(value, path=BASE):
        return request("GET", path, inst.token, [f"X-Forwarded-For: {value}"])

    def holding(value):
        return first.replace(b"Host:", f"X-Forwarded-For: {value}\r\nHost:".encode(), 1)

    def status(data):
        with Wire(inst.serve.url) as wire:
            wire.send(data)
            return wire.answer()
    held = opened(inst.serve.url, 3, holding("203.0.113.9"))
    held += opened(inst.serve.url, 3, holding("2001:db8:7:8::1"))
    time.sleep(0.5)
    for value in ("203.0.113.9", "203.0.113.9:4711", "192.0.2.1, 203.0.113.9", "203.0.113.9, 198.51.100.7",
                  "203.0.113.9 ,198.51.100.7, 127.0.0.1", "::ffff:203.0.113.9", "2001:db8:7:8:9::2",
                  "[2001:db8:7:8::1]:80", "2001:db8:7:8::1,2001:db8:1::5"):
        answer = status(head(value))
        ctx.equal(f"{value}: {answer}", (answer.status, answer.header("Retry-After")), (503, "1"))
    for value in ("203.0.113.8", "203.0.113.9, 203.0.113.8", "203.0.113.9, unknown", "127.0.0.1", "", "2001:db8:7:9::1"):
        ctx.equal(f"{value}: another", status(head(value)).status, 200)
    ctx.equal("health is for all", status(head("203.0.113.9", "/livez")).status, 200)
    close_all(held)
    time.sleep(0.5)
    with Wire(inst.serve.url) as wire:  # requests of one connection count one by one
        for value in ["203.0.113.9"] * 5 + ["203.0.113.10"]:
            wire.send(head(value))
            ctx.equal("after they ended", wire.answer().status, 200)


def own_address():
    """An address of this machine that is not loopback; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            try:
                found = fcntl.ioctl(probe, SIOCGIFADDR, struct.pack("256s", name.encode()))
            except OSError:
                continue  # an interface without one
            text = socket.inet_ntoa(found[20:24])
            if not text.startswith("127."):
                return text
    return None


def connect_from(source, url):
    sock = socket.socket()
    sock.settimeout(10)
    sock.bind((source, 0))
    sock.connect(address(url))
    return sock


def answers(sock, data):
    try:
        sock.sendall(data)
        return sock.recv(65536)
    except OSError:
        return b""


def test_connections_of_an_address(ctx):
    """More than the cap are closed; an untrusted client's X-Forwarded-For is only text."""
    source = own_address()
    if source is None:
        raise ctx.Skip("this machine has no address but loopback's")
    inst = ctx.new(settings={"address_max": 3})
    try:
        socks = [connect_from(source, inst.serve.url)]
    except OSError as error:
        raise ctx.Skip(f"no connection from {source} to loopback: {error}")
    socks += [connect_from(source, inst.serve.url) for _ in range(4)]
    time.sleep(0.5)
    lies = request("GET", "/livez", None, ["X-Forwarded-For: 203.0.113.7"])
    told = [answers(sock, lies)[:12] for sock in socks]  # workers take them in any order
    ctx.equal("answered", sorted(told), [b""] * 2 + [b"HTTP/1.1 200"] * 3)
    loop = opened(inst.serve.url, 10, HEAD)
    ctx.equal("loopback is exempt", {wire.answer().status for wire in loop}, {200})
    socks.pop(told.index(b"HTTP/1.1 200")).close()
    wait_for("room again", lambda: answers(connect_from(source, inst.serve.url), HEAD).startswith(b"HTTP/1.1 200"))
    close_all(loop)
    for sock in socks:
        sock.close()
    trusting = ctx.new(settings={"address_max": 3, "trusted_proxies": source})
    socks = [connect_from(source, trusting.serve.url) for _ in range(6)]
    ctx.equal("a trusted proxy", [answers(sock, HEAD)[:12] for sock in socks], [b"HTTP/1.1 200"] * 6)
    for sock in socks:
        sock.close()


def test_refused_settings(ctx):
    """What cannot work is said at the start."""
    inst = ctx.bare()

    def start(settings, limit=None):
        env = arkgate.environment({f"ARKGATE_{k.upper()}": str(v) for k, v in settings.items()})
        def less():
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        ran = subprocess.run([arkgate.BINARY, "--data", inst.data, "serve", "--listen", "127.0.0.1:0", "--admin-listen",
                              "127.0.0.1:0"], env=env, capture_output=True, text=True, timeout=30,
                             preexec_fn=less if limit else None)
        return ran.returncode, ran.stderr
    for settings, limit, word in (({"workers": 1000}, 1024, "open files"), ({"inflight_bytes": "1MiB"}, None, "inflight_bytes"),
                                  ({"trusted_proxies": "10.0.0.0/33"}, None, "10.0.0.0/33"),
                                  ({"trusted_proxies": "proxy"}, None, "proxy"),
                                  ({"trusted_proxies": "::1/129"}, None, "::1/129"),
                                  ({"client_timeout": "1ms"}, None, "client_timeout"), ({"address_max": 0}, None, "address_max")):
        status, text = start(settings, limit)
        ctx.true(f"{settings}: {status} {text[-300:]}", status != 0 and word in text.lower())


def test_unread_answers(ctx):
    """Who does not read an answer is cut off, and the others are served."""
    inst = ctx.new(credit="100000", settings={"workers": 128, "client_timeout": f"{TIME_S}s"})
    many = long_answer(inst)
    good = Good(inst.serve.url, inst.token)
    wires = unread(inst.serve.url, 40, many)
    pid = inst.serve.popen.pid
    wait_for("they hold descriptors", lambda: sockets(pid) > 40, 5)
    wait_for("they are cut off, and not after the usual 10 s", lambda: sockets(pid) < 20, 9)
    good.end()
    ctx.true("good clients", not good.lost and len(good.ms) > 20, (len(good.ms), good.lost[:3]))
    close_all(wires)


def sockets(pid):
    """Open connections of the process."""
    count = 0
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            count += os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:")
        except OSError:
            pass
    return count


def many_tasks(inst, count):
    for _ in range(count):
        answer = inst.serve.create(inst.token, text_to_video("x", safety_identifier="s" * 64))
        assert answer.status == 200, answer


def long_answer(inst):
    """Requests whose answers are more than two kernels keep for who does not read."""
    many_tasks(inst, 100)
    return request("GET", BASE + "?page_size=100", inst.token) * 60


def unread(url, count, data):
    wires = []
    for _ in range(count):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        sock.settimeout(10)
        sock.connect(address(url))
        wire = Wire.__new__(Wire)
        wire.socket, wire.bytes = sock, b""
        wire.send(data)
        wires.append(wire)
    return wires
