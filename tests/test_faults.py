"""dataset.py where something goes wrong: full disks, two at once, read-only folders, odd bytes."""

import contextlib
import fcntl
import gzip
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from conftest import PROJECT, idx, random_set, script, write_files
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dataset
from dataset import class_names, load_emnist

CACHE = "emnist-balanced.npz"


@contextlib.contextmanager
def held(folder):
    """The folder's lock, as another process would hold it."""
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    yield
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


def test_a_second_train_is_refused(characters, tmp_path, run):
    import autoencoder

    (tmp_path / "run").mkdir()
    words = ["train", "--data", "emnist", "--data-root", characters, "--run-dir", tmp_path / "run"]
    with held(tmp_path / "run"):
        result = run(autoencoder.cli, *words, code=1)
    assert f"another process is at work in {tmp_path / 'run'}" in result.stderr
    assert not list((tmp_path / "run").iterdir())


def test_what_a_killed_process_left_is_removed(made):
    root, _, _ = made
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    text = "emnist-balanced-train-images-idx3-ubyte-txt.part"
    kept = [root / f".{os.getpid()}-{CACHE}", root / f"{text}.{os.getpid()}", root / ".profile-x"]
    left = [root / f".{gone.pid}-{CACHE}", root / f"{text}.{gone.pid}"]
    for path in kept + left:
        path.write_text("half")
    kept.pop(0)  # our own name: used, and gone
    load_emnist("balanced", root)
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in kept)


def test_a_full_disk_leaves_the_old_file(made):
    root, _, _ = made
    load_emnist("balanced", root)
    old = (root / CACHE).read_bytes()
    for path in root.glob("*-txt"):
        newer = (root / CACHE).stat().st_mtime_ns + 1
        os.utime(path, ns=(newer, newer))
    names = {path.name for path in root.iterdir()}
    code = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({len(old) // 2},) * 2)\n"
    code += f"import dataset; dataset.cli(['prepare', '--data-root', {str(root)!r}])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert f"File too large: '{root / CACHE}'" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert (root / CACHE).read_bytes() == old
    assert {path.name for path in root.iterdir()} == names
    load_emnist("balanced", root)


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
            if os.geteuid() == 0:
                "".encode(
                    "cp437"
                )  # zipfile wants it, and the other user may not read Python's files
                os.seteuid(65534)
                stack.callback(os.seteuid, 0)

        yield root, protect


def test_a_read_only_folder(read_only, capsys):
    root, protect = read_only
    train, test = random_set(94, seed=1), random_set(47, seed=2)
    write_files(root, train, test, gz=True)
    names = {path.name for path in root.iterdir()}
    protect()
    (x, y), (x_test, _) = load_emnist("balanced", root, scale=False)
    assert np.array_equal(x, train[0])
    assert np.array_equal(x_test, test[0])
    assert np.array_equal(y, train[1])
    assert {path.name for path in root.iterdir()} == names
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
    capsys.readouterr()
    load_emnist("balanced", root)
    assert capsys.readouterr().err == ""
    with pytest.raises(ValueError, match=f"{bad}: 3 bytes"):
        load_emnist("letters", root)


# ---- made-up inputs: the right result or a clear ValueError, whatever the bytes

FEW = settings(
    max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
MANY = settings(FEW, max_examples=10_000)


def either(test):
    """The same test twice: with 200 examples, and, marked slow, with 10,000."""
    return pytest.mark.parametrize(
        "with_settings", [FEW, pytest.param(MANY, marks=pytest.mark.slow)], ids=["few", "many"]
    )(test)


@st.composite
def damaged(draw, content):
    """The content itself, or with bytes changed, cut off, put in or repeated."""
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(content)))
        new = draw(st.binary(max_size=8) | st.sampled_from([b"\n", b" ", b"#", b"-", b"\r", b"9"]))
        length = draw(st.sampled_from([0, 1, len(new), 9, 10**6]))
        content = content[:place] + new + content[place + length :]
    return content


def understand(content):
    """The images of the bytes of an idx file as strictly as its description says, else None."""
    if len(content) < 17 or content[:4] != b"\0\0\x08\x03":
        return None
    count, rows, columns = (int.from_bytes(content[i : i + 4], "big") for i in (4, 8, 12))
    if (rows, columns) != (28, 28) or len(content) != 16 + 784 * count:
        return None
    return np.frombuffer(content, np.uint8, offset=16).reshape(-1, 28, 28).transpose(0, 2, 1)


@either
def test_idx_bytes(tmp_path, with_settings):
    x, y = random_set(3)
    write_files(tmp_path / "good", (x, y), (x, y))
    name = "emnist-balanced-train-images-idx3-ubyte"
    good = idx(x.transpose(0, 2, 1))
    contents = (
        damaged(good)
        | st.binary(max_size=40)
        | st.builds(
            lambda head, body: good[:3] + head + body,
            st.binary(max_size=13),
            st.binary(max_size=2400),
        )
    )

    @with_settings
    @given(content=contents, way=st.sampled_from(["plain", "gz", "damaged gz"]), data=st.data())
    def check(content, way, data):
        root = tmp_path / "root"
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(tmp_path / "good", root)
        if way == "plain":
            path = root / name
            path.write_bytes(content)
        else:
            (root / name).unlink()
            path = root / f"{name}.gz"
            packed = gzip.compress(content, mtime=0)
            path.write_bytes(data.draw(damaged(packed)) if way == "damaged gz" else packed)
            with contextlib.suppress(Exception):  # damage may hit what means nothing
                content = gzip.decompress(path.read_bytes())
        before = {p.name for p in root.iterdir()}
        expected = understand(content)
        try:
            (loaded, _), _ = load_emnist("balanced", root, scale=False)
        except ValueError as error:
            assert str(path) in str(error) or "lines, but" in str(error)
            assert way == "damaged gz" or expected is None or len(expected) != 3
            made_files = {p.name for p in root.iterdir()} - before
            assert all(made.endswith("-txt") for made in made_files)
        else:
            assert np.array_equal(loaded, expected)

    check()


@either
def test_text(tmp_path, with_settings):
    path = tmp_path / "text"
    token = st.sampled_from(["0", "255", "7", "256", "-1", "1.0", "#", "1e1", "٣", "", "0x1", "+1"])
    lines = st.lists(st.lists(token, min_size=3, max_size=4).map(" ".join), max_size=4)
    contents = damaged(b"0 1 2\n255 254 253\n7 7 7\n") | st.binary(max_size=60)
    contents |= lines.map(lambda lines: "".join(f"{line}\n" for line in lines).encode())

    @with_settings
    @given(content=contents)
    def check(content):
        path.write_bytes(content)
        right = re.fullmatch(rb"(?:\d{1,3} \d{1,3} \d{1,3}\n)+", content)
        numbers = [int(n) for n in re.findall(rb"\d+", content)] if right else [256]
        try:
            read = dataset._read_text(path, 3)
        except ValueError as error:
            assert str(path) in str(error)
            assert max(numbers) > 255
        else:
            rows = [row.split() for row in re.split("[\r\n]+", content.decode("latin-1"))]
            tokens = [
                [int(n) for n in row if re.fullmatch("[+-]?[0-9]+", n)] for row in rows if row
            ]
            assert read.tolist() == tokens

    check()


@either
def test_mapping_files(tmp_path, with_settings):
    path = tmp_path / "emnist-digits-mapping.txt"
    line = st.tuples(st.integers(-1, 99), st.integers(30, 130)).map("{0[0]} {0[1]}\n".format)
    contents = damaged(b"0 48\n1 49\n2 50\n") | st.binary(max_size=60)
    contents |= st.lists(line, max_size=5).map(lambda lines: "".join(lines).encode())

    @with_settings
    @given(content=contents)
    def check(content):
        path.write_bytes(content)
        try:
            names = class_names("digits", tmp_path)
        except ValueError as error:
            assert str(path) in str(error)
        else:
            rows = [row.split() for row in content.decode("latin-1").splitlines()]
            assert {int(row[0]): chr(int(row[1])) for row in rows} == names
            assert list(names) == sorted(names)
            assert all(name.isascii() and name.isprintable() for name in names.values())

    check()


@pytest.mark.parametrize("line", [b"0 " * 4_000_000, b"9" * 8_000_000, b"\n" * 8_000_000])
def test_memory_is_bounded_by_the_file(tmp_path, line):
    path = tmp_path / "text"
    path.write_bytes(line)
    tracemalloc.start()
    with pytest.raises(ValueError, match="line 1"):
        dataset._read_text(path, 784)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 16 * len(line)
