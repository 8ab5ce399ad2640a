"""How fast the autoencoder learns, beside other networks, and what its settings are worth.

    python -m benchmarks.training compare --out compare.png  # prints a table and draws the curves
    python -m benchmarks.training ablate --only "as it is" --only "no weight decay" --share 4

The excess is in nats a pixel; the clock stands still while it is measured. A figure is the median
(compare) or mean (ablate) of runs with the seeds 0, 1, ..., and in brackets their range.
"""

import time

import click
import numpy as np

from autoencoder import (
    CODE_SIZE,
    DEFAULTS,
    MIN_PROBABILITY,
    WEIGHT_DECAY,
    batches,
    build_autoencoder,
    compile_for_training,
    predict,
    steps_in_epoch,
    validation_count,
)
from dataset import IMAGE_SIZE, data_root_option, load_emnist
from support.console import CONTEXT_SETTINGS, PathType, notice
from support.files import replacing
from support.lazy_keras import keras
from support.metrics import excess, pca_reconstructions

GOAL = 0.042  # an excess that takes the design of 2017 a minute or more
FIRST_POINT = 1.0  # of a curve: seconds
GROWTH = 1.25  # from each point of a curve to the next
IMAGE_SHAPE = (IMAGE_SIZE, IMAGE_SIZE, 1)

# ---- the networks: each has fit(after_step), which trains it, and predict(images)


class KerasNetwork:
    """A compiled Keras model and its training.

    x: the training images (N, H, W) in [0, 1].
    """

    def __init__(self, model, x, epochs, seed, batch_size):
        self.model = model
        self.x = x
        self.epochs = epochs
        self.seed = seed
        self.batch_size = batch_size

    def fit(self, after_step):
        """Trains the model; after_step() is called after each batch."""
        for epoch in range(self.epochs):
            for batch in batches(self.x, self.batch_size, self.seed, epoch):
                self.model.train_on_batch(batch, batch)
                after_step()

    def predict(self, images):
        """(N, H, W) in [0, 1] -> their reconstructions, the same shape."""
        p = predict(self.model, images[..., None])[..., 0]
        return p.clip(MIN_PROBABILITY, 1 - MIN_PROBABILITY)


def this_autoencoder(x, epochs, seed, optimizer=None, **changes):
    """As `train` trains it, but for changes of batch_size or learning_rate, or another optimizer.

    optimizer: a function of the learning rate's schedule.
    """
    settings = DEFAULTS | changes
    keras.utils.set_random_seed(seed)
    model = build_autoencoder()
    steps = epochs * steps_in_epoch(len(x), settings["batch_size"])
    compile_for_training(model, settings["learning_rate"], steps)
    if optimizer:
        schedule = keras.optimizers.schedules.CosineDecay(settings["learning_rate"], steps)
        model.compile(optimizer(schedule), "binary_crossentropy")
    return KerasNetwork(model, x, epochs, seed, settings["batch_size"])


def design_of_2017(x, epochs, seed):
    """Batches of 20 and small convolutions; the last ends in relu, so its output is clipped."""
    keras.utils.set_random_seed(seed)
    layers = [
        keras.Input(IMAGE_SHAPE),
        keras.layers.BatchNormalization(),
        keras.layers.Conv2D(8, 5, strides=2, padding="same", activation="relu"),
        keras.layers.BatchNormalization(),
        keras.layers.Conv2D(16, 5, strides=2, padding="same", activation="relu"),
        keras.layers.BatchNormalization(),
        keras.layers.Flatten(),
        keras.layers.Dense(CODE_SIZE),
        keras.layers.Dense(IMAGE_SIZE * IMAGE_SIZE * 8, activation="relu"),
        keras.layers.Reshape((IMAGE_SIZE, IMAGE_SIZE, 8)),
        keras.layers.Conv2D(8, 3, padding="same", activation="relu"),
        keras.layers.Conv2D(4, 3, padding="same", activation="relu"),
        keras.layers.Conv2D(1, 3, padding="same", activation="relu"),
    ]
    model = keras.Sequential(layers)
    model.compile("adam", "binary_crossentropy")
    return KerasNetwork(model, x, epochs, seed, batch_size=20)


def nearest_public_relative(x, epochs, seed):
    """The same code, two convolutions of 64 at 14 x 14, mse, Adam.

    Its decoder is built from its description, its encoder as the decoder's mirror.
    """
    keras.utils.set_random_seed(seed)
    quarter = IMAGE_SIZE // 4
    layers = [
        keras.Input(IMAGE_SHAPE),
        keras.layers.Conv2D(64, 3, padding="same", activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Conv2D(64, 3, padding="same", activation="relu"),
        keras.layers.Conv2D(64, 3, padding="same", activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Flatten(),
        keras.layers.Dense(CODE_SIZE),
        keras.layers.Dense(quarter * quarter * 64, activation="relu"),
        keras.layers.Reshape((quarter, quarter, 64)),
        keras.layers.UpSampling2D(),
        keras.layers.Conv2D(64, 3, padding="same", activation="relu"),
        keras.layers.Conv2D(64, 3, padding="same", activation="relu"),
        keras.layers.UpSampling2D(),
        keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
    ]
    model = keras.Sequential(layers)
    model.compile("adam", "mse")
    return KerasNetwork(model, x, epochs, seed, batch_size=128)


class Pca:
    """Principal component analysis, with as many components as a code has numbers."""

    def __init__(self, x, epochs, seed):
        self.x = x

    def fit(self, after_step):
        self.predict(self.x[:1])  # predict fits it again; here it is timed

    def predict(self, images):
        return pca_reconstructions(self.x, images, CODE_SIZE)


# ---- compare


class Curve:
    """Seconds of training and the excess at that time; measuring does not count."""

    def __init__(self, x_validation, predict, clock=time.perf_counter):
        self.x_validation = x_validation
        self.predict = predict
        self.clock = clock
        self.started = clock()
        self.due = FIRST_POINT
        self.points = []  # (seconds, excess)

    def tick(self):
        """Call it after each step: it measures when a point is due."""
        if self.clock() - self.started >= self.due:
            self.measure()

    def measure(self):
        """Adds a point."""
        seconds = self.clock() - self.started
        self.points.append((seconds, mean_excess(self.predict, self.x_validation)))
        self.due = GROWTH * seconds
        self.started = self.clock() - seconds

    def time_to(self, goal):
        """Seconds to an excess, interpolated between points; inf if it was not reached."""
        seconds, excesses = np.transpose(self.points)
        least_so_far = np.minimum.accumulate(excesses)
        return np.interp(-goal, -least_so_far, seconds, right=np.inf)


def mean_excess(predict, images):
    return excess(images, predict(images)).mean()


def load_images(data_root):
    """Training, validation and test images of Balanced, divided as `train` does."""
    (x, _), (x_test, _) = load_emnist("balanced", data_root)
    count = validation_count(len(x), len(x_test))
    return x[:-count], x[-count:], x_test


def draw(path, curves):
    """Draws each network's curves, {name: [Curve]}."""
    from matplotlib.figure import Figure

    figure = Figure((7, 4.2), layout="constrained")
    axes = figure.add_subplot(xscale="log", ylim=(0, 2 * GOAL))
    for number, (name, runs) in enumerate(curves.items()):
        for run, curve in enumerate(runs):
            label = name if run == 0 else None  # once in the legend
            axes.plot(*np.transpose(curve.points), ".-", color=f"C{number}", lw=1, label=label)
    axes.set_xlabel("seconds of training")
    axes.set_ylabel("excess on validation images (nats a pixel)")
    axes.legend(frameon=False)
    with replacing(path) as partial:
        figure.savefig(partial, format="png")


def cell(summary, figures, digits):
    """A summary of the figures of all seeds, and in brackets their range."""
    middle, low, high = summary(figures), min(figures), max(figures)
    return f"{middle:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


seeds_option = click.option("--seeds", type=click.IntRange(1), default=3, help="Runs of each.")


@click.group(context_settings=CONTEXT_SETTINGS)
def cli():
    """How fast the autoencoder learns, and what its settings are worth."""


@cli.command()
@data_root_option
@seeds_option
@click.option("--epochs", type=click.IntRange(1), default=5, help="Epochs of each run.")
@click.option("--out", type=PathType(".png"), default="compare.png", help="The picture.")
def compare(data_root, seeds, epochs, out):
    """Train the networks in turns, once with each seed; print a table and draw the curves."""
    x, x_validation, x_test = load_images(data_root)
    networks = {
        "this autoencoder": this_autoencoder,
        "design of 2017": design_of_2017,
        "nearest public relative": nearest_public_relative,
        f"PCA, {CODE_SIZE} components": Pca,
    }
    curves = {name: [] for name in networks}
    test_excesses = {name: [] for name in networks}
    for seed in range(seeds):
        for name, build in networks.items():
            notice(f"seed {seed}: {name}")
            network = build(x, epochs, seed)
            curve = Curve(x_validation, network.predict)
            network.fit(curve.tick)
            curve.measure()
            curves[name].append(curve)
            test_excesses[name].append(mean_excess(network.predict, x_test))
    draw(out, curves)

    click.echo(f"| | seconds | to {GOAL} | validation | test |\n|---|---|---|---|---|")
    for name, runs in curves.items():
        cells = [
            name,
            cell(np.median, [curve.points[-1][0] for curve in runs], 0),
            cell(np.median, [curve.time_to(GOAL) for curve in runs], 1),
            cell(np.median, [curve.points[-1][1] for curve in runs], 4),
            cell(np.median, test_excesses[name], 4),
        ]
        click.echo(f"| {' | '.join(cells)} |")


# ---- ablate


def muon(weight_decay):
    def build(schedule):
        from support.training import Muon

        return Muon(schedule, weight_decay=weight_decay, adam_weight_decay=weight_decay)

    return build


def muon_of_keras(schedule):
    """Without our part: it takes the dense layers, AdamW takes the convolutions."""
    return keras.optimizers.Muon(
        schedule, weight_decay=WEIGHT_DECAY, adam_weight_decay=WEIGHT_DECAY
    )


def nadam(schedule):
    return keras.optimizers.Nadam(schedule, weight_decay=WEIGHT_DECAY)


CHANGES = {
    "as it is": {},
    "batches of 64": {"batch_size": 64},
    "half the learning rate": {"learning_rate": DEFAULTS["learning_rate"] / 2},
    "twice the learning rate": {"learning_rate": DEFAULTS["learning_rate"] * 2},
    "no weight decay": {"optimizer": muon(0)},
    "twice the weight decay": {"optimizer": muon(2 * WEIGHT_DECAY)},
    "Muon of Keras": {"optimizer": muon_of_keras},
    "Nadam": {"optimizer": nadam},
}


@cli.command()
@data_root_option
@seeds_option
@click.option("--epochs", type=click.IntRange(1), default=1, help="Epochs of each run.")
@click.option("--share", type=click.IntRange(1), default=1, help="Train on one image in so many.")
@click.option("--only", type=click.Choice(CHANGES), multiple=True, help="This row; repeat it.")
def ablate(data_root, seeds, epochs, share, only):
    """Train this autoencoder with one change at a time; print a table of the excess."""
    x, x_validation, _ = load_images(data_root)
    click.echo("| change | excess on validation images |\n|---|---|")
    for name in only or CHANGES:
        excesses = []
        for seed in range(seeds):
            network = this_autoencoder(x[::share], epochs, seed, **CHANGES[name])
            network.fit(after_step=lambda: None)
            excesses.append(mean_excess(network.predict, x_validation))
        click.echo(f"| {name} | {cell(np.mean, excesses, 4)} |")


if __name__ == "__main__":
    cli()
