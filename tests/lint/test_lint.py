#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each rule of lint.py fires on a planted snippet and is silent on its neighbour."""
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SPDX = "/* SPDX-License-Identifier: Apache-2.0 */\n"
LATER = "TO" + "DO"
HOME = "/ho" + "me/someone/x"

# rule, file, text, line of the finding (0: there must be none)
CASES = [
    ("arrows", "base/a.c", SPDX + '#include "tenancy/tenancy.h"\n', 2),
    ("arrows", "base/a.c", SPDX + '#include "base/base.h"\n#include "err_codes.def"\n', 0),
    ("arrows", "base/a.c", SPDX + '#include "base/store/store.h"\n', 2),
    ("arrows", "gateway/task/a.c", SPDX + '#include "gateway/http/http.h"\n', 2),
    ("arrows", "gateway/task/a.c", SPDX + '#include "base/net/net.h"\n', 2),
    ("arrows", "gateway/upstream/a.c", SPDX + '#include "gateway/task/task.h"\n', 0),
    ("arrows", "gateway/cli/a.c", SPDX + '#include "gateway/sim/sim_private.h"\n', 2),
    ("arrows", "gateway/cli/a.c", SPDX + '#include "gateway/sim/sim.h"\n', 0),
    ("arrows", "gateway/http/a.c", SPDX + '#include "gateway/app.h"\n', 0),
    ("arrows", "elsewhere/a.c", SPDX, 1),
    ("fences", "billing/a.c", SPDX + "#include <curl/curl.h>\n", 2),
    ("fences", "base/net/a.c", SPDX + "#include <curl/curl.h>\n", 0),
    ("fences", "gateway/dialect/a.c", SPDX + "#include <civetweb.h>\n", 2),
    ("fences", "tests/unit/base/a.c", SPDX + "#include <cJSON.h>\n", 2),
    ("fences", "base/json_read.c", SPDX + "#include <cjson/cJSON.h>\n", 0),
    ("fences", "tenancy/a.c", SPDX + "#include <openssl/evp.h>\n", 2),
    ("sql_place", "gateway/task/a.c", SPDX + 'const char *a = "SELECT 1 FROM task";\n', 2),
    ("sql_place", "gateway/task/a.c", SPDX + 'const char *a = "DELETE";\n/* "SELECT 1" */\n', 0),
    ("sql_place", "gateway/task/a_repo.c", SPDX + 'const char *a = "SELECT 1 FROM meta";\n', 0),
    ("sql_place", "gateway/task/a.c", SPDX + 'const char *a = "INSERT "\n    "INTO meta";\n', 2),
    ("sql_casts", "billing/a_repo.c", SPDX + 'const char *a = "SELECT a::text FROM meta";\n', 2),
    ("sql_casts", "billing/a_repo.c", SPDX + 'const char *a = "SELECT CAST(a AS TEXT)";\n', 0),
    ("sql_tenant", "billing/a_repo.c", SPDX + 'const char *a = "SELECT id FROM task"\n    " WHERE id = $1";\n', 2),
    ("sql_tenant", "billing/a_repo.c", SPDX + 'const char *a = "UPDATE hold SET a = 1 WHERE tenant_id = $1";\n', 0),
    ("sql_tenant", "billing/a_repo.c", SPDX + '/* cross-tenant: the poller asks by account */\nconst char *a =\n    "SELECT id FROM task";\n', 0),
    ("sql_tenant", "billing/a_repo.c", SPDX + '/* cross-tenant: */\nconst char *a = "SELECT id FROM task";\n', 3),
    ("sql_tenant", "billing/a_repo.c", SPDX + 'const char *a = "SELECT id FROM upstream";\n', 0),
    ("banned_calls", "base/a.c", SPDX + "void a(char *b)\n{\n    strcpy(b, b);\n}\n", 4),
    ("banned_calls", "base/a.c", SPDX + "/* strcpy(a, b) */\nstatic const char a[] = \"atoi(\";\nint my_rand(void);\n", 0),
    ("banned_calls", "gateway/http/a.c", SPDX + "int a = mg_send_http_error(0);\n", 2),
    ("banned_calls", "base/json_a.c", SPDX + "int a = cJSON_GetObjectItem(b);\n", 2),
    ("banned_calls", "base/json_a.c", SPDX + "int a = cJSON_GetObjectItemCaseSensitive(b);\n", 0),
    ("confined_calls", "base/lock.c", SPDX + "int a = clock_gettime(b);\n", 2),
    ("confined_calls", "base/sys.c", SPDX + "int a = clock_gettime(b);\n", 0),
    ("confined_calls", "base/a.c", SPDX + "int a = time(NULL);\n", 2),
    ("confined_calls", "base/a.c", SPDX + "int a = my_time(b);\n", 0),
    ("exported_names", "base/str.c", SPDX + "int\nother_len(int a)\n{\n    return a;\n}\n", 2),
    ("exported_names", "base/str.c", SPDX + "int string_len(int a)\n{\n    return a;\n}\n", 2),
    ("exported_names", "base/str.c", SPDX + "static int other(int a)\n{\n    return a;\n}\nint str_len(int a)\n{\n}\n", 0),
    ("exported_names", "base/json_read.c", SPDX + "int json_len(int a)\n{\n    return a;\n}\n", 0),
    ("documented", "base/a.h", SPDX + "int a(int b);\n\nint c(int d);\n", 4),
    ("documented", "base/a.h", SPDX + "/* Says what. */\nint a(int b);\nint c(int d);\n", 0),
    ("documented", "base/a.h", SPDX + "\n/* a.c ---- */\n\nstruct b {\n    int c;\n};\n\nint a(int b);\n", 0),
    ("spdx", "base/a.c", "int a;\n", 1),
    ("spdx", "base/a.c", SPDX, 0),
    ("machine_paths", "README.md", f"look\nin {HOME}\n", 2),
    ("machine_paths", "README.md", "look in /usr/share and at a/home/b\n", 0),
    ("unfinished", "demo", f"# {LATER}: more\n", 1),
    ("layout", "base/a.c", SPDX + "int   a;\n", 2),
    ("layout", "base/a.c", SPDX + "int a;\n", 0),
    ("shell", "demo", "#!/bin/bash\nrm $1/a\n", 2),
    ("shell", "demo", "#!/bin/bash\nrm \"$1/a\"\n", 0),
]


def findings(rule, name, text, binary):
    with tempfile.TemporaryDirectory(prefix="lint-") as root:
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path) or root, exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        ran = subprocess.run([sys.executable, os.path.join(HERE, "lint.py"), "--root", root,
                              "--only", rule, binary], capture_output=True, text=True)
        if ran.returncode not in (0, 1) or ran.stderr:
            return [ran.stderr]
        return [line for line in ran.stdout.splitlines() if f" {rule}: " in line]


def binary_findings(folder, code):
    """A program with or without what test builds alone may hold."""
    path = os.path.join(folder, "program")
    subprocess.run(["cc", "-x", "c", "-", "-o", path], input=code, text=True, check=True)
    return findings("release_binary", "base/a.c", SPDX, path)


def main():
    passed = failed = 0
    seen = set()

    def check(what, good, got):
        nonlocal passed, failed
        if good:
            passed += 1
        else:
            failed += 1
            print(f"FAILED {what}: {got}")

    for rule, name, text, line in CASES:
        got = findings(rule, name, text, "/bin/sh")
        if line:
            seen.add(rule)
            check(f"{rule} on {text!r}", len(got) == 1 and got[0].startswith(f"{name}:{line}: "), got)
        else:
            check(f"{rule} is silent on {text!r}", got == [], got)
    with tempfile.TemporaryDirectory(prefix="lint-") as folder:
        clean = "int main(void) { return 0; }\n"
        check("release_binary is silent", binary_findings(folder, clean) == [], "findings")
        for bad in ['const char *a = "ARKGATE_FAULT";\n', "void sys_fault(void) {}\n"]:
            seen.add("release_binary")
            got = binary_findings(folder, bad + clean)
            check(f"release_binary on {bad!r}", len(got) == 1, got)
    listed = subprocess.run([sys.executable, "-c", "import lint; print(*lint.Lint.RULES, *lint.Lint.TOOL_RULES)"],
                            cwd=HERE, capture_output=True, text=True, check=True).stdout.split()
    check("every rule has a case", set(listed) == seen, set(listed) ^ seen)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
