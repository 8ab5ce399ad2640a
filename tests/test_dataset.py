"""dataset.py: what load_emnist gives, when it converts, what it refuses, and its commands."""

import errno
import hashlib
import os
import shutil
import zipfile

import numpy as np
import pytest
from conftest import leftovers, random_set, script, write_files

import dataset
from dataset import class_names, data_for_new_run, find_again, load_emnist, open_data
from support.emnist.download import DownloadError

TEXT = "emnist-balanced-train-images-idx3-txt"
LABELS = "emnist-balanced-train-labels-idx1-txt"
NPZ = "emnist-balanced.npz"


def assert_same(root, train, test, split="balanced"):
    """The split in a folder is the made-up (x, y) of each part."""
    loaded = load_emnist(split, root, scale=False)
    for (x, y), (made_x, made_y) in zip(loaded, (train, test), strict=True):
        assert np.array_equal(x, made_x)
        assert np.array_equal(y, made_y)


def to_text(root):
    """Leaves a folder with the texts of its split, by convert_idx.sh, and nothing else."""
    with script("convert_idx.sh", root) as process:
        assert process.wait(timeout=60) == 0
    for path in root.iterdir():
        if not path.name.endswith("-txt"):
            path.unlink()


# ---- the loader


def test_bit_for_bit(tmp_path):
    train, test = random_set(94, seed=1), random_set(47, seed=2)
    write_files(tmp_path / "gzip", train, test, gz=True)  # as NIST's zip unpacks
    for _ in range(2):  # converted, then from the npz
        data = load_emnist("balanced", tmp_path)
        for (x, y), (made_x, made_y) in zip(data, (train, test), strict=True):
            assert (x.dtype, y.dtype) == (np.float32, np.int64)
            assert np.array_equal(x, made_x.astype(np.float32) / np.float32(255))
            assert np.array_equal(y, made_y)
    assert load_emnist("balanced", tmp_path, scale=False)[0][0].dtype == np.uint8
    assert_same(tmp_path, train, test)  # with scale=False, too
    with np.load(tmp_path / NPZ) as npz:
        assert sorted(npz) == ["note", "x_test", "x_train", "y_test", "y_train"]
        assert np.array_equal(npz["x_test"], data[1][0])
    assert not list(tmp_path.glob("*txt"))  # the text goes when it is parsed
    assert not leftovers(tmp_path)


def test_ways_to_name_the_folder(made, monkeypatch, tmp_path):
    root, train, test = made
    monkeypatch.setenv("HOME", str(root.parent))
    monkeypatch.setenv("DATA_ROOT", f"~/{root.name}")
    assert_same(None, train, test)
    (tmp_path / "here").mkdir()
    (tmp_path / "here/data").symlink_to(root)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("DATA_ROOT")
    assert_same(None, train, test)


def test_labels_and_their_characters(tmp_path):
    write_files(tmp_path, random_set(52, 1, 26), random_set(26, 1, 26), split="letters")
    (_, y), _ = load_emnist("letters", tmp_path)
    assert sorted(set(y)) == list(range(1, 27))
    assert class_names("letters", tmp_path)[1] == "A"
    assert "".join(class_names("balanced", tmp_path).values()) == (
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"
    )
    assert len(class_names("byclass", tmp_path)) == 62
    (tmp_path / "gzip").mkdir()
    (tmp_path / "gzip/emnist-letters-mapping.txt").write_text("1 97\n3 99\n")
    assert class_names("letters", tmp_path) == {1: "a", 3: "c"}
    with pytest.raises(ValueError, match=r"line 2: the label 2 is not in .*mapping"):
        load_emnist("letters", tmp_path)


# ---- what is refused


@pytest.mark.parametrize(
    ("name", "number", "line", "message"),
    [
        (TEXT, 3, " ".join(["0"] * 783), f"{TEXT}, line 3: expected 784 numbers 0..255"),
        (TEXT, 94, " ".join(["0"] * 783 + ["256"]), f"{TEXT}, line 94: expected 784 numbers"),
        (LABELS, 2, "# 1", f"{LABELS}, line 2: expected 1 numbers"),
        (LABELS, 94, "1\n1", f"{TEXT} has 94 images, but .*{LABELS} has 95 labels"),
    ],
)
def test_a_bad_text_is_named_with_its_line(made, name, number, line, message):
    root, _, _ = made
    to_text(root)
    lines = (root / name).read_text().splitlines()
    lines[number - 1] = line
    (root / name).write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueError, match=f"{root}/{message}"):
        load_emnist("balanced", root)


def test_a_bad_binary_file_is_named_and_nothing_is_left(made):
    root, _, _ = made
    path = root / "emnist-balanced-test-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    before = sorted(root.iterdir())
    with pytest.raises(ValueError, match=f"{path}.*expected"):
        load_emnist("balanced", root)
    assert sorted(root.iterdir()) == before


def test_missing_files_are_named_with_the_command_that_gets_them(made):
    root, _, _ = made
    (root / "emnist-balanced-test-images-idx3-ubyte").unlink()
    command = f"dataset.py prepare --split balanced --data-root {root}"
    with pytest.raises(FileNotFoundError, match=f"test-images-idx3-ubyte.*{command}"):
        load_emnist("balanced", root)
    with pytest.raises(ValueError, match="unknown split 'roman'"):
        load_emnist("roman", root)


# ---- fresh or stale


def test_new_binary_files_make_the_npz_stale_whatever_their_times(made, capsys):
    root, train, (x, y) = made
    load_emnist("balanced", root)
    times = {path: path.stat().st_mtime_ns for path in root.glob("*-ubyte")}
    write_files(root, train, (255 - x, y))
    for path, time in times.items():
        os.utime(path, ns=(time, time))  # the size is the same, too
    capsys.readouterr()
    assert_same(root, train, (255 - x, y))
    assert f"{root / NPZ} was made from other files" in capsys.readouterr().err


def test_names_times_and_places_prove_nothing(made, tmp_path, capsys):
    root, train, test = made
    load_emnist("balanced", root)
    for path in root.glob("*-ubyte"):
        os.utime(path, ns=(10**18, 10**18))
    root.rename(tmp_path / "moved")
    capsys.readouterr()
    assert_same(tmp_path / "moved", train, test)
    assert capsys.readouterr().err == ""


def test_the_npz_alone_will_do(made):
    root, train, test = made
    load_emnist("balanced", root)
    first, *others = root.glob("*-ubyte")
    first.unlink()
    first.symlink_to("/proc/self/mem")  # which cannot be read
    assert_same(root, train, test)
    for path in (first, *others):
        path.unlink()
        assert_same(root, train, test)


def test_texts_alone_will_do_and_so_will_some(made):
    root, train, test = made
    binary = root / "emnist-balanced-test-images-idx3-ubyte"
    kept = binary.read_bytes()
    to_text(root)
    assert_same(root, train, test)
    (root / LABELS).write_text("1\n" * 94)
    assert_same(root, (train[0], np.ones(94)), test)
    binary.write_bytes(kept)
    (root / "emnist-balanced-test-images-idx3-txt").write_text("the binary file counts\n")
    assert_same(root, (train[0], np.ones(94)), test)


def test_an_npz_that_cannot_be_opened_is_made_again(made, capsys):
    root, train, test = made
    load_emnist("balanced", root)
    (root / NPZ).write_bytes(b"cut off")
    assert_same(root, train, test)
    assert f"{root / NPZ} cannot be used, making it again" in capsys.readouterr().err


def test_a_damaged_array_is_named_and_kept(made):
    root, train, test = made
    load_emnist("balanced", root)
    path = root / NPZ
    content = path.read_bytes().replace(b"\x80\x3f", b"\x81\x3f")  # 1.0 in float32
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"{path}: damaged.*move it away and run: .* prepare"):
        load_emnist("balanced", root)
    assert path.read_bytes() == content
    path.rename(root / "away")
    assert_same(root, train, test)


# ---- an npz that somebody made


@pytest.fixture
def own_images(tmp_path):
    """A person's own npz beside files of the same split: its path, and its arrays."""
    write_files(tmp_path, random_set(5), random_set(5), split="digits")
    arrays = {}
    for part, count in (("train", 20), ("test", 10)):
        x, y = random_set(count, classes=10)
        arrays[f"x_{part}"] = x.astype(np.float32) / 255
        arrays[f"y_{part}"] = y.astype(np.int64)
    return tmp_path / "emnist-digits.npz", arrays


def test_somebodys_npz_is_used_and_never_replaced(own_images):
    path, arrays = own_images
    np.savez(path, **arrays)
    before = path.read_bytes()
    (x_train, _), (_, y_test) = load_emnist("digits", path.parent)
    assert np.array_equal(x_train, arrays["x_train"])
    assert np.array_equal(y_test, arrays["y_test"])
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("x_train", lambda x: np.uint8(255 * x)),
        ("x_train", lambda x: 255 * x),
        ("y_test", lambda y: y[:-1]),
    ],
)
def test_somebodys_npz_that_does_not_fit_is_named_and_kept(own_images, name, change):
    path, arrays = own_images
    np.savez(path, **arrays | {name: change(arrays[name])})
    before = path.read_bytes()
    with pytest.raises(ValueError, match=rf"{path}: .*{name} is .*expected float32 \(N, 28, 28\)"):
        load_emnist("digits", path.parent)
    assert path.read_bytes() == before


# ---- a folder that cannot be written to


def test_a_read_only_folder_is_read_and_a_notice_says_that_nothing_is_saved(
    made, monkeypatch, capsys
):
    root, train, test = made

    def refuse(source, target):  # root may write to any folder
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), target)

    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setattr(os, "replace", refuse)
    before = sorted(root.iterdir())
    assert_same(root, train, test)
    assert f"{root / NPZ} is not saved: Read-only file system" in capsys.readouterr().err
    assert sorted(root.iterdir()) == before


# ---- which data


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The user stands in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATA_ROOT", raising=False)
    return tmp_path


def test_a_new_run_falls_back_to_demo_which_goes_the_same_way(here, capsys):
    (here / "data").mkdir()
    for name in ("fonts.zip", "train-images-idx3-ubyte.gz", "emnist-letters-mapping.txt"):
        (here / "data" / name).write_text("nobody's EMNIST Balanced")
    data = data_for_new_run()
    assert data.files.split == "demo"
    assert data.x_train.shape == (11280, 28, 28)
    assert set(data.y_test) == set(range(47))
    assert (here / "data/emnist-demo-train-images-idx3-ubyte").exists()
    assert (here / "data/emnist-demo.npz").exists()
    first = capsys.readouterr().err.splitlines()[0]
    assert first.startswith("EMNIST cannot be downloaded; training on a small made-up set (")
    assert "http" not in first
    assert len(first) < 120


def test_what_was_asked_for_never_falls_back_and_a_typo_leaves_nothing(here, monkeypatch):
    message = r"Missing in .*download failed.*gzip.zip.*--split demo"
    for asked_for in ({"split": "balanced"}, {"split": "letters"}, {"data_root": "emnits"}):
        with pytest.raises(DownloadError, match=message):
            data_for_new_run(**asked_for)
    monkeypatch.setenv("DATA_ROOT", "emnits")
    with pytest.raises(DownloadError, match="Missing in emnits"):
        data_for_new_run()
    (here / "mine").mkdir()
    with pytest.raises(DownloadError, match="Missing in mine"):
        data_for_new_run(data_root="mine")
    assert list(here.iterdir()) == [here / "mine"]


@pytest.mark.parametrize(
    "name",
    [
        "emnist-balanced-train-images-idx3-ubyte",
        "EMNIST.csv",
        "gzip/emnist-balanced-train-images-idx3-ubyte (1).gz",
    ],
)
def test_files_that_look_like_emnist_never_fall_back(here, name):
    path = here / "data" / name
    path.parent.mkdir(parents=True)
    path.write_text("data")
    with pytest.raises(DownloadError, match="There is") as error:
        data_for_new_run()
    assert path.name in str(error.value)
    assert not list(here.rglob("emnist-demo*"))


def test_data_are_found_again_by_their_content(made, tmp_path):
    root, train, test = made
    fingerprint = open_data("balanced", root).fingerprint
    gone, other, moved = (tmp_path / name for name in ("gone", "other", "moved"))
    shutil.copytree(root, moved)
    write_files(other, test, train)  # exchanged
    hidden = tmp_path / ("x" * 300)  # cannot be looked at, as another user's home
    assert find_again("balanced", fingerprint, [hidden, other, moved]).files.root == moved
    message = f"{hidden} has none; {gone} has none; {other} has other images.*--data-root"
    with pytest.raises(FileNotFoundError, match=message):
        find_again("balanced", fingerprint, [hidden, gone, other])


# ---- the commands


def test_a_zip_in_the_folder_is_used_for_a_download(tmp_path, monkeypatch, run):
    train, test = random_set(20, classes=10), random_set(10, classes=10)
    write_files(tmp_path / "made-up", train, test, split="digits", gz=True)
    root = tmp_path / "root"
    root.mkdir()
    with zipfile.ZipFile(root / "emnist-gzip.zip", "w") as archive:
        for path in (tmp_path / "made-up").iterdir():
            archive.write(path, f"gzip/{path.name}")
            md5 = hashlib.md5(path.read_bytes()).hexdigest()
            monkeypatch.setitem(dataset.MD5, f"gzip/{path.name}", md5)  # passes for NIST's
    for _ in range(2):
        result = run(dataset.cli, "download", "--split", "digits", "--data-root", root)
        assert len(result.stdout.splitlines()) == 4
        (root / "emnist-gzip.zip").unlink(missing_ok=True)
    assert_same(root, train, test, split="digits")


def test_demo_cannot_be_downloaded(run):
    result = run(dataset.cli, "download", "--split", "demo", code=2)
    assert "run: python dataset.py prepare --split demo" in result.stderr


def test_prepare(made, run):
    root, _, _ = made
    result = run(dataset.cli, "prepare", "--data-root", root)
    assert "94 training, 47 test" in result.stdout
    assert "47: 0123456789ABC" in result.stdout
    assert str(root / NPZ) in result.stdout
    assert "converting" in result.stderr
    assert run(dataset.cli, "prepare", "--data-root", root).stderr == ""


def test_preview(tmp_path, run):
    from matplotlib.image import imread

    few = random_set(60)  # of some classes two, of others one
    write_files(tmp_path, few, few)
    out = tmp_path / "new/preview.png"
    result = run(dataset.cli, "preview", "--data-root", tmp_path, "--out", out)
    assert result.stdout == f"{out}\n"
    picture = imread(out)
    assert picture.shape[0] > 600
    assert picture.std() > 0.1
