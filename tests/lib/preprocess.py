# SPDX-License-Identifier: Apache-2.0
"""A C source with those of its macros in full that hold string literals: what is needed to read
SQL that is put together by them. Knows no conditions and no # or ## in a macro."""
import re

STRING = r'"(?:\\.|[^"\\])*"'
TOKEN = re.compile(rf"{STRING}|'(?:\\.|[^'\\])+'|\w+|\s+|.", re.S)
DIRECTIVE = re.compile(r"^[ \t]*#[ \t]*(\w+)[ \t]*(\w+)?(\([^)\n]*\))?([^\n]*)\n", re.M)


def plain(source):
    """Without comments, and with continued lines joined."""
    source = source.replace("\\\n", " ")
    return re.sub(rf"({STRING})|//[^\n]*|/\*.*?\*/", lambda m: m.group(1) or " ", source, flags=re.S)


def _arguments(tokens, at):
    """The tokens of each argument in the brackets that open at a place, and what is behind them."""
    given, depth = [[]], 0
    for end in range(at, len(tokens)):
        depth += (tokens[end] == "(") - (tokens[end] == ")")
        if depth == 0:
            return given, end + 1
        if tokens[end] == "," and depth == 1:
            given.append([])
        elif end > at:
            given[-1].append(tokens[end])
    raise AssertionError(f"brackets without an end: {''.join(tokens[at:at + 20])}")


def _expand(tokens, macros):
    made, at = [], 0
    while at < len(tokens):
        names, body = macros.get(tokens[at], (None, None))
        at += 1
        if body is None or names is not None and tokens[at:at + 1] != ["("]:
            made.append(tokens[at - 1])
            continue
        if names is not None:
            given, at = _arguments(tokens, at)
            given = dict(zip(names, given))
            body = [piece for token in body for piece in given.get(token, [token])]
        made += _expand(body, macros)
    return made


def _define(macros, name, parameters, body):
    if re.search(STRING, body):
        names = re.findall(r"\w+", parameters) if parameters else None
        macros[name] = names, TOKEN.findall(body.strip())


def expanded(source, headers=()):
    """The text of a source that includes these headers, without its directives; a macro that is
    defined anew, or no longer, is so from there on."""
    macros, made, begun = {}, [], 0
    for header in headers:
        for kind, name, parameters, body in DIRECTIVE.findall(plain(header)):
            if kind == "define":
                _define(macros, name, parameters, body)
    source = plain(source)
    for line in DIRECTIVE.finditer(source):
        made += _expand(TOKEN.findall(source[begun:line.start()]), macros)
        begun = line.end()
        kind, name, parameters, body = line.groups()
        if kind in ("define", "undef"):
            macros.pop(name, None)
        if kind == "define":
            _define(macros, name, parameters, body)
    return "".join(made + _expand(TOKEN.findall(source[begun:]), macros))
