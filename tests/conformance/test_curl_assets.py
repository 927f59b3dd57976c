# SPDX-License-Identifier: Apache-2.0
"""The curl examples of a reseller's page, about the asset library and videos from it."""
import media
import volc
from curl import created, step


def made(ctx, inst, *arguments):
    """The Id of a step that makes something, which is all it says."""
    status, body = step(inst, *arguments)
    if status != 200:
        raise AssertionError(f"{arguments}: {status} {body}")
    ctx.equal(f"{arguments[0]}: what it says", list(body["Result"]), ["Id"])
    ctx.has(f"{arguments[0]}: metadata", body["ResponseMetadata"], ["Action", "Service", "Version"])
    return body["Result"]["Id"]


def active(ctx, inst, asset_id):
    shown = volc.active(lambda _, body: step(inst, "get-asset", body["Id"])[1]["Result"], asset_id)
    ctx.equal(f"{asset_id}: {shown.get('Error')}", shown["Status"], "Active")


def test_from_a_group_to_a_video(ctx):
    inst = volc.start(ctx)
    group_id = made(ctx, inst, "create-group")
    ctx.matches("group id", group_id, r"group-\d{14}-[a-z0-9]+")
    image_id = made(ctx, inst, "create-image", group_id, inst.image_url)
    ctx.matches("asset id", image_id, r"asset-\d{14}-[a-z0-9]+")
    active(ctx, inst, image_id)
    status, body = step(inst, "list-assets", group_id)
    ctx.equal("list", (status, body["Result"]["TotalCount"], body["Result"]["PageNumber"], body["Result"]["PageSize"]),
              (200, 1, 1, 20))
    item = body["Result"]["Items"][0]
    ctx.equal("its item", [item[name] for name in ("Id", "GroupId", "AssetType", "Status")],
              [image_id, group_id, "Image", "Active"])
    for scheme in ("asset://", "Asset://"):
        task = created(ctx, inst, "asset-to-video", scheme + image_id)
        ctx.equal(scheme, (task["status"], task["duration"]), ("succeeded", 4))
        ctx.equal(f"{scheme}: price", inst.cli_json("task", "show", task["id"])["sku"], "doubao-seedance-2-0-720p-novideo")
    video_id = made(ctx, inst, "create-video", group_id, inst.media.give("/room.mp4", media.video(3)))
    active(ctx, inst, video_id)
    task = created(ctx, inst, "edit-asset", video_id, image_id)
    ctx.equal("an edited video", (task["status"], task["duration"]), ("succeeded", 6))
    ctx.equal("its price", inst.cli_json("task", "show", task["id"])["sku"], "doubao-seedance-2-0-720p-video")
    for name, code in (("asset-20200101000000-zzzzzzzzzz", "ResourceNotFound.Asset"), (group_id, "ResourceNotFound.Asset")):
        status, body = step(inst, "get-asset", name)
        ctx.equal(f"{name}: not there", (status, body["ResponseMetadata"]["Error"]["Code"]), (404, code))
