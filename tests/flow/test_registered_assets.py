# SPDX-License-Identifier: Apache-2.0
"""Assets of Ark's own library: an operator registers one, tasks of the tenants that may name
it go to the account that has it, and nobody else learns that it is there."""
import json

from arkgate import text_to_video, wait_for
from test_assets import act, listed
from test_ingest import ended, given, group
import media

FIRST, SECOND = "ark-test-key-of-the-first", "ark-test-key-of-the-second"
AVATAR = "asset-20260318072044-n8bcl"
UNKNOWN = "asset-20260318072044-zzzzz"


def start(ctx):
    """Two accounts at one Ark; creates go to either."""
    inst = ctx.bare()
    for name, key in (("", f"{FIRST},{SECOND}"), ("first", FIRST), ("second", SECOND)):
        with open(inst.key_file, "w", encoding="ascii") as file:
            file.write(key + "\n")
        if name == "":
            inst.start_sim(50)
        else:
            inst.add_upstream(name)
    inst.token = inst.add_tenant("acme", "1000")
    inst.start_serve({"ingest_retry": "50ms"}, arguments=("--allow-private-network",))
    return inst


def register(inst, asset_id, *options, upstream="second", status=0):
    ran = inst.cli("asset", "register", "--upstream", upstream, "--id", asset_id, *options, "-o", "json", status=status)
    return json.loads(ran.stdout) if status == 0 else ran.stderr


def body(*urls, kind="image", **members):
    return {**text_to_video(ratio="16:9", duration=4, **members), "content": [
        {"type": "text", "text": "a pier"},
        *({"type": f"{kind}_url", "role": f"reference_{kind}", f"{kind}_url": {"url": url}} for url in urls)]}


def made(ctx, inst, token, asked):
    """The simulator's record of a task that was just made."""
    answer = inst.serve.create(token, asked)
    if answer.status != 200:
        raise AssertionError(f"create: {answer}")
    sent = inst.task_row(answer.json["id"])["upstream_id"]
    return next(task for task in inst.sim.tasks() if task["id"] == sent)


def refusal(inst, token, asked, asset_id):
    """All of an answer but the ids."""
    answer = inst.serve.create(token, asked)
    error = answer.error
    return answer.status, error["code"], error["param"], error["message"].split(" Request id")[0].replace(asset_id, "ID")


def test_one_tenant_s(ctx):
    inst = start(ctx)
    stranger = inst.add_tenant("stranger")
    inst.sim.asset(SECOND, AVATAR)
    unknown = refusal(inst, inst.token, body(f"asset://{UNKNOWN}"), UNKNOWN)
    ctx.equal("before", refusal(inst, inst.token, body(f"asset://{AVATAR}"), AVATAR), unknown)
    told = register(inst, "Asset-20260318072044-N8BCL", "--tenant", "acme", "--name", "数字人 7")
    ctx.equal("told", {name: told[name] for name in ("id", "tenant", "account", "status", "type", "name", "group", "sha256")},
              {"id": AVATAR, "tenant": "acme", "account": "second", "status": "Active", "type": "Image",
               "name": "数字人 7", "group": None, "sha256": None})

    shown = act(inst, inst.token, "GetAsset", {"Id": AVATAR}).json["Result"]
    ctx.equal("seen", (shown["Status"], shown["AssetType"], shown["URL"], shown["GroupId"], shown["Name"],
                       shown["ProjectName"]), ("Active", "Image", "", "", "数字人 7", "default"))
    ctx.equal("in no list", listed(inst, inst.token), (0, []))
    ctx.equal("of another project", act(inst, inst.token, "GetAsset", {"Id": AVATAR, "ProjectName": "x"}).status, 404)
    for _ in range(6):
        task = made(ctx, inst, inst.token, body(f"Asset://{AVATAR.upper()}", "https://example.com/a.png"))
        ctx.equal("the account that has it", task["account"], 1)
    ctx.true("as it was written", f"Asset://{AVATAR.upper()}" in task.get("body", ""), task)
    shown = inst.cli_json("asset", "show", AVATAR.upper())
    ctx.equal("its tasks", (len(shown["tasks"]), shown["account"]), (6, "second"))

    ctx.equal("a stranger's task", refusal(inst, stranger, body(f"asset://{AVATAR}"), AVATAR), unknown)
    answers = [act(inst, stranger, "GetAsset", {"Id": one}) for one in (AVATAR, UNKNOWN)]
    ctx.equal("a stranger's look", *[(one.status, one.json["ResponseMetadata"]["Error"]["Message"].replace(asset_id, "ID"))
                                     for one, asset_id in zip(answers, (AVATAR, UNKNOWN))])
    own = inst.cli_json("token", "add", "acme", "--visibility", "own")["token"]
    ctx.equal("each token of its tenant", act(inst, own, "GetAsset", {"Id": AVATAR}).status, 200)
    inst.cli("tenant", "set", "acme", "media_source=library")
    wait_for("the setting", lambda: inst.serve.create(inst.token, body("https://example.com/a.png")).status == 400)
    made(ctx, inst, inst.token, body(f"asset://{AVATAR}"))


def test_every_tenant_s_and_none_s(ctx):
    inst = start(ctx)
    stranger = inst.add_tenant("stranger")
    inst.sim.asset(FIRST, AVATAR)
    register(inst, AVATAR, upstream="first")
    for token in (inst.token, stranger):
        ctx.equal("whoever", made(ctx, inst, token, body(f"asset://{AVATAR}"))["account"], 0)
    shown = inst.cli_json("asset", "show", AVATAR)
    ctx.equal("the tasks of all", (shown["tenant"], len(shown["tasks"])), (None, 2))
    register(inst, UNKNOWN, "--tenant", "stranger")

    def ids(*options, status=0):
        return [item["id"] for item in inst.cli_json("asset", "list", *options, status=status)["items"]]
    ctx.equal("all", ids("--registered"), [UNKNOWN, AVATAR])
    ctx.equal("a page", ids("--registered", "--limit", "1"), [UNKNOWN])
    ctx.equal("the next", ids("--registered", "--limit", "1", "--after", UNKNOWN), [AVATAR])
    ctx.equal("a tenant's", ids("--registered", "--tenant", "acme"), [AVATAR])
    ctx.equal("of a status", ids("--registered", "--status", "Purged"), [])
    ctx.equal("not the library's", ids(), [])
    inst.cli("asset", "list", "--registered", "--group", "group-x", status=2)

    record = inst.cli_json("asset", "purge", AVATAR, "--reason", "the contract ended")
    ctx.equal("purged", (record["status"], len(record["tasks"])), ("Purged", 2))
    inst.cli("asset", "purge", AVATAR, "--reason", "again", status=6)
    for token in (inst.token, stranger):
        ctx.equal("unknown again", refusal(inst, token, body(f"asset://{AVATAR}"), AVATAR),
                  refusal(inst, token, body("asset://asset-x"), "asset-x"))
    ctx.equal("of a status", ids("--registered", "--status", "Purged"), [AVATAR])
    register(inst, AVATAR, "--tenant", "stranger", upstream="first")
    ctx.equal("registered anew", (made(ctx, inst, stranger, body(f"asset://{AVATAR}"))["account"],
                                  inst.serve.create(inst.token, body(f"asset://{AVATAR}")).status), (0, 404))
    audited = [entry["action"] for entry in inst.cli_json("audit", "list")["items"] if entry["action"].startswith("asset.")]
    ctx.equal("audited", sorted(audited), ["asset.purge"] + ["asset.register"] * 3)


def test_accounts(ctx):
    inst = start(ctx)
    other = AVATAR.replace("n8bcl", "other")
    for key, upstream, asset_id in ((FIRST, "first", other), (SECOND, "second", AVATAR)):
        inst.sim.asset(key, asset_id)
        register(inst, asset_id, upstream=upstream)
    answer = inst.serve.create(inst.token, body(f"asset://{AVATAR}", f"asset://{other}"))
    ctx.equal("of two accounts", (answer.status, answer.error["param"]), (400, "content[2].image_url.url"))
    ctx.equal("of one, twice", made(ctx, inst, inst.token, body(f"asset://{AVATAR}", f"asset://{AVATAR}"))["account"], 1)

    calls = inst.sim.creates()
    inst.sim.fault("create", 1, status=429, code="QuotaExceeded")
    answer = inst.serve.create(inst.token, body(f"asset://{AVATAR}"))
    ctx.equal("no other account is tried", (answer.status, inst.sim.creates() - calls), (429, 1))
    inst.cli("upstream", "drain", "second")
    wait_for("nobody takes it", lambda: inst.serve.create(inst.token, body(f"asset://{AVATAR}")).status == 503)
    ctx.equal("the other goes on", made(ctx, inst, inst.token, body(f"asset://{other}"))["account"], 0)
    ctx.equal("nothing is held", inst.account()["held_nano"],
              sum(row["amount_nano"] for row in inst.rows("SELECT amount_nano FROM hold WHERE state = 'open'")))


def test_types_and_lengths(ctx):
    inst = start(ctx)
    server = media.Server()
    ctx.closing = [server]
    known, unknown, voice = (AVATAR.replace("n8bcl", name) for name in ("known", "unsure", "voice"))
    for asset_id, kind in ((known, "Video"), (unknown, "Video"), (voice, "Audio")):
        inst.sim.asset(SECOND, asset_id, kind, 4000)
    register(inst, known, "--type", "Video", "--seconds", "4")
    register(inst, unknown, "--type", "Video")
    register(inst, voice, "--type", "Audio", "--seconds", "15.1")
    answer = inst.serve.create(inst.token, body(f"asset://{known}"))
    ctx.equal("a video as an image", (answer.status, answer.error["param"]), (400, "content[1].image_url.url"))

    def held(*ids):
        answer = inst.serve.create(inst.token, body(*(f"asset://{one}" for one in ids), kind="video"))
        if answer.status != 200:
            raise AssertionError(f"create: {answer}")
        return inst.hold_row(answer.json["id"])["amount_nano"]
    worst = held(unknown)
    ctx.true("a known length makes the hold smaller", held(known) < worst, worst)
    ctx.equal("one of two does not", held(known, unknown), worst)
    own = given(ctx, inst, inst.token, group(ctx, inst, inst.token), server.give("/v.mp4", media.video(12)), "Video")
    ctx.equal("active", ended(inst, inst.token, own)["Status"], "Active")
    answer = inst.serve.create(inst.token, body(f"asset://{own}", f"asset://{known}", kind="video"))
    ctx.equal("16 s together", (answer.status, answer.error["param"]), (400, "content"))
    shown = inst.cli_json("asset", "show", known)
    ctx.equal("shown", (shown["type"], shown["seconds"], shown["bytes"]), ("Video", "4", 0))

    error = register(inst, own, status=6)
    ctx.true("an asset of our own", own in error, error)
    register(inst, known, status=6)
    for options, status in ((("--type", "video"), 2), (("--seconds", "long"), 2), (("--seconds", "0.0001"), 2),
                            (("--seconds", "-1"), 2), (("--seconds", "3601"), 2), (("--seconds", "5"), 2),
                            (("--name", "two\nlines"), 2), (("--name", "n" * 65), 2), (("--tenant", "nobody"), 5)):
        register(inst, UNKNOWN, *options, status=status)
    for asset_id in ("", "asset-", "asset-a b", "asset-a/1", "asset-" + "a" * 26, "asset-资产", "group-1", "x"):
        register(inst, asset_id, status=2)
    register(inst, UNKNOWN, upstream="third", status=5)
    inst.cli("asset", "register", "--id", UNKNOWN, status=2)
    inst.cli("upstream", "drain", "first")
    inst.cli("upstream", "remove", "first")
    register(inst, UNKNOWN, upstream="first", status=6)
    ctx.equal("none of these", len(inst.cli_json("asset", "list", "--registered")["items"]), 3)
    server.close()
