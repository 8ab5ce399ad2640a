"""A convolutional autoencoder of handwritten characters: 28 x 28 pixels -> 32 numbers -> 28 x 28.

    python autoencoder.py train    # on EMNIST, or else on the built-in demo set
    python autoencoder.py test     # figures and pictures of the reconstructions, compared with PCA
    python autoencoder.py morph    # one character becomes another, along a path between their codes
    python autoencoder.py explore  # a page to play with the network in a browser

Each pixel is read as the probability of being ink, so the loss is binary cross-entropy. It cannot
fall below the entropy of the grey pixels themselves. What lies above that floor is the excess:
0.0096 nats a pixel on test images of real EMNIST, where PCA with 32 components has 0.0635.
"""

import contextlib
import functools
import math
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

import dataset
from dataset import IMAGE_SIZE
from support import charts as plots
from support import metrics
from support import run as runs
from support.console import (
    CONTEXT_SETTINGS,
    Commands,
    InputError,
    must_end_in,
    notice,
    progress_bar,
)
from support.files import file_fingerprint, locked, made_once, make_folder, replacing
from support.lazy_keras import default_settings, keras, multiply_in_bfloat16
from support.morph import endpoints
from support.morph import pictures as animation
from support.morph.photo import open_picture, read_character
from support.page import export as explorer

CODE_SIZE = 32  # numbers in a code
BATCH_NORM_MOMENTUM = 0.7  # the first steps change so much that running means must follow quickly
EPOCHS = 5
BATCH_SIZE = 64
LEARNING_RATE = 0.007  # at the start; it falls along a cosine to 0 on the last step
WEIGHT_DECAY = 0.1  # against overfitting (Loshchilov, Hutter 2019)
PREDICT_BATCH = 500  # batch size of prediction and validation
ENCODED_AT_ONCE = 10_000  # images; predict copies them
MIN_PROBABILITY = 1e-7  # probabilities are clipped to [this, 1 - this]: finite logarithms

# ---- the network


@default_settings()
def build_encoder():
    """The encoder, [0, 1]^(28, 28, 1) -> R^32."""
    image = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 1), name="image")
    h = convolution(32, 4, strides=2)(image)  # 14 x 14
    h = convolution(32, 3)(h)
    h = convolution(32, 3)(h)
    h = convolution(32, 3)(h)
    h = convolution(64, 4, strides=2)(h)  # 7 x 7
    h = keras.layers.Flatten()(h)
    code = keras.layers.Dense(CODE_SIZE, name="code")(h)
    return keras.Model(image, code, name="encoder")


def convolution(filters, size, strides=1, activation="relu"):
    return keras.layers.Conv2D(filters, size, strides, padding="same", activation=activation)


@default_settings()
def build_decoder():
    """The decoder, R^32 -> [0, 1]^(28, 28, 1): it draws at half the size, then doubles it."""
    size = IMAGE_SIZE // 2
    code = keras.Input((CODE_SIZE,), name="code")
    h = keras.layers.Dense(size * size * 56, activation="silu")(code)
    h = keras.layers.Reshape((size, size, 56))(h)  # 14 x 14
    h = keras.layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(h)
    h = convolution(64, 3, activation="silu")(h)
    h = convolution(64, 3, activation="silu")(h)
    ink = keras.layers.Conv2DTranspose(  # 28 x 28
        1, 4, strides=2, padding="same", activation="sigmoid", name="ink"
    )(h)
    return keras.Model(code, ink, name="decoder")


@default_settings()
def build_autoencoder():
    """Encoder and decoder in a row, each a model of its own: [0, 1]^(28, 28, 1) -> the same."""
    image = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 1), name="image")
    code = build_encoder()(image)
    reconstruction = build_decoder()(code)
    return keras.Model(image, reconstruction, name="autoencoder")


# ---- the loss and the optimizer


@default_settings()
def compile_for_training(autoencoder, learning_rate, epochs, steps_per_epoch):
    """Gives an autoencoder its loss and its optimizer, Muon (Jordan et al. 2024).

    The learning rate falls along a cosine from its peak to 0 on the last step. Keras computes the
    loss from the last sigmoid's logits, so it stays exact where the network is certain and wrong.
    """
    from support.training import Muon

    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, epochs * steps_per_epoch)
    optimizer = Muon(schedule, weight_decay=WEIGHT_DECAY, adam_weight_decay=WEIGHT_DECAY)
    autoencoder.compile(
        optimizer,
        loss="binary_crossentropy",
        steps_per_execution=steps_per_execution(steps_per_epoch),
    )


# ---- training


def validation_count(train_count, test_count):
    """How many images at the end of the training set are kept to choose the best epoch.

    As many as the test set has if that leaves at least half for training, else a sixth.
    """
    if 2 * test_count <= train_count:
        return test_count
    return max(1, train_count // 6)


def batches(x, batch_size, seed, epoch):
    """Endless batches (x, x); the order of the images depends only on the seed and the epoch.

    All batches are full: the images left over in one epoch come up in another.
    """
    steps = steps_in_epoch(len(x), batch_size)
    while True:
        order = np.random.default_rng((seed, epoch)).permutation(len(x))
        for start in range(0, steps * batch_size, batch_size):
            batch = x[order[start : start + batch_size], ..., None]
            yield batch, batch
        epoch += 1


def steps_in_epoch(count, batch_size):
    """How many full batches an epoch of `count` images has, in whole groups of steps."""
    steps = count // batch_size
    return steps - steps % steps_in_group(steps)


def steps_in_group(steps):
    """How many of an epoch's steps Keras takes in a row, before it looks at its callbacks.

    The processor has no pause in a group. It is at most a hundredth of the epoch, since steps that
    do not fill the last one are left out.
    """
    return min(max(steps // 100, 1), 10)


def steps_per_execution(steps):
    """What Keras is told of groups; on PyTorch it takes each step alone."""
    return 1 if keras.backend.backend() == "torch" else steps_in_group(steps)


class SaveEpoch:
    """After each epoch: keeps the best model, adds to the history, saves the last model.

    last.keras, with the optimizer's state, is written last: if training is killed before that, the
    epoch is repeated. Not a subclass of Keras's Callback, which would import Keras with this file.
    """

    def __init__(self, run, autoencoder, history, epochs):
        self.run = run
        self.autoencoder = autoencoder
        # The same layers without the optimizer, whose state would double the size of model.keras.
        self.best = keras.Model(autoencoder.input, autoencoder.output, name="autoencoder")
        self.history = history
        self.epochs = epochs

    def begin(self, epoch, logs=None):
        self.learning_rate = float(self.autoencoder.optimizer.learning_rate)
        self.started = time.perf_counter()

    def end(self, epoch, logs):
        row = {
            "epoch": epoch + 1,
            "loss": logs["loss"],
            "val_loss": logs["val_loss"],
            "learning_rate": self.learning_rate,
            "seconds": time.perf_counter() - self.started,
        }
        if not math.isfinite(row["val_loss"]):
            raise InputError(
                f"epoch {epoch + 1}: the loss is NaN or infinite; start again with --overwrite and "
                "a lower --learning-rate"
            )
        best_before = min((past["val_loss"] for past in self.history), default=math.inf)
        if row["val_loss"] < best_before:
            runs.save_model(self.best, self.run / "model.keras")
        self.history.append(row)
        runs.write_history(self.run, self.history)
        runs.save_model(self.autoencoder, self.run / "last.keras")
        if not sys.stderr.isatty():  # there is no progress bar
            notice(
                f"epoch {epoch + 1}/{self.epochs}: {row['seconds']:.0f} s, "
                f"loss {row['loss']:.4f}, validation {row['val_loss']:.4f}"
            )


@default_settings()
def fit(run, config, autoencoder, x_train, x_validation):
    """Trains a compiled autoencoder from its last finished epoch on, saving each in the run folder.

    The optimizer's step tells how many epochs are finished. If history.csv has one row more, that
    epoch is repeated.

    Returns:
        The rows of history.csv.
    """
    batch_size = config["batch_size"]
    steps = steps_in_epoch(len(x_train), batch_size)
    finished = int(autoencoder.optimizer.iterations) // steps
    history = runs.read_history(run)[:finished]
    if len(history) < finished:
        raise InputError(f"{run / 'history.csv'}: epochs are missing; {runs.START_AGAIN}")
    save = SaveEpoch(run, autoencoder, history, config["epochs"])
    multiply_in_bfloat16()
    try:
        with contextlib.redirect_stdout(sys.stderr):  # where Keras's progress bar belongs
            autoencoder.fit(
                batches(x_train, batch_size, config["seed"], finished),
                steps_per_epoch=steps,
                initial_epoch=finished,
                epochs=config["epochs"],
                validation_data=(x_validation[..., None], x_validation[..., None]),
                validation_batch_size=PREDICT_BATCH,
                callbacks=[
                    keras.callbacks.LambdaCallback(on_epoch_begin=save.begin, on_epoch_end=save.end)
                ],
                shuffle=False,  # batches() shuffles
                verbose=1 if sys.stderr.isatty() else 0,
            )
    except KeyboardInterrupt:
        if history:
            resume = runs.command_line("train", run, "--resume")
            notice(f"{len(history)} finished epochs are kept in {run}; resume with: {resume}")
        raise
    return history


# ---- encode and decode


@default_settings()
def encode(autoencoder, x, label=None):
    """(N, 28, 28) in [0, 1] -> (N, 32). label: of a progress bar; None: no bar."""
    encoder = autoencoder.get_layer("encoder")
    codes = []
    with progress_bar(label, len(x)) as bar:
        for start in range(0, len(x), ENCODED_AT_ONCE):
            block = x[start : start + ENCODED_AT_ONCE]
            codes.append(encoder.predict(block, PREDICT_BATCH, verbose=0))
            bar.update(len(block))
    return np.concatenate(codes)


@default_settings()
def decode(autoencoder, codes):
    """(..., 32) -> (..., 28, 28), clipped to [1e-7, 1 - 1e-7]; in one predict call."""
    decoder = autoencoder.get_layer("decoder")
    p = decoder.predict(codes.reshape(-1, CODE_SIZE), PREDICT_BATCH, verbose=0)
    p = p.reshape(*codes.shape[:-1], IMAGE_SIZE, IMAGE_SIZE)
    return p.clip(MIN_PROBABILITY, 1 - MIN_PROBABILITY)


# ---- the straight line between codes; the geodesic is in support/morph/geodesic.py


def linear_path(a, b, steps):
    """Codes at even steps on the straight line: (rows, 32), (rows, 32) -> (rows, steps, 32)."""
    t = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
    return (1 - t) * a[:, None] + t * b[:, None]


# ---- a trained run


class ModelReplacedError(Exception):
    """Training has replaced the model since it was loaded."""


@dataclass(frozen=True)
class TrainedRun:
    """What test, morph and explore work with.

    folder: the run folder. autoencoder: its best model. split: its data. names: dict of label to
    character. x_test: (N, 28, 28) float32 in [0, 1]. y_test: (N,) int64. made_from: the
    fingerprints of "model" and "data".
    """

    folder: Path
    autoencoder: object
    split: dataset.Split
    names: dict
    x_test: np.ndarray
    y_test: np.ndarray
    made_from: dict

    def load_training_images(self):
        """The images that the network was trained on, without those for validation."""
        x, _ = dataset.load_part(self.split, "train")
        return x[: -validation_count(len(x), len(self.x_test))]

    def check_model(self):
        """Call it before a result is written: ModelReplacedError if the model is another now."""
        path = self.folder / "model.keras"
        if not path.exists() or file_fingerprint(path) != self.made_from["model"]:
            raise ModelReplacedError


def again_with_new_model(command):
    """Decorates a command: it begins again if training replaces the model meanwhile."""

    @functools.wraps(command)
    def repeated(*args, **kwargs):
        while True:
            try:
                return command(*args, **kwargs)
            except ModelReplacedError:
                notice("training has replaced the model meanwhile; beginning again")

    return repeated


def open_run(run_dir, data_root):
    """The TrainedRun of a folder.

    data_root: the folder of its data, if they moved.

    Raises:
        FileNotFoundError: there is no run, no finished epoch, or its data are missing.
        InputError: a file is damaged, or the data are not the run's.
    """
    run = Path(run_dir)
    config = runs.read_config(run)
    path = run / "model.keras"
    if not path.exists():
        resume = runs.command_line("train", run, "--resume")
        raise FileNotFoundError(f"no finished epoch in {run}; resume with: {resume}")
    split = find_data_of_run(config, data_root)
    x_test, y_test = dataset.load_part(split, "test")
    model_fingerprint = file_fingerprint(path)
    autoencoder = load_autoencoder(path)
    return TrainedRun(
        folder=run,
        autoencoder=autoencoder,
        split=split,
        names=split.class_names(),
        x_test=x_test,
        y_test=y_test,
        made_from={"model": model_fingerprint, "data": config["fingerprint"]},
    )


def find_data_of_run(config, data_root):
    """The Split that a run was trained on: in data_root, else where it was, else in DATA_ROOT."""
    roots = [data_root] if data_root else [config["data_root"], dataset.resolve_root()]
    return dataset.find_again(config["data"], config["split"], config["fingerprint"], roots)


def load_autoencoder(path):
    """A run's autoencoder; InputError if the file is not one."""
    return runs.load_model(path, (IMAGE_SIZE, IMAGE_SIZE, 1), CODE_SIZE)


# ---- the command line


@click.group(cls=Commands, context_settings=CONTEXT_SETTINGS)
def cli():
    """A convolutional autoencoder of handwritten characters with a code of 32 numbers."""


def check_not_empty(ctx, param, value):
    if not value:  # as by a variable that is not set
        raise click.BadParameter("expected the name of a folder")
    return value


def check_finite(ctx, param, value):
    if not 0 < value < math.inf:
        raise click.BadParameter("expected a finite number above 0")
    return value


SEED = click.IntRange(0, 2**32 - 1)

run_dir_option = click.option(
    "--run-dir",
    type=click.Path(file_okay=False),
    default=runs.DEFAULT_RUN,
    callback=check_not_empty,
    help="Run folder.",
)


@cli.command()
@click.option(
    "--data",
    type=click.Choice(["auto", "emnist", "demo"]),
    default="auto",
    help="Data set; auto falls back to the demo set.",
)
@dataset.split_option
@dataset.data_root_option
@run_dir_option
@click.option("--epochs", type=click.IntRange(1), default=EPOCHS, help="Passes over the images.")
@click.option("--batch-size", type=click.IntRange(1), default=BATCH_SIZE, help="Batch size.")
@click.option(
    "--learning-rate",
    default=LEARNING_RATE,
    callback=check_finite,
    help="Initial learning rate; cosine decay to 0.",
)
@click.option("--seed", type=SEED, default=0, help="Seed of the weights and the image order.")
@click.option("--resume", is_flag=True, help="Resume with the run's own options.")
@click.option("--overwrite", is_flag=True, help="Remove the run's files and start again.")
@click.pass_context
def train(ctx, run_dir, data, split, data_root, resume, overwrite, **options):
    """Train an autoencoder, or resume an interrupted run."""
    if resume:
        refuse_options_beside_resume(ctx)
    if data == "demo" and split != "balanced":
        raise click.UsageError("the demo set exists only for --split balanced")
    run = Path(run_dir)
    runs.check_is_ours(run)
    if resume:
        config = runs.read_config(run)
        found = find_data_of_run(config, data_root)
    else:
        found = dataset.find_data(data, split, data_root)
        config = {"data": found.data, "split": split, **options}
    fingerprint = dataset.fingerprint_of(found)

    with locked(run, wait=False):
        is_new = overwrite or not runs.is_run(run)
        if not is_new:
            runs.check_same_options(run, config)
            runs.check_same_data(run, fingerprint)
        if not is_new and runs.is_complete(run):
            click.echo(f"{run}: already complete, {config['epochs']} epochs")
        else:
            train_run(run, config, found, fingerprint, is_new)
    if found.data == "demo" and data == "auto" and not resume:
        notice(f"trained on the demo set: there is no EMNIST in {found.folder.parent}")


def refuse_options_beside_resume(ctx):
    for name in ctx.params:
        is_given = ctx.get_parameter_source(name).name == "COMMANDLINE"
        if is_given and name not in ("resume", "run_dir", "data_root"):
            raise click.UsageError("--resume takes its options from the run; drop the others")


def train_run(run, config, split, fingerprint, is_new):
    """Trains in the run folder, which must be locked, and reports."""
    x, _ = dataset.load_part(split, "train")
    x_test, _ = dataset.load_part(split, "test")
    count = validation_count(len(x), len(x_test))
    if count == len(x):
        raise InputError(f"only one training image in {split.folder}; at least 2 are needed")
    x_train, x_validation = x[:-count], x[-count:]
    if is_new:
        root = split.folder.parent if split.data == "demo" else split.folder
        counts = {"train": len(x_train), "validation": count, "test": len(x_test)}
        identity = {
            "data_root": os.path.abspath(root),
            "counts": counts,
            "fingerprint": fingerprint,
        }
        runs.create_run(run, config | identity)
    config = config | {"batch_size": min(config["batch_size"], len(x_train))}
    autoencoder = open_for_training(run, config, x_train)
    history = fit(run, config, autoencoder, x_train, x_validation)

    floor = metrics.cross_entropy(x_validation, x_validation).mean()
    plots.draw_curves(run / "curves.png", history, floor)
    best = min(history, key=lambda row: row["val_loss"])
    excess = best["val_loss"] - floor
    test_it = runs.command_line("test", run)
    morph_it = runs.command_line("morph", run)
    click.echo(f"model       {run / 'model.keras'}, epoch {best['epoch']} of {len(history)}")
    click.echo(f"validation  {best['val_loss']:.4f}, {excess:.4f} above the floor")
    click.echo(f"next        {test_it}; {morph_it}")


@default_settings()
def open_for_training(run, config, x_train):
    """The autoencoder of last.keras; a fresh one, saved there, if no epoch is finished."""
    import support.training  # noqa: F401 - the optimizer in last.keras

    steps = steps_in_epoch(len(x_train), config["batch_size"])
    path = run / "last.keras"
    if runs.read_history(run):
        for needed in (path, run / "model.keras"):
            if not needed.exists():
                raise InputError(
                    f"{needed} is missing, so training cannot resume; {runs.START_AGAIN}"
                )
    if path.exists():
        autoencoder = load_autoencoder(path)
        if getattr(autoencoder, "optimizer", None) is None:
            raise InputError(
                f"{path}: no optimizer state, so training cannot resume; {runs.START_AGAIN}"
            )
        autoencoder.steps_per_execution = steps_per_execution(steps)  # perhaps another backend's
        return autoencoder
    keras.utils.set_random_seed(config["seed"])
    autoencoder = build_autoencoder()
    compile_for_training(autoencoder, config["learning_rate"], config["epochs"], steps)
    autoencoder.optimizer.build(autoencoder.trainable_variables)
    runs.save_model(autoencoder, path)
    return autoencoder


@cli.command()
@run_dir_option
@dataset.data_root_option
@again_with_new_model
def test(run_dir, data_root):
    """Measure the reconstructions of the test images and draw them."""
    trained = open_run(run_dir, data_root)
    codes = encode(trained.autoencoder, trained.x_test)
    p = decode(trained.autoencoder, codes)
    sample, points = map_of_codes(trained, codes)
    members = {name: trained.y_test == label for label, name in trained.names.items()}
    of_pca = scores_of_pca(trained)
    report = metrics.report(trained.x_test, p, members, of_pca, trained.made_from)

    trained.check_model()
    runs.write_json(trained.folder / "test.json", report)
    pictures = trained.folder / "reconstructions.png", trained.folder / "codes.png"
    plots.draw_reconstructions(pictures[0], trained.x_test, p, members, CODE_SIZE)
    plots.draw_codes(pictures[1], points, trained.y_test[sample], trained.names, CODE_SIZE)
    click.echo(metrics.table(report))
    click.echo(f"pictures: {pictures[0]}, {pictures[1]}")


def map_of_codes(trained, codes):
    """Where test images lie on a map of their codes (N, 32); kept in map.npz, as it takes long.

    Returns:
        sample: (n,) indices of the test images on the map. points: (n, 2), their places.
    """

    def make():
        notice("placing codes on a map, once for a model")
        sample, points = plots.place_codes(codes)
        return {"sample": sample, "points": points}

    note = trained.made_from | {"settings": plots.MAP_SETTINGS}
    kept = made_once(trained.folder / "map.npz", note, make)
    return kept["sample"], kept["points"]


def scores_of_pca(trained):
    """{score: figure} of PCA's reconstructions of the test images; kept in pca.npz."""

    def make():
        x_train = trained.load_training_images()
        p = metrics.pca_reconstructions(x_train, trained.x_test, CODE_SIZE)
        return metrics.score(trained.x_test, p)

    note = {"data": trained.made_from["data"], "code size": CODE_SIZE}
    kept = made_once(trained.folder / "pca.npz", note, make)
    return {name: float(figure) for name, figure in kept.items()}


@cli.command()
@run_dir_option
@dataset.data_root_option
@click.option(
    "--path",
    type=click.Choice(["linear", "geodesic"]),
    default="linear",
    help="geodesic stays close to handwriting; it takes longer.",
)
@click.option("--steps", type=click.IntRange(2, 1000), default=10, help="Frames from end to end.")
@click.option(
    "--rows",
    type=click.IntRange(1, endpoints.MAX_ROWS),
    show_default=str(endpoints.DEFAULT_ROWS),
    help="Number of random pairs of test images.",
)
@click.option("--from", "from_text", help="A word to morph from; each character has a row.")
@click.option("--to", "to_text", help="A word of the same length to morph into.")
@click.option(
    "--image",
    "images",
    multiple=True,
    help="Photo or scan of one character, like PICTURES.",
)
@click.option(
    "--seed", type=SEED, show_default="0; words: typical images", help="Seed of the random images."
)
@click.option("--scale", type=click.IntRange(1, 50), default=4, help="Zoom of a .gif or .html.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False),
    callback=must_end_in(".png", ".gif", ".html", ".npz"),
    show_default="RUN_DIR/morph.png",
    help="The file: .png grid, .gif animation, .html page or .npz arrays.",
)
@click.argument("pictures", nargs=-1)
@again_with_new_model
def morph(
    run_dir, data_root, path, steps, rows, from_text, to_text, images, pictures, seed, scale, out
):
    """Morph characters into other characters, along paths between their codes.

    PICTURES are two or more photos or scans of one character each.
    """
    images += pictures
    row_count = endpoints.check_choice(rows, from_text, to_text, images)
    suffix = Path(out).suffix.lower() if out else ".png"
    animation.check_size(suffix, row_count, steps, IMAGE_SIZE, scale)
    characters = [read_character(image, IMAGE_SIZE) for image in images]
    target = choose_output(out, Path(run_dir), "morph.png", images)
    trained = open_run(run_dir, data_root)
    ends = choose_endpoints(trained, characters, from_text, to_text, row_count, seed)

    codes = np.zeros((row_count, steps, CODE_SIZE), np.float32)
    frames = np.zeros((row_count, steps, IMAGE_SIZE, IMAGE_SIZE), np.float32)
    codes[ends.not_blank] = morph_codes(trained, ends.images[ends.not_blank], path, steps)
    frames[ends.not_blank] = decode(trained.autoencoder, codes[ends.not_blank])

    trained.check_model()
    write_morph(target, ends, codes, frames, f"{ends.title}, {path} path", scale)
    click.echo(out or target)
    if images:
        sheet = trained.folder / "morph-read.png"
        plots.draw_read(sheet, [open_picture(image) for image in images], characters)
        notice(f"what was read from each picture: {sheet}")


def choose_output(out, run, own_name, inputs=()):
    """The file to write: `out`, links followed; without it, own_name in the run folder.

    Raises:
        InputError: `out` names an input: a picture given, a data file, another file of a run.
    """
    if not out:
        return run / own_name
    target = Path(out).resolve()
    is_picture = target.exists() and any(target.samefile(path) for path in inputs)
    is_run_file = target.name in runs.RUN_FILES and runs.is_run(target.parent)
    is_data = dataset.is_data_file(Path(out).name) or dataset.is_data_file(target.name)
    if is_picture or is_data or (is_run_file and target.name != own_name):
        raise InputError(f"--out {out} would replace a file that this program reads; name another")
    return target


def choose_endpoints(trained, characters, from_text, to_text, rows, seed):
    """The Endpoints of a morph: a person's own characters, else two words, else random pairs."""
    if characters:
        return endpoints.picture_pairs(characters)
    x, y, names = trained.x_test, trained.y_test, trained.names
    if from_text is not None:
        encode_images = functools.partial(encode, trained.autoencoder)
        return endpoints.word_pairs(from_text, to_text, x, y, names, encode_images, seed)
    return endpoints.random_pairs(x, y, names, rows, seed or 0)


def morph_codes(trained, images, path, steps):
    """Codes on the paths between images: (rows, 2, 28, 28) -> (rows, steps, 32)."""
    codes = encode(trained.autoencoder, images.reshape(-1, IMAGE_SIZE, IMAGE_SIZE))
    start, end = codes[::2], codes[1::2]
    if path == "linear":
        notice("straight lines pass through shapes that are no characters; try --path geodesic")
        return linear_path(start, end, steps)

    from support.morph.geodesic import geodesic_path, open_graph

    encode_images = functools.partial(encode, trained.autoencoder)
    decode_codes = functools.partial(decode, trained.autoencoder)

    def encode_training_images():
        x, _ = dataset.load_part(trained.split, "train")
        return encode_images(x, "encoding images")

    graph = open_graph(
        trained.folder / "index.npz", trained.made_from, encode_training_images, decode_codes
    )
    return geodesic_path(graph, start, end, steps, encode_images, decode_codes)


def write_morph(path, ends, codes, frames, title, scale):
    """Writes a morph in the format that the ending of `path` names."""
    make_folder(path.parent)
    match path.suffix.lower():
        case ".npz":
            with replacing(path) as partial, open(partial, "wb") as file:
                np.savez_compressed(
                    file, frames=frames, codes=codes, labels=ends.labels, indices=ends.indices
                )
        case ".gif":
            animation.write_gif(path, frames, scale)
        case ".html":
            animation.write_html(path, frames, scale, title)
        case _:
            plots.draw_morph(path, frames, ends, title)


@cli.command()
@run_dir_option
@dataset.data_root_option
@click.option(
    "--out",
    type=click.Path(dir_okay=False),
    callback=must_end_in(".html"),
    show_default="RUN_DIR/explore.html",
    help="The page to write.",
)
@again_with_new_model
def explore(run_dir, data_root, out):
    """Make a page to play with the network in a browser; it works offline."""
    from support.morph import geodesic

    target = choose_output(out, Path(run_dir), "explore.html")
    trained = open_run(run_dir, data_root)
    codes = encode(trained.autoencoder, trained.x_test)
    sample, points = map_of_codes(trained, codes)
    x_train, _ = dataset.load_part(trained.split, "train")
    order = np.random.default_rng(0).permutation(len(x_train))[: explorer.TRAINING_CODES]
    graph = geodesic.build_graph(
        encode(trained.autoencoder, x_train[order]), functools.partial(decode, trained.autoencoder)
    )

    trained.check_model()
    explorer.write_page(
        target,
        title=trained.folder.resolve().name,
        encoder=trained.autoencoder.get_layer("encoder"),
        decoder=trained.autoencoder.get_layer("decoder"),
        names=trained.names,
        images=trained.x_test[sample],
        labels=trained.y_test[sample],
        codes=codes[sample],
        points=points,
        graph=graph,
        settings=vars(geodesic),
        graph_codes={"page": len(order), "program": min(len(x_train), geodesic.MAX_CODES)},
        made_from=trained.made_from,
    )
    click.echo(out or target)


if __name__ == "__main__":
    cli()
