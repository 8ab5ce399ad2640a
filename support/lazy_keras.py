"""Keras, imported quietly when it is first used.

    from support.lazy_keras import keras

    keras.layers.Dense(10)  # only now Keras and TensorFlow are imported, which takes seconds

So `--help` answers at once, and code that uses Keras reads as it does everywhere.
"""

import contextlib
import functools
import gc
import os

from support.console import InputError

BACKENDS = ("tensorflow", "jax", "torch")  # those of Keras that can train


class _LazyKeras:
    def __getattr__(self, name):
        return getattr(_import_keras(), name)


keras = _LazyKeras()


@functools.cache
def _import_keras():
    """Imports Keras, on TensorFlow unless KERAS_BACKEND names another backend.

    Keras's settings become float32 and channels last, whatever keras.json says.

    Raises:
        InputError: KERAS_BACKEND names none that can train, or one that cannot start.
    """
    backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
    if backend not in BACKENDS:
        raise InputError(f"KERAS_BACKEND={backend}: choose one of {', '.join(BACKENDS)}")
    os.environ["KERAS_BACKEND"] = backend  # else keras.json would be asked
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Else PyTorch's threads spin while they wait: 38 s an epoch, not 3 s, on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        with _silent_stderr(), _no_garbage_collection():
            import keras

            keras.ops.zeros(1)  # starts the backend, e.g. a GPU's driver
            if backend != "tensorflow":
                _keep_tensorflow_out()
    except ImportError as error:
        if backend == "tensorflow":
            raise
        raise InputError(f"{error}: install {backend}, or unset KERAS_BACKEND") from error
    except Exception as error:  # each backend has its own
        reason = str(error).split("\n")[0] or type(error).__name__
        raise InputError(
            f"Keras cannot start the backend {backend} ({reason}): check its driver, or choose "
            "another with KERAS_BACKEND"
        ) from error
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    keras.config.set_image_data_format("channels_last")
    return keras


def _keep_tensorflow_out():
    """Tells Keras on another backend that there is no TensorFlow.

    Else it would import it where it is installed, only to ask whether an object is one of
    TensorFlow's, and TensorFlow would write its messages to stderr.
    """
    from keras.src.utils.module_utils import tensorflow

    tensorflow._available = False


@contextlib.contextmanager
def _no_garbage_collection():
    """Turns off garbage collection during the import, which then takes a sixth less time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextlib.contextmanager
def _silent_stderr():
    """Hides what TensorFlow's C++ code writes to stderr while it is imported."""
    stderr = os.dup(2)
    try:
        with open(os.devnull, "w") as null:
            os.dup2(null.fileno(), 2)
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
