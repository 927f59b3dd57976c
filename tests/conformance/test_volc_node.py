# SPDX-License-Identifier: Apache-2.0
"""npm's @volcengine/openapi with a pair of keys on the asset library. It signs neither host
nor content type, and returns errors as it got them, without a status."""
import functools
import json
import os
import subprocess

import volc
from arkgate import ROOT

PROGRAM = os.path.join(ROOT, "tests/conformance/programs/volc.js")
INSTALL_LIMIT_S = 100


@functools.cache
def installed():
    """The folder with node and its packages, and why there is none."""
    try:
        ran = subprocess.run([os.path.join(ROOT, "third_party/node/install.sh"), os.path.join(ROOT, "build/venv"),
                              os.path.join(ROOT, "build/node")], capture_output=True, text=True, timeout=INSTALL_LIMIT_S)
    except subprocess.TimeoutExpired:
        return None, f"no end after {INSTALL_LIMIT_S} s"
    return (ran.stdout.strip() if ran.returncode == 0 else None), ran.stderr


def client(ctx, inst, keys=None):
    """A function of action and body."""
    folder, said = installed()
    if folder is None:
        raise ctx.Skip(f"packages could not be installed: {said}")
    access, secret = keys or inst.keys
    env = {**os.environ, "NODE_PATH": os.path.join(folder, "node_modules"), "HOST": inst.serve.url.removeprefix("http://"),
           "ACCESS_KEY": access, "SECRET_KEY": secret}

    def call(action, body):
        ran = subprocess.run([os.path.join(folder, "node"), PROGRAM, action, json.dumps(body)], env=env,
                             capture_output=True, text=True, timeout=60)
        if ran.returncode != 0:
            raise AssertionError(f"{action} {body}: {ran.stderr}")
        answer = json.loads(ran.stdout)
        if "Error" in answer["ResponseMetadata"]:
            raise volc.Refused(None, answer["ResponseMetadata"]["Error"]["Code"])
        return answer["Result"]
    return call


def started(ctx):
    if ctx._shared is None:
        ctx._shared = volc.start(ctx)
    return ctx._shared


def test_six_actions(ctx):
    inst = started(ctx)
    volc.six_actions(ctx, inst, client(ctx, inst))


def test_errors(ctx):
    inst = started(ctx)
    volc.refusals(ctx, client(ctx, inst))


def test_wrong_keys(ctx):
    inst = started(ctx)
    access, secret = inst.keys
    for keys, code in (((access[::-1], secret), "InvalidAccessKey"), ((access, secret[::-1]), "SignatureDoesNotMatch")):
        try:
            ctx.fail(f"{code}: not refused: {client(ctx, inst, keys)('ListAssets', {'Filter': {'GroupType': 'AIGC'}})}")
        except volc.Refused as error:
            ctx.equal("code", error.code, code)
