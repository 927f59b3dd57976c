# SPDX-License-Identifier: Apache-2.0
"""Errors of the asset library's API that need a signature, a head or a state of the gateway
of their own, and the limits of media that test_ingest.py leaves out. openapi/volc_errors.toml
has them all; a refusal makes nothing."""
import http.client
import json
import signal
from concurrent.futures import ThreadPoolExecutor

import arkgate
import media
import signed
from arkgate import wait_for
from test_assets import VERSION, act, group, listed, refused
from test_ingest import ended, failed, given, start

GROUP = {"Name": "signed", "GroupType": "AIGC"}
PAGE = {"Filter": {"GroupType": "AIGC"}}


def target(action, path="/"):
    return f"{path}?Action={action}&Version={VERSION}"


def keys_of(inst, tenant="acme", *options):
    key = inst.cli_json("access-key", "add", tenant, *options)
    return key["id"], key["secret"]


def ask(inst, keys, action, body, change=None, path="/", **how):
    """A signed call; change is done to its headers after they were signed."""
    raw = json.dumps(body).encode()
    headers = {**signed.head(keys, target(action, path), raw, **how), **(change or {})}
    return inst.serve.call("POST", target(action, path), None, raw, {k: v for k, v in headers.items() if v is not None})


def test_signed_calls(ctx):
    """Both forms of a signature are taken, and a repeated one makes nothing new."""
    inst = ctx.shared
    keys = keys_of(inst)
    host = inst.serve.url.removeprefix("http://")
    date = signed.now()
    answers = [ask(inst, keys, "CreateAssetGroup", GROUP, path="/volcark/", date=date) for _ in range(2)]
    ctx.equal(f"status of {answers}", [a.status for a in answers], [200, 200])
    ctx.equal("one group", *[a.json["Result"]["Id"] for a in answers])
    ctx.equal("said so", [a.header("Idempotent-Replayed") for a in answers], [None, "true"])
    read = inst.serve.call("POST", signed.target(keys, "/", host, Action="ListAssetGroups", Version=VERSION), None, PAGE)
    ctx.equal(f"a query that is signed: {read}", read.status, 200)
    numbered = {"x-sdk-invocation-id": "0d3c6f4e-call-1"}
    twins = [ask(inst, keys, "CreateAssetGroup", {**GROUP, "Name": "numbered"}, more=numbered, date=signed.now(-n))
             for n in (9, 4)]
    ctx.equal(f"one call, signed twice: {twins}", *[a.json["Result"]["Id"] for a in twins])


def test_signatures_that_do_not_hold(ctx):
    inst = ctx.shared
    keys = keys_of(inst)
    access, secret = keys
    host = inst.serve.url.removeprefix("http://")
    before = listed(inst, inst.token, "ListAssetGroups")[0]
    authorization = signed.head(keys, target("CreateAssetGroup"), b"{}")["Authorization"]
    swapped = access[:-1] + ("a" if access[-1] != "a" else "b")
    cases = (
        ("nobody's key", ((swapped, secret),), {}, "InvalidAccessKey"),
        ("another secret", ((access, secret[::-1]),), {}, "SignatureDoesNotMatch"),
        ("another body", (keys, {"x-content-sha256": "0" * 64}), {}, "SignatureDoesNotMatch"),
        ("an old date", (keys,), {"date": signed.now(-1000)}, "InvalidTimestamp"),
        ("a date to come", (keys,), {"date": signed.now(1000)}, "InvalidTimestamp"),
        ("no date", (keys, {"x-date": None}), {}, "InvalidTimestamp"),
        ("no calendar has it", (keys,), {"date": "20260231T000000Z"}, "InvalidTimestamp"),
        ("another service", (keys,), {"service": "ecs"}, "InvalidAuthorization"),
        ("half of it", (keys, {"Authorization": authorization.split(", Sig")[0]}), {}, "InvalidAuthorization"),
        ("another day", (keys, {"x-date": "20200101T000000Z"}), {}, "InvalidAuthorization"),
        ("x-date is not signed", (keys, {"Authorization": authorization.replace(";x-date", "")}), {}, "InvalidAuthorization"),
        ("no hash of the body", (keys, {"x-content-sha256": None}), {}, "InvalidAuthorization"),
        ("temporary keys", (keys, {"X-Security-Token": "t"}), {}, "InvalidAuthorization"),
    )
    for what, given_keys, how, code in cases:
        change = given_keys[1] if len(given_keys) > 1 else None
        refused(ctx, what, ask(inst, given_keys[0], "CreateAssetGroup", GROUP, change, **how), 401, code)
    query = signed.target(keys, "/", host, Action="CreateAssetGroup", Version=VERSION)
    refused(ctx, "a create by a signed query", inst.serve.call("POST", query, None, GROUP), 401, "InvalidAuthorization")
    refused(ctx, "a changed query", inst.serve.call("POST", query.replace("CreateAssetGroup", "ListAssetGroups"), None, PAGE),
            401, "SignatureDoesNotMatch")
    refused(ctx, "two ways at once", inst.serve.call("POST", query, None, GROUP, {"Authorization": authorization}), 401,
            "InvalidAuthorization")
    ctx.equal("nothing was made", listed(inst, inst.token, "ListAssetGroups")[0], before)


def test_keys_that_have_ended(ctx):
    inst = ctx.shared
    keys = keys_of(inst)
    ctx.equal("works", ask(inst, keys, "ListAssetGroups", PAGE).status, 200)
    inst.cli("access-key", "revoke", keys[0])
    wait_for("it ends", lambda: ask(inst, keys, "ListAssetGroups", PAGE).status == 401)
    refused(ctx, "revoked", ask(inst, keys, "CreateAssetGroup", GROUP), 401, "InvalidAccessKey")
    token = inst.cli_json("token", "add", "acme")
    inst.cli("token", "revoke", token["id"])
    for what, credential in (("revoked", token["token"]), ("none", None), ("nobody's", "oh-nobody")):
        refused(ctx, what, act(inst, credential, "ListAssetGroups", PAGE), 401, "InvalidCredential")
    other = inst.serve.call("POST", target("ListAssetGroups"), None, PAGE, {"Authorization": "Basic YTpi"})
    refused(ctx, "another scheme", other, 401, "InvalidCredential")


def test_a_suspended_tenant_signs(ctx):
    inst = ctx.shared
    inst.add_tenant("paused")
    keys = keys_of(inst, "paused")
    inst.cli("tenant", "suspend", "paused")
    wait_for("suspended", lambda: ask(inst, keys, "CreateAssetGroup", GROUP).status == 403)
    refused(ctx, "makes nothing", ask(inst, keys, "CreateAssetGroup", GROUP), 403, "AccessDenied")
    ctx.equal("reads", ask(inst, keys, "ListAssetGroups", PAGE).status, 200)


def test_heads_that_are_refused(ctx):
    inst = ctx.shared
    before = listed(inst, inst.token, "ListAssetGroups")[0]
    where = target("CreateAssetGroup")
    cases = (
        ("a body over 64 MiB", where, {"Content-Length": str((64 << 20) + 1)}, None, 413, "RequestTooLarge"),
        ("a query over 32 kB", where + "&a=" + "a" * (32 << 10), {}, GROUP, 414, "InvalidParameter"),
        ("Expect", where, {"Expect": "200-ok"}, GROUP, 417, "InvalidParameter"),
        ("64 headers", where, {f"X-{n}": "a" for n in range(64)}, GROUP, 431, "InvalidParameter"),
        ("an empty key", where, {"Idempotency-Key": '""'}, GROUP, 400, "InvalidParameter"),
        ("a key of 256", where, {"Idempotency-Key": "k" * 256}, GROUP, 400, "InvalidParameter"),
    )
    for what, path, headers, body, status, code in cases:
        refused(ctx, what, inst.serve.call("POST", path, inst.token, body, headers), status, code)
    ctx.equal("nothing was made", listed(inst, inst.token, "ListAssetGroups")[0], before)
    answer = act(inst, inst.token, "CreateAssetGroup", GROUP, headers={"Idempotency-Key": "k" * 255})
    ctx.equal(f"a key of 255: {answer}", answer.status, 200)


def test_a_body_that_does_not_come(ctx):
    inst = ctx.shared
    host, port = inst.serve.url.removeprefix("http://").rsplit(":", 1)
    conn = http.client.HTTPConnection(host, int(port), timeout=40)
    try:
        conn.putrequest("POST", target("CreateAssetGroup"))
        conn.putheader("Authorization", f"Bearer {inst.token}")
        conn.putheader("Content-Length", "100")
        conn.endheaders(b'{"Name":')
        reply = conn.getresponse()
        answer = arkgate.Answer(reply.status, reply.getheaders(), reply.read(), reply.reason)
    finally:
        conn.close()
    arkgate.record("POST", target("CreateAssetGroup"), answer)
    refused(ctx, "slow", answer, 408, "InvalidParameter")


def test_a_library_that_is_full_or_closed(ctx):
    """What waits for its file counts, with the most that it may have."""
    inst, token, server = start(ctx)
    group_id = group(ctx, inst, token)
    slow = server.give("/slow", media.Answer(media.image(), piece=1, pause=1))
    given(ctx, inst, token, group_id, slow)
    body = {"GroupId": group_id, "URL": slow, "AssetType": "Video"}
    for setting, word in (("asset_count=1", "1 assets"), (f"asset_bytes={31 << 20}", "bytes")):
        inst.cli("tenant", "set", "acme", "asset_count=100000", f"asset_bytes={100 << 30}", setting)
        wait_for(f"{word} bind", lambda: word.encode() in act(inst, token, "CreateAsset", body).body)
        message = refused(ctx, setting, act(inst, token, "CreateAsset", body), 429, "QuotaExceeded")
        ctx.true(f"{setting}: says so", word in message, message)
    inst.cli("tenant", "set", "acme", "assets=off")
    wait_for("closed", lambda: act(inst, token, "ListAssets", PAGE).status == 503)
    for action, what in (("ListAssets", PAGE), ("CreateAssetGroup", GROUP), ("GetAsset", {"Id": "x"})):
        refused(ctx, action, act(inst, token, action, what), 503, "service_unavailable")
    server.close()


def test_draining(ctx):
    """SIGTERM while a task is sent: the gateway runs on for it, and takes no new calls."""
    inst = ctx.new()
    inst.sim.fault("create", 1, delay_ms=4000)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(inst.serve.create, inst.token, arkgate.text_to_video())
        wait_for("it is on its way", lambda: inst.sim.creates() == 1)
        inst.serve.popen.send_signal(signal.SIGTERM)

        def sent_away():
            answer = act(inst, inst.token, "ListAssetGroups", PAGE)
            return answer if answer.status == 503 else None
        answer = wait_for("calls are refused", sent_away, 3)
        refused(ctx, "a read", answer, 503, "service_unavailable")
        ctx.true("says when", int(answer.header("Retry-After") or 0) >= 1, answer.headers)
        refused(ctx, "a create", act(inst, inst.token, "CreateAssetGroup", GROUP), 503, "service_unavailable")
        ctx.equal("the task", running.result().status, 200)
    inst.serve.stop()
    inst.start_serve()
    inst.serve.wait_until(inst.token, running.result().json["id"])
    ctx.equal("no group", listed(inst, inst.token, "ListAssetGroups")[0], 0)


def test_a_commit_that_fails(ctx):
    """As in test_error_codes.py: the n-th commit fails, and n is moved up to the create's."""
    inst = ctx.new()
    for run, nth in enumerate([*range(1, 10)] * 4):
        inst.serve.stop()
        try:
            inst.start_serve(env={"ARKGATE_FAULT": f"store.before_commit:{nth}:fail"})
        except AssertionError:
            inst.processes[-1].ended = True  # one of those that a start needs
            continue
        key, before = {"Idempotency-Key": f"commit-{run}"}, listed(inst, inst.token, "ListAssetGroups")[0]
        answer = act(inst, inst.token, "CreateAssetGroup", GROUP, headers=key)
        if answer.status != 200:
            break
    message = refused(ctx, f"commit {nth}", answer, 500, "InternalError")
    ctx.equal("says nothing of itself", message, "internal error")
    ctx.equal("nothing was made", listed(inst, inst.token, "ListAssetGroups")[0], before)
    again = act(inst, inst.token, "CreateAssetGroup", GROUP, headers=key)
    ctx.equal(f"the same key again: {again}", (again.status, again.header("Idempotent-Replayed")), (200, None))


def test_media_over_their_limits(ctx):
    inst, token, server = start(ctx)
    group_id = group(ctx, inst, token)
    cases = (
        ("a huge image", "Image", media.image(size="6400x3200"), "ResolutionTooHigh", "6400"),
        ("a huge video", "Video", media.video(3, size="1920x1440"), "ResolutionTooHigh", "1920"),
        ("a fast video", "Video", media.video(3, rate=90), "FpsTooHigh", "90"),
        ("a long sound", "Audio", media.audio(16), "DurationTooLong", "16"),
    )
    ids = [given(ctx, inst, token, group_id, server.give(f"/{n}", body), kind) for n, (_, kind, body, _, _) in enumerate(cases)]
    for asset_id, (what, _, _, code, word) in zip(ids, cases):
        failed(ctx, what, ended(inst, token, asset_id), code, word)
    server.close()
