# SPDX-License-Identifier: Apache-2.0
"""allow_private_network: with it a callback may lead to a private address, and nothing else of
the check is off. That such links are refused without it stands in test_parameters.py."""
import json

from arkgate import text_to_video, wait_for
from test_callbacks import Receiver

ENGINES = ("sqlite",)  # URLs, judged before the store is asked

RESOLVE = {"resolve": "inside.example=10.1.2.3;mixed.example=93.184.215.14+127.0.0.1;loop.example=127.0.0.1"}
PRIVATE = ("https://127.0.0.1:8443/done", "https://[::1]:8443/", "https://10.0.0.1/", "https://0.0.0.0/",
           "https://169.254.169.254/", "https://inside.example/done", "https://mixed.example/",
           "https://loop.example:9443/")
WRONG = ("http://127.0.0.1:8080/", "https://user@127.0.0.1/", "https://127.0.0.1:22/", "https://127.1/",
         "https://2130706433/", "https://0x7f.0.0.1/", "https://[::1%25lo]/", "https://nowhere.invalid/",
         "ftp://127.0.0.1/")


def warnings(inst):
    return [line for line in inst.serve.log().splitlines() if "private_network_allowed" in line]


def check_accepted(ctx, inst):
    for url in PRIVATE:
        answer = inst.serve.create(inst.token, text_to_video(callback_url=url))
        ctx.equal(f"{url}: status ({answer.body[:200]!r})", answer.status, 200)
        sent = next(task for task in inst.sim.tasks() if task["id"] == answer.json["id"])
        ctx.equal(f"{url}: what Ark got", sent["callback_url"], url)
    for url in WRONG:
        answer = inst.serve.create(inst.token, text_to_video(callback_url=url))
        ctx.equal(f"{url}: still refused", (answer.status, answer.error["param"]), (400, "callback_url"))


def test_the_option(ctx):
    inst = ctx.new(credit="1000", settings=RESOLVE)
    for url in PRIVATE:
        answer = inst.serve.create(inst.token, text_to_video(callback_url=url))
        ctx.equal(f"{url}: not by default", (answer.status, answer.error["param"]), (400, "callback_url"))
    ctx.equal("no warning", warnings(inst), [])
    inst.serve.stop()
    inst.start_serve(RESOLVE, arguments=["--allow-private-network"])
    check_accepted(ctx, inst)
    ctx.equal("one warning", [json.loads(line)["level"] for line in warnings(inst)], ["warn"])


def test_the_setting(ctx):
    inst = ctx.new(credit="1000", settings={**RESOLVE, "allow_private_network": "true"})
    check_accepted(ctx, inst)
    ctx.equal("one warning", len(warnings(inst)), 1)


def test_a_callback_comes_to_loopback(ctx):
    inst = ctx.new(credit="1000", settings={**RESOLVE, "allow_private_network": "true"})
    receiver = Receiver()
    try:
        inst.sim.control("POST", "/sim/callbacks", {"deliver_to": receiver.url})
        answer = inst.serve.create(inst.token, text_to_video(callback_url="https://loop.example/done"))
        wait_for("the last callback", lambda: any(json.loads(body)["status"] == "succeeded"
                                                  for body in receiver.bodies(answer.json["id"])))
    finally:
        inst.sim.control("POST", "/sim/callbacks", {"deliver_to": None})
        receiver.close()
