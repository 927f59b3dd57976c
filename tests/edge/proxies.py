# SPDX-License-Identifier: Apache-2.0
"""nginx and HAProxy in front of a gateway: ordinary children on a loopback port, with
their files in a folder of their own. Each is set to use one connection to the gateway for
as many clients as it can, which is what makes a desynchronised one dangerous."""
import os
import shutil
import socket
import subprocess
import tempfile

from arkgate import wait_for
from wire import address

NGINX = """daemon off;
worker_processes 1;
pid @DIR@/pid;
error_log @DIR@/log warn;
events { worker_connections 256; }
http {
    access_log off;
    client_max_body_size 64m;
    client_body_temp_path @DIR@/body;
    proxy_temp_path @DIR@/proxy;
    fastcgi_temp_path @DIR@/fastcgi;
    uwsgi_temp_path @DIR@/uwsgi;
    scgi_temp_path @DIR@/scgi;
    upstream gateway {
        server @GATEWAY@;
        keepalive 1;
    }
    server {
        listen 127.0.0.1:@PORT@;
        location / {
            proxy_pass http://gateway;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_next_upstream off;
        }
    }
}
"""
HAPROXY = """global
    nbthread 1
    maxconn 256
defaults
    mode http
    timeout connect 5s
    timeout client 10s
    timeout server 30s
    retries 0
    http-reuse always
frontend clients
    bind 127.0.0.1:@PORT@
    default_backend gateway
backend gateway
    server one @GATEWAY@
"""
COMMANDS = {"nginx": (NGINX, lambda binary, folder, conf: [binary, "-e", f"{folder}/log", "-p", folder, "-c", conf]),
            "haproxy": (HAPROXY, lambda binary, folder, conf: [binary, "-db", "-f", conf])}


class Proxy:
    def __init__(self, ctx, name, gateway_url):
        binary = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")
        if binary is None:
            raise ctx.Skip(f"{name} is missing: see third_party/apt.txt, set test")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.folder = tempfile.mkdtemp(prefix="arkgate-proxy-")
        os.chmod(self.folder, 0o711)  # started by root, nginx's worker is somebody else
        text, command = COMMANDS[name]
        for mark, value in (("DIR", self.folder), ("PORT", port), ("GATEWAY", "{}:{}".format(*address(gateway_url)))):
            text = text.replace(f"@{mark}@", str(value))
        conf = os.path.join(self.folder, "conf")
        with open(conf, "w", encoding="ascii") as file:
            file.write(text)
        with open(os.path.join(self.folder, "out"), "wb") as out:
            self.process = subprocess.Popen(command(binary, self.folder, conf), stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=out)
        try:
            wait_for(f"{name} listens", self._listens)
        except BaseException:
            self.stop()
            raise

    def _listens(self):
        if self.process.poll() is not None:
            with open(os.path.join(self.folder, "out"), encoding="utf-8", errors="replace") as file:
                raise AssertionError(f"the proxy ended with {self.process.returncode}: {file.read()}")
        with socket.socket() as probe:
            return probe.connect_ex(address(self.url)) == 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
