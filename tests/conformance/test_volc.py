# SPDX-License-Identifier: Apache-2.0
"""Volcengine's Python SDK, UniversalApi, with a pair of keys on the asset library."""
import json
import os

import volcenginesdkcore
from volcenginesdkcore.rest import ApiException
from volcenginesdkcore.universal import UniversalApi, UniversalInfo

import volc
from arkgate import text_to_video, wait_for

NUMBERS_CALLS = os.environ["CONFORMANCE_SDK"] == "ark-runtime"


def client(inst, keys=None, host=None):
    """A function of action and body."""
    conf = volcenginesdkcore.Configuration()
    conf.ak, conf.sk = keys or inst.keys
    conf.region, conf.scheme = "cn-beijing", "http"
    conf.host = host or inst.serve.url.removeprefix("http://")
    api = UniversalApi(volcenginesdkcore.ApiClient(conf))

    def call(action, body):
        info = UniversalInfo(method="POST", service="ark", version=volc.VERSION, action=action,
                             content_type="application/json")
        try:
            return api.do_call(info, body)
        except ApiException as error:
            if not error.status:
                raise
            raise volc.Refused(error.status, json.loads(error.body)["ResponseMetadata"]["Error"]["Code"]) from error
    return call


def started(ctx):
    if ctx._shared is None:
        ctx._shared = volc.start(ctx)
    return ctx._shared


def test_six_actions(ctx):
    inst = started(ctx)
    volc.six_actions(ctx, inst, client(inst))


def test_an_asset_in_a_task(ctx):
    inst = started(ctx)
    call = client(inst)
    group_id = call("CreateAssetGroup", {"Name": "for a task", "GroupType": "AIGC"})["Id"]
    asset_id = call("CreateAsset", {"GroupId": group_id, "URL": inst.image_url, "AssetType": "Image"})["Id"]
    ctx.equal("status", volc.active(call, asset_id)["Status"], "Active")
    body = text_to_video(ratio="16:9", duration=4)
    body["content"].append({"type": "image_url", "role": "reference_image", "image_url": {"url": f"asset://{asset_id}"}})
    task_id = inst.serve.create(inst.token, body).json["id"]
    ctx.equal("the video", inst.serve.wait_until(inst.token, task_id)["status"], "succeeded")


def test_errors_are_exceptions(ctx):
    inst = started(ctx)
    volc.refusals(ctx, client(inst))


def test_wrong_keys(ctx):
    inst = started(ctx)
    access, secret = inst.keys
    for keys, code in (((access[:-1] + ("a" if access[-1] != "a" else "b"), secret), "InvalidAccessKey"),
                       ((access, secret[:-2] + "xx"), "SignatureDoesNotMatch")):
        try:
            ctx.fail(f"{code}: not refused: {client(inst, keys)('ListAssets', {'Filter': {'GroupType': 'AIGC'}})}")
        except volc.Refused as error:
            ctx.equal(code, (error.status, error.code), (401, code))


def named(call, name):
    """The ids of the groups of that name."""
    shown = call("ListAssetGroups", {"Filter": {"GroupType": "AIGC", "Name": name}})
    return [item["Id"] for item in shown["Items"]]


def test_a_503_before_anything_was_made(ctx):
    """The SDK tries again by itself, and one group comes of it."""
    inst = started(ctx)
    relay = volc.Relay(inst.serve, ["refused"])
    try:
        call = client(inst, host=relay.host)
        ctx.true("made at last", call("CreateAssetGroup", {"Name": "refused at first", "GroupType": "AIGC"})["Id"])
    finally:
        relay.close()
    ctx.equal("asked twice", len(relay.heads), 2)
    ctx.equal("one group", len(named(client(inst), "refused at first")), 1)


def test_a_503_that_stays(ctx):
    """The library is closed to this tenant: the SDK's repetitions do not help."""
    inst = started(ctx)
    inst.add_tenant("closed")
    key = inst.cli_json("access-key", "add", "closed")
    inst.cli("tenant", "set", "closed", "assets=off")
    call = client(inst, (key["id"], key["secret"]))

    def refusal():
        try:
            return call("ListAssetGroups", {"Filter": {"GroupType": "AIGC"}}) and None
        except volc.Refused as error:
            return error
    error = wait_for("the library is closed", refusal)
    ctx.equal("refused", (error.status, error.code), (503, "service_unavailable"))


def test_an_answer_that_is_lost(ctx):
    """The SDK of today numbers a call with x-sdk-invocation-id, signs the number and sends it
    again with each repetition: one group comes of it. The older one does not number calls."""
    inst = started(ctx)
    for lost in ("503", "cut"):
        relay = volc.Relay(inst.serve, [lost])
        name = f"lost by {lost}"
        try:
            made = client(inst, host=relay.host)("CreateAssetGroup", {"Name": name, "GroupType": "AIGC"})["Id"]
        finally:
            relay.close()
        ctx.equal(f"{lost}: asked twice", len(relay.heads), 2)
        numbers = {head.get("x-sdk-invocation-id") for head in relay.heads}
        if NUMBERS_CALLS:
            ctx.true(f"{lost}: one number", len(numbers) == 1 and None not in numbers, numbers)
            ctx.true(f"{lost}: signed", all("x-sdk-invocation-id" in head["authorization"] for head in relay.heads), relay.heads)
            ctx.equal(f"{lost}: one group", named(client(inst), name), [made])
        else:
            ctx.equal(f"{lost}: no number", numbers, {None})
            ctx.true(f"{lost}: the answered group is there", made in named(client(inst), name), made)
