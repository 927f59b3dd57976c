# SPDX-License-Identifier: Apache-2.0
"""Requests that must be refused before anything is done, each with its status. What
they carry would be a create if a server took it: as their body, and behind it once
more as a request of its own."""
import json

from arkgate import BASE, text_to_video
from wire import chunked, create, request


def probes(token, inner_token):
    """(name, bytes, status). token is the sender's; what is smuggled has inner_token."""
    body = json.dumps(text_to_video()).encode()
    inner = create(inner_token, body)  # what no server may see as a request
    size = len(inner)

    def framed(*headers, data=inner, version="1.1"):
        return create(token, data, headers, length=False, version=version)

    def at(target, method="GET"):
        return request(method, target, token)

    te = "Transfer-Encoding: chunked"
    long_head = request("GET", "/livez", token, [f"X-Long: {'a' * 49152}"])

    # framing: each length says that inner is the body, or nothing at all
    yield "length, then encoding", framed(f"Content-Length: {size}", te, data=b"0\r\n\r\n" + inner), 400
    yield "encoding, then length", framed(te, f"Content-Length: {size}", data=b"0\r\n\r\n" + inner), 400
    yield "two equal lengths", framed(f"Content-Length: {size}", f"Content-Length: {size}"), 400
    yield "two lengths", framed("Content-Length: 0", f"Content-Length: {size}"), 400
    yield "two lengths, turned", framed(f"Content-Length: {size}", "Content-Length: 0"), 400
    yield "a list of lengths", framed(f"Content-Length: {size}, {size}"), 400
    for text in (f"+{size}", f"{size}abc", f"0x{size:x}", "-0", "0x0", f"{size} {size}", f"{size}.0"):
        yield f"length {text}", framed(f"Content-Length: {text}"), 400
    for text in ("-1", ""):
        yield f"length '{text}'", framed(f"Content-Length: {text}"), 411
    for text in ("9" * 23, "18446744073709551616", "9223372036854775807", "67108865"):
        yield f"length {text}", framed(f"Content-Length: {text}"), 413
    yield "a space before the colon", framed(f"Content-Length : {size}"), 400
    yield "a space before the colon of the encoding", framed("Transfer-Encoding : chunked", data=chunked(inner)), 400
    yield "identity, then chunked", framed("Transfer-Encoding: identity", te, data=chunked(inner)), 400
    for text in ("xchunked", "gzip, chunked", "chunked, chunked", "\x0bchunked", "identity", "chunked;q=1"):
        yield f"encoding {text!r}", framed(f"Transfer-Encoding: {text}", data=chunked(inner)), 400
    yield "chunked on 1.0", framed(te, data=chunked(inner), version="1.0"), 400
    yield from dropped_headers(token, inner_token)
    yield from bad_chunks(token, inner_token)

    # lines
    yield "bare line feeds", create(token, inner).replace(b"\r\n", b"\n"), 400
    yield "a bare line feed", framed("X: y\nZ: z", f"Content-Length: {size}"), 400
    yield "a bare line feed after the request line", at("/livez").replace(b"1.1\r\n", b"1.1\n"), 400
    yield "bare line feeds at the end", at("/livez")[:-4] + b"\n\n", 400
    yield "a space before the first header", at("/livez").replace(b"Host", b" Host"), 400
    yield "two spaces in the request line", at(" /livez"), 400
    yield "no host", request(target="/livez").replace(b"Host: edge\r\n", b"X: y\r\n"), 400
    yield "two hosts", request(target="/livez", headers=["Host: other"]), 400
    yield "a tab in a header", request(target="/livez", headers=["X: a\tb"]), 400
    yield "no token as a name", request(target="/livez", headers=["X(1): a"]), 400
    yield "two credentials", request("GET", BASE, token, [f"Authorization: Bearer {inner_token}"]), 400
    yield "line feeds before it", b"\n\n" + create(token, inner), 400
    yield "an empty head before it", b"\r\n\r\n" + create(token, inner), 400

    # targets
    for text in ("/livez%00", f"{BASE}%00/../secret", "/livez%2F", "/%2e%2e/livez", "/livez\\", "//livez", "/a/../livez",
                 "/./livez", "/liv\xc3\xa9z", "/livez\x00", "/livez\x01"):
        yield f"target {text!r}", at(text), 400
    for text in ("http://edge/livez", "http://example.com/livez", "http://edge:1/livez", "*", "livez", "example.com:443",
                 "ftp://edge/livez"):
        yield f"target {text}", at(text), 400
    yield "asterisk", at("*", "OPTIONS"), 400
    yield "a tunnel", at("example.com:443", "CONNECT"), 400
    yield "path over 2 kB", at("/" + "a" * 2048), 414
    yield "path of 15 kB", at("/" + "a" * 15000), 414
    yield "query over 32 kB", at("/livez?" + "a" * 32769), 414
    yield "head over 48 kB", long_head, 431
    yield "target of 100 kB", at("/" + "a" * 100000), 431
    yield "64 headers", request(target="/livez", headers=[f"X-{i}: y" for i in range(63)]), 431
    yield "upgrade to a websocket", request("GET", BASE, token, ["Connection: Upgrade", "Upgrade: websocket",
                                                                 "Sec-WebSocket-Key: dGhlIHNhbXBsZQ==",
                                                                 "Sec-WebSocket-Version: 13"]), 400
    yield "upgrade to HTTP/2", request("GET", BASE, token, ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c",
                                                            "HTTP2-Settings: AAMAAABk"]), 400
    for method, status in (("PATCH", 405), ("PROPFIND", 405), ("get", 400), ("FOO", 400)):
        yield f"method {method}", at("/livez", method), status
    yield "an expectation", request("GET", "/livez", token, ["Expect: tea"]), 417
    yield "HTTP/3.0", request("GET", "/livez", token, version="3.0"), 505
    yield "not HTTP", b"hello\r\n\r\n", 400
    yield "TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400


def dropped_headers(token, inner_token):
    """Headers that a parser may overlook: behind them stands the length of the rest."""
    inner = create(inner_token, json.dumps(text_to_video()).encode())
    length = f"Content-Length: {len(inner)}"
    for what, lines in (("a folded line", ["X: a", " b"]), ("a folded line with a tab", ["X: a", "\tb"]),
                        ("a header without a name", [": x"]), ("a name of high bytes", ["\xc3\xa4: x"]),
                        ("a name with a high byte", ["X\xe4: x"]), ("a line without a colon", ["hello"])):
        yield f"{what} before the length", create(token, inner, [*lines, length], length=False), 400
        yield f"{what} before the encoding", create(token, chunked(inner), [*lines, "Transfer-Encoding: chunked"],
                                                    length=False), 400
    fillers = [f"X-{i}: y" for i in range(61)]  # beside Host, Authorization and Content-Type
    for more in (1, 2, 10):
        yield f"the length as header {64 + more}", create(token, inner, [*fillers, *[f"Y-{i}: y" for i in range(more - 1)],
                                                                         length], length=False), 431


def bad_chunks(token, inner_token):
    """Bodies whose chunks are not well-formed; the head is."""
    body = json.dumps(text_to_video()).encode()
    inner = create(inner_token, body)
    size = f"{len(body):x}"
    for what, data in (
            ("an extension", chunked(body).replace(b"\r\n", b";a=b\r\n", 1)),
            ("a bare line feed", chunked(body).replace(b"\r\n", b"\n", 1)),
            ("a space before the size", b" " + chunked(body)), ("0x", b"0x" + chunked(body)),
            ("a sign", b"+" + chunked(body)), ("a carriage return in the size", f"{size}\rA\r\n".encode() + body +
                                               b"\r\n0\r\n\r\n"),
            ("nine digits", b"%09x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"),
            ("a size of 2^63-1", b"7FFFFFFFFFFFFFFF\r\n" + body + b"\r\n0\r\n\r\n"),
            ("a small one, then 2^63-1", b"1\r\n{\r\n7FFFFFFFFFFFFFFF\r\n" + body + b"\r\n0\r\n\r\n"),
            ("a size of 2^64-1", b"FFFFFFFFFFFFFFFF\r\n" + body + b"\r\n0\r\n\r\n"),
            ("2^64 and the size", b"1%016x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"),
            ("no size", b"\r\n" + body + b"\r\n0\r\n\r\n"), ("no line end after it", chunked(body)[:-7] + b"0\r\n\r\n"),
            ("letters", b"xyz\r\n" + body + b"\r\n0\r\n\r\n")):
        yield f"chunks: {what}", create(token, data + inner, ["Transfer-Encoding: chunked"], length=False), 400
