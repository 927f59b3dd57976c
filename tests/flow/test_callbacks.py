# SPDX-License-Identifier: Apache-2.0
"""callback_url as Ark takes it: what Ark is given, and that its own words reach the tenant
unaltered. Which URLs are refused stands in test_parameters.py."""
import http.server
import json
import threading

from arkgate import BASE, http_call, text_to_video, wait_for

HOST = "callback.example"
URL = f"https://{HOST}/done?task=1&x=%20"
RESOLVE = {"resolve": f"{HOST}=93.184.215.14", "scan_interval": "200ms", "send_timeout": "1s"}


class Receiver:
    """What callback.example would be: an HTTP server on loopback that writes down what comes."""

    def __init__(self):
        received = self.received = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received.append((self.path, self.headers["Host"], self.headers["Content-Type"], body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def bodies(self, task_id):
        return [body for _, _, _, body in self.received if json.loads(body)["id"] == task_id]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def prepare(ctx):
    if ctx._shared is None:
        ctx._shared = ctx.new(credit="1000", settings=RESOLVE)
    return ctx.shared


def made(inst, answer):
    """The simulator's record of the create that this answer is of."""
    if answer.status != 200:
        raise AssertionError(f"create: {answer}")
    return next(task for task in inst.sim.tasks() if task["id"] == answer.json["id"])


def test_ark_gets_one_trimmed_callback_url(ctx):
    inst = prepare(ctx)
    rows = [
        # what, members of the create
        ("as it is", {"callback_url": URL}),
        ("blanks around it", {"callback_url": f" \t{URL}\r\n"}),
        ("the alias", {"CallbackURL": URL}),
        ("the alias with blanks", {"CallbackURL": f"  {URL} "}),
        ("null and the alias", {"callback_url": None, "CallbackURL": URL}),
        ("both", {"CallbackURL": "http://127.0.0.1/shadowed", "callback_url": URL}),
        ("both, the alias no text", {"callback_url": URL, "CallbackURL": {"a": [1]}}),
    ]
    for what, members in rows:
        task = made(inst, inst.serve.create(inst.token, {**text_to_video("a pier"), **members, "extra": {"kept": 1.50}}))
        ctx.equal(f"{what}: callback_url", task["callback_url"], URL)
        ctx.equal(f"{what}: members", sorted(task["members"]), ["callback_url", "content", "extra", "model"])
        ctx.true(f"{what}: the rest as it was", '"extra": {"kept": 1.5}' in task["body"], task["body"])
    task = made(inst, inst.serve.create(inst.token, text_to_video("a pier", callback_url=None, CallbackURL=None)))
    ctx.equal("nulls: members", sorted(task["members"]), ["content", "model", "safety_identifier"])


def test_no_identifier_is_injected_beside_a_callback(ctx):
    inst = prepare(ctx)
    plain = made(inst, inst.serve.create(inst.token, text_to_video()))
    ctx.true("without one there is an identifier", "safety_identifier" in plain["members"], plain["members"])
    own = made(inst, inst.serve.create(inst.token, text_to_video(callback_url=URL, safety_identifier="user-1")))
    ctx.true("the tenant's own goes along", '"safety_identifier": "user-1"' in own["body"], own["body"])


def test_the_receiver_sees_ark_s_body(ctx):
    inst = prepare(ctx)
    receiver = Receiver()
    try:
        inst.sim.control("POST", "/sim/callbacks", {"deliver_to": receiver.url})
        answer = inst.serve.create(inst.token, text_to_video("好 🎬", callback_url=f" {URL} ", return_last_frame=True))
        task_id = answer.json["id"]
        wait_for("the last callback", lambda: any(json.loads(body)["status"] == "succeeded"
                                                  for body in receiver.bodies(task_id)))
        with open(inst.key_file, encoding="ascii") as file:
            key = file.read().strip()
        theirs = http_call(inst.sim.url, "GET", f"{BASE}/{task_id}", headers={"Authorization": f"Bearer {key}"})
        ctx.equal("byte for byte Ark's own", receiver.bodies(task_id)[-1], theirs.body)
        path, host, media, _ = receiver.received[-1]
        ctx.equal("where to", (path, host, media), ("/done?task=1&x=%20", HOST, "application/json"))
        states = [json.loads(body)["status"] for body in receiver.bodies(task_id)]
        ctx.equal("each state once", sorted(states), ["queued", "running", "succeeded"])
        ctx.true("nothing of the gateway in it", b"ag-" not in receiver.bodies(task_id)[-1])
        ctx.equal("the gateway knows too", inst.serve.wait_until(inst.token, task_id)["status"], "succeeded")
    finally:
        inst.sim.control("POST", "/sim/callbacks", {"deliver_to": None})
        receiver.close()


def test_operators_see_the_url(ctx):
    inst = prepare(ctx)
    task_id = inst.serve.create(inst.token, text_to_video(callback_url=URL)).json["id"]
    ctx.equal("task show", inst.cli_json("task", "show", task_id)["callback_url"], URL)
    ctx.true("no answer shows it", HOST not in inst.serve.get(inst.token, task_id).body.decode())


def test_a_lost_answer_is_found_without_an_identifier(ctx):
    inst = prepare(ctx)
    inst.sim.fault("create", 1, drop="after")
    answer = inst.serve.create(inst.token, text_to_video("lost", callback_url=URL, duration=7, ratio="9:16"))
    ctx.equal(f"the minted id stands ({answer})", answer.status, 200)
    done = inst.serve.wait_until(inst.token, answer.json["id"])
    ctx.equal("it is found by what Ark echoes", (done["status"], done["duration"], done["ratio"]),
              ("succeeded", 7, "9:16"))


def test_a_name_that_does_not_resolve_costs_little_time(ctx):
    inst = prepare(ctx)
    answer = inst.serve.create(inst.token, text_to_video(callback_url="https://no-such-host.invalid/"), {})
    ctx.equal("status", answer.status, 400)
    ctx.equal("member", answer.error["param"], "callback_url")
    ctx.true("why", "must resolve" in answer.error["message"] or "in time" in answer.error["message"], answer.error)
