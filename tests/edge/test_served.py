# SPDX-License-Identifier: Apache-2.0
"""What well-formed clients may do: chunks, 100-continue, pipelining, HEAD, HTTP/1.0,
slow second heads and slow long bodies. With ARKGATE_TEST_FULL=1 the slow body is as long
as one may be."""
import json
import os
import sys
import time

from arkgate import BASE, text_to_video

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from wire import Wire, ask, chunked, create, request  # noqa: E402

BODY = json.dumps(text_to_video()).encode()
FULL = os.environ.get("ARKGATE_TEST_FULL") == "1"
MIB = 1 << 20


def created(ctx, inst, what, answer):
    ctx.equal(f"{what}: {answer}", answer and answer.status, 200)
    return inst.task_row(answer.json["id"])


def test_chunked(ctx):
    inst = ctx.shared
    before = inst.sim.creates()
    sent = 0
    for what, data, kept in (
            ("one chunk", chunked(BODY), True), ("single bytes", chunked(BODY, 1), True),
            ("capital digits", b"%X\r\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n", True),
            ("eight digits", b"%08x\r\n" % len(BODY) + BODY + b"\r\n00000000\r\n\r\n", True),
            ("a trailer", chunked(BODY, end=b"0\r\nX-Sum: 1\r\n\r\n"), False)):
        with Wire(inst.serve.url) as wire:
            headers = ["Transfer-Encoding: chunked", *(["Trailer: X-Sum"] if not kept else [])]
            wire.send(create(inst.token, data, headers, length=False))
            answer = wire.answer()
            sent += 1
            created(ctx, inst, what, answer)
            ctx.equal(f"{what}: connection", answer.header("Connection"), "keep-alive" if kept else "close")
            if kept:
                wire.send(request())
                ctx.equal(f"{what}: the next one", wire.answer().json, {"status": "ok"})
            ctx.equal(f"{what}: what follows", wire.rest(), b"")
    with Wire(inst.serve.url) as wire:  # a trailer that was not announced, and a request behind it
        wire.send(create(inst.token, chunked(BODY, end=b"0\r\nX-Sum: 1\r\n\r\n") + request(),
                         ["Transfer-Encoding: chunked"], length=False))
        created(ctx, inst, "a trailer, not announced", wire.answer())
        ctx.equal("not announced: what follows", wire.rest(), b"")
    ctx.equal("creates at Ark", inst.sim.creates() - before, sent + 1)


def test_continue(ctx):
    """100 only for one whose token is known; the body is sent after it."""
    inst = ctx.shared
    expect = [f"Content-Length: {len(BODY)}", "Expect: 100-continue"]
    head = create(inst.token, b"", expect, length=False)
    with Wire(inst.serve.url) as wire:
        wire.send(head)
        ctx.equal("first", wire.answer().status, 100)
        ctx.equal("nothing more yet", wire.bytes, b"")
        wire.send(BODY)
        created(ctx, inst, "then", wire.answer())
        wire.send(request())
        ctx.equal("and it goes on", wire.answer().status, 200)
    with Wire(inst.serve.url) as wire:
        wire.send(create(inst.token, b"", ["Transfer-Encoding: chunked", "Expect: 100-Continue"], length=False))
        ctx.equal("chunked: first", wire.answer().status, 100)
        wire.send(chunked(BODY))
        created(ctx, inst, "chunked: then", wire.answer())
    before = inst.sim.creates()
    for what, raw, status in (("unknown token", head.replace(inst.token.encode(), b"nobody"), 401),
                              ("too long", create(inst.token, b"", ["Content-Length: 99999999", "Expect: 100-continue"],
                                                  length=False), 413),
                              ("unknown path", head.replace(BASE.encode(), BASE.encode() + b"/a/b"), 404)):
        answer, rest = ask(inst.serve.url, raw)
        ctx.equal(f"{what}: {answer}", answer.status, status)
        ctx.equal(f"{what}: connection", answer.header("Connection"), "close")
        ctx.equal(f"{what}: what follows", rest, b"")
    ctx.equal("creates at Ark", inst.sim.creates(), before)
    with Wire(inst.serve.url) as wire:  # 1.0 knows no 100
        wire.send(create(inst.token, BODY, ["Expect: 100-continue"], version="1.0"))
        created(ctx, inst, "HTTP/1.0", wire.answer())


def test_pipelined_gets(ctx):
    inst = ctx.shared
    count = 1000
    raw = b"".join(request("GET", BASE + "?page_size=1" if i % 100 == 0 else "/livez", inst.token,
                           [f"X-Client-Request-Id: get-{i}"]) for i in range(count))
    with Wire(inst.serve.url, 60) as wire:
        wire.send(raw)
        answers = [wire.answer() for _ in range(count)]
        ctx.equal("ids in order", [a and a.header("X-Client-Request-Id") for a in answers],
                  [f"get-{i}" for i in range(count)])
        ctx.equal("status", {a.status for a in answers}, {200})
        ctx.equal("what follows", wire.rest(), b"")


def test_pipelined_posts(ctx):
    """Bodies of both framings behind one another, with GETs between."""
    inst = ctx.shared
    count, before = 30, inst.sim.creates()
    raw = b""
    for i in range(count):
        mark = f"X-Client-Request-Id: post-{i}"
        if i % 3 == 0:
            raw += create(inst.token, chunked(BODY, 17), [mark, "Transfer-Encoding: chunked"], length=False)
        elif i % 3 == 1:
            raw += create(inst.token, BODY, [mark])
        else:
            raw += request(headers=[mark])
    with Wire(inst.serve.url, 60) as wire:
        wire.send(raw)
        answers = [wire.answer() for _ in range(count)]
        ctx.equal("ids in order", [a and a.header("X-Client-Request-Id") for a in answers],
                  [f"post-{i}" for i in range(count)])
        ctx.equal("status", {a.status for a in answers}, {200})
        ctx.equal("what follows", wire.rest(), b"")
    ids = {a.json["id"] for a in answers if "id" in a.json}
    ctx.equal("tasks", len(ids), count * 2 // 3)
    ctx.equal("creates at Ark", inst.sim.creates() - before, len(ids))


def test_head(ctx):
    inst = ctx.shared
    for target in ("/livez", f"{BASE}?page_size=1", f"{BASE}/cgt-20200101000000-zzzzz"):
        get, _ = ask(inst.serve.url, request("GET", target, inst.token))
        with Wire(inst.serve.url) as wire:
            wire.send(request("HEAD", target, inst.token) + request())
            head = wire.answer("HEAD")
            ctx.equal(f"{target}: no body, then the next answer", wire.answer().json, {"status": "ok"})
        volatile = ("Date", "X-Request-Id", "Content-Length")
        ctx.equal(target, (head.status, [h for h in head.headers if h[0] not in volatile]),
                  (get.status, [h for h in get.headers if h[0] not in volatile]))
        if target == "/livez":
            ctx.equal("length", head.header("Content-Length"), get.header("Content-Length"))


def test_http_1_0(ctx):
    inst = ctx.shared
    with Wire(inst.serve.url) as wire:
        wire.send(request("GET", BASE, inst.token, version="1.0"))
        answer = wire.answer()
        ctx.equal("closes", (answer.status, answer.header("Connection")), (200, "close"))
        ctx.true("no chunks", answer.header("Content-Length") and not answer.header("Transfer-Encoding"))
        ctx.equal("what follows", wire.rest(), b"")
    with Wire(inst.serve.url) as wire:
        for _ in range(3):
            wire.send(request("GET", BASE, inst.token, ["Connection: keep-alive"], version="1.0"))
            answer = wire.answer()
            ctx.equal("stays", (answer.status, answer.header("Connection")), (200, "keep-alive"))
        wire.send(create(inst.token, BODY, version="1.0"))
        answer = wire.answer()
        created(ctx, inst, "create", answer)
        ctx.equal("closes at the end", (answer.header("Connection"), wire.rest()), ("close", b""))


def test_connection_close(ctx):
    inst = ctx.shared
    with Wire(inst.serve.url) as wire:
        wire.send(request(headers=["Connection: close"]) + request())
        ctx.equal("told so", wire.answer().header("Connection"), "close")
        ctx.equal("what follows", wire.rest(), b"")


def test_slow_second_head(ctx):
    """Its packets come seconds apart."""
    inst = ctx.shared
    raw = create(inst.token, BODY)
    with Wire(inst.serve.url) as wire:
        for _ in range(2):
            wire.send(raw[:30])
            time.sleep(3)
            wire.send(raw[30:-100])
            time.sleep(0.5)
            wire.send(raw[-100:])
            created(ctx, inst, "slow", wire.answer())


def test_second_head_after_idling(ctx):
    """The time of a head begins with its first byte, not with the end of the last answer."""
    inst = ctx.shared
    with Wire(inst.serve.url) as wire:
        wire.send(request())
        ctx.equal("first", wire.answer().status, 200)
        time.sleep(3.5)
        wire.send(request()[:10])
        time.sleep(2)
        wire.send(request()[10:20])
        time.sleep(0.5)
        wire.send(request()[20:])
        answer = wire.answer()
        ctx.equal(f"second: {answer}", answer and answer.status, 200)


def test_no_length(ctx):
    """A POST that says nothing of a body has none, and the next request is the next."""
    inst = ctx.shared
    before = inst.sim.creates()
    with Wire(inst.serve.url) as wire:
        wire.send(create(inst.token, BODY, length=False).replace(BODY, b"") + request())
        answer = wire.answer()
        ctx.equal(f"no body: {answer}", (answer.status, answer.header("Connection")), (400, "keep-alive"))
        ctx.equal("next", wire.answer().json, {"status": "ok"})
    with Wire(inst.serve.url) as wire:  # bytes all the same: they are a request, which never ends
        wire.send(create(inst.token, BODY, length=False))
        ctx.equal("first", wire.answer().status, 400)
        answer = wire.answer()
        ctx.equal(f"second: {answer}", answer and answer.status, 408)
        ctx.equal("what follows", wire.rest(), b"")
    ctx.equal("creates at Ark", inst.sim.creates(), before)


def test_slow_long_body(ctx):
    """1 MB/s, for longer than the time that a body has without progress."""
    inst = ctx.shared
    size = (64 if FULL else 12) * MIB
    body = BODY[:-1] + b" " * (size - len(BODY)) + b"}"
    begun = time.monotonic()
    with Wire(inst.serve.url, 60) as wire:
        wire.send(create(inst.token, b"", [f"Content-Length: {size}"], length=False))
        for at in range(0, size, 50000):
            wire.send(body[at:at + 50000])
            time.sleep(max(0, begun + (at + 50000) / 1e6 - time.monotonic()))
        answer = wire.answer()
        created(ctx, inst, f"{size} bytes in {time.monotonic() - begun:.0f} s", answer)
        wire.send(request())
        ctx.equal("and it goes on", wire.answer().status, 200)
