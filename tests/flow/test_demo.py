# SPDX-License-Identifier: Apache-2.0
"""The newcomer's first command, as ./demo starts it: three real videos, what they cost and
why, and nothing left behind."""
import os
import subprocess
import tempfile

import arkgate

ENGINES = ("sqlite",)  # a demo makes its own store


def test_demo(ctx):
    with tempfile.TemporaryDirectory() as folder:
        env = arkgate.environment({"TMPDIR": folder})
        run = subprocess.run([arkgate.BINARY, "demo"], env=env, stdin=subprocess.DEVNULL,
                             capture_output=True, text=True, timeout=100)
        ctx.equal(f"exit status; {run.stderr[-400:]}", run.returncode, 0)
        for text in ("1280x720", "h264", "108900", "5.0094", "3840x2160", "hevc", "785700",
                     "20.4282", "864x496", "40594", "1.867324", "72.695076", "curl -sS http://127.0.0.1:"):
            ctx.true(f"it prints {text}", text in run.stdout, run.stdout[-2000:])
        ctx.equal("left behind", os.listdir(folder), [])
