"""Named members of a zip on the web, fetched by byte ranges and checked by their md5 sums."""

import contextlib
import hashlib
import http.client
import sys
import time
import zipfile
import zlib
from pathlib import PurePosixPath

import click

from support.console import InputError, notice
from support.files import disguise, reading, replacing, temporary

RETRIES = 3  # how often to try again at an address
WAIT = 1  # seconds before trying again
TIMEOUT = (10, 30)  # seconds to wait for a connection, and for the next bytes of an answer
BAD_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)  # raised by zipfile


class DownloadError(OSError):
    """The files cannot be fetched; the message is the reason, without addresses."""


def fetch(folder, members, urls, archive=None, retries=RETRIES):
    """Fetches the members of a zip on the web that are missing in `folder`; checks all of them.

    If the server knows range requests, only the members' bytes are fetched, else the whole zip.
    If there is a zip at `archive`, it is used instead. The caller locks the folder.

    Args:
        folder: where the members are written, each named by the last part of its path.
        members: {path in the zip: md5}.
        urls: addresses of the zip, tried in this order.
        archive: the path of a zip that a person may have put there, or None.
        retries: how often to try again at each address.

    Returns:
        The paths of the new files.

    Raises:
        DownloadError: no address works; says why.
        InputError: an existing file, or `archive`, is damaged or not the expected one.
        OSError: a file cannot be read or written.
    """
    missing = {}
    for name, md5 in members.items():
        path = folder / PurePosixPath(name).name
        if not path.exists():
            missing[name] = path
        elif _md5(path) != md5:
            reason = disguise(path) or "not NIST's file, as its md5 sum shows"
            raise InputError(f"{path}: {reason}; move it away and download again")
    if missing and archive:
        _unpack_archive(archive, missing, members)
    elif missing:
        _download(folder, missing, members, urls, retries)
    return list(missing.values())


def _unpack_archive(archive, missing, members):
    with reading(archive, "get it again, or move it away"), zipfile.ZipFile(archive) as opened:
        _unpack(opened, missing, members)


def _download(folder, missing, members, urls, retries):
    """Tries one address after another; a file that is finished is not fetched again."""
    import requests
    from remotezip import RemoteIOError, RemoteZipError
    from urllib3.exceptions import HTTPError

    # Tried again: the server answers with an error, or the connection breaks. Nothing else.
    passing = (requests.HTTPError, requests.ReadTimeout, RemoteIOError, HTTPError, EOFError)
    reasons = []
    with requests.Session() as session:
        session.headers["Accept-Encoding"] = "identity"
        for url in urls:
            for attempt in range(1 + retries):
                if attempt:
                    time.sleep(WAIT)
                try:
                    with _open_remote(url, session, folder) as opened:
                        _unpack(opened, missing, members)
                    notice(f"downloaded from {url}")
                    return
                except passing as error:
                    reason = _reason(error)
                except (OSError, RemoteZipError, *BAD_ZIP) as error:
                    if getattr(error, "errno", None):  # the user's disk; requests sets none
                        raise
                    reason = _reason(error)
                    break
            reasons.append(reason)
    raise DownloadError("; ".join(dict.fromkeys(reasons)))


@contextlib.contextmanager
def _open_remote(url, session, folder):
    """Opens the zip at an address: by byte ranges, or fetched whole where the server has none."""
    from remotezip import RemoteZip

    last_byte = {"Range": "bytes=-1"}
    with session.get(url, headers=last_byte, stream=True, timeout=TIMEOUT) as answer:
        answer.raise_for_status()
        if answer.status_code != 206:  # 206: partial content
            with temporary(folder / "whole.zip") as path:
                _copy(answer.raw, answer.raw.length_remaining, path, "the zip")
                with zipfile.ZipFile(path) as opened:
                    yield opened
            return
    with RemoteZip(url, session=session, timeout=TIMEOUT) as opened:
        yield opened


def _unpack(opened, missing, members):
    """Writes the missing files; each gets its name once its md5 sum is right."""
    for name, path in missing.items():
        if path.exists():  # from an earlier attempt
            continue
        if name not in opened.namelist():
            raise zipfile.BadZipFile(f"{name} is not in it")
        with replacing(path) as partial:
            with opened.open(name) as member:
                _copy(member, opened.getinfo(name).file_size, partial, name)
            if _md5(partial) != members[name]:
                raise zipfile.BadZipFile(f"the md5 sum of {name} is wrong")


def _copy(source, length, path, label):
    """Copies all bytes of `source` to `path`. length: how many there are, or None."""
    bar = click.progressbar(length=length or 0, label=label, file=sys.stderr)
    with open(path, "wb") as file, bar:
        while block := source.read(1 << 18):
            bar.update(file.write(block))


def _md5(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def _reason(error):
    """The message of the first error of a chain; libraries add addresses and class names."""
    while error.__context__:
        error = error.__context__
    answer = getattr(error, "response", None)
    if answer is not None:
        return f"{answer.status_code} {answer.reason}"
    if isinstance(error, (EOFError, http.client.IncompleteRead)):
        return "the connection broke off"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
