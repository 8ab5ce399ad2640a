"""How much of a morph is handwriting: cross-fade, linear, slerp and geodesic, judged alike.

    python benchmarks/morph.py                       # the run in runs/default, 300 random pairs
    python benchmarks/morph.py --judge judge.keras   # keeps the judge, so that it is trained once

The judge is a small network that knows the characters and one more class, "no character": averages,
unions and splices of two real characters. Real and false images are blurred alike, so that it does
not go by sharpness, and blurred decoder output is nothing new to it. Its threshold lets 95% of the
blurred test images pass. It sees no morph before it judges one.
"""

import sys
import time
from pathlib import Path

import click
import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import logsumexp

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from autoencoder import decode, encode, geodesic_path, linear_path, load_autoencoder
from dataset import load_emnist
from support.console import CONTEXT_SETTINGS, import_keras
from support.ends import random_pairs
from support.geodesic import build_index

REAL_PASS = 0.95  # the share of blurred test images that pass
BLURS = (0.0, 0.35, 0.5, 0.65, 0.8, 1.0)  # widths of the blur, in pixels


def blur(x, rng):
    """(N, 28, 28) -> (N, 28, 28), each image blurred by one of BLURS, drawn at random."""
    width = rng.choice(BLURS, len(x))
    blurred = x.copy()
    for sigma in BLURS:
        blurred[width == sigma] = gaussian_filter(x[width == sigma], (0, sigma, sigma))
    return blurred


def draw_fakes(x, y, count, rng):
    """(count, 28, 28) images that are no characters, each of two images of different classes."""
    a, b = x[random_pairs(y, count, rng).T]
    share = rng.uniform(0.3, 0.7, (count, 1, 1)).astype("float32")
    angle = rng.uniform(0, 2 * np.pi, (count, 1, 1))
    row, column = np.mgrid[:28, :28] - 13.5
    away = np.cos(angle) * row + np.sin(angle) * column - rng.uniform(-3, 3, (count, 1, 1))
    side = np.clip(away + 0.5, 0, 1).astype("float32")  # 0 on one side of a line, 1 on the other
    kinds = [(1 - share) * a + share * b, np.maximum(a, b), (1 - side) * a + side * b]
    return np.choose(rng.integers(3, size=(count, 1, 1)), kinds)


def train_judge(x, y, held_out, epochs, seed):
    """A model (N, 28, 28, 1) -> (N, classes + 1), logits; the last is "no character"."""
    keras = import_keras()
    layers = keras.layers
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    no_character = int(y.max()) + 1
    inputs = h = keras.Input((28, 28, 1))
    for filters, strides in ((32, 1), (48, 2), (48, 1), (96, 2)):
        h = layers.Conv2D(filters, 3, strides, padding="same", use_bias=False)(h)
        h = layers.ReLU()(layers.BatchNormalization()(h))
    h = layers.Dense(256, use_bias=False)(layers.Dropout(0.3)(layers.Flatten()(h)))
    h = layers.ReLU()(layers.BatchNormalization()(h))
    judge = keras.Model(inputs, layers.Dense(no_character + 1)(layers.Dropout(0.3)(h)))
    steps = epochs * -(-2 * len(x) // 128)
    judge.compile(
        keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(3e-3, steps)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    for epoch in range(epochs):  # new false images in each
        images = blur(np.concatenate([x, draw_fakes(x, y, len(x), rng)]), rng)
        labels = np.concatenate([y, np.full(len(x), no_character)])
        history = judge.fit(images[..., None], labels, batch_size=128, verbose=0).history
        click.echo(f"judge, epoch {epoch + 1}/{epochs}: loss {history['loss'][-1]:.4f}", err=True)

    # The threshold goes into the last bias, so that whatever scores above 0 is a character.
    kernel, bias = judge.layers[-1].get_weights()
    bias[-1] += np.quantile(score(judge, blur(held_out, rng)), 1 - REAL_PASS)
    judge.layers[-1].set_weights([kernel, bias])
    return judge


def score(judge, images):
    """(..., 28, 28) -> (...): the log odds of a character; above 0 passes as one."""
    flat = images.reshape(-1, 28, 28, 1)
    logits = judge.predict(flat, batch_size=512, verbose=0).astype("float64")
    return (logsumexp(logits[:, :-1], axis=1) - logits[:, -1]).reshape(images.shape[:-2])


def slerp(a, b, t):
    """On the arc from a to b about the origin, at an even angle; a, b: (N, 1, D), t: (T, 1)."""
    dot = (a * b).sum(-1, keepdims=True) / np.linalg.norm(a, axis=-1, keepdims=True)
    angle = np.arccos(np.clip(dot / np.linalg.norm(b, axis=-1, keepdims=True), -1, 1))
    return (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)


def geodesic_paths(model, x_train, a, b, steps):
    """The codes (rows, steps, 32) of the geodesics; prints how long it took to find them."""
    started = time.perf_counter()
    codes = encode(model, x_train)
    encoded = time.perf_counter()
    index = build_index(codes)
    built = time.perf_counter()
    paths = geodesic_path(index, a, b, steps, model)
    row = (time.perf_counter() - built) / len(a)
    click.echo(f"{len(codes):,} codes: encoded in {encoded - started:.1f} s, ", nl=False)
    click.echo(f"indexed in {built - encoded:.1f} s; a geodesic in {row:.3f} s\n")
    return paths


def print_table(morphs, judge):
    """A row for each of {name: frames (N, T, 28, 28)}."""
    click.echo("| path | frames | rows | length | smoothness |\n|---|---|---|---|---|")
    for name, frames in morphs.items():
        passed = score(judge, frames[:, 1:-1]) > 0
        hops = np.linalg.norm(np.diff(frames, axis=1), axis=(2, 3))
        length = hops.sum(1) / np.linalg.norm(frames[:, -1] - frames[:, 0], axis=(1, 2))
        smoothness = hops.max(1) / hops.sum(1) - 1 / hops.shape[1]
        shares = f"{passed.mean():.1%} | {passed.all(axis=1).mean():.1%}"
        click.echo(f"| {name} | {shares} | {np.median(length):.2f} | {smoothness.mean():.3f} |")
    click.echo()


@click.command(context_settings=CONTEXT_SETTINGS)
@click.option("--run-dir", default="runs/default", help="The run whose model is measured.")
@click.option("--data-root", envvar="DATA_ROOT", default="data", help="The folder of the data.")
@click.option("--pairs", type=click.IntRange(1), default=300, help="Random pairs of test images.")
@click.option("--steps", type=click.IntRange(3), default=10, help="Frames in a row, both ends too.")
@click.option("--seed", default=0, help="Seed of the pairs and of the judge.")
@click.option("--judge", "judge_path", type=click.Path(dir_okay=False), help="Keep the judge here.")
@click.option("--judge-epochs", type=click.IntRange(1), default=4, help="Epochs of its training.")
def main(run_dir, data_root, pairs, steps, seed, judge_path, judge_epochs):
    """Print how many frames of each path pass as characters, how long it is, and how smooth.

    frames, rows: the share of inner frames that pass, and of rows in which all do; length: the
    path's length in pixel space / the distance between its ends (median); smoothness: the largest
    step's share of the path, minus an even step's share (mean).
    """
    (x_train, y_train), (x_test, y_test) = load_emnist("balanced", data_root)
    model = load_autoencoder(Path(run_dir) / "model.keras")
    if judge_path and Path(judge_path).exists():
        judge = import_keras().saving.load_model(judge_path)
    else:
        judge = train_judge(x_train, y_train, x_test, judge_epochs, seed)
        if judge_path:
            judge.save(judge_path)
    rng = np.random.default_rng(seed)
    codes = encode(model, x_test)
    a, b = codes[random_pairs(y_test, pairs, rng).T]
    t = np.linspace(0, 1, steps, dtype="float32")[:, None]
    ends = decode(model, np.stack([a, b], axis=1))[..., None, :, :]
    morphs = {
        "cross-fade": (1 - t[..., None]) * ends[:, 0] + t[..., None] * ends[:, 1],
        "linear": decode(model, linear_path(a, b, steps)),
        "slerp": decode(model, slerp(a[:, None], b[:, None], t)),
        "geodesic": decode(model, geodesic_paths(model, x_train, a, b, steps)),
    }
    print_table(morphs, judge)
    for name, images in (
        ("test images, blurred", blur(x_test, rng)),
        ("test images, reconstructed", decode(model, codes)),
        ("false images, blurred", blur(draw_fakes(x_test, y_test, len(x_test), rng), rng)),
    ):
        click.echo(f"the judge passes {(score(judge, images) > 0).mean():.1%} of {name}")


if __name__ == "__main__":
    main()
