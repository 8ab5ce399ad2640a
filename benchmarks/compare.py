"""Excess against seconds: this autoencoder, the design of 2017, PCA and the same in PyTorch.

    python benchmarks/compare.py --data-root data     # prints a table and writes compare.png

All learn from the same images, one after the other, and are measured on the same validation images
while the clock stands still; the last column is of the test images. The PyTorch twin takes part
where torch is installed: the same layers, initial distributions, batches, rates and kind of
optimizer, in the quicker of two memory layouts.
"""

import functools
import math
import statistics
import sys
import time
from pathlib import Path

import click
import numpy as np

try:
    import torch
    from torch import nn
except ImportError:
    torch = None

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import autoencoder
from autoencoder import batches, cross_entropy, import_keras, reconstruct
from dataset import SETTINGS, replacing

LIKE_2017 = 0.042  # an excess that the design of 2017 needs epochs for
FIRST, GROWTH = 1.0, 1.25  # a curve's points: seconds to the first, and from each to the next

# ---- learning against the clock


class Curve:
    """Seconds of training and the excess then; measuring does not count."""

    def __init__(self, x_val, predict):
        self.points = []  # (seconds, excess)
        self.seconds = 0.0
        self.x_val, self.predict = x_val, predict
        self.floor = cross_entropy(x_val, x_val).mean()
        self.started = time.perf_counter()

    def tick(self, last=False):
        """To be called after each step: measures when the next point is due."""
        seconds = self.seconds + time.perf_counter() - self.started
        if last or seconds >= (GROWTH * self.points[-1][0] if self.points else FIRST):
            self.seconds = seconds
            excess = cross_entropy(self.x_val, self.predict(self.x_val)).mean() - self.floor
            self.points.append((seconds, float(excess)))
            self.started = time.perf_counter()

    def time_to(self, excess):
        """Seconds to an excess, interpolated between points; nan where it is not reached."""
        before = (0.0, math.inf)
        for seconds, value in self.points:
            if value <= excess:
                if before[1] == math.inf:
                    return seconds
                share = (before[1] - excess) / (before[1] - value)
                return before[0] + share * (seconds - before[0])
            before = (seconds, value)
        return math.nan


def learn(network, model, x, x_val, batch_size, epochs, seed=0):
    """Fits a compiled Keras network to batches (x, x); model, of the same layers, is measured."""
    keras = import_keras()
    predict = functools.partial(reconstruct, model)
    curve = Curve(x_val, predict)
    measure = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: curve.tick())
    network.fit(
        batches(x, batch_size, seed, 0),
        steps_per_epoch=len(x) // batch_size,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=[measure],
    )
    curve.tick(last=True)
    return curve, predict


# ---- the contestants


def ours(config, steps):
    """The network that train trains, and the model of the same layers."""
    model = autoencoder.new_model(config, steps)
    return autoencoder.up_to_logits(model, autoencoder.fused(model.optimizer)), model


def design_of_2017():
    """Strided convolutions and a dense code; no sigmoid, so that its outputs have to be clipped."""
    keras = import_keras()
    layers = keras.layers
    keras.utils.set_random_seed(0)
    image = h = keras.Input((28, 28, 1))
    for filters in (8, 16):
        h = layers.BatchNormalization()(h)
        h = layers.Conv2D(filters, 5, strides=2, padding="same", activation="relu")(h)
    h = layers.Flatten()(layers.BatchNormalization()(h))
    h = layers.Dense(autoencoder.CODE_SIZE)(h)
    h = layers.Reshape((28, 28, 8))(layers.Dense(28 * 28 * 8, activation="relu")(h))
    for filters in (8, 4, 1):
        h = layers.Conv2D(filters, 3, padding="same", activation="relu")(h)
    network = keras.Model(image, h)
    network.compile("adam", "binary_crossentropy")
    return network, network


class Twin:
    """The network of autoencoder.py in PyTorch, and its optimizer."""

    def __init__(self, config, steps, channels_last=False):
        torch.manual_seed(config["seed"])
        first, second = autoencoder.FILTERS
        width, flat = autoencoder.WIDTH, 49 * second
        self.network = nn.Sequential(
            nn.Conv2d(1, first, 4, 2, 1),
            nn.ReLU(),
            nn.Conv2d(first, second, 4, 2, 1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(flat, width),
            nn.ReLU(),
            nn.BatchNorm1d(width, eps=1e-3),
            nn.Linear(width, autoencoder.CODE_SIZE),
            nn.Linear(autoencoder.CODE_SIZE, width),
            nn.SiLU(),
            nn.BatchNorm1d(width, eps=1e-3),
            nn.Linear(width, flat),
            nn.SiLU(),
            nn.Unflatten(1, (second, 7, 7)),
            nn.ConvTranspose2d(second, first, 4, 2, 1),
            nn.SiLU(),
            nn.ConvTranspose2d(first, 1, 4, 2, 1),
        )
        for layer in self.network:
            if hasattr(layer, "weight") and layer.weight.ndim > 1:
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.network.to(memory_format=self.memory_format)
        peak, total = config["learning_rate"], config["epochs"] * steps
        self.optimizer = torch.optim.NAdam(
            self.network.parameters(),
            peak,
            weight_decay=autoencoder.weight_decay(config["epochs"]),
            decoupled_weight_decay=True,
        )
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, total)

    def logits(self, images):
        tensor = torch.from_numpy(images[:, None]).contiguous(memory_format=self.memory_format)
        return tensor, self.network(tensor)

    def step(self, images):
        self.optimizer.zero_grad()
        target, logits = self.logits(images)
        nn.functional.binary_cross_entropy_with_logits(logits, target).backward()
        self.optimizer.step()
        self.schedule.step()

    def predict(self, images):
        self.network.eval()
        with torch.no_grad():
            parts = [self.logits(images[i : i + 500])[1] for i in range(0, len(images), 500)]
        self.network.train()
        return torch.sigmoid(torch.cat(parts)[:, 0]).numpy().clip(1e-7, 1 - 1e-7)

    def learn(self, x, x_val, batch_size, epochs, seed=0):
        curve = Curve(x_val, self.predict)
        feed = batches(x, batch_size, seed, 0)
        for _ in range(epochs * (len(x) // batch_size)):
            self.step(next(feed)[0])
            curve.tick()
        curve.tick(last=True)
        return curve, self.predict


def images_per_second(x, config, steps, rounds=5):
    """Of ours and of the twin, plain and channels last: the median of turns taken in a row."""
    batch_size = config["batch_size"]
    network, _ = ours(config, steps)
    twin = Twin(config, steps)
    network_size = sum(math.prod(v.shape) for v in network.trainable_variables)
    assert network_size == sum(p.numel() for p in twin.network.parameters()), "they differ"
    feed = batches(x, batch_size, 0, 0)

    def run(some):
        for _ in range(steps):
            some.step(next(feed)[0])

    last = Twin(config, steps, channels_last=True)
    turns = {
        "ours": lambda: network.fit(feed, steps_per_epoch=steps, shuffle=False, verbose=0),
        "plain": lambda: run(twin),
        "channels last": lambda: run(last),
    }
    speeds = {name: [] for name in turns}
    for _ in range(rounds + 1):
        for name, turn in turns.items():
            start = time.perf_counter()
            turn()
            speeds[name].append(steps * batch_size / (time.perf_counter() - start))
    return {name: statistics.median(values[1:]) for name, values in speeds.items()}


# ---- the comparison


def draw(path, curves, pca):
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, NullFormatter

    figure = Figure((7, 4.2), dpi=100, layout="constrained")
    ax = figure.subplots()
    for name, curve in curves.items():
        ax.plot(*zip(*curve.points), ".-", label=name)
    ax.axhline(pca, color="black", ls="--", lw=1, label="PCA, 32 components")
    ax.set(xscale="log", yscale="log", xlabel="seconds of training")
    ax.set_ylabel("excess on validation images (nats a pixel)")
    low, high = ax.get_ylim()
    ax.set_yticks([t for t in (0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5) if low < t < high])
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())
    ax.grid(alpha=0.3)
    ax.legend(frameon=False)
    with replacing(path) as unfinished:
        figure.savefig(unfinished, format="png")


@click.command(context_settings=SETTINGS)
@click.option("--data-root", envvar="DATA_ROOT", default="data", help="The folder of the data.")
@click.option("--epochs", type=click.IntRange(1), default=5, help="Of ours and its twin.")
@click.option("--old-epochs", type=click.IntRange(1), default=6, help="Of the design of 2017.")
@click.option("--steps", type=click.IntRange(1), default=100, help="A turn when speed is compared.")
@click.option("--out", type=click.Path(dir_okay=False), default="compare.png", help="The picture.")
def main(data_root, epochs, old_epochs, steps, out):
    """Train each in turn; print a table and draw a curve for each."""
    config = {"data": "emnist", "split": "balanced", "data_root": data_root, "epochs": epochs}
    config |= {"learning_rate": autoencoder.LEARNING_RATE, "seed": 0}
    x, x_val, x_test, *_ = autoencoder.load_data(config)
    batch_size = config["batch_size"] = min(autoencoder.BATCH_SIZE, len(x))
    floor, test_floor = (cross_entropy(some, some).mean() for some in (x_val, x_test))

    entries = {  # name -> how it learns
        "this autoencoder": lambda: learn(
            *ours(config, len(x) // batch_size), x, x_val, batch_size, epochs
        ),
        "design of 2017": lambda: learn(*design_of_2017(), x, x_val, 20, old_epochs),
    }
    speeds = {}
    if torch is None:
        click.echo("torch is not installed: its twin is left out", err=True)
    else:
        speeds = images_per_second(x, config, steps)
        quicker = speeds["channels last"] > speeds["plain"]
        twin = Twin(config, len(x) // batch_size, channels_last=quicker)
        entries["its twin in PyTorch"] = lambda: twin.learn(x, x_val, batch_size, epochs)

    rows = [f"| | seconds | to {LIKE_2017} | validation | test |", "|---|---|---|---|---|"]
    curves = {}
    for name, entry in entries.items():
        click.echo(f"{name} is learning", err=True)
        curves[name], predict = entry()
        seconds, excess = curves[name].points[-1]
        test = cross_entropy(x_test, predict(x_test)).mean() - test_floor
        reached = f"{curves[name].time_to(LIKE_2017):.1f} s"
        rows.append(f"| {name} | {seconds:.0f} | {reached} | {excess:.4f} | {test:.4f} |")
    start = time.perf_counter()
    pca, pca_test = (
        cross_entropy(some, p).mean() - low
        for some, low, p in zip(
            (x_val, x_test),
            (floor, test_floor),
            np.split(
                autoencoder.pca_reconstructions(x, np.concatenate([x_val, x_test])), [len(x_val)]
            ),
        )
    )
    seconds = time.perf_counter() - start
    rows.append(f"| PCA, 32 components | {seconds:.0f} | - | {pca:.4f} | {pca_test:.4f} |")
    draw(out, curves, pca)

    click.echo("\n".join(rows))
    first, old = curves["this autoencoder"], curves["design of 2017"]
    shorter = old.time_to(LIKE_2017) / first.time_to(LIKE_2017)
    click.echo(f"\nto {LIKE_2017}: {shorter:.1f} times as quick as the design of 2017")
    seconds, excess = old.points[-1]
    ours_to = first.time_to(excess)
    click.echo(
        f"to the {excess:.4f} that it ends with: {ours_to:.1f} s against {seconds:.0f} s, "
        f"{seconds / ours_to:.1f} times as quick"
    )
    if speeds:
        told = ", ".join(f"{name} {speed:,.0f}" for name, speed in speeds.items())
        best = max(speeds["plain"], speeds["channels last"])
        click.echo(f"images a second: {told}; ours / PyTorch's better: {speeds['ours'] / best:.2f}")
    click.echo(f"the curves: {out}")


if __name__ == "__main__":
    main()
