# SPDX-License-Identifier: Apache-2.0
"""A running gateway rereads what operators change, also beside what it cannot read."""
from arkgate import text_to_video, wait_for

EVENT = "settings_not_reread"


def change(inst, sql):
    inst.write(sql)
    inst.write("UPDATE settings_version SET version = version + 1")


def injected(inst):
    task_id = inst.serve.create(inst.token, text_to_video()).json["id"]
    return "safety_identifier" in next(task for task in inst.sim.tasks() if task["id"] == task_id)["members"]


def test_a_row_of_another_version_is_complained_of_once(ctx):
    inst = ctx.new(credit="1000")
    change(inst, "INSERT INTO model_setting VALUES (0, 'doubao-seedance-2-0', 'of_another_version', 'x')")
    wait_for("a complaint", lambda: EVENT in inst.serve.log())
    ctx.true("it names the row", "of_another_version" in inst.serve.log(), inst.serve.log())
    inst.cli("upstream", "set", "main", "inject=off")
    wait_for("upstreams are reread all the same", lambda: not injected(inst), pause=0.2)
    inst.cli("upstream", "set", "main", "inject=on")
    wait_for("and again", lambda: injected(inst), pause=0.2)
    ctx.equal("said once", inst.serve.log().count(EVENT), 1)
    ctx.equal("what was known still serves", inst.serve.create(inst.token, text_to_video()).status, 200)
    change(inst, "DELETE FROM model_setting")
    inst.cli("model", "set", "doubao-seedance-2-0", "alias=house-video")
    inst.wait_for_model("house-video")
    change(inst, "INSERT INTO model_setting VALUES (0, 'doubao-seedance-2-0', 'of_another_version', 'x')")
    wait_for("it is said again", lambda: inst.serve.log().count(EVENT) == 2)
    change(inst, "DELETE FROM model_setting")
