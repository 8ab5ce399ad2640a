"""convert_idx.sh: idx-ubyte files to text, and each of its refusals."""

import gzip
import os
import shutil
import signal
import subprocess

import numpy as np
import pytest
from conftest import (
    PROJECT,
    idx,
    leftovers,
    processes_of,
    wait_until,
    write_files,
    write_many_images,
)

IMAGES = "emnist-balanced-train-images-idx3-ubyte"
LABELS = "emnist-balanced-test-labels-idx1-ubyte"
IMAGES_TEXT = "emnist-balanced-train-images-idx3-txt"
LABELS_TEXT = "emnist-balanced-test-labels-idx1-txt"
BSD_OD = """#!/bin/sh
# An od like macOS's: no -w.
for word; do case $word in -w*) echo "od: illegal option -- w" >&2; exit 1 ;; esac; done
exec {od} "$@"
"""
PASTE_OF_A_REMOVED_FILE = """#!/bin/sh
# A paste whose output loses its name: a killed script's child, once a new start has cleared up.
cat >/dev/null
rm -f {root}/.emnist-autoencoder.*-txt
"""


def convert(*words, **options):
    command = [str(PROJECT / "convert_idx.sh"), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def numbers(path):
    return np.array([[int(n) for n in line.split(" ")] for line in path.read_text().splitlines()])


@pytest.mark.parametrize("gz", [False, True])
def test_every_number_in_the_files_own_order(made, tmp_path, gz):
    _, train, test = made
    root = tmp_path / "with space"
    write_files(root, train, test, gz=gz)
    done = convert(root)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    for part, (x, y) in (("train", train), ("test", test)):
        images = numbers(root / f"emnist-balanced-{part}-images-idx3-txt")
        assert (images == x.transpose(0, 2, 1).reshape(len(x), 784)).all()
        assert (numbers(root / f"emnist-balanced-{part}-labels-idx1-txt")[:, 0] == y).all()
    assert not leftovers(root)


def convert_with(folder, name, program, root):
    """Runs the script where another program has the name of one that it calls."""
    (folder / name).write_text(program)
    (folder / name).chmod(0o755)
    return convert(root, env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"})


def test_od_without_w(made, tmp_path):
    root, train, _ = made
    assert convert_with(tmp_path, "od", BSD_OD.format(od=shutil.which("od")), root).returncode == 0
    x, _ = train
    assert (numbers(root / IMAGES_TEXT) == x.transpose(0, 2, 1).reshape(-1, 784)).all()


def test_data_root_and_split_are_found(made, tmp_path):
    root, train, test = made
    (tmp_path / "data").mkdir()
    write_files(tmp_path / "data", train, test, split="digits")
    assert convert("data", "digits", cwd=tmp_path).returncode == 0
    assert (tmp_path / "data/emnist-digits-test-labels-idx1-txt").exists()
    assert convert(cwd=tmp_path, env={**os.environ, "DATA_ROOT": str(root)}).returncode == 0
    assert (root / LABELS_TEXT).exists()
    done = convert(cwd=tmp_path, env={k: v for k, v in os.environ.items() if k != "DATA_ROOT"})
    assert done.returncode == 1
    assert f"data/{IMAGES}: no such file" in done.stderr


def test_plain_wins_over_gz(made):
    root, _, _ = made
    (root / f"{LABELS}.gz").write_bytes(b"not looked at")
    assert convert(root).returncode == 0


def test_text_has_its_ubyte_files_time_and_is_made_again_when_they_differ(made):
    root, _, _ = made
    ubyte, text = root / LABELS, root / LABELS_TEXT
    os.utime(ubyte, ns=(10**18, 10**18 + 123_456_789))  # of 2001, as unzipped files have it
    convert(root)
    assert text.stat().st_mtime_ns == ubyte.stat().st_mtime_ns
    right = text.read_text()

    def kept(text_time):
        text.write_text("old\n")
        os.utime(text, ns=(text_time, text_time))
        with open(text) as reader:
            assert convert(root).returncode == 0
            assert reader.read() == "old\n"  # renamed over it: no reader sees half a text
        return text.read_text() == "old\n"

    time = ubyte.stat().st_mtime_ns
    assert kept(time)
    assert not kept(time - 1)
    assert not kept(time + 1)
    assert text.read_text() == right
    os.utime(ubyte, ns=(4 * 10**18, 4 * 10**18))  # in 2096
    assert not kept(time)
    assert kept(4 * 10**18)
    convert("--force", root)
    assert text.read_text() == right
    text.write_text("kept\n")
    ubyte.unlink()
    assert convert(root).returncode == 0  # text without its ubyte file is good enough
    assert text.read_text() == "kept\n"


def test_a_folder_that_begins_with_a_dash(made, tmp_path):
    _, train, test = made
    write_files(tmp_path / "-d", train, test)
    for words in (["./-d"], ["--", "-d"]):
        assert convert("--force", *words, cwd=tmp_path).returncode == 0
    assert (tmp_path / "-d" / LABELS_TEXT).exists()


def test_no_empty_text_where_another_start_removed_the_unfinished_file(made, tmp_path):
    root, _, _ = made
    paste = PASTE_OF_A_REMOVED_FILE.format(root=root)
    assert convert_with(tmp_path, "paste", paste, root).returncode == 1
    assert not list(root.glob("*-txt"))
    assert not leftovers(root)


def test_signals_end_it_and_leave_nothing(made):
    root, _, _ = made
    write_many_images(root / IMAGES)
    command = [PROJECT / "convert_idx.sh", root]
    with subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL) as process:
        unfinished = f".emnist-autoencoder.*.{IMAGES_TEXT}"
        assert wait_until(lambda: any(path.stat().st_size for path in root.glob(unfinished)))
        for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM, signal.SIGTERM):
            process.send_signal(number)
        assert process.wait(timeout=60) in (130, 143)
    assert not processes_of(process.pid)
    assert not leftovers(root)
    assert not (root / IMAGES_TEXT).exists()


def bad_files():
    x = np.zeros((3, 28, 28), np.uint8)
    good = idx(x)
    return {
        "magic number 2050": (IMAGES, idx(x, magic=2050)),
        "magic number 2049": (IMAGES, idx(np.arange(900, dtype=np.uint8))),
        "images of 27x28": (IMAGES, idx(x[:, 1:])),
        "2367 bytes, expected 2368": (IMAGES, good[:-1]),
        "2369 bytes, expected 2368": (IMAGES, good + b"\0"),
        "empty": (IMAGES, b""),
        "a header": (IMAGES, good[:12]),
        "holds no images": (IMAGES, idx(x[:0])),
        "a web page": (IMAGES, b"<!DOCTYPE html><html>moved</html>"),
        "gzip data under this name": (IMAGES, gzip.compress(good)),
        "damaged or not gzip": (f"{IMAGES}.gz", good),
        "damaged": (f"{IMAGES}.gz", gzip.compress(good)[:-9]),
        "a web page,": (f"{IMAGES}.gz", b"<!DOCTYPE html><html>moved</html>"),
        "magic number 2051, expected 2049": (LABELS, good),
        "10 bytes, expected 11": (LABELS, idx(np.arange(3))[:-1]),
    }


@pytest.mark.parametrize("message", bad_files())
def test_a_bad_file_is_named_and_the_others_are_converted(made, message):
    root, _, _ = made
    name, content = bad_files()[message]
    stem = name.removesuffix(".gz")
    (root / stem).unlink()
    (root / name).write_bytes(content)
    done = convert(root)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert str(root / name) in done.stderr
    assert message in done.stderr
    texts = {path.name for path in root.iterdir() if path.name not in (name, stem)}
    assert stem.replace("ubyte", "txt") not in texts
    assert len([text for text in texts if text.endswith("-txt")]) == 3
    assert not leftovers(root)


@pytest.mark.parametrize("words", [["d", "nope"], ["d", "balanced", "x"], ["--quick"]])
def test_wrong_usage(words):
    done = convert(*words)
    assert done.returncode == 2
    assert "usage" in done.stderr
