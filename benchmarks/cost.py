"""What training costs: where a step's time goes, operations a second, time and memory by images.

    python benchmarks/cost.py --data-root data

The first table adds up the times of TensorFlow's operations in a training step, by kind; some run
beside each other, so that together they take longer than the step. The second trains with 1/8, 1/4,
1/2 and all of the images by `python autoencoder.py train`, each in a process of its own.
"""

import collections
import csv
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

import autoencoder
from dataset import SETTINGS, load_emnist

KINDS = {  # the first that an operation's name matches
    "optimizer": r"(?i)adam",
    "batch norm": r"batch_normalization",
    "convolutions": r"conv2d(?!_transpose)",
    "transposed convolutions": r"conv2d_transpose|logits",
    "dense layers": r"dense|MatMul",
    "feeding": r"Iterator|PyFunc",
    "loss and the rest": r"",
}


def operations(log):
    """(name, seconds) of each operation in a trace of TensorFlow's profiler."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    (path,) = Path(log).rglob("*.xplane.pb")
    space = xplane_pb2.XSpace.FromString(path.read_bytes())
    for plane in space.planes:
        for event in (event for line in plane.lines for event in line.events):
            name = plane.event_metadata[event.metadata_id].name
            if name.startswith(("StatefulPartitionedCall/", "Iterator", "PyFunc")):
                yield name, event.duration_ps / 1e12


def multiplications(model):
    """Multiplications of one image on its way through the convolutions and dense layers."""
    total = 0
    for part in ("encoder", "decoder"):
        for layer in model.get_layer(part).layers:
            if hasattr(layer, "kernel"):
                transposed = "Transpose" in type(layer).__name__
                grid = (layer.input if transposed else layer.output).shape[1:-1]
                total += math.prod(layer.kernel.shape) * math.prod(grid)
    return total


def step_by_step(x, steps):
    """Prints seconds of a training step by kind of operation, and operations a second."""
    import tensorflow as tf

    batch_size = min(autoencoder.BATCH_SIZE, len(x))
    config = {"seed": 0, "learning_rate": autoencoder.LEARNING_RATE, "epochs": 3}
    model = autoencoder.new_model(config, steps)
    network = autoencoder.up_to_logits(model, autoencoder.fused(model.optimizer))
    feed = autoencoder.batches(x, batch_size, 0, 0)

    def fit():
        start = time.perf_counter()
        network.fit(feed, steps_per_epoch=steps, shuffle=False, verbose=0)
        return (time.perf_counter() - start) / steps

    fit()
    seconds = fit()
    with tempfile.TemporaryDirectory() as log:
        tf.profiler.experimental.start(log)
        fit()
        tf.profiler.experimental.stop()
        times = collections.Counter()
        for name, duration in operations(log):
            kind = next(kind for kind, pattern in KINDS.items() if re.search(pattern, name))
            times[kind] += 1000 * duration / steps
    click.echo(f"| a step of {batch_size} images | ms |\n|---|---|")
    for kind, ms in times.most_common():
        click.echo(f"| {kind} | {ms:.1f} |")
    click.echo(f"| the step, by the clock | {1000 * seconds:.1f} |\n")

    square = np.random.default_rng(0).random((2000, 2000), np.float32)
    sgemm = []
    for _ in range(5):
        start = time.perf_counter()
        square @ square
        sgemm.append(2 * 2000**3 / (time.perf_counter() - start))
    # Two operations a multiplication; the gradients by inputs and by weights cost as much again each.
    flops = 6 * multiplications(model) * batch_size / seconds
    click.echo(
        f"{flops / 1e9:.0f} GFLOP/s in convolutions and dense layers, "
        f"{flops / max(sgemm):.0%} of the machine's sgemm ({max(sgemm) / 1e9:.0f} GFLOP/s)\n"
    )


def train(arrays, share, epochs, folder):
    """Trains with a share of the training images: (images, seconds an image, peak bytes)."""
    root = Path(folder) / f"{share}"
    root.mkdir()
    (x, y), (x_test, y_test) = arrays
    n = len(x) // share
    m = max(1, len(x_test) // share)
    part = {"x_train": x[:n], "y_train": y[:n], "x_test": x_test[:m], "y_test": y_test[:m]}
    np.savez(root / "emnist-balanced.npz", **part)
    command = [sys.executable, PROJECT / "autoencoder.py", "train", "--data", "emnist"]
    command += ["--data-root", root, "--run-dir", root / "run", "--epochs", epochs]
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise click.ClickException("train failed")
    with open(root / "run/history.csv", newline="") as file:
        seconds = [float(row["seconds"]) for row in csv.DictReader(file)][1:]  # the first starts up
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return n, min(seconds) / n, peak


@click.command(context_settings=SETTINGS)
@click.option("--data-root", envvar="DATA_ROOT", default="data", help="The folder of the data.")
@click.option(
    "--epochs", type=click.IntRange(2), default=3, help="The quickest but the first counts."
)
@click.option("--steps", type=click.IntRange(1), default=50, help="Training steps to look into.")
def main(data_root, epochs, steps):
    """Print two tables: the parts of a training step, and time and memory by images."""
    arrays = load_emnist("balanced", data_root)
    x = arrays[0][0]
    step_by_step(x, steps)
    click.echo("| images | ms an image | against all | peak memory |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        rows = [train(arrays, share, epochs, folder) for share in (8, 4, 2, 1)]
    for n, seconds, peak in rows:
        ratio = seconds / rows[-1][1]
        click.echo(f"| {n:,} | {1000 * seconds:.3f} | {ratio:.2f} | {peak / 1e9:.2f} GB |")


if __name__ == "__main__":
    main()
