"""support/lazy_keras.py: Keras on the right backend, quiet, with the right settings."""

import json
import os
import subprocess
import sys

from conftest import PROJECT

import autoencoder
from support.lazy_keras import default_settings, keras


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


def test_keras_backend_is_obeyed_and_named_where_it_is_missing():
    stdout, stderr = run("import autoencoder; autoencoder.build_encoder()", KERAS_BACKEND="another")
    assert stdout == ""
    assert "cannot be imported with KERAS_BACKEND=another" in stderr.splitlines()[-1]


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
