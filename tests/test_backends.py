"""Keras: imported quietly with the right settings, and what JAX and PyTorch make of a run."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import PROJECT, script


def run_python(code, **environment):
    """Runs code in the project's folder, without KERAS_BACKEND unless given: (stdout, stderr)."""
    inherited = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    with script("-c", code, env=inherited | environment) as process:
        return process.communicate(timeout=100)


def test_keras_json_is_not_asked(tmp_path):
    preferences = {"floatx": "float16", "image_data_format": "channels_first", "backend": "jax"}
    (tmp_path / "keras.json").write_text(json.dumps(preferences))
    code = """
import autoencoder
from support.lazy_keras import keras
layer = autoencoder.build_encoder().layers[1]
print(keras.backend.backend(), layer.output.shape[-1], layer.dtype_policy.name)
"""
    stdout, stderr = run_python(code, KERAS_HOME=str(tmp_path), KERAS_BACKEND="")
    assert stdout == "tensorflow 32 float32\n"
    assert stderr == ""  # none of TensorFlow's messages


def test_a_backend_that_cannot_train_is_refused():
    code = "import autoencoder; autoencoder.build_encoder()"
    _, stderr = run_python(code, KERAS_BACKEND="numpy")
    last = stderr.splitlines()[-1]
    assert "KERAS_BACKEND=numpy: choose one of tensorflow, jax, torch" in last


def test_a_missing_package_is_named_with_what_to_do(trained):
    hidden = "import sys; sys.modules['keras'] = None\n"
    code = (
        f"{hidden}import autoencoder; autoencoder.cli(['test', '--run-dir', {str(trained[0])!r}])"
    )
    _, stderr = run_python(code)
    (line,) = stderr.splitlines()
    assert "keras" in line
    assert "activate the environment (. .venv/bin/activate) or install requirements.txt" in line
    without_packages = [sys.executable, "-E", "-S", PROJECT / "dataset.py"]
    done = subprocess.run(without_packages, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "click is not installed: activate the environment (. .venv/bin/activate) or install "
        "requirements.txt\n"
    )


# ---- what the commands do is tested on TensorFlow, in test_autoencoder.py


def installed(backend):
    is_missing = importlib.util.find_spec(backend) is None
    skip = pytest.mark.skipif(is_missing, reason=f"{backend} is not installed")
    return pytest.param(backend, marks=skip)


def morph_frames(folder, path, environment):
    command = [sys.executable, PROJECT / "autoencoder.py", "morph", "--rows", "3"]
    words = ["--run-dir", folder, "--path", path, "--out", folder / f"{path}.npz"]
    done = subprocess.run([*command, *words], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stderr.splitlines()) == 1  # no chatter
    with np.load(folder / f"{path}.npz") as file:
        return file["frames"]


@pytest.mark.parametrize("backend", [installed("jax"), installed("torch")])
def test_a_run_is_used_and_overwritten_on_another_backend(backend, copied_run):
    environment = os.environ | {"KERAS_BACKEND": backend}
    there = morph_frames(copied_run, "linear", environment)
    here = morph_frames(copied_run, "linear", os.environ)
    assert np.abs(there - here).max() < 1e-4
    with script(
        "autoencoder.py", "train", "--run-dir", copied_run, "--overwrite", "--epochs", 1,
        env=environment,
    ) as process:  # fmt: skip
        _, stderr = process.communicate()
    assert process.returncode == 0, stderr
    assert stderr.startswith("epoch 1/1")
    there = morph_frames(copied_run, "geodesic", environment)
    here = morph_frames(copied_run, "linear", os.environ)
    assert np.abs(there[:, [0, -1]] - here[:, [0, -1]]).max() < 1e-4
