# SPDX-License-Identifier: Apache-2.0
"""Every refusal of the ark dialect that can be had before the upstream is called:
status, code, type, member, and that nothing was sent and no money moved."""
import json
import socket

from arkgate import BASE, text_to_video, wait_for

TYPES = {400: "BadRequest", 413: "BadRequest", 401: "Unauthorized", 402: "PaymentRequired",
         403: "Forbidden", 404: "NotFound", 405: "NotFound", 409: "Conflict"}
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
VIDEO = {"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}}
AUDIO = {"type": "audio_url", "audio_url": {"url": "https://example.com/a.mp3"}}
TEXT = {"type": "text", "text": "a pier"}


def check_error(ctx, what, answer, status, code, param=None):
    """The whole form of an error; param None: not looked at."""
    if not ctx.equal(f"{what}: status", answer.status, status):
        return ctx.fail(f"{what}: {answer}")
    body = answer.json
    ctx.equal(f"{what}: shape", (list(body), sorted(body["error"])[:3]), (["error"], sorted(body["error"])[:3]))
    error = body["error"]
    ctx.equal(f"{what}: code", error["code"], code)
    ctx.equal(f"{what}: type", error["type"], TYPES[status])
    ctx.true(f"{what}: param is text", isinstance(error.get("param", ""), str), error)
    if param is not None:
        ctx.equal(f"{what}: param", error.get("param", ""), param)
    ctx.true(f"{what}: message ends in the request id",
             error["message"].endswith(" Request id: " + (answer.header("X-Request-Id") or "?")), error)
    if status < 429:
        ctx.equal(f"{what}: x-should-retry", answer.header("x-should-retry"), "false")


class Untouched:
    """Nothing reached the simulator and no money moved inside the block."""

    def __init__(self, ctx):
        self.ctx, self.inst = ctx, ctx.shared

    def snapshot(self):
        # The poller's own calls do not count.
        calls = self.inst.sim.state()["calls"]
        return (calls["create"], calls["delete"], self.inst.account(),
                self.inst.rows("SELECT count(*) AS n FROM task"))

    def __enter__(self):
        # What earlier tests made must have ended, or its end moves money here.
        wait_for("no task is open", lambda: self.inst.rows(
            "SELECT count(*) AS n FROM task WHERE ended_us IS NULL")[0]["n"] == 0)
        self.before = self.snapshot()
        return self.inst

    def __exit__(self, *failure):
        if failure[0] is None:
            self.ctx.equal("simulator and money are untouched", self.snapshot(), self.before)


def with_content(*items, **members):
    return {"model": "doubao-seedance-2-0", "content": list(items), **members}


def test_credentials(ctx):
    with Untouched(ctx) as inst:
        revoked = inst.cli_json("token", "add", "acme")
        inst.cli("token", "revoke", revoked["id"])
        expired_form = inst.token[:-1] + ("0" if inst.token[-1] != "0" else "1")
        values = {"missing": None, "empty": "Bearer ", "no scheme": inst.token, "basic": "Basic " + inst.token,
                  "unknown": "Bearer oh-" + "a" * 38, "checksum": f"Bearer {expired_form}",
                  "very long": "Bearer oh-" + "a" * 7000, "revoked": f"Bearer {revoked['token']}",
                  "two words": f"Bearer {inst.token} x", "nul": "Bearer oh-%00"}
        for what, value in values.items():
            headers = {} if value is None else {"Authorization": value}
            for method, target, body in (("POST", BASE, text_to_video()), ("GET", BASE + "/cgt-x", None),
                                         ("GET", "/api/v3", None), ("GET", BASE, None),
                                         ("POST", "/api/v3/nowhere", {})):
                answer = inst.serve.call(method, target, None, body, headers)
                check_error(ctx, f"{what} {method} {target}", answer, 401, "AuthenticationError")


def test_a_stranger_s_body_is_not_looked_at(ctx):
    with Untouched(ctx) as inst:
        answer = inst.serve.call("POST", BASE, "oh-wrong", b"[" * 700)
        check_error(ctx, "not even JSON", answer, 401, "AuthenticationError")


def test_json(ctx):
    def nested(depth):
        return b'{"model":"doubao-seedance-2-0","content":[{"type":"text","text":"a"}],"x":' + \
            b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"

    bad = {
        "empty": b"", "blank": b" \n", "not JSON": b"hello", "array": b"[]", "text": b'"a"', "number": b"1",
        "null": b"null", "cut": b'{"model":"doubao-seedance-2-0"', "trailing": b"{} {}", "comma": b'{"a":1,}',
        "comment": b"{/* a */}", "single quotes": b"{'a':1}", "NaN": b'{"a":NaN}', "plus": b'{"a":+1}',
        "leading zero": b'{"a":01}', "BOM": b"\xef\xbb\xbf{}", "bad UTF-8": b'{"a":"\xff"}',
        "overlong UTF-8": b'{"a":"\xc0\xaf"}', "surrogate bytes": b'{"a":"\xed\xa0\x80"}',
        "lone surrogate": b'{"a":"\\ud800"}', "low surrogate": b'{"a":"\\udc00"}', "NUL escape": b'{"a":"\\u0000"}',
        "raw NUL": b'{"a":"\x00"}', "control": b'{"a":"\x01"}', "bad escape": b'{"a":"\\x41"}',
        "duplicate": b'{"model":"a","model":"b"}', "escaped duplicate": b'{"model":"a","m\\u006fdel":"b"}',
        "deep duplicate": b'{"model":"doubao-seedance-2-0","content":[{"type":"text","type":"text","text":"a"}]}',
        "depth 65": nested(65), "650 brackets": b"[" * 650, "650 objects": b'{"a":' * 650,
        "100,000 brackets": b"[" * 100000,
    }
    with Untouched(ctx) as inst:
        for what, raw in bad.items():
            check_error(ctx, what, inst.serve.create(inst.token, raw), 400, "invalid_request")
    answer = ctx.shared.serve.create(ctx.shared.token, nested(64))
    ctx.equal("depth 64 is accepted", answer.status, 200)


def test_duration(ctx):
    with Untouched(ctx) as inst:
        for seconds in (3, 16, 0, -2, 10**12):
            check_error(ctx, f"duration {seconds}", inst.serve.create(inst.token, text_to_video(duration=seconds)),
                        400, "invalid_duration", "duration")


def test_models(ctx):
    refused = ["seedance-2-0", "seedance-2-0-260128", "seedance-2-0-fast", "seedance-2-0-fast-260128",
               "seedance-2-0-mini", "dreamina-seedance-2.0-mini", "doubao-seedance-2-0-filter-off",
               "doubao-seedance-2-0-fast-filter-off", "DOUBAO-SEEDANCE-2-0", " doubao-seedance-2-0",
               "doubao-seedance-2-0 ", "gpt-4", "ep-20260101000000-abcde", "x" * 5000, "м" * 300, "a\nb", "%s%n"]
    with Untouched(ctx) as inst:
        for name in refused:
            answer = inst.serve.create(inst.token, text_to_video(model=name))
            check_error(ctx, f"model {name[:40]!r}", answer, 404, "InvalidEndpointOrModel.NotFound", "model")
            ctx.true("the answer is short", len(answer.body) < 1500, len(answer.body))


def test_the_model_is_looked_at_before_the_parameters(ctx):
    with Untouched(ctx) as inst:
        for what, members in (("resolution", {"resolution": "8k"}), ("duration", {"duration": 3}),
                              ("asset", {"extra": "asset://a"}), ("frames", {"frames": 121})):
            answer = inst.serve.create(inst.token, text_to_video(model="nope", **members))
            check_error(ctx, f"unknown model and {what}", answer, 404, "InvalidEndpointOrModel.NotFound")


def test_assets_are_unknown_wherever_they_stand(ctx):
    def image(url):
        return with_content(TEXT, {"type": "image_url", "image_url": {"url": url}, "role": "reference_image"})

    with Untouched(ctx) as inst:
        for url in ("asset://asset-1", "ASSET://asset-1", "Asset://x", "asset://", "aSSet://" + "a" * 3000):
            for what, body, member in (("image", image(url), "content[1].image_url.url"),
                                       ("member", text_to_video(extra=url), "extra"),
                                       ("deep", text_to_video(extra={"a": [{"b": [url]}]}), "extra.a[0].b[0]"),
                                       ("inside a list", text_to_video(references={"image": [url]}),
                                        "references.image[0]")):
                answer = inst.serve.create(inst.token, body)
                check_error(ctx, f"{what} {url[:20]}", answer, 404, "ResourceNotFound.Asset", member)
                ctx.true(f"{what} {url[:20]}: the message names it", member in answer.error["message"], answer)
        # An escape does not hide it.
        raw = b'{"model":"doubao-seedance-2-0","content":[{"type":"text","text":"a"}],"x":"\\u0061sset://b"}'
        check_error(ctx, "escaped", inst.serve.create(inst.token, raw), 404, "ResourceNotFound.Asset", "x")
        # What is wrong besides is said first.
        check_error(ctx, "and a bad ratio", inst.serve.create(inst.token, {**image("asset://a"), "ratio": "1:9"}),
                    400, "invalid_request", "ratio")


def test_unknown_tasks(ctx):
    with Untouched(ctx) as inst:
        ids = ["cgt-20260101000000-aaaaa", "cgt-none", "0", "-", "a" * 63, "a" * 64, "a" * 10000, "%00",
               "cgt-%00", "cgt-%ff", "%E2%82%AC", "..%2f..%2fetc", "%27%20OR%201=1--", "cgt-x%0d%0aSet-Cookie:a",
               "a" * 4000 + "%00"]
        for task_id in ids:
            answer = inst.serve.get(inst.token, task_id)
            ctx.true(f"{task_id[:30]}: status", answer.status in (404, 400, 414), answer)
            if len(task_id) > 2000:  # the path may have 2 kB
                ctx.equal(f"{task_id[:30]}: too long", answer.status, 414)
            elif task_id.isalnum() or task_id.startswith("cgt-2"):
                check_error(ctx, f"id {task_id[:30]}", answer, 404, "task_not_found")
            ctx.equal(f"{task_id[:30]}: no header smuggled", answer.header("Set-Cookie"), None)


def test_routes_and_methods(ctx):
    with Untouched(ctx) as inst:
        for method, target in (("GET", "/api/v3/models"), ("POST", "/api/v3/chat/completions"), ("GET", BASE + "/a/b"),
                               ("GET", "/api/v3"), ("GET", "/volcark/api/v3/nowhere")):
            check_error(ctx, f"{method} {target}", inst.serve.call(method, target, inst.token,
                        None if method == "GET" else {}), 404, "not_found")
        for method, target in (("PUT", BASE), ("PATCH", BASE), ("PUT", BASE + "/cgt-1"), ("PATCH", BASE + "/cgt-1"),
                               ("DELETE", BASE), ("POST", BASE + "/cgt-1")):
            check_error(ctx, f"{method} {target}", inst.serve.call(method, target, inst.token,
                        None if method == "GET" else {}), 405, "method_not_allowed")


def test_a_body_over_64_mib(ctx):
    with Untouched(ctx) as inst:
        size = 64 * 1024 * 1024 + 1
        answer = inst.serve.create(inst.token, b"[" + b" " * (size - 1))
        check_error(ctx, "64 MiB and one", answer, 413, "request_too_large")
        # The head alone is enough to refuse it.
        port = int(inst.serve.url.rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
            sock.sendall((f"POST {BASE} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {inst.token}\r\n"
                          f"Content-Type: application/json\r\nContent-Length: {size}\r\n"
                          "Expect: 100-continue\r\n\r\n").encode())
            head = sock.recv(65536).decode()
        ctx.true("refused without the body", head.startswith("HTTP/1.1 413 "), head[:200])


def test_a_large_body_under_the_limit(ctx):
    inst = ctx.shared
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 3_000_000},
             "role": "reference_image"}
    answer = inst.serve.create(inst.token, with_content(TEXT, image))
    ctx.equal(f"3 MB picture ({answer.body[:200]!r})", answer.status, 200)


def test_balance(ctx):
    inst = ctx.shared
    inst.cli("tenant", "add", "poor", "--credit", "5.0093")
    token = inst.cli_json("token", "add", "poor")["token"]
    calls = inst.sim.creates()
    answer = inst.serve.create(token, text_to_video(ratio="16:9"))
    check_error(ctx, "balance", answer, 402, "insufficient_balance")
    ctx.equal("hold", answer.error.get("hold"), "5.0094")
    ctx.equal("available", answer.error.get("available"), "5.0093")
    ctx.equal("account", inst.account("poor")["available_nano"], 5009300000)
    ctx.equal("nothing sent", inst.sim.creates(), calls)
    inst.cli("credit", "add", "poor", "0.0001", "--ref", "last-bit", "--reason", "test")
    answer = inst.serve.create(token, text_to_video(ratio="16:9"))
    ctx.equal(f"with exactly enough ({answer.body!r})", answer.status, 200)


def test_errors_tell_nothing_of_ours(ctx):
    inst = ctx.shared
    secrets = ["ark-test-key", "doubao-seedance-2-0-260128", inst.sim.url, inst.data, "SELECT", "sqlite", "postgres", ".c:"]
    inst.sim.fault("create", 1, status=401)
    answers = [inst.serve.create(inst.token, text_to_video()), inst.serve.create(inst.token, text_to_video(duration=3)),
               inst.serve.get(inst.token, "a" * 500), inst.serve.create(inst.token, b"{")]
    for answer in answers:
        text = json.dumps(answer.headers) + answer.body.decode()
        ctx.equal(f"leaks in {answer}", [s for s in secrets if s in text], [])
