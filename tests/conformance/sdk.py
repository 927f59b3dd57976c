# SPDX-License-Identifier: Apache-2.0
"""What the conformance tests share: the SDK's two clients behind one face, what the
gateway was asked (from its log), and a recorder on the way to the simulator."""
import asyncio
import functools
import http.server
import json
import threading

from arkgate import BASE, http_call, wait_for
from volcenginesdkarkruntime import Ark, AsyncArk
from volcenginesdkarkruntime._exceptions import ArkAPIError

MODEL = "doubao-seedance-2-0-260128"
NEVER = "cgt-20260101000000-zzzzz"
# Every request in the gateway's log, and nothing that a client would see differently.
SETTINGS = {"log_level": "debug", "poll_interval": "100ms"}


class Tasks:
    """content_generation.tasks of Ark, or of AsyncArk with each call awaited."""

    def __init__(self, inst, asynchronous=False, token=None, **options):
        self.asynchronous = asynchronous
        self.loop = asyncio.new_event_loop() if asynchronous else None
        self.client = (AsyncArk if asynchronous else Ark)(
            base_url=inst.serve.url + "/api/v3", api_key=inst.token if token is None else token, **options)
        self.sdk = self.client.content_generation.tasks

    def wait(self, value):
        return self.loop.run_until_complete(value) if self.asynchronous else value

    def create(self, text="a lantern on a pier", **members):
        """With a prompt alone, or with content."""
        members.setdefault("content", [{"type": "text", "text": text}])
        members.setdefault("model", MODEL)
        return self.wait(self.sdk.create(**members))

    def raw_create(self, text, **members):
        """The answer as it came, with the request that was sent."""
        return self.wait(self.sdk.with_raw_response.create(
            model=MODEL, content=[{"type": "text", "text": text}], **members))

    def get(self, task_id):
        return self.wait(self.sdk.get(task_id=task_id))

    def list(self, **filters):
        return self.wait(self.sdk.list(**filters))

    def delete(self, task_id):
        return self.wait(self.sdk.delete(task_id=task_id))

    def until(self, task_id, *states):
        """Polls as a client would, at a test's pace."""
        def probe():
            task = self.get(task_id)
            return task if task.status in states else None
        return wait_for(f"{task_id} in {states}", probe, 30, pause=0.05)

    def refused(self, call, *arguments, **members):
        """The SDK's exception, or an AssertionError because there was none."""
        try:
            answer = getattr(self, call)(*arguments, **members)
        except ArkAPIError as error:
            return error
        raise AssertionError(f"{call} {arguments} {members} was not refused: {answer}")

    def close(self):
        self.wait(self.client.close())
        if self.loop:
            self.loop.close()


def sync_and_async(test):
    """test_x becomes test_x and test_x_async; both get the shared installation and a
    function that makes clients of their kind."""
    def run(ctx, asynchronous):
        inst, made = shared(ctx), []

        def tasks(**options):
            made.append(Tasks(options.pop("inst", inst), asynchronous, **options))
            return made[-1]
        try:
            test(ctx, inst, tasks)
        finally:
            inst.sim.clear_faults()
            for one in made:
                one.close()

    test.__globals__[test.__name__ + "_async"] = functools.partial(run, asynchronous=True)
    return functools.partial(run, asynchronous=False)


def shared(ctx):
    """One installation for the file."""
    if ctx._shared is None:
        ctx._shared = ctx.new(credit="2000", settings=SETTINGS)
    return ctx._shared


class Asked:
    """Which requests the gateway got in the block: [(method, path, status)]. There must be so
    many; that there are no more is for the test to say."""

    def __init__(self, inst, least=1):
        self.inst, self.least = inst, least

    def lines(self):
        whole = [line for line in self.inst.serve.log().splitlines() if '"event":"request"' in line and line[-1] == "}"]
        return [(line["method"], line["path"], line["status"]) for line in map(json.loads, whole)]

    def mark(self):
        """Everything asked before is in the log, once its successor is."""
        path = f"/api/v3/conformance-mark-{len(self.lines())}"
        self.inst.serve.call("GET", path, self.inst.token)
        wait_for("the mark is logged", lambda: any(line[1] == path for line in self.lines()))
        return self.lines()

    def __enter__(self):
        self.before = len(self.mark())
        return self

    def __exit__(self, failure, *_):
        """Another worker may be a moment late with the line of what it answered."""
        if failure is None:
            wait_for(f"{self.least} requests are logged", lambda: len(self.lines()) >= self.before + self.least)
        self.requests = [line for line in self.mark()[self.before:] if "conformance-mark" not in line[1]]

    def count(self, method, status, task_id=None):
        path = BASE if task_id is None else f"{BASE}/{task_id}"
        return sum(line == (method, path, status) for line in self.requests)


class Recorder:
    """Passes everything on to the simulator and keeps the bodies of creates."""

    def __init__(self, sim):
        self.creates = creates = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self):
                size = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(size) if size else None
                if self.command == "POST":
                    creates.append(body)
                kept = {k: v for k, v in self.headers.items()
                        if k.lower() in ("authorization", "content-type", "accept")}
                answer = http_call(sim.url, self.command, self.path, body, kept)
                self.send_response(answer.status)
                for name, value in answer.headers:
                    if name.lower() not in ("connection", "content-length", "date", "server", "transfer-encoding"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_POST = do_DELETE = pass_on

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
