#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Is the documentation true? Links lead somewhere, folders that the README names
exist, every arkgate command in a code block is one that the program knows, and the
README's "Use it for real" is run as it stands, on other ports, and after it, on the same
gateway, the shell blocks of the sections in ALSO_RUN.

usage: check_docs.py BINARY
"""
import glob
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
RUN_S = 90
ALSO_RUN = ("Change two lines in your client", "Models", "Assets")


def pages():
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
                            capture_output=True, text=True).stdout.split()
    names = listed or [os.path.relpath(p, ROOT) for p in glob.glob(f"{ROOT}/**/*.md", recursive=True)]
    for name in sorted(names):
        with open(os.path.join(ROOT, name), encoding="utf-8") as file:
            yield name, file.read()


def check_links(name, text, bad):
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:|#", target):
            path = os.path.join(ROOT, os.path.dirname(name), target.split("#")[0])
            if not os.path.exists(path):
                bad(f"{name}: link to {target}, which is not there")
    for folder in re.findall(r"^\| `([\w/]+/)` \|", text, re.M):
        if not os.path.isdir(os.path.join(ROOT, folder)):
            bad(f"{name}: folder {folder} is not there")


def check_commands(name, text, binary, bad):
    known = subprocess.run([binary, "--help"], capture_output=True, text=True).stdout
    pieces = [code for _, code in FENCE.findall(text)] + re.findall(r"`(arkgate [^`\n]+)`", text)
    for piece in pieces:
        for words in re.findall(r"^\s*arkgate ([a-z][a-z-]*)", piece, re.M):
            if not re.search(rf"\b{re.escape(words)}\b", known):
                bad(f"{name}: the program has no command {words}")


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def shell_blocks(text, name):
    section = text.split(f"\n## {name}\n", 1)[1].split("\n## ", 1)[0]
    return [code for kind, code in FENCE.findall(section) if kind == "sh"]


def run_real_start(text, binary, bad):
    code = shell_blocks(text, "Use it for real")[0]
    for name in ALSO_RUN:
        blocks = shell_blocks(text, name)
        if not blocks:
            bad(f"README: nothing to run in {name}")
        code += "".join(blocks)
    code = code.replace('export PATH="$PWD/build/release/gateway:$PATH"\n', "")
    for port in ("9000", "8080", "8081"):
        if f":{port}" not in code:
            return bad(f"README: the real start no longer uses port {port}")
        code = code.replace(f":{port}", f":{free_port()}")
    with tempfile.TemporaryDirectory(prefix="readme-") as folder:
        # The tests' own variables are no settings, and the program refuses what is none.
        clean = {k: v for k, v in os.environ.items() if not k.startswith("ARKGATE_")}
        env = {**clean, "PATH": os.path.dirname(binary) + ":" + os.environ["PATH"]}
        script = "set -eu\n" + code + "\nkill $(jobs -p)\nwait\n"
        ran = subprocess.Popen(["bash", "-c", script], cwd=folder, env=env, text=True, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, start_new_session=True)
        try:
            said, _ = ran.communicate(timeout=RUN_S)
        except subprocess.TimeoutExpired:
            os.killpg(ran.pid, signal.SIGKILL)
            said, _ = ran.communicate()
            return bad(f"README: the real start did not end in {RUN_S} s:\n{said[-3000:]}")
        try:
            os.killpg(ran.pid, signal.SIGTERM)  # what a failed start left behind
        except ProcessLookupError:
            pass
        if ran.returncode != 0 or "5.0094" not in said:
            bad(f"README: the real start ended with {ran.returncode}:\n{said[-3000:]}")


def main(binary):
    passed = failed = 0

    def part(what, check, *arguments):
        nonlocal passed, failed
        troubles = []
        check(*arguments, troubles.append)
        for trouble in troubles:
            print(f"FAILED {trouble}")
        passed, failed = passed + (not troubles), failed + bool(troubles)

    for name, text in pages():
        part("links", check_links, name, text)
        part("commands", check_commands, name, text, binary)
        if name == "README.md":
            part("real start", run_real_start, text, binary)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1])))
