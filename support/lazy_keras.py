"""Keras, imported quietly when it is first used.

    from support.lazy_keras import keras

    keras.layers.Dense(10)  # only now Keras and TensorFlow are imported, which takes seconds

So `--help` answers at once, and code that uses Keras reads as it does everywhere.
"""

import contextlib
import ctypes
import functools
import gc
import os
import sys

from support.console import InputError

BACKENDS = ("tensorflow", "jax", "torch")  # those of Keras that can train
M_TOP_PAD = -2  # from glibc's malloc.h


class _LazyKeras:
    def __getattr__(self, name):
        return getattr(_import_keras(), name)


keras = _LazyKeras()


@functools.cache
def _import_keras():
    """Imports Keras, on TensorFlow unless KERAS_BACKEND names another backend.

    Raises:
        InputError: KERAS_BACKEND names none that can train, or one that is not installed.
    """
    if "keras" in sys.modules:  # a notebook has imported it
        return sys.modules["keras"]
    backend = os.environ.get("KERAS_BACKEND") or "tensorflow"
    if backend not in BACKENDS:
        raise InputError(f"KERAS_BACKEND={backend}: choose one of {', '.join(BACKENDS)}")
    os.environ["KERAS_BACKEND"] = backend  # else keras.json would be asked
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Else PyTorch's threads spin while they wait: 38 s an epoch, not 3 s, on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    _keep_freed_memory()
    try:
        with _silent_stderr(), _no_garbage_collection():
            import keras
    except ImportError as error:
        raise InputError(
            f"Keras cannot be imported with KERAS_BACKEND={backend} ({error}): install that "
            "backend, or unset the variable"
        ) from error
    if backend != "tensorflow":
        _keep_tensorflow_out()
    return keras


def _keep_tensorflow_out():
    """Tells Keras that there is no TensorFlow.

    On another backend Keras would import it where it is installed, only to ask whether an object is
    one of TensorFlow's. That takes seconds, and TensorFlow writes its messages to stderr.
    """
    from keras.src.utils.module_utils import tensorflow

    tensorflow._available = False


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


@contextlib.contextmanager
def _no_garbage_collection():
    """Saves Python the search for garbage in what an import makes, a tenth of the import's time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # later searches leave out what is there now
        if was_enabled:
            gc.enable()


def _keep_freed_memory():
    """Lets the C library keep 64 MB of freed memory for the next request.

    TensorFlow frees and requests some 200 MB in each training step. If all of it went back to the
    system, page faults would take nearly as long as the computation.
    """
    with contextlib.suppress(AttributeError, OSError):  # only glibc has mallopt
        ctypes.CDLL(None).mallopt(M_TOP_PAD, 64 << 20)


def multiply_in_bfloat16():
    """Lets TensorFlow train a tenth quicker on processors with AMX.

    They multiply in bfloat16 and add up in float32, as GPUs do with TF32. All weights and results
    stay float32. TensorFlow asks for this once, when a process first multiplies: later it changes
    nothing. Other processors, and PyTorch and JAX, do as before.
    """
    os.environ.setdefault("TF_SET_ONEDNN_FPMATH_MODE", "BF16")


@contextlib.contextmanager
def default_settings():
    """Keras's own defaults, float32 and channels last, whatever a notebook or keras.json has set.

    As a decorator, `@default_settings()`, it holds for a whole function. The settings that were
    there come back afterwards.
    """
    floatx = keras.config.floatx()
    image_data_format = keras.config.image_data_format()
    dtype_policy = keras.config.dtype_policy()
    keras.config.set_floatx("float32")
    keras.config.set_image_data_format("channels_last")
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_image_data_format(image_data_format)
        keras.config.set_dtype_policy(dtype_policy)
