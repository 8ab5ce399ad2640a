"""Downloads, from a web server on this machine that behaves well, or does not."""

import contextlib
import hashlib
import http.server
import io
import re
import threading
import zipfile

import numpy as np
import pytest

from support.console import InputError
from support.emnist.download import DownloadError, fetch

NAMES = ("train.gz", "test.gz")
FILES = {name: np.random.default_rng(i).bytes(200_000) for i, name in enumerate(NAMES)}
MEMBERS = {f"gzip/{name}": hashlib.md5(content).hexdigest() for name, content in FILES.items()}


def pack():
    """A zip like NIST's: all members under gzip/, and before them a large one."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("gzip/other.gz", bytes(3_000_000))
        for name, content in FILES.items():
            archive.writestr(f"gzip/{name}", content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


class Server(http.server.ThreadingHTTPServer):
    """Serves a zip, and counts the bytes.

    ranges: whether it knows byte ranges. faults: what goes wrong with each of the first requests:
    a status, "truncated" in the middle, or None for nothing.
    """

    def __init__(self, ranges=True, faults=()):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = pack()
        self.ranges = ranges
        self.faults = list(faults)
        self.url = f"http://127.0.0.1:{self.server_port}/gzip.zip"
        self.sent = 0


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        fault = self.server.faults.pop(0) if self.server.faults else None
        if isinstance(fault, int):
            self.send_error(fault)
            return
        body = self.send_head()
        if fault:
            body = body[: len(body) // 2]
        self.server.sent += len(body)
        with contextlib.suppress(OSError):  # the client has hung up
            self.wfile.write(body)

    def send_head(self):
        """Sends the head of an answer; returns the bytes that belong after it."""
        body = self.server.content
        wanted = re.fullmatch(r"bytes=(\d*)-(\d+)", self.headers.get("Range", ""))
        if wanted and self.server.ranges:
            total = len(body)
            start = int(wanted[1]) if wanted[1] else max(0, total - int(wanted[2]))
            stop = min(total, int(wanted[2]) + 1) if wanted[1] else total
            body = body[start:stop]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{total}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        return body

    def log_message(self, *words):
        pass


@pytest.fixture
def serve():
    """serve(...): starts a Server with these arguments, and returns it."""
    with contextlib.ExitStack() as stack:

        def serve(**options):
            server = stack.enter_context(Server(**options))
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            stack.callback(server.shutdown)
            return server

        yield serve


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# ---- downloads that work


def test_only_the_bytes_of_missing_members_are_fetched(serve, tmp_path):
    server = serve()
    (tmp_path / NAMES[0]).write_bytes(FILES[NAMES[0]])
    fetch(tmp_path, MEMBERS, [server.url])
    assert contents(tmp_path) == FILES
    assert 200_000 < server.sent < 300_000  # one member, and the end of the zip


def test_the_whole_zip_if_a_server_has_no_ranges(serve, tmp_path):
    server = serve(ranges=False, faults=["truncated"])  # tried again
    fetch(tmp_path, MEMBERS, [server.url])
    assert contents(tmp_path) == FILES


# With byte ranges: a first request, one for the directory, one for each member.
@pytest.mark.parametrize("fault", [503, "truncated"])
def test_what_breaks_goes_on_at_the_next_address(serve, tmp_path, fault):
    first = serve(faults=[None, None, None, fault])
    second = serve()
    fetch(tmp_path, MEMBERS, [first.url, second.url])
    assert contents(tmp_path) == FILES
    assert 200_000 < second.sent < 300_000  # the first member was finished


# ---- downloads that fail

FAILURES = {  # reason: what goes wrong
    "404 Not Found": [404] * 4,
    "the connection broke off": ["truncated"] * 4,
}


@pytest.mark.parametrize("reason", FAILURES)
def test_the_reason_of_a_failure(serve, tmp_path, reason):
    server = serve(ranges=False, faults=FAILURES[reason])
    with pytest.raises(DownloadError) as error:
        fetch(tmp_path, MEMBERS, [server.url, server.url])
    assert str(error.value) == reason
    assert contents(tmp_path) == {}


def test_a_file_with_another_md5_sum_is_refused(serve, tmp_path):
    wanted = MEMBERS | {f"gzip/{NAMES[0]}": "0" * 32}
    with pytest.raises(DownloadError, match=f"^the md5 sum of gzip/{NAMES[0]} is wrong$"):
        fetch(tmp_path, wanted, [serve().url])
    assert contents(tmp_path) == {}


def test_nobody_answers(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(DownloadError, match=r"^Connection refused$"):
        fetch(tmp_path, MEMBERS, ["http://127.0.0.1:9/gzip.zip"])


# ---- a zip that a person has put there


def test_a_damaged_zip_got_by_hand_is_named_and_kept(tmp_path):
    archive = tmp_path / "gzip.zip"
    archive.write_bytes(pack()[:-1000])
    before = contents(tmp_path)
    with pytest.raises(InputError, match=f"^{archive}: damaged .*; get it again, or move it away"):
        fetch(tmp_path, MEMBERS, [], archive)
    assert contents(tmp_path) == before
