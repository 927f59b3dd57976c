# SPDX-License-Identifier: Apache-2.0
"""Real media, made by ffmpeg when they are first asked for, and a web server on loopback that
gives them, well or badly."""
import atexit
import functools
import http.server
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

_folder = tempfile.mkdtemp(prefix="arkgate-media-")
_lock = threading.Lock()
PICTURE = ("-f", "lavfi", "-i", "testsrc2=size=640x480:rate=24")
SOUND = ("-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100")


@atexit.register
def clean():
    shutil.rmtree(_folder, ignore_errors=True)


def made(name, *arguments):
    """The bytes of a file that ffmpeg writes under this name, once for all threads."""
    with _lock:
        return _made(name, *arguments)


@functools.cache
def _made(name, *arguments):
    path = os.path.join(_folder, name)
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", *arguments, path], check=True, timeout=120)
    with open(path, "rb") as file:
        return file.read()


def image(kind="png", size="640x480"):
    return made(f"image-{size}.{kind}", "-f", "lavfi", "-i", f"testsrc2=size={size}", "-frames:v", "1")


def video(seconds=3, size="960x544", rate=24, kind="mp4"):
    return made(f"video-{seconds}-{size}-{rate}.{kind}", "-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}",
                *SOUND, "-t", str(seconds), "-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast")


def audio(seconds=3, kind="mp3"):
    return made(f"audio-{seconds}.{kind}", *SOUND, "-t", str(seconds))


class Answer:
    """What a path of the server gives. status, headers; pieces with a pause between them;
    length: a Content-Length that may lie; forever: the body never ends."""

    def __init__(self, body=b"", status=200, headers=None, pause=0.0, piece=65536, length=None, forever=False):
        self.body, self.status, self.headers = body, status, headers or {}
        self.pause, self.piece, self.length, self.forever = pause, piece, length, forever


class _Listener(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """A client that was killed is no news."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Server:
    def __init__(self):
        self.answers, self.asked = {}, []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                outer.asked.append((self.path, dict(self.headers)))
                answer = outer.answers.get(self.path, Answer(b"no", 404))
                if callable(answer):
                    answer = answer()
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if answer.forever:
                    self.send_header("Connection", "close")
                else:
                    self.send_header("Content-Length", str(len(answer.body) if answer.length is None else answer.length))
                self.end_headers()
                try:
                    while True:
                        for at in range(0, len(answer.body), answer.piece):
                            self.wfile.write(answer.body[at:at + answer.piece])
                            if answer.pause:
                                time.sleep(answer.pause)
                        if not answer.forever:
                            break
                except OSError:
                    pass
                if answer.length is not None:
                    self.close_connection = True

        self.http = _Listener(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"

    def give(self, path, answer):
        self.answers[path] = answer if isinstance(answer, Answer) or callable(answer) else Answer(answer)
        return self.url + path

    def close(self):
        self.http.shutdown()
        self.http.server_close()
