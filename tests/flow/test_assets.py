# SPDX-License-Identifier: Apache-2.0
"""Groups and assets by the control plane's actions: what is answered, what is refused and in
which order, what lists show, whose things they are."""
import json
import re

from arkgate import wait_for

SHARED_SETTINGS = {"ingest_workers": 0}  # nobody fetches: what is made stays as it is
VERSION = "2024-01-01"
OPEN_URL = "http://127.0.0.1:1/a.png"  # nobody listens there


def act(inst, token, action, body=None, path="/volcark/", version=VERSION, headers=None):
    return inst.serve.call("POST", f"{path}?Action={action}&Version={version}", token,
                           {} if body is None else body, headers)


def made(ctx, answer):
    """The id of a create that was answered with nothing else."""
    ctx.equal("status", answer.status, 200)
    ctx.equal("the id alone", list(answer.json["Result"]), ["Id"])
    return answer.json["Result"]["Id"]


def group(ctx, inst, token, name="shots", **members):
    return made(ctx, act(inst, token, "CreateAssetGroup", {"Name": name, "GroupType": "AIGC", **members}))


def asset(ctx, inst, token, group_id, **members):
    return made(ctx, act(inst, token, "CreateAsset",
                         {"GroupId": group_id, "URL": OPEN_URL, "AssetType": "Image", **members}))


def refused(ctx, what, answer, status, code):
    ctx.equal(f"{what}: status", answer.status, status)
    metadata = answer.json["ResponseMetadata"]
    ctx.equal(f"{what}: code", metadata["Error"]["Code"], code)
    ctx.equal(f"{what}: shape", sorted(metadata["Error"]), ["Code", "CodeN", "Message"])
    ctx.true(f"{what}: numbered", isinstance(metadata["Error"]["CodeN"], int) and metadata["Error"]["CodeN"] > 100000)
    return metadata["Error"]["Message"]


def listed(inst, token, action="ListAssets", project=None, **members):
    body = {"Filter": {"GroupType": "AIGC", **members.pop("filter", {})}, **members}
    answer = act(inst, token, action, body if project is None else {**body, "ProjectName": project})
    if answer.status != 200:
        raise AssertionError(f"{action}: {answer}")
    result = answer.json["Result"]
    return result["TotalCount"], [item["Id"] for item in result["Items"]]


def test_an_envelope(ctx):
    inst = ctx.shared
    token = inst.add_tenant("enveloped")
    for path in ("/", "/volcark", "/volcark/"):
        answer = act(inst, token, "CreateAssetGroup", {"Name": "n", "GroupType": "AIGC"}, path=path)
        metadata = answer.json["ResponseMetadata"]
        ctx.true("request id", re.fullmatch(r"\d{14}[0-9A-F]{20}", metadata["RequestId"]), metadata)
        ctx.equal("the header has it too", answer.header("X-Request-Id"), metadata["RequestId"])
        ctx.equal("members", {k: v for k, v in metadata.items() if k != "RequestId"},
                  {"Action": "CreateAssetGroup", "Version": VERSION, "Service": "ark", "Region": "cn-beijing"})
        ctx.true("group id", re.fullmatch(r"group-\d{14}-[a-z0-9]{10}", answer.json["Result"]["Id"]), answer)


def test_a_group_and_an_asset(ctx):
    inst = ctx.shared
    token = inst.add_tenant("kept")
    name = "Für 产品 🎬"
    group_id = group(ctx, inst, token, name, Description="d" * 300, model="doubao-seedance-2-0", Unknown=[1])
    shown = act(inst, token, "GetAssetGroup", {"Id": group_id.upper()}).json["Result"]
    times = {shown.pop("CreateTime"), shown.pop("UpdateTime")}
    ctx.true("times", len(times) == 1 and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", times.pop()), times)
    ctx.equal("group", shown, {"Id": group_id, "Name": name, "Title": name, "Description": "d" * 300,
                               "GroupType": "AIGC", "ProjectName": "default"})
    asset_id = asset(ctx, inst, token, group_id, Name="front.png", Moderation={"Strategy": "Default"})
    shown = act(inst, token, "GetAsset", {"Id": asset_id}).json["Result"]
    ctx.equal("order", list(shown), ["Id", "Name", "URL", "GroupId", "AssetType", "Status", "ProjectName",
                                     "CreateTime", "UpdateTime"])
    ctx.equal("asset", [shown[k] for k in ("Id", "Name", "URL", "GroupId", "AssetType", "Status", "ProjectName")],
              [asset_id, "front.png", "", group_id, "Image", "Processing", "default"])


BAD = (
    # action, body, code, the member that the message names
    ("CreateAssetGroup", {}, "MissingParameter", "Name"),
    ("CreateAssetGroup", {"Name": "n"}, "MissingParameter", "GroupType"),
    ("CreateAssetGroup", {"Name": "", "GroupType": "AIGC"}, "MissingParameter", "Name"),
    ("CreateAssetGroup", {"Name": None, "GroupType": "AIGC"}, "MissingParameter", "Name"),
    ("CreateAssetGroup", {"Name": 7}, "MissingParameter", "GroupType"),
    ("CreateAssetGroup", {"Name": 7, "GroupType": "AIGC"}, "InvalidParameter", "Name"),
    ("CreateAssetGroup", {"Name": "n", "GroupType": "aigc"}, "InvalidParameter", "GroupType"),
    ("CreateAssetGroup", {"Name": "n", "GroupType": "LivenessFace"}, "InvalidParameter", "GroupType"),
    ("CreateAssetGroup", {"Name": "é" * 65, "GroupType": "AIGC"}, "InvalidParameter", "Name"),
    ("CreateAssetGroup", {"Name": "a\u0007", "GroupType": "AIGC"}, "InvalidParameter", "Name"),
    ("CreateAssetGroup", {"Name": "a\u0085", "GroupType": "AIGC"}, "InvalidParameter", "Name"),
    ("CreateAssetGroup", {"Name": "n", "GroupType": "AIGC", "Description": "d" * 301}, "InvalidParameter", "Description"),
    ("CreateAssetGroup", {"Name": "n", "GroupType": "AIGC", "ProjectName": []}, "InvalidParameter", "ProjectName"),
    ("CreateAssetGroup", {"Name": "n", "GroupType": "AIGC", "model": "nobody-knows"}, "InvalidParameter", "model"),
    ("CreateAsset", {"URL": OPEN_URL, "AssetType": "Image"}, "MissingParameter", "GroupId"),
    ("CreateAsset", {"GroupId": "$", "AssetType": "Image"}, "MissingParameter", "URL"),
    ("CreateAsset", {"GroupId": "$", "URL": OPEN_URL}, "MissingParameter", "AssetType"),
    ("CreateAsset", {"GroupId": "$", "URL": OPEN_URL, "AssetType": "image"}, "InvalidParameter", "AssetType"),
    ("CreateAsset", {"GroupId": "$", "URL": "ftp://a/b", "AssetType": "Image"}, "InvalidParameter", "URL"),
    ("CreateAsset", {"GroupId": "$", "URL": "data:image/png;base64,AA", "AssetType": "Image"}, "InvalidParameter", "URL"),
    ("CreateAsset", {"GroupId": "$", "URL": "http://" + "a" * 8000, "AssetType": "Image"}, "InvalidParameter", "URL"),
    ("CreateAsset", {"GroupId": "$", "URL": OPEN_URL, "AssetType": "Image", "Name": "n" * 65}, "InvalidParameter", "Name"),
    ("CreateAsset", {"GroupId": "$", "URL": OPEN_URL, "AssetType": "Image", "Moderation": {"Strategy": "Strict"}},
     "InvalidParameter", "Moderation.Strategy"),
    ("CreateAsset", {"GroupId": "$", "URL": OPEN_URL, "AssetType": "Image", "Moderation": "Default"},
     "InvalidParameter", "Moderation"),
    ("CreateAsset", {"GroupId": "$", "URL": OPEN_URL, "AssetType": "Image", "ProjectName": "other"},
     "InvalidParameter", "ProjectName"),
    ("ListAssets", {}, "MissingParameter", "Filter"),
    ("ListAssets", {"Filter": {}}, "MissingParameter", "Filter.GroupType"),
    ("ListAssets", {"Filter": "AIGC"}, "MissingParameter", "Filter.GroupType"),
    ("ListAssets", {"Filter": {"GroupType": "x"}}, "InvalidParameter", "Filter.GroupType"),
    ("ListAssets", {"Filter": {"GroupType": "AIGC", "Statuses": ["active"]}}, "InvalidParameter", "Filter.Statuses"),
    ("ListAssets", {"Filter": {"GroupType": "AIGC", "Statuses": "Active"}}, "InvalidParameter", "Filter.Statuses"),
    ("ListAssets", {"Filter": {"GroupType": "AIGC", "GroupIds": [1]}}, "InvalidParameter", "Filter.GroupIds"),
    ("ListAssets", {"Filter": {"GroupType": "AIGC", "GroupIds": ["g"] * 101}}, "InvalidParameter", "Filter.GroupIds"),
    ("ListAssets", {"Filter": {"GroupType": "AIGC"}, "PageNumber": 0}, "InvalidParameter", "PageNumber"),
    ("ListAssets", {"Filter": {"GroupType": "AIGC"}, "PageNumber": 1.5}, "InvalidParameter", "PageNumber"),
    ("ListAssets", {"Filter": {"GroupType": "AIGC"}, "PageSize": 101}, "InvalidParameter", "PageSize"),
    ("ListAssets", {"Filter": {"GroupType": "AIGC"}, "PageSize": "10"}, "InvalidParameter", "PageSize"),
    ("ListAssets", {"Filter": {"GroupType": "AIGC"}, "SortBy": "Name"}, "InvalidParameter", "SortBy"),
    ("ListAssets", {"Filter": {"GroupType": "AIGC"}, "SortOrder": "Up"}, "InvalidParameter", "SortOrder"),
    ("ListAssetGroups", {"Filter": {"GroupType": "AIGC"}, "SortBy": "GroupId"}, "InvalidParameter", "SortBy"),
    ("ListAssetGroups", {"Filter": []}, "MissingParameter", "Filter.GroupType"),
    ("GetAsset", {}, "MissingParameter", "Id"),
    ("GetAssetGroup", {"Id": 5}, "InvalidParameter", "Id"),
)


def test_bad_bodies_name_the_member(ctx):
    inst = ctx.shared
    token = inst.add_tenant("spoiler")
    group_id = group(ctx, inst, token)
    for action, body, code, member in BAD:
        body = {k: group_id if v == "$" else v for k, v in body.items()}
        what = f"{action} {json.dumps(body)[:120]}"
        message = refused(ctx, what, act(inst, token, action, body), 400, code)
        ctx.true(f"{what}: names {member}", member in message, message)
    for raw in (b"[]", b"{", b'{"Id":"a","Id":"b"}', b"\xff{}", b'"x"'):
        refused(ctx, str(raw), act(inst, token, "GetAsset", raw), 400, "InvalidParameter")
    ctx.equal("nothing was made", listed(inst, token), (0, []))
    ctx.equal("but the group", listed(inst, token, "ListAssetGroups"), (1, [group_id]))


def test_the_order_of_checks(ctx):
    inst = ctx.shared
    token = inst.add_tenant("ordered")
    skip = {"Moderation": {"Strategy": "Skip"}}
    steps = (
        ("no credential first", None, "DeleteAsset", skip, VERSION, 401, "InvalidCredential"),
        ("then what is closed, in any version", token, "DeleteAsset", skip, "1999-01-01", 403, "InvalidAction"),
        ("in any case", token, "updateAssetGroup", {}, VERSION, 403, "InvalidAction"),
        ("then what is unknown", token, "CreateAsset", skip, "2023-01-01", 404, "InvalidActionOrVersion"),
        ("likewise", token, "createAsset", skip, VERSION, 404, "InvalidActionOrVersion"),
        ("then skipping", token, "CreateAsset", skip, VERSION, 400, "moderation_skip_not_allowed"),
        ("then what is missing", token, "CreateAsset", {"AssetType": "x"}, VERSION, 400, "MissingParameter"),
        ("then what is wrong", token, "CreateAsset", {"GroupId": "group-none", "URL": "x", "AssetType": "Image"}, VERSION,
         400, "InvalidParameter"),
        ("then what is not there", token, "CreateAsset", {"GroupId": "group-none", "URL": OPEN_URL, "AssetType": "Image"},
         VERSION, 404, "ResourceNotFound.AssetGroup"),
        ("an asset", token, "GetAsset", {"Id": "asset-none"}, VERSION, 404, "ResourceNotFound.Asset"),
    )
    for what, who, action, body, version, status, code in steps:
        refused(ctx, what, act(inst, who, action, body, version=version), status, code)
    refused(ctx, "a query without an action", inst.serve.call("POST", "/?Version=" + VERSION, token, {}), 404,
            "InvalidActionOrVersion")
    refused(ctx, "another method", inst.serve.call("GET", "/volcark/?Action=GetAsset&Version=" + VERSION, token), 404,
            "InvalidActionOrVersion")


def test_skip_in_every_disguise(ctx):
    inst = ctx.shared
    token = inst.add_tenant("skipper")
    spelled = ({"Moderation": {"Strategy": "sKIP"}}, {"moderation": {"STRATEGY": " Skip\t"}},
               {"MODERATION": {"a": [{"b": {"strategy": "skip\u3000"}}]}}, {"x": [{"Moderation": {"Strategy": "Skip"}}]},
               {"Moderation": [{"Strategy": "\u00a0Skip\ufeff"}]})
    for body in spelled:
        for action in ("CreateAsset", "ListAssets", "GetAssetGroup"):
            refused(ctx, f"{action} {body}", act(inst, token, action, body), 400, "moderation_skip_not_allowed")
    for body in ({"Strategy": "Skip"}, {"Moderation": {"Strategy": "Skipped"}}, {"Moderation": "Skip"}):
        refused(ctx, f"{body} is something else", act(inst, token, "GetAsset", body), 400, "MissingParameter")


def test_lists(ctx):
    inst = ctx.shared
    token = inst.add_tenant("lister")
    first, second = group(ctx, inst, token, "Straße"), group(ctx, inst, token, "other_100%")
    made_assets = [asset(ctx, inst, token, first if n % 2 else second, Name=f"A{n}-ÄÖ") for n in range(5)]
    ctx.equal("newest first", listed(inst, token), (5, made_assets[::-1]))
    ctx.equal("oldest first", listed(inst, token, SortOrder="Asc"), (5, made_assets))
    ctx.equal("by time of change", listed(inst, token, SortBy="UpdateTime", SortOrder="asc")[0], 5)
    ctx.equal("a page", listed(inst, token, PageNumber=2, PageSize=2), (5, made_assets[::-1][2:4]))
    ctx.equal("behind the end", listed(inst, token, PageNumber=1000000000, PageSize=100), (5, []))
    ctx.equal("of a group", listed(inst, token, filter={"GroupIds": [first.upper()]}), (2, made_assets[3::-2]))
    ctx.equal("of both", listed(inst, token, filter={"GroupIds": [first, second]}), (5, made_assets[::-1]))
    ctx.equal("of none", listed(inst, token, filter={"GroupIds": ["group-x", f"{first},{second}"]}), (0, []))
    ctx.equal("an empty list says nothing", listed(inst, token, filter={"GroupIds": [], "Statuses": []})[0], 5)
    ctx.equal("by name, without case", listed(inst, token, filter={"Name": "a3-äö"}), (1, [made_assets[3]]))
    ctx.equal("signs stand for themselves", listed(inst, token, filter={"Name": "%"}), (0, []))
    ctx.equal("active", listed(inst, token, filter={"Statuses": ["Active"]}), (0, []))
    ctx.equal("not active", listed(inst, token, filter={"Statuses": ["Processing", "Failed"]})[0], 5)
    ctx.equal("by group", sorted(listed(inst, token, SortBy="GroupId")[1]), sorted(made_assets))
    ctx.equal("groups", listed(inst, token, "ListAssetGroups"), (2, [second, first]))
    ctx.equal("folded", listed(inst, token, "ListAssetGroups", filter={"Name": "STRASSE"}), (1, [first]))
    ctx.equal("their signs", listed(inst, token, "ListAssetGroups", filter={"name": "_100%"}), (1, [second]))
    ctx.equal("by id", listed(inst, token, "ListAssetGroups", filter={"GroupIds": [first]}), (1, [first]))
    group(ctx, inst, token, "elsewhere", ProjectName="film")
    ctx.equal("of a project", listed(inst, token, "ListAssetGroups", project="film")[0], 1)
    ctx.equal("of another", listed(inst, token, project="film"), (0, []))


def test_projects(ctx):
    inst = ctx.shared
    token = inst.add_tenant("planner")
    group_id = group(ctx, inst, token, ProjectName="film")
    asset_id = asset(ctx, inst, token, group_id)
    ctx.equal("the group's", act(inst, token, "GetAsset", {"Id": asset_id}).json["Result"]["ProjectName"], "film")
    ctx.equal("as asked", act(inst, token, "GetAsset", {"Id": asset_id, "ProjectName": "film"}).status, 200)
    refused(ctx, "in another", act(inst, token, "GetAsset", {"Id": asset_id, "ProjectName": "default"}), 404,
            "ResourceNotFound.Asset")
    refused(ctx, "a group in another", act(inst, token, "GetAssetGroup", {"Id": group_id, "ProjectName": "default"}), 404,
            "ResourceNotFound.AssetGroup")
    name = "项" * 64
    long_id = group(ctx, inst, token, ProjectName=name)
    ctx.equal("64 characters", act(inst, token, "GetAssetGroup", {"Id": long_id}).json["Result"]["ProjectName"], name)
    refused(ctx, "65", act(inst, token, "CreateAssetGroup", {"Name": "n", "GroupType": "AIGC", "ProjectName": name + "!"}),
            400, "InvalidParameter")


def test_what_is_not_visible_does_not_exist(ctx):
    inst = ctx.shared
    owner, stranger = inst.add_tenant("owner"), inst.add_tenant("stranger")
    private = inst.cli_json("token", "add", "owner", "--visibility", "own")["token"]
    group_id = group(ctx, inst, owner)
    asset_id = asset(ctx, inst, owner, group_id)
    own_group = group(ctx, inst, private)
    own_asset = asset(ctx, inst, private, own_group)
    ctx.equal("a tenant's token sees what its own ones made", listed(inst, owner), (2, [own_asset, asset_id]))
    ctx.equal("an own one sees its own", listed(inst, private), (1, [own_asset]))
    ctx.equal("groups too", listed(inst, private, "ListAssetGroups"), (1, [own_group]))
    never = "-20200101000000-zzzzzzzzzz"
    for who in (stranger, private):
        for action, member, known in (("GetAsset", "Id", asset_id), ("GetAssetGroup", "Id", group_id),
                                      ("CreateAsset", "GroupId", group_id)):
            more = {"URL": OPEN_URL, "AssetType": "Image"} if action == "CreateAsset" else {}
            answers = [act(inst, who, action, {member: one, **more}) for one in (known, known.split("-")[0] + never)]
            ctx.equal(f"{action}: the same", *[re.sub(rb'"RequestId":"\w+"|(asset|group)-[\w-]+', b"", a.body) for a in answers])
            ctx.equal(f"{action}: status", answers[0].status, 404)
        ctx.equal("of its group", listed(inst, who, filter={"GroupIds": [group_id]}), (0, []))


def test_limits_and_switches(ctx):
    inst = ctx.shared
    token = inst.add_tenant("limited")
    group_id = group(ctx, inst, token)
    inst.cli("tenant", "set", "limited", "asset_count=1")
    asset(ctx, inst, token, group_id)
    body = {"GroupId": group_id, "URL": OPEN_URL, "AssetType": "Video"}
    wait_for("one more is too many", lambda: act(inst, token, "CreateAsset", body).status == 429)
    refused(ctx, "by number", act(inst, token, "CreateAsset", body), 429, "QuotaExceeded")
    inst.cli("tenant", "set", "limited", "asset_count=1000", f"asset_bytes={31 << 20}")
    wait_for("by bytes", lambda: b"bytes" in act(inst, token, "CreateAsset", body).body)
    refused(ctx, "by bytes", act(inst, token, "CreateAsset", body), 429, "QuotaExceeded")
    inst.cli("tenant", "set", "limited", "assets=off")
    wait_for("switched off", lambda: act(inst, token, "ListAssets", {}).status == 503)
    refused(ctx, "all of it", act(inst, token, "GetAsset", {"Id": "x"}), 503, "service_unavailable")
    refused(ctx, "but what is closed anyway", act(inst, token, "DeleteAsset"), 403, "InvalidAction")
    inst.cli("tenant", "set", "limited", "assets=on")
    wait_for("and on", lambda: act(inst, token, "GetAsset", {"Id": "x"}).status == 404)
    inst.cli("tenant", "suspend", "limited")
    wait_for("suspended", lambda: act(inst, token, "CreateAsset", body).status == 403)
    refused(ctx, "makes nothing", act(inst, token, "CreateAssetGroup", {}), 403, "AccessDenied")
    ctx.true("reads", listed(inst, token)[0] >= 1)
    ctx.equal("shown", inst.cli_json("tenant", "show", "limited")["asset_count"], 1000)
    for wrong in ("assets=no", "asset_count=-1", "asset_count=x", "nothing=1"):
        ctx.true(f"{wrong} is refused", inst.cli("tenant", "set", "limited", wrong, status=None).returncode in (2, 5))


def test_a_key_makes_one(ctx):
    inst = ctx.shared
    token = inst.add_tenant("once")
    key = {"Idempotency-Key": "k-1"}
    body = {"Name": "once", "GroupType": "AIGC"}
    first = act(inst, token, "CreateAssetGroup", body, headers=key)
    again = act(inst, token, "CreateAssetGroup", body, headers=key)
    ctx.equal("the same", made(ctx, again), made(ctx, first))
    ctx.equal("said so", (first.header("Idempotent-Replayed"), again.header("Idempotent-Replayed")), (None, "true"))
    refused(ctx, "another body", act(inst, token, "CreateAssetGroup", {**body, "Name": "two"}, headers=key), 409,
            "IdempotencyConflict")
    refused(ctx, "another action", act(inst, token, "CreateAsset", {"GroupId": made(ctx, first), "URL": OPEN_URL,
                                                                   "AssetType": "Image"}, headers=key), 409,
            "IdempotencyConflict")
    refused(ctx, "what made nothing leaves the key free",
            act(inst, token, "CreateAsset", {"GroupId": "group-x", "URL": OPEN_URL, "AssetType": "Image"},
                headers={"Idempotency-Key": "k-2"}), 404, "ResourceNotFound.AssetGroup")
    ctx.equal("one group", listed(inst, token, "ListAssetGroups")[0], 1)
