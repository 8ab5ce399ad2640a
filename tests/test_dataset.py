"""dataset.py: what load_emnist gives, when it converts, what it refuses, and its commands."""

import os

import numpy as np
import pytest
from conftest import random_set, write_files

import dataset
from dataset import class_names, data_folder, find_data, load_emnist
from support.files import read_npz, save_npz

TEXT = "emnist-balanced-train-images-idx3-txt"
LABELS = "emnist-balanced-train-labels-idx1-txt"
CACHE = "emnist-balanced.npz"
ARRAYS = ("x_train", "y_train", "x_test", "y_test")


def flat(data):
    return [array for part in data for array in part]


@pytest.mark.parametrize("gz", [False, True])
def test_bit_for_bit(made, tmp_path, gz):
    _, train, test = made
    write_files(tmp_path / "d", train, test, gz=gz)
    for _ in range(2):  # parsed, then from the cache
        data = load_emnist("balanced", tmp_path / "d")
        for (x, y), (made_x, made_y) in zip(data, (train, test), strict=True):
            assert (x.dtype, y.dtype) == (np.float32, np.int64)
            assert np.array_equal(x, made_x.astype(np.float32) / np.float32(255))
            assert np.array_equal(y, made_y)
        unscaled = load_emnist("balanced", tmp_path / "d", scale=False)
        for (x, _), (made_x, _) in zip(unscaled, (train, test), strict=True):
            assert x.dtype == np.uint8
            assert np.array_equal(x, made_x)
    with np.load(tmp_path / "d/emnist-balanced.npz") as cache:
        assert sorted(cache) == sorted([*ARRAYS, "note"])
        assert np.array_equal(cache["x_test"], data[1][0])


def test_images_stand_upright(tmp_path):
    seven = np.zeros((2, 28, 28), np.uint8)
    seven[:, 4, 4:24] = seven[:, 4:24, 23] = 255  # a bar on top, a stroke down its right end
    write_files(tmp_path, (seven, np.array([7, 7])), (seven, np.array([7, 7])))
    (x, _), _ = load_emnist("balanced", tmp_path)
    assert x[0, 4, 4:24].all()
    assert x[0, 4:24, 23].all()
    assert not x[0, 5:, 4:20].any()


def test_three_ways_to_name_the_folder(made, run, monkeypatch, tmp_path):
    root, _, _ = made
    by_argument = flat(load_emnist("balanced", str(root)))
    monkeypatch.setenv("DATA_ROOT", str(root))
    by_environment = flat(load_emnist())
    monkeypatch.delenv("DATA_ROOT")
    (tmp_path / "here").mkdir()
    (tmp_path / "here/data").symlink_to(root)
    monkeypatch.chdir(tmp_path / "here")
    by_default = flat(load_emnist())
    for a, b, c in zip(by_argument, by_environment, by_default, strict=True):
        assert np.array_equal(a, b)
        assert np.array_equal(a, c)
    (root / CACHE).unlink()
    for empty in ("--data-root", ""), ():  # as by variables that are not set
        assert f"data/{CACHE}" in run(dataset.cli, "prepare", *empty, env={"DATA_ROOT": ""}).stdout
        (root / CACHE).unlink()  # it was made there


def test_letters_count_from_one(tmp_path):
    write_files(tmp_path, random_set(52, 1, 26), random_set(26, 1, 26), split="letters")
    (_, y), _ = load_emnist("letters", tmp_path)
    assert sorted(set(y)) == list(range(1, 27))
    names = class_names("letters", tmp_path)
    assert (names[1], names[26], len(names)) == ("A", "Z", 26)
    lines = "".join(f"{n} {n + 64} {n + 96}\n" for n in range(1, 27))
    (tmp_path / "emnist-letters-mapping.txt").write_text(lines)
    assert class_names("letters", tmp_path) == names


def test_class_names(tmp_path):
    assert "".join(class_names("balanced", tmp_path).values()) == (
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"
    )
    assert len(class_names("byclass", tmp_path)) == 62
    (tmp_path / "emnist-digits-mapping.txt").write_text("1 65\n0 66\n")
    assert class_names("digits", tmp_path) == {0: "B", 1: "A"}


@pytest.mark.parametrize("line", ["x 65", "1", "1 65 66 67", "1 10", "0 65", "1 200", ""])
def test_bad_mapping(tmp_path, line):
    path = tmp_path / "emnist-digits-mapping.txt"
    path.write_text(f"0 65\n{line}\n")
    with pytest.raises(ValueError, match=f"{path}, line 2"):
        class_names("digits", tmp_path)


def texts_alone(made):
    """A folder with the split's four texts and nothing else."""
    root, _, _ = made
    load_emnist("balanced", root)
    for path in root.iterdir():
        if path.suffix == ".npz" or path.name.endswith("ubyte"):
            path.unlink()
    return root


@pytest.mark.parametrize(
    ("name", "number", "line", "message"),
    [
        (TEXT, 3, " ".join(["0"] * 783), "line 3: expected 784 numbers"),
        (TEXT, 1, " ".join(["0"] * 785), "line 1: expected 784 numbers"),
        (TEXT, 94, " ".join(["0"] * 783 + ["256"]), "line 94: '256' is not"),
        (TEXT, 5, " ".join(["-1"] + ["0"] * 783), "line 5: '-1' is not"),
        (TEXT, 5, " ".join(["1.0"] + ["0"] * 783), "line 5: '1.0' is not"),
        (TEXT, 5, " ".join(["#"] + ["0"] * 783), "line 5: '#' is not|line 5: expected"),
        (TEXT, 2, "", "line 2: expected 784 numbers"),
        (TEXT, 2, "0" * 10**6, "line 2: expected 784 numbers"),
        (LABELS, 2, "1 1", "line 2: expected 1 numbers"),
        (LABELS, 2, "47", "line 2: 47 is not a label of the split; get the file again"),
        (LABELS, 94, "1\n1", f"{TEXT} has 94 lines, but .*{LABELS} has 95; get both"),
    ],
    ids=range(11),
)
def test_bad_text_is_named_with_its_line(made, name, number, line, message):
    root = texts_alone(made)
    lines = (root / name).read_text().splitlines()
    lines[number - 1] = line
    (root / name).write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueError, match=message) as error:
        load_emnist("balanced", root)
    assert str(root / name) in str(error.value)
    assert "again" in str(error.value)
    assert "delete" not in str(error.value)  # there is nothing left to rebuild it from
    assert not (root / CACHE).exists()


@pytest.mark.parametrize("gz", [False, True])
def test_a_bad_text_can_be_rebuilt_if_its_ubyte_file_is_there(made, gz):
    root, train, test = made
    load_emnist("balanced", root)
    for path in root.iterdir():
        if not path.name.endswith("txt"):
            path.unlink()
    write_files(root, train, test, gz=gz)
    ubyte = root / f"emnist-balanced-train-labels-idx1-ubyte{'.gz' if gz else ''}"
    (root / LABELS).write_text("bad\n")
    set_time(root / LABELS, ubyte.stat().st_mtime_ns)
    with pytest.raises(ValueError, match=rf"{root / LABELS}, line 1: .*; delete it to rebuild it"):
        load_emnist("balanced", root)
    (root / LABELS).unlink()
    (_, y), _ = load_emnist("balanced", root)
    assert np.array_equal(y, train[1])


@pytest.mark.parametrize("content", ["", "1 2 3"])
def test_empty_or_cut_text(made, content):
    root = texts_alone(made)
    (root / LABELS).write_text(content)
    with pytest.raises(ValueError, match=LABELS):
        load_emnist("balanced", root)


def test_bad_ubyte_file_is_an_error_that_names_it(made):
    root, _, _ = made
    path = root / "emnist-balanced-test-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=f"{path}.*expected"):
        load_emnist("balanced", root)


def test_missing_files_are_named(made):
    root, _, _ = made
    (root / "emnist-balanced-test-images-idx3-ubyte").unlink()
    with pytest.raises(FileNotFoundError, match=r"test-images-idx3-ubyte\.gz in .*Get EMNIST"):
        load_emnist("balanced", root)
    with pytest.raises(ValueError, match="unknown split 'roman'"):
        load_emnist("roman", root)


def set_time(path, nanoseconds):
    os.utime(path, ns=(nanoseconds, nanoseconds))


def test_the_cache_is_rebuilt_when_a_source_changes_and_only_then(made):
    root, train, (x, y) = made
    load_emnist("balanced", root)
    cache = root / CACHE
    first = cache.stat().st_mtime_ns
    for path in root.glob("*-ubyte"):
        set_time(path, 4 * 10**18)  # in 2096
    load_emnist("balanced", root)
    second = cache.stat().st_mtime_ns
    assert second != first
    load_emnist("balanced", root)
    assert cache.stat().st_mtime_ns == second  # a time to come is no reason to convert each time

    write_files(root, train, (255 - x, y))  # other files of the same size, older than the cache
    for path in root.glob("*-ubyte"):
        set_time(path, 10**18)
    _, (new_x, _) = load_emnist("balanced", root, scale=False)
    assert np.array_equal(new_x, 255 - x)

    for path in root.glob("*-ubyte"):
        path.unlink()
    (root / LABELS).write_text("1\n" * 94)
    (_, new_y), _ = load_emnist("balanced", root)
    assert (new_y == 1).all()


def test_files_replaced_while_they_are_read_are_noticed(made, monkeypatch):
    root, train, (x, y) = made
    real = dataset.convert

    def convert_and_replace(*words):
        real(*words)
        write_files(root, train, (255 - x, y))  # after the text was made, before the cache is

    monkeypatch.setattr(dataset, "convert", convert_and_replace)
    _, (old, _) = load_emnist("balanced", root, scale=False)
    monkeypatch.undo()
    assert np.array_equal(old, x)
    _, (new, _) = load_emnist("balanced", root, scale=False)
    assert np.array_equal(new, 255 - x)


def test_a_cache_of_an_earlier_version_is_rebuilt_if_its_sources_are_there(made):
    root, _, _ = made
    (_, y), _ = load_emnist("balanced", root)
    with np.load(root / CACHE) as file:
        arrays = {name: file[name] for name in ARRAYS}
    arrays["y_train"] = np.zeros_like(y)
    np.savez(root / CACHE, **arrays)
    assert np.array_equal(load_emnist("balanced", root)[0][1], y)
    np.savez(root / CACHE, **arrays)
    for path in [*root.glob("*-ubyte"), *root.glob("*-txt")]:
        path.unlink()
    assert not load_emnist("balanced", root)[0][1].any()


def test_a_damaged_cache_without_its_sources(made):
    root, _, _ = made
    load_emnist("balanced", root)
    for path in [*root.glob("*-ubyte"), *root.glob("*-txt")]:
        path.unlink()
    (root / CACHE).write_bytes(b"bad")
    with pytest.raises(ValueError, match=f"{root / CACHE} is damaged.*delete it.*download"):
        load_emnist("balanced", root)
    assert (root / CACHE).read_bytes() == b"bad"


def test_the_cache_alone_will_do(made):
    root, train, _ = made
    load_emnist("balanced", root)
    for path in [*root.glob("*-ubyte"), *root.glob("*-txt")]:
        path.unlink()
    (x, _), _ = load_emnist("balanced", root, scale=False)
    assert np.array_equal(x, train[0])


class Trap:
    def __reduce__(self):
        return os.mkdir, ("sprung",)


DAMAGE = {  # of a cache's arrays; its note stays as it was
    "missing": lambda arrays: {"x_train": arrays["x_train"]},
    "flat": lambda arrays: arrays | {"x_train": arrays["x_train"].reshape(-1, 784)},
    "cropped": lambda arrays: arrays | {"x_test": arrays["x_test"][:, :27]},
    "64 bits": lambda arrays: arrays | {"x_train": arrays["x_train"].astype(np.float64)},
    "unscaled": lambda arrays: arrays | {"x_test": np.uint8(255 * arrays["x_test"])},
    "small labels": lambda arrays: arrays | {"y_train": arrays["y_train"].astype(np.uint8)},
    "columns": lambda arrays: arrays | {"y_test": arrays["y_test"][:, None]},
    "no axis": lambda arrays: arrays | {"y_train": arrays["y_train"][0]},
    "fewer labels": lambda arrays: arrays | {"y_test": arrays["y_test"][:-1]},
    "empty": lambda arrays: {name: array[:0] for name, array in arrays.items()},
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_cache_of_other_arrays_is_made_anew(made, damage, capsys):
    root, train, _ = made
    load_emnist("balanced", root)
    arrays, note = read_npz(root / CACHE)
    save_npz(root / CACHE, DAMAGE[damage](arrays), note)
    capsys.readouterr()
    (x, y), _ = load_emnist("balanced", root, scale=False)
    assert f"{root / CACHE} is damaged" in capsys.readouterr().err
    assert np.array_equal(x, train[0])
    assert np.array_equal(y, train[1])
    arrays, new_note = read_npz(root / CACHE)
    assert (sorted(arrays), new_note) == (sorted(ARRAYS), note)


@pytest.mark.parametrize("damage", ["cut", "garbage", "pickle"])
def test_an_unreadable_cache_is_made_anew(made, damage, monkeypatch):
    root, train, _ = made
    monkeypatch.chdir(root)
    load_emnist("balanced", root)
    cache = root / CACHE
    if damage == "cut":
        cache.write_bytes(cache.read_bytes()[:-1000])
    elif damage == "garbage":
        cache.write_bytes(b"no zip")
    else:
        np.savez(cache, **dict.fromkeys(ARRAYS, np.array([Trap()], object)))
    (x, _), _ = load_emnist("balanced", root, scale=False)
    assert np.array_equal(x, train[0])
    assert not (root / "sprung").exists()
    with np.load(cache) as arrays:
        assert sorted(arrays) == sorted([*ARRAYS, "note"])


def test_prepare(made, run):
    root, _, _ = made
    result = run(dataset.cli, "prepare", "--data-root", root)
    assert "94 training, 47 test" in result.stdout
    assert "47: 0123456789ABC" in result.stdout
    assert str(root / CACHE) in result.stdout
    assert "converting" in result.stderr
    result = run(dataset.cli, "prepare", "--data-root", root)
    assert result.stderr == ""


def test_errors_are_one_line(tmp_path, run):
    result = run(dataset.cli, "prepare", "--data-root", tmp_path / "none", code=1)
    assert result.stderr.startswith("Error: no emnist-balanced-train-images")
    assert len(result.stderr.splitlines()) == 1
    run(dataset.cli, "prepare", "--split", "roman", code=2)


def test_preview(made, run, tmp_path):
    from matplotlib.image import imread

    root, _, _ = made
    out = tmp_path / "new/preview"  # a picture whatever its name
    result = run(dataset.cli, "preview", "--data-root", root, "--out", out)
    assert result.stdout == f"{out}\n"
    picture = imread(out)
    assert picture.shape[0] > 600
    assert picture.std() > 0.1


def test_demo_goes_the_same_way(tmp_path, run, demo_set):
    result = run(dataset.cli, "demo", "--data-root", tmp_path)
    assert result.stdout == f"{tmp_path / 'demo'}\n"
    files = sorted(path.name for path in (tmp_path / "demo").iterdir())
    parts = ["test-images-idx3-ubyte", "test-labels-idx1-ubyte"]
    parts += ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"]
    assert files == [f"emnist-balanced-{name}" for name in ("mapping.txt", *parts)]
    loaded = load_emnist("balanced", tmp_path / "demo", scale=False)
    for array, drawn in zip(flat(loaded), flat(demo_set), strict=True):
        assert np.array_equal(array, drawn)  # upright, as it was drawn
    mapping = (tmp_path / "demo/emnist-balanced-mapping.txt").read_text()
    assert mapping.splitlines()[0] == "0 48"
    assert class_names("balanced", tmp_path / "demo") == dataset.CLASSES["balanced"]


def test_which_data(made, tmp_path):
    root, _, _ = made
    assert find_data("auto", "balanced", root) == "emnist"
    assert data_folder("emnist", root) == root
    with pytest.raises(FileNotFoundError):
        find_data("emnist", "balanced", tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        find_data("auto", "letters", tmp_path / "none")
    assert find_data("auto", "balanced", tmp_path / "none") == "demo"
    folder = data_folder("demo", tmp_path / "none")
    assert folder == tmp_path / "none/demo"
    assert len(list(folder.glob("*ubyte"))) == 4
    (root / "emnist-balanced-train-images-idx3-ubyte").unlink()
    with pytest.raises(FileNotFoundError):  # some files are there: no reason for demo
        find_data("auto", "balanced", root)
