"""The benchmarks run, on a handful of images; what they print there means nothing."""

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
