"""support/formats.py: idx bytes, texts and mapping files, made up: the right result or an error."""

import contextlib
import gzip
import re
import shutil
import tracemalloc

import numpy as np
import pytest
from conftest import idx, random_set, write_files
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dataset import load_emnist
from support.console import InputError
from support.formats import convert, read_mapping, read_numbers, write_idx

FEW = settings(
    max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
MANY = settings(FEW, max_examples=10_000)


def either(few):
    """The same test twice: with `few` examples, and, marked slow, with 10,000."""
    return pytest.mark.parametrize(
        "with_settings",
        [settings(FEW, max_examples=few), pytest.param(MANY, marks=pytest.mark.slow)],
        ids=["few", "many"],
    )


@st.composite
def damaged(draw, content):
    """The content itself, or with bytes changed, cut off, put in or repeated."""
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(content)))
        new = draw(st.binary(max_size=8) | st.sampled_from([b"\n", b" ", b"#", b"-", b"\r", b"9"]))
        length = draw(st.sampled_from([0, 1, len(new), 9, 10**6]))
        content = content[:place] + new + content[place + length :]
    return content


# ---- idx


def understand(content):
    """The images of the bytes of an idx file as strictly as its description says, else None."""
    if len(content) < 17 or content[:4] != b"\0\0\x08\x03":
        return None
    count, rows, columns = (int.from_bytes(content[i : i + 4], "big") for i in (4, 8, 12))
    if (rows, columns) != (28, 28) or len(content) != 16 + 784 * count:
        return None
    return np.frombuffer(content, np.uint8, offset=16).reshape(-1, 28, 28).transpose(0, 2, 1)


GOOD = idx(random_set(3)[0].transpose(0, 2, 1))
IMAGES = "emnist-balanced-train-images-idx3-ubyte"
any_images = damaged(GOOD) | st.binary(max_size=40)
any_images |= st.builds(
    lambda head, body: GOOD[:3] + head + body, st.binary(max_size=13), st.binary(max_size=2400)
)


def put(root, content, way, data):
    """Writes content as an images file, plain or packed: its path, and what can be read from it."""
    if way == "plain":
        (root / IMAGES).write_bytes(content)
        return root / IMAGES, content
    (root / IMAGES).unlink()
    path = root / f"{IMAGES}.gz"
    packed = gzip.compress(content, mtime=0)
    path.write_bytes(data.draw(damaged(packed)) if way == "damaged gz" else packed)
    with contextlib.suppress(Exception):  # damage may hit what means nothing
        content = gzip.decompress(path.read_bytes())
    return path, content


@either(40)
def test_idx_bytes(tmp_path, with_settings):
    write_files(tmp_path / "good", random_set(3), random_set(3))

    @with_settings
    @given(content=any_images, way=st.sampled_from(["plain", "gz", "damaged gz"]), data=st.data())
    def check(content, way, data):
        root = tmp_path / "root"
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(tmp_path / "good", root)
        path, content = put(root, content, way, data)
        before = set(root.iterdir())
        expected = understand(content)
        try:
            (loaded, _), _ = load_emnist("balanced", root, scale=False)
        except ValueError as error:
            assert str(path) in str(error) or "lines, but" in str(error)
            assert way == "damaged gz" or expected is None or len(expected) != 3
            assert all(made.name.endswith("-txt") for made in set(root.iterdir()) - before)
        else:
            assert np.array_equal(loaded, expected)

    check()


@pytest.mark.parametrize("shape", [(5,), (2, 28, 28)])
def test_write_idx(tmp_path, shape):
    array = np.random.default_rng(0).integers(0, 256, shape)
    write_idx(tmp_path / "file", array)
    assert (tmp_path / "file").read_bytes() == idx(array)


def test_a_script_that_fails(tmp_path):
    script = tmp_path / "script"
    script.write_text('shift; echo "$1 is" >&2; echo "$2" >&2; exit "$3"')
    convert(script, "all", "well", 0)
    with pytest.raises(InputError, match=r"^a b is; \$HOME$"):
        convert(script, "a b", "$HOME", 1)
    script.write_text("exit 1")
    with pytest.raises(InputError, match=f"{script} failed"):
        convert(script)


# ---- texts


@either(200)
def test_text(tmp_path, with_settings):
    path = tmp_path / "text"
    token = st.sampled_from(["0", "255", "7", "256", "-1", "1.0", "#", "1e1", "٣", "", "0x1", "+1"])
    lines = st.lists(st.lists(token, min_size=3, max_size=4).map(" ".join), max_size=4)
    contents = damaged(b"0 1 2\n255 254 253\n7 7 7\n") | st.binary(max_size=60)
    contents |= lines.map(lambda lines: "".join(f"{line}\n" for line in lines).encode())

    @with_settings
    @given(content=contents)
    @example(content=b"0 1 2 # 3\n")  # what loadtxt might skip
    @example(content=b"0 1 2\n\n0 1 2\n")
    @example(content=b"0 1 2\n# 3\n")
    @example(content=b"0 1 2\n0 1 256\n")
    @example(content=b"0 1 2\n0 1 2")
    def check(content):
        path.write_bytes(content)
        right = re.fullmatch(rb"(?:\d{1,3} \d{1,3} \d{1,3}\n)+", content)
        numbers = [int(n) for n in re.findall(rb"\d+", content)] if right else [256]
        try:
            read = read_numbers(path, 3)
        except InputError as error:
            assert str(path) in str(error)
            assert max(numbers) > 255
        else:
            rows = [row.split() for row in re.split("[\r\n]+", content.decode("latin-1"))]
            tokens = [
                [int(n) for n in row if re.fullmatch("[+-]?[0-9]+", n)] for row in rows if row
            ]
            assert read.dtype == np.uint8
            assert read.tolist() == tokens

    check()


@pytest.mark.parametrize("line", [b"0 " * 4_000_000, b"9" * 8_000_000, b"\n" * 8_000_000])
def test_memory_is_bounded_by_the_file(tmp_path, line):
    path = tmp_path / "text"
    path.write_bytes(line)
    tracemalloc.start()
    with pytest.raises(InputError, match="line 1"):
        read_numbers(path, 784)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 16 * len(line)


# ---- mapping files


@either(200)
def test_mapping_files(tmp_path, with_settings):
    path = tmp_path / "mapping.txt"
    line = st.tuples(st.integers(-1, 99), st.integers(30, 130)).map("{0[0]} {0[1]}\n".format)
    contents = damaged(b"0 48\n1 49\n2 50\n") | st.binary(max_size=60)
    contents |= st.lists(line, max_size=5).map(lambda lines: "".join(lines).encode())

    @with_settings
    @given(content=contents)
    @example(content=b"0 33\n1 126\n")  # the first and the last that can be seen
    @example(content=b"0 32\n")
    @example(content=b"0 127\n")
    @example(content=b"0 65 97\n\n1 66 98\n")
    def check(content):
        path.write_bytes(content)
        try:
            names = read_mapping(path)
        except InputError as error:
            assert str(path) in str(error)
        else:
            rows = [row.split() for row in content.decode("latin-1").splitlines()]
            assert {int(row[0]): chr(int(row[1])) for row in rows} == names
            assert list(names) == sorted(names)
            assert all(name.isascii() and name.isprintable() for name in names.values())

    check()


def test_the_third_column_of_a_mapping_is_left_out(tmp_path):
    (tmp_path / "mapping.txt").write_text("2 66 98\n1 65 97\n")
    names = read_mapping(tmp_path / "mapping.txt")
    assert list(names.items()) == [(1, "A"), (2, "B")]
