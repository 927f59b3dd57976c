#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""House rules that a machine can check; the tables are in rules.toml.

usage: lint.py [--root DIR] [--only RULE] [BINARY]

Prints "file:line: rule: text" for each finding. A rule without findings is one
passed, a rule with findings one failed. Without BINARY the rules about the release
binary and the external tools are left out.
"""
import fnmatch
import os
import re
import subprocess
import sys
import tomllib

HERE = os.path.dirname(os.path.abspath(__file__))


class Source:
    """A C file: code with comments and literals blanked (same lines), literals
    with their line, comments with their line span."""

    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.lines = text.splitlines()
        self.literals = []  # (line, joined text)
        self.comments = []  # (first line, last line, text)
        self.code = self._blank(text)
        self.code_lines = self.code.splitlines()

    def _blank(self, text):
        out, at, size = [], 0, len(text)
        open_literal = None  # adjacent literals are one statement

        def flush():
            nonlocal open_literal
            if open_literal:
                self.literals.append((open_literal[0], "".join(open_literal[1])))
            open_literal = None

        token = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
        while at < size:
            found = token.search(text, at)
            gap = text[at:found.start() if found else size]
            out.append(gap)
            if gap.strip():
                flush()
            if not found:
                break
            piece = found.group()
            line = text.count("\n", 0, found.start()) + 1
            if piece[0] == '"':
                before = text[text.rfind("\n", 0, found.start()) + 1:found.start()]
                if before.lstrip().startswith("#"):
                    out.append(piece)  # an include's path stays readable
                else:
                    if open_literal is None:
                        open_literal = (line, [])
                    open_literal[1].append(piece[1:-1])
                    out.append('"' + " " * (len(piece) - 2) + '"')
            elif piece[0] == "'":
                flush()
                out.append("'" + " " * (len(piece) - 2) + "'")
            else:
                self.comments.append((line, line + piece.count("\n"), piece))
                out.append(re.sub(r"[^\n]", " ", piece))
            at = found.end()
        flush()
        return "".join(out)


class Lint:
    def __init__(self, root, tables, binary):
        self.root = root
        self.tables = tables
        self.binary = binary
        self.findings = {}
        listed = subprocess.run(["git", "-C", root, "ls-files", "-z", "--cached", "--others",
                                 "--exclude-standard"], capture_output=True, text=True)
        if listed.returncode == 0:
            names = sorted(set(listed.stdout.split("\0")) - {""})
        else:  # an exported tree without git
            names = sorted(os.path.relpath(os.path.join(folder, name), root)
                           for folder, folders, files in os.walk(root)
                           if not re.match(r"\./(build|\.git)", "./" + os.path.relpath(folder, root))
                           for name in files)
        self.files = [name for name in names if os.path.isfile(os.path.join(root, name))]
        self.sources = [Source(name, self.read(name)) for name in self.files
                        if name.endswith((".c", ".h"))]
        self.own = [s for s in self.sources if not s.path.startswith(("tests/", "third_party/"))]

    def read(self, name):
        with open(os.path.join(self.root, name), encoding="utf-8", errors="replace") as file:
            return file.read()

    def find(self, rule, path, line, text):
        self.findings.setdefault(rule, []).append(f"{path}:{line}: {rule}: {text}")

    # -- rules: each takes its own name ------------------------------------

    def arrows(self, rule):
        table = self.tables["arrows"]
        for source in self.own:
            folder = os.path.dirname(source.path)
            if folder not in table:
                self.find(rule, source.path, 1, f"folder {folder or '.'} is not in the table of arrows")
                continue
            for number, line in enumerate(source.code_lines, 1):
                found = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
                if not found:
                    continue
                target = found.group(1)
                to = os.path.dirname(target) or folder
                if to != folder and to not in table[folder] and target not in table[folder]:
                    self.find(rule, source.path, number, f"{folder} may not include {target}")

    def fences(self, rule):
        for source in self.sources:
            for number, line in enumerate(source.code_lines, 1):
                found = re.match(r'\s*#\s*include\s+[<"]([^>"]+)[>"]', line)
                if not found:
                    continue
                for header, allowed in self.tables["fences"].items():
                    if fnmatch.fnmatch(found.group(1), header) and \
                            not any(fnmatch.fnmatch(source.path, a) for a in allowed):
                        self.find(rule, source.path, number, f"{found.group(1)} belongs to {', '.join(allowed)}")

    SQL = re.compile(r"\s*(SELECT\s|INSERT\s+(INTO|OR)\s|REPLACE\s+INTO\s|UPDATE\s+\w+\s+SET\b|DELETE\s+FROM\s"
                     r"|CREATE\s+(TABLE|INDEX|UNIQUE|VIEW|TRIGGER)|ALTER\s+TABLE|DROP\s+(TABLE|INDEX)"
                     r"|WITH\s+(RECURSIVE\s+)?\w+\s*(\(|AS\b)|PRAGMA\s|VACUUM\b|BEGIN\b|SAVEPOINT\b)")

    def sql_place(self, rule):
        for source in self.own:
            if any(fnmatch.fnmatch(source.path, a) for a in self.tables["sql"]["allowed"]):
                continue
            for line, text in source.literals:
                if self.SQL.match(text):
                    self.find(rule, source.path, line, f"SQL outside a repository file: {text[:40]}")

    def sql_casts(self, rule):
        for source in self.own:
            for line, text in source.literals:
                if self.SQL.match(text) and "::" in text:
                    self.find(rule, source.path, line, 'no "::" in SQL, CAST is portable')

    def sql_tenant(self, rule):
        tables = "|".join(self.tables["sql"]["tenant_tables"])
        touches = re.compile(rf"\b(FROM|JOIN|INTO|UPDATE)\s+({tables})\b")
        for source in self.own:
            reasons = {line for _, last, text in source.comments
                       if re.search(r"cross-tenant: \w", text) for line in range(last, last + 4)}
            for line, text in source.literals:
                found = self.SQL.match(text) and touches.search(text)
                if found and "tenant_id" not in text and line not in reasons:
                    self.find(rule, source.path, line, f"statement on {found.group(2)} without tenant_id")

    def banned_calls(self, rule):
        for source in self.sources:
            for name, why in self.tables["banned"].items():
                self._calls(rule, source, rf"\b{name}", f"{name}: {why}")
            self._calls(rule, source, r"\bcJSONUtils\w*", "cJSONUtils: recurses")

    def confined_calls(self, rule):
        for source in self.sources:
            for name, allowed in self.tables["confined"].items():
                if not any(fnmatch.fnmatch(source.path, a) for a in allowed):
                    self._calls(rule, source, rf"(?<![.>\w]){name}", f"{name} belongs to {', '.join(allowed)}")

    def _calls(self, rule, source, pattern, text):
        for found in re.finditer(pattern + r"\s*\(", source.code):
            self.find(rule, source.path, source.code.count("\n", 0, found.start()) + 1, text)

    DEFINITION = re.compile(r"^(?P<head>[A-Za-z_][^;{}()#]*?)\b(?P<name>\w+)\((?P<args>[^;{}]*?)\)\s*\n\{", re.M)

    def exported_names(self, rule):
        names = self.tables["names"]
        for source in self.own:
            if not source.path.endswith(".c"):
                continue
            stem = os.path.basename(source.path)[:-2]
            allowed = [stem] + names.get("extra", {}).get(source.path, [])
            allowed += [stem[:-len(end)] for end in names["droppable"] if stem.endswith(end)]
            for found in self.DEFINITION.finditer(source.code):
                name = found.group("name")
                if re.search(r"\bstatic\b", found.group("head")) or name == "main":
                    continue
                if not any(name == a or name.startswith(a + "_") for a in allowed):
                    self.find(rule, source.path, source.code.count("\n", 0, found.start()) + 1,
                              f"{name} should begin with {' or '.join(a + '_' for a in allowed)}")

    def documented(self, rule):
        for source in self.own:
            if not source.path.endswith(".h"):
                continue
            code = re.sub(r"^[ \t]*#.*(?:\\\n.*)*", lambda m: re.sub(r"[^\n]", " ", m.group()),
                          source.code, flags=re.M)
            comment_ends = {last for _, last, _ in source.comments}
            documented = {}  # last line of a documented item → is it a type?
            for first, last, text in self._items(code):
                is_type = re.match(r"(typedef|struct|enum|union|extern)\b", text) and \
                    (not text.endswith(")") or text.startswith("typedef"))
                above = first - 1
                while above > 0 and source.lines[above - 1].lstrip().startswith("#"):
                    above -= 1
                beside = above in comment_ends or above in documented
                while above > 0 and not code.splitlines()[above - 1].strip() and above not in comment_ends:
                    above -= 1
                # Below a heading, or below a documented type, a run is documented there.
                if beside or above in comment_ends or documented.get(above):
                    documented[last] = bool(is_type)
                elif not is_type and text.endswith(")"):
                    self.find(rule, source.path, first, "prototype without a comment")

    @staticmethod
    def _items(code):
        """The declarations of a header: first line, last line, text."""
        depth, begin = 0, 0
        for at, char in enumerate(code):
            depth += {"{": 1, "}": -1}.get(char, 0)
            if char == ";" and depth == 0:
                text = code[begin:at]
                first = code.count("\n", 0, begin + len(text) - len(text.lstrip())) + 1
                yield first, code.count("\n", 0, at) + 1, text.strip()
                begin = at + 1

    def spdx(self, rule):
        for source in self.sources:
            if not source.text.startswith("/* SPDX-License-Identifier: Apache-2.0 */\n"):
                self.find(rule, source.path, 1, "the first line is the SPDX line")

    def _grep(self, rule, pattern, text):
        for name in self.files:
            if name == "LICENSE":
                continue
            for number, line in enumerate(self.read(name).splitlines(), 1):
                found = re.search(pattern, line)
                if found:
                    self.find(rule, name, number, f"{text}: {found.group().strip()}")

    def machine_paths(self, rule):
        homes = "|".join(["ro" + "ot", "ho" + "me", "wo" + "rk", "fa" + "rm"])
        self._grep(rule, rf"(?:^|[\s\"'=(:`])/(?:{homes})/\S*", "a path of one machine")

    def unfinished(self, rule):
        self._grep(rule, r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]) + r")\b",
                   "unfinished work")

    def layout(self, rule):
        names = [s.path for s in self.sources]
        ran = subprocess.run(["clang-format", "--dry-run", "-Werror", *names], cwd=self.root,
                             capture_output=True, text=True)
        places = {}
        for path, line in re.findall(r"^([^\s:]+):(\d+):\d+: error", ran.stderr, re.M):
            places.setdefault(path, set()).add(int(line))
        for path, lines in sorted(places.items()):
            self.find(rule, path, min(lines), f"clang-format would change {len(lines)} lines")
        if ran.returncode and rule not in self.findings:
            self.find(rule, ".clang-format", 1, ran.stderr.strip()[:200])

    def shell(self, rule):
        scripts = [n for n in self.files if n.endswith(".sh") or
                   re.match(r"#!.*\b(ba)?sh\b", self.read(n)[:64])]
        ran = subprocess.run(["shellcheck", "-x", "-f", "gcc", *scripts], cwd=self.root,
                             capture_output=True, text=True)
        for line in ran.stdout.splitlines():
            path, number, rest = (line.split(":", 2) + ["", ""])[:3]
            self.find(rule, path, number, rest.split(":", 1)[-1].strip())
        if ran.returncode and rule not in self.findings:
            self.find(rule, "shellcheck", 1, ran.stderr.strip()[:200])

    def release_binary(self, rule):
        texts = subprocess.run(["strings", "-a", self.binary], capture_output=True, text=True)
        symbols = subprocess.run(["nm", "-a", self.binary], capture_output=True, text=True)
        if texts.returncode or symbols.returncode or not texts.stdout:
            self.find(rule, self.binary, 1, "cannot be read")
        for word in self.tables["binary"]["strings"]:
            if word in texts.stdout:
                self.find(rule, self.binary, 1, f"contains the text {word}")
        for word in self.tables["binary"]["symbols"]:
            if re.search(rf"\b{word}\b", symbols.stdout):
                self.find(rule, self.binary, 1, f"contains the symbol {word}")

    RULES = ["arrows", "fences", "sql_place", "sql_casts", "sql_tenant", "banned_calls", "confined_calls",
             "exported_names", "documented", "spdx", "machine_paths", "unfinished"]
    TOOL_RULES = ["layout", "shell", "release_binary"]

    def run(self, only=None):
        rules = self.RULES + (self.TOOL_RULES if self.binary else [])
        for rule in [r for r in rules if only in (None, r)]:
            getattr(self, rule)(rule)
        return rules

    def sizes(self):
        """Reported, never failed: the longest files and functions."""
        files = sorted(((len(s.lines), s.path) for s in self.own if s.path.endswith(".c")), reverse=True)
        functions = []
        for source in self.own:
            for found in self.DEFINITION.finditer(source.code):
                end = source.code.find("\n}", found.end())
                functions.append((source.code.count("\n", found.start(), end) + 1, found.group("name")))
        functions.sort(reverse=True)
        over = sum(1 for length, _ in functions if length > 60)
        return (f"sizes: {len(files)} .c files, longest {', '.join(f'{p} {n}' for n, p in files[:3])}; "
                f"{len(functions)} functions, {over} over 60 lines, longest "
                f"{', '.join(f'{name} {n}' for n, name in functions[:3])}")


def main(arguments):
    root, only, binary = os.path.dirname(os.path.dirname(HERE)), None, None
    while arguments:
        argument = arguments.pop(0)
        if argument == "--root":
            root = arguments.pop(0)
        elif argument == "--only":
            only = arguments.pop(0)
        else:
            binary = os.path.abspath(argument)
    with open(os.path.join(HERE, "rules.toml"), "rb") as file:
        tables = tomllib.load(file)
    lint = Lint(root, tables, binary)
    if not lint.files:
        print("no files to look at")
        return 1
    rules = [r for r in lint.run(only) if only in (None, r)]
    for rule in rules:
        for line in lint.findings.get(rule, []):
            print(line)
    print(lint.sizes())
    failed = sum(1 for rule in rules if rule in lint.findings)
    print(f"{len(rules) - failed} passed, {failed} failed")
    return 1 if failed or not rules else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
