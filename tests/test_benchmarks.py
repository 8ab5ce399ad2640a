"""The benchmarks run, on a handful of images; what they print there means nothing."""

import re
import subprocess
import sys

from conftest import PROJECT


def benchmark(name, *words):
    command = [sys.executable, PROJECT / "benchmarks" / name, *words]
    done = subprocess.run([str(w) for w in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_morph(trained, characters, tmp_path):
    words = ["--run-dir", trained[0], "--data-root", characters, "--pairs", 4, "--steps", 4]
    words += ["--judge", tmp_path / "judge.keras", "--judge-epochs", 1]
    lines = benchmark("morph.py", *words).splitlines()
    paths = [line.split("|")[1].strip() for line in lines if line.startswith("|")]
    assert paths == ["path", "---", "cross-fade", "linear", "slerp", "geodesic"]
    assert (tmp_path / "judge.keras").exists()


def cells(output, column=1):
    rows = [line.split("|") for line in output.splitlines() if line.startswith("|")]
    return [row[column].strip() for row in rows[2:]]


def test_data(characters):
    output = benchmark("data.py", "--data-root", characters, "--rounds", 1)
    assert [name.split(":")[0] for name in cells(output)[:4]] == ["od", "parse", "cache", "load"]
    assert all(float(seconds) >= 0 for seconds in cells(output, 2))


def test_compare(characters, tmp_path):
    words = ["--epochs", 1, "--old-epochs", 1, "--steps", 2, "--out", tmp_path / "compare.png"]
    output = benchmark("compare.py", "--data-root", characters, *words)
    assert cells(output)[:2] == ["this autoencoder", "design of 2017"]
    assert all(0 < float(excess) < 1 for excess in cells(output, 4))
    assert (tmp_path / "compare.png").read_bytes().startswith(b"\x89PNG")


def test_ablation(characters):
    changes = ["as it is", "no batch norm", "upsampling for transposed convolutions"]
    changes += ["rate warmed up for an epoch", "no weight decay", "Keras's Nadam"]
    only = [word for change in changes for word in ("--only", change)]
    output = benchmark("ablation.py", "--data-root", characters, "--epochs", 1, *only)
    assert cells(output) == changes
    assert len(set(cells(output, 2))) == len(changes)  # each change changes something


def test_cost(characters):
    output = benchmark("cost.py", "--data-root", characters, "--epochs", 2, "--steps", 2)
    assert {"optimizer", "convolutions", "transposed convolutions"} < set(cells(output))
    assert "2,820" in cells(output)


def test_own_pictures(trained):
    output = benchmark("own_pictures.py", "--run-dir", trained[0], "--rounds", 1, "--pictures", 20)
    assert int(re.fullmatch(r"seed 0: (\d+) of 20 nearer to their own\n", output)[1]) >= 5


def test_kill():
    words = ["--per-class", 20, "--times", 1, "--epochs", 1]
    lines = benchmark("kill.py", *words).splitlines()
    assert [line.split(":")[0] for line in lines] == ["convert", "download", "prepare", "train"]
    assert all(line.endswith("every next start succeeded") for line in lines)
