"""Named members of a zip on the web, fetched by byte ranges and checked by their md5 sums."""

import contextlib
import hashlib
import zipfile
from pathlib import PurePosixPath

from support.console import InputError, notice, progress_bar
from support.files import replacing, temporary

RETRIES = 3  # how often to try again at an address
BACKOFF = 1  # seconds before the third try of a request, doubled each time
TIMEOUT = (10, 30)  # seconds to wait for a connection, and for the next bytes of an answer
LARGEST = 1 << 30  # bytes of the zip, and of each member unpacked
LARGEST_DIRECTORY = 1 << 20  # bytes of the zip's directory, which is held in memory


class DownloadError(OSError):
    """The files cannot be fetched; the message says why for each address."""


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
        DownloadError: says why, for each address.
        InputError: an existing file, or `archive`, is damaged or not the expected one.
        OSError: a file cannot be read or written.
    """
    missing = {}
    for name, md5 in members.items():
        path = folder / PurePosixPath(name).name
        if not path.exists():
            missing[name] = path
        elif _md5(path) != md5:
            raise InputError(f"{path}: its md5 sum is wrong; remove it and download again")
    if missing and archive and archive.exists():
        _unpack_archive(archive, missing, members)
    elif missing:
        _download(folder, missing, members, urls, retries)
    return list(missing.values())


def _unpack_archive(archive, missing, members):
    try:
        with zipfile.ZipFile(archive) as opened:
            _unpack(opened, missing, members)
    except OSError:
        raise
    except Exception as error:  # a damaged zip raises whatever the damage leads to
        raise InputError(f"{archive}: {_reason(error)}; get it again or remove it") from error


def _download(folder, missing, members, urls, retries):
    """Tries one address after another; a file that is finished is not fetched again."""
    import requests
    from remotezip import RemoteIOError
    from urllib3.exceptions import HTTPError

    failures = []
    with _make_session(retries) as session:
        for url in urls:
            try:
                with _open_remote(url, session, folder) as opened:
                    _unpack(opened, missing, members)
            except requests.exceptions.SSLError as error:
                failures.append(f"{url}: TLS error: {_first_cause(error)}")
            except requests.exceptions.ProxyError as error:
                failures.append(f"{url}: proxy error: {_first_cause(error)}")
            except (requests.RequestException, RemoteIOError) as error:
                failures.append(f"{url}: {_first_cause(error)}")
            except (HTTPError, EOFError):
                failures.append(f"{url}: the download is truncated")
            except OSError:  # a file cannot be written
                raise
            except Exception as error:  # a damaged zip raises whatever the damage leads to
                failures.append(f"{url}: {_reason(error)}")
            else:
                notice(f"downloaded from {url}")
                return
    raise DownloadError("; ".join(failures) or "no address was given")


def _make_session(retries):
    """A session that repeats a failed request, except where that cannot help."""
    import requests
    from urllib3 import Retry

    retry = Retry(
        total=retries,
        connect=0,  # nobody listens, or no such host
        other=0,  # a bad certificate, or a proxy that refuses
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
    with RemoteZip(url, session=session, timeout=TIMEOUT, fetcher=_RangeFetcher) as opened:
        yield opened


class _RangeFetcher:
    """remotezip's fetcher of byte ranges, but for a directory too long to be held in memory."""

    def __init__(self, *arguments, **options):
        from remotezip import RemoteFetcher

        self.fetcher = RemoteFetcher(*arguments, **options)

    def fetch(self, data_range, stream=False):
        first, last = data_range
        if not stream and last is not None and last - first >= LARGEST_DIRECTORY:
            raise zipfile.BadZipFile(f"its directory is over {LARGEST_DIRECTORY:,} bytes")
        return self.fetcher.fetch(data_range, stream)


def _unpack(opened, missing, members):
    """Writes the missing files; each gets its name once its md5 sum is right."""
    for name, path in missing.items():
        if path.exists():  # from an earlier address
            continue
        if name not in opened.namelist():
            raise zipfile.BadZipFile(f"{name} is not in it")
        info = opened.getinfo(name)
        with replacing(path) as partial:
            with opened.open(info) as member:
                _copy(member, info.file_size, partial, name)
            if _md5(partial) != members[name]:
                raise zipfile.BadZipFile(f"the md5 sum of {name} is wrong")


def _copy(source, length, path, label):
    """Copies all bytes of `source` to `path`. length: how many it claims to have, or None."""
    with open(path, "wb") as file, progress_bar(label, length or 0) as bar:
        while block := source.read(1 << 18):
            bar.update(file.write(block))
            if max(length or 0, file.tell()) > LARGEST:
                raise zipfile.BadZipFile(f"{label} is over {LARGEST:,} bytes")


def _md5(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def _reason(error):
    return str(error) or type(error).__name__


def _first_cause(error):
    """The first of a chain of errors: the system's own words, without what libraries add."""
    while error.__context__:
        error = error.__context__
    return _reason(error)
