"""A server on this computer that stands in for GitHub, the Hugging Face hub and Kaggle."""

import base64
import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """A client that hangs up is no news."""


class Server:
    """Serves ``files`` (path → bytes), byte ranges too, as well or as badly as it is told."""

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str | None]] = []  # (path, Range)
        self.break_off_at = 0  # so many bytes into a longer answer the connection is cut …
        self.breaks = 0  # … so many times
        self.status = 200
        self.silent_for = 0.0  # seconds, before each answer
        self.closing = threading.Event()  # ends any silence
        self.etags = True
        self.ranges = True
        self.token = None  # what "Authorization" has to hold, if anything
        self.redirects: dict[str, str] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                path = self.path.partition("?")[0]
                self.rfile.read(int(self.headers["Content-Length"] or 0))
                outer.asked.append((path, self.headers["Range"]))
                outer.closing.wait(outer.silent_for)
                if outer.status != 200:
                    return self.refuse(outer.status)
                if outer.token and outer.token not in (self.headers["Authorization"] or ""):
                    return self.refuse(403)
                if path in outer.redirects:
                    self.send_response(302)
                    self.send_header("Location", outer.url + outer.redirects[path])
                    self.send_header("Content-Length", "0")
                    return self.end_headers()
                if path not in outer.files:
                    return self.refuse(404)
                self.serve(outer.files[path])

            do_GET = do_POST = do_HEAD = answer

            def refuse(self, status):
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def serve(self, body):
                etag, asked = f'"{hashlib.md5(body).hexdigest()}"', self.headers["Range"]
                unchanged = self.headers["If-Range"] in (None, etag)
                start = 0
                if asked and outer.ranges and unchanged:
                    start = int(asked.removeprefix("bytes=").removesuffix("-"))
                if start and start >= len(body):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(body)}")
                    self.send_header("Content-Length", "0")
                    return self.end_headers()
                self.send_response(206 if start else 200)
                if start:
                    self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
                if outer.etags:
                    self.send_header("ETag", etag)
                if outer.ranges:
                    self.send_header("Accept-Ranges", "bytes")
                if not start:
                    md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
                    self.send_header("X-Goog-Hash", f"md5={md5}")
                kind = "application/json" if body[:1] == b"{" else "application/octet-stream"
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body) - start))
                self.end_headers()
                rest = body[start:]
                if outer.breaks and len(rest) > outer.break_off_at:
                    outer.breaks -= 1
                    rest = rest[: outer.break_off_at]
                self.wfile.write(rest)

            def log_message(self, *_):
                pass

        self.http = _Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self.closing.set()
        self.http.shutdown()
        self.http.server_close()

    def ranges_of(self, path):
        return [asked for name, asked in self.asked if name == path]

    def put_model(self, repo_id, files, commit="c0ffee" * 6 + "c0de"):
        """Publish a model as the Hugging Face hub does: large files by their SHA-256."""
        siblings = []
        for name, content in files.items():
            self.files[f"/{repo_id}/resolve/{commit}/{name}"] = content
            blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            entry = {"rfilename": name, "size": len(content), "blobId": blob}
            if len(content) > 10_000:
                sha256 = hashlib.sha256(content).hexdigest()
                entry["lfs"] = {"sha256": sha256, "size": len(content), "pointerSize": 134}
            siblings.append(entry)
        about = {"id": repo_id, "sha": commit, "siblings": siblings, "private": False, "tags": []}
        self.files[f"/api/models/{repo_id}"] = json.dumps(about).encode()
        return f"/{repo_id}/resolve/{commit}/"

    def be_the_hub(self, monkeypatch, cache):
        """Do what HF_ENDPOINT and HF_HUB_CACHE do, but for a client that is imported already."""
        from huggingface_hub import constants

        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, self.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "ENDPOINT", self.url)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))

    def put_dataset(self, archive, version=3):
        """Publish a data set as Kaggle does: its newest version, and an archive elsewhere."""
        service = "/api/v1/datasets.DatasetApiService"
        self.files[f"{service}/GetDataset"] = json.dumps(
            {"currentVersionNumber": version, "title": "a set"}
        ).encode()
        self.redirects[f"{service}/DownloadDataset"] = "/storage/archive.zip"
        self.files["/storage/archive.zip"] = archive


@contextmanager
def loopback():
    server = Server()
    try:
        yield server
    finally:
        server.close()
