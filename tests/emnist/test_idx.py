"""support/emnist/idx.py: idx files and mapping files."""

import pytest
from conftest import idx, random_set

from support.console import InputError
from support.emnist.idx import read_mapping, write_idx


def test_idx_files_are_as_their_description_says(tmp_path):
    for array in random_set(3):
        write_idx(tmp_path / "file", array)
        assert (tmp_path / "file").read_bytes() == idx(array)


def test_a_mapping_is_read_in_the_order_of_its_labels(tmp_path):
    path = tmp_path / "mapping"
    path.write_text("1 66 98\n0 65 97\n")  # letters has the lower case, too
    assert list(read_mapping(path).items()) == [(0, "A"), (1, "B")]


@pytest.mark.parametrize("line", ["x 65", "1", "1 1114112", "é 65"])
def test_a_bad_line_of_a_mapping_is_named(tmp_path, line):
    path = tmp_path / "mapping"
    path.write_text(f"0 65\n{line}\n", "latin-1")
    with pytest.raises(InputError, match=f"{path}, line 2"):
        read_mapping(path)
