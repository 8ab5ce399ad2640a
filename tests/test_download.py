"""Downloads, from a web server on this machine that behaves well, or does not."""

import contextlib
import gzip
import hashlib
import http.server
import io
import pty
import re
import resource
import socketserver
import subprocess
import sys
import threading
import time
import tracemalloc
import zipfile

import numpy as np
import pytest
from conftest import PROJECT, held, idx, random_set, write_files

import dataset
import support.download
from dataset import load_emnist
from support.console import InputError
from support.download import RETRIES, DownloadError

PAGE = b"<!DOCTYPE html><html>moved</html>" * 100
NAMES = [
    f"emnist-digits-{part}-{content}-ubyte.gz"
    for part in ("train", "test")
    for content in ("images-idx3", "labels-idx1")
]


def make_files():
    (x, y), (x_test, y_test) = random_set(90, classes=10), random_set(40, classes=10, seed=1)
    arrays = [x.transpose(0, 2, 1), y, x_test.transpose(0, 2, 1), y_test]
    return {name: gzip.compress(idx(array)) for name, array in zip(NAMES, arrays, strict=True)}


def md5_sums(files):
    return {f"gzip/{name}": hashlib.md5(content).hexdigest() for name, content in files.items()}


def pack(files, other=3_000_000, **options):
    """A zip as NIST's: all under gzip/, and `other` bytes of other splits before."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("gzip/emnist-byclass-train-images-idx3-ubyte.gz", bytes(other))
        for name, content in files.items():
            archive.writestr(f"gzip/{name}", content, **options)
    return packed.getvalue()


FILES = make_files()
MEMBERS = md5_sums(FILES)
ZIP = pack(FILES)


def flip(content, place):
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def patch(content, name, offset, number, size):
    """Writes a number over a field of a member's entry in the zip's directory."""
    place = content.rindex(f"gzip/{name}".encode()) - 46 + offset
    return content[:place] + number.to_bytes(size, "little") + content[place + size :]


# Offsets in an entry of the directory
FLAGS, METHOD, PACKED_SIZE, SIZE = 8, 10, 20, 24


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves server.content as server.ways tell, a way for each request, the last for ever."""

    def do_GET(self):
        server = self.server
        way = server.ways.pop(0) if len(server.ways) > 1 else server.ways[0]
        server.asked.append(way)
        if way == "stall":
            return self.stall()
        if isinstance(way, int):
            return self.send_error(way)
        if way in ("redirect", "busy"):
            self.send_response(302 if way == "redirect" else 503)
            self.send_header("Location", "/moved.zip")
            self.send_header("Retry-After", "3")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        content = self.head(server.content, way)
        if "broken off" in way or "stalled" in way:
            content = content[: len(content) // 2]
        server.sent += len(content)
        with contextlib.suppress(OSError):
            self.wfile.write(content)
            if "stalled" in way:
                self.stall()
            for _ in range(640 * ("endless" in way)):  # 42 MB, far more than are allowed
                self.wfile.write(bytes(1 << 16))

    def stall(self):
        if not self.server.stop.wait(20):
            self.server.asked.append("nobody hung up")

    def head(self, content, way):
        """Sends the head of an answer; the bytes that belong after it."""
        wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if wanted and "whole" not in way:
            first, last = wanted.groups()
            start = int(first) if first else max(0, len(content) - int(last))
            stop = min(int(last) + 1, len(content)) if first and last else len(content)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(content)}")
            content = content[start:stop]
        else:
            self.send_response(200)
            if "gzip" in self.headers.get("Accept-Encoding", ""):
                self.send_header("Content-Encoding", "gzip")
                content = gzip.compress(content, 0)
        if "no length" not in way:
            size = 2 << 30 if "claims 2 GiB" in way else len(content)
            self.send_header("Content-Length", str(size))
        self.end_headers()
        return content

    def log_message(self, *words):
        pass


@pytest.fixture
def serve():
    """serve(*ways, content=ZIP): starts a server, and gives it; server.url is its address."""
    servers = []

    def serve(*ways, content=ZIP):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.ways, server.content, server.asked, server.sent = [*ways], content, [], 0
        server.stop = threading.Event()
        server.url = f"http://127.0.0.1:{server.server_port}/gzip.zip"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return server

    yield serve
    for server in servers:
        server.stop.set()
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(support.download, "BACKOFF", 0)


@pytest.fixture
def hasty(monkeypatch):
    monkeypatch.setattr(support.download, "TIMEOUT", (10, 0.5))


@pytest.fixture
def pauses(monkeypatch):
    """The seconds of each pause, which are not waited for."""
    pauses = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    return pauses


@pytest.fixture
def made_up(monkeypatch):
    """Lets dataset.py take the made-up files for NIST's."""
    for member, md5 in MEMBERS.items():
        monkeypatch.setitem(dataset.MD5, member, md5)


@pytest.fixture
def find_at(monkeypatch):
    """find_data where NIST's zip is at other addresses: find_at(urls, *arguments)."""

    def find_at(urls, *arguments):
        monkeypatch.setattr(dataset, "URLS", urls)
        return dataset.find_data(*arguments)

    return find_at


def fetch(root, *servers, members=MEMBERS, archive=None, retries=2):
    urls = [server.url for server in servers]
    return support.download.download(root, members, urls, archive, retries)


def contents(root):
    return {path.name: path.read_bytes() for path in root.iterdir()}


# ---- what comes


@pytest.mark.parametrize(
    ("ways", "requests"),
    [
        (["ranges"], 5),  # the zip's directory, and one for each file
        (["whole"], 2),
        (["redirect", "ranges"], 6),
        (["redirect", "whole"], 3),
        ([503, "ranges"], 6),
        ([429, 502, "ranges"], 7),
        (["ranges", 503, "ranges"], 6),
        (["stall", "ranges"], 6),
        (["ranges", "stall", "ranges"], 6),
        (["broken off", "ranges"], 6),
        (["whole, no length"], 2),
        (["ranges", "broken off, no length", "ranges"], 7),
        (["ranges", "ranges", "ranges", "broken off", "ranges"], 5),  # two files were finished
        (["ranges", "stalled", "ranges"], 7),
        (["whole", "whole, broken off", "whole"], 4),
        (["whole", "whole, stalled", "whole"], 4),
        (["ranges", "whole"], 4),
    ],
    ids=str,
)
def test_files_come_whole(serve, tmp_path, request, ways, requests):
    if "stall" in str(ways):
        request.getfixturevalue("hasty")
    server = serve(*ways)
    assert fetch(tmp_path, server) == [tmp_path / name for name in NAMES]
    assert contents(tmp_path) == FILES
    assert len(server.asked) == requests


def test_only_the_members_are_fetched(serve, tmp_path):
    server = serve("ranges")
    fetch(tmp_path, server)
    size = sum(map(len, FILES.values()))
    assert size < server.sent < size + 70_000 < len(ZIP) / 10


def test_deflated_members(serve, tmp_path):
    fetch(tmp_path, serve("ranges", content=pack(FILES, compress_type=zipfile.ZIP_DEFLATED)))
    assert contents(tmp_path) == FILES


def test_only_what_is_missing_is_fetched(serve, tmp_path):
    server = serve("ranges")
    for name in NAMES[:2]:
        (tmp_path / name).write_bytes(FILES[name])
    assert fetch(tmp_path, server) == [tmp_path / name for name in NAMES[2:]]
    assert contents(tmp_path) == FILES
    assert server.sent < 70_000 + sum(len(FILES[name]) for name in NAMES[2:])
    asked = len(server.asked)
    assert fetch(tmp_path, server) == []
    assert len(server.asked) == asked


def test_a_bar_on_a_terminal_only(serve, tmp_path, monkeypatch, capfd):
    server = serve("ranges")
    fetch(tmp_path, server)
    assert capfd.readouterr().err == f"downloaded from {server.url}\n"
    (tmp_path / NAMES[0]).unlink()
    ours, theirs = pty.openpty()
    with open(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        fetch(tmp_path, server)
    shown = b""
    with open(ours, "rb", buffering=0) as screen, contextlib.suppress(OSError):  # at its end
        while block := screen.read(1 << 16):
            shown += block
    assert f"gzip/{NAMES[0]}".encode() in shown
    assert b"100%" in shown


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_an_answer_that_may_change_is_asked_for_again(serve, tmp_path, pauses, status):
    fetch(tmp_path, serve(status, "ranges"))
    assert contents(tmp_path) == FILES


@pytest.mark.parametrize(
    ("ways", "expected"),
    [
        (["ranges"], []),
        ([503, 503, "ranges"], [20]),  # urllib3 does not wait before its first second try
        (["ranges", "broken off", "broken off", "ranges"], [10, 20]),
        (["busy", "busy", "ranges"], [20]),  # whatever pause the server asks for
    ],
    ids=str,
)
def test_pauses_before_further_tries(serve, tmp_path, monkeypatch, pauses, ways, expected):
    monkeypatch.setattr(support.download, "BACKOFF", 10)
    fetch(tmp_path, serve(*ways))
    assert pauses == expected


# ---- what fails


FAILURES = {  # message: the server's way, its content, requests in three tries
    "404 Client Error: Not Found": (404, ZIP, 1),
    "503 Server Error: Service Unavailable": (503, ZIP, 3),
    "no connection or no answer": ("stall", ZIP, 3),
    "no answer in time": ("whole, stalled", ZIP, 6),
    "it breaks off": ("whole, broken off", ZIP, 6),
    "File is not a zip file": ("whole", PAGE, 2),
    "File is not a zip": ("ranges", PAGE, 1),
    "File is not": ("whole", ZIP[:-1000], 2),
    "Bad CRC-32": ("ranges", flip(ZIP, ZIP.index(FILES[NAMES[1]]) + 30), 3),
    "There is no item named": ("whole", pack({NAMES[0]: FILES[NAMES[0]]}), 2),
    f"the md5 sum of gzip/{NAMES[2]} is wrong": (
        "whole",
        pack(FILES | {NAMES[2]: FILES[NAMES[0]]}),
        2,
    ),
    f"gzip/{NAMES[0]} is longer than 1,073,741,824 bytes": (
        "whole",
        patch(ZIP, NAMES[0], SIZE, 2**32 - 2, 4),
        2,
    ),
}


@pytest.mark.parametrize("message", FAILURES)
def test_a_failure_is_told_and_the_second_address_helps(serve, tmp_path, request, message):
    way, content, requests = FAILURES[message]
    if "stall" in str(way):
        request.getfixturevalue("hasty")
    bad, good = serve(way, content=content), serve("ranges")
    with pytest.raises(DownloadError, match=re.escape(f"{bad.url}: ")) as error:
        fetch(tmp_path, bad)
    assert f"{bad.url}: {message}" in str(error.value)
    assert "\n" not in str(error.value)
    assert len(bad.asked) == requests
    kept = contents(tmp_path)
    assert kept.items() < FILES.items()
    assert len(fetch(tmp_path, bad, good, retries=0)) == len(FILES) - len(kept)
    assert contents(tmp_path) == FILES


def test_a_server_that_changes_its_mind(serve, tmp_path):
    with pytest.raises(DownloadError, match="404 Client Error"):
        fetch(tmp_path, serve("whole", 404))


def test_two_tries_then_the_second_address(serve, tmp_path, capfd):
    bad, worse, good = serve(503), serve("whole, broken off"), serve("ranges")
    fetch(tmp_path, bad, worse, good, retries=1)
    assert contents(tmp_path) == FILES
    assert [len(server.asked) for server in (bad, worse, good)] == [2, 4, 5]
    told = f"{worse.url}: it breaks off in the middle; trying again\ndownloaded from {good.url}\n"
    assert capfd.readouterr().err == told


def test_each_address_is_named(serve, tmp_path):
    servers = serve(404), serve("whole", content=PAGE)
    with pytest.raises(DownloadError) as error:
        fetch(tmp_path, *servers)
    for server, words in (servers[0], "404 Client"), (servers[1], "File is not a zip file"):
        assert f"{server.url}: {words}" in str(error.value)
    with pytest.raises(DownloadError, match="no address"):
        fetch(tmp_path)


def test_nobody_listens(serve, tmp_path, pauses):
    server = serve("ranges")
    server.shutdown()
    server.server_close()
    with pytest.raises(DownloadError, match="no connection"):
        fetch(tmp_path, server)
    with pytest.raises(DownloadError, match="Invalid URL 'nowhere'"):
        support.download.download(tmp_path, MEMBERS, ["nowhere"])
    assert pauses == []  # hopeless, so it does not try again


def test_no_secure_connection(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    connections = []

    class NoTLS(socketserver.BaseRequestHandler):
        def handle(self):
            connections.append(self.client_address)
            self.request.sendall(b"good day, what is TLS?")
            self.request.recv(1 << 16)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), NoTLS) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"https://127.0.0.1:{server.server_address[1]}/gzip.zip"
        with pytest.raises(DownloadError, match=f"{url}: no secure connection"):
            support.download.download(tmp_path, MEMBERS, [url])
        server.shutdown()
    assert len(connections) == 1


@pytest.mark.parametrize("way", ["whole, no length, endless", "whole, claims 2 GiB"])
def test_a_zip_longer_than_allowed(serve, tmp_path, monkeypatch, way):
    monkeypatch.setattr(support.download, "LARGEST", 5_000_000 if "endless" in way else 1 << 30)
    server = serve(way)
    with pytest.raises(DownloadError, match=r"the zip is longer than [0-9,]+ bytes"):
        fetch(tmp_path, server)
    assert len(server.asked) == 2
    assert not contents(tmp_path)


@pytest.mark.parametrize("bomb", ["longer than 10,000,000", "Bad CRC-32", "not deflated"])
def test_a_bomb(serve, tmp_path, monkeypatch, bomb):
    """50 MB of zeros in a few bytes, whose size is claimed or not."""
    monkeypatch.setattr(support.download, "LARGEST", 10_000_000)
    method = zipfile.ZIP_BZIP2 if bomb == "not deflated" else zipfile.ZIP_DEFLATED
    content = pack({"x": bytes(50_000_000)}, other=0, compress_type=method)
    if "longer" not in bomb:
        content = patch(content, "x", SIZE, 1000, 4)
    archive = tmp_path / "gzip.zip"
    archive.write_bytes(content)
    options = {"members": {"gzip/x": ""}, "retries": 0}
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=bomb):
            fetch(tmp_path, archive=archive, **options)
        archive.unlink()
        for way in ("ranges", "whole"):
            with pytest.raises(DownloadError, match=bomb):
                fetch(tmp_path, serve(way, content=content), **options)
        assert tracemalloc.get_traced_memory()[1] < 30_000_000
    finally:
        tracemalloc.stop()
    assert not contents(tmp_path)


@pytest.mark.parametrize("way", ["ranges", "whole", "by hand"])
def test_a_full_disk(serve, tmp_path, way):
    archive = tmp_path / "gzip.zip"
    if way == "by hand":
        archive.write_bytes(ZIP)
    most = len(ZIP) - 1 if way == "whole" else len(FILES[NAMES[0]]) - 1
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        with pytest.raises(OSError, match=f"File too large: '{tmp_path}/.*(gz|zip)'") as error:
            fetch(tmp_path, serve(way), archive=archive)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert not isinstance(error.value, DownloadError)
    archive.unlink(missing_ok=True)
    assert not contents(tmp_path)


# ---- what is there already


def test_a_bad_file_that_is_there_is_left_alone_and_named(serve, find_at, tmp_path):
    server = serve("ranges")
    (tmp_path / NAMES[1]).write_bytes(b"0 49\n")
    with pytest.raises(InputError, match=f"{tmp_path / NAMES[1]}: .*md5.*remove it and download"):
        fetch(tmp_path, server)
    with pytest.raises(InputError, match=NAMES[1]):
        find_at([server.url], "auto", "digits", tmp_path)
    assert contents(tmp_path) == {NAMES[1]: b"0 49\n"}
    assert not server.asked


def test_a_zip_got_by_hand(serve, tmp_path):
    server = serve("ranges")
    archive = tmp_path / "gzip.zip"
    assert fetch(tmp_path / "no", archive=archive, members={}) == []
    archive.write_bytes(ZIP)
    assert fetch(tmp_path, server, archive=archive) == [tmp_path / name for name in NAMES]
    assert contents(tmp_path) == FILES | {"gzip.zip": ZIP}
    assert not server.asked


def shift_directory(content):
    """Moves the offset of the zip's directory, so that its first members begin before the file."""
    offset = int.from_bytes(content[-6:-2], "little") + 5_000
    return content[:-6] + offset.to_bytes(4, "little") + content[-2:]


# An entry that runs into the next. Since 3.11.8, 3.12.2 and 3.13, Python refuses it unread.
TOO_LONG = "Overlapped" if hasattr(zipfile.ZipInfo, "_end_offset") else "breaks off"
DAMAGED = {  # message: content
    "File is not a zip file": PAGE,
    "not a zip file": ZIP[:-9],
    "There is no item named": pack({}),
    "Bad magic number": flip(ZIP, ZIP.index(f"gzip/{NAMES[0]}".encode()) - 30),
    "Bad CRC-32": flip(ZIP, ZIP.index(FILES[NAMES[0]]) + 30),
    "Invalid argument": shift_directory(pack(FILES, other=0)),  # OSError
    "while decompressing": patch(ZIP, NAMES[0], METHOD, zipfile.ZIP_DEFLATED, 2),  # zlib.error
    "password required": patch(ZIP, NAMES[0], FLAGS, 1, 2),  # RuntimeError
    "not supported": patch(ZIP, NAMES[0], METHOD, 99, 2),  # NotImplementedError
    TOO_LONG: patch(patch(ZIP, NAMES[0], SIZE, 9**8, 4), NAMES[0], PACKED_SIZE, 9**8, 4),
    "md5": pack(FILES | {NAMES[0]: b"another"}),
}


@pytest.mark.parametrize("message", DAMAGED)
def test_a_damaged_zip_got_by_hand(serve, find_at, tmp_path, made_up, message):
    server = serve("ranges")
    archive = tmp_path / "gzip.zip"
    archive.write_bytes(DAMAGED[message])
    with pytest.raises(InputError, match=f"{archive}: .*{message}.*; get it again or remove it"):
        fetch(tmp_path, server, archive=archive)
    with pytest.raises(InputError, match=f"{archive}: .*{message}"):
        find_at([server.url], "auto", "digits", tmp_path)
    assert [*tmp_path.iterdir()] == [archive]
    assert not server.asked


def test_names_in_the_zip_go_nowhere(tmp_path):
    root = tmp_path / "a/data"
    root.mkdir(parents=True)
    evil = {"../../x": b"1", "/../../../x": b"2", f"../../{NAMES[0]}": b"3"}
    archive = root / "gzip.zip"
    archive.write_bytes(pack(FILES | evil))
    fetch(root, archive=archive, members=MEMBERS | md5_sums({"../../x": b"1"}))
    archive.unlink()
    assert contents(root) == FILES | {"x": b"1"}
    assert {path.name for path in tmp_path.rglob("*")} == {"a", "data", "x", *FILES}


# ---- dataset.py


def test_dataset_download(serve, tmp_path, made_up):
    server = serve("ranges")
    root = tmp_path / "new"
    assert dataset.download("digits", root, [server.url]) == [root / name for name in NAMES]
    assert contents(root) == FILES
    asked = len(server.asked)
    (root / NAMES[0].removesuffix(".gz")).write_bytes(gzip.decompress(FILES[NAMES[0]]))
    (root / NAMES[0]).unlink()
    assert dataset.download("digits", root, [server.url]) == []  # unpacked by hand
    assert len(server.asked) == asked
    (x, _), _ = load_emnist("digits", root, scale=False)
    assert np.array_equal(x, random_set(90, classes=10)[0])
    with pytest.raises(ValueError, match="unknown split"):
        dataset.download("digit", root, [server.url])


def test_dataset_download_says_what_to_do(serve, tmp_path):
    server = serve(404)
    with pytest.raises(OSError, match="cannot download digits") as error:
        dataset.download("digits", tmp_path, [server.url])
    for words in (
        f"{server.url}: 404",
        "try again later",
        "gzip.zip",
        str(tmp_path),
        "--data demo",
    ):
        assert words in str(error.value)
    assert not contents(tmp_path)


def test_dataset_download_takes_a_zip_got_by_hand(tmp_path, made_up):
    (tmp_path / "gzip.zip").write_bytes(ZIP)
    dataset.download("digits", tmp_path, [])
    assert contents(tmp_path) == FILES | {"gzip.zip": ZIP}


def test_the_second_of_two_downloads_waits(serve, tmp_path):
    server = serve("ranges")
    code = (
        "import sys, dataset; dataset.MD5.update(eval(sys.argv[1]));"
        "print(dataset.download('digits', sys.argv[2], sys.argv[3:]))"
    )
    words = [sys.executable, "-c", code, repr(MEMBERS), str(tmp_path), server.url]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(words, cwd=PROJECT, **pipes) as second:
        with held(tmp_path):
            assert "another process is at work" in second.stderr.readline()
            fetch(tmp_path, server)  # the first
            asked = len(server.asked)
        assert second.communicate(timeout=20) == ("[]\n", "")
    assert len(server.asked) == asked
    assert contents(tmp_path) == FILES


def test_find_data_downloads(serve, find_at, tmp_path, made_up):
    assert find_at([serve("ranges").url], "auto", "digits", tmp_path) == "emnist"
    assert contents(tmp_path) == FILES


def test_find_data_tries_each_address_once_or_more(serve, find_at, tmp_path, capfd):
    demo = tmp_path / "demo"
    write_files(demo, random_set(94), random_set(47))
    servers = serve(503), serve("whole, broken off")
    urls = [server.url for server in servers]
    assert find_at(urls, "auto", "balanced", tmp_path) == "demo"
    first, *_ = capfd.readouterr().err.splitlines()
    assert "demo" in first
    assert f"{urls[0]}: 503 Server Error" in first
    assert "try again" not in first  # the reason alone: all is well
    assert [len(server.asked) for server in servers] == [1, 2]
    with pytest.raises(FileNotFoundError, match=r"test-labels-idx1-ubyte.*503"):
        find_at(urls, "auto", "letters", tmp_path)
    assert [len(server.asked) for server in servers] == [2, 4]
    with pytest.raises(FileNotFoundError, match=r"test-labels-idx1-ubyte.*503"):
        find_at(urls, "emnist", "balanced", tmp_path)
    tries = 1 + RETRIES
    assert [len(server.asked) for server in servers] == [2 + tries, 4 + 2 * tries]


def test_find_data_with_another_file_in_the_zip(serve, find_at, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"the md5 sum of gzip/emnist-digits.* is wrong"):
        find_at([serve("ranges").url], "auto", "digits", tmp_path)  # it is made up
    assert not contents(tmp_path)


def test_the_command(serve, run, tmp_path, made_up):
    words = ["--split", "digits", "--data-root", tmp_path, "--url"]
    result = run(dataset.cli, "download", *words, serve(404).url, code=1)
    assert result.stderr.startswith("Error: cannot download digits")
    assert len(result.stderr.splitlines()) == 1
    result = run(dataset.cli, "download", *words, serve("ranges").url)
    assert result.stdout.splitlines() == [str(tmp_path / name) for name in NAMES]
    assert (
        run(dataset.cli, "download", *words, serve(404).url).stdout
        == "all files are there already\n"
    )


def test_md5_of_all_splits():
    names = {f"gzip/{name}".replace("digits", split) for split in dataset.CLASSES for name in NAMES}
    assert set(dataset.MD5) == names
    assert len(set(dataset.MD5.values())) == 24
    assert all(re.fullmatch("[0-9a-f]{32}", md5) for md5 in dataset.MD5.values())
