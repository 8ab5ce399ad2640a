"""A convolutional autoencoder of handwritten characters: 28 x 28 pixels -> 32 numbers -> 28 x 28.

    python autoencoder.py train    # on EMNIST, or else on the built-in demo set
    python autoencoder.py test     # figures and pictures of the reconstructions, compared with PCA
    python autoencoder.py morph    # one character becomes another, along a path between their codes
    python autoencoder.py explore  # a page to play with the network in a browser

Each pixel is read as the probability of being ink, so the loss is binary cross-entropy. It cannot
fall below the entropy of the grey pixels themselves. What lies above that floor is the excess:
0.0102 nats a pixel on test images of real EMNIST, where PCA with 32 components has 0.0635.
"""

import signal

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C during the imports ends without traceback

import contextlib
import functools
import math
import os
import sys
from pathlib import Path

import click
import numpy as np

import dataset
from dataset import IMAGE_SIZE
from support import explorer, figures, pictures, runs
from support.console import CONTEXT_SETTINGS, Commands, InputError, import_keras, notice
from support.ends import check_choice, choose_ends
from support.files import locked, take_note
from support.own import read_character

CODE_SIZE = 32  # numbers in a code
BATCH_NORM_MOMENTUM = 0.9  # short runs on few images need running means that follow quickly
EPOCHS = 13
BATCH_SIZE = 128
LEARNING_RATE = 0.005  # at the start; it falls along a cosine to 0 on the last step
WEIGHT_DECAY = 0.05  # against overfitting; runs of more than EPOCHS epochs take more
PREDICT_BATCH = 500  # images at a time when nothing is learned
SMALLEST = 1e-7  # probabilities keep this distance from 0 and 1: finite logarithms

# ---- the network


def build_encoder():
    """The encoder, [0, 1]^(28, 28, 1) -> R^32."""
    keras = import_keras()
    layers = keras.layers

    image = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 1), name="image")
    h = image
    for filters, size, strides in ((32, 4, 2), (32, 3, 1), (64, 4, 2)):  # 14, 14, 7 pixels a side
        h = layers.Conv2D(filters, size, strides, padding="same", activation="relu")(h)
        h = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(h)
    code = layers.Dense(CODE_SIZE, name="code")(layers.Flatten()(h))
    return keras.Model(image, code, name="encoder")


def build_decoder():
    """The decoder, R^32 -> [0, 1]^(28, 28, 1): it draws at half the size, then doubles it."""
    keras = import_keras()
    layers = keras.layers

    size = IMAGE_SIZE // 2
    code = keras.Input((CODE_SIZE,), name="code")
    h = layers.Dense(size * size * 64, activation="silu")(code)
    h = layers.Reshape((size, size, 64))(h)  # 14 x 14
    h = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(h)
    for filters in (32, 64):
        h = layers.Conv2D(filters, 3, padding="same", activation="silu")(h)  # 14 x 14
    up = layers.Conv2DTranspose(1, 4, 2, padding="same", activation="sigmoid", name="ink")
    ink = up(h)  # 28 x 28
    return keras.Model(code, ink, name="decoder")


def build_autoencoder():
    """Encoder and decoder in a row, each a model of its own: [0, 1]^(28, 28, 1) -> the same."""
    keras = import_keras()
    image = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 1), name="image")
    return keras.Model(image, build_decoder()(build_encoder()(image)), name="autoencoder")


# ---- the loss and the optimizer


def weight_decay(epochs):
    """Weight decay (Loshchilov, Hutter 2019); beyond EPOCHS it grows with sqrt(epochs)."""
    return WEIGHT_DECAY * max(1, math.sqrt(epochs / EPOCHS))


def new_model(config, steps):
    """A fresh autoencoder, compiled: the learning rate falls from its peak to 0 on the last step.

    steps: batches in an epoch. Keras computes the loss from the last sigmoid's logits, so it stays
    exact where the network is certain and wrong.
    """
    keras = import_keras()
    keras.utils.set_random_seed(config["seed"])
    autoencoder = build_autoencoder()
    rate = keras.optimizers.schedules.CosineDecay(
        config["learning_rate"], decay_steps=config["epochs"] * steps
    )
    nadam = keras.optimizers.Nadam(rate, weight_decay=weight_decay(config["epochs"]))
    autoencoder.compile(nadam, "binary_crossentropy")
    return autoencoder


# ---- training


def batches(x, batch_size, seed, epoch):
    """Endless batches (x, x); the order of the images depends only on the seed and the epoch.

    All batches are full: the images left over in one epoch come up in another.
    """
    while True:
        order = np.random.default_rng((seed, epoch)).permutation(len(x))
        for start in range(0, len(x) - batch_size + 1, batch_size):
            batch = x[order[start : start + batch_size], ..., None]
            yield batch, batch
        epoch += 1


def fit(run, config, autoencoder, x_train, x_val):
    """Trains from the last finished epoch on, and saves each epoch in the run's folder.

    After a kill, call it again with the model of last.keras. That file is written last, and its
    optimizer's step tells how many epochs are finished. If history.csv has one row more, that
    epoch is repeated.

    Returns:
        The rows of history.csv.
    """
    batch_size, steps = batch_size_and_steps(config, x_train)
    finished = int(autoencoder.optimizer.iterations) // steps
    history = runs.read_history(run, finished)
    progress_bar = sys.stderr.isatty()
    try:
        with contextlib.redirect_stdout(sys.stderr):  # where Keras's progress bar belongs
            autoencoder.fit(
                batches(x_train, batch_size, config["seed"], finished),
                steps_per_epoch=steps,
                initial_epoch=finished,
                epochs=config["epochs"],
                validation_data=(x_val[..., None], x_val[..., None]),
                validation_batch_size=PREDICT_BATCH,
                callbacks=[runs.epoch_keeper(run, config, autoencoder, history, progress_bar)],
                shuffle=False,  # batches does it
                verbose=int(progress_bar),
            )
    except KeyboardInterrupt:
        if history:
            go_on = runs.command("train", run, "--resume")
            notice(f"{len(history)} finished epochs are kept in {run}; go on with: {go_on}")
        raise
    return history


def batch_size_and_steps(config, x_train):
    batch_size = min(config["batch_size"], len(x_train))
    return batch_size, len(x_train) // batch_size


# ---- encode and decode


def encode(autoencoder, x):
    """(N, 28, 28) in [0, 1] -> (N, 32)."""
    encoder = autoencoder.get_layer("encoder")
    parts = [x[i : i + 50_000] for i in range(0, len(x), 50_000)]  # predict copies its input
    return np.concatenate([encoder.predict(p, PREDICT_BATCH, verbose=0) for p in parts])


def decode(autoencoder, codes):
    """(..., 32) -> (..., 28, 28), clipped to [1e-7, 1 - 1e-7]; in one predict call."""
    decoder = autoencoder.get_layer("decoder")
    p = decoder.predict(codes.reshape(-1, CODE_SIZE), batch_size=PREDICT_BATCH, verbose=0)
    return p.reshape(*codes.shape[:-1], IMAGE_SIZE, IMAGE_SIZE).clip(SMALLEST, 1 - SMALLEST)


def reconstruct(autoencoder, x):
    """(N, 28, 28) in [0, 1] -> the same, through the code."""
    return decode(autoencoder, encode(autoencoder, x))


# ---- paths between codes


def linear_path(a, b, steps):
    """Codes at even steps on the straight line: (rows, 32), (rows, 32) -> (rows, steps, 32)."""
    t = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
    return (1 - t) * a[:, None] + t * b[:, None]


def geodesic_path(index, a, b, steps, autoencoder):
    """Codes on the geodesics: (rows, 32), (rows, 32) -> (rows, steps, 32)."""
    from support.geodesic import geodesic

    path, unjoined = geodesic(index, a, b, steps, functools.partial(decode, autoencoder))
    if unjoined.any():
        notice(f"{unjoined.sum()} rows cross a gap between groups of codes, where it is narrowest")
    return path


# ---- a run's data and model


def load_data(config):
    """The training, validation and test images of a run, the test labels, each label's character.

    Validation is the last part of the training set: as long as the test set, else a sixth.
    """
    folder = dataset.data_folder(config["data"], config["data_root"])
    (x, _), (x_test, y_test) = dataset.load_emnist(config["split"], folder)
    n = len(x_test) if 2 * len(x_test) <= len(x) else max(1, len(x) // 6)
    if n == len(x):
        raise InputError(f"only one training image in {folder}; at least 2 are needed")
    return x[:-n], x[-n:], x_test, y_test, dataset.class_names(config["split"], folder)


def load_autoencoder(path, to_train=False):
    """A run's autoencoder; InputError if the file is not one or its training cannot go on."""
    autoencoder = runs.load_model(path, (IMAGE_SIZE, IMAGE_SIZE, 1), CODE_SIZE)
    optimizer = getattr(autoencoder, "optimizer", None)  # of a model that is not compiled: none
    if to_train and not isinstance(optimizer, import_keras().optimizers.Nadam):
        raise InputError(f"{path}: from another version of this program; {runs.BEGIN_ANEW}")
    return autoencoder


def open_run(run, data_root):
    """A run's trained autoencoder, its data, and a note of the files of both."""
    config = runs.read_config(run) | ({"data_root": data_root} if data_root else {})
    path = run / "model.keras"
    if not path.exists():
        go_on = runs.command("train", run, "--resume")
        raise FileNotFoundError(f"no finished epoch in {run}; go on with: {go_on}")
    folder = dataset.data_folder(config["data"], config["data_root"])
    note = take_note(path, *dataset.data_files(config["split"], folder))
    return load_autoencoder(path), load_data(config), note


# ---- the command line

COUNT, ROWS, SEED = click.IntRange(1), click.IntRange(1, 1000), click.IntRange(0, 2**32 - 1)
FILE, FOLDER = click.Path(dir_okay=False), click.Path(file_okay=False)
DATA, PATH = click.Choice(["auto", "emnist", "demo"]), click.Choice(["linear", "geodesic"])
PATH_HELP = "geodesic stays close to handwriting, using up to 120,000 training images."
SUFFIXES = (".png", ".gif", ".html", ".npz")


@click.group(cls=Commands, context_settings=CONTEXT_SETTINGS)
def cli():
    """A convolutional autoencoder of handwritten characters with a code of 32 numbers."""


run_dir_option = click.option(
    "--run-dir", type=FOLDER, default=runs.DEFAULT_RUN, help="The run folder."
)
moved_data_option = click.option("--data-root", type=FOLDER, help="The data folder, if it moved.")


def check_finite(ctx, param, value):
    if not 0 < value < math.inf:
        raise click.BadParameter("expected a finite number above 0")
    return value


@cli.command()
@click.option("--data", type=DATA, default="auto", help="auto: EMNIST, else demo.")
@dataset.split_option
@dataset.data_root_option
@run_dir_option
@click.option("--epochs", type=COUNT, default=EPOCHS, help="Passes over the images.")
@click.option("--batch-size", type=COUNT, default=BATCH_SIZE, help="Images in a step.")
@click.option(
    "--learning-rate", default=LEARNING_RATE, callback=check_finite, help="At first; it falls to 0."
)
@click.option("--seed", type=SEED, default=0, help="Seed of the weights and the image order.")
@click.option("--resume", is_flag=True, help="Go on with the run, using its own options.")
@click.option("--overwrite", is_flag=True, help="Remove the run's files and start again.")
@click.pass_context
def train(ctx, run_dir, data, split, data_root, resume, overwrite, **options):
    """Train an autoencoder, or go on with the run in the run folder."""
    given = {name for name in ctx.params if ctx.get_parameter_source(name).name == "COMMANDLINE"}
    if resume and given - {"resume", "run_dir", "data_root"}:
        raise click.UsageError("--resume takes its options from the run; drop the others")
    if data == "demo" and split != "balanced":
        raise click.UsageError("the demo set exists only for --split balanced")
    run, root = Path(run_dir), os.path.abspath(dataset.resolve_root(data_root))
    if resume:
        config = runs.read_config(run) | ({"data_root": root} if "data_root" in given else {})
    else:
        found = dataset.find_data(data, split, root)
        config = {"data": found, "split": split, "data_root": root, **options}
    with locked(run, wait=False):
        if not (resume or overwrite):
            runs.refuse_other(run, config)
        if not overwrite and runs.is_complete(run):
            click.echo(f"{run}: already complete, {config['epochs']} epochs")
        else:
            train_run(run, config, overwrite)
    if config["data"] == "demo" and data == "auto" and not resume:
        notice(f"there are no EMNIST files in {root}: this was the built-in demo set")


def train_run(run, config, overwrite):
    """Trains in the run folder, which must be locked, and reports."""
    x_train, x_val, x_test, *_ = load_data(config)
    description = runs.describe(train=x_train, validation=x_val, test=x_test)
    _, steps = batch_size_and_steps(config, x_train)
    if overwrite or not (run / "config.json").exists():
        autoencoder = new_model(config, steps)
        runs.begin(run, config | description)
    else:
        runs.refuse_other_data(run, description)
        last = run / "last.keras"
        autoencoder = load_autoencoder(last, True) if last.exists() else new_model(config, steps)
    history = fit(run, config, autoencoder, x_train, x_val)
    floor = figures.cross_entropy(x_val, x_val).mean()
    pictures.draw_curves(run / "curves.png", history, floor)

    best = min(history, key=lambda row: row["val_loss"])
    excess = f"{best['val_loss'] - floor:.4f} above the floor"
    click.echo(f"model       {run / 'model.keras'}, epoch {best['epoch']} of {len(history)}")
    click.echo(f"validation  {best['val_loss']:.4f}, {excess}")
    click.echo(f"next        {runs.command('test', run)}; {runs.command('morph', run)}")


@cli.command()
@run_dir_option
@moved_data_option
def test(run_dir, data_root):
    """Measure the reconstructions of the test images and draw them."""
    run = Path(run_dir)
    autoencoder, (x_train, _, x, y, names), _ = open_run(run, data_root)
    codes = encode(autoencoder, x)
    p = decode(autoencoder, codes)

    present = {name: y == label for label, name in names.items() if (y == label).any()}
    report = figures.report(x, p, present, figures.pca_reconstructions(x_train, x, CODE_SIZE))
    runs.write_json(run / "test.json", report)
    pictures.draw_reconstructions(run / "reconstructions.png", x, p, present)
    shown, points = pictures.place_codes(codes)
    pictures.draw_codes(run / "codes.png", points, y[shown], names)
    click.echo(figures.table(report))
    click.echo(f"pictures: {run / 'reconstructions.png'}, {run / 'codes.png'}")


def check_out(ctx, param, value):
    if value and Path(value).suffix.lower() not in SUFFIXES:
        raise click.BadParameter("--out must end in .png, .gif, .html or .npz")
    return value


@cli.command()
@run_dir_option
@moved_data_option
@click.option("--path", type=PATH, default="linear", help=PATH_HELP)
@click.option("--steps", type=click.IntRange(2, 1000), default=10, help="Frames from end to end.")
@click.option("--rows", type=ROWS, show_default="10", help="Random pairs of test images.")
@click.option("--from", "from_text", help="A word to morph from; each character has a row.")
@click.option("--to", "to_text", help="A word of the same length to morph into.")
@click.option("--image", "images", multiple=True, help="Your picture of one character; repeat it.")
@click.option(
    "--seed", type=SEED, show_default="0; words: typical images", help="Seed of the random images."
)
@click.option("--scale", type=click.IntRange(1, 50), default=4, help="Enlarges a .gif or .html.")
@click.option(
    "--out",
    type=FILE,
    callback=check_out,
    show_default="RUN_DIR/morph.png",
    help="The file: .png grid, .gif animation, .html page or .npz arrays.",
)
def morph(run_dir, data_root, path, steps, rows, from_text, to_text, images, seed, scale, out):
    """Turn characters into other characters, along paths between their codes."""
    count = check_choice(rows, from_text, to_text, images)
    pictures.check_size(out or "", count, steps, IMAGE_SIZE, scale)
    own = [read_character(image) for image in images]
    run = Path(run_dir)
    autoencoder, (x_train, x_val, x, y, names), note = open_run(run, data_root)
    to_codes = functools.partial(encode, autoencoder)
    ends = choose_ends(own, from_text, to_text, rows, seed, x, y, names, to_codes)

    shown = (ends.names != "").all(axis=1)  # the other rows stay blank
    a, b = (to_codes(images) for images in ends.images[shown].swapaxes(0, 1))
    if path == "geodesic":
        from support.geodesic import open_index

        to_images = functools.partial(decode, autoencoder)
        index = open_index(
            run / "index.npz", note, lambda: map(to_codes, (x_train, x_val)), to_images
        )
        shown_codes = geodesic_path(index, a, b, steps, autoencoder)
    else:
        notice("the straight line can leave handwriting; --path geodesic stays close to it")
        shown_codes = linear_path(a, b, steps)
    codes = np.zeros((len(shown), steps, CODE_SIZE), np.float32)
    frames = np.zeros((len(shown), steps, IMAGE_SIZE, IMAGE_SIZE), np.float32)
    codes[shown], frames[shown] = shown_codes, decode(autoencoder, shown_codes)

    out = Path(out or run / "morph.png")
    pictures.write_morph(out, f"{ends.title}, {path} path", ends, codes, frames, scale)
    click.echo(out)


@cli.command()
@run_dir_option
@moved_data_option
@click.option("--out", type=FILE, show_default="RUN_DIR/explore.html", help="The page to write.")
def explore(run_dir, data_root, out):
    """Make a page to play with the network in a browser; it works offline."""
    from support.geodesic import build_index

    run = Path(run_dir)
    autoencoder, (x_train, _, x, y, names), _ = open_run(run, data_root)
    block, parts = explorer.Block(), ("encoder", "decoder")
    network = {part: explorer.describe(autoencoder.get_layer(part), block) for part in parts}
    codes = encode(autoencoder, x)
    shown, points = pictures.place_codes(codes)
    tests = x[shown], y[shown], codes[shown], points
    sample = np.random.default_rng(0).permutation(len(x_train))[: explorer.TRAINING_CODES]
    out = Path(out or run / "explore.html")
    index = build_index(encode(autoencoder, x_train[sample]))
    explorer.write_page(out, run.resolve().name, network, block, names, tests, index)
    click.echo(out)


if __name__ == "__main__":
    cli()
