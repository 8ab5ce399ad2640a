"""support/files.py: whole files, locks, fingerprints, npz files."""

import errno
import fcntl
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import PROJECT, held, leftovers, script

from dataset import load_emnist
from support.console import InputError
from support.files import (
    DAY,
    PARTIAL,
    array_fingerprint,
    has_changed,
    locked,
    made_once,
    read_npz,
    replacing,
    save_npz,
    stamp,
)

CACHE = "emnist-balanced.npz"

# ---- replacing


def test_replacing_renames_a_file_of_the_same_folder(tmp_path):
    path = tmp_path / "file.txt"
    for content in ("old", "new"):
        with replacing(path) as partial:
            partial.write_text(content)
            assert partial.parent == tmp_path  # the same disk, so that renaming is one step
            assert not path.exists() or path.read_text() == "old"
            written = partial.stat().st_ino
        assert path.read_text() == content
        assert path.stat().st_ino == written
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file(tmp_path, error):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(error), replacing(path) as partial:
        partial.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_is_replaced_and_not_followed(tmp_path):
    somebodys, link = tmp_path / "somebodys", tmp_path / "link"
    somebodys.write_text("precious")
    link.symlink_to(somebodys)
    with replacing(link) as partial:
        partial.write_text("ours")
    assert somebodys.read_text() == "precious"
    assert not link.is_symlink()
    assert link.read_text() == "ours"


def test_two_writers_of_one_file_have_partial_files_of_their_own(tmp_path):
    path = tmp_path / "file"
    with replacing(path) as first, replacing(path) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"  # renamed last


def test_a_full_disk_names_the_file(tmp_path):
    path = tmp_path / "file"
    with pytest.raises(OSError, match=str(path)) as error, replacing(path):
        raise OSError(errno.ENOSPC, "No space left on device")  # as write() does: without a name
    assert error.value.errno == errno.ENOSPC


def test_a_full_disk_leaves_the_old_cache(made):
    root, _, _ = made
    load_emnist("balanced", root)
    old = (root / CACHE).read_bytes()
    (root / "emnist-balanced-test-labels-idx1-ubyte").write_bytes(b"\0\0\10\1\0\0\0\57" + bytes(47))
    limit = len(old) - 1000  # bytes in a file; the texts are smaller
    code = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit},) * 2)\n"
    code += f"import dataset; dataset.cli(['prepare', '--data-root', {str(root)!r}])"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"File too large: '{root / CACHE}'" in done.stderr.splitlines()[-1]
    assert (root / CACHE).read_bytes() == old
    assert not leftovers(root)


# ---- locks


def test_a_lock_is_shared_with_nobody_and_ends_with_its_block(tmp_path):
    folder = tmp_path / "a/b"  # it makes the folder
    with locked(folder):
        handle = os.open(folder, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(handle)


def test_a_second_prepare_waits(made):
    root, _, _ = made
    with held(root):
        process = script("dataset.py", "prepare", "--data-root", root)
        assert f"{root} is locked by another process" in process.stderr.readline()
        assert not (root / CACHE).exists()
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert (root / CACHE).exists()


def test_without_waiting_a_locked_folder_is_refused(tmp_path):
    told = pytest.raises(OSError, match=f"{tmp_path} is locked by another process")
    with held(tmp_path), told, locked(tmp_path, wait=False):
        pass


def test_a_file_system_without_locks_is_used_with_a_notice(tmp_path, monkeypatch, capsys):
    def no_locks(handle, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with locked(tmp_path):
        (tmp_path / "file").write_text("written")
    assert "No locks available" in capsys.readouterr().err


def test_a_lock_removes_partial_files_of_yesterday(tmp_path):
    old, new, others = (tmp_path / name for name in (f"{PARTIAL}1", f"{PARTIAL}2.npz", ".notes"))
    for path in (old, new, others):
        path.write_text("half")
    for path in (old, others):
        time = path.stat().st_mtime - DAY - 1
        os.utime(path, (time, time))
    with locked(tmp_path):
        pass
    assert not old.exists()
    assert new.exists()  # it may still be written to
    assert others.exists()


def test_a_broken_link_as_folder_is_named(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    told = pytest.raises(InputError, match=f"{tmp_path / 'link'}: a file or a broken link")
    with told, locked(tmp_path / "link"):
        pass


# ---- fingerprints


def test_a_file_has_changed_if_its_content_has(tmp_path):
    path = tmp_path / "file"
    path.write_text("content")
    saved = stamp(path)
    time = saved[1]
    assert not has_changed(path, saved)
    os.utime(path, ns=(time, time + 1))  # a copy with another time
    assert not has_changed(path, saved)
    path.write_text("CONTENT")
    os.utime(path, ns=(time, time + 1))
    assert has_changed(path, saved)
    path.write_text("contents")
    os.utime(path, ns=(time, time))  # another size with the old time
    assert has_changed(path, saved)


def test_the_fingerprint_of_arrays_is_of_their_numbers_and_shapes():
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    content = array_fingerprint([x])
    assert array_fingerprint([np.asfortranarray(x)]) == content
    assert len({content, *map(array_fingerprint, ([x + 1], [x.T], [x, x], [x[:2], x[2:]]))}) == 5


# ---- npz files

ARRAYS = {"x": np.linspace(0, 1, 2000, dtype=np.float32).reshape(2, 1000), "y": np.arange(2)}


def test_an_npz_keeps_arrays_and_note(tmp_path):
    path = tmp_path / "a.npz"
    save_npz(path, ARRAYS, {"file": [7, 10**18]})
    arrays, note = read_npz(path)
    assert sorted(arrays) == ["x", "y"]
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        assert np.array_equal(arrays[name], array)
    assert note == {"file": [7, 10**18]}
    assert sorted(read_npz(path, ["y"])[0]) == ["y"]
    assert read_npz(path, []) == ({}, note)
    np.savez(path, **ARRAYS)  # by somebody else
    assert read_npz(path)[1] == {}


def damaged_files():
    return {
        "empty": b"",
        "garbage": b"no zip",
        "cut": lambda good: good[:-1],
        "flipped": lambda good: good.replace(b"\x80\x3f", b"\x81\x3f"),  # 1.0 in float32
    }


@pytest.mark.parametrize("damage", damaged_files())
def test_a_damaged_npz_is_named(tmp_path, damage):
    path = tmp_path / "a.npz"
    save_npz(path, ARRAYS, {})
    content = damaged_files()[damage]
    path.write_bytes(content(path.read_bytes()) if callable(content) else content)
    with pytest.raises(InputError, match=f"{path}: damaged"):
        read_npz(path)


def test_a_missing_npz_is_told_from_a_damaged_one(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_npz(tmp_path / "none.npz")


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


def test_arrays_are_made_in_a_read_only_folder_too(tmp_path, monkeypatch, capsys):
    def replace(source, target):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), target)

    monkeypatch.setattr(os, "replace", replace)  # root may write to any folder
    arrays = made_once(tmp_path / "a.npz", {}, lambda: {"x": np.arange(3)})
    assert arrays["x"].tolist() == [0, 1, 2]
    assert capsys.readouterr().err == f"{tmp_path} is read-only: a.npz is not saved\n"
    assert not list(tmp_path.iterdir())
