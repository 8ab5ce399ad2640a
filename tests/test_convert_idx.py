"""convert_idx.sh: idx-ubyte files to text, and what it says about files that are bad or missing."""

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
LABELS_TEXT = "emnist-balanced-test-labels-idx1-txt"
OD_WITHOUT_W = """#!/bin/sh
case " $*" in *" -w"*) echo "od: illegal option -- w" >&2; exit 1 ;; esac
exec {od} "$@"
"""  # as macOS has it


def convert(*words, code=0, env=None, **options):
    """Runs the script; what it printed to stderr."""
    command = [str(word) for word in (SCRIPT, *words)]
    env = os.environ | (env or {})
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env, **options)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    return done.stderr


def numbers(path):
    """The numbers of a text, exactly one space between them: (lines, columns)."""
    lines = path.read_text().splitlines()
    return np.array([line.split(" ") for line in lines]).astype(int)


def check_texts(folder, train, test, split="balanced"):
    for part, (x, y) in (("train", train), ("test", test)):
        images = numbers(folder / f"emnist-{split}-{part}-images-idx3-txt")
        assert (images == x.transpose(0, 2, 1).reshape(len(x), -1)).all()
        labels = numbers(folder / f"emnist-{split}-{part}-labels-idx1-txt")
        assert (labels == y[:, None]).all()


def test_every_number_in_the_files_own_order(made, tmp_path):
    _, train, test = made
    write_files(tmp_path / "with space/gzip", train, test, "demo", gz=True)
    od = tmp_path / "od"
    od.write_text(OD_WITHOUT_W.format(od=shutil.which("od")))
    od.chmod(0o755)
    env = {"SHELLOPTS": "noclobber", "GZIP": "--keep", "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    assert convert("with space", "demo", cwd=tmp_path, env=env, umask=0o027) == ""
    check_texts(tmp_path / "with space", train, test, "demo")
    text = tmp_path / "with space/emnist-demo-test-labels-idx1-txt"
    assert text.stat().st_mode & 0o777 == 0o640
    assert not leftovers(text.parent)


def test_a_plain_file_comes_before_gz_and_gzip_is_known_by_its_bytes(made):
    root, train, test = made
    (root / f"{LABELS}.gz").write_bytes(b"not read")
    (root / LABELS).write_bytes(gzip.compress((root / LABELS).read_bytes()))
    (root / IMAGES).rename(root / f"{IMAGES}.gz")
    convert(root)
    check_texts(root, train, test)


def test_folders(made, tmp_path):
    root, train, test = made
    (tmp_path / "out").mkdir()
    convert("~/emnist", "balanced", "~/out", env={"HOME": str(tmp_path)})
    check_texts(tmp_path / "out", train, test)
    convert(cwd=tmp_path, env={"DATA_ROOT": "emnist"})
    check_texts(root, train, test)

    message = convert(root, "balanced", tmp_path / "none", code=1)
    assert f"{tmp_path / 'none' / IMAGES.replace('ubyte', 'txt')}: No such file" in message


def test_a_text_is_kept_unless_forced_and_there_is_its_ubyte_file(made):
    root, train, test = made
    (root / LABELS_TEXT).write_text("kept\n")
    convert(root)
    assert (root / LABELS_TEXT).read_text() == "kept\n"
    convert("--force", root)
    check_texts(root, train, test)
    (root / LABELS).unlink()
    convert("--force", root)
    check_texts(root, train, test)


def test_missing_files(tmp_path):
    message = convert("a b", "demo", cwd=tmp_path, code=1)
    assert message.startswith("convert_idx.sh: missing in a b: emnist-demo-train-images-idx3-ubyte")
    command = f"python {PROJECT}/dataset.py prepare --split demo --data-root a\\ b"
    assert message.endswith(f"; run: {command}\n")


def test_a_killed_conversion_leaves_no_half_text(made):
    root, _, _ = made
    (root / IMAGES).write_bytes(idx(np.zeros((30_000, 28, 28))))  # seconds of work
    with subprocess.Popen([SCRIPT, root], start_new_session=True) as process:
        assert wait_until(lambda: any((root / name).stat().st_size for name in leftovers(root)))
        os.killpg(process.pid, signal.SIGKILL)
    assert not list(root.glob("*-txt"))


BAD = {  # message: the name of a file, its content
    "gzip says": (f"{IMAGES}.gz", gzip.compress(idx(np.zeros((3, 28, 28))))[:-9]),
    "magic number 0, expected 2051": (f"{IMAGES}.gz", b""),
    "magic number 2051, expected 2049": (LABELS, idx(np.zeros((3, 28, 28)))),
    "a Git LFS pointer; run: git lfs pull": (LABELS, b"version https://git-lfs.github.com/spec"),
    "2367 bytes, expected 2368": (IMAGES, idx(np.zeros((3, 28, 28)))[:-1]),
}


@pytest.mark.parametrize("message", BAD)
def test_a_bad_file_is_named(made, message):
    root, _, _ = made
    name, content = BAD[message]
    plain = name.removesuffix(".gz")
    (root / plain).unlink()
    (root / name).write_bytes(content)
    told = convert(root, code=1)
    assert told.startswith(f"convert_idx.sh: {root / name}: {message}")
    assert len(told.splitlines()) == 1
    assert not (root / plain.replace("ubyte", "txt")).exists()
    assert not leftovers(root)


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="needs a file that fails on read")
def test_an_error_while_reading_is_not_called_damage(made):
    root, _, _ = made
    (root / IMAGES).unlink()
    (root / IMAGES).symlink_to("/proc/self/mem")
    message = convert(root, code=1)
    assert message.startswith(f"convert_idx.sh: {root / IMAGES}: Input/output error; check")


@pytest.mark.parametrize("words", ["d nope", "d balanced x y", "--quick"])
def test_wrong_usage(words):
    assert "; usage: ./convert_idx.sh [--force] [DATA_ROOT" in convert(*words.split(), code=2)
