"""What the front doors forward to."""

import asyncio
import base64
import hashlib
import os
import re
import resource
import signal
import socket

from programs import Program, free_port, write
from setups import NGINX_COMMON

#: Bytes of the usual answer.
ANSWER = 612
#: Bytes of the file at /large, and of what is sent there.
LARGE = 100 * 1000 * 1000

TEXT = NGINX_COMMON + """
http {{
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  client_max_body_size 0;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    default_type text/html;
    location / {{ return 200 "{body}"; }}
    location = /verify {{ add_header X-Identity somebody; add_header X-Chat-Identity somebody; return 200; }}
    location /large {{ root {folder}/files; sendfile on; dav_methods PUT; }}
  }}
}}
"""


def start(folder, workers, files, connections):
    """An nginx that answers everything with 612 bytes, /verify with an identity, and has a large file to give and to take."""
    port = free_port()
    (folder / "files").mkdir(parents=True)
    folder.chmod(0o755)
    # nginx's workers are another user.
    (folder / "files").chmod(0o777)
    (folder / "files" / "large").write_bytes(os.urandom(1 << 20) * (LARGE >> 20) + bytes(LARGE % (1 << 20)))
    text = TEXT.format(folder=folder, workers=workers, files=files, sockets=2 * connections, port=port, body="x" * ANSWER)
    return Program("upstream", ["nginx", "-p", folder, "-c", write(folder, "nginx.conf", text)], folder, port)


class Idle:
    """An upstream that starts an event stream or a WebSocket, or answers, and then says nothing by itself: what comes on a WebSocket goes back."""

    def __init__(self):
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(4096)
        listener.setblocking(False)
        self.port = listener.getsockname()[1]
        # In a process of its own, so that its descriptors don't count against the clients'.
        self.pid = os.fork()
        if self.pid == 0:
            signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
            # A door that keeps its connections when clients leave has them beside those of the next one.
            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            try:
                asyncio.run(_serve(listener))
            finally:
                os._exit(1)
        listener.close()

    def stop(self):
        os.kill(self.pid, signal.SIGTERM)
        os.waitpid(self.pid, 0)


EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nTransfer-Encoding: chunked\r\n\r\nd\r\ndata: hello\n\n\r\n"


async def _serve(listener):
    async def one(reader, writer):
        while True:
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            except (asyncio.IncompleteReadError, ConnectionError):
                break
            key = re.search(r"(?im)^sec-websocket-key: *(\S+)", head)
            if key:
                digest = hashlib.sha1((key[1] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
                accept = base64.b64encode(digest).decode()
                writer.write(
                    f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode()
                    + b"\x81\x05hello")
            elif "event-stream" in head:
                writer.write(EVENTS)
            else:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello")
                continue
            while piece := await reader.read(4096):
                writer.write(piece)
            break
        writer.close()

    server = await asyncio.start_server(one, sock=listener, limit=16384, backlog=4096)
    async with server:
        await server.serve_forever()
