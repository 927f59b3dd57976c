# SPDX-License-Identifier: Apache-2.0
"""Whole programs against the SDK, as customers have them (programs/*.py): a process
each, with nothing of the tests but the base URL and the key in its environment."""
import json
import os
import subprocess
import sys

from arkgate import http_call
from sdk import Tasks, shared

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")


def run(inst, name):
    """Its lines as [(first word, the rest)]."""
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "CONFORMANCE_SDK")}
    env |= {"ARK_BASE_URL": inst.serve.url + "/api/v3", "ARK_API_KEY": inst.token}
    ran = subprocess.run([sys.executable, os.path.join(FOLDER, name)], env=env, cwd=inst.folder, capture_output=True,
                         text=True, timeout=60)
    if ran.returncode != 0:
        raise AssertionError(f"{name} ended with {ran.returncode}:\n{ran.stdout[-1000:]}{ran.stderr[-3000:]}")
    return [tuple(line.split(" ", 1)) for line in ran.stdout.splitlines()]


def said(lines, word):
    return [rest for first, rest in lines if first == word]


def probed(inst, url, decode=True):
    """What ffprobe says of the first stream behind the link, every frame of it decoded or
    only its head read; and the bytes."""
    path = os.path.join(inst.folder, "fetched")
    answer = http_call(url, "GET", "/" + url.split("/", 3)[3])
    if answer.status != 200:
        raise AssertionError(f"{url}: {answer}")
    with open(path, "wb") as file:
        file.write(answer.body)
    ran = subprocess.run(["ffprobe", "-v", "error", *(["-count_frames"] if decode else []), "-show_streams", "-of", "json", path],
                         capture_output=True, text=True, timeout=60)
    if ran.returncode != 0 or ran.stderr:
        raise AssertionError(f"{url}: {ran.stderr}")
    return json.loads(ran.stdout)["streams"][0], answer.body


def until_ended(inst, task_id):
    sdk = Tasks(inst)
    try:
        return sdk.until(task_id, "succeeded", "failed", "expired", "cancelled")
    finally:
        sdk.close()


def test_poll_to_the_end(ctx):
    inst = shared(ctx)
    inst.sim.fault("create", 1, queue_ms=1500)  # long enough to be seen in the queue
    lines = run(inst, "poll_to_end.py")
    task_id = said(lines, "created")[0]
    seen = said(lines, "status")
    ctx.true("it was seen in the queue, and in no other state before its end",
             seen[:1] == ["queued"] and set(seen) <= {"queued", "running"}, lines)
    ctx.equal("no last frame, for none was asked", said(lines, "last_frame"), ["None"])
    task = inst.serve.get(inst.token, task_id).json
    ctx.equal("members of content", list(task["content"]), ["video_url"])
    stream, _ = probed(inst, said(lines, "video")[0])
    ctx.equal("frames", int(stream["nb_read_frames"]), 5 * 24)
    ctx.equal("as the task says", (task["duration"], task["resolution"]), (5, "720p"))


def test_multimodal(ctx):
    inst = shared(ctx)
    task_id = said(run(inst, "multimodal.py"), "created")[0]
    task = until_ended(inst, task_id)
    ctx.equal("ended", (task.status, task.duration, task.ratio), ("succeeded", 11, "16:9"))
    shown = inst.cli_json("task", "show", task_id)
    ctx.equal("priced as one with a video", shown["sku"], "doubao-seedance-2-0-720p-video")
    stream, _ = probed(inst, task.content.video_url, decode=False)
    ctx.equal("size", (stream["width"], stream["height"]), (1280, 720))


def test_extension(ctx):
    inst = shared(ctx)
    task_id = said(run(inst, "extend.py"), "created")[0]
    task = until_ended(inst, task_id)
    ctx.equal("ended", (task.status, task.duration, task.ratio), ("succeeded", 8, "16:9"))
    ctx.equal("priced as one with a video", inst.cli_json("task", "show", task_id)["sku"],
              "doubao-seedance-2-0-720p-video")


def test_chaining_by_last_frame(ctx):
    """The second task's first frame is a link that works: the simulator fetches it."""
    inst = shared(ctx)
    fetched = inst.sim.state()["media"]
    lines = run(inst, "chain.py")
    ctx.equal("both succeeded", len(said(lines, "succeeded")), 2)
    ctx.true("the simulator fetched the frame", inst.sim.state()["media"] > fetched)
    frames = said(lines, "last_frame")
    ctx.true("two frames", len(frames) == 2 and frames[0] != frames[1], frames)
    for url, task_id in zip(frames, said(lines, "succeeded")):
        stream, raw = probed(inst, url)
        task = inst.serve.get(inst.token, task_id).json
        video, _ = probed(inst, task["content"]["video_url"], decode=False)
        ctx.equal("a PNG", (raw[:8], stream["codec_name"]), (b"\x89PNG\r\n\x1a\n", "png"))
        ctx.equal("of the video's size", (stream["width"], stream["height"]), (video["width"], video["height"]))
