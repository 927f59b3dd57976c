# SPDX-License-Identifier: Apache-2.0
"""Runs programs/curl.sh, as a reader of the vendor's page would."""
import json
import os
import subprocess

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs/curl.sh")


def step(inst, *arguments):
    """Status and JSON of one step."""
    env = {**os.environ, "BASE_URL": inst.serve.url, "TOKEN": inst.token}
    ran = subprocess.run([SCRIPT, *arguments], env=env, capture_output=True, text=True, timeout=60)
    if ran.returncode != 0:
        raise AssertionError(f"curl.sh {arguments} ended with {ran.returncode}: {ran.stderr}")
    body, status = ran.stdout.rstrip("\n").rsplit("\n", 1)
    return int(status), json.loads(body)


def created(ctx, inst, name, *arguments):
    """The id of a step that makes a task, and its end."""
    status, body = step(inst, name, *arguments)
    if status != 200:
        raise AssertionError(f"{name}: {status} {body}")
    ctx.equal(f"{name}: members", list(body), ["id"])
    ctx.matches(f"{name}: id", body["id"], r"cgt-\d{14}-[a-z0-9]{5}")
    return inst.serve.wait_until(inst.token, body["id"])
