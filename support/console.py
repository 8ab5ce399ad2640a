"""Notices, one-line errors, and Keras without TensorFlow's messages."""

import contextlib
import ctypes
import functools
import os
import signal
import sys

import click

M_TOP_PAD = -2  # from glibc's malloc.h
CONTEXT_SETTINGS = {"show_default": True, "help_option_names": ["-h", "--help"]}


class InputError(ValueError):
    """Bad input: a file, a text or an option. The message says what to do."""


def notice(message):
    """Prints progress or a notice to stderr; stdout is kept for results."""
    click.echo(message, err=True)


class Commands(click.Group):
    """A group whose commands fail in one line: exit 1 for bad input, 130 after Ctrl-C.

    Any other exception is a bug and keeps its traceback.
    """

    def main(self, *args, **kwargs):
        for number, name in ((1, "stdout"), (2, "stderr")):
            if getattr(sys, name) is None:  # closed by the caller; no file may take its number
                os.dup2(os.open(os.devnull, os.O_WRONLY), number)
                setattr(sys, name, open(number, "w"))  # noqa: SIM115
        with contextlib.suppress(ValueError):  # not the main thread
            if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:  # the scripts set it
                signal.signal(signal.SIGINT, signal.default_int_handler)
            for number in (signal.SIGTERM, signal.SIGHUP):  # clean up, as after an exception
                if signal.getsignal(number) == signal.SIG_DFL:  # nohup has it ignored
                    signal.signal(number, lambda number, frame: sys.exit(128 + number))
        return super().main(*args, **kwargs)

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # as by `| head`: click ends quietly
            raise
        except (InputError, OSError) as error:
            raise click.ClickException(" ".join(str(error).splitlines())) from error
        except KeyboardInterrupt:
            notice("Interrupted.")
            sys.exit(130)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception as error:
            error.add_note("This is a bug. Please report it, with all the lines above.")
            raise


@functools.cache
def import_keras():
    """Imports Keras when it is needed, and hides what TensorFlow writes to stderr meanwhile."""
    keep_freed_memory()
    os.environ["KERAS_BACKEND"] = "tensorflow"  # even if ~/.keras/keras.json says otherwise
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # does not silence the messages on import
    stderr = os.dup(2)
    try:
        with open(os.devnull, "w") as null:
            os.dup2(null.fileno(), 2)
        import keras
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
    keras.config.set_floatx("float32")
    keras.config.set_image_data_format("channels_last")
    return keras


def keep_freed_memory():
    """Lets the C library keep 64 MB of freed memory for the next request.

    TensorFlow frees and requests some 200 MB in each training step. If all of it went back to the
    system, the work on new pages would take nearly as long as the mathematics.
    """
    with contextlib.suppress(AttributeError, OSError):  # only glibc has mallopt
        ctypes.CDLL(None).mallopt(M_TOP_PAD, 64 << 20)
