#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every function that a *_repo.c exports stands under its file's heading in a header, and has
a row in test_repos.c whose step calls it. A statement that only a READ row reaches does
not write."""
import glob
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "tests/lib"))

import statements  # noqa: E402

FUNCTIONS_MIN = 120
DECLARED = re.compile(r"^(?:FALLIBLE|enum err_code|void|bool)\s+(\w+)\(", re.M)


def text_of(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def declared():
    """By file: what the headers list below its heading."""
    found = {}
    for path in glob.glob("**/*.h", root_dir=ROOT, recursive=True):
        if path.startswith(("build/", "tests/")):
            continue
        pieces = re.split(r"/\* (\w+\.c)\b", text_of(path))
        for name, body in zip(pieces[1::2], pieces[2::2]):
            if name.endswith("_repo.c"):
                found.setdefault(name, set()).update(DECLARED.findall(body))
    return found


def main():
    troubles = []
    listed = declared()
    table = "".join(text_of(path) for path in sorted(glob.glob("tests/unit/upstream/*repos*.[ch]", root_dir=ROOT)))
    rows = dict(re.findall(r"\b(?:(?:ROW)\((\w+), \"([^\"]*)\"\))", table))
    reads = set(re.findall(r"\bREAD\((\w+)\)", table)) - {"function"}
    steps = {name: body for name, body in re.findall(r"\bstep_(\w+)\(struct db_conn.*?\n{\n(.*?)\n}\n", table, re.S)}
    writers = {one.function for one in statements.statements() if not one.sqlite.startswith("SELECT")}
    count = 0
    for path in sorted(glob.glob("**/*_repo.c", root_dir=ROOT, recursive=True)):
        name = os.path.basename(path)
        exported = set(DECLARED.findall(text_of(path)))
        for function in sorted(exported ^ listed.get(name, set())):
            troubles.append(f"{path}: {function} is {'not declared below' if function in exported else 'only declared below'}"
                            f" /* {name} */ in a header")
        for function in sorted(exported):
            count += 1
            if function not in rows and function not in reads:
                troubles.append(f"{path}: {function} has no row in tests/unit/upstream/test_repos.c")
            elif not re.search(rf"\b{function}\(", steps.get(function, "")):
                troubles.append(f"step_{function} does not call {function}")
            elif function in reads and function in writers:
                troubles.append(f"READ({function}): it writes")
    for function in sorted((set(rows) | reads) - {"function"} - {name for names in listed.values() for name in names}):
        troubles.append(f"a row for {function}, which is no repository's")
    for trouble in troubles:
        print(trouble)
    print(f"{count} functions, {len(troubles)} troubles")
    return 0 if count >= FUNCTIONS_MIN and not troubles else 1


sys.exit(main())
