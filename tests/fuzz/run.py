#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Replays the committed corpora against a build, or looks for new inputs with libFuzzer.

usage: run.py replay BUILD [TARGET...]
       run.py fuzz BUILD [--runs N] [--seconds N] [--keep] [TARGET...]
       run.py merge BUILD [TARGET...]

replay: each file of tests/fuzz/corpus/TARGET/ is one test.
fuzz:   each target is one test of N executions (or so many seconds, where that is sooner),
        begun from the corpus; what breaks it is kept in BUILD/crashes/TARGET/. With --keep
        the inputs it found are kept in BUILD/found/TARGET/.
merge:  the committed corpus, and out of BUILD/found/TARGET/ the smallest files that cover
        more, as long as there is room for them (CORPUS_*); named by their hash.
"""
import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
CORPUS_FILES = 200        # of a target: replayed in a second, read in a review
CORPUS_FILE_BYTES = 2048  # larger inputs rarely reach what smaller ones do not
CORPUS_BYTES = 56 << 10   # of a target: eight of them stay below 450 kB
INPUT_BYTES = 4096        # of a fuzzed input
BATCH = 25                # files a replay takes at once; a failure is looked for one by one
REPLAY_S = 120


def targets(build, prefix, chosen):
    """The targets of a build, by what was built."""
    names = sorted(f[5:-2] for f in os.listdir(HERE)
                   if f.startswith("fuzz_") and f.endswith(".c"))
    for name in chosen:
        if name not in names:
            sys.exit(f"no such target: {name}; there are: {' '.join(names)}")
    return [(name, os.path.join(os.path.abspath(build), "tests/fuzz", prefix + name))
            for name in chosen or names]


def corpus(name):
    folder = os.path.join(HERE, "corpus", name)
    return sorted(os.path.join(folder, f) for f in os.listdir(folder))


def run(command, limit_s=None, cwd=None):
    """Exit status and text; a status of None when it did not end or start."""
    try:
        ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             timeout=limit_s, cwd=cwd)
        return ran.returncode, ran.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as late:
        return None, (late.stdout or b"").decode(errors="replace") + f"\nno end in {limit_s} s"
    except OSError as error:
        return None, str(error)


def tail(text, lines=30):
    return "\n".join(text.splitlines()[-lines:])


def closing(passed, failed):
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed or not passed else 0


def replay(build, chosen):
    passed = failed = 0
    for name, program in targets(build, "replay_", chosen):
        files = corpus(name)
        if not files:
            print(f"FAILED {name}: its corpus is empty")
            failed += 1
        for start in range(0, len(files), BATCH):
            batch = files[start:start + BATCH]
            if run([program, *batch], REPLAY_S)[0] == 0:
                passed += len(batch)
                continue
            for path in batch:
                status, text = run([program, path], REPLAY_S)
                passed += status == 0
                failed += status != 0
                if status != 0:
                    print(f"FAILED {os.path.relpath(path)} (exit {status})\n{tail(text)}",
                          flush=True)
    return closing(passed, failed)


def fuzz(build, chosen, runs, seconds, keep):
    passed = failed = 0
    for name, program in targets(build, "fuzz_", chosen):
        crashes = os.path.join(os.path.abspath(build), "crashes", name)
        os.makedirs(crashes, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="fuzz.") as scratch:
            found = scratch
            if keep:
                found = os.path.join(os.path.abspath(build), "found", name)
                os.makedirs(found, exist_ok=True)
            # One process: ASan's quarantine and the arenas fit in 2 GB.
            command = [program, found, os.path.join(HERE, "corpus", name), f"-runs={runs}",
                       f"-max_len={INPUT_BYTES}", f"-artifact_prefix={crashes}/",
                       "-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1"]
            words = os.path.join(HERE, "words", name)
            if os.path.exists(words):
                command.append(f"-dict={words}")
            if seconds:
                command.append(f"-max_total_time={seconds}")
            status, text = run(command)
        last = re.findall(r"#(\d+)\s+DONE\s+cov: (\d+) ft: (\d+) corp: (\S+)", text)
        if status == 0 and last:
            executed, edges, features, kept = last[-1]
            print(f"{name}: {executed} executions, {edges} edges, {features} features, "
                  f"{kept} inputs", flush=True)
            passed += 1
        else:
            print(f"FAILED {name} (exit {status}); the input is in {crashes}\n{tail(text, 60)}",
                  flush=True)
            failed += 1
    return closing(passed, failed)


def merge(build, chosen):
    for name, program in targets(build, "fuzz_", chosen):
        folder = os.path.join(HERE, "corpus", name)
        found = os.path.join(os.path.abspath(build), "found", name)
        os.makedirs(found, exist_ok=True)
        # What is committed stays, whether it covers more or not: some of it was a bug once.
        count = len(corpus(name))
        total = sum(os.path.getsize(path) for path in corpus(name))
        with tempfile.TemporaryDirectory(prefix="merge.") as scratch:
            for path in corpus(name):
                shutil.copy(path, scratch)
            status, text = run([program, "-merge=1", f"-max_len={CORPUS_FILE_BYTES}", scratch,
                                found])
            if status != 0:
                sys.exit(f"{name}: {tail(text)}")
            inputs = []
            for entry in os.scandir(scratch):
                if not os.path.exists(os.path.join(folder, entry.name)):
                    with open(entry.path, "rb") as file:
                        inputs.append(file.read())
        inputs.sort(key=lambda data: (len(data), data))
        room = max(CORPUS_FILES - count, 1)
        step = -(-len(inputs) // room)  # of all sizes some
        for data in inputs[::max(step, 1)]:
            if count == CORPUS_FILES or total + len(data) > CORPUS_BYTES:
                break
            with open(os.path.join(folder, hashlib.sha256(data).hexdigest()[:16]), "wb") as file:
                file.write(data)
            count += 1
            total += len(data)
        print(f"{name}: {count} files, {total} bytes; {len(inputs)} would have covered more",
              flush=True)
    return 0


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1])
    parser.add_argument("action", choices=["replay", "fuzz", "merge"])
    parser.add_argument("build")
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--runs", type=int, default=100000)
    parser.add_argument("--seconds", type=int, default=0)
    parser.add_argument("--keep", action="store_true")
    args = parser.parse_intermixed_args()
    if args.action == "replay":
        return replay(args.build, args.targets)
    if args.action == "merge":
        return merge(args.build, args.targets)
    return fuzz(args.build, args.targets, args.runs, args.seconds, args.keep)


if __name__ == "__main__":
    sys.exit(main())
