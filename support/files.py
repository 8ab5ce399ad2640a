"""Files written whole or not at all, locked folders, and notes of what files were made from."""

import contextlib
import errno
import fcntl
import json
import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from support.console import InputError, notice

UNFINISHED = ".emnist-autoencoder."  # names of unfinished files begin with it, and no others


READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)  # errors in folders that are read-only


@contextlib.contextmanager
def temporary(path):
    """Yields a path beside `path` for a temporary file, which is removed at the end."""
    unfinished = path.with_name(f"{UNFINISHED}{os.getpid()}.{path.name}")
    try:
        yield unfinished
    except OSError as error:
        if error.errno and not error.filename:  # if the disk is full, the error names no file
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        unfinished.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing(path):
    """Yields a temporary path that is renamed to `path` on success.

    If the block fails, `path` stays as it was and nothing half-written is left. A link at `path`
    is followed.
    """
    path = Path(os.path.realpath(path))
    with temporary(path) as unfinished:
        yield unfinished
        os.replace(unfinished, path)


@contextlib.contextmanager
def locked(folder, wait=True):
    """Makes a folder and locks it, so that other processes of this program keep out.

    If another process holds the lock, this one waits, or raises OSError if `wait` is false. The
    lock ends with its process. Unfinished files of killed processes are removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                raise OSError(f"another process is at work in {folder}; wait for it") from None
            notice(f"another process is at work in {folder}; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        for path in folder.glob(f"{UNFINISHED}*.*"):
            process = path.name.removeprefix(UNFINISHED).partition(".")[0]
            if process.isdecimal() and not _is_running(int(process)):
                with contextlib.suppress(OSError):
                    path.unlink()
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def writable(folder, *files):
    """Yields the folder; if it is read-only, a temporary folder with links to those of its files.

    Errors name the files in the folder itself.
    """
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        if error.errno not in READ_ONLY:
            raise
    else:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="emnist-") as place:
        for path in files:
            if path.exists():
                (Path(place) / path.name).symlink_to(path.resolve())
        try:
            yield Path(place)
        except InputError as error:
            raise InputError(str(error).replace(place, str(folder))) from error


@contextlib.contextmanager
def unless_read_only(folder, effect):
    """If the folder is read-only, its error becomes a notice; effect: says what is not saved."""
    try:
        yield
    except OSError as error:
        if error.errno not in READ_ONLY:
            raise
        notice(f"{folder} is read-only: {effect}")


def _is_running(process):
    try:
        os.kill(process, 0)
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()  # Z: killed
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # another user's, or a system without /proc
        return True


# ---- what is out of date


def take_note(*paths):
    """The size and time of each file that exists: {name: [bytes, nanoseconds]}.

    Take it before the files are read, and save it in what is made from them.
    """
    stats = {path.name: path.stat() for path in paths if path.exists()}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats.items()}


def is_stale(note, now):
    """Whether a file has changed since the note. now: what take_note returns today."""
    return any(note.get(name) != entry for name, entry in now.items())


def save_npz(path, arrays, note):
    """Writes arrays by name, and a note of the files they were made from."""
    with replacing(path) as unfinished, open(unfinished, "wb") as file:
        np.savez(file, note=json.dumps(note), **arrays)


def read_npz(path):
    """The arrays by name that save_npz wrote, and their note; {} if there is no note.

    Raises:
        FileNotFoundError: there is no such file.
        InputError: the file is damaged, or not an npz of plain arrays.
    """
    try:
        arrays = {}
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                with archive.open(name) as file:
                    array = np.lib.format.read_array(file, allow_pickle=False)
                    if file.read(1):  # np.load would not look, nor check the sum of the whole
                        raise ValueError("an array is longer than its header says")
                arrays[name.removesuffix(".npy")] = array
        note = json.loads(str(arrays.pop("note", "{}")))
        if not isinstance(note, dict):
            raise TypeError("its note is not a table")
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        raise
    except Exception as error:  # numpy and zipfile raise whatever the damage leads to
        raise InputError(f"{path}: damaged ({error or type(error).__name__})") from error
    return arrays, note
