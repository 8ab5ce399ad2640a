"""support/files.py: whole files, locks, what is called damaged, fingerprints, npz files."""

import errno
import fcntl
import os

import numpy as np
import pytest
from conftest import held, script

from support.console import InputError
from support.files import (
    array_fingerprint,
    by_product,
    locked,
    made_once,
    reading,
    replacing,
)

NPZ = "emnist-balanced.npz"


# ---- writing


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, error):
    path = tmp_path / "file"
    path.write_text("old")
    try:
        with replacing(path) as partial:
            partial.write_text("new")
            assert partial.parent == tmp_path  # the same disk, so that renaming is one step
            assert path.read_text() == "old"
            if error:
                raise error
    except (ValueError, KeyboardInterrupt):
        pass
    assert path.read_text() == ("old" if error else "new")
    assert list(tmp_path.iterdir()) == [path]


def test_a_by_product_that_cannot_be_written_is_a_notice(tmp_path, capsys):
    path = tmp_path / "none/file"
    with by_product(path), replacing(path) as partial:
        partial.write_text("content")
    assert capsys.readouterr().err == f"{path} is not saved: No such file or directory\n"


# ---- locks


def test_a_lock_is_shared_with_nobody_but_its_own_process(tmp_path):
    folder = tmp_path / "a/b"  # it makes the folder
    with locked(folder), locked(folder, wait=False):
        handle = os.open(folder, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(handle)


def test_a_second_prepare_waits(made):
    root, _, _ = made
    with held(root):
        process = script("dataset.py", "prepare", "--data-root", root)
        assert "converting" in process.stderr.readline()
        assert f"{root} is locked by another process" in process.stderr.readline()
        assert not (root / NPZ).exists()
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert (root / NPZ).exists()


def test_a_file_system_without_locks_is_used_with_a_notice(tmp_path, monkeypatch, capsys):
    def no_locks(handle, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with locked(tmp_path):
        (tmp_path / "file").write_text("written")
    assert "No locks available" in capsys.readouterr().err


# ---- reading


@pytest.mark.parametrize(
    "error",
    [OSError(errno.EIO, "Input/output error"), MemoryError("too much"), ImportError("no h5py")],
)
def test_an_error_that_is_not_the_files_passes_as_it_is(tmp_path, error):
    with pytest.raises(type(error)) as raised, reading(tmp_path / "file", "do this"):
        raise error
    assert "damaged" not in str(raised.value)
    if isinstance(error, OSError):
        assert str(raised.value) == f"[Errno 5] Input/output error: '{tmp_path / 'file'}'"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"bad", r"damaged \(first line\); do this"),
        (b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer.*git lfs pull.*do this"),
        (b"<!doctype html>", "a web page; do this"),
    ],
)
def test_bytes_that_are_wrong_make_a_file_damaged(tmp_path, content, message):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"{path}: {message}"), reading(path, "do this"):
        raise ValueError("first line\nsecond")


def test_the_fingerprint_of_arrays_is_of_their_numbers_and_shapes():
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    content = array_fingerprint([x])
    assert array_fingerprint([np.asfortranarray(x)]) == content
    assert len({content, *map(array_fingerprint, ([x + 1], [x.T], [x, x], [x[:2], x[2:]]))}) == 5


# ---- npz files


def test_arrays_are_made_once(tmp_path, capsys):
    path = tmp_path / "a.npz"
    made = []

    def make():
        made.append({"count": np.array(len(made))})
        return made[-1]

    def count(note):
        return int(made_once(path, note, make)["count"])

    assert [count({"model": "a"}), count({"model": "a"})] == [0, 0]
    assert [count({"model": "b"}), count({"model": "b"})] == [1, 1]
    assert capsys.readouterr().err == ""
    path.write_bytes(path.read_bytes()[:-1])
    assert [count({"model": "b"}), count({"model": "b"})] == [2, 2]
    assert f"{path}: damaged" in capsys.readouterr().err
