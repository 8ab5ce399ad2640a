"""What each choice in the training is worth: one change at a time, and the excess it leads to.

    python benchmarks/ablation.py --data-root data --epochs 2
    python benchmarks/ablation.py --share 4 --epochs 12 --only "as it is" --only "no weight decay"

Every variant is trained alike, from the same seed; the excess is that of the validation images, in
nats a pixel, and the seconds are those of the training alone.
"""

import sys
import time
from pathlib import Path
from unittest import mock

import click
from scipy.special import expit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import autoencoder
from autoencoder import batches, cross_entropy, import_keras

CONSTANTS = ("FILTERS", "WIDTH")
keras = import_keras()
layers = keras.layers

# ---- changes of a layer: each takes a layer and gives the one to stand in its place


def remade(layer, **changes):
    return layer.from_config(layer.get_config() | changes)


def activation(name):
    """Another activation in the decoder."""

    def change(layer):
        silu = getattr(layer, "activation", None) is keras.activations.silu
        return remade(layer, activation=name) if silu else remade(layer)

    return change


def no_norm(layer):
    norm = isinstance(layer, layers.BatchNormalization)
    return keras.Sequential([layers.Identity()], name=layer.name) if norm else remade(layer)


def norm_after_convolutions(layer):
    convolution = isinstance(layer, (layers.Conv2D, layers.Conv2DTranspose))
    if not convolution or layer.name == "logits":
        return remade(layer)
    norm = layers.BatchNormalization(momentum=autoencoder.MOMENTUM)
    return keras.Sequential([remade(layer), norm], name=layer.name)


def kernel(size):
    def change(layer):
        return remade(layer, kernel_size=size) if hasattr(layer, "kernel_size") else remade(layer)

    return change


def upsampling(layer):
    """Nearest neighbours and a plain convolution for each transposed one."""
    if not isinstance(layer, layers.Conv2DTranspose):
        return remade(layer)
    convolution = layers.Conv2D(layer.filters, 3, padding="same", activation=layer.activation)
    return keras.Sequential([layers.UpSampling2D(2), convolution], name=layer.name)


# ---- changes of the rest


def cosine(peak, total, epoch):
    """As train has it: from the peak to 0 on the last step."""
    return keras.optimizers.schedules.CosineDecay(peak, total)


def constant(peak, total, epoch):
    return peak


def warmed_up(peak, total, epoch):
    """Rises for an epoch, then falls along a cosine."""
    fall = max(total - epoch, 1)
    return keras.optimizers.schedules.CosineDecay(0.0, fall, warmup_target=peak, warmup_steps=epoch)


def fused_adamw(rate, weight_decay):
    return autoencoder.fused(keras.optimizers.AdamW(rate, weight_decay))


VARIANTS = {  # name -> what is different, by the names in trained()
    "as it is": {},
    "relu in the decoder": {"layer": activation("relu")},
    "gelu in the decoder": {"layer": activation("gelu")},
    "batch norm after the convolutions, too": {"layer": norm_after_convolutions},
    "no batch norm": {"layer": no_norm},
    "dense layers of 320": {"WIDTH": 320},
    "dense layers of 1,280": {"WIDTH": 1280},
    "filters 16, 32": {"FILTERS": (16, 32)},
    "filters 32, 96": {"FILTERS": (32, 96)},
    "kernels of 5 x 5": {"layer": kernel(5)},
    "upsampling for transposed convolutions": {"layer": upsampling},
    "batches of 64": {"batch_size": 64},
    "batches of 256": {"batch_size": 256},
    "rate 0.003": {"learning_rate": 0.003},
    "rate 0.008": {"learning_rate": 0.008},
    "rate constant at 0.001": {"learning_rate": 0.001, "rate": constant},
    "rate warmed up for an epoch": {"rate": warmed_up},
    "no weight decay": {"weight_decay": 0},
    "four times the weight decay": {"weight_decay": 4 * autoencoder.WEIGHT_DECAY},
    "Keras's AdamW, without Nesterov": {"optimizer": keras.optimizers.AdamW},
    "Keras's Nadam": {"optimizer": keras.optimizers.Nadam},
}


def trained(x, options, change):
    """Seconds of a variant's training, and its network up to the logits.

    change: constants of autoencoder.py and options of train by their names; `layer`, a change of
    each layer; `rate`, of the peak, the steps in all and the steps an epoch; `optimizer`, of the
    rate and its `weight_decay`.
    """
    config = {name: change.get(name, option) for name, option in options.items()}
    steps = len(x) // config["batch_size"]
    keras.utils.set_random_seed(config["seed"])
    constants = {name: change.get(name, getattr(autoencoder, name)) for name in CONSTANTS}
    with mock.patch.multiple(autoencoder, **constants):
        model = autoencoder.build_autoencoder()
    if "layer" in change:
        model = keras.models.clone_model(model, clone_function=change["layer"], recursive=True)
    rate = change.get("rate", cosine)(config["learning_rate"], config["epochs"] * steps, steps)
    weight_decay = change.get("weight_decay", autoencoder.WEIGHT_DECAY)
    optimizer = change.get("optimizer", fused_adamw)(rate, weight_decay=weight_decay)
    network = autoencoder.without_sigmoid(model)
    network.compile(optimizer, keras.losses.BinaryCrossentropy(from_logits=True))
    start = time.perf_counter()
    network.fit(
        batches(x, config["batch_size"], config["seed"], 0),
        steps_per_epoch=steps,
        epochs=config["epochs"],
        shuffle=False,
        verbose=0,
    )
    return time.perf_counter() - start, network


SETTINGS = {"show_default": True, "help_option_names": ["-h", "--help"]}


@click.command(context_settings=SETTINGS)
@click.option("--data-root", envvar="DATA_ROOT", default="data", help="The folder of the data.")
@click.option("--epochs", type=click.IntRange(1), default=2, help="Of each variant.")
@click.option("--share", type=click.IntRange(1), default=1, help="Learn one image in so many.")
@click.option("--only", type=click.Choice(list(VARIANTS)), multiple=True, help="Some variants.")
def main(data_root, epochs, share, only):
    """Train each variant and print its row of a table."""
    options = {p.name: p.default for p in autoencoder.train.params}
    options = {name: options[name] for name in autoencoder.OPTIONS} | {"epochs": epochs}
    data = {"data": "emnist", "split": "balanced", "data_root": data_root}
    x, x_val, *_ = autoencoder.load_data(data)
    x = x[::share]
    options["batch_size"] = min(options["batch_size"], len(x))
    floor = cross_entropy(x_val, x_val).mean()
    click.echo("| change | excess | seconds |\n|---|---|---|")
    for name in only or VARIANTS:
        seconds, network = trained(x, options, VARIANTS[name])
        logits = network.predict(x_val, batch_size=500, verbose=0)[..., 0].astype("float64")
        excess = cross_entropy(x_val, expit(logits).clip(1e-7, 1 - 1e-7)).mean() - floor
        click.echo(f"| {name} | {excess:.4f} | {seconds:.0f} |")


if __name__ == "__main__":
    main()
