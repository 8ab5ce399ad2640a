"""Kills convert, download, prepare and train at random moments, and looks at what is left.

    python benchmarks/kill.py                        # 20 times each, on the demo set
    python benchmarks/kill.py --times 5 train

Each start is killed with SIGKILL after a random part of the time that it takes undisturbed, every
other time its children with it. Then no file under a final name may differ from an undisturbed one,
and the next start must succeed, with the same files (train: the same history to 1e-4 relative) and
without leftovers.
"""

import csv
import hashlib
import http.server
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path

import click
import numpy as np

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

from dataset import SETTINGS, write_demo

PYTHON = [sys.executable, "-W", "ignore"]
FETCH = """
import json, sys; sys.path.insert(0, {project!r})
from support.download import download
download("balanced", {root!r}, [{url!r}], json.loads({checksums!r}), (), (5, 5))
"""

# ---- a server to download from


class RangeHandler(http.server.SimpleHTTPRequestHandler):
    """Serves server.content by ranges, slowly enough to be killed in the middle."""

    def do_GET(self):
        content = self.server.content
        first, last = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers["Range"]).groups()
        start = int(first) if first else max(0, len(content) - int(last))
        stop = min(int(last) + 1, len(content)) if first and last else len(content)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(content)}")
        self.send_header("Content-Length", str(stop - start))
        self.end_headers()
        for at in range(start, stop, 1 << 16):
            self.wfile.write(content[at : min(at + (1 << 16), stop)])
            time.sleep(0.005)

    def log_message(self, *words):
        pass


def serve(source, packed):
    """Packs the files of `source` as NIST does and serves the zip: its address, their MD5 sums."""
    checksums = {}
    with zipfile.ZipFile(packed, "w") as archive:
        for path in source.iterdir():
            name = path.name + ("" if path.suffix == ".txt" else ".gz")
            archive.write(path, f"gzip/{name}")
            checksums[name] = hashlib.md5(path.read_bytes()).hexdigest()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), RangeHandler)
    server.content = packed.read_bytes()
    server.handle_error = lambda *words: None  # of connections that a kill breaks off
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/", checksums


# ---- what is killed: each takes the folder that it works in and gives a command line


def commands(source, url, checksums, epochs):
    def convert(root):
        return ["bash", PROJECT / "convert_idx.sh", root]

    def download(root):
        fields = {"project": str(PROJECT), "root": str(root), "url": url}
        return [*PYTHON, "-c", FETCH.format(checksums=json.dumps(checksums), **fields)]

    def prepare(root):
        return [*PYTHON, PROJECT / "dataset.py", "prepare", "--data-root", root]

    def train(root):
        words = [*PYTHON, PROJECT / "autoencoder.py", "train", "--run-dir", root]
        if (root / "config.json").exists():
            return [*words, "--resume"]
        return [*words, "--data", "emnist", "--data-root", source, "--epochs", epochs]

    return {"convert": convert, "download": download, "prepare": prepare, "train": train}


def fresh(root, kind, source):
    """The folder root, with what a command of this kind finds there at first."""
    if kind in ("convert", "prepare"):
        made = shutil.ignore_patterns("*-txt", "*.npz")  # by a training from source
        return shutil.copytree(source, root, ignore=made)
    root.mkdir()
    return root


def finish(words):
    """Runs a command to its end; its seconds."""
    start = time.perf_counter()
    words = [str(word) for word in words]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (words, done.stderr)
    return time.perf_counter() - start


def kill(words, seconds, group):
    """Starts a command and kills it after some seconds; group: its children too."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([str(word) for word in words], start_new_session=True, **quiet)
    time.sleep(seconds)
    (os.killpg if group else os.kill)(process.pid, signal.SIGKILL)
    process.wait()


# ---- what is left


def contents(folder):
    """What stands under final names; of npz and keras files (zips with times) only what they hold."""
    found = {}
    for path in folder.iterdir():
        if path.name.startswith(".") or ".part." in path.name or path.suffix == ".csv":
            continue
        if path.suffix in (".npz", ".keras"):
            with zipfile.ZipFile(path) as archive:
                assert archive.testzip() is None, path
            if path.suffix == ".npz":
                with np.load(path) as arrays:
                    found[path.name] = {name: arrays[name].tobytes() for name in arrays}
        elif path.suffix not in (".png", ".json"):
            found[path.name] = path.read_bytes()
    return found


def history(run):
    """The rows of a run's history.csv but their seconds; none where there is no file."""
    path = run / "history.csv"
    if not path.exists():
        return np.empty((0, 4))
    with open(path, newline="") as file:
        return np.array([[float(n) for n in row[:4]] for row in list(csv.reader(file))[1:]])


def leftovers(folder):
    return [path.name for path in folder.iterdir() if re.match(r"\.\d+-|.*\.part\.", path.name)]


def settled(folder, seconds=10):
    """Whether no leftovers remain; a killed command's children may be at work for a while."""
    end = time.perf_counter() + seconds
    while leftovers(folder) and time.perf_counter() < end:
        time.sleep(0.1)
    return not leftovers(folder)


def try_kind(kind, command, source, place, times):
    """Kills and starts again `times` times: a line that says how it went, or AssertionError."""
    rng = random.Random(0)
    whole = fresh(place / f"{kind}-whole", kind, source)
    seconds = finish(command(whole))
    right, right_history = contents(whole), history(whole)
    halves, kept = 0, []
    for i in range(times):
        root = fresh(place / f"{kind}-{i}", kind, source)
        kill(command(root), rng.uniform(0, seconds), group=i % 2)
        halves += bool(leftovers(root))
        for name, content in contents(root).items():
            assert content == right[name], (kind, name)
        kept.append(len(history(root)))
        assert np.allclose(history(root), right_history[: kept[-1]], rtol=1e-4, atol=0)
        finish(command(root))
        assert contents(root) == right, kind
        assert np.allclose(history(root), right_history, rtol=1e-4, atol=0)
        assert settled(root), leftovers(root)
    epochs = f"finished epochs kept {sorted(kept)}, " if any(kept) else ""
    return (
        f"{kind}: {times} kills within {seconds:.1f} s, {halves} left a half file beside its name, "
        f"{epochs}every next start succeeded"
    )


KINDS = click.Choice(["convert", "download", "prepare", "train"])


@click.command(context_settings=SETTINGS)
@click.option("--per-class", type=click.IntRange(1), default=240, help="Training images drawn.")
@click.option("--times", type=click.IntRange(1), default=20, help="Kills of each kind.")
@click.option("--epochs", type=click.IntRange(1), default=3, help="Of a training.")
@click.argument("kinds", nargs=-1, type=KINDS)
def main(per_class, times, epochs, kinds):
    """Kill some KINDS of commands, or all, and print a line for each."""
    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        source = place / "source"
        write_demo(source, train_per_class=per_class)
        made = commands(source, *serve(source, place / "gzip.zip"), epochs)
        for kind in kinds or KINDS.choices:
            click.echo(try_kind(kind, made[kind], source, place, times))


if __name__ == "__main__":
    main()
