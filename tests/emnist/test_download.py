"""Downloads, from a web server on this machine that behaves well, or does not."""

import contextlib
import hashlib
import http.server
import io
import re
import signal
import subprocess
import sys
import threading
import zipfile

import numpy as np
import pytest
from conftest import PROJECT, leftovers, wait_until

import support.emnist.download
from support.console import InputError
from support.emnist.download import DownloadError, fetch

NAMES = ("train.gz", "mapping.txt", "test.gz")
FILES = {name: np.random.default_rng(i).bytes(200_000) for i, name in enumerate(NAMES)}
PAGE = b"<!DOCTYPE html><html>moved</html>" * 100
OTHERS = 3_000_000  # bytes of members that nobody wants


def md5_sums(files):
    return {f"gzip/{name}": hashlib.md5(content).hexdigest() for name, content in files.items()}


def pack(files, compression=zipfile.ZIP_STORED):
    """A zip as NIST's: all under gzip/, and other files before."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("gzip/other.gz", bytes(OTHERS))
        for name, content in files.items():
            archive.writestr(f"gzip/{name}", content, compression)
    return packed.getvalue()


MEMBERS = md5_sums(FILES)
ZIP = pack(FILES)


def flip_byte(content, place):
    return content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :]


class Server(http.server.ThreadingHTTPServer):
    """Serves a zip.

    content: its bytes. ranges: whether it knows byte ranges. length: the length that it claims, if
    another; None: it claims none. before: so many bytes, never sent, are claimed before `content`.
    faults: what goes wrong with each request, then nothing: a status, "silent", "truncated" in the
    middle, or "stalled" there.
    """

    def __init__(self, content=ZIP, ranges=True, length=0, before=0, faults=()):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.ranges, self.length, self.before = content, ranges, length, before
        self.faults = list(faults)
        self.url = f"http://127.0.0.1:{self.server_port}/gzip.zip"
        self.requests = 0
        self.sent = 0
        self.has_stalled = threading.Event()
        self.stop = threading.Event()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests += 1
        fault = self.server.faults.pop(0) if self.server.faults else None
        if isinstance(fault, int):
            self.send_error(fault)
            return
        if fault == "silent":
            self.server.stop.wait(60)
            return
        body = self.send_head()
        if fault:
            body = body[: len(body) // 2]
        self.server.sent += len(body)
        with contextlib.suppress(OSError):  # the other side has hung up
            self.wfile.write(body)
        if fault == "stalled":
            self.server.has_stalled.set()
            self.server.stop.wait(60)

    do_CONNECT = do_GET  # what a proxy is asked

    def send_head(self):
        """Sends the head of an answer; returns the bytes that belong after it."""
        body = self.server.content
        wanted = re.fullmatch(r"bytes=(\d*)-(\d+)", self.headers.get("Range", ""))
        if wanted and self.server.ranges:
            total = self.server.before + len(body)
            start = int(wanted[1]) if wanted[1] else max(0, total - int(wanted[2]))
            stop = min(total, int(wanted[2]) + 1) if wanted[1] else total
            body = body[start - self.server.before : stop - self.server.before]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{total}")
        else:
            self.send_response(200)
        if self.server.length is not None:
            self.send_header("Content-Length", str(self.server.length or len(body)))
        self.end_headers()
        return body

    def log_message(self, *words):
        pass


@pytest.fixture
def serve():
    """serve(...): starts a Server with these arguments, and gives it."""
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


# ---- what comes


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("ranges", [True, False])
def test_files_come_whole(serve, tmp_path, ranges, compression):
    server = serve(pack(FILES, compression), ranges)
    assert fetch(tmp_path, MEMBERS, [server.url]) == [tmp_path / name for name in NAMES]
    assert contents(tmp_path) == FILES


def test_only_the_missing_members_bytes_are_fetched(serve, tmp_path):
    server = serve()
    (tmp_path / NAMES[0]).write_bytes(FILES[NAMES[0]])
    assert fetch(tmp_path, MEMBERS, [server.url]) == [tmp_path / name for name in NAMES[1:]]
    assert contents(tmp_path) == FILES
    assert 400_000 < server.sent < 500_000  # two members, and the end of the zip

    asked = server.requests
    assert fetch(tmp_path, MEMBERS, [server.url]) == []
    assert server.requests == asked


def test_a_busy_server_is_asked_again(serve, tmp_path):
    server = serve(faults=[503])
    fetch(tmp_path, MEMBERS, [server.url], retries=1)
    assert contents(tmp_path) == FILES


# With byte ranges: a first request, one for the directory, one for each member.
@pytest.mark.parametrize("fault", ["truncated", "stalled"])
def test_a_download_that_breaks_off_goes_on_at_the_second_address(
    serve, tmp_path, monkeypatch, fault
):
    monkeypatch.setattr(support.emnist.download, "TIMEOUT", (10, 0.5))
    first, second = serve(faults=[None, None, None, fault]), serve()
    fetch(tmp_path, MEMBERS, [first.url, second.url])
    assert contents(tmp_path) == FILES
    assert 400_000 < second.sent < 500_000  # one member was finished


DOWNLOAD = """
import sys
from pathlib import Path
from support.emnist.download import fetch
fetch(Path(sys.argv[1]), eval(sys.argv[2]), [sys.argv[3]])
"""


def test_killed_and_started_again(serve, tmp_path):
    server = serve(faults=[None, None, None, "stalled"])
    words = [sys.executable, "-c", DOWNLOAD, str(tmp_path), repr(MEMBERS), server.url]
    with subprocess.Popen(words, cwd=PROJECT) as process:
        assert server.has_stalled.wait(60)
        assert wait_until(lambda: leftovers(tmp_path))
        process.send_signal(signal.SIGKILL)
    assert set(contents(tmp_path)) == {NAMES[0], *leftovers(tmp_path)}

    assert fetch(tmp_path, MEMBERS, [server.url]) == [tmp_path / name for name in NAMES[1:]]
    assert contents(tmp_path).items() >= FILES.items()


def test_a_progress_bar_on_a_terminal_only(serve, tmp_path, monkeypatch, capsys):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    server = serve()
    fetch(tmp_path, MEMBERS, [server.url])
    assert capsys.readouterr().err == f"downloaded from {server.url}\n"
    (tmp_path / NAMES[0]).unlink()
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    fetch(tmp_path, MEMBERS, [server.url])
    assert f"gzip/{NAMES[0]}" in terminal.getvalue()
    assert "100%" in terminal.getvalue()


# ---- what fails

FAILURES = {  # message: the server
    "404 Client Error: Not Found": {"faults": [404]},
    "403 Client Error: Forbidden": {"faults": [None, 403]},
    "503 Server Error: Service Unavailable": {"faults": [503, 503]},
    "the download is truncated": {"ranges": False, "faults": ["truncated"]},
    "timed out": {"faults": ["silent"] * 2},
    "File is not a zip file": {"ranges": False, "content": PAGE},
    "File is not a zip": {"content": ZIP[:-1000]},
    "Bad CRC-32": {"content": flip_byte(ZIP, ZIP.index(FILES[NAMES[0]]) + 30)},
    f"gzip/{NAMES[1]} is not in it": {"content": pack({NAMES[0]: FILES[NAMES[0]]})},
    f"the md5 sum of gzip/{NAMES[0]} is wrong": {"content": pack(FILES | {NAMES[0]: b"other"})},
    "the zip is over 1,073,741,824 bytes": {"ranges": False, "length": 2 << 30},
}


@pytest.mark.parametrize("message", FAILURES)
def test_a_failure_is_told_and_the_second_address_helps(serve, tmp_path, monkeypatch, message):
    monkeypatch.setattr(support.emnist.download, "TIMEOUT", (10, 0.5))
    bad = serve(**FAILURES[message])
    with pytest.raises(DownloadError) as error:
        fetch(tmp_path, MEMBERS, [bad.url], retries=1)
    assert str(error.value).startswith(f"{bad.url}: {message}")
    assert "\n" not in str(error.value)
    assert contents(tmp_path).items() <= FILES.items()

    worse = serve(**FAILURES[message])
    fetch(tmp_path, MEMBERS, [worse.url, serve().url], retries=0)
    assert contents(tmp_path) == FILES


def test_each_address_is_named(serve, tmp_path):
    missing, page = serve(faults=[404]), serve(PAGE)
    with pytest.raises(DownloadError) as error:
        fetch(tmp_path, MEMBERS, [missing.url, page.url])
    assert f"{missing.url}: 404 Client Error" in str(error.value)
    assert f"; {page.url}: File is not a zip file" in str(error.value)
    with pytest.raises(DownloadError, match="no address"):
        fetch(tmp_path, MEMBERS, [])


def test_no_connection(serve, tmp_path):
    server = serve()
    server.shutdown()
    server.server_close()
    with pytest.raises(DownloadError, match=f"{server.url}: .*Connection refused"):
        fetch(tmp_path, MEMBERS, [server.url])
    with pytest.raises(DownloadError, match="Invalid URL 'nowhere'"):
        fetch(tmp_path, MEMBERS, ["nowhere"])


def test_a_server_without_tls(serve, tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    url = serve().url.replace("http:", "https:")
    with pytest.raises(DownloadError, match=f"{url}: TLS error: .*SSL"):
        fetch(tmp_path, MEMBERS, [url])


def test_a_proxy_that_refuses(serve, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", serve(faults=[407]).url)
    with pytest.raises(DownloadError, match="407 Client Error: Proxy Authentication Required"):
        fetch(tmp_path, MEMBERS, ["http://emnist.invalid/gzip.zip"])
    monkeypatch.setenv("https_proxy", serve(faults=[403]).url)
    with pytest.raises(DownloadError, match=r"proxy error: .* 403 Forbidden"):
        fetch(tmp_path, MEMBERS, ["https://emnist.invalid/gzip.zip"])


@pytest.mark.parametrize("length", [0, None])
def test_a_zip_longer_than_allowed(serve, tmp_path, monkeypatch, length):
    monkeypatch.setattr(support.emnist.download, "LARGEST", 1_000_000)
    server = serve(ranges=False, length=length)
    with pytest.raises(DownloadError, match="the zip is over 1,000,000 bytes"):
        fetch(tmp_path, MEMBERS, [server.url])
    assert not contents(tmp_path)


def test_a_directory_of_gigabytes_is_not_read(serve, tmp_path):
    end = ZIP[-22:]  # its last fields: the directory's size and offset, the length of a comment
    size = 1 << 30
    content = end[:12] + size.to_bytes(4, "little") + bytes(6)
    server = serve(bytes(100_000) + content, before=size)
    with pytest.raises(DownloadError, match="its directory is over 1,048,576 bytes"):
        fetch(tmp_path, MEMBERS, [server.url])
    assert server.sent < 100_000


# ---- what is there already


def test_a_bad_file_that_is_there_is_left_alone_and_named(serve, tmp_path):
    server = serve()
    (tmp_path / NAMES[1]).write_bytes(b"0 49\n")
    with pytest.raises(InputError, match=f"{tmp_path / NAMES[1]}: .*md5.*remove it and download"):
        fetch(tmp_path, MEMBERS, [server.url])
    assert contents(tmp_path) == {NAMES[1]: b"0 49\n"}
    assert not server.requests


def test_a_zip_got_by_hand(serve, tmp_path):
    server = serve()
    archive = tmp_path / "emnist-gzip.zip"
    archive.write_bytes(ZIP)
    assert fetch(tmp_path, MEMBERS, [server.url], archive) == [tmp_path / name for name in NAMES]
    assert contents(tmp_path) == FILES | {archive.name: ZIP}
    assert not server.requests


DAMAGED = {  # message: content
    "File is not a zip file": PAGE,
    "Bad CRC-32": flip_byte(ZIP, ZIP.index(FILES[NAMES[0]]) + 30),
    "md5 sum": pack(FILES | {NAMES[0]: b"another"}),
}


@pytest.mark.parametrize("message", DAMAGED)
def test_a_damaged_zip_got_by_hand(tmp_path, message):
    archive = tmp_path / "gzip.zip"
    archive.write_bytes(DAMAGED[message])
    with pytest.raises(InputError, match=f"{archive}: .*{message}.*; get it again or remove it"):
        fetch(tmp_path, MEMBERS, [], archive)
    assert [*tmp_path.iterdir()] == [archive]
