# SPDX-License-Identifier: Apache-2.0
"""What the tests of the asset library's clients share: a gateway that may fetch from loopback,
a pair of keys, the way of an asset through all six actions, and a relay that loses answers."""
import json
import socket
import threading

import media
from arkgate import wait_for

VERSION = "2024-01-01"
IMAGE_MEMBERS = ["Id", "Name", "URL", "GroupId", "AssetType", "Status", "ProjectName", "CreateTime", "UpdateTime"]
GROUP_MEMBERS = ["Id", "Name", "Title", "Description", "GroupType", "ProjectName", "CreateTime", "UpdateTime"]


class Refused(Exception):
    """A client's own error; status is None of a client that does not tell it."""

    def __init__(self, status, code):
        super().__init__(f"{status} {code}")
        self.status, self.code = status, code


def start(ctx):
    """An installation whose gateway fetches from loopback; it has also a pair of keys, and
    the link of an image that can be had."""
    inst = ctx.new(serve=False)
    inst.start_serve({"ingest_retry": "50ms", "ingest_look": "100ms"}, arguments=("--allow-private-network",))
    key = inst.cli_json("access-key", "add", "acme")
    inst.keys = key["id"], key["secret"]
    inst.media = media.Server()
    inst.image_url = inst.media.give("/product.png", media.image())
    return inst


def active(call, asset_id):
    """The asset, once its file was looked at."""
    def probe():
        shown = call("GetAsset", {"Id": asset_id})
        return shown if shown["Status"] != "Processing" else None
    return wait_for(f"{asset_id} to be looked at", probe, 40, pause=0.1)


def six_actions(ctx, inst, call):
    """call(action, body) returns the Result, or raises Refused."""
    group_id = call("CreateAssetGroup", {"Name": "product-shots", "GroupType": "AIGC", "Description": "für 产品"})["Id"]
    shown = call("GetAssetGroup", {"Id": group_id})
    ctx.equal("group", (list(shown), shown["Name"], shown["Description"]),
              (GROUP_MEMBERS, "product-shots", "für 产品"))
    asset_id = call("CreateAsset", {"GroupId": group_id, "URL": inst.image_url, "AssetType": "Image",
                                    "Name": "front.png"})["Id"]
    shown = active(call, asset_id)
    ctx.equal(f"asset {shown.get('Error')}", (list(shown), shown["Status"]), (IMAGE_MEMBERS, "Active"))
    ctx.true("its link leads to the gateway", shown["URL"].startswith(inst.serve.url + "/files/"), shown)
    page = {"Filter": {"GroupType": "AIGC", "GroupIds": [group_id]}, "PageNumber": 1, "PageSize": 20}
    for action, one in (("ListAssetGroups", group_id), ("ListAssets", asset_id)):
        shown = call(action, page)
        ctx.equal(action, (shown["TotalCount"], shown["PageNumber"], shown["PageSize"], [i["Id"] for i in shown["Items"]]),
                  (1, 1, 20, [one]))


# What each client must be told, as its own kind of error.
ERRORS = (
    # action, body, status, code
    ("CreateAssetGroup", {"GroupType": "AIGC"}, 400, "MissingParameter"),
    ("CreateAssetGroup", {"Name": "n" * 65, "GroupType": "AIGC"}, 400, "InvalidParameter"),
    ("CreateAsset", {"Moderation": {"Strategy": "Skip"}}, 400, "moderation_skip_not_allowed"),
    ("DeleteAsset", {"Id": "asset-20260101000000-zzzzzzzzzz"}, 403, "InvalidAction"),
    ("GetAsset", {"Id": "asset-20260101000000-zzzzzzzzzz"}, 404, "ResourceNotFound.Asset"),
    ("GetAssetGroup", {"Id": "group-20260101000000-zzzzzzzzzz"}, 404, "ResourceNotFound.AssetGroup"),
    ("GetAssetLink", {"Id": "asset-20260101000000-zzzzzzzzzz"}, 404, "InvalidActionOrVersion"),
)


def refusals(ctx, call):
    for action, body, status, code in ERRORS:
        try:
            ctx.fail(f"{action} {body} was not refused: {call(action, body)}")
        except Refused as error:
            ctx.equal(f"{action} {str(body)[:60]}", (error.status or status, error.code), (status, code))


_BODY = json.dumps({"ResponseMetadata": {"RequestId": "-", "Error": {
    "CodeN": 100019, "Code": "ServiceUnavailableTemp", "Message": "a proxy has nobody to ask"}}})
UNAVAILABLE = (f"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n"
               f"Content-Length: {len(_BODY)}\r\n\r\n{_BODY}").encode()


class Relay:
    """Stands before the gateway and passes on. troubles has what befalls the first requests:
    "refused" (a 503, and the gateway hears nothing), "503" (likewise, but the gateway has
    done it) or "cut" (it has done it, and no answer comes)."""

    def __init__(self, serve, troubles=()):
        self.port = int(serve.url.rsplit(":", 1)[1])
        self.troubles = list(troubles)
        self.heads = []  # of what was asked, by name in small letters
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                conn, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(conn,), daemon=True).start()

    def _serve(self, conn):
        """One request of a connection; then it is closed, as servers may."""
        with conn:
            request, head = self._message(conn)
            if not request:
                return
            self.heads.append(head)
            trouble = self.troubles.pop(0) if self.troubles else None
            answer = UNAVAILABLE if trouble == "refused" else self._pass_on(request)
            if trouble != "cut":
                conn.sendall(UNAVAILABLE if trouble else answer)

    def _pass_on(self, request):
        with socket.create_connection(("127.0.0.1", self.port), 30) as gateway:
            gateway.sendall(request)
            return self._message(gateway)[0]

    @staticmethod
    def _message(conn):
        """The bytes of one, and its head as a dict; both are empty at the end."""
        read = b""
        while b"\r\n\r\n" not in read:
            more = conn.recv(65536)
            if not more:
                return b"", {}
            read += more
        lines = read.split(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
        head = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        whole = read.index(b"\r\n\r\n") + 4 + int(head.get("content-length", 0))
        while len(read) < whole:
            read += conn.recv(65536)
        return read, head

    def close(self):
        self.listener.close()
