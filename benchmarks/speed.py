"""How fast training is, beside a matrix product and beside the same network in plain PyTorch.

    python -m benchmarks.speed keras    # this autoencoder, on the backend that KERAS_BACKEND names
    python -m benchmarks.speed pytorch  # the same layers without Keras; needs PyTorch

Both train on random images in float32, so no data are needed, and use a GPU if their package finds
one. The operations counted are those of convolutions and dense layers. Batch norm, activations, the
loss and the optimizer take time but do not count. Keras's optimizer is Muon, as in `train`.
PyTorch's own Muon takes matrices alone, so its optimizer is AdamW, which has less to do.
"""

import importlib.util
import math
import os
import time

import click
import numpy as np

from autoencoder import (
    DEFAULTS,
    WEIGHT_DECAY,
    batches,
    build_autoencoder,
    compile_for_training,
    train_epoch,
)
from dataset import IMAGE_SIZE
from support.console import CONTEXT_SETTINGS, Commands, InputError
from support.lazy_keras import keras

BATCH_SIZE = DEFAULTS["batch_size"]
LEARNING_RATE = DEFAULTS["learning_rate"]
PRODUCT_SIZE = 2048  # rows and columns of each matrix
PRODUCTS = 3  # in a round

# ---- what there is to compute


def layers_of(autoencoder):
    """The layers of the encoder and the decoder, in order."""
    encoder = autoencoder.get_layer("encoder")
    decoder = autoencoder.get_layer("decoder")
    return encoder.layers + decoder.layers


def training_operations(layers):
    """Floating-point operations of a training step, for each image.

    A kernel is applied once for each pixel of its output, a transposed one for each pixel of its
    input. Each time, each of its weights takes a multiplication and an addition. The gradients take
    twice as many: once for the weights and once for the layer's input.
    """
    forward = 0
    for layer in layers:
        if not hasattr(layer, "kernel"):
            continue
        is_transposed = isinstance(layer, keras.layers.Conv2DTranspose)
        grid = layer.input.shape if is_transposed else layer.output.shape
        pixels = math.prod(grid[1:-1])  # 1 for a dense layer
        forward += 2 * pixels * math.prod(layer.kernel.shape)
    return 3 * forward


# ---- each function returns the seconds of each round; one more round before them warms up


def train_in_keras(autoencoder, x, rounds):
    """Trains as `train` does; an epoch is a round."""
    steps = len(x) // BATCH_SIZE
    compile_for_training(autoencoder, LEARNING_RATE, (rounds + 1) * steps)
    ends = []
    for epoch in range(rounds + 1):
        train_epoch(autoencoder, batches(x, BATCH_SIZE, seed=0, epoch=epoch), steps)
        ends.append(time.perf_counter())
    return np.diff(ends)


def train_in_pytorch(network, x, rounds, device):
    """Trains a module (N, 1, H, W) -> logits, the same shape, on the device where it lies."""
    import torch

    optimizer = torch.optim.AdamW(
        network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True
    )
    ends = []
    for epoch in range(rounds + 1):
        total = torch.zeros((), device=device)
        for batch in batches(x, BATCH_SIZE, seed=0, epoch=epoch):
            ink = torch.from_numpy(batch).to(device).permute(0, 3, 1, 2)
            loss = torch.nn.functional.binary_cross_entropy_with_logits(network(ink), ink)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach()
        assert math.isfinite(total)  # this also waits for the GPU
        ends.append(time.perf_counter())
    return np.diff(ends)


def multiply(a, b, rounds):
    """Multiplies two matrices of any package, PRODUCTS times in a round."""
    ends = []
    for _ in range(rounds + 1):
        for _ in range(PRODUCTS):
            product = a @ b
        float(product[0, 0])  # waits for the GPU
        ends.append(time.perf_counter())
    return np.diff(ends)


# ---- the same layers in PyTorch


def to_modules(layer):
    """The PyTorch modules that do what a Keras layer does; the last sigmoid is in the loss."""
    from torch import nn

    if isinstance(layer, keras.layers.InputLayer):
        return []
    channels = layer.input.shape[-1]
    match layer:
        case keras.layers.Flatten():
            return [nn.Flatten()]
        case keras.layers.Reshape():
            height, width, depth = layer.target_shape
            return [nn.Unflatten(1, (depth, height, width))]
        case keras.layers.BatchNormalization():
            return [nn.BatchNorm2d(channels, layer.epsilon, 1 - layer.momentum)]
        case keras.layers.Dense():
            module = nn.Linear(channels, layer.units)
        case keras.layers.Conv2D():
            module = nn.Conv2d(channels, layer.filters, **shape_of_kernel(layer))
        case keras.layers.Conv2DTranspose():
            module = nn.ConvTranspose2d(channels, layer.filters, **shape_of_kernel(layer))
        case _:
            raise NotImplementedError(f"{layer.name} has no translation to PyTorch yet")
    activations = {"relu": [nn.ReLU()], "silu": [nn.SiLU()], "linear": [], "sigmoid": []}
    return [module, *activations[layer.activation.__name__]]


def shape_of_kernel(layer):
    """Size, stride and padding of a square kernel in PyTorch's terms."""
    size = layer.kernel_size[0]
    stride = layer.strides[0]
    padding = (size - stride + 1) // 2 if layer.padding == "same" else 0
    return {"kernel_size": size, "stride": stride, "padding": padding}


def build_in_pytorch(autoencoder):
    """The layers of an autoencoder as a PyTorch module (N, 1, H, W) -> logits, the same shape."""
    from torch import nn

    modules = []
    for layer in layers_of(autoencoder):
        modules += to_modules(layer)
    network = nn.Sequential(*modules)
    theirs = sum(weight.numel() for weight in network.parameters())
    ours = sum(math.prod(weight.shape) for weight in autoencoder.trainable_variables)
    assert theirs == ours, f"{theirs} weights in PyTorch, {ours} in Keras"
    return network


# ---- the command line


@click.group(cls=Commands, context_settings=CONTEXT_SETTINGS)
def cli():
    """How fast training is."""


rounds_option = click.option("--rounds", type=click.IntRange(1), default=5, help="Rounds to time.")
steps_option = click.option(
    "--steps", type=click.IntRange(1), default=200, help="Training steps in a round."
)


def random_images(steps):
    """(N, H, W) in [0, 1]: the images of a round."""
    shape = (steps * BATCH_SIZE, IMAGE_SIZE, IMAGE_SIZE)
    return np.random.default_rng(0).random(shape, np.float32)


def report(name, seconds, image_count, operations, product_seconds):
    """Prints the medians of all rounds in one line.

    operations: of a training step, for each image.
    """
    speeds = image_count / seconds
    speed = np.median(speeds)
    rate = speed * operations
    product_rate = PRODUCTS * 2 * PRODUCT_SIZE**3 / np.median(product_seconds)
    click.echo(
        f"{name}: {speed:,.0f} images a second ({speeds.min():,.0f}-{speeds.max():,.0f}), "
        f"{rate / 1e9:,.0f} GFLOP/s, {rate / product_rate:.2f} of a matrix product"
    )


@cli.command("keras")
@rounds_option
@steps_option
def keras_command(rounds, steps):
    """Train this autoencoder with Keras."""
    x = random_images(steps)
    autoencoder = build_autoencoder()
    operations = training_operations(layers_of(autoencoder))
    a, b = keras.random.normal((2, PRODUCT_SIZE, PRODUCT_SIZE))

    seconds = train_in_keras(autoencoder, x, rounds)
    product_seconds = multiply(a, b, rounds)
    name = f"keras on {keras.backend.backend()}"
    report(name, seconds, len(x), operations, product_seconds)


@cli.command("pytorch")
@rounds_option
@steps_option
def pytorch_command(rounds, steps):
    """Train the same layers with PyTorch alone."""
    if importlib.util.find_spec("torch") is None:
        raise InputError("PyTorch is not installed: pip install torch")
    os.environ.setdefault("KERAS_BACKEND", "torch")  # Keras only tells which layers there are
    x = random_images(steps)
    autoencoder = build_autoencoder()
    operations = training_operations(layers_of(autoencoder))

    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = build_in_pytorch(autoencoder).to(device, memory_format=torch.channels_last)
    a, b = torch.randn((2, PRODUCT_SIZE, PRODUCT_SIZE), device=device)

    seconds = train_in_pytorch(network, x, rounds, device)
    product_seconds = multiply(a, b, rounds)
    report("pytorch", seconds, len(x), operations, product_seconds)


if __name__ == "__main__":
    cli()
