"""support/emnist/idx.py: idx files, texts of numbers, and mapping files."""

import pytest
from conftest import idx, random_set

from support.console import InputError
from support.emnist.idx import check_lines, convert, read_mapping, write_idx, write_mapping


def test_idx_files_are_as_their_description_says(tmp_path):
    for array in random_set(3):
        write_idx(tmp_path / "file", array)
        assert (tmp_path / "file").read_bytes() == idx(array)


def test_convert_says_what_the_script_says(tmp_path):
    with pytest.raises(InputError, match=r"emnist-digits-train-images-idx3-ubyte"):
        convert(tmp_path, "digits", tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2 3\n1 2\n", "line 2: expected 3 numbers"),
        ("1 2 3 4\n", "line 1: expected 3 numbers"),
        ("1 2 3\n\n1 2 3\n", "line 2: expected 3 numbers"),
        ("1 2 3\n1 2 3", "line 2: expected 3 numbers and an end of line"),
        ("1 2 256\n", "line 1: '256' is not 0..255"),
        ("1 -1 2\n", "line 1: '-1' is not"),
        ("1 2 3\n1.0 2 3\n", "line 2: '1.0' is not"),
        ("1 # 3\n", "line 1: '#' is not"),
        ("1 é 3\n", "line 1: "),
    ],
)
def test_the_first_bad_line_is_named(tmp_path, text, message):
    path = tmp_path / "text"
    path.write_text(text, "utf-8")
    with pytest.raises(InputError, match=f"{path}.*{message}"):
        check_lines(path, 3)


def test_a_mapping_is_read_in_the_order_of_its_labels(tmp_path):
    path = tmp_path / "mapping"
    path.write_text("1 66 98\n0 65 97\n", "utf-8")  # letters has the lower case, too
    assert list(read_mapping(path).items()) == [(0, "A"), (1, "B")]
    path.write_bytes(b"\xef\xbb\xbf0 65\r\n1 66\r\n\r\n")  # as Windows's editors save it
    assert read_mapping(path) == {0: "A", 1: "B"}
    write_mapping(path, {0: "x", 1: "Y"})
    assert path.read_text("utf-8") == "0 120\n1 89\n"


@pytest.mark.parametrize("line", ["x 65", "1", "1 65 66 67", "1 10", "0 66", "1 65", "1 200"])
def test_a_bad_line_of_a_mapping_is_named(tmp_path, line):
    path = tmp_path / "mapping"
    path.write_text(f"0 65\n{line}\n", "utf-8")
    with pytest.raises(InputError, match=f"{path}, line 2"):
        read_mapping(path)


def test_an_empty_mapping_is_refused(tmp_path):
    (tmp_path / "mapping").write_text("\n", "utf-8")
    with pytest.raises(InputError, match="empty"):
        read_mapping(tmp_path / "mapping")
