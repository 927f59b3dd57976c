#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the conformance tests: the vendor's own SDKs and examples, unmodified, against
a real gateway with the simulator behind it. Each test_*.py runs once for each pinned
SDK (third_party/python), with that SDK's python; those of WITHOUT_SDK run once. They
are tests like those of tests/flow, whose runner is used; several files run at a time,
for they mostly wait.

usage: run.py [--sdk NAME] [test_file.py | name part]...
"""
import argparse
import concurrent.futures
import glob
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
RUNNER = os.path.join(ROOT, "tests/flow/run.py")
PINS = os.path.join(ROOT, "third_party/python")
SDKS = ("ark-runtime", "python-sdk")
WITHOUT_SDK = ("test_curl.py", "test_curl_assets.py", "test_curl_callback.py", "test_volc_node.py")
JOBS = 5
LIMIT_S = 120
INSTALL_LIMIT_S = 540


def prepare(sdk):
    """The python that has the SDK, or None and why not."""
    try:
        made = subprocess.run([os.path.join(PINS, "venv.sh"), os.path.join(PINS, sdk + ".txt"),
                               os.path.join(ROOT, "build/venv")], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=INSTALL_LIMIT_S)
    except subprocess.TimeoutExpired:
        return None, f"no end after {INSTALL_LIMIT_S} s"
    return (made.stdout.strip() if made.returncode == 0 else None), made.stderr


def environment(sdk):
    env = {**os.environ, "CONFORMANCE_SDK": sdk or "", "PYTHONPATH": HERE}
    for name in ("NO_PROXY", "no_proxy"):  # a proxy of the machine has no way to our loopback
        env[name] = "127.0.0.1,localhost"
    return env


def run_file(job):
    sdk, python, path = job
    begun = time.monotonic()
    process = subprocess.Popen([python, RUNNER, "--file", path], text=True, env=environment(sdk),
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace",
                               start_new_session=True)
    try:
        text, _ = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)  # its own session: the test and the servers it started
        text, _ = process.communicate()
        text += f"\nno end after {LIMIT_S} s"
    return text, time.monotonic() - begun


def main(arguments):
    options = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n")[0])
    options.add_argument("--sdk", choices=SDKS)
    options.add_argument("names", nargs="*")
    given = options.parse_args(arguments)
    paths = [p for p in sorted(glob.glob(os.path.join(HERE, "test_*.py")))
             if not given.names or any(a in p for a in map(os.path.basename, given.names))]
    passed = failed = skipped = 0
    jobs = []
    for sdk in [given.sdk] if given.sdk else SDKS:
        wanted = [p for p in paths if os.path.basename(p) not in WITHOUT_SDK]
        python, said = prepare(sdk) if wanted else (None, "")
        if python:
            jobs += [(sdk, python, path) for path in wanted]
        elif wanted:
            must = bool(os.environ.get("ARKGATE_TEST_NO_SKIP"))
            print(f"{'FAILED' if must else 'skipped'} conformance: packages could not be installed: {sdk}\n{said}",
                  flush=True)
            failed, skipped = failed + must, skipped + (not must)
    # The longest first: those of the SDKs.
    jobs += [(None, sys.executable, path) for path in paths if os.path.basename(path) in WITHOUT_SDK]
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        for (sdk, _, path), (text, seconds) in zip(jobs, pool.map(run_file, jobs)):
            found = re.findall(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", text, re.M)
            p, f, s = map(int, found[-1]) if found else (0, 1, 0)
            if p + f + s == 0:
                f = 1
            passed, failed, skipped = passed + p, failed + f, skipped + s
            print(f"{os.path.basename(path)}{f' with {sdk}' if sdk else ''}: {p} passed, {f} failed, "
                  f"{s} skipped, {seconds:.1f} s")
            if f or s:
                print(text if f else "\n".join(re.findall(r"^skipped .*$", text, re.M)), flush=True)
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
