# SPDX-License-Identifier: Apache-2.0
"""What a tenant asks about itself: its money to the last digit, what binds it, and
errors as problem documents."""
import json
import re

from arkgate import http_call, text_to_video, wait_for

BALANCE, LIMITS = "/gw/v1/balance", "/gw/v1/limits"
PLAIN = {"ratio": "16:9", "duration": 5}  # 5.0094


def balance(inst, token):
    answer = inst.serve.call("GET", BALANCE, token)
    if answer.status != 200:
        raise AssertionError(f"balance: {answer}")
    return answer.json


def amounts(available, held, charged, credit_line, spendable):
    return {"currency": "CNY", "available": available, "held": held, "charged": charged,
            "credit_line": credit_line, "spendable": spendable}


def problem(ctx, what, answer, status, title, code, **more):
    """The whole document; its own texts, where given, in more."""
    ctx.equal(f"{what}: status", answer.status, status)
    ctx.equal(f"{what}: content type", answer.header("Content-Type"), "application/problem+json")
    want = {"type": "about:blank", "title": title, "status": status, "detail": answer.json["detail"],
            "code": code, "request_id": answer.header("X-Request-Id"), **more}
    ctx.equal(f"{what}: body", list(answer.json.items()), list(want.items()))
    ctx.true(f"{what}: a detail", len(answer.json["detail"]) > 5, answer)


def test_the_balance_follows_hold_charge_release_and_credit_line(ctx):
    inst = ctx.shared
    token = inst.add_tenant("payer", "100")
    answer = inst.serve.call("GET", BALANCE, token)
    ctx.equal("bytes", answer.body, b'{"currency":"CNY","available":"100","held":"0","charged":"0",'
                                    b'"credit_line":"0","spendable":"100"}')
    ctx.equal("content type", answer.header("Content-Type"), "application/json")

    task_id = inst.serve.create(token, text_to_video("[sim: run_ms=600000]", **PLAIN)).json["id"]
    ctx.equal("while it is open", balance(inst, token), amounts("94.9906", "5.0094", "0", "0", "94.9906"))
    inst.sim.advance(600000 * 2)
    ctx.equal("succeeded", inst.serve.wait_until(token, task_id)["status"], "succeeded")
    ctx.equal("when it ended", balance(inst, token), amounts("94.9906", "0", "5.0094", "0", "94.9906"))

    failing = inst.serve.create(token, text_to_video("[sim: fail=InternalServiceError]", **PLAIN)).json["id"]
    ctx.equal("failed", inst.serve.wait_until(token, failing)["status"], "failed")
    ctx.equal("one that failed costs nothing", balance(inst, token), amounts("94.9906", "0", "5.0094", "0", "94.9906"))

    inst.cli("tenant", "set", "payer", "credit_line=12.5")
    ctx.equal("with a credit line", balance(inst, token), amounts("94.9906", "0", "5.0094", "12.5", "107.4906"))
    inst.cli("credit", "adjust", "payer", "--ref", "a", "--reason", "a", "--", "-100.000000001")
    ctx.equal("below zero", balance(inst, token),
              amounts("-5.009400001", "0", "5.0094", "12.5", "7.490599999"))
    refused = inst.serve.create(token, text_to_video(resolution="4k", **PLAIN))
    ctx.equal("what is not spendable", (refused.status, refused.error["code"]), (402, "insufficient_balance"))
    ctx.equal("what is", inst.serve.create(token, text_to_video(**PLAIN)).status, 200)


def test_every_tenant_sees_its_own(ctx):
    inst = ctx.shared
    poor, rich = inst.add_tenant("poor", "1"), inst.add_tenant("rich", "9999999.999999999")
    ctx.equal("poor", balance(inst, poor)["available"], "1")
    ctx.equal("rich", balance(inst, rich)["available"], "9999999.999999999")
    ctx.equal("limits name the tenant", inst.serve.call("GET", LIMITS, poor).json["tenant"], "poor")
    own = inst.cli_json("token", "add", "poor", "--visibility", "own")["token"]
    ctx.equal("a token of visibility own sees the tenant's money", balance(inst, own), balance(inst, poor))


def test_limits_are_those_that_bind(ctx):
    inst = ctx.shared
    made = inst.cli_json("token", "add", "acme", "--visibility", "own", "--expires", "2d")
    answer = inst.serve.call("GET", LIMITS, made["token"])
    limits = answer.json
    ctx.equal("members", list(limits), ["tenant", "visibility", "suspended", "token_expires_at", "requests",
                                        "create", "list", "models"])
    ctx.equal("token", (limits["tenant"], limits["visibility"], limits["suspended"]), ("acme", "own", False))
    ctx.equal("its end", limits["token_expires_at"], made["expires_at"])
    ctx.equal("requests", limits["requests"], {"body_bytes": 64 << 20, "json_depth": 64, "json_values": 20000,
                                               "waiting": 100})
    ctx.equal("create", limits["create"], {"content_items": 64, "idempotency_key_characters": 255,
                                           "idempotency_key_seconds": 86400})
    ctx.equal("list", limits["list"], {"page_size": 500, "task_ids": 500})
    forever = inst.serve.call("GET", LIMITS, inst.token).json
    ctx.equal("one without an end", (forever["visibility"], forever["token_expires_at"]), ("tenant", None))


def test_a_limit_is_met_where_it_says(ctx):
    """The last value that limits allow is taken, the next one is refused."""
    inst = ctx.new(credit="1000", settings={"body_max": 4096, "workers": 8, "idempotency_keep": "90m"})
    limits = inst.serve.call("GET", LIMITS, inst.token).json
    ctx.equal("settings show", (limits["requests"]["body_bytes"], limits["requests"]["waiting"],
                                limits["create"]["idempotency_key_seconds"]), (4096, 4, 5400))

    def create_of(size):
        body = json.dumps(text_to_video("", **PLAIN)).encode()
        return inst.serve.create(inst.token, body.replace(b'"text": ""', b'"text": "%s"' % (b"a" * (size - len(body)))))

    ctx.equal("body", [create_of(limits["requests"]["body_bytes"] + n).status for n in (0, 1)], [200, 413])
    key = "k" * limits["create"]["idempotency_key_characters"]
    ctx.equal("key", [inst.serve.create(inst.token, text_to_video(**PLAIN), {"Idempotency-Key": k}).status
                      for k in (key, key + "k")], [200, 400])
    tasks = "/api/v3/contents/generations/tasks"
    most = limits["list"]["page_size"]
    ctx.equal("page", [inst.serve.call("GET", f"{tasks}?page_size={n}", inst.token).status
                       for n in (most, most + 1)], [200, 400])
    ids = limits["list"]["task_ids"]
    ctx.equal("ids", [inst.serve.call("GET", f"{tasks}?filter.task_ids=" + ",".join(["c"] * n), inst.token).status
                      for n in (ids, ids + 1)], [200, 400])
    items = limits["create"]["content_items"]
    refused = inst.serve.create(inst.token, {"model": "doubao-seedance-2-0",
                                             "content": [{"type": "text", "text": "a"}] * (items + 1)})
    ctx.equal("items", (refused.status, str(items) in refused.error["message"]), (400, True))


def test_models_are_what_creates_take(ctx):
    inst = ctx.shared
    models = {m["name"]: m for m in inst.serve.call("GET", LIMITS, inst.token).json["models"]}
    ctx.true("the three", {"doubao-seedance-2-0", "doubao-seedance-2-0-fast", "doubao-seedance-2-0-mini"} <=
             set(models), list(models))
    ctx.equal("one in full", models["doubao-seedance-2-0-fast"],
              {"name": "doubao-seedance-2-0-fast", "aliases": ["doubao-seedance-2-0-fast-260128"], "resolutions": ["480p", "720p"],
               "ratios": ["16:9", "4:3", "1:1", "3:4", "9:16", "21:9", "adaptive"],
               "duration": {"min": 4, "max": 15, "auto": True}})
    for name, model in models.items():
        for resolution in ("480p", "720p", "1080p", "4k"):
            refused = inst.serve.create(inst.token, text_to_video("x", name, resolution=resolution,
                                                                  duration=model["duration"]["max"] + 1))
            wrong = "duration" if resolution in model["resolutions"] else "resolution"
            ctx.equal(f"{name} {resolution}", (refused.status, refused.error["param"]), (400, wrong))


def test_problems(ctx):
    inst = ctx.shared
    for what, token in (("no token", None), ("an unknown one", "oh-" + "a" * 38)):
        answer = inst.serve.call("GET", BALANCE, token)
        problem(ctx, what, answer, 401, "Unauthorized", "unauthorized")
        ctx.equal(f"{what}: challenge", answer.header("WWW-Authenticate"), "Bearer")
        ctx.equal(f"{what}: retry", answer.header("x-should-retry"), "false")
    for path in ("/gw/v1", "/gw/v1/", "/gw/v1/balances", "/gw/v1/balance/", "/gw/v1/balance/x"):
        problem(ctx, path, inst.serve.call("GET", path, inst.token), 404, "Not Found", "route_not_found")
        ctx.equal(f"{path}: without a token", inst.serve.call("GET", path).status, 401)
    for path in (BALANCE, LIMITS):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            answer = inst.serve.call(method, path, inst.token, b"{}")
            problem(ctx, f"{method} {path}", answer, 405, "Method Not Allowed", "method_not_allowed")
            # what no route at all takes is refused before the path is looked at
            ctx.equal(f"{method}: Allow", answer.header("Allow"), None if method == "PATCH" else "GET")
    problem(ctx, "a preflight", inst.serve.call("OPTIONS", BALANCE), 405, "Method Not Allowed", "method_not_allowed")
    problem(ctx, "a long query", inst.serve.call("GET", BALANCE + "?" + "a" * 40000, inst.token), 414, "URI Too Long",
            "invalid_request")
    ctx.equal("its neighbours are Ark's", inst.serve.call("GET", "/gw/v1x", inst.token).error["code"], "not_found")
    ctx.equal("not on the admin listener", http_call(inst.serve.admin, "GET", BALANCE, None, {
        "Authorization": f"Bearer {inst.token}"}).status, 404)


def test_head_and_queries(ctx):
    inst = ctx.shared
    full, head = (inst.serve.call(method, BALANCE + "?x=1", inst.token) for method in ("GET", "HEAD"))
    ctx.equal("status", (full.status, head.status), (200, 200))
    ctx.equal("no body", head.body, b"")
    ctx.equal("its length", head.header("Content-Length"), full.header("Content-Length"))


def test_a_suspended_tenant_may_read(ctx):
    inst = ctx.shared
    token = inst.add_tenant("slow", "3")
    ctx.equal("before", inst.serve.call("GET", LIMITS, token).json["suspended"], False)
    inst.cli("tenant", "suspend", "slow")
    wait_for("suspension", lambda: inst.serve.call("GET", LIMITS, token).json["suspended"] is True, 5)
    ctx.equal("balance", balance(inst, token)["available"], "3")


def test_nothing_of_the_upstream_shows(ctx):
    inst = ctx.shared
    for path in (BALANCE, LIMITS):
        text = inst.serve.call("GET", path, inst.token).body.decode()
        ctx.equal(path, re.findall(r"ark-test-key|127\.0\.0\.1|main|ep-", text), [])
