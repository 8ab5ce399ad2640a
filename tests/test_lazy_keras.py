"""support/lazy_keras.py: Keras on the right backend, quiet, with the right settings."""

import importlib.util
import json
import os
import subprocess
import sys

import pytest
from conftest import PROJECT

import autoencoder
from support.lazy_keras import BACKENDS, default_settings, keras


def run(code, **environment):
    """Runs code in the project's folder, without KERAS_BACKEND unless given: (stdout, stderr)."""
    inherited = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    command = [sys.executable, "-c", code]
    options = {"cwd": PROJECT, "env": inherited | environment, "text": True, "check": False}
    done = subprocess.run(command, capture_output=True, **options)
    return done.stdout, done.stderr


def test_keras_json_is_not_asked(tmp_path):
    preferences = {"floatx": "float16", "image_data_format": "channels_first", "backend": "jax"}
    (tmp_path / "keras.json").write_text(json.dumps(preferences))
    code = """
import gc
import autoencoder
from support.lazy_keras import keras
layer = autoencoder.build_encoder().layers[1]
print(keras.backend.backend(), layer.output.shape, layer.dtype_policy.name)
print(gc.isenabled())
"""
    stdout, stderr = run(code, KERAS_HOME=str(tmp_path))
    assert stdout == "tensorflow (None, 14, 14, 32) float32\nTrue\n"
    assert stderr == ""  # none of TensorFlow's messages


@pytest.mark.parametrize("backend", ["another", "numpy"])
def test_a_backend_that_cannot_train_is_refused(backend):
    stdout, stderr = run("import autoencoder; autoencoder.build_encoder()", KERAS_BACKEND=backend)
    assert stdout == ""
    last = stderr.splitlines()[-1]
    assert f"KERAS_BACKEND={backend}: choose one of tensorflow, jax, torch" in last


def test_a_backend_that_is_missing_is_named():
    missing = [name for name in BACKENDS if importlib.util.find_spec(name) is None]
    if not missing:
        pytest.skip("all backends are installed")
    code = "import autoencoder; autoencoder.build_encoder()"
    stdout, stderr = run(code, KERAS_BACKEND=missing[0])
    assert stdout == ""
    assert f"cannot be imported with KERAS_BACKEND={missing[0]}" in stderr.splitlines()[-1]


def test_an_empty_keras_backend_is_none(tmp_path):
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "jax"}))
    code = "from support.lazy_keras import keras; print(keras.backend.backend())"
    assert run(code, KERAS_BACKEND="", KERAS_HOME=str(tmp_path))[0] == "tensorflow\n"


def test_the_settings_of_a_notebook_change_nothing_and_stay_as_they_are():
    expected = autoencoder.build_autoencoder().get_config()
    keras.config.set_dtype_policy("mixed_bfloat16")
    keras.config.set_image_data_format("channels_first")
    try:
        model = autoencoder.build_autoencoder()
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
        assert keras.config.image_data_format() == "channels_first"
    finally:
        keras.config.set_dtype_policy("float32")
        keras.config.set_image_data_format("channels_last")
    for part in ("encoder", "decoder"):
        for layer in model.get_layer(part).layers:
            assert layer.dtype_policy.name == "float32"
    assert model.get_layer("encoder").layers[1].output.shape == (None, 14, 14, 32)
    assert model.get_config()["layers"][0] == expected["layers"][0]


def test_the_settings_come_back_after_an_error():
    keras.config.set_floatx("float64")
    try:
        with default_settings():
            assert keras.config.floatx() == "float32"
            raise KeyError
    except KeyError:
        assert keras.config.floatx() == "float64"
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")
