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

import support.emnist.download
from support.console import InputError
from support.emnist.download import DownloadError, fetch

NAMES = ("train.gz", "mapping.txt", "test.gz")
FILES = {name: np.random.default_rng(i).bytes(200_000) for i, name in enumerate(NAMES)}
MEMBERS = {f"gzip/{name}": hashlib.md5(content).hexdigest() for name, content in FILES.items()}
PAGE = b"<!DOCTYPE html><html>moved</html>" * 100


def pack(files):
    """A zip like NIST's: all members under gzip/, and before them a large one."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("gzip/other.gz", bytes(3_000_000))
        for name, content in files.items():
            archive.writestr(f"gzip/{name}", content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


ZIP = pack(FILES)
PLACE = ZIP.index(b"gzip/train.gz") + 1000
DAMAGED_ZIP = ZIP[:PLACE] + bytes(8) + ZIP[PLACE + 8 :]


class Server(http.server.ThreadingHTTPServer):
    """Serves a zip.

    content: its bytes. ranges: whether it knows byte ranges. faults: what goes wrong with each
    request, None for nothing: a status, or "truncated" or "stalled" in the middle. After the last
    of them nothing goes wrong.
    """

    def __init__(self, content=ZIP, ranges=True, faults=()):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.ranges, self.faults = content, ranges, list(faults)
        self.url = f"http://127.0.0.1:{self.server_port}/gzip.zip"
        self.requests = 0
        self.sent = 0
        self.stop = threading.Event()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests += 1
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
        if fault == "stalled":
            self.server.stop.wait(60)

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
def serve(monkeypatch):
    """serve(...): starts a Server with these arguments, and returns it."""
    monkeypatch.setattr(support.emnist.download, "WAIT", 0)
    monkeypatch.setattr(support.emnist.download, "TIMEOUT", (10, 0.5))
    servers = []

    def serve(*arguments, **options):
        server = Server(*arguments, **options)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return server

    yield serve
    for server in servers:
        server.stop.set()
        server.shutdown()
        server.server_close()


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# ---- downloads that work


def test_only_the_bytes_of_missing_members_are_fetched(serve, tmp_path):
    server = serve()
    (tmp_path / NAMES[0]).write_bytes(FILES[NAMES[0]])
    assert fetch(tmp_path, MEMBERS, [server.url]) == [tmp_path / name for name in NAMES[1:]]
    assert contents(tmp_path) == FILES
    assert 400_000 < server.sent < 500_000  # two members, and the end of the zip

    asked = server.requests
    assert fetch(tmp_path, MEMBERS, [server.url]) == []
    assert server.requests == asked


def test_the_whole_zip_where_a_server_has_no_ranges(serve, tmp_path):
    fetch(tmp_path, MEMBERS, [serve(ranges=False).url])
    assert contents(tmp_path) == FILES


# With byte ranges: a first request, one for the directory, one for each member.
@pytest.mark.parametrize("fault", [503, "truncated", "stalled"])
def test_what_breaks_is_tried_again_and_then_at_the_second_address(serve, tmp_path, fault):
    server = serve(faults=[None, None, None, fault])
    fetch(tmp_path, MEMBERS, [server.url], retries=1)
    assert contents(tmp_path) == FILES

    for name in NAMES:
        (tmp_path / name).unlink()
    first, second = serve(faults=[None, None, None, fault]), serve()
    fetch(tmp_path, MEMBERS, [first.url, second.url], retries=0)
    assert contents(tmp_path) == FILES
    assert 400_000 < second.sent < 500_000  # the first member was finished


# ---- downloads that fail

FAILURES = {  # reason: the server
    "404 Not Found": {"faults": [404] * 4},
    "403 Forbidden": {"faults": [None, 403] * 4},
    "the connection broke off": {"ranges": False, "faults": ["truncated"] * 4},
    "timed out": {"faults": ["stalled"] * 8},
    "File is not a zip file": {"content": PAGE},
    "Bad CRC-32 for file 'gzip/train.gz'": {"content": DAMAGED_ZIP},
    f"gzip/{NAMES[1]} is not in it": {"content": pack({NAMES[0]: FILES[NAMES[0]]})},
    f"the md5 sum of gzip/{NAMES[0]} is wrong": {"content": pack(FILES | {NAMES[0]: b"other"})},
}


@pytest.mark.parametrize("reason", FAILURES)
def test_the_reason_of_a_failure(serve, tmp_path, reason):
    server = serve(**FAILURES[reason])
    with pytest.raises(DownloadError) as error:
        fetch(tmp_path, MEMBERS, [server.url, server.url], retries=1)
    assert str(error.value) == reason
    assert contents(tmp_path).items() <= FILES.items()


def test_nobody_answers(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(DownloadError, match=r"^Connection refused$"):
        fetch(tmp_path, MEMBERS, ["http://127.0.0.1:9/gzip.zip"])
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/ca.pem")
    with pytest.raises(DownloadError, match=r"invalid path: /no/ca.pem$"):
        fetch(tmp_path, MEMBERS, ["https://127.0.0.1:9/gzip.zip"])


def test_an_error_of_the_users_disk_stays_itself(serve, tmp_path):
    with pytest.raises(FileNotFoundError, match="none"):
        fetch(tmp_path / "none", MEMBERS, [serve().url])


# ---- files that are there already


def test_a_file_that_is_not_nists_is_left_alone(serve, tmp_path):
    server = serve()
    (tmp_path / NAMES[1]).write_bytes(b"0 49\n")
    with pytest.raises(InputError, match=f"{tmp_path / NAMES[1]}: not NIST.*; move it away"):
        fetch(tmp_path, MEMBERS, [server.url])
    assert contents(tmp_path) == {NAMES[1]: b"0 49\n"}
    assert not server.requests


def test_a_zip_got_by_hand(tmp_path):
    archive = tmp_path / "emnist-gzip.zip"
    archive.write_bytes(ZIP)
    assert fetch(tmp_path, MEMBERS, [], archive) == [tmp_path / name for name in NAMES]
    assert contents(tmp_path) == FILES | {archive.name: ZIP}


BAD_ARCHIVES = {  # message: content
    "a web page": PAGE,
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    "Bad CRC-32": DAMAGED_ZIP,
    "File is not a zip file": ZIP[:-1000],
}


@pytest.mark.parametrize("message", BAD_ARCHIVES)
def test_a_bad_zip_got_by_hand(tmp_path, message):
    archive = tmp_path / "gzip.zip"
    archive.write_bytes(BAD_ARCHIVES[message])
    with pytest.raises(
        InputError, match=f"^{archive}: .*{message}.*; get it again, or move it away"
    ):
        fetch(tmp_path, MEMBERS, [], archive)
    assert [*tmp_path.iterdir()] == [archive]
