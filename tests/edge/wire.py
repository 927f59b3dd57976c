# SPDX-License-Identifier: Apache-2.0
"""Raw bytes to a server and back, for requests that no HTTP library would send."""
import re
import socket

from arkgate import BASE, Answer


def address(url):
    host, port = re.match(r"https?://(\[[0-9a-f:]+\]|[^:/]+):(\d+)", url).groups()
    return host.strip("[]"), int(port)


class Wire:
    """One connection. Answers are read one by one; what is left over stays."""

    def __init__(self, url, timeout=20, tls=None):
        """tls: the ssl.SSLContext for an https url."""
        self.socket = socket.create_connection(address(url), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname=address(url)[0])
        self.bytes = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        """False when the other side did not take it all; its answer may still be there."""
        try:
            self.socket.sendall(data)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def finish(self):
        """No more will be sent."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def _more(self):
        try:
            piece = self.socket.recv(65536)
        except ConnectionResetError:
            piece = b""
        self.bytes += piece
        return piece != b""

    def answer(self, method="GET"):
        """The next answer, None when the connection ended before it."""
        while b"\r\n\r\n" not in self.bytes:
            if not self._more():
                if self.bytes:
                    raise AssertionError(f"half an answer: {self.bytes[:200]!r}")
                return None
        head, self.bytes = self.bytes.split(b"\r\n\r\n", 1)
        line, *lines = head.decode("latin-1").split("\r\n")
        status = int(re.match(r"HTTP/1\.[01] (\d{3})", line).group(1))
        headers = [tuple(text.split(": ", 1)) for text in lines]
        answer = Answer(status, headers, b"", line)
        length = answer.header("Content-Length")
        chunked = answer.header("Transfer-Encoding") == "chunked"
        if method == "HEAD" or status in (204, 304) or status < 200:
            return answer
        if chunked:  # a proxy's way
            answer.body = self._chunks()
        elif length is None:
            while self._more():
                pass
            answer.body, self.bytes = self.bytes, b""
        else:
            answer.body = self._take(int(length))
        return answer

    def _take(self, count):
        while len(self.bytes) < count:
            if not self._more():
                raise AssertionError(f"the answer has {len(self.bytes)} bytes of {count}")
        taken, self.bytes = self.bytes[:count], self.bytes[count:]
        return taken

    def _chunks(self):
        body = b""
        while True:
            while b"\r\n" not in self.bytes:
                if not self._more():
                    raise AssertionError("the answer ended within its chunks")
            size, self.bytes = self.bytes.split(b"\r\n", 1)
            piece = self._take(int(size, 16))
            self._take(2)
            if not piece:
                return body
            body += piece

    def rest(self):
        """All that still comes until the other side closes."""
        self.finish()
        while self._more():
            pass
        return self.bytes


def ask(url, data, method="GET"):
    """One answer and whatever followed it until the end of the connection."""
    with Wire(url) as wire:
        wire.send(data)
        answer = wire.answer(method)
        return answer, wire.rest()


def request(method="GET", target="/livez", token=None, headers=(), body=None, version="1.1", length=True):
    """A well-formed request, or the start of one that is not."""
    lines = [f"{method} {target} HTTP/{version}", "Host: edge"]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    lines.extend(headers)
    if body is not None and length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")


def create(token, body, headers=(), **how):
    return request("POST", BASE, token, ("Content-Type: application/json", *headers), body, **how)


def chunked(data, size=1000, end=b"0\r\n\r\n"):
    pieces = [data[at:at + size] for at in range(0, len(data), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + end
