# SPDX-License-Identifier: Apache-2.0
"""Behind nginx and HAProxy, whose connections to the gateway many clients share: whatever
an attacker sends, every other client gets the answer to its own request."""
import json
import os
import sys

from arkgate import BASE, text_to_video

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from probes import probes  # noqa: E402
from proxies import Proxy  # noqa: E402
from wire import Wire, ask, chunked, create, request  # noqa: E402

BODY = json.dumps(text_to_video()).encode()
VICTIMS = 3  # after each attack


def rich_and_poor(ctx):
    """The attacker's requests may be served, as the proxies see them; they make nothing."""
    if not hasattr(ctx, "poor"):
        inst = ctx.shared
        ctx.poor = inst.add_tenant("poor", "0")
        ctx.video = inst.serve.create(inst.token, text_to_video("of the victim")).json["id"]
        inst.serve.wait_until(inst.token, ctx.video)
    return ctx.shared, ctx.poor


def victims(ctx, inst, url, what):
    """Clients of their own connections, each with its own mark."""
    for i in range(VICTIMS):
        mark = f"victim-{abs(hash(what))}-{i}"
        target = f"{BASE}/{ctx.video}" if i % 2 == 0 else "/livez"
        answer, _ = ask(url, request("GET", target, inst.token, [f"X-Client-Request-Id: {mark}", "Connection: close"]))
        if not ctx.true(f"{what}: victim {i} is answered", answer is not None):
            continue
        ctx.equal(f"{what}: victim {i} gets {answer}", (answer.status, answer.header("X-Client-Request-Id")), (200, mark))
        ctx.true(f"{what}: victim {i}: its own answer", ctx.video in answer.json.values() if i % 2 == 0 else
                 answer.json == {"status": "ok"}, answer)


def attack(url, data):
    """All that comes back, whatever it is."""
    with Wire(url, 15) as wire:
        wire.send(data)
        return wire.rest()


def attacked(ctx, name):
    inst, poor = rich_and_poor(ctx)
    creates, account = inst.sim.creates(), inst.account()
    shown = (ctx.video.encode(), b"victim")
    with Proxy(ctx, name, inst.serve.url) as proxy:
        for what, data, _ in probes(poor, poor):
            got = attack(proxy.url, data)
            ctx.true(f"{what}: nothing of the victims' is shown", not any(text in got for text in shown), got)
            victims(ctx, inst, proxy.url, f"{name}, {what}")
        replayed(ctx, inst, proxy)
    ctx.equal("creates at Ark", inst.sim.creates(), creates)
    ctx.equal("the victim's money", inst.account(), account)


def replayed(ctx, inst, proxy):
    """What a victim leaves behind its last request is not the next client's."""
    first = request(headers=["Connection: close"])
    victim = request("GET", f"{BASE}/{ctx.video}", inst.token)
    for _ in range(5):
        attack(proxy.url, first + victim)
        got = attack(proxy.url, b"\n" * len(first))
        ctx.true(f"replay: {got}", ctx.video.encode() not in got)


def test_nginx_attacked(ctx):
    attacked(ctx, "nginx")


def test_haproxy_attacked(ctx):
    attacked(ctx, "haproxy")


def served(ctx, name):
    """What must work works through them."""
    inst = ctx.shared
    creates = inst.sim.creates()
    with Proxy(ctx, name, inst.serve.url) as proxy:
        with Wire(proxy.url) as wire:
            for i in range(20):
                wire.send(create(inst.token, BODY) if i % 2 == 0 else
                          create(inst.token, chunked(BODY, 13), ["Transfer-Encoding: chunked"], length=False))
                answer = wire.answer()
                ctx.equal(f"create: {answer}", answer.status, 200)
                wire.send(request("GET", f"{BASE}/{answer.json['id']}", inst.token))
                ctx.equal("get", wire.answer().json["id"], answer.json["id"])
            wire.send(create(inst.token, BODY + b" " * 2000000))
            ctx.equal("2 MB", wire.answer().status, 200)
            wire.send(request("HEAD", BASE, inst.token))
            ctx.equal("head", wire.answer("HEAD").status, 200)
            wire.send(create(inst.token, b"", [f"Content-Length: {len(BODY)}", "Expect: 100-continue"], length=False))
            ctx.equal("continue", wire.answer().status, 100)
            wire.send(BODY)
            ctx.equal("then", wire.answer().status, 200)
        with Wire(proxy.url) as wire:
            wire.send(b"".join(request(headers=[f"X-Client-Request-Id: p-{i}"]) for i in range(100)))
            ctx.equal("pipelined", [wire.answer().header("X-Client-Request-Id") for _ in range(100)],
                      [f"p-{i}" for i in range(100)])
    ctx.equal("creates at Ark", inst.sim.creates() - creates, 22)


def test_nginx_serves(ctx):
    served(ctx, "nginx")


def test_haproxy_serves(ctx):
    served(ctx, "haproxy")
