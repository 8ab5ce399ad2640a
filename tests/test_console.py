"""support/console.py: how commands end."""

import os
import signal
import struct
import subprocess
import sys

import pytest
from conftest import PROJECT, script, wait_until

# A program as ours are, to be told what goes wrong in it.
PROGRAM = """
import os, signal, sys
import click
from support.console import Commands, InputError, notice

@click.group(cls=Commands)
def cli():
    pass

@cli.command()
@click.argument("statement")
def go(statement):
    notice("working")
    click.echo("result")
    exec(statement)

signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a terminal, wherever we are
cli()
"""


def start(*words):
    """Runs PROGRAM with a command of it: its stdout, stderr and exit code."""
    command = [sys.executable, "-c", PROGRAM, *words]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    return done.stdout, done.stderr, done.returncode


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("InputError('bad\\nfile: look\\n there')", "bad file: look  there"),
        ("FileNotFoundError('no data')", "no data"),
        ("OSError(28, 'No space left on device', 'f')", "[Errno 28] No space left on device: 'f'"),
        (
            "OSError(13, 'Permission denied', 'data')",
            "[Errno 13] Permission denied: 'data': give another folder with --data-root, --run-dir "
            "or --out",
        ),
        ("MemoryError('337 MiB')", "not enough memory: 337 MiB"),
        (
            "ImportError('No module named keras')",
            "No module named keras: activate the environment (. .venv/bin/activate) or install "
            "requirements.txt",
        ),
    ],
)
def test_an_error_is_one_line(error, message):
    said = start("go", f"raise {error}")
    assert said == ("result\n", f"working\nError: {message}\n", 1)


def test_wrong_usage_is_2_and_all_well_is_0():
    assert start("go", "pass") == ("result\n", "working\n", 0)
    _, stderr, code = start("gone")
    assert code == 2
    assert "No such command 'gone'" in stderr


def test_a_bug_keeps_its_traceback():
    _, stderr, code = start("go", "raise KeyError('x')")
    assert code == 1
    assert "Traceback" in stderr
    assert stderr.endswith("KeyError: 'x'\n")


def test_ctrl_c_is_130_and_one_line():
    said = start("go", "os.kill(os.getpid(), signal.SIGINT); signal.pause()")
    assert said == ("result\n", "working\nInterrupted.\n", 130)


def test_a_closed_pipe_ends_quietly():
    read, write = os.pipe()
    os.close(read)  # as `| head -1` does, though sooner
    command = [sys.executable, "-c", PROGRAM, "go", "pass"]
    done = subprocess.run(command, cwd=PROJECT, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"working\n")


def test_ctrl_c_ends_a_conversion_and_leaves_nothing_half_written(made):
    root, _, _ = made
    images = root / "emnist-balanced-train-images-idx3-ubyte"
    images.write_bytes(struct.pack(">4I", 2051, 60_000, 28, 28))  # many seconds' work
    os.truncate(images, 16 + 784 * 60_000)
    with script("dataset.py", "prepare", "--data-root", root, start_new_session=True) as process:
        assert "converting" in process.stderr.readline()
        os.killpg(process.pid, signal.SIGINT)  # Ctrl-C goes to all in the foreground
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stderr.endswith("Interrupted.\n")
    assert "Traceback" not in stderr
    assert wait_until(lambda: not list(root.glob(".*")))
    assert not list(root.glob("*.npz"))


def test_a_notebooks_matplotlib_backend_does_no_harm(made, tmp_path):
    root, _, _ = made
    environment = os.environ | {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    words = ["preview", "--data-root", root, "--out", tmp_path / "p.png"]
    with script("dataset.py", *words, env=environment) as process:
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    assert (tmp_path / "p.png").exists()
