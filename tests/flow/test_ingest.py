# SPDX-License-Identifier: Apache-2.0
"""What becomes of an asset's file: real media become active, everything else fails by its
rule, and what a create names is bound to the library."""
import os
import subprocess

import media
from arkgate import text_to_video, wait_for
from test_assets import act, asset, group, listed

STATES = ("Active", "Failed")


def start(ctx, **settings):
    inst = ctx.new(serve=False)
    inst.start_serve({"ingest_retry": "50ms", "ingest_look": "100ms", "ingest_fetch": "20s", **settings},
                     arguments=("--allow-private-network",))
    server = media.Server()
    ctx.closing = [server]
    return inst, inst.token, server


def ended(inst, token, asset_id, seconds=40):
    """The asset as it is when its file was looked at."""
    def probe():
        shown = act(inst, token, "GetAsset", {"Id": asset_id}).json["Result"]
        return shown if shown["Status"] in STATES else None
    return wait_for(f"{asset_id} to be looked at", probe, seconds, pause=0.05)


def given(ctx, inst, token, group_id, url, kind="Image"):
    return asset(ctx, inst, token, group_id, URL=url, AssetType=kind)


def failed(ctx, what, shown, code, *words):
    ctx.equal(f"{what}: status", shown["Status"], "Failed")
    error = shown.get("Error", {})
    ctx.equal(f"{what}: code", error.get("Code"), f"InvalidParameter.{code}")
    for word in words:
        ctx.true(f"{what}: says {word}", word in error.get("Message", ""), error)
    ctx.equal(f"{what}: no link", shown["URL"], "")


def test_real_media_become_active(ctx):
    inst, token, server = start(ctx)
    group_id = group(ctx, inst, token)
    files = {f"/{kind}": (media.image(kind), "Image") for kind in ("png", "jpg", "webp", "bmp", "tiff", "gif")}
    files |= {"/mp4": (media.video(), "Video"), "/mov": (media.video(kind="mov"), "Video"),
              "/wav": (media.audio(kind="wav"), "Audio"), "/mp3": (media.audio(), "Audio")}
    ids = {path: given(ctx, inst, token, group_id, server.give(path, body), kind) for path, (body, kind) in files.items()}
    for path, (body, kind) in files.items():
        shown = ended(inst, token, ids[path])
        ctx.equal(f"{path}: {shown.get('Error')}", shown["Status"], "Active")
        ran = subprocess.run(["curl", "-sS", "-D", "-", "-o", "-", shown["URL"]], capture_output=True, check=True, timeout=60)
        head, _, got = ran.stdout.partition(b"\r\n\r\n")
        ctx.true(f"{path}: its bytes come back", got == body, head)
        row = inst.rows("SELECT * FROM asset WHERE id = ?", ids[path])[0]
        ctx.true(f"{path}: measured", (row["width"] > 0) == (kind != "Audio") and (row["duration_ms"] > 2000) == (kind != "Image"), row)
        ctx.true(f"{path}: pictured", row["thumbnail"] is not None, row)
    ctx.equal("the list shows them", listed(inst, token, filter={"Statuses": ["Active"]})[0], len(files))
    ctx.equal("and no other", listed(inst, token, filter={"Statuses": ["Failed", "Processing"]})[0], 0)
    ctx.equal("no cookie, no credential", [set(map(str.lower, h)) & {"cookie", "authorization"} for _, h in server.asked],
              [set()] * len(server.asked))
    server.close()


def test_everything_else_fails_by_its_rule(ctx):
    inst, token, server = start(ctx, image_bytes="100kB")
    group_id = group(ctx, inst, token)
    cases = (
        ("a text", "Image", b"just a text\n" * 40, "FormatUnsupported", ()),
        ("nothing", "Image", b"", "FormatUnsupported", ()),
        ("a video as an image", "Image", media.video(2, rate=24)[:90000], "FormatUnsupported", ()),
        ("a large image", "Image", media.made("noise.png", "-f", "lavfi", "-i", "nullsrc=size=640x480,geq=random(1)*255:128:128",
                                              "-frames:v", "1"), "FileTooLarge", ()),
        ("a small image", "Image", media.image(size="64x64"), "ResolutionTooLow", ("64",)),
        ("a wide image", "Image", media.image(size="1600x320"), "AspectRatioUnsupported", ()),
        ("a short video", "Video", media.video(1), "DurationTooShort", ("1",)),
        ("a long video", "Video", media.video(16), "DurationTooLong", ("16",)),
        ("a slow video", "Video", media.video(3, rate=10), "FpsTooLow", ("10",)),
        ("a small video", "Video", media.video(3, size="320x240"), "ResolutionTooLow", ()),
        ("a short sound", "Audio", media.audio(1), "DurationTooShort", ()),
        ("half a video", "Video", media.video(3)[:20000], "FormatUnsupported", ()),
    )
    ids = [given(ctx, inst, token, group_id, server.give(f"/{n}", body), kind) for n, (_, kind, body, _, _) in enumerate(cases)]
    for asset_id, (what, _, _, code, words) in zip(ids, cases):
        failed(ctx, what, ended(inst, token, asset_id), code, *words)
    counted = inst.rows("SELECT sum(bytes) AS bytes FROM asset_count WHERE group_id = ''")[0]["bytes"]
    ctx.equal("failed ones take no room", counted, 0)
    blobs = os.path.join(inst.data, "blobs")
    kept = [name for _, _, names in os.walk(blobs) for name in names if name not in ("id", "lock")]
    ctx.equal("nothing is kept of them", kept, [])
    server.close()


def test_downloads_that_go_wrong(ctx):
    inst, token, server = start(ctx, ingest_fetch="3s")
    group_id = group(ctx, inst, token)
    tries = []

    def at_last():
        tries.append(1)
        return media.Answer(b"later", 503) if len(tries) < 3 else media.Answer(media.image())

    png = media.image()
    cases = (
        ("404", server.give("/gone", media.Answer(b"no", 404)), "404"),
        ("always 500", server.give("/broken", media.Answer(b"no", 500)), "500"),
        ("no listener", "http://127.0.0.1:9/x.png", None),
        ("less than announced", server.give("/short", media.Answer(png, length=len(png) + 1000)), None),
        ("encoded", server.give("/gzip", media.Answer(png, headers={"Content-Encoding": "gzip"})), None),
        ("too slow", server.give("/slow", media.Answer(png, piece=10, pause=0.2)), None),
        ("a circle", server.give("/circle", media.Answer(b"", 302, {"Location": "/circle"})), "redirect"),
        ("a file", server.give("/file", media.Answer(b"", 302, {"Location": "file:///etc/passwd"})), "redirect"),
    )
    ids = [given(ctx, inst, token, group_id, url) for _, url, _ in cases]
    endless = given(ctx, inst, token, group_id, server.give("/endless", media.Answer(b"\x89PNG" * 200000, forever=True)))
    announced = given(ctx, inst, token, group_id, server.give("/huge", media.Answer(png + bytes(34 << 20))))
    moved = given(ctx, inst, token, group_id, server.give("/moved", media.Answer(b"", 302, {"Location": server.give("/there", png)[len(server.url):]})))
    late = given(ctx, inst, token, group_id, server.give("/late", at_last))
    for asset_id, (what, _, word) in zip(ids, cases):
        failed(ctx, what, ended(inst, token, asset_id), "DownloadFailed", *([word] if word else []))
    ctx.true("an endless one ends", ended(inst, token, endless)["Error"]["Code"].endswith(("FileTooLarge", "DownloadFailed")))
    failed(ctx, "announced as too large", ended(inst, token, announced), "FileTooLarge")
    ctx.equal("moved", ended(inst, token, moved)["Status"], "Active")
    ctx.equal("in the end", (ended(inst, token, late)["Status"], len(tries)), ("Active", 3))
    server.close()


def test_a_relative_data_directory(ctx):
    inst = ctx.new(serve=False)
    inst.data = os.path.relpath(inst.data)
    inst.start_serve(arguments=("--allow-private-network",))
    server = media.Server()
    asset_id = given(ctx, inst, inst.token, group(ctx, inst, inst.token), server.give("/a.png", media.image()))
    ctx.equal("looked at", ended(inst, inst.token, asset_id, seconds=20)["Status"], "Active")
    server.close()


def test_private_addresses_are_refused(ctx):
    inst = ctx.new(serve=False)
    inst.start_serve({"ingest_retry": "50ms", "resolve": "inside.example=10.0.0.7;meta.example=169.254.169.254"})
    group_id = group(ctx, inst, inst.token)
    for url in ("http://127.0.0.1/x", "http://169.254.169.254/latest/meta-data", "http://inside.example/a.png",
                "http://meta.example/a", "http://[::1]/a", "http://2130706433/a", "http://user@example.com/a"):
        failed(ctx, url, ended(inst, inst.token, given(ctx, inst, inst.token, group_id, url)), "DownloadFailed", "refused")


def test_tasks_with_assets(ctx):
    inst, token, server = start(ctx)
    group_id = group(ctx, inst, token)
    files = {"Image": media.image(), "Video": media.video(4), "Audio": media.audio(4)}
    ids = {kind: given(ctx, inst, token, group_id, server.give(f"/{kind}", body), kind) for kind, body in files.items()}
    for asset_id in ids.values():
        ctx.equal("active", ended(inst, token, asset_id)["Status"], "Active")

    def content(*items):
        names = {"Image": "image_url", "Video": "video_url", "Audio": "audio_url"}
        return [{"type": "text", "text": "a cup"}] + [
            {"type": names[kind], names[kind]: {"url": f"{scheme}{ids[kind].upper()}"},
             "role": f"reference_{kind.lower()}"} for kind, scheme in items]

    for items, sku in (((("Image", "asset://"),), "doubao-seedance-2-0-720p-novideo"),
                       ((("Video", "ASSET://"),), "doubao-seedance-2-0-720p-video"),
                       ((("Image", "asset://"), ("Audio", "Asset://")), "doubao-seedance-2-0-720p-novideo")):
        body = {**text_to_video(ratio="16:9", duration=4), "content": content(*items)}
        answer = inst.serve.create(token, body)
        ctx.equal(f"{items}: {answer}", answer.status, 200)
        task_id = answer.json["id"]
        ctx.equal(f"{items}: done", inst.serve.wait_until(token, task_id)["status"], "succeeded")
        hold = inst.hold_row(task_id)
        ctx.equal(f"{items}: sku", hold["sku"], sku)
        ctx.equal(f"{items}: state", hold["state"], "charged")
    used = inst.rows("SELECT count(*) AS n FROM asset_use")[0]["n"]
    ctx.equal("what used them is known", used, 4)
    sent = [task for task in inst.sim.tasks()["items"]] if isinstance(inst.sim.tasks(), dict) else inst.sim.tasks()
    ctx.true("Ark saw links, no assets", "asset://" not in str(sent), str(sent)[:500])
    server.close()


def test_as_many_as_a_model_takes(ctx):
    """Nine images, three videos, three audios, behind a long public URL."""
    inst, token, server = start(ctx, public_url="https://gateway.example/" + "p" * 440)
    group_id = group(ctx, inst, token)
    kinds = ["Image"] * 9 + ["Video"] * 3 + ["Audio"] * 3
    files = {"Image": media.image(), "Video": media.video(4), "Audio": media.audio(4)}
    ids = [given(ctx, inst, token, group_id, server.give(f"/{kind}", files[kind]), kind) for kind in kinds]
    for asset_id in ids:
        ctx.equal("active", ended(inst, token, asset_id)["Status"], "Active")
    names = {"Image": "image_url", "Video": "video_url", "Audio": "audio_url"}
    answer = inst.serve.create(token, {**text_to_video(), "content": [{"type": "text", "text": "x"}] + [
        {"type": names[kind], names[kind]: {"url": f"asset://{one}"}, "role": f"reference_{kind.lower()}"}
        for kind, one in zip(kinds, ids)]})
    ctx.equal(f"{answer}", answer.status, 200)
    ctx.equal("all are known to it", inst.rows("SELECT count(*) AS n FROM asset_use")[0]["n"], 15)
    server.close()


def test_assets_that_a_task_may_not_name(ctx):
    inst, token, server = start(ctx)
    group_id = group(ctx, inst, token)
    image = given(ctx, inst, token, group_id, server.give("/a.png", media.image()))
    bad = given(ctx, inst, token, group_id, server.give("/b.png", b"text"))
    ctx.equal("active", ended(inst, token, image)["Status"], "Active")
    ended(inst, token, bad)
    waiting = given(ctx, inst, token, group_id, server.give("/c.png", media.Answer(media.image(), piece=1, pause=1)))
    videos = [given(ctx, inst, token, group_id, server.give(f"/{n}.mp4", media.video(9)), "Video") for n in range(2)]
    for one in videos:
        ctx.equal("active", ended(inst, token, one)["Status"], "Active")
    stranger = inst.add_tenant("stranger")

    def create(who=token, url=None, kind="image_url", **members):
        item = {"type": kind, kind: {"url": url}}
        body = {**text_to_video(), **members}
        if url is not None:
            body["content"] = body["content"] + [item]
        return inst.serve.create(who, body)

    before = inst.sim.creates()
    checks = (
        ("unknown", create(url="asset://asset-20200101000000-zzzzzzzzzz"), 404, "ResourceNotFound.Asset", "content[1]"),
        ("another tenant's", create(stranger, f"asset://{image}"), 404, "ResourceNotFound.Asset", "content[1]"),
        ("a group", create(url=f"asset://{group_id}"), 404, "ResourceNotFound.Asset", "content[1]"),
        ("failed", create(url=f"asset://{bad}"), 400, "invalid_request", "content[1]"),
        ("processing", create(url=f"asset://{waiting}"), 400, "invalid_request", "content[1]"),
        ("of another type", create(url=f"asset://{image}", kind="video_url"), 400, "invalid_request", "content[1]"),
        ("in an unknown member", create(extra={"a": ["ASSET://nothing"]}), 404, "ResourceNotFound.Asset", "extra.a[0]"),
        ("in the prompt", inst.serve.create(token, text_to_video("asset://nothing")), 404, "ResourceNotFound.Asset", "content[0]"),
    )
    for what, answer, status, code, place in checks:
        ctx.equal(f"{what}: {answer}", (answer.status, answer.error["code"]), (status, code))
        ctx.true(f"{what}: names its place", place in answer.error["message"], answer)
    long = inst.serve.create(token, {**text_to_video(), "content": [{"type": "text", "text": "x"}] + [
        {"type": "video_url", "video_url": {"url": f"asset://{one}"}} for one in videos]})
    ctx.equal(f"18 s of videos: {long}", (long.status, long.error["code"]), (400, "invalid_request"))
    ctx.equal("Ark saw nothing of it", inst.sim.creates(), before)

    inst.cli("tenant", "set", "acme", "media_source=library")
    plain = server.give("/plain.png", media.image())
    wait_for("plain URLs are refused", lambda: create(url=plain).status == 400)
    answer = create(url=plain)
    ctx.true("names its place", "content[1].image_url.url" in answer.error["message"], answer)
    ctx.equal("data too", create(url="data:image/png;base64,AA==").status, 400)
    ctx.equal("assets do", create(url=f"asset://{image}").status, 200)
    server.close()
