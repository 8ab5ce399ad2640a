"""How fast the autoencoder learns, beside other networks, and what each choice in it is worth.

    python benchmarks/training.py curves --out compare.png   # prints a table and draws the curves
    python benchmarks/training.py choices --only "as it is" --only "no weight decay" --share 4

The excess is in nats a pixel; the clock stands still while it is measured. A figure is the median
(curves) or mean (choices) of runs with the seeds 0, 1, ..., and in brackets their range.
"""

import functools
import itertools
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from unittest import mock

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import autoencoder
from autoencoder import PREDICT_BATCH, SMALLEST, batches
from support.console import CONTEXT_SETTINGS, import_keras
from support.figures import pca_reconstructions, score

GOAL = 0.042  # an excess that takes the design of 2017 a minute or more
FIRST, GROWTH = 1.0, 1.25  # a curve's points: seconds to the first, and from each to the next


class Curve:
    """Seconds of training and the excess at that time; measuring does not count."""

    def __init__(self, x_val, predict):
        self.points = []  # (seconds, excess, mse)
        self.x_val, self.predict, self.started = x_val, predict, time.perf_counter()

    def tick(self, batch=None, logs=None, last=False):
        """Call it after each step (Keras gives batch and logs): it measures when a point is due."""
        seconds = time.perf_counter() - self.started
        if last or seconds >= (GROWTH * self.points[-1][0] if self.points else FIRST):
            figures = score(self.x_val, self.predict(self.x_val))
            self.points.append((seconds, figures["excess"], figures["mse"]))
            self.started = time.perf_counter() - seconds

    def time_to(self, goal):
        """Seconds to an excess, interpolated between points; inf if it was not reached."""
        seconds, values, _ = np.transpose(self.points)
        return np.interp(-goal, -np.minimum.accumulate(values), seconds, right=np.inf)

    def mse_after(self, seconds):
        """The mse at that time, interpolated between points; the last one if it comes later."""
        at, _, values = np.transpose(self.points)
        return np.interp(seconds, at, values)


def this_autoencoder(x, config, **change):
    """As `train` trains it, or with a change from CHOICES."""
    keras, config = import_keras(), config | change
    with mock.patch.dict(vars(autoencoder), change):
        model = autoencoder.new_model(config, len(x) // config["batch_size"])
    replace = functools.partial(replaced, change.get("layer"))  # None: the same layers
    clone = keras.models.clone_model(model, clone_function=replace, recursive=True)
    kind = getattr(keras.optimizers, change.get("optimizer", "Nadam"))
    clone.compile(kind.from_config(model.optimizer.get_config()), model.loss)
    return in_keras(clone, x, config)


def replaced(kind, layer):
    """Another layer, or none, if it is of this kind; else a new copy of the layer."""
    layers, config = import_keras().layers, layer.get_config()
    stack = functools.partial(import_keras().Sequential, name=layer.name)
    if kind == config.get("activation") == "silu":  # in the decoder alone
        return layer.from_config(config | {"activation": "relu"})
    if kind == type(layer).__name__ == "Conv2DTranspose":
        convolution = layers.Conv2D(layer.filters, 3, padding="same", activation=layer.activation)
        return stack([layers.UpSampling2D(2), convolution])
    if kind in (type(layer).__name__, (config.get("activation"), config.get("kernel_size"))):
        return stack([layers.Identity()])
    return layer.from_config(config)


def design_of_2017(x, config):
    """Batches of 20 and small convolutions; the last ends in relu, so its output is clipped."""
    keras = import_keras()
    keras.utils.set_random_seed(config["seed"])
    layers, norm = keras.layers, keras.layers.BatchNormalization
    conv = functools.partial(layers.Conv2D, padding="same", activation="relu")
    stack = [norm(), conv(8, 5, strides=2), norm(), conv(16, 5, strides=2), norm()]
    stack += [layers.Flatten(), layers.Dense(autoencoder.CODE_SIZE)]
    stack += [layers.Dense(28 * 28 * 8, activation="relu"), layers.Reshape((28, 28, 8))]
    model = keras.Sequential([keras.Input((28, 28, 1)), *stack, conv(8, 3), conv(4, 3), conv(1, 3)])
    model.compile("adam", "binary_crossentropy")
    return in_keras(model, x, config | {"batch_size": 20})


def relative(x, config):
    """The nearest public relative: the same code, two convolutions of 64 at 14 x 14, mse, Adam.

    Its decoder is built from its description, its encoder as the decoder's mirror.
    """
    keras = import_keras()
    keras.utils.set_random_seed(config["seed"])
    layers = keras.layers
    conv = functools.partial(layers.Conv2D, kernel_size=3, padding="same", activation="relu")
    stack = [conv(64), layers.MaxPooling2D(), conv(64), conv(64), layers.MaxPooling2D()]
    stack += [layers.Flatten(), layers.Dense(autoencoder.CODE_SIZE)]
    stack += [layers.Dense(7 * 7 * 64, activation="relu"), layers.Reshape((7, 7, 64))]
    stack += [layers.UpSampling2D(), conv(64), conv(64), layers.UpSampling2D()]
    ink = conv(1, activation="sigmoid")
    model = keras.Sequential([keras.Input((28, 28, 1)), *stack, ink])
    model.compile("adam", "mse")
    return in_keras(model, x, config | {"batch_size": 128})


def in_keras(model, x, config):
    """The functions fit(after_step), which trains the model, and predict(images)."""

    def fit(after_step=None):
        model.fit(
            batches(x, config["batch_size"], config["seed"], 0),
            steps_per_epoch=len(x) // config["batch_size"],
            epochs=config["epochs"],
            shuffle=False,
            verbose=0,
            callbacks=[import_keras().callbacks.LambdaCallback(on_train_batch_end=after_step)],
        )

    def predict(images):
        p = model.predict(images[..., None], PREDICT_BATCH, verbose=0)[..., 0]
        return p.clip(SMALLEST, 1 - SMALLEST)

    return fit, predict


def pca(x, config):
    predict = functools.partial(pca_reconstructions, x, components=autoencoder.CODE_SIZE)
    return lambda after_step: predict(x[:1]), predict


def in_pytorch(x, config, layout="contiguous_format"):
    """This autoencoder's layers, initial distributions, optimizer and rates in PyTorch."""
    import torch

    torch.manual_seed(config["seed"])
    network = torch_network(torch.nn).to(memory_format=getattr(torch, layout))
    steps = config["epochs"] * (len(x) // config["batch_size"])
    options = {"lr": config["learning_rate"], "eps": 1e-7, "momentum_decay": 1}  # as in Keras
    options |= {"weight_decay": autoencoder.weight_decay(config["epochs"])}
    optimizer = torch.optim.NAdam(network.parameters(), decoupled_weight_decay=True, **options)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)

    def fit(after_step=lambda: None):
        feed = batches(x, config["batch_size"], config["seed"], 0)
        for images, _ in itertools.islice(feed, steps):
            images = torch.from_numpy(images[:, None, ..., 0])
            optimizer.zero_grad()
            torch.nn.BCEWithLogitsLoss()(network(images), images).backward()
            optimizer.step()
            schedule.step()
            after_step()

    @torch.no_grad()
    def predict(images):
        network.eval()
        logits = network(torch.from_numpy(images[:, None]))
        network.train()
        return torch.sigmoid(logits[:, 0]).numpy().clip(SMALLEST, 1 - SMALLEST)

    return fit, predict


def torch_network(nn):
    """This autoencoder's layers as PyTorch has them; it ends in logits."""
    model, layers = autoencoder.build_autoencoder(), []
    for layer in model.get_layer("encoder").layers[1:] + model.get_layer("decoder").layers[1:]:
        channels, config = layer.input.shape[-1], layer.get_config()
        match type(layer).__name__:
            case "Dense":
                layers.append(nn.Linear(channels, layer.units))
            case "Conv2D" | "Conv2DTranspose" as name:
                kind = {"Conv2D": nn.Conv2d, "Conv2DTranspose": nn.ConvTranspose2d}[name]
                (size, _), (stride, _) = layer.kernel_size, layer.strides
                layers.append(kind(channels, layer.filters, size, stride, (size - stride) // 2))
            case "BatchNormalization":
                norm = {2: nn.BatchNorm1d, 4: nn.BatchNorm2d}[layer.input.ndim]
                layers.append(norm(channels, layer.epsilon, 1 - layer.momentum))
            case "Flatten":
                layers.append(nn.Flatten())
            case "Reshape":
                layers.append(nn.Unflatten(1, layer.target_shape[-1:] + layer.target_shape[:-1]))
        activations = {"relu": nn.ReLU, "silu": nn.SiLU}
        layers += [kind() for name, kind in activations.items() if name == config.get("activation")]
    for layer in layers:
        if hasattr(layer, "weight") and layer.weight.ndim > 1:
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers)


CHOICES = {  # constants of autoencoder.py, options of train, an optimizer, or layers to replace
    "as it is": {},
    "relu in the decoder": {"layer": "silu"},
    "no batch norm": {"layer": "BatchNormalization"},
    "batch norm with momentum 0.99": {"BATCH_NORM_MOMENTUM": 0.99},
    "no 3 x 3 convolution in the encoder": {"layer": ("relu", (3, 3))},
    "no 3 x 3 convolutions in the decoder": {"layer": ("silu", (3, 3))},
    "batches of 64": {"batch_size": 64},
    "batches of 256": {"batch_size": 256},
    "learning rate 0.003": {"learning_rate": 0.003},
    "learning rate 0.008": {"learning_rate": 0.008},
    "no weight decay": {"WEIGHT_DECAY": 0},
    "AdamW for Nadam": {"optimizer": "AdamW"},
    "upsampling for transposed convolutions": {"layer": "Conv2DTranspose"},
}
CONFIG = {"data": "emnist", "split": "balanced", "batch_size": autoencoder.BATCH_SIZE}
CONFIG["learning_rate"] = autoencoder.LEARNING_RATE
cli = click.Group(context_settings=CONTEXT_SETTINGS)
data_root_option = click.option("--data-root", envvar="DATA_ROOT", default="data", help="The data.")
seeds_option = click.option("--seeds", type=click.IntRange(1), default=3, help="Runs of each.")


def row(name, middle, columns, digits):
    for c, n in zip(columns, digits, strict=True):
        name += f" | {middle(c):.{n}f} ({min(c):.{n}f}-{max(c):.{n}f})"
    return f"| {name} |"


def images_per_second(networks, x, config, steps=100, turns=6):
    """The median speed in training of each network, in turns; the first is a warm-up."""
    x, config = x[: steps * config["batch_size"]], config | {"epochs": 1, "seed": 0}
    timed = {name: (build(x, config)[0], []) for name, build in networks.items()}
    for _, (fit, speeds) in itertools.product(range(turns), timed.values()):
        start = time.perf_counter()
        fit()
        speeds.append(len(x) / (time.perf_counter() - start))
    return {name: np.median(speeds[1:]) for name, (_, speeds) in timed.items()}


def draw(path, curves):
    """Draws each network's points, {name: [(seconds, excess, mse)]}."""
    from matplotlib.figure import Figure

    ax = Figure((7, 4.2), layout="constrained").add_subplot(xscale="log", ylim=(0, 2 * GOAL))
    for name, points in curves.items():
        ax.plot(*np.transpose(points)[:2], ".-", lw=1, label=name)
    ax.set(xlabel="seconds of training", ylabel="excess on validation images (nats a pixel)")
    ax.legend(frameon=False)
    ax.figure.savefig(path, format="png")


@cli.command()
@data_root_option
@seeds_option
@click.option("--epochs", type=click.IntRange(1), default=5, help="Epochs of each run.")
@click.option("--out", type=click.Path(dir_okay=False), default="compare.png", help="The picture.")
def curves(data_root, seeds, epochs, out):
    """Train the networks in turns, once with each seed; print a table and draw the curves.

    mse then: on validation images, when the first network with the same seed ends.
    """
    config = CONFIG | {"data_root": data_root, "epochs": epochs}
    x, x_val, x_test, *_ = autoencoder.load_data(config)
    networks = {"this autoencoder": this_autoencoder, "design of 2017": design_of_2017}
    networks |= {"nearest public relative": relative, "PCA, 32 components": pca}
    if find_spec("torch"):
        channels_last = functools.partial(in_pytorch, layout="channels_last")
        twins = {"PyTorch": in_pytorch, "PyTorch, channels last": channels_last}
        speeds = images_per_second({"this autoencoder": this_autoencoder} | twins, x, config)
        click.echo("\n".join(f"{n}: {v:,.0f} images a second" for n, v in speeds.items()) + "\n")
        networks["the same network in PyTorch"] = twins[max(twins, key=speeds.get)]
    points, figures = ({name: [] for name in networks} for _ in range(2))
    for seed, name in itertools.product(range(seeds), networks):
        click.echo(f"seed {seed}: {name}", err=True)
        fit, predict = networks[name](x, config | {"seed": seed})
        curve = Curve(x_val, predict)
        fit(curve.tick)
        curve.tick(last=True)
        points[name] += [*curve.points, (np.nan,) * 3]  # a gap before the next run
        end, validation, _ = curve.points[-1]
        if name == "this autoencoder":
            ours = end
        test = score(x_test, predict(x_test))["excess"]
        figures[name].append((end, curve.time_to(GOAL), validation, test, curve.mse_after(ours)))
    draw(out, points)
    heads = f"seconds | to {GOAL} | validation | test | mse then"
    click.echo(f"| | {heads} |\n|{'---|' * 6}")
    for name, runs in figures.items():
        click.echo(row(name, np.median, np.transpose(runs), (0, 1, 4, 4, 5)))
    ours, old, peer = np.median(list(figures.values()), axis=1)[:3]
    click.echo(f"\nseconds to {GOAL}, design of 2017 / this autoencoder: {old[1] / ours[1]:.1f}")
    click.echo(f"mse then, nearest public relative / this autoencoder: {peer[4] / ours[4]:.2f}")


@cli.command()
@data_root_option
@seeds_option
@click.option("--epochs", type=click.IntRange(1), default=1, help="Epochs of each run.")
@click.option("--share", type=click.IntRange(1), default=1, help="Train on one image in so many.")
@click.option("--only", type=click.Choice(CHOICES), multiple=True, help="This row; repeat it.")
def choices(data_root, seeds, epochs, share, only):
    """Train this autoencoder with one change at a time; print a table of the excess."""
    config = CONFIG | {"data_root": data_root, "epochs": epochs}
    x, x_val, *_ = autoencoder.load_data(config)
    click.echo("| change | excess on validation images |\n|---|---|")
    for name in only or CHOICES:
        excesses = []
        for seed in range(seeds):
            fit, predict = this_autoencoder(x[::share], config | {"seed": seed}, **CHOICES[name])
            fit()
            excesses.append(score(x_val, predict(x_val))["excess"])
        click.echo(row(name, np.mean, [excesses], [4]))


if __name__ == "__main__":
    cli()
