# SPDX-License-Identifier: Apache-2.0
"""What operators do with assets: list, show and purge them; what doctor says of the library;
and a gateway that cannot look at files takes none."""
import hashlib
import json
import os
import re
import shutil

import media
from arkgate import PROBE, http_call, text_to_video, wait_for
from test_assets import act, group, listed
from test_ingest import ended, given, start


def blob_path(inst, digest):
    tenant = inst.rows("SELECT tenant_id FROM asset LIMIT 1")[0]["tenant_id"]
    return os.path.join(inst.data, "blobs", str(tenant), digest[:2], digest[2:])


def counted(inst):
    return inst.rows("SELECT coalesce(sum(n), 0) AS n, coalesce(sum(bytes), 0) AS bytes FROM asset_count"
                     " WHERE group_id = ''")[0]


def findings(inst, *names, status=0, options=(), env=None):
    """What doctor says under these names."""
    ran = inst.cli("doctor", "-o", "json", *options, status=status, env=env)
    return [(item["check"], item["status"], item["detail"]) for item in json.loads(ran.stdout)["items"]
            if item["check"] in names]


def test_list_and_show(ctx):
    inst, token, server = start(ctx)
    group_id, other = group(ctx, inst, token), group(ctx, inst, token, "other")
    stranger = inst.add_tenant("stranger")
    strange = given(ctx, inst, stranger, group(ctx, inst, stranger), server.give("/s.png", b"text"))
    video = given(ctx, inst, token, group_id, server.give("/v.mp4", media.video(3)), "Video")
    image = given(ctx, inst, token, other, server.give("/i.png", media.image()))
    for who, one in ((token, video), (token, image), (stranger, strange)):
        ended(inst, who, one)

    def ids(*options, status=0):
        return sorted(item["id"] for item in inst.cli_json("asset", "list", *options, status=status)["items"])
    ctx.equal("all", ids(), sorted([video, image, strange]))
    ctx.equal("a tenant's", ids("--tenant", "acme"), sorted([video, image]))
    ctx.equal("a group's", ids("--group", group_id), [video])
    ctx.equal("failed", ids("--status", "Failed"), [strange])
    ctx.equal("active of a tenant", ids("--status", "Active", "--tenant", "stranger"), [])
    for options, status in ((("--tenant", "nobody"), 5), (("--group", "group-x"), 5), (("--status", "active"), 2),
                            (("--tenant", "stranger", "--group", group_id), 5), (("--after", "asset-x"), 5)):
        inst.cli("asset", "list", *options, status=status)
    for where in ((), ("--tenant", "acme"), ("--group", group_id)):
        every, seen, after = inst.cli_json("asset", "list", *where)["items"], [], ()
        while True:
            page = inst.cli_json("asset", "list", *where, "--limit", "1", *after)
            seen += page["items"]
            if page["next"] is None:
                break
            after = ("--after", page["next"])
        ctx.equal(f"page by page {where}", seen, every)

    task_id = inst.serve.create(token, {**text_to_video(ratio="16:9", duration=4), "content": [
        {"type": "text", "text": "a"}, {"type": "video_url", "role": "reference_video",
                                        "video_url": {"url": f"asset://{video}"}}]}).json["id"]
    shown = inst.cli_json("asset", "show", video)
    digest = hashlib.sha256(media.video(3)).hexdigest()
    for name, want in (("tenant", "acme"), ("group", group_id), ("type", "Video"), ("status", "Active"),
                       ("format", "mp4"), ("codec", "h264"), ("size", "960x544"), ("fps", "24"), ("channels", 1),
                       ("bytes", len(media.video(3))), ("sha256", digest), ("error_code", None), ("purged_at", None),
                       ("more_tasks", False)):
        ctx.equal(f"show: {name}", shown[name], want)
    ctx.true("show: seconds", 2.9 < float(shown["seconds"]) < 3.2, shown)
    ctx.true("show: a picture", len(shown["thumbnail"]) == 64, shown)
    ctx.equal("show: who made it", shown["token"], inst.rows("SELECT identity FROM token ORDER BY created_us")[0]["identity"])
    ctx.equal("show: its task", [use["task"] for use in shown["tasks"]], [inst.task_row(task_id)["minted_id"]])
    shown = inst.cli_json("asset", "show", strange)
    ctx.equal("show: what failed", (shown["tenant"], shown["status"], shown["error_code"], shown["sha256"]),
              ("stranger", "Failed", "InvalidParameter.FormatUnsupported", None))
    inst.cli("asset", "show", "asset-x", status=5)
    server.close()


def test_purge(ctx):
    inst, token, server = start(ctx)
    group_id = group(ctx, inst, token)
    digest = hashlib.sha256(media.image()).hexdigest()
    first, twin, old = (given(ctx, inst, token, group_id, server.give(f"/{n}.png", body))
                        for n, body in enumerate((media.image(), media.image(), media.image("jpg"))))
    waiting = given(ctx, inst, token, group_id, server.give("/w.png", media.Answer(media.image(), piece=1, pause=1)))
    for one in (first, twin, old):
        ctx.equal("active", ended(inst, token, one)["Status"], "Active")
    before = counted(inst)
    link = act(inst, token, "GetAsset", {"Id": old}).json["Result"]["URL"]
    unknown = "asset-20200101000000-zzzzzzzzzz"

    def seen(asset_id):
        """All that its tenant may see, without the ids."""
        asked = [act(inst, token, "GetAsset", {"Id": asset_id}),
                 inst.serve.create(token, {**text_to_video(), "content": text_to_video()["content"] + [
                     {"type": "image_url", "image_url": {"url": f"asset://{asset_id}"}}]})]
        return [(answer.status, re.sub(r'RequestId":"\w+|Request id: \w+', "REQUEST", answer.body.decode())
                 .replace(asset_id, "ID")) for answer in asked]

    inst.cli("asset", "purge", first, status=2)
    inst.cli("asset", "purge", first, "--reason", "two\nlines", status=2)
    inst.cli("asset", "purge", first, "--reason", "r" * 513, status=2)
    inst.cli("asset", "purge", unknown, "--reason", "x", status=5)
    ctx.equal("nothing happened", counted(inst), before)
    jpg = hashlib.sha256(media.image("jpg")).hexdigest()
    os.utime(blob_path(inst, jpg), (0, 0))  # long there
    for asset_id in (first, old, waiting):
        record = inst.cli_json("asset", "purge", asset_id, "--reason", 'a court\'s "order" é')
        ctx.equal("status", record["status"], "Purged")
        ctx.true("when", record["purged_at"] is not None, record)
        ctx.equal("as an asset that never was", seen(asset_id), seen(unknown))
        inst.cli("asset", "purge", asset_id, "--reason", "again", status=6)
    ctx.equal("the list", listed(inst, token), (1, [twin]))
    ctx.equal("the list by name", listed(inst, token, filter={"Name": "a"})[1].count(first), 0)
    ctx.equal("the group's list", listed(inst, token, filter={"GroupIds": [group_id]}), (1, [twin]))
    ctx.equal("what counts", counted(inst), {"n": 1, "bytes": len(media.image())})
    ctx.equal("nothing is fetched", inst.rows("SELECT * FROM ingest"), [])
    ctx.equal("an equal file stays for the other", os.path.exists(blob_path(inst, digest)), True)
    ctx.equal("an old one has gone", os.path.exists(blob_path(inst, jpg)), False)
    ctx.equal("and its link with it", http_call(inst.serve.url, "GET", link[len(inst.serve.url):]).status, 404)
    entries = [entry for entry in inst.cli_json("audit", "list")["items"] if entry["action"] == "asset.purge"]
    ctx.equal("audited", [entry["target"] for entry in entries], [first, old, waiting])
    tenant = inst.rows("SELECT id FROM tenant WHERE name = 'acme'")[0]["id"]
    detail = entries[0]["detail"] if isinstance(entries[0]["detail"], dict) else json.loads(entries[0]["detail"])
    ctx.equal("with what it was", detail, {"tenant_id": tenant, "status": "Active", "bytes": len(media.image()),
                                           "sha256": digest, "reason": 'a court\'s "order" é'})
    ctx.equal("the records stay", sorted(item["id"] for item in inst.cli_json("asset", "list", "--status", "Purged")["items"]),
              sorted([first, old, waiting]))
    ctx.equal("one that stays", act(inst, token, "GetAsset", {"Id": twin}).json["Result"]["Status"], "Active")
    inst.cli("asset", "purge", twin, "--reason", "x")
    ctx.equal("a young file is left to the sweep", os.path.exists(blob_path(inst, digest)), True)
    ctx.equal("nothing counts", counted(inst), {"n": 0, "bytes": 0})
    inst.serve.stop()
    inst.start_serve({"ingest_sweep": "1s", "ingest_keep": "1s"})
    wait_for("the sweep removes it", lambda: not os.path.exists(blob_path(inst, digest)))
    server.close()


def test_purge_without_a_server(ctx):
    inst, token, server = start(ctx)
    image = given(ctx, inst, token, group(ctx, inst, token), server.give("/a.png", media.image()))
    ctx.equal("active", ended(inst, token, image)["Status"], "Active")
    path = blob_path(inst, hashlib.sha256(media.image()).hexdigest())
    os.utime(path, (0, 0))
    inst.serve.stop()
    inst.cli("asset", "purge", image, "--reason", "x")
    ctx.equal("its file", os.path.exists(path), False)
    inst.start_serve()
    ctx.equal("unknown", act(inst, token, "GetAsset", {"Id": image}).status, 404)
    server.close()


def test_doctor_on_the_library(ctx):
    inst, token, server = start(ctx)
    ctx.equal("nothing yet", findings(inst, "asset", "assets", "public_url", "ingest"),
              [("ingest", "ok", "no file waits for long"), ("assets", "ok", "0 are active and have their files")])
    group_id = group(ctx, inst, token)
    gone, short, bad, sound = (given(ctx, inst, token, group_id, server.give(f"/{n}", media.image(kind)))
                               for n, kind in enumerate(("png", "jpg", "webp", "bmp")))
    for one in (gone, short, bad, sound):
        ctx.equal("active", ended(inst, token, one)["Status"], "Active")
    ctx.equal("sound", findings(inst, "asset", "assets", "media", "public_url"),
              [("media", "ok", "files are looked at in a sandbox"),
               ("public_url", "ok", "links to assets lead to the listener of this machine"),
               ("assets", "ok", "4 are active and have their files")])
    paths = {kind: blob_path(inst, hashlib.sha256(media.image(kind)).hexdigest()) for kind in ("png", "jpg", "webp")}
    inst.damaged = True
    os.unlink(paths["png"])
    os.truncate(paths["jpg"], 100)
    with open(paths["webp"], "r+b") as file:
        file.write(b"x")
    found = findings(inst, "asset", "assets", "blob", status=1, options=("--blobs",))
    named = {detail.split(" ")[0]: detail for name, _, detail in found if name == "asset"}
    ctx.equal("named", sorted(named), sorted([gone, short]))
    ctx.true("missing", "its file is missing" in named[gone], named)
    ctx.true("another size", "another size" in named[short], named)
    damaged = [detail for name, _, detail in found if name == "blob"]
    ctx.true("damaged ones name their assets", any(detail.endswith(f"which {bad} has") for detail in damaged), damaged)
    ctx.true("counted", ("assets", "fail", "2 of 4 active ones have not their files") in found, found)
    for one in (gone, short, bad):
        inst.cli("asset", "purge", one, "--reason", "lost")
    ctx.equal("of purged ones nothing is expected", findings(inst, "asset", "assets", status=None),
              [("assets", "ok", "1 are active and have their files")])

    outside = {"ARKGATE_LISTEN": "0.0.0.0:80"}
    ctx.equal("no links", findings(inst, "public_url", status=1, env=outside),
              [("public_url", "fail", "there are assets, and no links to them: set public_url")])
    ctx.equal("links", findings(inst, "public_url", status=None, env={**outside, "ARKGATE_PUBLIC_URL": "https://a.example"}),
              [("public_url", "ok", "https://a.example")])
    for env, status, word in (({"ARKGATE_PROBE": "/nowhere/arkgate-probe"}, "fail", "/nowhere/arkgate-probe"),
                              ({"ARKGATE_PROBE_SANDBOX": "off"}, "warn", "without a sandbox")):
        (_, said, detail), = findings(inst, "media", status=None, env=env)
        ctx.true(f"{env}: {said} {detail}", said == status and word in detail)
    inst.serve.stop()
    inst.write("INSERT INTO ingest (asset_id, tenant_id, url, due_us, holder, tries, created_us)"
               " SELECT id, tenant_id, 'http://127.0.0.1:9/', 1, '', 0, 1 FROM asset WHERE id = ?", sound)
    (_, said, detail), = findings(inst, "ingest", status=1)
    ctx.true(f"a stuck one: {said} {detail}", said == "fail" and detail.startswith("1 files"))
    inst.write("DELETE FROM ingest")
    inst.start_serve()
    server.close()


def test_no_probe_no_ingest(ctx):
    """Nothing is taken and nothing fails while files cannot be looked at; then all is made up."""
    inst = ctx.new(serve=False)
    probe = os.path.join(inst.folder, "later-probe")
    serve = inst.start_serve({"ingest_look": "100ms", "probe": probe}, arguments=("--allow-private-network",))
    server = media.Server()
    group_id = group(ctx, inst, inst.token)
    ids = [given(ctx, inst, inst.token, group_id, server.give(f"/{n}.png", media.image())) for n in range(3)]
    wait_for("the log says so", lambda: '"ingest_off"' in serve.log())
    line = next(line for line in serve.log().splitlines() if '"ingest_off"' in line)
    ctx.true(f"as an error with its reason: {line}", '"error"' in line and "later-probe" in line)
    ctx.equal("nobody was asked", server.asked, [])
    ctx.equal("they wait", {act(inst, inst.token, "GetAsset", {"Id": one}).json["Result"]["Status"] for one in ids}, {"Processing"})
    ctx.equal("no try is spent", {row["tries"] for row in inst.rows("SELECT tries FROM ingest")}, {0})
    shutil.copy(PROBE, probe)
    for one in ids:
        ctx.equal("active", ended(inst, inst.token, one)["Status"], "Active")
    ctx.equal("said once", serve.log().count('"ingest_off"'), 1)
    os.unlink(probe)
    late = given(ctx, inst, inst.token, group_id, server.give("/late.png", media.image("jpg")))
    wait_for("it stops again", lambda: serve.log().count('"ingest_off"') == 2, 60)
    shutil.copy(PROBE, probe)
    ctx.equal("and goes on", ended(inst, inst.token, late)["Status"], "Active")
    inst.serve.stop()
    serve = inst.start_serve({"probe_sandbox": "off"}, arguments=("--allow-private-network",))
    wait_for("without a sandbox", lambda: '"probe_sandbox_off"' in serve.log())
    open_one = given(ctx, inst, inst.token, group_id, server.give("/o.png", media.image("webp")))
    ctx.equal("it works all the same", ended(inst, inst.token, open_one)["Status"], "Active")
    ctx.equal("warned once", serve.log().count('"probe_sandbox_off"'), 1)
    server.close()
