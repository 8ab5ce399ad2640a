"""dataset.py: what load_emnist gives, when it converts, what it refuses, and its commands."""

import gzip
import hashlib
import os
import pty
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from conftest import PROJECT, leftovers, random_set, script, write_files

import dataset
from dataset import Split, class_names, find_again, find_data, fingerprint_of, load_emnist
from support.files import read_npz, save_npz

TEXT = "emnist-balanced-train-images-idx3-txt"
LABELS = "emnist-balanced-train-labels-idx1-txt"
CACHE = "emnist-balanced.npz"
MAPPING = "emnist-balanced-mapping.txt"


def flat(data):
    return [array for part in data for array in part]


def assert_same(data, *parts):
    """Unscaled data is the made-up (x, y) of each part."""
    for found, expected in zip(flat(data), flat(parts), strict=True):
        assert np.array_equal(found, expected)


# ---- the loader


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
        assert unscaled[0][0].dtype == np.uint8
        assert_same(unscaled, train, test)
    with np.load(tmp_path / "d" / CACHE) as cache:
        assert sorted(cache) == ["note", "x_test", "x_train", "y_test", "y_train"]
        assert np.array_equal(cache["x_test"], data[1][0])


def test_images_stand_upright(tmp_path):
    seven = np.zeros((2, 28, 28), np.uint8)
    seven[:, 4, 4:24] = seven[:, 4:24, 23] = 255  # a bar on top, a stroke down its right end
    write_files(tmp_path, (seven, np.array([7, 7])), (seven, np.array([7, 7])))
    (x, _), _ = load_emnist("balanced", tmp_path)
    assert x[0, 4, 4:24].all()
    assert x[0, 4:24, 23].all()
    assert not x[0, 5:, 4:20].any()


def test_ways_to_name_the_folder(made, run, monkeypatch, tmp_path):
    root, train, test = made
    monkeypatch.setenv("DATA_ROOT", str(root))
    assert_same(load_emnist(scale=False), train, test)
    monkeypatch.setenv("HOME", str(root.parent))
    monkeypatch.setenv("DATA_ROOT", f"~/{root.name}")
    assert_same(load_emnist(scale=False), train, test)
    monkeypatch.delenv("DATA_ROOT")
    (tmp_path / "here").mkdir()
    (tmp_path / "here/data").symlink_to(root)
    monkeypatch.chdir(tmp_path / "here")
    assert_same(load_emnist(scale=False), train, test)
    for empty in ("--data-root", ""), ():  # as by variables that are not set
        printed = run(dataset.cli, "prepare", *empty, env={"DATA_ROOT": ""}).stdout
        assert f"data/{CACHE}" in printed


def test_files_in_gzip_as_nists_zip_unpacks(made, run):
    root, train, test = made
    (root / "gzip").mkdir()
    for path in root.glob("*ubyte"):
        path.rename(root / "gzip" / path.name)
    (root / "gzip" / MAPPING).write_text("".join(f"{n} {n + 48}\n" for n in range(47)))
    assert find_data("auto", "balanced", root) == Split("balanced", root)
    assert_same(load_emnist("balanced", root, scale=False), train, test)
    assert (root / CACHE).exists()
    assert class_names("balanced", root)[46] == chr(94)


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


# ---- what is refused


def remove_all_but_texts(root):
    for path in root.iterdir():
        if not path.name.endswith("-txt"):
            path.unlink()


@pytest.mark.parametrize(
    ("name", "number", "line", "message"),
    [
        (TEXT, 3, " ".join(["0"] * 783), "line 3: expected 784 numbers"),
        (TEXT, 94, " ".join(["0"] * 783 + ["256"]), "line 94: '256' is not"),
        (LABELS, 2, "47", "line 2: 47 is not a label of the split"),
        (LABELS, 94, "1\n1", f"{TEXT} has 94 images, but .*{LABELS} has 95 labels"),
    ],
    ids=range(4),
)
def test_a_bad_text_is_named_with_its_line(made, name, number, line, message):
    root, _, _ = made
    load_emnist("balanced", root)
    remove_all_but_texts(root)
    lines = (root / name).read_text().splitlines()
    lines[number - 1] = line
    (root / name).write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueError, match=message) as error:
        load_emnist("balanced", root)
    assert str(root / name) in str(error.value)


def test_a_bad_binary_file_is_named(made):
    root, _, _ = made
    path = root / "emnist-balanced-test-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=f"{path}.*expected"):
        load_emnist("balanced", root)
    assert not (root / CACHE).exists()


def test_missing_files_are_named(made):
    root, _, _ = made
    (root / "emnist-balanced-test-images-idx3-ubyte").unlink()
    with pytest.raises(FileNotFoundError, match=r"test-images-idx3-ubyte.*dataset\.py download"):
        load_emnist("balanced", root)
    with pytest.raises(ValueError, match="unknown split 'roman'"):
        load_emnist("roman", root)


def test_a_mapping_that_lacks_a_label_is_refused(made):
    root, _, _ = made
    load_emnist("balanced", root)
    (root / MAPPING).write_text("0 48\n1 49\n")
    with pytest.raises(ValueError, match=f"{root / MAPPING} lacks the label 2"):
        load_emnist("balanced", root)


# ---- fresh or stale


def set_time(path, nanoseconds):
    os.utime(path, ns=(nanoseconds, nanoseconds))


def test_the_cache_is_rebuilt_from_new_binary_files(made):
    root, train, (x, y) = made
    load_emnist("balanced", root)
    write_files(root, train, (255 - x, y))
    assert_same(load_emnist("balanced", root, scale=False), train, (255 - x, y))


def test_new_binary_files_with_the_old_time_are_noticed_by_their_size(made):
    root, train, test = made
    load_emnist("balanced", root)
    times = {path.name: path.stat().st_mtime_ns for path in root.glob("*-ubyte")}
    fewer = test[0][:40], test[1][:40]
    write_files(root, train, fewer)
    for name, time in times.items():
        set_time(root / name, time)  # as cp -p and tar do; the texts are of the old files
    for _ in range(2):
        assert_same(load_emnist("balanced", root, scale=False), train, fewer)


def test_other_times_of_the_same_files_change_nothing(made):
    root, _, _ = made
    load_emnist("balanced", root)
    cache_time = (root / CACHE).stat().st_mtime_ns
    for path in root.glob("*-ubyte"):
        set_time(path, 10**18)
    load_emnist("balanced", root)
    assert (root / CACHE).stat().st_mtime_ns == cache_time


def test_a_bad_text_left_beside_its_binary_file_does_no_harm(made):
    root, train, test = made
    load_emnist("balanced", root)
    (root / CACHE).unlink()
    (root / LABELS).write_text("1\n" * 94)
    assert_same(load_emnist("balanced", root, scale=False), train, test)


def test_the_cache_alone_will_do(made):
    root, train, test = made
    load_emnist("balanced", root)
    for path in [*root.glob("*-ubyte"), *root.glob("*-txt")]:
        path.unlink()
    assert_same(load_emnist("balanced", root, scale=False), train, test)


def test_the_texts_alone_will_do(made):
    root, train, (x_test, y_test) = made
    load_emnist("balanced", root)
    remove_all_but_texts(root)
    assert_same(load_emnist("balanced", root, scale=False), train, (x_test, y_test))
    (root / LABELS).write_text("1\n" * 94)
    new = train[0], np.ones(94)
    assert_same(load_emnist("balanced", root, scale=False), new, (x_test, y_test))


def test_a_cache_by_somebody_else_is_used_where_nothing_else_is(made):
    root, _, _ = made
    data = load_emnist("balanced", root)
    content = fingerprint_of(Split("balanced", root))
    arrays, _ = read_npz(root / CACHE)
    shutil.rmtree(root)
    root.mkdir()
    np.savez(root / CACHE, **arrays)
    assert_same(load_emnist("balanced", root), *data)
    assert fingerprint_of(Split("balanced", root)) == content


DAMAGE = {  # of a cache's arrays; its note stays as it was
    "missing": lambda arrays: {"x_train": arrays["x_train"]},
    "flat": lambda arrays: arrays | {"x_train": arrays["x_train"].reshape(-1, 784)},
    "64 bits": lambda arrays: arrays | {"x_train": arrays["x_train"].astype(np.float64)},
    "fewer labels": lambda arrays: arrays | {"y_test": arrays["y_test"][:-1]},
    "empty": lambda arrays: {name: array[:0] for name, array in arrays.items()},
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_cache_is_rebuilt(made, damage, capsys):
    root, train, test = made
    load_emnist("balanced", root)
    arrays, note = read_npz(root / CACHE)
    save_npz(root / CACHE, DAMAGE[damage](arrays), note)
    capsys.readouterr()
    assert_same(load_emnist("balanced", root, scale=False), train, test)
    assert f"{root / CACHE}: damaged" in capsys.readouterr().err


def test_a_damaged_cache_without_its_sources_is_kept_and_named(made):
    root, _, _ = made
    load_emnist("balanced", root)
    for path in [*root.glob("*-ubyte"), *root.glob("*-txt")]:
        path.unlink()
    (root / CACHE).write_bytes(b"bad")
    with pytest.raises(ValueError, match=f"{root / CACHE}: damaged.*delete it.*download"):
        load_emnist("balanced", root)
    assert (root / CACHE).read_bytes() == b"bad"


def test_a_read_only_folder_is_read_and_nothing_is_saved(made, run, monkeypatch, capsys):
    root, train, test = made
    before = sorted(path.name for path in root.iterdir())
    access = os.access  # told what it says of a read-only disk: root may write to any folder
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and access(path, mode))
    data = load_emnist("balanced", root, scale=False)
    assert_same(data, train, test)
    assert capsys.readouterr().err.count(f"{root} is read-only") == 1  # converted once
    data[0][0][:] = 0
    assert_same(load_emnist("balanced", root, scale=False), train, test)
    result = run(dataset.cli, "prepare", "--data-root", root)
    assert "94 training" in result.stdout
    assert CACHE not in result.stdout
    assert sorted(path.name for path in root.iterdir()) == before


# ---- which data


def test_which_data(made, tmp_path):
    root, _, _ = made
    assert find_data("auto", "balanced", root) == Split("balanced", root, "emnist")
    for data, split in (("emnist", "balanced"), ("auto", "letters")):
        with pytest.raises(FileNotFoundError):
            find_data(data, split, tmp_path / "none")
    demo = find_data("auto", "balanced", tmp_path / "none")
    assert demo == Split("balanced", tmp_path / "none/demo", "demo")
    assert len(list(demo.folder.glob("*ubyte"))) == 4
    (root / "emnist-balanced-train-images-idx3-ubyte").unlink()
    with pytest.raises(FileNotFoundError):  # some files are there: no reason for demo
        find_data("auto", "balanced", root)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("emnist-balanced-train-images.idx3-ubyte", "emnist-balanced-train-images-idx3-ubyte"),
        ("emnist-balanced-test-labels.idx1-ubyte.gz", "emnist-balanced-test-labels-idx1-ubyte.gz"),
        ("emnist-balanced-train.csv", "only NIST's ubyte files are read"),
        ("emnist-balanced.mat", "only NIST's ubyte files are read"),
        ("emnist-balanced-train-images-idx3-ubyte (1).gz", "only NIST's ubyte files are read"),
        ("gzip (1).zip", "named gzip.zip"),
        ("EMNIST/raw/emnist-balanced-train-images-idx3-ubyte", "--data-root"),
        ("gzip/gzip/emnist-balanced-train-images-idx3-ubyte.gz", "--data-root"),
    ],
)
def test_files_under_other_names_are_named_and_no_reason_for_demo(tmp_path, name, advice):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("data")
    with pytest.raises(FileNotFoundError) as error:
        find_data("auto", "balanced", tmp_path)
    assert str(path) in str(error.value)
    assert advice in str(error.value)
    assert not (tmp_path / "demo").exists()


def test_a_folder_named_like_the_file_is_no_reason_for_demo(made):
    root, _, _ = made
    path = root / "emnist-balanced-train-images-idx3-ubyte"
    path.rename(root / "file")
    path.mkdir()
    (root / "file").rename(path / path.name)
    with pytest.raises(FileNotFoundError, match=f"{path} is a folder: move the file in it to"):
        find_data("auto", "balanced", root)


def test_data_are_found_again_by_their_content(made, tmp_path):
    root, train, test = made
    content = fingerprint_of(Split("balanced", root))
    shutil.copytree(root, tmp_path / "moved")
    write_files(tmp_path / "other", test, train)  # exchanged
    gone = tmp_path / "gone"
    found = find_again("emnist", "balanced", content, [gone, tmp_path / "moved"])
    assert found == Split("balanced", tmp_path / "moved")
    found = find_again("emnist", "balanced", content, [tmp_path / "other", root])
    assert found == Split("balanced", root)
    with pytest.raises(ValueError, match=r"images that are not the run.s.*--data-root"):
        find_again("emnist", "balanced", content, [tmp_path / "other"])
    with pytest.raises(FileNotFoundError, match="--data-root"):
        find_again("emnist", "balanced", content, [gone])


# ---- downloads


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """A folder with a zip like NIST's, whose made-up files pass for NIST's own."""
    train, test = random_set(20, classes=10), random_set(10, classes=10)
    write_files(tmp_path / "made-up", train, test, split="digits", gz=True)
    root = tmp_path / "root"
    root.mkdir()
    with zipfile.ZipFile(root / "emnist-gzip.zip", "w") as archive:
        for path in (tmp_path / "made-up").iterdir():
            archive.write(path, f"gzip/{path.name}")
            md5 = hashlib.md5(path.read_bytes()).hexdigest()
            monkeypatch.setitem(dataset.MD5, f"gzip/{path.name}", md5)
    return root, train, test


def test_a_zip_in_the_folder_is_used(packed, run):
    root, train, test = packed
    result = run(dataset.cli, "download", "--split", "digits", "--data-root", root)
    assert len(result.stdout.splitlines()) == 4
    assert f"{root}/emnist-digits-train-images-idx3-ubyte.gz" in result.stdout
    assert_same(load_emnist("digits", root, scale=False), train, test)
    result = run(dataset.cli, "download", "--split", "digits", "--data-root", root)
    assert result.stdout == "all files are there already\n"


def test_a_file_that_is_not_nists_is_named(packed, run):
    root, _, _ = packed
    path = root / "emnist-digits-train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(b"something else"))
    result = run(dataset.cli, "download", "--split", "digits", "--data-root", root, code=1)
    assert f"{path}: its md5 sum is wrong" in result.stderr


def test_a_failed_download_says_what_to_do(tmp_path, run):
    words = ["download", "--data-root", tmp_path, "--url", "http://127.0.0.1:9/gzip.zip"]
    result = run(dataset.cli, *words, code=1)
    (line,) = result.stderr.splitlines()
    assert "http://127.0.0.1:9/gzip.zip" in line
    assert "put a gzip.zip" in line
    assert not leftovers(tmp_path)


# ---- the commands


def test_prepare(made, run):
    root, _, _ = made
    result = run(dataset.cli, "prepare", "--data-root", root)
    assert "94 training, 47 test" in result.stdout
    assert "47: 0123456789ABC" in result.stdout
    assert str(root / CACHE) in result.stdout
    assert "converting" in result.stderr
    result = run(dataset.cli, "prepare", "--data-root", root)
    assert result.stderr == ""


def stderr_on_terminal(*words):
    """Runs dataset.py with a terminal as its stderr; what it wrote there."""
    terminal, stderr = pty.openpty()
    command = [sys.executable, PROJECT / "dataset.py", *words]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr) as process:
        os.close(stderr)
        written = b""
        try:
            while block := os.read(terminal, 4096):
                written += block
        except OSError:  # how Linux says that nobody writes any more
            pass
    os.close(terminal)
    assert process.returncode == 0
    return written.decode()


@pytest.mark.parametrize("gz", [False, True])
def test_progress_bars_on_a_terminal(tmp_path, gz):
    write_files(tmp_path, random_set(1000), random_set(100), gz=gz)
    written = stderr_on_terminal("prepare", "--data-root", tmp_path)
    lines = [line.split("\r")[-1] for line in written.split("\r\n")]  # as each ended
    notice, *bars, last = lines
    assert "converting and caching" in notice
    assert last == ""
    assert len(bars) == 1 + 4  # the conversion, then the reading of each text
    for bar in bars:
        assert "100%" in bar
    assert "reading emnist-balanced-train-images-idx3-txt" in bars[1]
    assert stderr_on_terminal("prepare", "--data-root", tmp_path) == ""


def test_a_progress_bar_of_the_demo_set(tmp_path):
    notice, bar, last = stderr_on_terminal("demo", "--data-root", tmp_path).split("\r\n")
    assert "drawing the demo set" in notice
    assert "100%" in bar
    assert last == ""


def test_missing_files_name_the_command_that_fetches_them(tmp_path, run):
    words = ["preview", "--split", "letters", "--data-root", tmp_path / "none"]
    message = run(dataset.cli, *words, code=1).stderr
    assert f"dataset.py download --split letters --data-root {tmp_path / 'none'}" in message


def test_errors_are_one_line(tmp_path, run):
    result = run(dataset.cli, "prepare", "--data-root", tmp_path / "none", code=1)
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"Error: Missing in {tmp_path / 'none'}: emnist-balanced-train-images")
    result = run(dataset.cli, "prepare", "--split", "roman", code=2)
    assert "'roman' is not one of" in result.stderr


def test_the_script_works_through_a_link(made, tmp_path):
    root, _, _ = made
    (tmp_path / "bin").mkdir()
    link = tmp_path / "bin/dataset.py"
    link.symlink_to(dataset.__file__)
    with script(link, "prepare", "--data-root", root) as process:
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    assert "94 training" in stdout


def test_a_message_of_the_converter_in_a_plain_locale(tmp_path):
    root = tmp_path / "ä"
    write_files(root, random_set(3), random_set(3))
    (root / "emnist-balanced-train-images-idx3-ubyte").write_bytes(b"")
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    with script("dataset.py", "prepare", "--data-root", root, env=os.environ | plain) as process:
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert stderr.splitlines()[-1].endswith("images-idx3-ubyte: empty; get the file again")


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
    labels = tmp_path / "emnist-balanced-train-labels-idx1-ubyte"
    words = ["preview", "--data-root", tmp_path, "--out", labels]
    assert "ends in .png" in run(dataset.cli, *words, code=2).stderr


def test_demo_goes_the_same_way(tmp_path, run, demo_set):
    result = run(dataset.cli, "demo", "--data-root", tmp_path)
    assert result.stdout == f"{tmp_path / 'demo'}\n"
    assert_same(load_emnist("balanced", tmp_path / "demo", scale=False), *demo_set)
    mapping = (tmp_path / "demo" / MAPPING).read_text()
    assert mapping.splitlines()[0] == "0 48"
    assert class_names("balanced", tmp_path / "demo") == dataset.CLASSES["balanced"]
