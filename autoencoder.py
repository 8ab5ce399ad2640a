"""A convolutional autoencoder of handwritten characters: 28 x 28 pixels -> 32 numbers -> 28 x 28.

    python autoencoder.py train    # on EMNIST, or else on the built-in demo set
    python autoencoder.py test     # figures and pictures of the reconstructions, compared with PCA
    python autoencoder.py morph    # one character becomes another, along a path between their codes
    python autoencoder.py explore  # a page to play with the network in a browser

Each pixel is read as the probability of being ink, so the loss is binary cross-entropy. It cannot
fall below the entropy of the grey pixels themselves. What lies above that floor is the excess:
0.0097 nats a pixel on test images of real EMNIST, where PCA with 32 components has 0.0635.
"""

import contextlib
import math
import os
import sys
import time
import zipfile
from functools import cached_property

import support  # noqa: F401 - first, as it says what to do if a package is missing

# isort: split
import click
import numpy as np

import dataset
from dataset import IMAGE_SIZE
from support import charts, metrics
from support.console import (
    CONTEXT_SETTINGS,
    Commands,
    InputError,
    PathType,
    command_line,
    notice,
)
from support.files import (
    by_product,
    file_fingerprint,
    locked,
    made_once,
    reading,
    replacing,
    write_json,
)
from support.lazy_keras import keras
from support.morph import endpoints, pictures
from support.morph.photo import read_character
from support.run import DEFAULT_RUN, LONGER, Run

CODE_SIZE = 32  # numbers in a code
BATCH_NORM_MOMENTUM = 0.7  # Keras's 0.99 follows too slowly while weights change quickly
DEFAULTS = {  # the options of train, if they are not given; support/run.py names them, too
    "split": "balanced",
    "epochs": 3,
    "batch_size": 32,  # twice as many would train a little quicker, but learn less from each image
    "learning_rate": 0.005,  # at the start; it falls along a cosine to 0 on the last step
    "seed": 0,
}
WEIGHT_DECAY = 0.1  # against overfitting (Loshchilov, Hutter 2019)
PREDICT_BATCH = 500  # batch size of prediction and validation
MIN_PROBABILITY = 1e-7  # probabilities are clipped to [this, 1 - this]: finite logarithms

# ---- the network; the page of `explore` runs plain chains of the layers in support/page/export.py


def build_encoder():
    """The encoder, [0, 1]^(28, 28, 1) -> R^32."""
    image = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 1), name="image")
    h = convolution(32, 6, strides=2, padding="valid")(image)  # 12 x 12
    h = convolution(32, 3)(h)
    h = convolution(32, 3)(h)
    h = convolution(32, 3)(h)
    h = convolution(64, 4, strides=2)(h)  # 6 x 6
    h = keras.layers.Flatten()(h)
    code = keras.layers.Dense(CODE_SIZE, name="code")(h)
    return keras.Model(image, code, name="encoder")


def build_decoder():
    """The decoder, R^32 -> [0, 1]^(28, 28, 1): its images grow as the encoder's shrink.

    silu and batch normalization help here; in the encoder they cost time and bring nothing.
    """
    code = keras.Input((CODE_SIZE,), name="code")
    h = keras.layers.Dense(6 * 6 * 96, activation="silu")(code)
    h = keras.layers.Reshape((6, 6, 96))(h)  # 6 x 6
    h = keras.layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM)(h)
    h = convolution(128, 3, activation="silu")(h)
    h = transposed_convolution(48, 4, padding="same", activation="silu")(h)  # 12 x 12
    h = convolution(48, 3, activation="silu")(h)
    ink = transposed_convolution(1, 6, padding="valid", activation="sigmoid", name="ink")(h)
    return keras.Model(code, ink, name="decoder")  # ink: 28 x 28


def convolution(filters, size, strides=1, padding="same", activation="relu"):
    return keras.layers.Conv2D(filters, size, strides, padding=padding, activation=activation)


def transposed_convolution(filters, size, **options):
    """Undoes what a convolution of this size with strides of 2 does to height and width."""
    return keras.layers.Conv2DTranspose(filters, size, strides=2, **options)


def build_autoencoder():
    """Encoder and decoder in a row, each a model of its own: [0, 1]^(28, 28, 1) -> the same."""
    image = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 1), name="image")
    code = build_encoder()(image)
    reconstruction = build_decoder()(code)
    return keras.Model(image, reconstruction, name="autoencoder")


# ---- the loss and the optimizer


def compile_for_training(autoencoder, learning_rate, total_steps):
    """Gives an autoencoder its loss and its optimizer, Muon (Jordan et al. 2024).

    The learning rate falls along a cosine to 0 on the last step. On TensorFlow, Keras computes the
    loss from the last sigmoid's logits, so it is exact where the network is certain and wrong;
    elsewhere probabilities are clipped to [1e-7, 1 - 1e-7].
    """
    from support.training import Muon

    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, total_steps)
    optimizer = Muon(schedule, weight_decay=WEIGHT_DECAY, adam_weight_decay=WEIGHT_DECAY)
    autoencoder.compile(optimizer, loss="binary_crossentropy")


# ---- training; run is a support.run.Run, the folder of a training


def validation_count(train_count, test_count):
    """How many images at the end of the training set are kept to choose the best epoch.

    As many as the test set has if that leaves at least half for training, else a sixth.
    """
    if 2 * test_count <= train_count:
        return test_count
    return max(1, train_count // 6)


def steps_in_epoch(count, batch_size):
    """How many full batches there are in so many images; at least one, of all images."""
    return max(1, count // batch_size)


def batches(x, batch_size, seed, epoch):
    """Yields the batches (B, 28, 28, 1) of an epoch, in an order that depends on seed and epoch.

    Images that do not fill a last batch are left out of this epoch.
    """
    order = np.random.default_rng((seed, epoch)).permutation(len(x))
    for step in range(steps_in_epoch(len(x), batch_size)):
        chosen = order[step * batch_size : (step + 1) * batch_size]
        yield x[chosen, ..., None]


def open_for_training(run, epoch_steps):
    """The autoencoder of last.keras; a new one if no epoch is finished.

    last.keras holds the network, the optimizer and its schedule, so a change to this file takes
    effect in a new run only. epoch_steps: how many steps an epoch has.

    Raises:
        InputError: the training of the run cannot go on.
    """
    import support.training  # noqa: F401 - registers Muon, which last.keras names

    if run.history and not run.model.exists():
        raise run.cannot_go_on(f"{run.model} is missing")
    if len(run.history) > 1 and not run.last.exists():  # after one row, epoch 1 is repeated
        raise run.cannot_go_on(f"{run.last} is missing")
    epochs = run.config["epochs"]
    if not run.last.exists():
        keras.utils.set_random_seed(run.config["seed"])
        autoencoder = build_autoencoder()
        compile_for_training(autoencoder, run.config["learning_rate"], epochs * epoch_steps)
        return autoencoder

    autoencoder = load_autoencoder(run.last, run.advice())
    schedule = autoencoder.optimizer.get_config()["learning_rate"]["config"]
    begun_for = schedule["decay_steps"] // epoch_steps
    if begun_for != epochs:
        raise run.cannot_go_on(
            f"{run.last} was begun with --epochs {begun_for}, not {epochs}: {LONGER}"
        )
    return autoencoder


def fit(run, autoencoder, epoch_steps, x_train, x_validation):
    """Trains from the last finished epoch on, and saves each epoch in the folder of the run.

    The optimizer's step tells how many epochs are finished. If the history has one row more, that
    epoch is repeated. Why not Keras's fit: on TensorFlow its data pipeline often ends late, up to
    a minute after the last step.
    """
    from support.training import save_epoch

    config = run.config
    finished = int(autoencoder.optimizer.iterations) // epoch_steps
    if len(run.history) < finished:
        raise run.cannot_go_on(f"{run.folder / 'history.csv'} lacks epochs")
    del run.history[finished:]
    for epoch in range(finished, config["epochs"]):
        started = time.perf_counter()
        learning_rate = float(autoencoder.optimizer.learning_rate)
        epoch_batches = batches(x_train, config["batch_size"], config["seed"], epoch)
        loss = train_epoch(autoencoder, epoch_batches, epoch_steps)
        val_loss = mean_loss(autoencoder, x_validation)
        row = {
            "epoch": epoch + 1,
            "loss": loss,
            "val_loss": val_loss,
            "learning_rate": learning_rate,
            "seconds": time.perf_counter() - started,
        }
        save_epoch(run, autoencoder, row)


def train_epoch(autoencoder, epoch_batches, epoch_steps):
    """One pass over the batches; returns their mean loss, nats a pixel."""
    total = 0
    with contextlib.redirect_stdout(sys.stderr):  # where Keras's progress bar belongs
        bar = keras.utils.Progbar(
            epoch_steps, verbose=1 if sys.stderr.isatty() else 0, stateful_metrics=["loss"]
        )
        for step, x in enumerate(epoch_batches, start=1):
            total += float(autoencoder.train_on_batch(x, x))
            bar.update(step, [("loss", total / step)])
    return total / step


def mean_loss(autoencoder, x):
    """The loss of images (N, 28, 28), nats a pixel."""
    total = 0
    for start in range(0, len(x), PREDICT_BATCH):
        batch = x[start : start + PREDICT_BATCH, ..., None]
        total += len(batch) * autoencoder.test_on_batch(batch, batch)
    return float(total / len(x))


def load_autoencoder(path, advice="get it again, or train anew with another --run-dir"):
    """The autoencoder in a file; code in the file is not run.

    advice: what to do if the file is damaged.

    Raises:
        InputError: the file is damaged, or holds something else.
    """
    load = keras.saving.load_model  # imports Keras here: if that fails, the file is not to blame
    with reading(path, advice):
        with open(path, "rb") as file:
            zipfile.ZipFile(file).close()  # Keras says of other files that they are not found
        autoencoder = load(path)
        for name in ("encoder", "decoder"):
            autoencoder.get_layer(name)
    return autoencoder


# ---- encode and decode


def predict(model, x):
    """What a model makes of x, in batches. Keras's predict can end seconds late, as its fit can."""
    starts = range(0, len(x), PREDICT_BATCH)
    parts = [model.predict_on_batch(x[start : start + PREDICT_BATCH]) for start in starts]
    return np.concatenate(parts)


class TrainedRun:
    """A Run with its network and its opened data: what test, morph and explore work with.

    run: the Run. data: its Data. autoencoder: its best model. made_from: the fingerprints of the
    "model" and the "data", which results carry.

    Raises:
        FileNotFoundError: there is no run, no finished epoch, or its data are missing.
        InputError: a file is damaged.
    """

    def __init__(self, run_dir, data_root=None):
        self.run = Run(run_dir)
        self.run.check_has_model()
        self.data = find_data(self.run, data_root)
        self.autoencoder = load_autoencoder(self.run.model)
        model_fingerprint = file_fingerprint(self.run.model)
        self.made_from = {"model": model_fingerprint, "data": self.data.fingerprint}

    def encode(self, x):
        """(N, 28, 28) in [0, 1] -> (N, D)."""
        return predict(self.autoencoder.get_layer("encoder"), x[..., None])

    def decode(self, codes):
        """(..., D) -> (..., 28, 28), clipped to [1e-7, 1 - 1e-7]."""
        p = predict(self.autoencoder.get_layer("decoder"), codes.reshape(-1, codes.shape[-1]))
        p = p.reshape(*codes.shape[:-1], *p.shape[1:3])
        return p.clip(MIN_PROBABILITY, 1 - MIN_PROBABILITY)

    @cached_property
    def test_codes(self):
        """(N, D), of the test images."""
        return self.encode(self.data.x_test)


def find_data(run, data_root=None):
    """The Data of a run: in data_root, else where it was, in DATA_ROOT or in data."""
    roots = [data_root] if data_root else [run.config["data_root"], dataset.resolve_root(), "data"]
    return dataset.find_again(run.config["split"], run.config["fingerprint"], roots)


# ---- the straight line between codes; the geodesic is in support/morph/geodesic.py


def linear_path(start, end, steps):
    """Codes at even steps on the straight line: (rows, D), (rows, D) -> (rows, steps, D)."""
    t = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
    return (1 - t) * start[:, None] + t * end[:, None]


# ---- the command line


@click.group(cls=Commands, context_settings=CONTEXT_SETTINGS)
def cli():
    """A convolutional autoencoder of handwritten characters with a code of 32 numbers."""


SEED = click.IntRange(0, 2**32 - 1)

run_dir_option = click.option(
    "--run-dir", type=PathType(file_okay=False), default=DEFAULT_RUN, help="Run folder."
)


def check_finite(ctx, param, value):
    if value is not None and not 0 < value < math.inf:
        raise click.BadParameter("expected a finite number above 0")
    return value


def training_option(name, help, **settings):
    """An option of train; if it is not given, the run's own value, else the default."""
    default = DEFAULTS[name.removeprefix("--").replace("-", "_")]
    return click.option(name, help=help, show_default=f"the run's own, else {default}", **settings)


@cli.command()
@training_option("--split", "Which split of EMNIST.", type=click.Choice(list(dataset.CLASSES)))
@dataset.data_root_option
@run_dir_option
@training_option("--epochs", "Passes over the images.", type=click.IntRange(1))
@training_option("--batch-size", "Images in a step.", type=click.IntRange(1))
@training_option(
    "--learning-rate",
    "At the start; it falls along a cosine to 0.",
    type=float,
    callback=check_finite,
)
@training_option("--seed", "Seed of the weights and of the order of the images.", type=SEED)
@click.option("--overwrite", is_flag=True, help="Remove the run's files and train anew.")
def train(run_dir, data_root, overwrite, **options):
    """Train an autoencoder, or go on with an interrupted training."""
    given = {name: value for name, value in options.items() if value is not None}
    with locked(run_dir, wait=False):
        run = Run(run_dir)
        if overwrite:
            data = data_for_overwriting(run, given.get("split"), data_root)
            begin(run, data, DEFAULTS | given)
        elif run.config:
            check_same_options(run, given)
            data = find_data(run, data_root)
        else:
            data = dataset.data_for_new_run(given.get("split"), data_root)
            begin(run, data, DEFAULTS | given)
        if run.is_complete:
            click.echo(f"{run.folder}: already complete ({run.describe()})")
            click.echo("other options: give another --run-dir, or --overwrite to replace this run")
        else:
            train_run(run, data)
    if run.config["split"] == "demo":
        words = ("train", "--split", "balanced", "--run-dir", "runs/emnist")
        notice(f"this run is on the demo set; for EMNIST: {command_line('autoencoder.py', *words)}")


def data_for_overwriting(run, split, data_root):
    """The Data of a run that is replaced: the run's own, unless others are given."""
    if run.config and not split and not data_root:
        return find_data(run)
    split = split or run.config.get("split", DEFAULTS["split"])
    data_root = data_root or run.config.get("data_root")
    return dataset.open_data(split, data_root, download_missing=True)


def check_same_options(run, given):
    """Refuses to go on with a run that has other options; given: {option: value}."""
    differences = []
    for name, value in given.items():
        if run.config[name] != value:
            differences.append(f"{name} {run.config[name]}, not {value}")
    if differences:
        raise run.has_other_options(differences)
    code_size = run.config.get("code_size", CODE_SIZE)
    if code_size != CODE_SIZE:
        raise InputError(
            f"the codes of {run.folder} have {code_size} numbers, CODE_SIZE is {CODE_SIZE}: give "
            "another --run-dir"
        )


def begin(run, data, options):
    """Makes the folder a new run with these options; the files of an earlier one go."""
    train_count, test_count = len(data.y_train), len(data.y_test)
    if train_count < 3 or test_count < 2:
        raise InputError(
            f"{data.files.root} has too few images: 3 to train and 2 to test, at least"
        )
    count = validation_count(train_count, test_count)
    counts = {"train": train_count - count, "validation": count, "test": test_count}
    identity = {
        "split": data.files.split,
        "data_root": os.path.abspath(data.files.root),
        "counts": counts,
        "fingerprint": data.fingerprint,
        "code_size": CODE_SIZE,
    }
    run.create(options | identity)


def train_run(run, data):
    """Trains to the last epoch, draws the curves and reports."""
    count = run.config["counts"]["train"]
    x_train, x_validation = data.x_train[:count], data.x_train[count:]
    epoch_steps = steps_in_epoch(len(x_train), run.config["batch_size"])
    try:
        autoencoder = open_for_training(run, epoch_steps)
        fit(run, autoencoder, epoch_steps, x_train, x_validation)
    except KeyboardInterrupt:
        if run.history:
            kept = f"{len(run.history)} of {run.config['epochs']} epochs kept"
            notice(f"{kept}; go on with: {run.command('train')}")
        else:
            notice("nothing is kept yet; the same command begins again")
        raise

    floor = metrics.cross_entropy(x_validation, x_validation).mean()
    with by_product(run.folder / "curves.png"):
        charts.draw_curves(run.folder / "curves.png", run.history, floor)
    best = min(run.history, key=lambda row: row["val_loss"])
    excess = best["val_loss"] - floor
    click.echo(f"model       {run.model}, epoch {best['epoch']} of {len(run.history)}")
    click.echo(f"validation  {best['val_loss']:.4f}, {excess:.4f} above the floor")
    for name in ("test", "morph", "explore"):
        click.echo(f"next        {run.command(name)}")


@cli.command()
@run_dir_option
@dataset.data_root_option
def test(run_dir, data_root):
    """Measure the reconstructions of the test images and draw them."""
    trained = TrainedRun(run_dir, data_root)
    folder = trained.run.folder
    x, y, names = trained.data.x_test, trained.data.y_test, trained.data.names
    codes = trained.test_codes
    p = trained.decode(codes)
    x_train = trained.data.x_train[: trained.run.config["counts"]["train"]]  # as for the network
    p_pca = metrics.pca_reconstructions(x_train, x, components=codes.shape[1])
    report = trained.made_from | metrics.measure(x, p, p_pca, y, names)
    click.echo(metrics.table(report))

    with by_product(folder / "test.json"), replacing(folder / "test.json") as partial:
        write_json(partial, report)
    reconstructions_png = folder / "reconstructions.png"
    with by_product(reconstructions_png):
        pictures.draw_reconstructions(reconstructions_png, x, p, y, names)
        click.echo(f"picture: {reconstructions_png}")
    sample, points = map_of_codes(trained)
    codes_png = folder / "codes.png"
    with by_product(codes_png):
        charts.draw_codes(codes_png, points, y[sample], names)
        click.echo(f"picture: {codes_png}")


def map_of_codes(trained):
    """Where test images lie on a map of their codes; kept in map.npz, as it takes long.

    Returns:
        sample: (n,) indices of the test images on the map. points: (n, 2), their places.
    """

    def make():
        notice("placing codes on a map; this takes about 20 seconds, once for a model")
        sample, points = charts.place_codes(trained.test_codes)
        return {"sample": sample, "points": points}

    note = trained.made_from | {"settings": charts.MAP_SETTINGS}
    cached = made_once(trained.run.folder / "map.npz", note, make)
    return cached["sample"], cached["points"]


@cli.command()
@run_dir_option
@dataset.data_root_option
@click.option(
    "--path",
    type=click.Choice(["linear", "geodesic"]),
    default="linear",
    help="geodesic stays close to handwriting; it takes longer.",
)
@click.option(
    "--steps",
    type=click.IntRange(2, 1000),
    show_default="10; for .gif and .html 30",
    help="Frames from end to end.",
)
@click.option(
    "--rows",
    type=click.IntRange(1, endpoints.MAX_ROWS),
    show_default=str(endpoints.DEFAULT_ROWS),
    help="Number of random pairs of test images.",
)
@click.option("--from", "from_text", help="A word to morph from; each character has a row.")
@click.option("--to", "to_text", help="A word of the same length to morph into.")
@click.option(
    "--seed", type=SEED, show_default="0; words: typical images", help="Seed of the random images."
)
@click.option(
    "--out",
    type=PathType(*pictures.KINDS, dir_okay=False),
    show_default="RUN_DIR/morph.png",
    help="The file: .png grid, .gif animation, .html page or .npz arrays.",
)
@click.argument("photos", metavar="[PICTURES]...", type=PathType(dir_okay=False), nargs=-1)
def morph(run_dir, data_root, path, steps, rows, from_text, to_text, seed, out, photos):
    """Morph characters into other characters, along paths between their codes.

    PICTURES are two or more photos or scans of one character each.
    """
    row_count = endpoints.check_choice(rows, from_text, to_text, photos, seed)
    target = out or run_dir / "morph.png"
    steps = steps or pictures.default_steps(target)
    pictures.check_size(row_count, steps)
    read = [read_character(photo) for photo in photos]
    trained = TrainedRun(run_dir, data_root)
    check_output(trained, target, photos)

    if photos:
        ends = endpoints.picture_pairs(trained, [character for _, character in read])
    elif from_text:
        ends = endpoints.word_pairs(trained, from_text, to_text, seed)
    else:
        ends = endpoints.random_pairs(trained, row_count, seed or 0)
    codes = path_between(trained, ends, path, steps)
    frames = trained.decode(codes)
    pictures.write_morph(target, frames, codes, ends, f"{ends.title}, {path} path")
    click.echo(target)
    if photos:
        sheet = trained.run.folder / "morph-read.png"
        with by_product(sheet):
            pictures.draw_read(sheet, read)
            notice(f"what was read from each picture: {sheet}")


def path_between(trained, ends, path, steps):
    """Codes on the paths between Endpoints: (P, steps, D)."""
    start, end = ends.codes[:, 0], ends.codes[:, 1]
    if path == "linear":
        notice("straight lines pass through shapes that are no characters; try --path geodesic")
        return linear_path(start, end, steps)

    from support.morph.geodesic import geodesic_path, open_graph, vote_labels

    graph = open_graph(trained)
    if (ends.labels == endpoints.NONE).any():  # own pictures: the nearest test images vote
        labels = vote_labels(trained.test_codes, trained.data.y_test, start, end)
    else:
        labels = ends.labels.T
    return geodesic_path(graph, start, end, *labels, steps, trained.encode, trained.decode)


def check_output(trained, target, photos):
    """Refuses to write a morph over a file that the command reads.

    Raises:
        InputError: names the file.
    """
    folder = trained.run.folder
    in_use = (*photos, folder / "index.npz", folder / "morph-read.png", trained.data.files.npz)
    for path in in_use:
        is_same = target.exists() and path.exists() and target.samefile(path)
        if is_same or target == path:
            raise InputError(f"--out {target} would replace {path}, which is in use; name another")


@cli.command()
@run_dir_option
@dataset.data_root_option
@click.option(
    "--out",
    type=PathType(".html", dir_okay=False),
    show_default="RUN_DIR/explore.html",
    help="The page to write.",
)
def explore(run_dir, data_root, out):
    """Make a page to play with the network in a browser; it works offline."""
    from support.morph.geodesic import graph_of_training_images
    from support.page.export import TRAINING_CODES, write_page

    target = out or run_dir / "explore.html"
    trained = TrainedRun(run_dir, data_root)
    sample, points = map_of_codes(trained)
    notice("making the page; this takes about half a minute")
    graph = graph_of_training_images(trained, TRAINING_CODES)
    write_page(target, trained, graph, sample, points)
    click.echo(target)


if __name__ == "__main__":
    cli()
