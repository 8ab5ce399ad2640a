"""Named members of a zip on the web, fetched by byte ranges and checked by their md5 sums."""

import contextlib
import hashlib
import sys
import time
import zipfile

import click

from support.console import InputError, notice
from support.files import replacing, temporary

RETRIES = 3  # how often to try again at an address
BACKOFF = 1  # seconds before the second try, doubled each time
TIMEOUT = (10, 30)  # seconds to wait for a connection, and for the next bytes of an answer
LARGEST = 1 << 30  # bytes of the zip, and of each member unpacked


class DownloadError(OSError):
    """The files cannot be fetched; the message says why for each address."""


class _ZipError(Exception):
    """A zip cannot be fetched or read, or is not the expected one; the message says why."""

    may_pass = False  # whether another try could help


def download(folder, members, urls, archive=None, retries=RETRIES):
    """Fetches the members of a zip on the web that are missing in `folder`; checks all of them.

    If the server knows range requests, only the members' bytes are fetched, else the whole zip.
    If there is a zip at `archive`, it is used first. The caller locks the folder.

    members: {path in the zip: md5}; each becomes a file in folder, named by the path's last part.
    urls: addresses, tried in this order. retries: how often to try again at each.
    Returns: the paths of the new files.
    Raises: DownloadError: says why, for each address. OSError: a file cannot be read or written.
        InputError: an existing file, or `archive`, is damaged or not the expected one.
    """
    wanted = {folder / name.rpartition("/")[2]: (name, md5) for name, md5 in members.items()}
    missing = [path for path in wanted if not path.exists()]
    for path, (_, md5) in wanted.items():
        if path not in missing and _md5(path) != md5:
            raise InputError(f"{path}: its md5 sum is wrong; remove it and download again")
    if missing and archive and archive.exists():
        try:
            with contextlib.ExitStack() as stack:
                _unpack(_open(archive, stack), wanted)
        except _ZipError as error:
            raise InputError(f"{archive}: {error}; get it again or remove it") from error
    elif missing:
        _fetch(folder, wanted, urls, retries)
    return missing


def _fetch(folder, wanted, urls, retries):
    failures = {}
    with _make_session(retries) as session:
        for url in urls:
            for attempt in range(retries + 1):
                try:
                    with contextlib.ExitStack() as stack:
                        _unpack(_open_remote(url, session, folder, stack), wanted)
                    return notice(f"downloaded from {url}")
                except _ZipError as error:
                    failures[url] = f"{url}: {error}"
                    if attempt == retries or not error.may_pass:
                        break
                notice(f"{failures[url]}; trying again")
                time.sleep(BACKOFF * 2**attempt)
    raise DownloadError("; ".join(failures.values()) or "no address was given")


def _make_session(retries):
    """A session that repeats a failed request, except where that cannot help."""
    import requests
    from urllib3 import Retry

    retry = Retry(
        total=retries,
        connect=0,  # nobody listens, or no such host
        other=0,  # a bad certificate
        status_forcelist=(408, 429, 500, 502, 503, 504),
        backoff_factor=BACKOFF,
        raise_on_status=False,  # return the last answer; its status is reported
        respect_retry_after_header=False,  # a server may ask for hours
    )
    session = requests.Session()
    session.headers["Accept-Encoding"] = "identity"
    for scheme in ("https://", "http://"):
        session.mount(scheme, requests.adapters.HTTPAdapter(max_retries=retry))
    return session


def _open_remote(url, session, folder, stack):
    """Opens the zip at an address until `stack` is closed; fetches all of it only if needed."""
    from remotezip import RangeNotSupported, RemoteZip

    with _reading(), contextlib.suppress(RangeNotSupported):
        return stack.enter_context(RemoteZip(url, session=session, timeout=TIMEOUT))
    with _reading():
        answer = stack.enter_context(session.get(url, stream=True, timeout=TIMEOUT))
        answer.raise_for_status()
    path = stack.enter_context(temporary(folder / "whole.zip"))
    _copy(answer.raw, answer.raw.length_remaining or 0, path, "the zip")
    return _open(path, stack)


def _open(path, stack):
    with _reading():
        return stack.enter_context(zipfile.ZipFile(path))


def _unpack(opened, wanted):
    """Writes the wanted files that do not exist; each gets its name once its md5 is right."""
    for path, (name, md5) in wanted.items():
        if path.exists():
            continue
        with replacing(path) as unfinished:
            with _reading():
                info = opened.getinfo(name)
                member = opened.open(info)
            with member:
                if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise _ZipError(f"{name} is not deflated")  # others may unpack to any size
                _copy(member, info.file_size, unfinished, name)
            if _md5(unfinished) != md5:
                raise _ZipError(f"the md5 sum of {name} is wrong")


def _copy(source, length, path, label):
    """Copies all bytes of `source` to `path`. length: how many it claims to have."""
    hidden = not sys.stderr.isatty()
    bar = click.progressbar(length=length, label=label, file=sys.stderr, hidden=hidden)
    read = _reading()(source.read)  # as a decorator, so that only errors of `source` are converted
    with open(path, "wb") as file, bar:
        while block := read(1 << 18):
            bar.update(file.write(block))
            if max(length, file.tell()) > LARGEST:
                raise _ZipError(f"{label} is longer than {LARGEST:,} bytes")


def _md5(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


@contextlib.contextmanager
def _reading():
    """Turns every error into a _ZipError, because a damaged zip can raise any exception."""
    try:
        yield
    except Exception as error:
        import requests
        from remotezip import RemoteIOError, RemoteZipError
        from urllib3.exceptions import HTTPError, TimeoutError

        cause = error.__context__ if isinstance(error, RemoteIOError) else error
        reasons = (
            (requests.exceptions.SSLError, "no secure connection, its certificate may be bad"),
            (requests.ConnectionError, "no connection or no answer"),
            (TimeoutError, "no answer in time"),
            (HTTPError | EOFError, "it breaks off in the middle"),
            (Exception, str(cause).strip('"') or type(cause).__name__),
        )
        failure = _ZipError(next(reason for kind, reason in reasons if isinstance(cause, kind)))
        failure.may_pass = isinstance(cause, HTTPError | RemoteZipError | EOFError)
        raise failure from error
