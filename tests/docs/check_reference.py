#!/usr/bin/env python3
"""Do the manual page and the API descriptions say what the program says?

Both ways: the commands and their options with --help, the settings with the table of
serve, the keys of models with the table of the catalogue, the exit statuses with the table of errors, the operationIds in openapi/ with
the route tables of the APIs.

usage: check_reference.py [BINARY]   (default: build/asan or build/release)
"""
import glob
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
API_FOLDERS = ("gateway/dialect", "gateway/admin")
BINARIES = ("build/asan/gateway/arkgate", "build/release/gateway/arkgate")


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


def compare(left_name, left, right_name, right, bad):
    for entry in sorted(left - right):
        bad(f"{entry} is in {left_name}, not in {right_name}")
    for entry in sorted(right - left):
        bad(f"{entry} is in {right_name}, not in {left_name}")
    if not left | right:
        bad(f"nothing was found in {left_name} and {right_name}")


# -- the manual page ---------------------------------------------------------------


def manual_commands(page):
    """{command: its options}; {"": the global options}."""
    commands, current = {"": set()}, ""
    for line in re.search(r"^\.Sh GLOBAL OPTIONS$(.*?)^\.Sh SETTINGS$", page, re.M | re.S).group(1).splitlines():
        if line.startswith(".It Ic "):
            words = re.match(r"\.It Ic ([a-z-]+(?: [a-z-]+)*)", line).group(1)
            current = words
            commands[current] = set()
        elif line.startswith(".It Fl "):
            commands[current] |= set(re.findall(r"(?:Fl|,) -([a-z-]+)", line))
    return commands


def section(page, name):
    return re.search(rf"^\.Sh {name}$(.*?)(?=^\.Sh |\Z)", page, re.M | re.S).group(1)


def help_text(binary, *words):
    ran = subprocess.run([binary, *words, "--help"], capture_output=True, text=True, timeout=60,
                         stdin=subprocess.DEVNULL)
    if ran.returncode != 0:
        raise RuntimeError(f"arkgate {' '.join(words)} --help ended with {ran.returncode}: {ran.stderr}")
    return ran.stdout


def options_of(text):
    return set(re.findall(r"^  (?:-[a-z], )?--([a-z-]+)", text, re.M))


def program_commands(binary):
    """The same from --help."""
    text = help_text(binary)
    head, tail = text.split("\nglobal options:\n", 1)
    listed = head.split("\ncommands:\n", 1)[1]
    commands = {"": options_of(tail)}
    for line in listed.splitlines():
        # a name, then at least one space and the sentence with its capital
        name = re.match(r"  ([a-z-]+(?: [a-z-]+)?) +[A-Z]", line)
        if name:
            own = help_text(binary, *name.group(1).split()).split("\nglobal options:\n", 1)[0]
            commands[name.group(1)] = options_of(own)
        elif line.strip():
            raise RuntimeError(f"cannot read this line of --help: {line!r}")
    return commands


def check_commands(binary, bad):
    manual, program = manual_commands(read("packaging/arkgate.1")), program_commands(binary)
    compare("the manual", set(manual), "--help", set(program), bad)
    for name in sorted(set(manual) & set(program)):
        compare(f"the manual of {name or 'all commands'}", {"--" + o for o in manual[name]} | {"."},
                "--help", {"--" + o for o in program[name]} | {"."}, bad)


def check_settings(_binary, bad):
    listed = set(re.findall(r"^\.It Li ([a-z_]+)$", section(read("packaging/arkgate.1"), "SETTINGS"), re.M))
    table = set(re.findall(r"^\s*KEY(?:_TEXT)?\(([a-z_]+), ", read("gateway/cli/serve_config.c"), re.M))
    compare("the manual", listed, "serve_config.c", table, bad)


def check_model_keys(_binary, bad):
    """Names and defaults of what "model set" takes; a text's default may be said in words."""
    page = section(read("packaging/arkgate.1"), "COMMANDS")
    listed = dict(re.findall(r"^\.It ([a-z_]+)$\n([^.].*)", page, re.M))
    table = re.findall(r'^\s*KEY_(?:TEXT|INT|BOOL)\(([a-z_]+), (?:-?\d+, \d+, )?(ALL_RATIOS|"[^"]*"), ',
                       read("gateway/catalogue/catalogue_keys.c"), re.M)
    compare("the manual", set(listed), "catalogue_keys.c", {name for name, _ in table}, bad)
    for name, default in table:
        told = listed.get(name, "").rstrip(".").split("; ")[-1]
        if default not in ('""', "ALL_RATIOS", f'"{told}"'):
            bad(f"the manual says {told} is the default of {name}, catalogue_keys.c {default}")


def check_statuses(_binary, bad):
    listed = set(re.findall(r"^\.It Er (\d+)$", section(read("packaging/arkgate.1"), "EXIT STATUS"), re.M))
    table = set(re.findall(r"^CODE\(\w+,\s*\d+,\s*(\d+),", read("base/err_codes.def"), re.M))
    compare("the manual", listed, "err_codes.def", table | {"0"}, bad)


# -- the API descriptions ------------------------------------------------------------


def served():
    """(method, path with * for a parameter, operation) of every route."""
    routes = set()
    for path in [p for folder in API_FOLDERS for p in glob.glob(f"{ROOT}/{folder}/*.c")]:
        text = read(os.path.relpath(path, ROOT))
        macros = dict(re.findall(r'^#define (\w+) ("[^"]*")$', text, re.M))
        for table in re.findall(r"struct route \w+\[\] = \{\n(.*?)\n\};", text, re.S):
            for method, parts, operation in re.findall(r'\{"([A-Z]+)", ([^,]*), "(\w+)",', table):
                words = [macros.get(part, part) for part in re.findall(r'"[^"]*"|\w+', parts)]
                routes.add((method, "".join(word.strip('"') for word in words), operation))
    return routes


def described():
    """The same from openapi/*.yaml, which are written in block style, two blanks deep."""
    routes = set()
    for name in glob.glob(f"{ROOT}/openapi/*.yaml"):
        text, found_here = read(os.path.relpath(name, ROOT)), set()
        servers = re.search(r"^servers:\n(.*?)^\S", text, re.M | re.S).group(1)
        bases = re.findall(r"^  - url: (\S+)$", servers, re.M)
        path = method = None
        for line in re.search(r"^paths:\n(.*?)^\S", text + "\nend:", re.M | re.S).group(1).splitlines():
            if found := re.match(r"  (/\S*):$", line):
                path, method = found.group(1), None
            elif found := re.match(r"    (get|post|put|patch|delete):$", line):
                method = found.group(1).upper()
            elif found := re.match(r"      operationId: (\w+)$", line):
                operation = found.group(1)
                for base in bases:
                    found_here.add((method, base.rstrip("/") + re.sub(r"\{\w+\}", "*", path), operation))
            elif found := re.match(r"      x-also-at: (/\S*)$", line):
                found_here.add((method, found.group(1), operation))  # a path that no server and path make
        written = len(re.findall(r"operationId:", text))
        if len({entry[2] for entry in found_here}) < written:
            raise RuntimeError(f"{name}: {written} operationIds stand there, but not all where they belong")
        if twice := {entry[2] for entry in routes} & {entry[2] for entry in found_here}:
            raise RuntimeError(f"{name}: another file has {', '.join(sorted(twice))} too")
        routes |= found_here
    return routes


def check_operations(_binary, bad):
    compare("openapi/", {" ".join(r) for r in described()}, " and ".join(API_FOLDERS), {" ".join(r) for r in served()}, bad)


def main(arguments):
    binary = next((b for b in arguments or [os.path.join(ROOT, b) for b in BINARIES] if os.path.exists(b)), None)
    if binary is None:
        print("there is no arkgate to ask; build it first")
        print("0 passed, 1 failed")
        return 1
    passed = failed = 0
    for check in (check_commands, check_settings, check_model_keys, check_statuses, check_operations):
        troubles = []
        try:
            check(os.path.abspath(binary), troubles.append)
        except (AttributeError, OSError, RuntimeError) as error:
            troubles.append(f"{check.__name__}: {error}")
        for trouble in troubles:
            print(f"FAILED {trouble}")
        passed, failed = passed + (not troubles), failed + bool(troubles)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
