"""Kills convert, download, prepare and train at random moments, and looks at what is left.

    python benchmarks/kill.py [--times 20] [convert] [download] [prepare] [train]

Each start (every other time its children with it) is killed with SIGKILL after a random part of the time that it takes undisturbed. Then no
file under a final name may differ from an undisturbed one, and the next start must succeed, with the
same files (train: the same history to 1e-4 relative) and without leftovers.
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

from dataset import write_demo

FETCH = """
import json, sys; sys.path.insert(0, {project!r})
from download import download
download("balanced", {root!r}, [{url!r}], json.loads({checksums!r}), (), (5, 5))
"""


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
    with open(run / "history.csv", newline="") as file:
        return np.array([[float(n) for n in row[:4]] for row in list(csv.reader(file))[1:]])


def leftovers(folder):
    return [path.name for path in folder.iterdir() if re.match(r"\.\d+-|.*\.part\.", path.name)]


@click.command()
@click.option("--times", default=20, show_default=True)
@click.option("--epochs", default=3, show_default=True)
@click.argument("kinds", nargs=-1)
def main(times, epochs, kinds):
    rng = random.Random(0)
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as place:
        place = Path(place)
        source = place / "source"
        write_demo(source)

        python = [sys.executable, "-W", "ignore"]
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), RangeHandler)
        server.handle_error = lambda *words: None  # of connections that a kill breaks off
        threading.Thread(target=server.serve_forever, daemon=True).start()
        packed = place / "gzip.zip"
        checksums = {}
        with zipfile.ZipFile(packed, "w") as archive:
            for path in source.iterdir():
                name = path.name + ("" if path.suffix == ".txt" else ".gz")
                archive.write(path, f"gzip/{name}")
                checksums[name] = hashlib.md5(path.read_bytes()).hexdigest()
        server.content = packed.read_bytes()

        def command(kind, root):
            if kind == "convert":
                return ["bash", PROJECT / "convert_idx.sh", root]
            if kind == "prepare":
                return [*python, PROJECT / "dataset.py", "prepare", "--data-root", root]
            if kind == "download":
                url = f"http://127.0.0.1:{server.server_port}/"
                fields = {"project": str(PROJECT), "root": str(root), "url": url}
                return [*python, "-c", FETCH.format(checksums=json.dumps(checksums), **fields)]
            words = [*python, PROJECT / "autoencoder.py", "train", "--run-dir", root]
            if (root / "config.json").exists():
                return [*words, "--resume"]
            return [*words, "--data", "emnist", "--data-root", source, "--epochs", epochs]

        def finish(kind, root):
            words = [str(word) for word in command(kind, root)]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            assert done.returncode == 0, (kind, done.stderr)

        def kill(kind, root, seconds, group):
            words = [str(word) for word in command(kind, root)]
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            process = subprocess.Popen(words, start_new_session=True, **quiet)
            time.sleep(seconds)
            (os.killpg if group else os.kill)(process.pid, signal.SIGKILL)
            process.wait()

        def fresh(kind, name):
            root = place / name
            shutil.rmtree(root, ignore_errors=True)
            if kind in ("convert", "prepare"):
                shutil.copytree(source, root)
                for made in (*root.glob("*-txt"), *root.glob("*.npz")):
                    made.unlink()
            else:
                root.mkdir()
            return root

        for kind in kinds or ("convert", "download", "prepare", "train"):
            whole = fresh(kind, f"{kind}-whole")
            began = time.perf_counter()
            finish(kind, whole)
            seconds = time.perf_counter() - began
            right = contents(whole)
            halves, epochs_kept = 0, []
            for i in range(times):
                root = fresh(kind, f"{kind}-killed-{i}")
                kill(kind, root, rng.uniform(0, seconds), group=i % 2)  # or its children live on
                halves += bool(leftovers(root))
                for name, content in contents(root).items():
                    assert content == right[name], (kind, name)
                if kind == "train":
                    kept = history(root) if (root / "history.csv").exists() else np.empty((0, 4))
                    assert np.allclose(kept, history(whole)[: len(kept)], rtol=1e-4, atol=0)
                    epochs_kept.append(len(kept))
                finish(kind, root)
                assert contents(root) == right, kind
                for _ in range(100):  # a killed one's children may be at work still
                    if leftovers(root):
                        time.sleep(0.1)
                assert not leftovers(root), leftovers(root)
                if kind == "train":
                    assert np.allclose(history(root), history(whole), rtol=1e-4, atol=0)
            note = f", finished epochs kept {sorted(epochs_kept)}" if epochs_kept else ""
            click.echo(
                f"{kind}: {times} kills within {seconds:.1f} s, "
                f"{halves} left a half file beside its name{note}; every next start succeeded"
            )


if __name__ == "__main__":
    main()
