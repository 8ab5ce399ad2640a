"""support/files.py, and what relies on it: whole files, full disks, locks, read-only folders."""

import codecs
import contextlib
import errno
import fcntl
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from conftest import PROJECT, held, leftovers, random_set, script, wait_until, write_files

from dataset import load_emnist
from support.console import InputError
from support.files import is_stale, locked, read_npz, replacing, save_npz, take_note
from support.geodesic import open_index

CACHE = "emnist-balanced.npz"

# ---- replacing


def test_replacing_makes_and_replaces(tmp_path):
    path = tmp_path / "file"
    for content in ("old", "new"):
        with replacing(path) as unfinished:
            unfinished.write_text(content)
            assert unfinished.parent == tmp_path  # the same disk, so that renaming is one step
            assert not path.exists() or path.read_text() == "old"
            written = unfinished.stat().st_ino
        assert path.read_text() == content
        assert path.stat().st_ino == written  # renamed: a copy might be cut short
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_replacing_leaves_the_old_file_on_failure(tmp_path, error):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(error), replacing(path) as unfinished:
        unfinished.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_replacing_follows_a_link(tmp_path):
    path, link = tmp_path / "elsewhere/file", tmp_path / "link"
    path.parent.mkdir()
    link.symlink_to("elsewhere/file")
    for content in ("new", "newer"):  # a link to nothing, then to a file
        with replacing(link) as unfinished:
            unfinished.write_text(content)
        assert link.is_symlink()
        assert path.read_text() == content
    assert list(path.parent.iterdir()) == [path]


def test_replacing_names_the_file_for_which_there_is_no_room(tmp_path):
    path = tmp_path / "file"
    with pytest.raises(OSError, match=str(path)) as error, replacing(path):
        raise OSError(errno.ENOSPC, "No space left on device")  # as write() does: without a name
    assert error.value.errno == errno.ENOSPC
    for other in (FileNotFoundError(errno.ENOENT, "No such file", "another"), OSError("words")):
        with pytest.raises(OSError) as error, replacing(path):
            raise other
        assert error.value is other  # it says what is wrong
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"), replacing(tmp_path / "folder") as unfinished:
        unfinished.write_text("whole")
    assert not leftovers(tmp_path)


# ---- unfinished files


@pytest.fixture
def gone():
    """The number of a process that has ended."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return process.pid


@pytest.fixture
def hidden(tmp_path, gone):
    """Hidden files in tmp_path: (a person's own and running processes', killed processes')."""
    text = "emnist-balanced-train-images-idx3-txt"
    kept = [
        ".2019-notes",
        ".20240101-backup.tar.gz",
        ".profile",
        f".{gone}-{CACHE}",
        f".{gone}.{CACHE}",
    ]
    kept += [".emnist-autoencoder.notes", ".emnist-autoencoder.my.notes", f"{text}.part.{gone}"]
    kept += [f".emnist-autoencoder.{gone}"]
    kept += [f".emnist-autoencoder.{os.getppid()}.{name}" for name in (CACHE, text)]
    left = [f".emnist-autoencoder.{gone}.{name}" for name in (text, f"{text}.time")]
    for name in kept + left:
        (tmp_path / name).write_text("half")
    return set(kept), set(left)


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_a_lock_removes_what_killed_processes_left(tmp_path, hidden, gone):
    kept, _ = hidden
    (tmp_path / f".emnist-autoencoder.{gone}.{CACHE}").write_text("half")
    with locked(tmp_path):
        assert names(tmp_path) == kept
    assert names(tmp_path) == kept


def test_convert_removes_what_killed_conversions_left(tmp_path, hidden):
    kept, left = hidden
    write_files(tmp_path, random_set(2), random_set(2))
    before = names(tmp_path)
    subprocess.run([PROJECT / "convert_idx.sh", tmp_path], check=True)
    made = {name for name in names(tmp_path) if name.endswith("-txt")} - kept
    assert len(made) == 4
    assert names(tmp_path) == before - left | made


@pytest.mark.parametrize("process", ["1", "my"])
def test_convert_removes_nothing_else(process):
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o777)
        path = Path(place) / f".emnist-autoencoder.{process}.emnist-balanced-test-notes-txt"
        path.write_text("kept")
        other = {"user": 65534} if os.geteuid() == 0 else {}  # whose process 1 is not
        with open(PROJECT / "convert_idx.sh") as file:
            command = ["bash", "-s", "--", place]
            subprocess.run(command, stdin=file, stderr=subprocess.DEVNULL, check=False, **other)
        assert path.exists()


def test_a_dead_process_that_nobody_waits_for(tmp_path):
    with subprocess.Popen(["sh", "-c", "exit"]) as process:  # a zombie, until we wait for it
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        path = tmp_path / f".emnist-autoencoder.{process.pid}.{CACHE}"
        path.write_text("half")
        with locked(tmp_path):
            assert not path.exists()


def test_a_lock_leaves_what_another_users_process_is_writing():
    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as stack:
        os.chmod(place, 0o777)
        path = Path(place) / f".emnist-autoencoder.1.{CACHE}"
        path.write_text("half")
        drop_root(stack)
        with locked(Path(place)):
            assert path.exists()


# ---- locks


def test_a_lock_is_shared_with_nobody(tmp_path):
    with locked(tmp_path), pytest.raises(BlockingIOError):
        handle = os.open(tmp_path, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    os.close(handle)


def test_a_lock_ends_with_its_block_and_makes_the_folder(tmp_path):
    folder = tmp_path / "a/b"
    with pytest.raises(ZeroDivisionError), locked(folder):
        raise ZeroDivisionError
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # nobody holds it
    os.close(handle)


def test_a_second_prepare_waits(made):
    root, _, _ = made
    with contextlib.ExitStack() as stack:
        with held(root):
            processes = [
                stack.enter_context(script("dataset.py", "prepare", "--data-root", root))
                for _ in range(2)
            ]
            for process in processes:
                assert f"another process is at work in {root}" in process.stderr.readline()
            assert not (root / CACHE).exists()
        errors = [process.communicate(timeout=60)[1] for process in processes]
        assert [process.returncode for process in processes] == [0, 0]
    assert sum("converting" in error for error in errors) == 1  # the other finds the cache


def test_a_second_train_is_refused(made, tmp_path):
    root, _, _ = made
    folder = tmp_path / "run"
    folder.mkdir()
    words = ["--data", "emnist", "--data-root", root, "--run-dir", folder]
    with held(folder), script("autoencoder.py", "train", *words) as process:
        wait_until(lambda: process.poll() is not None)
        process.kill()  # if it waits for the lock
        assert f"another process is at work in {folder}; wait for it" in process.stderr.read()
    assert process.returncode == 1
    assert not list(folder.iterdir())


# ---- full disks


def prepare(root, largest):
    """Runs prepare where no file may grow beyond `largest` bytes, as on a full disk."""
    code = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({largest},) * 2)\n"
    code += f"import dataset; dataset.cli(['prepare', '--data-root', {str(root)!r}])"
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)


def test_a_full_disk_leaves_the_old_cache(made):
    root, _, _ = made
    load_emnist("balanced", root)
    old = (root / CACHE).read_bytes()
    for path in root.glob("*-ubyte"):
        os.utime(path, ns=(10**18, 10**18))
    before = names(root)
    done = prepare(root, len(old) - 1000)  # the texts are smaller
    assert done.returncode == 1
    assert f"File too large: '{root / CACHE}'" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert (root / CACHE).read_bytes() == old
    assert names(root) == before
    load_emnist("balanced", root)


def test_a_full_disk_leaves_no_half_text(made):
    root, _, _ = made
    before = names(root)
    done = prepare(root, 100_000)
    assert done.returncode == 1
    text = root / "emnist-balanced-train-images-idx3-txt"
    assert f"{text}: could not be written; is there room on the disk?" in done.stderr
    assert "Traceback" not in done.stderr
    assert {name for name in names(root) - before if "images" in name or "npz" in name} == set()
    assert not leftovers(root)


# ---- read-only folders


def drop_root(stack):
    """Becomes another user, if we are root, until the stack is closed."""
    if os.geteuid() == 0:
        for encoding in ("cp437", "latin-1"):  # Python cannot read its own files later
            codecs.lookup(encoding)
        os.setresuid(65534, 65534, 0)
        stack.callback(os.setresuid, 0, 0, 0)


@pytest.fixture
def read_only():
    """Makes a folder read-only, for root as well: root becomes another user meanwhile."""
    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as stack:
        os.chmod(place, 0o755)
        root = Path(place) / "data"
        root.mkdir()

        def protect():
            os.chmod(root, 0o555)
            stack.callback(os.chmod, root, 0o755)
            drop_root(stack)

        yield root, protect


def skip_if_the_script_is_out_of_reach():
    if not os.access(PROJECT / "convert_idx.sh", os.R_OK):
        pytest.skip("the project lies where only root may read, such as /root")


def test_a_read_only_folder(read_only, capsys):
    root, protect = read_only
    train, test = random_set(94, seed=1), random_set(47, seed=2)
    write_files(root, train, test, gz=True)
    before = names(root)
    protect()
    skip_if_the_script_is_out_of_reach()
    (x, y), (x_test, _) = load_emnist("balanced", root, scale=False)
    assert np.array_equal(x, train[0])
    assert np.array_equal(x_test, test[0])
    assert np.array_equal(y, train[1])
    assert names(root) == before
    (said,) = capsys.readouterr().err.splitlines()
    assert f"{root} is read-only" in said


def test_a_read_only_folder_with_a_cache_or_a_bad_file(read_only, capsys):
    root, protect = read_only
    write_files(root, random_set(94), random_set(47))
    load_emnist("balanced", root)
    bad = root / "emnist-letters-train-images-idx3-ubyte"
    write_files(root, random_set(52, 1, 26), random_set(26, 1, 26), split="letters")
    bad.write_bytes(b"bad")
    protect()
    skip_if_the_script_is_out_of_reach()
    capsys.readouterr()
    load_emnist("balanced", root)
    assert capsys.readouterr().err == ""
    with pytest.raises(ValueError, match=f"{bad}: 3 bytes"):
        load_emnist("letters", root)


def test_an_index_in_a_read_only_folder(read_only, capsys):
    root, protect = read_only
    codes = np.random.default_rng(0).random((50, 4), np.float32)
    path = root / "index.npz"
    index = open_index(path, {}, lambda: [codes])
    path.unlink()
    capsys.readouterr()
    protect()
    assert np.array_equal(open_index(path, {}, lambda: [codes]).codes, index.codes)
    assert f"{root} is read-only: the index is not saved" in capsys.readouterr().err
    assert names(root) == set()


# ---- what is out of date


def test_a_note_is_of_size_and_time(tmp_path):
    path, other = tmp_path / "file", tmp_path / "other"
    path.write_text("content")
    note = take_note(path, other)
    assert note == {"file": [7, path.stat().st_mtime_ns]}
    assert not is_stale(note, take_note(path, other))

    time = path.stat().st_mtime_ns
    for shift in (-1, 1):  # older files are other files too: unzipped ones have their old time
        os.utime(path, ns=(time, time + shift))
        assert is_stale(note, take_note(path, other))
    path.write_text("contents")
    os.utime(path, ns=(time, time))
    assert is_stale(note, take_note(path, other))
    path.write_text("content")
    os.utime(path, ns=(time, time))
    assert not is_stale(note, take_note(path, other))

    other.write_text("new")
    assert is_stale(note, take_note(path, other))
    other.unlink()
    path.unlink()  # what was made from it is still good
    assert not is_stale(note, take_note(path, other))
    assert is_stale({}, {"file": [7, time]})


# ---- npz


ARRAYS = {"x": np.linspace(0, 1, 2000, dtype=np.float32).reshape(2, 1000)}
NOTE = {"file": [7, 10**18]}


def equal(arrays):
    """Whether those of ARRAYS that are there are as they were."""
    pairs = [(array, ARRAYS[name]) for name, array in arrays.items()]
    return all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in pairs)


def test_npz_keeps_arrays_and_note(tmp_path):
    save_npz(tmp_path / "a.npz", ARRAYS, NOTE)
    arrays, note = read_npz(tmp_path / "a.npz")
    assert arrays.keys() == ARRAYS.keys()
    assert equal(arrays)
    assert note == NOTE
    np.savez(tmp_path / "a.npz", **ARRAYS)
    assert read_npz(tmp_path / "a.npz")[1] == {}
    for bad in (b"", b"no zip", (tmp_path / "a.npz").read_bytes()[:-1]):
        (tmp_path / "a.npz").write_bytes(bad)
        with pytest.raises(InputError, match=str(tmp_path / "a.npz")):
            read_npz(tmp_path / "a.npz")
    with pytest.raises(FileNotFoundError):
        read_npz(tmp_path / "none.npz")


def flip(byte, bit):
    return bytes([byte ^ 1 << bit])


def test_each_flipped_bit_of_an_npz_is_noticed_or_harmless(tmp_path):
    path = tmp_path / "a.npz"
    save_npz(path, ARRAYS, NOTE)
    good = path.read_bytes()
    start = good.index(ARRAYS["x"].tobytes())
    x = range(start, start + ARRAYS["x"].nbytes)  # has a checksum: one place in it will do
    wrong = []
    with open(path, "r+b", buffering=0) as file:
        for place in [x[5], *(place for place in range(len(good)) if place not in x)]:
            for bit in range(8):
                os.pwrite(file.fileno(), flip(good[place], bit), place)
                with contextlib.suppress(InputError):
                    arrays, note = read_npz(path)
                    if not equal(arrays) or note != NOTE:  # who misses an array notices it
                        wrong.append((place, bit))
            os.pwrite(file.fileno(), good[place : place + 1], place)
    assert wrong == []


@pytest.mark.parametrize("part", ["directory", "header"])
def test_a_cache_with_a_flipped_bit_is_rebuilt(made, part):
    root, train, _ = made
    load_emnist("balanced", root)
    good = (root / CACHE).read_bytes()
    head = good.index(b"\x93NUMPY", good.index(b"x_train.npy"))
    places = {"header": range(head + 6, head + 86, 2)}  # of the array, as numpy writes it
    places["directory"] = range(good.index(b"PK\x01\x02"), len(good), 37)  # of the zip
    for place in places[part]:
        content = bytearray(good)
        content[place : place + 1] = flip(good[place], place // 2 % 8)
        (root / CACHE).write_bytes(content)
        (x, y), _ = load_emnist("balanced", root, scale=False)
        assert np.array_equal(x, train[0]), place
        assert np.array_equal(y, train[1]), place
