#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Are the examples in openapi/*.yaml true? Each one is sent to a gateway, and what it
answers is compared with what stands there.

An example of a response is a case: its operation is called, and the answer must have
the same status, media type, required headers, and members in the same order with the
same types and values (but for VOLATILE). What is sent are the examples of the same name, of the body and of the
parameters; without one, the first example of the body, and of a parameter that is required its only value or
its first example. An example of a body that no
response shares a name with is answered as the first success. What else it takes
stands beside the example:

  x-replay:
    fixture: NAME      a function of Fixtures prepares it; its id is the one in the path
    upstream: {call: create, status: 500}
                       how Ark answers this time, as for the simulator's /sim/faults
    token: TEXT        instead of the tenant's; none when empty
    method: PUT        instead of the operation's
    path: /nothing     instead of the operation's, behind the same base
    headers: {…}       besides; a Content-Length goes out without a body
    swell: query       the query grows over its limit, or there are too many headers
    shows: {…}         headers of the answer that are not required
    only: [createTask] an example that several operations share belongs to these
    never: WHY         it cannot be provoked

usage: replay_openapi.py [BINARY]   (default: build/asan or build/release)
"""
import glob
import json
import os
import re
import sys
from urllib.parse import quote

import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARIES = ("build/asan/gateway/arkgate", "build/release/gateway/arkgate")
METHODS = ("get", "post", "put", "patch", "delete")
REPLAY_KEYS = {"fixture", "upstream", "token", "method", "path", "headers", "swell", "shows", "only", "never"}
# Members whose values differ each time: compared by type alone.
VOLATILE = {"id", "draft_task_id", "request_id", "created_at", "updated_at", "seed", "video_url", "last_frame_url",
            "Id", "RequestId", "URL", "CreateTime", "UpdateTime"}
# Schemas whose first example is the id that examples show, and what a fixture calls its own.
IDS = {"TaskId": "id", "GroupId": "group", "AssetId": "asset"}
# These are replayed with a gateway that fetches from loopback.
PRIVATE = ("volc.yaml",)


class Fixtures:
    """What an example takes. Each returns {"token": …, "headers": …, "id": …, "group": …, "asset": …, "after": undo},
    all optional."""

    VIDEO_4K = {"resolution": "4k", "ratio": "16:9", "duration": 4, "generate_audio": False}
    OLDER = "doubao-seedance-1-5-pro"

    def __init__(self, inst):
        self.inst, self.tenants, self.media = inst, 0, media.Server()

    def _tenant(self, credit):
        self.tenants += 1
        return f"tenant-{self.tenants}", self.inst.add_tenant(f"tenant-{self.tenants}", credit)

    def _task(self, marker, status, token=None, **members):
        token = token or self.inst.token
        task_id = self.inst.serve.create(token, arkgate.text_to_video(f"[sim: {marker}]", **members)).json["id"]
        self.inst.serve.wait_until(token, task_id, (status,))
        return {"token": token, "id": task_id}

    def queued(self):
        return self._task("stay=queued", "queued", **self.VIDEO_4K)

    def running(self):
        return self._task("stay=running", "running", **self.VIDEO_4K)

    def succeeded(self):
        return self._task("run_ms=100", "succeeded", **self.VIDEO_4K)

    def failed(self):
        return self._task("fail=OutputVideoSensitiveContentDetected", "failed")

    def cancelled(self):
        task = self.queued()
        self.inst.serve.call("DELETE", f"{arkgate.BASE}/{task['id']}", task["token"])
        return task

    def two_tasks(self):
        """The failed one is the newer one."""
        _, token = self._tenant("100")
        self._task("stay=queued", "queued", token, **self.VIDEO_4K)
        self._task("fail=OutputVideoSensitiveContentDetected", "failed", token)
        return {"token": token}

    def key_used(self):
        """order-7 is the key of a create with the first body."""
        _, token = self._tenant("100")
        body = arkgate.text_to_video("a paper boat on still water at dawn")
        self.inst.serve.create(token, body, {"Idempotency-Key": "order-7"})
        return {"token": token}

    def charged(self):
        """Paid in 100, one 720p video of 5 s."""
        _, token = self._tenant("100")
        return self._task("run_ms=100", "succeeded", token, ratio="16:9", duration=5)

    def older_models(self):
        """Models before 2.0, sold to this tenant alone."""
        name, token = self._tenant("100")
        for model in (self.OLDER, "doubao-seedance-1-0-pro"):
            self.inst.cli("model", "set", model, "sold=on", "--tenant", name)
        body = arkgate.text_to_video(model=model, priority=77)
        arkgate.wait_for(f"{model} is sold", lambda: self.inst.serve.create(token, body).status == 400)
        return {"token": token}

    def drafted(self):
        """The id is the draft's."""
        token = self.older_models()["token"]
        return self._task("run_ms=100", "succeeded", token, model=self.OLDER, draft=True, ratio="16:9")

    def from_draft(self):
        draft = self.drafted()
        body = {"model": self.OLDER, "content": [{"type": "draft_task", "draft_task": {"id": draft["id"]}}],
                "resolution": "1080p"}
        task_id = self.inst.serve.create(draft["token"], body).json["id"]
        self.inst.serve.wait_until(draft["token"], task_id, ("succeeded",))
        return {"token": draft["token"], "id": task_id}

    def frames(self):
        token = self.older_models()["token"]
        return self._task("stay=queued", "queued", token, model="doubao-seedance-1-0-pro", frames=57, resolution="480p")

    def searched(self):
        return self._task("run_ms=100 searches=2", "succeeded", ratio="16:9", tools=[{"type": "web_search"}])

    def poor(self):
        return {"token": self._tenant("12.5")[1]}

    def suspended(self):
        name, token = self._tenant("100")
        self.inst.cli("tenant", "suspend", name)
        return {"token": token}

    def no_upstream(self):
        """The only upstream is drained, until the example was seen."""
        _, token = self._tenant("100000")

        def refused():
            return self.inst.serve.create(token, arkgate.text_to_video()).status == 503

        self.inst.cli("upstream", "drain", "main")
        arkgate.wait_for("drained", refused)
        return {"token": token, "after": lambda: (self.inst.cli("upstream", "resume", "main"),
                                                  arkgate.wait_for("resumed", lambda: not refused()))}


    # -- of the asset library --------------------------------------------------------

    ACTIONS = "/?Version=2024-01-01&Action="

    def _act(self, token, action, body, headers=None):
        answer = self.inst.serve.call("POST", self.ACTIONS + action, token, body, headers)
        if answer.status != 200:
            raise AssertionError(f"{action} {body}: {answer}")
        return answer.json["Result"]

    def library(self):
        """A tenant with a group."""
        _, token = self._tenant("100")
        body = {"Name": "campaign-product-shots", "GroupType": "AIGC", "Description": "Assets for product videos"}
        return {"token": token, "group": self._act(token, "CreateAssetGroup", body)["Id"]}

    def _asset(self, answer, status):
        """An asset in such a group, once it has this status; answer is what its URL gives."""
        made = self.library()
        url = self.media.give("/product.png", answer)
        made["asset"] = self._act(made["token"], "CreateAsset", {"GroupId": made["group"], "URL": url, "AssetType": "Image",
                                                                 "Name": "product-front.png"})["Id"]
        arkgate.wait_for(status, lambda: self._act(made["token"], "GetAsset", {"Id": made["asset"]})["Status"] == status)
        return made

    def active(self):
        return self._asset(media.image(), "Active")

    def processing(self):
        return self._asset(media.Answer(media.image(), piece=1, pause=1), "Processing")

    def failed_asset(self):
        return self._asset(media.Answer(b"", 404), "Failed")

    def group_key_used(self):
        """order-7 is the key of a create."""
        _, token = self._tenant("100")
        self._act(token, "CreateAssetGroup", {"Name": "once", "GroupType": "AIGC"}, {"Idempotency-Key": "order-7"})
        return {"token": token}

    def full(self):
        made = self.library()
        self.inst.cli("tenant", "set", f"tenant-{self.tenants}", "asset_count=0")
        body = {"GroupId": made["group"], "URL": self.media.give("/none", media.Answer(b"", 404)), "AssetType": "Image"}
        arkgate.wait_for("the library is full", lambda: self.inst.serve.call(
            "POST", self.ACTIONS + "CreateAsset", made["token"], body).status == 429)
        return made

    def closed(self):
        name, token = self._tenant("100")
        self.inst.cli("tenant", "set", name, "assets=off")
        arkgate.wait_for("the library is closed", lambda: self.inst.serve.call(
            "POST", self.ACTIONS + "GetAsset", token, {}).status == 503)
        return {"token": token}

    def _signed(self, spoil=lambda access, secret: (access, secret), **how):
        key = self.inst.cli_json("access-key", "add", "acme")
        return {"headers": signed.head(spoil(key["id"], key["secret"]), self.ACTIONS + "CreateAssetGroup", **how)}

    def signed_by_nobody(self):
        return self._signed(lambda access, secret: ("AKLTnobody", secret))

    def signed_wrongly(self):
        return self._signed(lambda access, secret: (access, "another"))

    def signed_long_ago(self):
        return self._signed(date=signed.now(-1000))


class Operation:
    """One operation of a description, its references resolved."""

    def __init__(self, document, path, item, method):
        self.document, self.path, self.method = document, path, method.upper()
        self.spec = item[method]
        self.name = self.spec.get("operationId", f"{self.method} {path}")
        self.base = (item.get("servers") or document["servers"])[0]["url"].rstrip("/")
        self.secured = bool(self.spec.get("security", document["security"]))
        self.parameters = [self.resolve(p) for p in self.spec.get("parameters", [])]
        content = self.resolve(self.spec.get("requestBody", {})).get("content", {})
        self.bodies = next(iter(content.values()), {}).get("examples", {})
        self.sent = set()  # names of the examples that were

    def resolve(self, node):
        while "$ref" in node:
            at = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                at = at[part]
            node = at
        return node

    def responses(self):
        """(status, media type, name, example) of each example of a response."""
        for status, response in self.spec["responses"].items():
            for media, content in self.resolve(response).get("content", {}).items():
                if not content.get("examples"):
                    raise AssertionError(f"{self.name}: no example of {status}")
                for name, example in content["examples"].items():
                    yield int(status), media, name, example

    def requests(self):
        """Likewise with the examples of the body that no response shares a name with."""
        cases = [case for case in self.responses()
                 if self.name in case[3].get("x-replay", {}).get("only", [self.name])]
        first = next(case for case in cases if case[0] < 300)
        named = {case[2] for case in cases} | set(list(self.bodies)[:1])
        return cases + [(first[0], first[1], name, {"value": first[3]["value"]})
                        for name in self.bodies if name not in named]

    def target(self, name, prepared):
        """Path and query, and the headers that are parameters."""
        path, query, headers = self.path, [], {}
        for parameter in self.parameters:
            known = parameter.get("examples", {})
            if name in known:
                value = known[name]["value"]
                self.sent.add(name)
            elif parameter["in"] == "path":
                value = prepared.get("id") or self.written_ids()["id"]
            elif parameter.get("required"):
                value = parameter["schema"].get("const") or next(iter(known.values()))["value"]
            else:
                continue
            values = value if isinstance(value, list) else [value]
            if parameter["in"] == "path":
                path = path.replace("{%s}" % parameter["name"], value)
            elif parameter["in"] == "query":
                query += [f"{parameter['name']}={quote(str(v), safe=',')}" for v in values]
            else:
                headers[parameter["name"]] = value
        return path + ("?" + "&".join(query) if query else ""), headers

    def required_headers(self, status):
        """Name and value, "" when any will do."""
        headers = self.resolve(self.spec["responses"][str(status)]).get("headers", {})
        specs = {name: self.resolve(spec) for name, spec in headers.items()}
        return {name: spec["schema"].get("const", "") for name, spec in specs.items() if spec.get("required")}

    def written_ids(self):
        """The ids that examples show, by what a fixture calls its own."""
        schemas = self.document["components"]["schemas"]
        return {ours: schemas[name]["examples"][0] for name, ours in IDS.items() if name in schemas}

    def with_ids(self, text, prepared, back=False):
        """A text with the fixture's ids in place of the written ones; back: the other way."""
        for ours, written in self.written_ids().items():
            if prepared.get(ours):
                text = text.replace(*((prepared[ours], written) if back else (written, prepared[ours])))
        return text

    def unsent(self):
        known = set(self.bodies)
        for parameter in self.parameters:
            known |= set(parameter.get("examples", {}))
        return sorted(known - self.sent)


def send(inst, operation, name, replay, prepared):
    path, headers = operation.target(name, prepared)
    path = operation.base + replay.get("path", path)
    headers.update(prepared.get("headers", {}) | replay.get("headers", {}))
    if replay.get("swell") == "query":
        path += ("&" if "?" in path else "?") + "a=" + "a" * (32 << 10)
    if replay.get("swell") == "headers":
        headers.update({f"X-{n}": "a" for n in range(64)})
    body = None
    if operation.bodies and "Content-Length" not in headers:
        name = name if name in operation.bodies else next(iter(operation.bodies))
        operation.sent.add(name)
        body = operation.bodies[name]["value"]
        body = json.loads(operation.with_ids(json.dumps(body), prepared))
    token = replay.get("token", prepared.get("token", inst.token)) if operation.secured else None
    return inst.serve.call(replay.get("method", operation.method), path, token or None, body, headers)


def differences(written, seen, name, where):
    """How what was seen differs from what is written."""
    if type(written) is not type(seen):
        yield f"{where} is {seen!r}, written {written!r}"
    elif isinstance(written, dict):
        if list(written) != list(seen):
            yield f"{where} has {list(seen)}, written {list(written)}"
        for key in [k for k in written if k in seen]:
            yield from differences(written[key], seen[key], key, f"{where}.{key}")
    elif isinstance(written, list):
        if len(written) != len(seen):
            yield f"{where} has {len(seen)} items, written {len(written)}"
        for at, pair in enumerate(zip(written, seen)):
            yield from differences(*pair, name, f"{where}[{at}]")
    elif written != seen and name not in VOLATILE:
        yield f"{where} is {seen!r}, written {written!r}"


def settled(text):
    """A text whose request id is no matter, and without what the gateway left of the canary."""
    text = re.sub(r" \(account \(hidden\)[^\"]*?key \(hidden\)\)", "", text)
    return re.sub(r"Request id: [a-z0-9]+", "Request id: …", text)


def check_case(inst, fixtures, operation, case):
    """What is wrong with one example."""
    status, media, name, example = case
    replay = example.get("x-replay", {})
    if set(replay) - REPLAY_KEYS:
        return [f"x-replay knows no {', '.join(sorted(set(replay) - REPLAY_KEYS))}"]
    prepared = getattr(fixtures, replay["fixture"])() if "fixture" in replay else {}
    if "upstream" in replay:
        fault = dict(replay["upstream"])
        inst.sim.fault(fault.pop("call"), 1, **fault)
    try:
        answer = send(inst, operation, name, replay, prepared)
    finally:
        inst.sim.clear_faults()
        prepared.get("after", lambda: None)()
    if answer.status != status:
        return [f"the status is {answer.status}, written {status}: {answer.body[:300]!r}"]
    if answer.header("Content-Type") != media:
        return [f"the media type is {answer.header('Content-Type')}, written {media}"]
    headers = operation.required_headers(status) | replay.get("shows", {})
    wrong = [f"the header {header} is {answer.header(header)}, written {value or 'as required'}"
             for header, value in headers.items() if answer.header(header) != (value or answer.header(header) or "")]
    seen, written = (json.loads(settled(text)) for text in (
        operation.with_ids(answer.body.decode(), prepared, back=True), json.dumps(example["value"], ensure_ascii=False)))
    return wrong + list(differences(written, seen, "", "the answer"))


def replay_file(inst, fixtures, path):
    """passed, failed."""
    with open(path, encoding="utf-8") as file:
        document = yaml.safe_load(file)
    passed = failed = 0
    label = os.path.basename(path)
    for route, item in document["paths"].items():
        for method in [m for m in METHODS if m in item]:
            operation = Operation(document, route, item, method)
            for case in operation.requests():
                if "never" in case[3].get("x-replay", {}):
                    continue
                try:
                    troubles = check_case(inst, fixtures, operation, case)
                except (AssertionError, AttributeError, KeyError, ValueError, OSError) as error:
                    troubles = [f"{type(error).__name__}: {error}"]
                for trouble in troubles:
                    print(f"FAILED {label}: {operation.name} {case[0]} {case[2]}: {trouble}")
                passed, failed = passed + (not troubles), failed + bool(troubles)
            for name in operation.unsent():
                print(f"FAILED {label}: {operation.name}: the example {name} of the request is never sent")
                failed += 1
    return passed, failed


def serve(inst, arguments=()):
    if inst.serve:
        inst.serve.stop()
    inst.start_serve({"poll_interval": "50ms", "scan_interval": "200ms", "ingest_retry": "50ms",
                      "resolve": "callback.example=93.184.215.14;example.com=127.0.0.1"}, arguments=arguments)


def main(arguments):
    global arkgate, media, signed
    binary = next((b for b in arguments or [os.path.join(ROOT, b) for b in BINARIES] if os.path.exists(b)), None)
    if binary is None:
        print("there is no arkgate to ask; build it first")
        print("0 passed, 1 failed")
        return 1
    os.environ["ARKGATE_BIN"] = os.path.abspath(binary)
    sys.path.insert(0, os.path.join(ROOT, "tests/lib"))
    import arkgate
    import media
    import signed

    inst = arkgate.Installation()
    passed = failed = 0
    try:
        inst.start_sim()
        inst.add_upstream()
        inst.token = inst.add_tenant("acme", "10000")
        fixtures = Fixtures(inst)
        serve(inst)
        for path in sorted(glob.glob(f"{ROOT}/openapi/*.yaml"), key=lambda path: path.endswith(PRIVATE)):
            if path.endswith(PRIVATE):
                serve(inst, ("--allow-private-network",))
            p, f = replay_file(inst, fixtures, path)
            passed, failed = passed + p, failed + f
        arkgate.check_invariants(inst, inst.sim)
        inst.stop()
    except AssertionError as error:
        print(f"FAILED {error}\n{inst.logs()}")
        failed += 1
    finally:
        inst.close()
        media.clean()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
