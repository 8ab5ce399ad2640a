"""Files written whole or not at all, locked folders, fingerprints, and npz files with a note."""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import secrets
from pathlib import Path

import numpy as np

from support.console import InputError, notice

PARTIAL = ".emnist-autoencoder-partial-"  # begins the names of files that are being written
NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)  # a file system without flock

# ---- writing


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
    """Yields a random path beside `path`; the file there is removed at the end."""
    partial = path.with_name(PARTIAL + secrets.token_hex(8) + path.suffix)
    try:
        yield partial
    except OSError as error:  # the message names the file to come, not the partial one
        if error.errno and error.filename in (None, str(partial)):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def by_product(path):
    """For a file beside the result that was asked for: prints a notice if it cannot be written."""
    try:
        yield
    except BrokenPipeError:  # of stdout, e.g. `| head`
        raise
    except OSError as error:
        notice(f"{path} is not saved: {error.strerror or error}")


def write_json(path, content):
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")


# ---- locking

_locked_here = set()  # (device, inode) of the folders that this process has locked


@contextlib.contextmanager
def locked(folder, wait=True):
    """Makes a folder and locks it, so that other processes of this program keep out.

    If another process holds the lock, this one waits, or raises OSError if `wait` is false. The
    lock ends with its process. If the file system has no locks, a notice says so.
    """
    folder.mkdir(parents=True, exist_ok=True)
    status = folder.stat()
    identity = (status.st_dev, status.st_ino)
    if identity in _locked_here:  # e.g. a run folder that is the data folder, too
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        _lock(handle, folder, wait)
        _locked_here.add(identity)
        yield
    finally:
        _locked_here.discard(identity)
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


# ---- reading


@contextlib.contextmanager
def reading(path, advice):
    """Turns an error about the content of a file into an InputError with the advice.

    Only bytes that were read and are wrong make a file damaged. An error of the system, too little
    memory and a missing package are not the file's fault, so they stay as they are.
    """
    try:
        yield
    except (MemoryError, ImportError, InputError):
        raise
    except Exception as error:  # numpy, zipfile and Keras raise whatever the damage leads to
        if isinstance(error, OSError) and error.errno:
            raise OSError(error.errno, error.strerror, str(path)) from error  # names the file
        reason = str(error).split("\n")[0] or type(error).__name__
        found = disguise(path) or f"damaged ({reason})"
        raise InputError(f"{path}: {found}; {advice}") from error


def disguise(path):
    """What a file really is, if it is a Git LFS pointer or a web page; else None."""
    with open(path, "rb") as file:
        start = file.read(100)
    if start.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the file itself (run: git lfs pull)"
    if start.lstrip().startswith(b"<"):
        return "a web page"
    return None


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


# ---- npz files


@contextlib.contextmanager
def reading_npz(path, advice):
    """Yields the arrays of an npz by name, each read when it is asked for; else like `reading`."""
    with reading(path, advice), open(path, "rb") as file, np.load(file) as npz:
        yield npz


def save_npz(path, arrays, note):
    """Writes arrays by name, and a note: a dict for JSON that says what they were made from."""
    with replacing(path) as partial, open(partial, "wb") as file:
        np.savez(file, note=json.dumps(note), **arrays)


def made_once(path, note, make):
    """The arrays of the npz at `path` if it has this note; else those of `make`, saved there.

    make: a function that returns a dict of arrays.
    """
    try:
        with reading_npz(path, "making it again") as npz:
            if json.loads(str(npz["note"])) == note:
                return {name: npz[name] for name in npz if name != "note"}
    except FileNotFoundError:
        pass
    except (InputError, OSError) as error:
        notice(str(error))
    arrays = make()
    with by_product(path):
        save_npz(path, arrays, note)
    return arrays
