"""Named members of a zip on the web, fetched by byte ranges and checked by their md5 sums."""

import contextlib
import hashlib
import http.client
import sys
import zipfile
from pathlib import PurePosixPath

import click

from support.files import reading, replacing, temporary

ROUNDS = 2  # how often each address is tried
TIMEOUT = (10, 30)  # seconds to wait for a connection, and for the next bytes of an answer


class DownloadError(OSError):
    """The files cannot be fetched; the message is the reason, without addresses."""


def fetch(folder, members, urls, archive=None):
    """Writes members of a zip on the web into a folder, each named by the last part of its path.

    If the server knows range requests, only the members' bytes are fetched, else the whole zip.
    After a failure the next address is tried, for the members that are missing still.

    Args:
        folder: exists, and is locked by the caller.
        members: {path in the zip: md5}.
        urls: addresses of the zip.
        archive: the path of a zip that a person has put there, to be used instead; or None.

    Raises:
        DownloadError: no address works; says why.
        InputError: `archive` is damaged or not the expected one.
    """
    if archive:
        with reading(archive, "get it again, or move it away"), zipfile.ZipFile(archive) as opened:
            _unpack(opened, folder, members)
        return

    import requests

    reasons = []
    with requests.Session() as session:
        session.headers["Accept-Encoding"] = "identity"
        for url in ROUNDS * tuple(urls):
            try:
                with _open_remote(url, session, folder) as opened:
                    _unpack(opened, folder, members)
                return
            except ImportError:
                raise
            except Exception as error:  # requests, remotezip and zipfile raise many kinds
                if getattr(error, "filename", None):  # a file of this computer
                    raise
                reasons.append(_reason(error))
    raise DownloadError("; ".join(dict.fromkeys(reasons)))


@contextlib.contextmanager
def _open_remote(url, session, folder):
    """Opens the zip at an address: by byte ranges, or fetched whole if the server has none."""
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


def _unpack(opened, folder, members):
    """Writes the missing members; each gets its name once its md5 sum is right."""
    for name, md5 in members.items():
        path = folder / PurePosixPath(name).name
        if path.exists():  # from an earlier attempt
            continue
        with replacing(path) as partial:
            with opened.open(name) as member:
                _copy(member, opened.getinfo(name).file_size, partial, name)
            with open(partial, "rb") as file:
                found = hashlib.file_digest(file, "md5").hexdigest()
            if found != md5:
                raise zipfile.BadZipFile(f"the md5 sum of {name} is wrong")


def _copy(source, length, path, label):
    """Copies all bytes of `source` to `path`. length: how many there are, or None."""
    bar = click.progressbar(length=length or 0, label=label, file=sys.stderr)
    with open(path, "wb") as file, bar:
        while block := source.read(1 << 18):
            bar.update(file.write(block))


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
