"""convert_idx.sh: idx-ubyte files to text, and each of its refusals."""

import gzip
import os
import shutil
import signal
import subprocess

import numpy as np
import pytest
from conftest import PROJECT, idx, leftovers, wait_until, write_files

SCRIPT = PROJECT / "convert_idx.sh"
IMAGES = "emnist-balanced-train-images-idx3-ubyte"
LABELS = "emnist-balanced-test-labels-idx1-ubyte"
IMAGES_TEXT = "emnist-balanced-train-images-idx3-txt"
LABELS_TEXT = "emnist-balanced-test-labels-idx1-txt"
BSD_OD = """#!/bin/sh
# An od like macOS's: no -w.
for word; do case $word in -w*) echo "od: illegal option -- w" >&2; exit 1 ;; esac; done
exec {od} "$@"
"""


def convert(*words, code=0, **options):
    """Runs the script; what it printed to stderr."""
    command = [str(SCRIPT), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    return done.stderr


def numbers(path):
    """The numbers of a text, exactly one space between them: (lines, columns)."""
    lines = path.read_text().splitlines()
    return np.array([line.split(" ") for line in lines]).astype(int)


def check_texts(folder, train, test):
    for part, (x, y) in (("train", train), ("test", test)):
        images = numbers(folder / f"emnist-balanced-{part}-images-idx3-txt")
        assert (images == x.transpose(0, 2, 1).reshape(len(x), -1)).all()
        labels = numbers(folder / f"emnist-balanced-{part}-labels-idx1-txt")
        assert (labels == y[:, None]).all()


@pytest.mark.parametrize("gz", [False, True])
def test_every_number_in_the_files_own_order(made, tmp_path, gz):
    _, train, test = made
    root = tmp_path / "with space"
    write_files(root, train, test, gz=gz)
    assert convert(root) == ""
    check_texts(root, train, test)
    assert not leftovers(root)


def test_od_without_w(made, tmp_path):
    root, train, test = made
    od = tmp_path / "od"
    od.write_text(BSD_OD.format(od=shutil.which("od")))
    od.chmod(0o755)
    convert(root, env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})
    check_texts(root, train, test)


def test_texts_are_written_to_another_folder(made, tmp_path):
    root, train, test = made
    before = sorted(root.iterdir())
    out = tmp_path / "out"
    out.mkdir()
    convert(root, "balanced", out)
    check_texts(out, train, test)
    assert sorted(root.iterdir()) == before

    message = convert(root, "balanced", tmp_path / "none", code=1)
    assert message.startswith(f"convert_idx.sh: {tmp_path / 'none'}: no folder that can be written")


def test_as_nists_zip_unpacks(made, tmp_path):
    _, train, test = made
    write_files(tmp_path / "data/gzip", train, test, gz=True)
    convert(tmp_path / "data")
    check_texts(tmp_path / "data", train, test)


def test_the_first_file_that_is_found_is_used(made):
    root, train, test = made
    (root / f"{LABELS}.gz").write_bytes(b"not looked at")
    (root / "gzip").mkdir()
    (root / "gzip" / LABELS).write_bytes(b"not looked at")
    convert(root)
    check_texts(root, train, test)


def test_gzip_is_known_by_its_bytes(made):
    root, train, test = made
    (root / LABELS).write_bytes(gzip.compress((root / LABELS).read_bytes()))
    (root / IMAGES).rename(root / f"{IMAGES}.gz")
    convert(root)
    check_texts(root, train, test)


def test_data_root_and_split_are_found(made, tmp_path):
    root, train, test = made
    write_files(tmp_path / "data", train, test, split="digits")
    convert("data", "digits", cwd=tmp_path)
    assert (tmp_path / "data/emnist-digits-test-labels-idx1-txt").exists()

    environment = {**os.environ, "DATA_ROOT": str(root), "HOME": str(root.parent)}
    convert(cwd=tmp_path, env=environment)
    check_texts(root, train, test)
    (root / LABELS_TEXT).unlink()
    convert(f"~/{root.name}", cwd=tmp_path, env=environment)
    check_texts(root, train, test)

    del environment["DATA_ROOT"]
    message = convert(cwd=tmp_path, env=environment, code=1)
    assert message.startswith(f"convert_idx.sh: missing in data: {IMAGES}")


def test_a_text_is_kept_unless_forced(made):
    root, train, test = made
    text = root / LABELS_TEXT
    text.write_text("kept\n")
    convert(root)
    assert text.read_text() == "kept\n"

    with open(text) as reader:
        convert("--force", root)
        assert reader.read() == "kept\n"  # renamed over it: no reader sees half a text
    check_texts(root, train, test)


def test_a_text_without_its_ubyte_file_is_left_alone(made):
    root, _, _ = made
    (root / LABELS).unlink()
    (root / LABELS_TEXT).write_text("kept\n")
    convert("--force", root)
    assert (root / LABELS_TEXT).read_text() == "kept\n"


def test_the_umask_decides_who_may_read(made):
    root, _, _ = made
    convert(root, umask=0o027)
    assert (root / IMAGES_TEXT).stat().st_mode & 0o777 == 0o640


def write_empty_images(path, count):
    path.write_bytes(idx(np.zeros((count, 28, 28), np.uint8)))


def start(root):
    """Starts the script on seconds' work, in a session; returns when its text begins to grow."""
    write_empty_images(root / IMAGES, 30_000)
    process = subprocess.Popen([SCRIPT, root], start_new_session=True, stderr=subprocess.DEVNULL)
    assert wait_until(lambda: any((root / name).stat().st_size for name in leftovers(root)))
    return process


def test_ctrl_c_leaves_nothing(made):
    root, _, _ = made
    with start(root) as process:
        os.killpg(process.pid, signal.SIGINT)
    assert process.returncode in (-signal.SIGINT, 128 + signal.SIGINT)
    assert not leftovers(root)
    assert not list(root.glob("*-txt"))


def test_killed_and_started_again(made):
    root, train, test = made
    images = (root / IMAGES).read_bytes()
    with start(root) as process:
        os.killpg(process.pid, signal.SIGKILL)
    assert not list(root.glob("*-txt"))

    (root / IMAGES).write_bytes(images)
    convert(root)
    check_texts(root, train, test)


def bad_files():
    """Message: the name and the content of the file that it is about."""
    x = np.zeros((3, 28, 28), np.uint8)
    good = idx(x)
    return {
        "empty": (IMAGES, b""),
        "a web page": (f"{IMAGES}.gz", b"<!DOCTYPE html><html>moved</html>"),
        "damaged gzip": (f"{IMAGES}.gz", gzip.compress(good)[:-9]),
        "gzip inside gzip": (f"{IMAGES}.gz", gzip.compress(gzip.compress(good))),
        "12 bytes, shorter than a header": (IMAGES, good[:12]),
        "magic number 2050, expected 2051": (IMAGES, idx(x, magic=2050)),
        "magic number 2051, expected 2049": (LABELS, good),
        "images of 27x28": (IMAGES, idx(x[:, 1:])),
        "holds no images": (IMAGES, idx(x[:0])),
        "2367 bytes, expected 2368": (IMAGES, good[:-1]),
        "2369 bytes, expected 2368": (f"{IMAGES}.gz", gzip.compress(good + b"\0")),
        "10 bytes, expected 11": (LABELS, idx(np.arange(3))[:-1]),
    }


@pytest.mark.parametrize("message", bad_files())
def test_a_bad_file_is_named(made, message):
    root, _, _ = made
    name, content = bad_files()[message]
    plain = name.removesuffix(".gz")
    (root / plain).unlink()
    (root / name).write_bytes(content)
    told = convert(root, code=1)
    assert told.startswith(f"convert_idx.sh: {root / name}: {message}")
    assert len(told.splitlines()) == 1
    assert not (root / plain.replace("ubyte", "txt")).exists()
    assert not leftovers(root)


def test_a_folder_in_place_of_a_file(made):
    root, _, _ = made
    (root / IMAGES).rename(root / "images")
    (root / IMAGES).mkdir()
    (root / "images").rename(root / IMAGES / IMAGES)
    assert f"{root / IMAGES}: a folder, expected a file; move" in convert(root, code=1)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_cannot_be_read(made):
    root, _, _ = made
    (root / IMAGES).chmod(0)
    assert f"{root / IMAGES}: cannot be read" in convert(root, code=1)


def test_no_gzip(made, tmp_path):
    root, _, _ = made
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "bash").symlink_to(shutil.which("bash"))
    told = convert(root, env={**os.environ, "PATH": str(programs)}, code=1)
    assert "gzip is needed; install it" in told


def test_a_full_disk(made):
    root, _, _ = made
    write_empty_images(root / IMAGES, 2_000)
    words = ["bash", "-c", 'ulimit -f 100; exec "$@"', "bash", SCRIPT, root]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"{root / IMAGES_TEXT}: could not be written; is there room" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not leftovers(root)
    assert not (root / IMAGES_TEXT).exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["d", "nope"], "unknown split nope (balanced, byclass"),
        (["d", "balanced", "x", "y"], "too many words; usage: ./convert_idx.sh [--force]"),
        (["--quick"], "unknown option --quick; usage"),
    ],
)
def test_wrong_usage(words, message):
    assert convert(*words, code=2).startswith(f"convert_idx.sh: {message}")
