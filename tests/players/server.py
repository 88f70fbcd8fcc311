# SPDX-License-Identifier: LGPL-2.1-or-later
"""A server of files on 127.0.0.1, for the browser: paths under given names lead to given folders, a range is answered as
one, and what was not found is written down."""
import http.server
import os
import re
import threading
import urllib.parse

KINDS = {".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".m3u8": "application/vnd.apple.mpegurl",
         ".mpd": "application/dash+xml", ".m4s": "video/iso.segment", ".mp4": "video/mp4", ".ts": "video/mp2t", ".vtt": "text/vtt",
         ".jpg": "image/jpeg", ".json": "application/json", ".map": "application/json", ".css": "text/css"}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def handle(self):
        try:
            super().handle()
        except (BrokenPipeError, ConnectionResetError):
            pass  # a player that changed its mind

    def find(self):
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        for name, folder in self.server.folders:
            if path.startswith(name):
                full = os.path.realpath(os.path.join(folder, path[len(name):].lstrip("/")))
                if full.startswith(os.path.realpath(folder) + os.sep) and os.path.isfile(full):
                    return full
        return None

    def do_GET(self):
        full = self.find()
        if not full:
            self.server.missing.append(self.path)
            return self.answer(404, b"", "text/plain")
        with open(full, "rb") as file:
            data = file.read()
        kind = KINDS.get(os.path.splitext(full)[1].lower(), "application/octet-stream")
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not wanted:
            return self.answer(200, data, kind)
        first, last = int(wanted[1]), min(int(wanted[2] or len(data) - 1), len(data) - 1)
        if first > last:
            return self.answer(416, b"", kind, f"bytes */{len(data)}")
        return self.answer(206, data[first:last + 1], kind, f"bytes {first}-{last}/{len(data)}")

    def answer(self, status, data, kind, part=None):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        if part:
            self.send_header("Content-Range", part)
        self.end_headers()
        self.wfile.write(data)


class Server(http.server.ThreadingHTTPServer):
    """with Server([("/streams/", folder), ("/", other)]) as server: server.address"""
    daemon_threads = True

    def __init__(self, folders):
        super().__init__(("127.0.0.1", 0), Handler)
        self.folders, self.missing = folders, []
        self.address = f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()
