"""dataset.py download: against a web server on this machine that behaves well, or does not."""

import contextlib
import gzip
import hashlib
import http.server
import io
import re
import resource
import threading
import zipfile

import numpy as np
import pytest
from conftest import idx, random_set

import dataset
from dataset import find_data, load_emnist
from support.download import CHECKSUMS as NIST_CHECKSUMS
from support.download import download

PAGE = b"<!DOCTYPE html><html>moved</html>"
NAMES = [
    f"emnist-digits-{part}-{kind}-ubyte.gz" for part in dataset.PARTS for kind in dataset.KINDS
]
MAPPING = "emnist-digits-mapping.txt"
DIGITS = "".join(f"{n} {n + 48}\n" for n in range(10)).encode()


def make_files():
    (x, y), (x_test, y_test) = random_set(90, classes=10), random_set(40, classes=10, seed=1)
    arrays = [x.transpose(0, 2, 1), y, x_test.transpose(0, 2, 1), y_test]
    return {name: gzip.compress(idx(array)) for name, array in zip(NAMES, arrays)}


FILES = {**make_files(), MAPPING: DIGITS}
CHECKSUMS = {name: hashlib.md5(FILES[name]).hexdigest() for name in NAMES}


def pack(files, other=3_000_000):
    """A zip as NIST's: all under gzip/, and `other` bytes of other splits before."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("gzip/emnist-byclass-train-images-idx3-ubyte.gz", bytes(other))
        for name, content in files.items():
            archive.writestr(f"gzip/{name}", content)
    return packed.getvalue()


ZIP = pack(FILES)


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves server.content as server.ways tell, a way for each request, the last for ever."""

    def do_GET(self):
        server = self.server
        way = server.ways.pop(0) if len(server.ways) > 1 else server.ways[0]
        wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        server.asked.append(way)
        content = server.content
        if way == "stall":
            server.stop.wait(20)
            return
        if isinstance(way, int):
            return self.send_error(way)
        if way == "redirect":
            self.send_response(302)
            self.send_header("Location", "/moved.zip")
            return self.end_headers()
        if way == "page":
            content = PAGE
        if wanted and way not in ("whole", "page", "whole, broken off"):
            first, last = wanted.groups()
            start = int(first) if first else max(0, len(content) - int(last))
            stop = min(int(last) + 1, len(content)) if first and last else len(content)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(content)}")
            content = content[start:stop]
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if "broken off" in str(way) and len(content) > 1000:
            content = content[: len(content) // 2]
        with contextlib.suppress(OSError):
            server.sent += self.wfile.write(content)

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


def fetch(root, *servers, checksums=CHECKSUMS, pauses=(0, 0), timeout=(1, 0.3)):
    return download("digits", root, [s.url for s in servers], checksums, pauses, timeout)


def check_whole(root):
    assert {path.name: path.read_bytes() for path in root.iterdir()} == FILES


@pytest.mark.parametrize(
    "ways",
    [
        ["ranges"],
        ["whole"],
        ["redirect", "ranges"],
        ["redirect", "whole"],
        [503, "ranges"],
        ["ranges", 503, "ranges"],
        ["stall", "ranges"],
        ["ranges", "stall", "ranges"],
        ["ranges", "ranges", "broken off", "ranges"],
        ["whole, broken off", "whole"],
    ],
    ids=lambda ways: ", ".join(map(str, ways)),
)
def test_comes_whole(serve, tmp_path, ways):
    server = serve(*ways)
    paths = fetch(tmp_path / "new", server)
    assert [path.name for path in paths] == [*NAMES, MAPPING]
    check_whole(tmp_path / "new")
    (x, _), _ = load_emnist("digits", tmp_path / "new", scale=False)
    assert np.array_equal(x, random_set(90, classes=10)[0])


def test_only_the_wanted_members_are_fetched(serve, tmp_path):
    server = serve("ranges")
    fetch(tmp_path, server)
    wanted = sum(map(len, FILES.values()))
    assert wanted < server.sent < wanted + 70_000 < len(ZIP) / 10


def flip(content, place):
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def failures():
    place = ZIP.index(FILES[NAMES[1]])  # of the second file; the zip holds it as it is
    wrong = FILES | {NAMES[2]: FILES[NAMES[0]]}
    short = FILES | {MAPPING: DIGITS[:-5]}
    lacking = {name: content for name, content in FILES.items() if name != NAMES[3]}
    huge = bytearray(ZIP)
    entry = ZIP.rindex(f"gzip/{NAMES[0]}".encode()) - 46  # in the zip's directory
    huge[entry + 24 : entry + 28] = (2**32 - 2).to_bytes(4, "little")
    return {
        "Not Found (404)": (404, ZIP, 1),
        "Service Unavailable (503)": (503, ZIP, 3),
        "a web page": ("page", ZIP, 1),
        "no answer in time": ("stall", ZIP, 3),
        "broke off": ("whole, broken off", ZIP, 3),
        "Bad CRC-32": ("ranges", flip(ZIP, place + 30), 8),
        f"{NAMES[2]} is not NIST's file": ("whole", pack(wrong), 3),
        f"{MAPPING} is not NIST's file": ("whole", pack(short), 3),
        f"no item named 'gzip/{NAMES[3]}": ("whole", pack(lacking), 3),
        "claims 4,294,967,294 bytes": ("whole", bytes(huge), 3),
        "not a zip file": ("whole", ZIP[:-1000], 3),
    }


@pytest.mark.parametrize("message", failures())
def test_a_failure_is_told_and_the_second_address_helps(serve, tmp_path, message):
    way, content, times = failures()[message]
    bad = serve(way, content=content)
    with pytest.raises(OSError, match=re.escape(message)) as error:
        fetch(tmp_path, bad)
    for words in (bad.url, str(tmp_path), "try again later", "gzip.zip", "--data demo"):
        assert words in str(error.value)
    assert "\n" not in str(error.value)
    assert len(bad.asked) == times
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert kept.items() < FILES.items()
    good = serve("ranges")
    assert len(fetch(tmp_path, bad, good)) == len(FILES) - len(kept)
    check_whole(tmp_path)


def test_finished_files_are_kept(serve, tmp_path):
    place = ZIP.index(FILES[NAMES[2]])
    with pytest.raises(OSError, match="CRC"):
        fetch(tmp_path, serve("ranges", content=flip(ZIP, place + 30)), pauses=())
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == set(NAMES[:2])
    server = serve("ranges")
    fetch(tmp_path, server)
    check_whole(tmp_path)
    assert server.sent < 70_000 + sum(len(FILES[name]) for name in FILES if name not in kept)


def test_nobody_listens(serve, tmp_path):
    server = serve("ranges")
    server.shutdown()
    server.server_close()
    with pytest.raises(OSError, match="no connection"):
        fetch(tmp_path, server, pauses=(60,))
    with pytest.raises(OSError, match="Invalid URL"):
        download("digits", tmp_path, ["nowhere"], CHECKSUMS, pauses=(60,))


def test_nothing_is_fetched_when_all_is_there(serve, tmp_path):
    server = serve("ranges")
    fetch(tmp_path, server)
    asked = len(server.asked)
    assert fetch(tmp_path, server) == []
    (tmp_path / NAMES[0].removesuffix(".gz")).write_bytes(gzip.decompress(FILES[NAMES[0]]))
    (tmp_path / NAMES[0]).unlink()
    assert fetch(tmp_path, server) == []  # unpacked by hand
    assert len(server.asked) == asked


@pytest.mark.parametrize("name", [NAMES[1], MAPPING])
def test_a_bad_file_that_is_there_is_left_alone_and_named(serve, tmp_path, name):
    server = serve("ranges")
    (tmp_path / name).write_bytes(b"0 49\n")
    with pytest.raises(ValueError, match=f"{tmp_path / name} is not NIST's"):
        fetch(tmp_path, server)
    with pytest.raises(ValueError, match=name):
        find_data("auto", "digits", tmp_path, [server.url])
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert not server.asked


def test_a_zip_placed_by_hand(tmp_path):
    archive = tmp_path / "gzip.zip"
    for content, message in ((PAGE, "not a zip"), (ZIP[:-9], "zip"), (pack({}), "no item")):
        archive.write_bytes(content)
        with pytest.raises(ValueError, match=f"{archive}: .*{message}.*remove it"):
            fetch(tmp_path)
        assert list(tmp_path.iterdir()) == [archive]
    archive.write_bytes(ZIP)
    fetch(tmp_path)
    assert archive.read_bytes() == ZIP
    archive.unlink()
    check_whole(tmp_path)


@pytest.mark.parametrize("way", ["ranges", "whole"])
def test_a_full_disk(serve, tmp_path, way):
    most = len(FILES[NAMES[0]]) - 1 if way == "ranges" else len(ZIP) - 1
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        with pytest.raises(OSError, match=f"File too large: '{tmp_path}/.*(gz|zip)'"):
            fetch(tmp_path, serve(way))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert not list(tmp_path.iterdir())
    fetch(tmp_path, serve(way))
    check_whole(tmp_path)


def test_names_in_the_zip_go_nowhere(tmp_path):
    root = tmp_path / "a/data"
    root.mkdir(parents=True)
    evil = {"../../x": b"1", "/../../../x": b"2", f"../../{NAMES[0]}": b"3"}
    (root / "gzip.zip").write_bytes(pack(FILES | evil))
    fetch(root)
    (root / "gzip.zip").unlink()
    check_whole(root)
    assert {path.name for path in tmp_path.rglob("*")} == {"a", "data", *FILES}


def test_auto_tries_each_address_once(serve, tmp_path, capfd):
    servers = serve(503), serve("page")
    urls = [server.url for server in servers]
    assert find_data("auto", "balanced", tmp_path, urls) == ("demo", tmp_path / "demo")
    first, *_ = capfd.readouterr().err.splitlines()
    assert "demo" in first
    assert f"{urls[0]}: the server said Service Unavailable (503)" in first
    assert [len(server.asked) for server in servers] == [1, 1]
    with pytest.raises(FileNotFoundError, match="test-labels-idx1-ubyte.*503"):
        find_data("auto", "letters", tmp_path, urls)


def test_find_data_downloads(serve, tmp_path):
    server = serve("ranges", content=pack(FILES))
    with pytest.raises(FileNotFoundError, match="is not NIST's file"):  # for it is made up
        find_data("auto", "digits", tmp_path, [server.url])
    (tmp_path / "gzip.zip").write_bytes(b"")
    with pytest.raises(ValueError, match=r"gzip\.zip"):
        find_data("auto", "digits", tmp_path, [server.url])


def test_the_command(serve, run, tmp_path):
    server = serve("page")
    words = ["--split", "digits", "--data-root", tmp_path, "--url", server.url]
    result = run(dataset.cli, "download", *words, code=1)
    assert result.stderr.startswith("Error: cannot download digits")
    assert len(result.stderr.splitlines()) == 1
    (tmp_path / MAPPING).write_bytes(DIGITS)
    for name in NAMES:
        (tmp_path / name.removesuffix(".gz")).write_bytes(gzip.decompress(FILES[name]))
    assert run(dataset.cli, "download", *words).stdout == "all there already\n"
    assert "10: 0123456789" in run(dataset.cli, "prepare", *words[:4]).stdout


def test_checksums_of_all_splits():
    names = {
        f"emnist-{split}-{end}"
        for split in dataset.CLASSES
        for end in (name.removeprefix("emnist-digits-") for name in NAMES)
    }
    assert set(NIST_CHECKSUMS) == names
    assert len(set(NIST_CHECKSUMS.values())) == 24
    for md5 in NIST_CHECKSUMS.values():
        assert re.fullmatch("[0-9a-f]{32}", md5)
