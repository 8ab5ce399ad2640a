"""How much of a morph is handwriting: cross-fade, linear, slerp and geodesic, judged alike.

    python benchmarks/morph.py  # the run in runs/default, 300 random pairs

A judge is a small network that knows the characters and one more class, of false images:

- character: averages, unions and splices of two real images. Real and false images are blurred
  alike, so that it does not go by sharpness, and blurred decoder output is nothing new to it.
- ghost: decodes of points between two codes of different classes. Here the real images are
  reconstructions; both are by another autoencoder, never the one under test.

A judge passes 95% of the reconstructions of test images. It sees no morph before it judges one.
"""

import sys
import time
from pathlib import Path
from unittest import mock

import click
import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import logsumexp

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import autoencoder
from autoencoder import BATCH_SIZE, batches, decode, encode, geodesic_path, linear_path
from dataset import load_emnist
from support import geodesic
from support.console import CONTEXT_SETTINGS, import_keras
from support.ends import random_pairs
from support.files import replacing

EARLIER = {"KEPT": 1, "AVERAGED": 17, "NEIGHBOURS": 16, "END_NEIGHBOURS": 16, "SMOOTHING": 0.05}
EARLIER |= {"_pictures": lambda codes, decode: codes}  # hops of the geodesic were between codes


def blur(x, rng):
    """(N, 28, 28) -> (N, 28, 28), each image blurred by up to a pixel, at random."""
    widths = rng.choice((0.0, 0.35, 0.5, 0.65, 0.8, 1.0), len(x))
    return np.stack([gaussian_filter(*some) for some in zip(x, widths, strict=True)])


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


def character_images(x, y, seed):
    """Endless pairs of real and false images for the character judge, (N, 28, 28) each."""
    rng = np.random.default_rng(seed)
    while True:
        yield blur(x, rng), blur(draw_fakes(x, y, len(x), rng), rng)


def ghost_images(x, y, seed):
    """The same for the ghost judge, by another autoencoder, trained here as `train` does."""
    rng = np.random.default_rng(seed)
    config = {"seed": 1000 + seed, "epochs": 3, "learning_rate": autoencoder.LEARNING_RATE}
    other = autoencoder.new_model(config, steps := len(x) // BATCH_SIZE)
    feed = batches(x, BATCH_SIZE, config["seed"], 0)
    other.fit(feed, steps_per_epoch=steps, epochs=3, shuffle=False, verbose=0)
    codes = encode(other, x)
    real = decode(other, codes)
    while True:
        a, b = codes[random_pairs(y, len(x), rng).T]
        t = rng.uniform(0.3, 0.7, (len(x), 1)).astype("float32")
        yield real, decode(other, (1 - t) * a + t * b)


JUDGES = {"character": (character_images, 4), "ghost": (ghost_images, 2)}  # and epochs


def open_judge(name, folder, x, y, seed):
    """The kept or a new judge: (N, 28, 28, 1) -> (N, classes + 1), logits, the last of false."""
    keras, path = import_keras(), Path(folder) / f"{name}.keras"
    if path.exists():
        return keras.saving.load_model(path)
    layers, (images, epochs) = keras.layers, JUDGES[name]
    keras.utils.set_random_seed(seed)
    false = int(y.max()) + 1
    inputs = h = keras.Input((28, 28, 1))
    for filters, strides in ((32, 1), (48, 2), (48, 1), (96, 2)):
        h = layers.Conv2D(filters, 3, strides, padding="same", use_bias=False)(h)
        h = layers.ReLU()(layers.BatchNormalization()(h))
    h = layers.Dense(256, use_bias=False)(layers.Dropout(0.3)(layers.Flatten()(h)))
    h = layers.ReLU(name="features")(layers.BatchNormalization()(h))
    judge = keras.Model(inputs, layers.Dense(false + 1)(layers.Dropout(0.3)(h)))
    steps = epochs * -(-2 * len(x) // 128)
    judge.compile(
        keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(3e-3, steps)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    labels = np.concatenate([y, np.full(len(x), false)])
    for epoch, pair in zip(range(1, epochs + 1), images(x, y, seed), strict=False):
        x_both = np.concatenate(pair)[..., None]  # new false images in each epoch
        loss = judge.fit(x_both, labels, batch_size=128, verbose=0).history["loss"][-1]
        click.echo(f"{name} judge, epoch {epoch}/{epochs}: loss {loss:.4f}", err=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as unfinished:
        judge.save(unfinished)
    return judge


def score(judge, images):
    """(..., 28, 28) -> (...): the log odds of a real image."""
    logits = judge.predict(images.reshape(-1, 28, 28, 1), 512, verbose=0).astype("float64")
    return (logsumexp(logits[:, :-1], axis=1) - logits[:, -1]).reshape(images.shape[:-2])


def frechet_distance(judge, images, others):
    """Between the judge's features of two sets of images, as normal distributions (FID)."""
    features = import_keras().Model(judge.inputs, judge.get_layer("features").output)
    both = [features.predict(x.reshape(-1, 28, 28, 1), 512, verbose=0) for x in (images, others)]
    (m, n), (s, t) = [f.mean(0) for f in both], [np.cov(f.T) for f in both]
    root = np.sqrt(np.linalg.eigvals(s @ t).real.clip(0)).sum()
    return ((m - n) ** 2).sum() + np.trace(s) + np.trace(t) - 2 * root


def slerp(a, b, t):
    """On the arc from a to b about the origin, at an even angle; a, b: (N, 1, D), t: (T, 1)."""
    lengths = np.linalg.norm([a, b], axis=-1, keepdims=True)
    angle = np.arccos(np.clip((a * b).sum(-1, keepdims=True) / lengths.prod(0), -1, 1))
    return (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)


def geodesics(model, codes, a, b, steps, settings, cost=geodesic.Index.cost):
    """(rows, steps, 28, 28), with other settings of the geodesic; prints how long it took."""
    with mock.patch.dict(vars(geodesic), settings), mock.patch.object(geodesic.Index, "cost", cost):
        started = time.perf_counter()
        index = geodesic.build_index(codes, lambda some: decode(model, some))
        built = time.perf_counter()
        paths = geodesic_path(index, a, b, steps, model)
        row = (time.perf_counter() - built) / len(a)
    click.echo(f"{len(codes):,} codes: index in {built - started:.1f} s, a row in {row:.3f} s")
    return decode(model, paths)


def print_table(morphs, judges, real):
    """A row for each of {name: frames (N, T, 28, 28)}; real: reconstructions of test images."""
    heads = " | ".join(f"{name}: frames | rows" for name in judges)
    click.echo(f"\n| | {heads} | bias | length | smoothness |\n|{'---|' * (2 * len(judges) + 4)}")
    thresholds = {name: np.quantile(score(judge, real), 0.05) for name, judge in judges.items()}
    for name, frames in morphs.items():
        inner, cells = frames[:, 1:-1], [name]
        for kind, judge in judges.items():
            passed = score(judge, inner) >= thresholds[kind]
            cells += [f"{passed.mean():.1%}", f"{passed.all(axis=1).mean():.1%}"]
        hops = np.linalg.norm(np.diff(frames, axis=1), axis=(2, 3))
        length = hops.sum(1) / np.linalg.norm(frames[:, -1] - frames[:, 0], axis=(1, 2))
        smoothness = (hops.max(1) / hops.sum(1) - 1 / hops.shape[1]).clip(0)  # no -0.000
        bias = frechet_distance(judges["character"], inner, real)
        cells += [f"{bias:.1f}", f"{np.median(length):.2f}", f"{smoothness.mean():.3f}"]
        click.echo(f"| {' | '.join(cells)} |")


@click.command(context_settings=CONTEXT_SETTINGS)
@click.option("--run-dir", default="runs/default", help="The run whose model is measured.")
@click.option("--data-root", envvar="DATA_ROOT", default="data", help="The folder of the data.")
@click.option("--pairs", type=click.IntRange(1), default=300, help="Random pairs of test images.")
@click.option("--steps", type=click.IntRange(3), default=10, help="Frames in a row, both ends too.")
@click.option("--seed", default=0, help="Seed of the pairs, and of new judges.")
@click.option("--judges", "folder", default="runs/judges", help="The judges are kept here.")
def main(run_dir, data_root, pairs, steps, seed, folder):
    """Print how many frames of each path pass as real, their bias, length and smoothness.

    frames, rows: the share of inner frames that pass, and of rows in which all do; bias: their
    Frechet distance from reconstructions; length: in pixel space / the distance between the ends
    (median); smoothness: the largest step's share of the path, minus an even step's (mean).
    """
    (x_train, y_train), (x_test, y_test) = load_emnist("balanced", data_root)
    model = autoencoder.load_autoencoder(Path(run_dir) / "model.keras")
    rng = np.random.default_rng(seed)
    codes, known = encode(model, x_test), encode(model, x_train)
    real = decode(model, codes)
    pair = random_pairs(y_test, pairs, rng).T
    a, b = codes[pair]
    t = np.linspace(0, 1, steps, dtype="float32")[:, None]
    given = model, known, a, b, steps
    morphs = {
        "reconstructions, at random": real[rng.integers(len(real), size=(pairs, steps))],
        "cross-fade": np.linspace(*real[pair], steps, axis=1),
        "linear": decode(model, linear_path(a, b, steps)),
        "slerp": decode(model, slerp(a[:, None], b[:, None], t)),
        "geodesic, earlier settings": geodesics(*given, EARLIER, lambda _, length: length**2.5),
        "geodesic": geodesics(*given, {}),
    }
    print_table(morphs, {n: open_judge(n, folder, x_train, y_train, seed) for n in JUDGES}, real)


if __name__ == "__main__":
    main()
