"""How fast the autoencoder learns, beside other networks, and what each choice in it is worth.

    python benchmarks/training.py compare --out compare.png  # prints a table and draws the curves
    python benchmarks/training.py ablate --only "as it is" --only "no weight decay" --share 4

The excess is in nats a pixel; the clock stands still while it is measured. A figure is the median
(compare) or mean (ablate) of runs with the seeds 0, 1, ..., and in brackets their range.
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from autoencoder import (
    BATCH_NORM_MOMENTUM,
    BATCH_SIZE,
    CODE_SIZE,
    LEARNING_RATE,
    MIN_PROBABILITY,
    PREDICT_BATCH,
    WEIGHT_DECAY,
    batches,
    build_autoencoder,
    compile_for_training,
    steps_in_epoch,
    steps_per_execution,
    validation_count,
)
from dataset import IMAGE_SIZE, data_root_option, load_emnist
from support.console import CONTEXT_SETTINGS, notice
from support.files import replacing
from support.lazy_keras import keras, multiply_in_bfloat16
from support.metrics import pca_reconstructions, score

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
        multiply_in_bfloat16()
        tick = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: after_step())
        self.model.fit(
            batches(self.x, self.batch_size, self.seed, 0),
            steps_per_epoch=steps_in_epoch(len(self.x), self.batch_size),
            epochs=self.epochs,
            shuffle=False,
            verbose=0,
            callbacks=[tick],
        )

    def predict(self, images):
        """(N, H, W) in [0, 1] -> their reconstructions, the same shape."""
        p = self.model.predict(images[..., None], PREDICT_BATCH, verbose=0)[..., 0]
        return p.clip(MIN_PROBABILITY, 1 - MIN_PROBABILITY)


def this_autoencoder(x, epochs, seed):
    """As `train` trains it."""
    keras.utils.set_random_seed(seed)
    model = build_autoencoder()
    compile_for_training(model, LEARNING_RATE, epochs, steps_in_epoch(len(x), BATCH_SIZE))
    return KerasNetwork(model, x, epochs, seed, BATCH_SIZE)


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
        self.points = []  # (seconds, excess, mse)

    def tick(self):
        """Call it after each step: it measures when a point is due."""
        if self.clock() - self.started >= self.due:
            self.measure()

    def measure(self):
        """Adds a point."""
        seconds = self.clock() - self.started
        figures = score(self.x_validation, self.predict(self.x_validation))
        self.points.append((seconds, figures["excess"], figures["mse"]))
        self.due = GROWTH * seconds
        self.started = self.clock() - seconds

    def time_to(self, goal):
        """Seconds to an excess, interpolated between points; inf if it was not reached."""
        seconds, excesses, _ = np.transpose(self.points)
        least_so_far = np.minimum.accumulate(excesses)
        return np.interp(-goal, -least_so_far, seconds, right=np.inf)

    def mse_after(self, seconds):
        """The mse at that time, interpolated between points; the last one if it comes later."""
        times, _, mses = np.transpose(self.points)
        return np.interp(seconds, times, mses)


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
            seconds, excesses, _ = np.transpose(curve.points)
            label = name if run == 0 else None  # once in the legend
            axes.plot(seconds, excesses, ".-", color=f"C{number}", linewidth=1, label=label)
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
    """How fast the autoencoder learns, and what each choice in it is worth."""


@cli.command()
@data_root_option
@seeds_option
@click.option("--epochs", type=click.IntRange(1), default=5, help="Epochs of each run.")
@click.option("--out", type=click.Path(dir_okay=False), default="compare.png", help="The picture.")
def compare(data_root, seeds, epochs, out):
    """Train the networks in turns, once with each seed; print a table and draw the curves.

    mse then: on validation images, when the first network with the same seed ends.
    """
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
            test_excesses[name].append(score(x_test, network.predict(x_test))["excess"])
    draw(Path(out), curves)
    print_comparison(curves, test_excesses)


def print_comparison(curves, test_excesses):
    """curves: {name: [Curve of each seed]}; test_excesses: {name: [excess of each seed]}."""
    our_ends = [curve.points[-1][0] for curve in curves["this autoencoder"]]
    click.echo(f"| | seconds | to {GOAL} | validation | test | mse then |")
    click.echo("|---|---|---|---|---|---|")
    for name, runs in curves.items():
        mses_then = [curve.mse_after(end) for curve, end in zip(runs, our_ends, strict=True)]
        cells = [
            name,
            cell(np.median, [curve.points[-1][0] for curve in runs], 0),
            cell(np.median, [curve.time_to(GOAL) for curve in runs], 1),
            cell(np.median, [curve.points[-1][1] for curve in runs], 4),
            cell(np.median, test_excesses[name], 4),
            cell(np.median, mses_then, 5),
        ]
        click.echo(f"| {' | '.join(cells)} |")


# ---- ablate


@dataclass(frozen=True)
class Variant:
    """The network and its training, with a switch for each choice; the defaults are `train`'s."""

    encoder_3x3: int = 3  # convolutions of 3 x 3
    encoder_batch_norm: bool = False  # after each convolution
    decoder_dense: int = 56  # numbers for each place of 14 x 14
    decoder_3x3: tuple = (64, 64)  # filters of the convolutions of 3 x 3
    decoder_activation: str = "silu"
    decoder_batch_norm: bool = True
    batch_norm_momentum: float = BATCH_NORM_MOMENTUM
    upsampling: bool = False  # for the transposed convolution
    batch_size: int = BATCH_SIZE
    learning_rate: float = LEARNING_RATE
    weight_decay: float = WEIGHT_DECAY
    optimizer: str = "Muon"


VARIANTS = {
    "as it is": Variant(),
    "relu in the decoder": Variant(decoder_activation="relu"),
    "batch norm in the encoder, too": Variant(encoder_batch_norm=True),
    "no batch norm": Variant(decoder_batch_norm=False),
    "batch norm with momentum 0.99": Variant(batch_norm_momentum=0.99),
    "one convolution of 3 x 3 in the encoder": Variant(encoder_3x3=1),
    "two convolutions of 3 x 3 in the encoder": Variant(encoder_3x3=2),
    "decoder of 64, 48, 64 filters": Variant(decoder_dense=64, decoder_3x3=(48, 64)),
    "no convolutions of 3 x 3 in the decoder": Variant(decoder_3x3=()),
    "batches of 32": Variant(batch_size=32),
    "batches of 128": Variant(batch_size=128),
    "learning rate 0.004": Variant(learning_rate=0.004),
    "learning rate 0.012": Variant(learning_rate=0.012),
    "no weight decay": Variant(weight_decay=0),
    "twice the weight decay": Variant(weight_decay=2 * WEIGHT_DECAY),
    "AdamW for convolutions": Variant(optimizer="Muon of Keras"),
    "Nadam": Variant(optimizer="Nadam"),
    "upsampling for transposed convolutions": Variant(upsampling=True),
}


def build_variant(variant):
    """build_autoencoder, changed as the variant says."""
    image = keras.Input(IMAGE_SHAPE)
    code = build_variant_encoder(variant)(image)
    return keras.Model(image, build_variant_decoder(variant)(code))


def build_variant_encoder(variant):
    image = keras.Input(IMAGE_SHAPE)
    convolutions = [(32, 4, 2), *[(32, 3, 1)] * variant.encoder_3x3, (64, 4, 2)]
    h = image
    for filters, size, strides in convolutions:
        h = keras.layers.Conv2D(filters, size, strides, padding="same", activation="relu")(h)
        if variant.encoder_batch_norm:
            h = keras.layers.BatchNormalization(momentum=variant.batch_norm_momentum)(h)
    h = keras.layers.Flatten()(h)
    return keras.Model(image, keras.layers.Dense(CODE_SIZE)(h))


def build_variant_decoder(variant):
    size = IMAGE_SIZE // 2
    activation = variant.decoder_activation
    code = keras.Input((CODE_SIZE,))
    h = keras.layers.Dense(size * size * variant.decoder_dense, activation=activation)(code)
    h = keras.layers.Reshape((size, size, variant.decoder_dense))(h)
    if variant.decoder_batch_norm:
        h = keras.layers.BatchNormalization(momentum=variant.batch_norm_momentum)(h)
    for filters in variant.decoder_3x3:
        h = keras.layers.Conv2D(filters, 3, padding="same", activation=activation)(h)
    if variant.upsampling:
        h = keras.layers.UpSampling2D()(h)
        ink = keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid")(h)
    else:
        up = keras.layers.Conv2DTranspose(1, 4, 2, padding="same", activation="sigmoid")
        ink = up(h)
    return keras.Model(code, ink)


def compile_variant(model, variant, epochs, steps_per_epoch):
    """compile_for_training, changed as the variant says."""
    from support.training import Muon

    schedule = keras.optimizers.schedules.CosineDecay(
        variant.learning_rate, epochs * steps_per_epoch
    )
    decay = variant.weight_decay
    match variant.optimizer:
        case "Muon":
            optimizer = Muon(schedule, weight_decay=decay, adam_weight_decay=decay)
        case "Muon of Keras":
            optimizer = keras.optimizers.Muon(schedule, weight_decay=decay, adam_weight_decay=decay)
        case "Nadam":
            optimizer = keras.optimizers.Nadam(schedule, weight_decay=decay)
    model.compile(
        optimizer,
        "binary_crossentropy",
        steps_per_execution=steps_per_execution(steps_per_epoch),
    )


def train_variant(variant, x, epochs, seed):
    """A trained KerasNetwork."""
    keras.utils.set_random_seed(seed)
    model = build_variant(variant)
    compile_variant(model, variant, epochs, steps_in_epoch(len(x), variant.batch_size))
    network = KerasNetwork(model, x, epochs, seed, variant.batch_size)
    network.fit(after_step=lambda: None)
    return network


@cli.command()
@data_root_option
@seeds_option
@click.option("--epochs", type=click.IntRange(1), default=1, help="Epochs of each run.")
@click.option("--share", type=click.IntRange(1), default=1, help="Train on one image in so many.")
@click.option("--only", type=click.Choice(VARIANTS), multiple=True, help="This row; repeat it.")
def ablate(data_root, seeds, epochs, share, only):
    """Train this autoencoder with one change at a time; print a table of the excess."""
    x, x_validation, _ = load_images(data_root)
    click.echo("| change | excess on validation images |")
    click.echo("|---|---|")
    for name in only or VARIANTS:
        excesses = []
        for seed in range(seeds):
            network = train_variant(VARIANTS[name], x[::share], epochs, seed)
            excesses.append(score(x_validation, network.predict(x_validation))["excess"])
        click.echo(f"| {name} | {cell(np.mean, excesses, 4)} |")


if __name__ == "__main__":
    cli()
