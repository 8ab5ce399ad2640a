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

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import autoencoder
from autoencoder import batches, cross_entropy, import_keras, reconstruct
from dataset import SETTINGS

PATCHED = ("FILTERS", "WIDTH", "WEIGHT_DECAY", "weight_decay")  # names in autoencoder.py
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


# ---- changes of the rate, which falls along a cosine from its peak to 0


def constant(peak, total, epoch):
    return keras.optimizers.schedules.CosineDecay(peak, total, alpha=1.0)


def warmed_up(peak, total, epoch):
    """Rises for an epoch, then falls along a cosine."""
    fall = max(total - epoch, 1)
    return keras.optimizers.schedules.CosineDecay(0.0, fall, warmup_target=peak, warmup_steps=epoch)


def nadam(adamw):
    config = adamw.get_config() | {"name": "nadam"}
    del config["amsgrad"]
    return keras.optimizers.Nadam.from_config(config)


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
    "no weight decay": {"WEIGHT_DECAY": 0},
    "four times the weight decay": {"WEIGHT_DECAY": 4 * autoencoder.WEIGHT_DECAY},
    "weight decay of 20 epochs": {"weight_decay": lambda epochs: autoencoder.WEIGHT_DECAY},
    "Keras's AdamW, without Nesterov": {"optimizer": lambda adamw: adamw},
    "Keras's Nadam": {"optimizer": nadam},
}


def trained(x, options, change):
    """Seconds of a variant's training, and its autoencoder.

    change: names of autoencoder.py and options of train by their names; `layer`, a change of
    each layer; `rate`, of the peak, the steps in all and the steps an epoch; `optimizer`, what is
    made of the AdamW that autoencoder.py would have made `fused`.
    """
    config = {name: change.get(name, option) for name, option in options.items()}
    steps = len(x) // config["batch_size"]
    patches = {name: change.get(name, getattr(autoencoder, name)) for name in PATCHED}
    with mock.patch.multiple(autoencoder, **patches):
        model = autoencoder.new_model(config, steps)
    optimizer = model.optimizer
    if "rate" in change:
        total = config["epochs"] * steps
        optimizer.learning_rate = change["rate"](config["learning_rate"], total, steps)
    if "layer" in change:
        model = keras.models.clone_model(model, clone_function=change["layer"], recursive=True)
    optimizer = change.get("optimizer", autoencoder.fused)(optimizer)
    network = autoencoder.up_to_logits(model, optimizer)
    start = time.perf_counter()
    network.fit(
        batches(x, config["batch_size"], config["seed"], 0),
        steps_per_epoch=steps,
        epochs=config["epochs"],
        shuffle=False,
        verbose=0,
    )
    return time.perf_counter() - start, model


@click.command(context_settings=SETTINGS)
@click.option("--data-root", envvar="DATA_ROOT", default="data", help="The folder of the data.")
@click.option("--epochs", type=click.IntRange(1), default=2, help="Of each variant.")
@click.option("--share", type=click.IntRange(1), default=1, help="Learn one image in so many.")
@click.option("--only", type=click.Choice(list(VARIANTS)), multiple=True, help="Some variants.")
def main(data_root, epochs, share, only):
    """Train each variant and print its row of a table."""
    data = {"data": "emnist", "split": "balanced", "data_root": data_root}
    x, x_val, *_ = autoencoder.load_data(data)
    x = x[::share]
    options = {"epochs": epochs, "batch_size": min(autoencoder.BATCH_SIZE, len(x))}
    options |= {"learning_rate": autoencoder.LEARNING_RATE, "seed": 0}
    floor = cross_entropy(x_val, x_val).mean()
    click.echo("| change | excess | seconds |\n|---|---|---|")
    for name in only or VARIANTS:
        seconds, model = trained(x, options, VARIANTS[name])
        excess = cross_entropy(x_val, reconstruct(model, x_val)).mean() - floor
        click.echo(f"| {name} | {excess:.4f} | {seconds:.0f} |")


if __name__ == "__main__":
    main()
