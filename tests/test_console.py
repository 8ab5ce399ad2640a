"""support/console.py: how commands fail, how they are interrupted, and Keras as we need it."""

import ctypes
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from conftest import PROJECT, leftovers, processes_of, script, wait_until, write_many_images

from dataset import load_emnist

# A program as ours are, to be told what goes wrong in it.
PROGRAM = """
import os, signal, sys
from pathlib import Path
import click
from support.console import Commands, InputError, notice
from support.files import replacing

@click.group(cls=Commands)
def cli():
    pass

@cli.command()
@click.argument("what")
@click.argument("out", type=Path, required=False)
def go(what, out):
    notice("working")
    click.echo("result")
    if what in ("SIGINT", "SIGTERM", "SIGHUP"):
        with replacing(out) as unfinished:
            unfinished.write_text("half")
            os.kill(os.getpid(), getattr(signal, what))
            signal.pause()
    if what == "chatter":
        with open(out, "w"):
            os.write(1, b"as C does")
            os.write(2, b"as TensorFlow does")
    elif what == "hang up":
        os.kill(os.getpid(), signal.SIGHUP)
    elif what != "nothing":
        raise eval(what)

signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a terminal, wherever we are
if "SIGHUP" in sys.argv:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
cli()
"""


def start(*words, closed=""):
    """Starts PROGRAM with a command of it, and with closed streams if `closed` says so."""
    command = ["bash", "-c", f'exec "$@" {closed}', "-", sys.executable, "-c", PROGRAM, *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([str(word) for word in command], cwd=PROJECT, **pipes)


def output(process):
    """What a process wrote to both streams, and its exit code."""
    with process:
        try:
            stdout, stderr = process.communicate(timeout=120)
        finally:
            process.kill()  # if it did not end
    return stdout, stderr, process.returncode


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("InputError('bad\\nfile: look\\n there')", "bad file: look  there"),
        ("FileNotFoundError('no data')", "no data"),
        ("OSError(28, 'No space left on device', 'f')", "[Errno 28] No space left on device: 'f'"),
    ],
)
def test_an_error_is_one_line(error, message):
    stdout, stderr, code = output(start("go", error))
    assert (stdout, stderr, code) == ("result\n", f"working\nError: {message}\n", 1)


def test_wrong_usage_is_2_and_all_well_is_0():
    assert output(start("go", "nothing")) == ("result\n", "working\n", 0)
    assert output(start("gone"))[2] == 2


@pytest.mark.parametrize("error", ["ValueError('odd')", "ZeroDivisionError()", "KeyError('x')"])
def test_a_bug_keeps_its_traceback_and_asks_to_be_reported(error):
    _, stderr, code = output(start("go", error))
    lines = stderr.splitlines()
    assert code == 1
    assert lines[1] == "Traceback (most recent call last):"
    assert any(", in go" in line for line in lines)
    assert lines[-2].startswith(error.split("(")[0])
    assert lines[-1] == "This is a bug. Please report it, with all the lines above."


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [("SIGINT", 130, "Interrupted.\n"), ("SIGTERM", 143, ""), ("SIGHUP", 129, "")],
)
def test_a_signal_ends_in_good_order(tmp_path, name, code, said):
    _, stderr, found = output(start("go", name, tmp_path / "file"))
    assert (stderr, found) == (f"working\n{said}", code)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["dataset.py", "autoencoder.py"])
def test_ctrl_c_while_a_script_imports(tmp_path, name):
    imported = "import os, signal; os.kill(os.getpid(), signal.SIGINT); print('alive'); os._exit(0)"
    (tmp_path / "click.py").write_text(imported)  # found before click itself
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    for trap, result in (("", ("", "", -signal.SIGINT)), ("trap '' INT; ", ("alive\n", "", 0))):
        words = ["bash", "-c", f'{trap}exec "$@"', "-", sys.executable, "-u", PROJECT / name]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        assert (done.stdout, done.stderr, done.returncode) == result


def test_nohup_keeps_a_command_alive():
    words = ["nohup", sys.executable, "-c", PROGRAM, "go", "hang up"]
    done = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0


# ---- streams that are closed


@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&- >&- 2>&-"])
def test_closed_streams_do_no_harm(made, capfd, closed):
    root, (x, y), _ = made
    line = f'exec "$0" dataset.py prepare --data-root "$1" {closed}'
    words = ["bash", "-c", line, sys.executable, str(root)]
    done = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert ("converting" in done.stderr) == ("2>&-" not in closed)
    assert ("94 training" in done.stdout) == (closed == "2>&-")
    for made_from in ("the cache", "the texts"):
        (found_x, found_y), _ = load_emnist("balanced", root, scale=False)
        assert np.array_equal(found_x, x), made_from
        assert np.array_equal(found_y, y), made_from
        assert (capfd.readouterr().err == "") == (made_from == "the cache")
        (root / "emnist-balanced.npz").unlink()


@pytest.mark.parametrize(
    ("closed", "said"),
    [
        (">&-", ("", "working\nas TensorFlow does")),
        ("2>&-", ("result\nas C does", "")),
        ("<&- >&- 2>&-", ("", "")),
    ],
)
def test_what_goes_to_a_closed_stream_gets_into_no_file(tmp_path, closed, said):
    process = start("go", "chatter", tmp_path / "file", closed=closed)
    assert output(process) == (*said, 0)
    assert (tmp_path / "file").read_text() == ""  # though its number was free when it was opened


def test_an_error_with_stderr_closed():
    process = start("go", "OSError('x')", closed="2>&-")
    assert output(process) == ("result\n", "", 1)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_broken_pipe_ends_quietly(made, stream):
    root, _, _ = made
    read, write = os.pipe()
    os.close(read)  # as `| head -1` does, though sooner
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | {stream: write}
    words = [sys.executable, PROJECT / "dataset.py", "prepare", "--data-root", root]
    with subprocess.Popen(words, text=True, **pipes) as process:
        os.close(write)
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    if stream == "stdout":
        assert len(stderr.splitlines()) == 1  # of the conversion
        assert "converting" in stderr
    assert not stdout
    assert not leftovers(root)


# ---- a conversion is ended with its command


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_conversion(made, number):
    root, _, _ = made
    write_many_images(root / "emnist-balanced-train-images-idx3-ubyte")
    words = ("prepare", "--data-root", root)
    with script("dataset.py", *words, start_new_session=True) as process:
        unfinished = ".emnist-autoencoder.*.emnist-balanced-train-images-idx3-txt"
        assert wait_until(lambda: any(path.stat().st_size for path in root.glob(unfinished)))
        assert len(processes_of(process.pid)) > 5
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # Ctrl-C goes to all in the foreground
        else:
            process.send_signal(number)
        assert wait_until(lambda: not processes_of(process.pid))
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "Traceback" not in stderr
    assert not leftovers(root)
    assert not list(root.glob("*-train-images-*-txt"))  # the conversion did not go on to its end
    assert not list(root.glob("*.npz"))


# ---- Keras


def test_keras_as_we_need_it_whatever_the_user_prefers(tmp_path):
    preferences = {"floatx": "float16", "image_data_format": "channels_first", "backend": "jax"}
    (tmp_path / "keras.json").write_text(json.dumps(preferences))
    code = """
from support.console import import_keras
keras = import_keras()
assert import_keras() is keras
layer = keras.layers.Conv2D(5, 3)
print(keras.backend.backend(), keras.config.floatx(), keras.config.image_data_format())
print(layer(keras.ops.zeros((1, 8, 8, 1))).shape, layer.dtype_policy.name)
"""
    environment = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"}
    environment |= {"KERAS_HOME": str(tmp_path)}
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, cwd=PROJECT, env=environment, capture_output=True, text=True)
    lines = ["tensorflow float32 channels_last", "(1, 6, 6, 5) float32"]
    assert (done.stdout.splitlines(), done.stderr) == (lines, "")


# ---- memory

CHURN = """
import ctypes, resource
from support.console import keep_freed_memory
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]

def churn():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [libc.malloc(1 << 16) for _ in range(600)]
    for block in blocks:
        libc.memset(block, 1, 1 << 16)
    for block in blocks:
        libc.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

churn(); print(churn()); keep_freed_memory(); churn(); print(churn())
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="glibc's mallopt is missing")
def test_freed_memory_is_kept():
    output = subprocess.check_output([sys.executable, "-c", CHURN], cwd=PROJECT, text=True)
    given_back, kept = map(int, output.split())  # pages that the system had to make anew
    assert kept < given_back / 10
