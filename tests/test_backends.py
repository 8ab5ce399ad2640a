"""Keras on JAX and PyTorch: every command, and models and runs that go on on another backend.

What the commands do is tested on TensorFlow, in test_autoencoder.py.
"""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from conftest import PROJECT, script

import autoencoder
import dataset
from support.lazy_keras import keras
from support.run import read_history

# Runs commands of autoencoder.py one after another, so that the backend is imported once.
PROGRAM = """
import sys
from autoencoder import cli

for command in sys.argv[1:]:
    cli(command.split(), standalone_mode=False)
"""


def installed(backend):
    is_there = importlib.util.find_spec(backend) is not None
    return pytest.param(
        backend,
        marks=[
            pytest.mark.backend,
            pytest.mark.skipif(not is_there, reason=f"{backend} is not installed"),
        ],
    )


def environment(backend):
    return os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": str(PROJECT)}


def interrupt_after_first_epoch(backend, *words):
    with script("autoencoder.py", *words, env=environment(backend)) as process:
        first = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert first.startswith("epoch 1/2"), first + rest
    assert process.returncode == 130
    assert len(rest.splitlines()) == 2  # how to resume, and "Interrupted."


def morph_npz(path):
    with np.load(path) as file:
        return file["frames"], file["indices"]


def check_ends(path, model, x):
    """Checks that rows begin and end with reconstructions by a model that this process loads."""
    frames, indices = morph_npz(path)
    codes = autoencoder.encode(model, x[indices.ravel()])
    ends = autoencoder.decode(model, codes).reshape(*indices.shape, 28, 28)
    assert np.abs(frames[:, [0, -1]] - ends).max() < 1e-4


@pytest.mark.parametrize("backend", [installed("jax"), installed("torch")])
def test_each_command(backend, trained, characters, tmp_path):
    data = dataset.split_in(characters)
    dataset.fingerprint_of(data)  # the cache is there: train says nothing of it
    run = tmp_path / "run"
    # 235 steps an epoch are taken two by two, but not on PyTorch.
    words = ["--data", "emnist", "--data-root", characters, "--epochs", 2, "--batch-size", 5]
    interrupt_after_first_epoch(keras.backend.backend(), "train", "--run-dir", run, *words)

    shutil.copytree(trained[0], tmp_path / "elsewhere")
    commands = [
        "train --run-dir run --resume",
        "test --run-dir run",
        "morph --run-dir run --rows 3 --out linear.npz",
        "morph --run-dir run --rows 3 --path geodesic --out geodesic.npz",
        "explore --run-dir run",
        "morph --run-dir elsewhere --rows 3 --out elsewhere.npz",
    ]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *commands],
        cwd=tmp_path,
        env=environment(backend),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    resumed, placing, linear, geodesic, elsewhere = done.stderr.splitlines()  # no chatter
    assert resumed.startswith("epoch 2/2")
    assert "placing codes on a map" in placing
    assert "--path geodesic" in linear
    assert "building the graph" in geodesic
    assert elsewhere == linear

    assert [row["epoch"] for row in read_history(run)] == [1, 2]
    report = json.loads((run / "test.json").read_text())
    assert report["excess"] < report["pca"]["excess"]
    assert (run / "explore.html").stat().st_size > 100_000

    # A model of this backend on that of this process, and the other way round.
    x, _ = dataset.load_part(data, "test")
    model = autoencoder.load_autoencoder(run / "model.keras")
    check_ends(tmp_path / "linear.npz", model, x)
    check_ends(tmp_path / "geodesic.npz", model, x)
    model = autoencoder.load_autoencoder(trained[0] / "model.keras")
    check_ends(tmp_path / "elsewhere.npz", model, x)
