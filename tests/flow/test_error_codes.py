# SPDX-License-Identifier: Apache-2.0
"""Errors that need a state of the gateway, or a head, of their own: each leaves no
task, no hold and no call behind. openapi/errors.toml has them all."""
import http.client
import signal
from concurrent.futures import ThreadPoolExecutor

import arkgate
from arkgate import BASE, text_to_video, wait_for

TEXT = {"type": "text", "text": "a pier"}


def check(ctx, what, answer, status, code, kind):
    if ctx.equal(f"{what}: status of {answer}", answer.status, status):
        ctx.equal(f"{what}: code and type", (answer.error["code"], answer.error["type"]), (code, kind))
        ctx.true(f"{what}: ends in the request id", answer.error["message"].endswith(
            " Request id: " + answer.header("X-Request-Id")), answer)


def left(inst):
    """What a refusal must not touch."""
    return (inst.sim.creates(), inst.account(), inst.rows("SELECT count(*) AS n FROM task"),
            inst.rows("SELECT count(*) AS n FROM idempotency"))


def test_heads_that_are_refused(ctx):
    inst = ctx.shared
    before = left(inst)
    for what, headers, status in (("Expect", {"Expect": "200-ok"}, 417),
                                  ("64 headers", {f"X-{n}": "a" for n in range(64)}, 431)):
        answer = inst.serve.call("POST", BASE, inst.token, text_to_video(), headers)
        check(ctx, what, answer, status, "invalid_request", "BadRequest")
    ctx.equal("nothing happened", left(inst), before)
    answer = inst.serve.call("GET", f"{BASE}?page_size=1", inst.token, headers={f"X-{n}": "a" for n in range(50)})
    ctx.equal(f"50 headers are fine: {answer}", answer.status, 200)


def test_a_body_that_does_not_come(ctx):
    """Ten seconds of grace, then 408 and the end of the connection."""
    inst = ctx.shared
    before = left(inst)
    host, port = inst.serve.url.removeprefix("http://").rsplit(":", 1)
    conn = http.client.HTTPConnection(host, int(port), timeout=40)
    try:
        conn.putrequest("POST", BASE)
        conn.putheader("Authorization", f"Bearer {inst.token}")
        conn.putheader("Content-Length", "100")
        conn.endheaders(b'{"model":')
        reply = conn.getresponse()
        answer = arkgate.Answer(reply.status, reply.getheaders(), reply.read(), reply.reason)
    finally:
        conn.close()
    arkgate.record("POST", BASE, answer)
    arkgate.check_canary("the slow body", answer)
    check(ctx, "slow", answer, 408, "invalid_request", "BadRequest")
    ctx.equal("nothing happened", left(inst), before)


def test_assets_that_nobody_has(ctx):
    """Wherever the id stands among the content, and before anything is sent or held."""
    inst = ctx.shared
    before = left(inst)
    for url in ("asset://asset-20260101000000-aaaaa", "ASSET://asset-20260101000000-aaaaa"):
        for at in (0, 1, 3):
            items = [TEXT, *[{"type": "image_url", "image_url": {"url": "https://example.com/a.png"},
                              "role": "reference_image"}] * 3]
            items[at] = {"type": "image_url", "image_url": {"url": url}, "role": "reference_image"}
            answer = inst.serve.create(inst.token, {"model": "doubao-seedance-2-0", "content": items})
            check(ctx, f"{url} at {at}", answer, 404, "ResourceNotFound.Asset", "NotFound")
            ctx.true(f"{url} at {at}: says where", f"content[{at}]" in answer.error["message"], answer)
            ctx.equal(f"{url} at {at}: x-should-retry", answer.header("x-should-retry"), "false")
    ctx.equal("nothing happened", left(inst), before)


def test_a_model_without_a_price(ctx):
    """Known, and not for sale: the others still are."""
    inst = ctx.new()
    inst.serve.stop()
    removed = inst.write("DELETE FROM price_row WHERE model = 'doubao-seedance-2-0-mini'")
    ctx.true("there was a price", removed > 0, removed)
    inst.start_serve()
    before = left(inst)
    for name in ("doubao-seedance-2-0-mini", "doubao-seedance-2.0-mini"):
        answer = inst.serve.create(inst.token, text_to_video(model=name, resolution="480p"))
        check(ctx, name, answer, 503, "service_unavailable", "InternalServerError")
        ctx.true("Retry-After", int(answer.header("Retry-After") or 0) >= 1, answer.headers)
    ctx.equal("nothing happened", left(inst), before)
    ctx.equal("another model", inst.serve.create(inst.token, text_to_video()).status, 200)


def test_draining(ctx):
    """SIGTERM while a create is under way: new requests are sent away, that one ends well."""
    inst = ctx.new()
    inst.sim.fault("create", 1, delay_ms=4000)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(inst.serve.create, inst.token, text_to_video())
        wait_for("it is on its way", lambda: inst.sim.creates() == 1)
        inst.serve.popen.send_signal(signal.SIGTERM)
        wait_for("stopping", lambda: '"event":"stopping"' in inst.serve.log())
        for method, target, body in (("GET", BASE, None), ("POST", BASE, text_to_video()),
                                     ("DELETE", f"{BASE}/cgt-20260101000000-zzzzz", None)):
            def refused():
                answer = inst.serve.call(method, target, inst.token, body)
                return answer if answer.status == 503 else None
            # The log says so a moment before the listeners know.
            answer = wait_for(f"{method} is refused", refused, 3) if method == "GET" else refused()
            if ctx.true(f"{method}: is refused", answer):
                check(ctx, method, answer, 503, "service_unavailable", "InternalServerError")
                ctx.true(f"{method}: says why", "shutting down" in answer.error["message"], answer)
        answer = running.result()
        ctx.equal(f"the one under way: {answer}", answer.status, 200)
    inst.serve.stop()
    ctx.equal("one was made", inst.sim.creates(), 1)
    inst.start_serve()
    inst.serve.wait_until(inst.token, answer.json["id"])


def test_a_commit_that_fails(ctx):
    """The n-th commit of a gateway's life fails; n is moved up to the create's first. Other
    threads commit too: one of theirs may be the n-th once, and not the next time."""
    inst = ctx.new()
    for run, nth in enumerate([*range(1, 10)] * 4):
        inst.serve.stop()
        try:
            inst.start_serve(env={"ARKGATE_FAULT": f"store.before_commit:{nth}:fail"})
        except AssertionError:
            inst.processes[-1].ended = True  # one of those that a start needs
            continue
        before, key = left(inst), {"Idempotency-Key": f"commit-{run}"}
        answer = inst.serve.create(inst.token, text_to_video("[sim: stay=queued]", ratio="16:9"), key)
        if answer.status != 200:
            break
    check(ctx, f"commit {nth}", answer, 500, "internal_error", "InternalServerError")
    ctx.equal("nothing happened", left(inst), before)
    for ours in ("fault", "commit", "sqlite", "postgres", "disk", ".c:"):
        ctx.true(f"{ours} is not in the answer", ours not in answer.body.decode().lower(), answer)
    again = inst.serve.create(inst.token, text_to_video("[sim: stay=queued]", ratio="16:9"), key)
    ctx.equal(f"the same key again: {again}", (again.status, again.header("Idempotent-Replayed")), (200, None))
