"""Files written whole or not at all, locked folders, fingerprints, and npz files with a note."""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import secrets
import time
from pathlib import Path

import numpy as np

from support.console import InputError, notice

PARTIAL = ".emnist-autoencoder-partial-"  # begins the names of files that are being written
DAY = 24 * 60 * 60  # seconds; a partial file that old was left behind by a killed command
NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)  # a file system without flock
READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextlib.contextmanager
def replacing(path):
    """Yields a path beside `path` to write to; on success it is renamed to `path`.

    If the block fails, `path` stays as it was. A link at `path` is replaced, not followed.
    """
    path = Path(path)
    with temporary(path) as partial:
        yield partial
        os.replace(partial, path)


@contextlib.contextmanager
def temporary(path):
    """Yields a random path beside `path`; what stands there at the end is removed."""
    partial = path.with_name(PARTIAL + secrets.token_hex(8) + path.suffix)
    try:
        yield partial
    except OSError as error:
        if error.errno and error.filename in (None, str(partial)):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        partial.unlink(missing_ok=True)


def make_folder(folder):
    """Makes a folder and those above it, where they are missing.

    Raises:
        InputError: a file or a broken link stands in its place.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(f"{folder}: a file or a broken link, expected a folder") from error


@contextlib.contextmanager
def locked(folder, wait=True):
    """Makes a folder and locks it, so that other processes of this program keep out.

    If another process holds the lock, this one waits, or raises OSError if `wait` is false. The
    lock ends with its process. Where the file system has no locks, a notice says so. Partial files
    older than a day, left by killed commands, are removed.
    """
    make_folder(folder)
    handle = os.open(folder, os.O_RDONLY)
    try:
        _lock(handle, folder, wait)
        _remove_old_partial_files(folder)
        yield
    finally:
        os.close(handle)


def _lock(handle, folder, wait):
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if not wait:
            raise OSError(f"{folder} is locked by another process; wait for it to end") from None
        notice(f"{folder} is locked by another process; waiting for it to end")
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        notice(f"{folder} cannot be locked ({error.strerror}): run one command at a time in it")


def _remove_old_partial_files(folder):
    for path in folder.glob(f"{PARTIAL}*"):
        with contextlib.suppress(
            OSError
        ):  # another command removed it first, or it may not be ours
            if path.lstat().st_mtime < time.time() - DAY:
                path.unlink()


# ---- what a result was made from


def file_fingerprint(path):
    """A hash of a file's content, 32 hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, _new_hash).hexdigest()


def array_fingerprint(arrays):
    """A hash of arrays, one after another: their shapes, types and numbers."""
    digest = _new_hash()
    for array in arrays:
        digest.update(f"{array.shape} {array.dtype}".encode())
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def _new_hash():
    return hashlib.blake2b(digest_size=16)


def stamp(path):
    """Identifies a version of a file: [bytes, time of change in nanoseconds, fingerprint]."""
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, file_fingerprint(path)]


def has_changed(path, saved):
    """Whether a file differs from its saved stamp; a copy with another time does not."""
    status = path.stat()
    if [status.st_size, status.st_mtime_ns] == saved[:2]:
        return False
    return status.st_size != saved[0] or file_fingerprint(path) != saved[2]


# ---- npz files


def save_npz(path, arrays, note):
    """Writes arrays by name, and a note: a dict for JSON that says what they were made from."""
    with replacing(path) as partial, open(partial, "wb") as file:
        np.savez(file, note=json.dumps(note), **arrays)


def read_npz(path, names=None):
    """The arrays by name that save_npz wrote, and their note; {} if there is no note.

    names: only these arrays are read; by default all.

    Raises:
        FileNotFoundError: there is no such file.
        InputError: the file is damaged, lacks an array, or is not an npz of plain arrays.
    """
    try:
        with open(path, "rb") as opened, np.load(opened) as file:
            wanted = file.files if names is None else names
            arrays = {name: file[name] for name in wanted if name != "note"}
            note = json.loads(str(file["note"])) if "note" in file else {}
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        raise
    except Exception as error:  # numpy and zipfile raise whatever the damage leads to
        raise InputError(f"{path}: damaged ({str(error) or type(error).__name__})") from error
    return arrays, note


def made_once(path, note, make):
    """The arrays of an npz that has this note; else those of `make`, which are saved there.

    make: a function that returns a dict of arrays. Where the folder is read-only, a notice says so.
    """
    try:
        arrays, saved_note = read_npz(path)
        if saved_note == note:
            return arrays
    except FileNotFoundError:
        pass
    except InputError as error:
        notice(f"{error}: rebuilding it")
    arrays = make()
    try:
        save_npz(path, arrays, note)
    except OSError as error:
        if error.errno not in READ_ONLY:
            raise
        notice(f"{path.parent} is read-only: {path.name} is not saved")
    return arrays
