"""How much of a morph is handwriting: cross-fade, straight line and geodesic, judged alike.

    python -m benchmarks.morph  # the run in runs/default, 300 random pairs

A judge is a small network that knows the characters and one more class, of false images:

- character: averages, unions and splices of two real images. Real and false images are blurred
  alike, so that it does not go by sharpness, and blurred decoder output is nothing new to it.
- ghost: decodes of points between two codes of different classes. Here the real images are
  reconstructions; both are by another autoencoder, never the one under test.

A judge passes 95% of the reconstructions of test images. It sees no morph before it judges one.
"""

from pathlib import Path

import click
import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import logsumexp

from autoencoder import (
    DEFAULTS,
    TrainedRun,
    batches,
    build_autoencoder,
    compile_for_training,
    linear_path,
    predict,
    run_dir_option,
    steps_in_epoch,
    train_epoch,
)
from dataset import IMAGE_SIZE, data_root_option
from support.console import CONTEXT_SETTINGS, notice
from support.files import replacing
from support.lazy_keras import keras
from support.morph.endpoints import draw_pairs
from support.morph.geodesic import geodesic_path, open_graph, pen_width

BLUR_WIDTHS = (0.0, 0.35, 0.5, 0.65, 0.8, 1.0)  # pixels
BETWEEN = (0.3, 0.7)  # the share of the second image in what is made of two
CHARACTER_EPOCHS = 4
GHOST_EPOCHS = 2
OTHER_EPOCHS = 3  # of the autoencoder that draws ghosts
JUDGE_BATCH = 128
PASS_SHARE = 0.95  # of the reconstructions of test images
HEADS = ("", "character: frames", "rows", "ghost: frames", "rows")
HEADS += ("same letter", "bias", "length", "smoothness", "pen")

# ---- what a judge learns from


def character_images(x, y, seed):
    """Endless pairs of real and false images (N, H, W) for the character judge."""
    rng = np.random.default_rng(seed)
    while True:
        yield blur(x, rng), blur(draw_false_characters(x, y, rng), rng)


def blur(x, rng):
    """(N, H, W) -> (N, H, W), each image blurred by up to a pixel, at random."""
    widths = rng.choice(BLUR_WIDTHS, len(x))
    blurred = np.empty_like(x)
    for i, width in enumerate(widths):
        blurred[i] = gaussian_filter(x[i], width)
    return blurred


def draw_false_characters(x, y, rng):
    """(N, H, W): as many images as x that are no characters, each of two of different classes."""
    count = len(x)
    pairs = draw_pairs(y, count, rng)
    a, b = x[pairs[:, 0]], x[pairs[:, 1]]
    share = rng.uniform(*BETWEEN, (count, 1, 1)).astype(np.float32)
    average = (1 - share) * a + share * b
    union = np.maximum(a, b)
    side = draw_half_planes(count, rng)
    splice = (1 - side) * a + side * b
    kind = rng.integers(3, size=(count, 1, 1))
    return np.choose(kind, [average, union, splice])


def draw_half_planes(count, rng):
    """(count, H, W) masks: 0 on one side of a random line near the middle, 1 on the other."""
    angle = rng.uniform(0, 2 * np.pi, (count, 1, 1))
    offset = rng.uniform(-3, 3, (count, 1, 1))
    row, column = np.mgrid[:IMAGE_SIZE, :IMAGE_SIZE] - (IMAGE_SIZE - 1) / 2
    distance = np.cos(angle) * row + np.sin(angle) * column - offset
    return np.clip(distance + 0.5, 0, 1).astype(np.float32)


def ghost_images(x, y, seed):
    """Endless pairs of real and false images (N, H, W) for the ghost judge."""
    rng = np.random.default_rng(seed)
    other = train_other_autoencoder(x, seed + 1000)
    codes = predict(other.get_layer("encoder"), x[..., None])
    decoder = other.get_layer("decoder")
    real = predict(decoder, codes)[..., 0]
    while True:
        pairs = draw_pairs(y, len(x), rng)
        a, b = codes[pairs[:, 0]], codes[pairs[:, 1]]
        share = rng.uniform(*BETWEEN, (len(x), 1)).astype(np.float32)
        yield real, predict(decoder, (1 - share) * a + share * b)[..., 0]


def train_other_autoencoder(x, seed):
    """An autoencoder, trained for a few epochs as `train` does."""
    steps = steps_in_epoch(len(x), DEFAULTS["batch_size"])
    keras.utils.set_random_seed(seed)
    autoencoder = build_autoencoder()
    compile_for_training(autoencoder, DEFAULTS["learning_rate"], OTHER_EPOCHS * steps)
    for epoch in range(OTHER_EPOCHS):
        train_epoch(autoencoder, batches(x, DEFAULTS["batch_size"], seed, epoch), steps)
    return autoencoder


# ---- the judges


def open_judge(path, images, y, epochs, seed):
    """The judge that is kept at `path`, or a new one.

    images: yields pairs of real and false images (N, H, W), a pair for each epoch. y: (N,), labels
    of the real images.

    Returns:
        A Keras model (N, H, W, 1) -> (N, classes + 1), logits; the last one is of false images.
    """
    if path.exists():
        return keras.saving.load_model(path)
    keras.utils.set_random_seed(seed)
    false_label = int(y.max()) + 1
    labels = np.concatenate([y, np.full(len(y), false_label)])
    judge = build_judge(false_label + 1)
    steps = epochs * -(-len(labels) // JUDGE_BATCH)
    judge.compile(
        keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(3e-3, steps)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    for epoch in range(1, epochs + 1):
        real, false = next(images)
        x = np.concatenate([real, false])[..., None]
        history = judge.fit(x, labels, batch_size=JUDGE_BATCH, verbose=0).history
        notice(f"{path.stem} judge, epoch {epoch}/{epochs}: loss {history['loss'][0]:.4f}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        judge.save(partial)
    return judge


def open_judges(folder, x, y, seed):
    """Both judges, {kind: judge}, kept in a folder; trained on images x and labels y if missing."""
    characters = character_images(x, y, seed)
    ghosts = ghost_images(x, y, seed)
    return {
        "character": open_judge(folder / "character.keras", characters, y, CHARACTER_EPOCHS, seed),
        "ghost": open_judge(folder / "ghost.keras", ghosts, y, GHOST_EPOCHS, seed),
    }


def build_judge(classes):
    """A small convolutional classifier that ends in logits."""
    image = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 1))
    h = convolution_norm_relu(image, filters=32, strides=1)
    h = convolution_norm_relu(h, filters=48, strides=2)
    h = convolution_norm_relu(h, filters=48, strides=1)
    h = convolution_norm_relu(h, filters=96, strides=2)
    h = keras.layers.Flatten()(h)
    h = keras.layers.Dropout(0.3)(h)
    h = keras.layers.Dense(256, use_bias=False)(h)
    h = keras.layers.BatchNormalization()(h)
    h = keras.layers.ReLU(name="features")(h)
    h = keras.layers.Dropout(0.3)(h)
    return keras.Model(image, keras.layers.Dense(classes)(h))


def convolution_norm_relu(h, filters, strides):
    h = keras.layers.Conv2D(filters, 3, strides, padding="same", use_bias=False)(h)
    h = keras.layers.BatchNormalization()(h)
    return keras.layers.ReLU()(h)


def outputs(judge, images):
    """(..., H, W) -> (N, outputs), the images in a row."""
    x = images.reshape(-1, IMAGE_SIZE, IMAGE_SIZE, 1)
    return predict(judge, x).astype(np.float64)


def log_odds(judge, images):
    """(..., H, W) -> (...): the log odds that an image is real."""
    logits = outputs(judge, images)
    odds = logsumexp(logits[:, :-1], axis=1) - logits[:, -1]
    return odds.reshape(images.shape[:-2])


def frechet_distance(a, b):
    """Between two sets of features (N, F), (M, F), as normal distributions.

    Heusel et al. 2017, arXiv:1706.08500.
    """
    covariance_a = np.cov(a.T)
    covariance_b = np.cov(b.T)
    eigenvalues = np.linalg.eigvals(covariance_a @ covariance_b).real.clip(0)
    between_means = ((a.mean(axis=0) - b.mean(axis=0)) ** 2).sum()
    traces = np.trace(covariance_a) + np.trace(covariance_b)
    return between_means + traces - 2 * np.sqrt(eigenvalues).sum()


# ---- the morphs


def draw_same_pairs(y, count, rng):
    """Random indices (count, 2) of images that have the same label in y."""
    first = rng.integers(len(y), size=count)
    second = [rng.choice(np.flatnonzero(y == label)) for label in y[first]]
    return np.stack([first, second], axis=1)


def draw_morphs(trained, graph, pairs, steps):
    """{name of a path: frames (N, T, H, W)} between test images; pairs (N, 2): their indices."""
    start, end = trained.test_codes[pairs.T]
    start_labels, end_labels = trained.data.y_test[pairs.T]
    geodesic = geodesic_path(
        graph, start, end, start_labels, end_labels, steps, trained.encode, trained.decode
    )
    return {
        "cross-fade": np.linspace(trained.decode(start), trained.decode(end), steps, axis=1),
        "straight line": trained.decode(linear_path(start, end, steps)),
        "geodesic": trained.decode(geodesic),
    }


# ---- what is measured


def same_letter(judge, frames, labels):
    """The share of rows (N, T, H, W) whose frames are all of the class (N,) of their ends.

    Only rows count whose ends the judge reads as that class.
    """
    classes = outputs(judge, frames)[:, :-1].argmax(axis=1).reshape(frames.shape[:2])
    is_right = classes == labels[:, None]
    counts = is_right[:, 0] & is_right[:, -1]
    return is_right[counts].all(axis=1).sum() / max(counts.sum(), 1)


def step_lengths(frames):
    """(N, T, H, W) -> (N, T - 1), in pixel space."""
    return np.linalg.norm(np.diff(frames, axis=1), axis=(2, 3))


def length(frames):
    """The length of a row / the distance between its ends (median)."""
    between_ends = np.linalg.norm(frames[:, -1] - frames[:, 0], axis=(1, 2))
    return np.median(step_lengths(frames).sum(axis=1) / between_ends)


def smoothness(frames):
    """The largest step's share of a row, minus an even step's (mean)."""
    steps = step_lengths(frames)
    largest = steps.max(axis=1) / steps.sum(axis=1)
    return (largest - 1 / steps.shape[1]).clip(0).mean()  # no -0.000


def pen_travel(frames):
    """How much further the width of strokes travels than from end to end (mean, log units)."""
    widths = pen_width(frames)
    travel = np.abs(np.diff(widths, axis=1)).sum(axis=1)
    return (travel - np.abs(widths[:, -1] - widths[:, 0])).mean()


# ---- the table


def print_table(judges, real, rows):
    """real: reconstructions of test images. rows: {name: (frames, same letter or "")}."""
    passes = {}  # the log odds from which a frame passes
    for kind, judge in judges.items():
        passes[kind] = np.quantile(log_odds(judge, real), 1 - PASS_SHARE)
    reader = judges["character"]
    features = keras.Model(reader.inputs, reader.get_layer("features").output)
    real_features = outputs(features, real)

    click.echo(f"\n| {' | '.join(HEADS)} |\n|{'---|' * len(HEADS)}")
    for name, (frames, same) in rows.items():
        inner = frames[:, 1:-1]
        cells = [name]
        for kind, judge in judges.items():
            passed = log_odds(judge, inner) >= passes[kind]
            cells += [f"{passed.mean():.1%}", f"{passed.all(axis=1).mean():.1%}"]
        bias = frechet_distance(outputs(features, inner), real_features)
        cells += [same, f"{bias:.1f}", f"{length(frames):.2f}"]
        cells += [f"{smoothness(frames):.3f}", f"{pen_travel(frames):.3f}"]
        click.echo(f"| {' | '.join(cells)} |")


@click.command(context_settings=CONTEXT_SETTINGS)
@run_dir_option
@data_root_option
@click.option("--pairs", type=click.IntRange(1), default=300, help="Random pairs of test images.")
@click.option("--steps", type=click.IntRange(3), default=10, help="Frames in a row, both ends too.")
@click.option("--seed", default=0, help="Seed of the pairs, and of new judges.")
@click.option("--judges", "folder", default="runs/judges", help="The judges are kept here.")
def main(run_dir, data_root, pairs, steps, seed, folder):
    """Print how much of each path is handwriting.

    frames, rows: the share of inner frames that pass, and of rows in which all do; same letter:
    the share of morphs between two images of one class that stay in it; bias: Frechet distance of
    the inner frames from reconstructions; length: in pixel space / the distance between the ends
    (median); smoothness: the largest step's share of the path, minus an even step's (mean); pen:
    how much further the width of strokes travels than from end to end (mean, log units).
    """
    trained = TrainedRun(run_dir, data_root)
    data = trained.data
    judges = open_judges(Path(folder), data.x_train, data.y_train, seed)
    rng = np.random.default_rng(seed)
    real = trained.decode(trained.test_codes)
    random = rng.integers(len(real), size=(pairs, steps))
    graph = open_graph(trained)
    morphs = draw_morphs(trained, graph, draw_pairs(data.y_test, pairs, rng), steps)
    same_pairs = draw_same_pairs(data.y_test, pairs, rng)
    labels = data.y_test[same_pairs[:, 0]]
    rows = {"reconstructions, at random": (real[random], "")}
    for name, frames in draw_morphs(trained, graph, same_pairs, steps).items():
        same = same_letter(judges["character"], frames, labels)
        rows[name] = (morphs[name], f"{same:.1%}")
    print_table(judges, real, rows)


if __name__ == "__main__":
    main()
