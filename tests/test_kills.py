"""Kills at random moments: nothing half stands under a final name, and the next start succeeds.

Each command is killed with SIGKILL: alone, so that its children go on for a while, or with them.
"""

import contextlib
import hashlib
import http.server
import io
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile

import numpy as np
import pytest
from conftest import PROJECT, leftovers, processes_of, wait_until, write_files

import autoencoder
from support.demo import draw_demo_set
from support.runs import read_config, read_history

DOWNLOAD = "import dataset; dataset.MD5 = {1}; dataset.download('balanced', {root!r}, [{0!r}])"


class RangeHandler(http.server.BaseHTTPRequestHandler):
    """Serves server.content by ranges, slowly enough to be killed in the middle."""

    def do_GET(self):
        content = self.server.content
        first, last = re.fullmatch(r"bytes=(\d*)-(\d+)", self.headers["Range"]).groups()
        part = content[int(first) : int(last) + 1] if first else content[-int(last) :]
        start = int(first) if first else len(content) - len(part)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{start + len(part) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        with contextlib.suppress(OSError):  # the other side was killed
            for place in range(0, len(part), 1 << 14):
                self.wfile.write(part[place : place + (1 << 14)])
                self.server.never.wait(0.01)

    def log_message(self, *words):
        pass


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A folder with a small demo set."""
    folder = tmp_path_factory.mktemp("source")
    write_files(folder, *draw_demo_set(train_per_class=12, test_per_class=5))
    return folder


@pytest.fixture(scope="module")
def served(source):
    """The address of a zip of the demo set, as NIST's, and the md5 sums of its members."""
    packed, md5 = io.BytesIO(), {}
    with zipfile.ZipFile(packed, "w") as archive:
        for path in source.glob("*-ubyte"):
            archive.write(path, name := f"gzip/{path.name}.gz")
            md5[name] = hashlib.md5(path.read_bytes()).hexdigest()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), RangeHandler) as server:
        server.content, server.never = packed.getvalue(), threading.Event()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", md5
        server.shutdown()


def finish(words):
    """Runs a command to its end; its seconds."""
    begun = time.monotonic()
    done = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return time.monotonic() - begun


def kill(words, seconds, children, begun=lambda: True):
    """Starts a command and kills it some seconds after it has begun; children: with those."""
    options = {"cwd": PROJECT, "start_new_session": True, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, **options) as process:
        assert wait_until(begun)
        time.sleep(seconds)  # the tests' one sleep: its length, a random one, is what is tested
        for number in [process.pid, *(processes_of(process.pid) if children else [])]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)


def contents(folder):
    """What stands under final names; of an npz, a zip with the time in it, what it holds."""
    found = {path.name: path.read_bytes() for path in folder.glob("[!.]*")}
    npz = {path.name: np.load(path) for path in folder.glob("[!.]*.npz")}
    return found | {name: {k: v.tobytes() for k, v in file.items()} for name, file in npz.items()}


CASES = [("convert", 2), ("prepare", 2), ("download", 2)]
CASES += [pytest.param(kind, 20, marks=pytest.mark.slow) for kind, _ in CASES]


@pytest.mark.parametrize(("kind", "times"), CASES)
def test_killed_and_started_again(kind, times, source, served, tmp_path):
    def command(root):
        if kind == "download":
            root.mkdir(exist_ok=True)
            return [sys.executable, "-c", DOWNLOAD.format(*served, root=str(root))]
        if not root.exists():
            shutil.copytree(source, root)
        if kind == "convert":
            return [PROJECT / "convert_idx.sh", root]
        return [sys.executable, PROJECT / "dataset.py", "prepare", "--data-root", root]

    rng = random.Random(0)
    seconds = finish(command(tmp_path / "whole"))
    right = contents(tmp_path / "whole")
    for i in range(times):
        root = tmp_path / str(i)
        kill(command(root), rng.uniform(0, seconds), children=i % 2)
        assert contents(root).items() <= right.items()
        finish(command(root))
        assert contents(root) == right
        assert wait_until(lambda root=root: not leftovers(root))  # of children that lived on


@pytest.mark.slow
def test_train_killed_and_started_again(source, run, tmp_path):
    options = ["train", "--data", "emnist", "--data-root", source, "--epochs", "2", "--run-dir"]
    run(autoencoder.cli, *options, whole := tmp_path / "whole")
    right, rng = read_history(whole), random.Random(0)

    def same(history):  # but for the seconds
        pairs = zip(history, right, strict=False)
        return all(a[key] == pytest.approx(b[key], 1e-4) for a, b in pairs for key in list(a)[:4])

    for i in range(20):
        root = tmp_path / str(i)
        words = [sys.executable, PROJECT / "autoencoder.py", *options, root]
        seconds = sum(row["seconds"] for row in right)
        kill(words, rng.uniform(0, seconds), i % 2, begun=(root / "config.json").exists)
        assert same(read_history(root))
        assert not any(zipfile.ZipFile(path).testzip() for path in root.glob("[!.]*.keras"))
        run(autoencoder.cli, *options, root)
        assert len(history := read_history(root)) == 2 and same(history)
        assert {path.name for path in root.iterdir()} == {path.name for path in whole.iterdir()}
        assert read_config(root) == read_config(whole)
