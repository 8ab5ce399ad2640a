"""One split of EMNIST out of NIST's zip of all six, fetched and checked.

    python dataset.py download --split letters

Servers that answer range requests send the wanted members alone (about 35 MB of 562 for balanced).
"""

import contextlib
import hashlib
import sys
import time
import zipfile
import zlib

import click

from dataset import (
    CLASSES,
    KINDS,
    PAUSES,
    PIXELS,
    URLS,
    check_split,
    locked,
    mapping_file,
    notice,
    read_mapping,
    replacing,
    resolve_root,
    temporary,
    ubyte_files,
)

LARGEST_ZIP = 1 << 30  # bytes; NIST's is 561,753,746
LARGEST_MEMBER = 16 + 697_932 * PIXELS  # no file of EMNIST is longer, even unpacked
_MD5 = """
byclass train 712dda0bd6f00690f32236ae4325c377 ee299a3ee5faf5c31e9406763eae7e43
byclass test 1435209e34070a9002867a9ab50160d7 7a0f934bd176c798ecba96b36fda6657
bymerge train 4a792d4df261d7e1ba27979573bf53f3 491be69ef99e1ab1f5b7f9ccc908bb26
bymerge test 8eb5d34c91f1759a55831c37ec2a283f c13f4cd5211cdba1b8fa992dae2be992
balanced train 4041b0d6f15785d3fa35263901b5496b 7a35cc7b2b7ee7671eddf028570fbd20
balanced test 6818d20fe2ce1880476f747bbc80b22b acd3694070dcbf620e36670519d4b32f
letters train 8795078f199c478165fe18db82625747 c16de4f1848ddcdddd39ab65d2a7be52
letters test 382093a19703f68edac6d01b8dfdfcad d4108920cd86601ec7689a97f2de7f59
digits train d2662ecdc47895a6bbfce25de9e9a677 2223fcfee618ac9c89ef20b6e48bcf9e
digits test a159b8b3bd6ab4ed4793c1cb71a2f5cc 8afde66ea51d865689083ba6bb779fac
mnist train 3663598a39195d030895b6304abb5065 6c092f03c9bb63e678f80f8bc605fe37
mnist test fb51b6430fc4dd67deaada1bf25d4524 ae7f6be798a9a5d5f2bd32e078a402dd
"""
CHECKSUMS = {  # file name -> md5
    f"emnist-{split}-{part}-{kind}-ubyte.gz": md5
    for split, part, *both in map(str.split, _MD5.strip().splitlines())
    for kind, md5 in zip(KINDS, both)
}


def download(
    split="balanced",
    data_root=None,
    urls=URLS,
    checksums=CHECKSUMS,
    pauses=PAUSES,
    timeout=(10, 30),
):
    """Fetches those of a split's files that are not in DATA_ROOT, out of NIST's zip of all splits.

    Nothing else of the zip is fetched, unless the server knows no range requests: it sends the
    whole zip, and the rest is thrown away. A gzip.zip in DATA_ROOT is used before any address. A
    file gets its name when it has been checked; those that are there already are checked as well.

    Args:
        split, data_root: as for load_emnist.
        urls: addresses of the zip, tried in this order.
        checksums: dict of file name to md5.
        pauses: seconds, before each further try at an address.
        timeout: seconds to wait for a connection, and for the next bytes of an answer.

    Returns:
        The paths of the files that were not there before.

    Raises:
        OSError: they cannot be fetched or written; says why for each address, and what to do.
        ValueError: a file that is there is not NIST's; names it.
    """
    root = resolve_root(data_root)
    check_split(split)
    with locked(root):
        wanted = [*ubyte_files(split, root), mapping_file(split, root)]
        for path in wanted:
            if path.exists():
                _verify(path, path, split, checksums)
        lacking = [path for path in wanted if not path.exists()]
        by_hand = root / "gzip.zip"
        if lacking and by_hand.exists():
            try:
                with zipfile.ZipFile(by_hand) as archive:
                    _unpack(archive, lacking, split, checksums)
            except BAD_ZIP as error:
                raise ValueError(
                    f"{by_hand}: {_reason(error)}; get it again or remove it"
                ) from error
        elif lacking:
            _fetch(urls, lacking, split, checksums, pauses, timeout)
    return lacking


BAD_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, RuntimeError, ValueError)


def _fetch(urls, lacking, split, checksums, pauses, timeout):
    import requests
    from remotezip import RemoteZipError
    from urllib3.exceptions import HTTPError

    failures = []
    for url in urls:
        for pause in (*pauses, None):
            try:
                with _open_remote(url, lacking[0].parent, timeout) as archive:
                    still = [path for path in lacking if not path.exists()]
                    _unpack(archive, still, split, checksums)
                return notice(f"downloaded {split} from {url}")
            except (requests.RequestException, HTTPError, RemoteZipError, *BAD_ZIP) as error:
                failure = f"{url}: {_reason(error)}"
                if pause is None or _is_hopeless(error):
                    failures.append(failure)
                    break
            notice(f"{failure}; trying again in {pause} s")
            time.sleep(pause)
    raise OSError(
        f"cannot download {split} ({'; '.join(failures)}): try again later, or put gzip.zip, got "
        f"elsewhere, into {lacking[0].parent}, or use autoencoder.py train --data demo"
    )


@contextlib.contextmanager
def _open_remote(url, folder, timeout):
    """Gives NIST's zip at an address, opened: its parts are fetched as they are read, if possible."""
    import requests
    from remotezip import RemoteZip

    headers = {"Accept-Encoding": "identity"}
    first = {**headers, "Range": "bytes=0-3"}
    with requests.get(url, headers=first, stream=True, timeout=timeout) as answer:
        start = answer.raw.read(4)
        if not answer.ok or start != b"PK\3\4":
            said = "sent a web page or the like, no zip" if answer.ok else f"said {answer.reason}"
            raise requests.HTTPError(f"the server {said} ({answer.status_code})", response=answer)
        if answer.status_code == 206:
            with RemoteZip(answer.url, headers=headers, timeout=timeout) as archive:
                yield archive
            return
        size = int(answer.headers.get("Content-Length", 0))
        with temporary(folder / "gzip.zip") as path, open(path, "w+b") as whole:
            whole.write(start)
            with _progress(f"all of {url}", size) as bar:
                for block in iter(lambda: answer.raw.read(1 << 18), b""):
                    bar.update(whole.write(block))
                    if whole.tell() > LARGEST_ZIP:
                        raise zipfile.BadZipFile("longer than NIST's zip can be")
            with zipfile.ZipFile(whole) as archive:
                yield archive


def _unpack(archive, paths, split, checksums):
    """Takes files out of an opened zip; each gets its name when it is whole and right."""
    members = [archive.getinfo(f"gzip/{path.name}") for path in paths]
    for member in members:
        if member.file_size > LARGEST_MEMBER:
            raise zipfile.BadZipFile(f"{member.filename} claims {member.file_size:,} bytes")
    with _progress(split, sum(member.file_size for member in members)) as bar:
        for path, member in zip(paths, members):
            with replacing(path) as unfinished:
                with archive.open(member) as source, open(unfinished, "wb") as target:
                    for block in iter(lambda: source.read(1 << 18), b""):
                        bar.update(target.write(block))
                _verify(unfinished, path, split, checksums)


def _progress(label, length):
    hidden = not sys.stderr.isatty()
    return click.progressbar(length=length, label=label, file=sys.stderr, hidden=hidden)


def _verify(path, name, split, checksums):
    """ValueError where the file at `path`, called `name`, is not NIST's."""
    if name == mapping_file(split, name.parent):
        right = read_mapping(path, name) == CLASSES[split]
    elif name.suffix == ".gz":
        with open(path, "rb") as file:
            right = hashlib.file_digest(file, "md5").hexdigest() == checksums[name.name]
    else:
        right = True  # unpacked by hand; convert_idx.sh will check it
    if not right:
        raise ValueError(f"{name} is not NIST's file, or was damaged; remove it and download again")


def _reason(error):
    """What went wrong with a download, in a few words."""
    import requests
    from urllib3 import exceptions

    error = error.__context__ if type(error).__name__ == "RemoteIOError" else error
    words = (
        (requests.exceptions.SSLError, "its certificate is not to be trusted"),
        ((requests.Timeout, exceptions.TimeoutError), "no answer in time"),
        (requests.ConnectionError, "no connection"),
        (exceptions.HTTPError, "the answer broke off"),
        (EOFError, "the answer broke off"),
    )
    plain = str(error.args[0] if isinstance(error, KeyError) else error)
    return next((said for kind, said in words if isinstance(error, kind)), plain)


def _is_hopeless(error):
    """Whether an address need not be tried again: not there, or it gives something else."""
    import requests
    from urllib3.exceptions import MaxRetryError

    if isinstance(error, requests.HTTPError):
        return error.response.status_code < 500
    if isinstance(error, requests.ConnectionError):
        return isinstance(error.args[0], MaxRetryError)  # no connection at all
    return isinstance(error, requests.RequestException) and isinstance(error, ValueError)  # no URL
