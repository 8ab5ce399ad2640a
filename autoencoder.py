"""A convolutional autoencoder of handwritten characters: 28 x 28 pixels -> 32 numbers -> 28 x 28.

    python autoencoder.py train    # on EMNIST, or on the built-in demo set where there is none
    python autoencoder.py test     # figures and pictures of the reconstructions, beside PCA's
    python autoencoder.py morph    # one character becomes another, on the way between their codes

Each pixel is read as the probability of being ink, so the loss is binary cross-entropy. It cannot
fall below the entropy of the grey pixels themselves; what lies above that floor is the excess.
"""

import contextlib
import csv
import functools
import hashlib
import json
import math
import os
import platform
import sys
import time
from pathlib import Path

import click
import numpy as np

import dataset
from support import pictures
from dataset import IMAGE_SIZE, notice, replacing

CODE_SIZE = 32  # numbers in a code
FILTERS = (32, 64)  # of the convolutions from 28 to 14 and from 14 to 7 pixels a side
WIDTH = 640  # units of the dense layer on either side of the code
EPOCHS = 20
BATCH_SIZE = 128
LEARNING_RATE = 0.005  # at first; it falls along a cosine, to 0 on the last step
MOMENTUM = 0.9  # of batch norm's running means: short runs on few images need a quick one
WEIGHT_DECAY = 0.05  # in a run of up to EPOCHS, against overfitting; longer ones take more
PREDICT_BATCH = 500  # images at a time where nothing is learned

DEFAULT_RUN = Path("runs/default")
RUN_FILES = ["config.json", "model.keras", "last.keras", "history.csv", "curves.png"]
RUN_FILES += ["test.json", "reconstructions.png", "codes.png", "morph.png", "index.npz"]
HISTORY = ("epoch", "loss", "val_loss", "learning_rate", "seconds")

# ---- the network


@functools.cache
def import_keras():
    """Keras, imported when it is needed, and without what TensorFlow writes to stderr meanwhile."""
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever ~/.keras/keras.json prefers
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # does not reach what is said on import
    stderr = os.dup(2)
    try:
        with open(os.devnull, "w") as null:
            os.dup2(null.fileno(), 2)
        import keras
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
    return keras


def build_encoder():
    """The encoder, [0, 1]^(28, 28, 1) -> R^32."""
    keras = import_keras()
    layers = keras.layers

    image = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 1), name="image")
    h = image
    for filters in FILTERS:  # 28 -> 14 -> 7
        h = layers.Conv2D(filters, 4, strides=2, padding="same", activation="relu")(h)
    h = layers.Flatten()(h)
    h = layers.Dense(WIDTH, activation="relu")(h)
    h = layers.BatchNormalization(momentum=MOMENTUM)(h)
    code = layers.Dense(CODE_SIZE, name="code")(h)
    return keras.Model(image, code, name="encoder")


def build_decoder():
    """The decoder, R^32 -> [0, 1]^(28, 28, 1): the encoder's mirror; its last layer is a sigmoid."""
    keras = import_keras()
    layers = keras.layers

    size = IMAGE_SIZE // 4
    code = keras.Input((CODE_SIZE,), name="code")
    h = layers.Dense(WIDTH, activation="silu")(code)
    h = layers.BatchNormalization(momentum=MOMENTUM)(h)
    h = layers.Dense(size * size * FILTERS[1], activation="silu")(h)
    h = layers.Reshape((size, size, FILTERS[1]))(h)  # 7 x 7
    h = layers.Conv2DTranspose(FILTERS[0], 4, strides=2, padding="same", activation="silu")(h)
    logits = layers.Conv2DTranspose(1, 4, strides=2, padding="same", name="logits")(h)
    ink = layers.Activation("sigmoid", dtype="float32", name="ink")(logits)  # 28 x 28
    return keras.Model(code, ink, name="decoder")


def build_autoencoder():
    """Encoder and decoder in a row, each a model of its own: [0, 1]^(28, 28, 1) -> the same."""
    keras = import_keras()
    image = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 1), name="image")
    return keras.Model(image, build_decoder()(build_encoder()(image)), name="autoencoder")


def up_to_logits(autoencoder, optimizer):
    """The same layers without the sigmoid, to be trained: the loss and its gradient are exact."""
    keras = import_keras()
    encoder, decoder = autoencoder.get_layer("encoder"), autoencoder.get_layer("decoder")
    to_logits = keras.Model(decoder.input, decoder.get_layer("logits").output)
    network = keras.Model(autoencoder.input, to_logits(encoder(autoencoder.input)))
    network.compile(optimizer, keras.losses.BinaryCrossentropy(from_logits=True))
    return network


# ---- training


def batches(x, batch_size, seed, epoch):
    """Endless batches (x, x); the order of the images in an epoch depends on seed and epoch alone.

    Only full batches: the images left over in one epoch come up in another.
    """
    while True:
        order = np.random.default_rng((seed, epoch)).permutation(len(x))
        for start in range(0, len(x) - batch_size + 1, batch_size):
            batch = x[order[start : start + batch_size]]
            yield batch, batch
        epoch += 1


def fused(adam):
    """Keras's Adam or AdamW with Nesterov momentum (Dozat 2016), its update in one pass.

    Keras goes a dozen times over the memory for it, TensorFlow has a kernel. The state and its
    names stay those of Keras's own optimizer, so last.keras loads anywhere.
    """
    import tensorflow as tf

    def update_step(gradient, variable, learning_rate):
        place = adam._get_variable_index(variable)
        step = tf.cast(adam.iterations.value + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=adam._momentums[place].value.handle,
            v=adam._velocities[place].value.handle,
            grad=gradient,
            lr=tf.cast(learning_rate, tf.float32),
            beta1=adam.beta_1,
            beta2=adam.beta_2,
            beta1_power=adam.beta_1**step,
            beta2_power=adam.beta_2**step,
            epsilon=adam.epsilon,
            use_nesterov=True,
        )

    adam.update_step = update_step
    return adam


def weight_decay(epochs):
    """AdamW's weight decay (Loshchilov, Hutter 2019): more where images are seen more often."""
    return WEIGHT_DECAY * max(1, math.sqrt(epochs / EPOCHS))


def new_model(config, steps):
    """A fresh autoencoder and its optimizer, whose rate falls from its peak to 0 on the last step."""
    keras = import_keras()
    keras.utils.set_random_seed(config["seed"])
    autoencoder = build_autoencoder()
    rate = keras.optimizers.schedules.CosineDecay(
        config["learning_rate"], decay_steps=config["epochs"] * steps
    )
    autoencoder.compile(optimizer=keras.optimizers.AdamW(rate, weight_decay(config["epochs"])))
    return autoencoder


def fit(run, config, x_train, x_val):
    """Trains what config says from the last finished epoch on, and keeps each epoch in the run.

    A kill at any moment is made good by calling this again: last.keras, written last, says by its
    optimizer's step how many epochs are finished, and a row of history.csv beyond it is redone.
    """
    keras = import_keras()
    batch_size = min(config["batch_size"], len(x_train))
    steps = len(x_train) // batch_size
    if (run / "last.keras").exists():
        autoencoder = load_model(run / "last.keras")
    else:
        autoencoder = new_model(config, steps)
    optimizer = fused(autoencoder.optimizer)
    finished = int(optimizer.iterations) // steps
    history = read_history(run)[:finished]
    if len(history) < finished:
        raise ValueError(f"{run / 'history.csv'}: {len(history)} of {finished} epochs; {ANEW}")
    network = up_to_logits(autoencoder, optimizer)
    best_model = keras.Model(autoencoder.input, autoencoder.output, name="autoencoder")
    rate = started = 0.0

    def begin(epoch, logs):
        nonlocal rate, started
        rate, started = float(optimizer.learning_rate), time.perf_counter()

    def keep(epoch, logs):
        seconds = time.perf_counter() - started
        loss, val_loss = logs["loss"], logs["val_loss"]
        if not math.isfinite(val_loss):
            raise ValueError(f"epoch {epoch + 1}: the loss is no number; lower --learning-rate")
        if val_loss < min((row["val_loss"] for row in history), default=math.inf):
            save_model(best_model, run / "model.keras")
        history.append(dict(zip(HISTORY, (epoch + 1, loss, val_loss, rate, seconds))))
        write_history(run, history)
        save_model(autoencoder, run / "last.keras")
        if not progress_bar:
            notice(
                f"epoch {epoch + 1}/{config['epochs']}: {seconds:.0f} s, "
                f"loss {loss:.4f}, validation {val_loss:.4f}"
            )

    progress_bar = sys.stderr.isatty()

    try:
        with contextlib.redirect_stdout(sys.stderr):  # where Keras's progress bar belongs
            network.fit(
                batches(x_train, batch_size, config["seed"], finished),
                steps_per_epoch=steps,
                initial_epoch=finished,
                epochs=config["epochs"],
                validation_data=(x_val, x_val),
                validation_batch_size=PREDICT_BATCH,
                callbacks=[keras.callbacks.LambdaCallback(on_epoch_begin=begin, on_epoch_end=keep)],
                shuffle=False,  # batches does it
                verbose=int(progress_bar),
            )
    except KeyboardInterrupt:
        kept = f"{len(history)} finished epochs are kept in {run}; " if history else ""
        raise KeyboardInterrupt(f"{kept}go on with: {command('train', run)} --resume") from None
    return history


# ---- figures


def cross_entropy(x, p):
    """Binary cross-entropy of each image, nats a pixel: x, p (N, 28, 28) in [0, 1] -> (N,).

    cross_entropy(x, x) is the entropy of the grey pixels, the floor that no p goes below.
    """
    from scipy.special import xlog1py, xlogy

    return np.array(
        [-np.mean(xlogy(a, b) + xlog1py(1 - a, -b)) for a, b in zip(x, p.astype(np.float64))]
    )


def score(x, p):
    """Figures of the reconstructions p of the images x, all pixels: bce, excess, mse, psnr (dB)."""
    bce = cross_entropy(x, p).mean()
    mse = float(np.mean([np.mean((a - b) ** 2) for a, b in zip(x, p.astype(np.float64))]))
    excess = bce - cross_entropy(x, x).mean()
    psnr = 10 * math.log10(1 / max(mse, 1e-12))
    return {"bce": float(bce), "excess": float(excess), "mse": mse, "psnr": psnr}


def pca_reconstructions(x_train, x_test):
    """What 32 numbers a picture give without a network: (N, 28, 28) in [1/510, 1 - 1/510]."""
    from sklearn.decomposition import PCA

    pca = PCA(CODE_SIZE, svd_solver="covariance_eigh")
    pca.fit(x_train.reshape(len(x_train), -1))
    p = pca.inverse_transform(pca.transform(x_test.reshape(len(x_test), -1)))
    return p.reshape(x_test.shape).clip(1 / 510, 1 - 1 / 510)


# ---- morphs


def linear_path(a, b, steps):
    """Codes at even steps on the straight line: (rows, 32), (rows, 32) -> (rows, steps, 32)."""
    t = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
    return (1 - t) * a[:, None] + t * b[:, None]


def geodesic_paths(index, straight, autoencoder):
    """The geodesics, (rows, steps, 32), between the ends of straight paths of the same shape."""
    from support.geodesic import geodesic

    paths, unjoined = geodesic(
        index,
        straight[:, 0],
        straight[:, -1],
        straight.shape[1],
        functools.partial(decode, autoencoder),
    )
    if unjoined.any():
        notice(f"{unjoined.sum()} rows cross a gap among the codes, between nearest neighbours")
    return paths


def random_pairs(y, rows, seed):
    """Indices (rows, 2) of images whose labels y differ; seed may be a numpy Generator."""
    if len(np.unique(y)) < 2:
        raise ValueError("the images are all of one class; a pair needs two")
    rng = np.random.default_rng(seed)
    pairs = rng.integers(len(y), size=(rows, 2))
    while (same := y[pairs[:, 0]] == y[pairs[:, 1]]).any():
        pairs[same, 1] = rng.integers(len(y), size=same.sum())
    return pairs


def word_pairs(from_text, to_text, names, y, codes, seed=None):
    """Indices (rows, 2) of test images that spell two texts; a space gives (-1, -1).

    Without a seed a character is shown by the typical image of its class, the one whose code is
    nearest the class's mean; with one, by a random image. A letter whose case is merged with the
    other stands for their class.
    """
    labels = {name: label for label, name in names.items() if (y == label).any()}
    labels = {name.swapcase(): label for name, label in labels.items()} | labels
    unknown = sorted(set(from_text + to_text) - set(labels) - {" "})
    if unknown:
        known = "".join(sorted(labels))
        raise ValueError(f"no class for {' '.join(unknown)}; the characters are {known}")
    rng = np.random.default_rng(seed)

    def choose(name):
        if name == " ":
            return -1
        members = np.flatnonzero(y == labels[name])
        if seed is not None:
            return rng.choice(members)
        distances = np.linalg.norm(codes[members] - codes[members].mean(0), axis=1)
        return members[distances.argmin()]

    return np.array([[choose(a), choose(b)] for a, b in zip(from_text, to_text)])


def encode(autoencoder, x):
    """(N, 28, 28) in [0, 1] -> (N, 32)."""
    encoder = autoencoder.get_layer("encoder")
    parts = [x[i : i + 50_000] for i in range(0, len(x), 50_000)]  # predict copies what it is given
    return np.concatenate([encoder.predict(p, PREDICT_BATCH, verbose=0) for p in parts])


def reconstruct(autoencoder, x):
    """(N, 28, 28) in [0, 1] -> the same, by way of the code; never 0 or 1, as logarithms want it."""
    p = autoencoder.predict(x, batch_size=PREDICT_BATCH, verbose=0)[..., 0]
    return p.clip(1e-7, 1 - 1e-7)


def decode(autoencoder, codes):
    """(..., 32) -> (..., 28, 28) in [0, 1], all in one go."""
    decoder = autoencoder.get_layer("decoder")
    p = decoder.predict(codes.reshape(-1, CODE_SIZE), batch_size=PREDICT_BATCH, verbose=0)
    return p.reshape(*codes.shape[:-1], IMAGE_SIZE, IMAGE_SIZE)


# ---- the run folder

ANEW = "begin anew with --overwrite"


def command(name, run):
    """The command line `name` of this program for a run."""
    return f"python autoencoder.py {name}" + ("" if run == DEFAULT_RUN else f" --run-dir {run}")


def read_config(run):
    path = run / "config.json"
    if not path.exists():
        raise FileNotFoundError(f"no run in {run}; make one with: {command('train', run)}")
    try:
        config = json.loads(path.read_text())
        kinds = {"data": str, "split": str, "data_root": str, "epochs": int, "batch_size": int}
        kinds |= {"learning_rate": float, "seed": int}
        wrong = [key for key, kind in kinds.items() if not isinstance(config[key], kind)]
    except (ValueError, KeyError, TypeError) as error:
        wrong = error
    if wrong:
        raise ValueError(f"{path}: not the configuration of a run ({wrong}); {ANEW}")
    return config


def read_history(run):
    """The rows of history.csv as dicts of numbers; none where there is no file."""
    path = run / "history.csv"
    if not path.exists():
        return []
    try:
        with open(path, newline="") as file:
            rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
        if any(tuple(row) != HISTORY or row["epoch"] != i for i, row in enumerate(rows, 1)):
            raise ValueError("rows or columns are missing")
    except (ValueError, TypeError, AttributeError, csv.Error) as error:
        raise ValueError(f"{path}: not a run's history ({error}); {ANEW}") from error
    return [row | {"epoch": int(row["epoch"])} for row in rows]


def write_history(run, history):
    with replacing(run / "history.csv") as unfinished, open(unfinished, "w", newline="") as file:
        writer = csv.DictWriter(file, HISTORY)
        writer.writeheader()
        writer.writerows(history)


def write_json(path, content):
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def save_model(model, path):
    with replacing(path) as unfinished:
        model.save(unfinished)


def load_model(path):
    """Loads an autoencoder; ValueError where the file is not one. Code in the file is not run."""
    keras = import_keras()
    try:
        model = keras.saving.load_model(path)
        shapes = [model.input_shape, model.output_shape]
        shapes += [model.get_layer("encoder").output_shape, model.get_layer("decoder").input_shape]
    except Exception as error:  # Keras raises whatever the damage leads to
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path}: no autoencoder can be loaded from it: {reason}") from error
    image, code = (None, IMAGE_SIZE, IMAGE_SIZE, 1), (None, CODE_SIZE)
    if shapes != [image, image, code, code]:
        raise ValueError(f"{path}: an autoencoder from (28, 28, 1) to 32 and back is wanted")
    return model


def load_data(config):
    """The training, validation and test images of a run, the test labels, each label's character.

    Validation is the last part of the training set: as long as the test set, else a sixth.
    """
    _, folder = dataset.find_data(config["data"], config["split"], config["data_root"], urls=())
    (x, _), (x_test, y_test) = dataset.load_emnist(config["split"], folder)
    n = len(x_test) if 2 * len(x_test) <= len(x) else max(1, len(x) // 6)
    return x[:-n], x[-n:], x_test, y_test, dataset.class_names(config["split"], folder)


def open_run(run, data_root):
    """The trained autoencoder of a run, and the run's data."""
    config = read_config(run)
    if not (run / "model.keras").exists():
        raise FileNotFoundError(f"no finished epoch in {run}: {command('train', run)} --resume")
    data = load_data(config | ({"data_root": data_root} if data_root else {}))
    return load_model(run / "model.keras"), data


def open_index(run, autoencoder, *x):
    """The graph of the codes of the images x: the run's own, or built anew and kept there."""
    from support.geodesic import build_index, load_index

    digest = hashlib.sha256((run / "model.keras").read_bytes())
    for images in x:
        digest.update(images)
    with contextlib.suppress(FileNotFoundError):
        try:
            return load_index(run / "index.npz", digest.hexdigest())
        except ValueError as error:
            notice(f"{error}; building it anew")
    notice("building the index of the training images' codes, once for a model")
    codes = np.concatenate([encode(autoencoder, images) for images in x])
    index = build_index(codes, digest.hexdigest())
    index.save(run / "index.npz")
    return index


def refuse_run(run, overwrite):
    if (run / "config.json").exists() and not overwrite:
        raise click.ClickException(
            f"{run} holds a run. Go on with it: {command('train', run)} --resume; use it: "
            f"{command('test', run)}; begin anew: {command('train', run)} --overwrite"
        )


def begin_run(run, config, data):
    """Empties the folder of an earlier run's files and writes config.json, which makes it a run."""
    from importlib.metadata import version

    backend = import_keras().backend.backend()
    counts = {part: len(x) for part, x in zip(("train", "validation", "test"), data)}
    versions = {name: version(name) for name in ("keras", backend, "numpy")}
    versions["python"] = platform.python_version()
    for name in RUN_FILES:
        (run / name).unlink(missing_ok=True)
    write_json(run / "config.json", config | {"counts": counts, "versions": versions})


# ---- the command line

COUNT, SEED, RATE = click.IntRange(1), click.IntRange(0), click.FloatRange(0, min_open=True)
FILE, FOLDER = click.Path(dir_okay=False), click.Path(file_okay=False)
PATH_HELP = "The way; geodesic searches at most 120,000 training codes, a random sample of more."
DATA, PATH = click.Choice(["auto", "emnist", "demo"]), click.Choice(["linear", "geodesic"])


@click.group(cls=dataset.Commands, context_settings=dataset.SETTINGS)
def cli():
    """A convolutional autoencoder of handwritten characters with a code of 32 numbers."""


run_dir_option = click.option(
    "--run-dir", type=FOLDER, default=DEFAULT_RUN, help="The run's folder."
)
moved_data_option = click.option("--data-root", type=FOLDER, help="The data's folder, if moved.")


@cli.command()
@click.option(
    "--data", type=DATA, default="auto", help="auto: EMNIST, or demo where there is none."
)
@dataset.split_option
@dataset.data_root_option
@run_dir_option
@click.option("--epochs", type=COUNT, default=EPOCHS, help="Passes over the training images.")
@click.option("--batch-size", type=COUNT, default=BATCH_SIZE, help="Images a step.")
@click.option("--learning-rate", type=RATE, default=LEARNING_RATE, help="Its peak; it falls to 0.")
@click.option("--seed", type=SEED, default=0, help="Of the weights and the order of images.")
@click.option("--resume", is_flag=True, help="Go on with the run, with the options it began with.")
@click.option("--overwrite", is_flag=True, help="Remove the run's files and begin anew.")
@click.pass_context
def train(ctx, run_dir, data, split, data_root, resume, overwrite, **options):
    """Train an autoencoder, or go on training one."""
    given = {name for name in ctx.params if ctx.get_parameter_source(name).name == "COMMANDLINE"}
    if resume and given - {"resume", "run_dir", "data_root"}:
        raise click.UsageError("--resume takes every option from the run; drop the others")
    if data == "demo" and split != "balanced":
        raise click.UsageError("the demo set is made for --split balanced alone")
    run = Path(run_dir)
    fallen_back = False
    if resume:
        config = read_config(run)
        if "data_root" in given:
            config["data_root"] = data_root
        if len(read_history(run)) == config["epochs"] and (run / "curves.png").exists():
            click.echo(f"{run}: already complete, {config['epochs']} epochs")
            return
    else:
        refuse_run(run, overwrite)
        found, _ = dataset.find_data(data, split, data_root)
        fallen_back = data == "auto" and found == "demo"
        config = {"data": found, "split": split, "data_root": os.path.abspath(data_root), **options}

    x_train, x_val, x_test, *_ = load_data(config)
    ctx.with_resource(dataset.locked(run, wait=False))
    if not resume:
        refuse_run(run, overwrite)  # one may have been trained while the data were loaded
        begin_run(run, config, (x_train, x_val, x_test))
    history = fit(run, config, x_train, x_val)
    floor = cross_entropy(x_val, x_val).mean()
    pictures.draw_curves(run / "curves.png", history, floor)

    best = min(history, key=lambda row: row["val_loss"])
    click.echo(f"model       {run / 'model.keras'}, epoch {best['epoch']} of {len(history)}")
    click.echo(
        f"validation  {best['val_loss']:.4f}, {best['val_loss'] - floor:.4f} above the floor"
    )
    click.echo(f"next        {command('test', run)}; {command('morph', run)}")
    if fallen_back:
        notice(f"there are no EMNIST files in {data_root}: this was the built-in demo set")


@cli.command()
@run_dir_option
@moved_data_option
def test(run_dir, data_root):
    """Measure the reconstructions of the test images and draw them."""
    run = Path(run_dir)
    autoencoder, (x_train, _, x, y, names) = open_run(run, data_root)
    codes = encode(autoencoder, x)
    p = reconstruct(autoencoder, x)

    floors = cross_entropy(x, x)
    excesses = cross_entropy(x, p) - floors
    present = {name: y == label for label, name in names.items() if (y == label).any()}
    report = {"images": len(x), "bce_floor": float(floors.mean()), **score(x, p)}
    report["pca"] = score(x, pca_reconstructions(x_train, x))
    report["classes"] = {name: float(excesses[where].mean()) for name, where in present.items()}
    write_json(run / "test.json", report)
    pictures.draw_reconstructions(run / "reconstructions.png", x, p, present)
    pictures.draw_codes(run / "codes.png", codes, y, names)

    click.echo(
        f"{len(x):,} test images; no model can go below {report['bce_floor']:.4f} nats a pixel"
    )
    click.echo(f"{'':13}bce     excess  mse     psnr")
    for name, row in {"autoencoder": report, f"PCA-{CODE_SIZE}": report["pca"]}.items():
        figures = "  ".join(f"{row[key]:.4f}" for key in ("bce", "excess", "mse"))
        click.echo(f"{name:<11}  {figures}  {row['psnr']:.1f} dB")
    click.echo("excess of each class, the best first:")
    ordered = sorted(report["classes"].items(), key=lambda item: item[1])
    for start in range(0, len(ordered), 8):
        click.echo("  ".join(f"{name} {excess:.4f}" for name, excess in ordered[start : start + 8]))
    click.echo(f"pictures: {run / 'reconstructions.png'}, {run / 'codes.png'}")


def print_scores(kind, called, frames, straight_frames):
    """Length and smoothness of each row and in all, for the path and for the straight line."""
    from support.geodesic import length_and_smoothness

    figures = [*length_and_smoothness(frames), *length_and_smoothness(straight_frames)]
    line = "{:8}" + "{:<8.2f}{:<12.3f}" * 2
    click.echo(f"{'':8}{kind:20}linear\n{'':8}{'length  smoothness  ' * 2}")
    for names, row in zip(called, np.transpose(figures)):
        if any(names):
            click.echo(line.format(" → ".join(names), *row).replace("nan", " - "))
    median, mean = np.nanmedian(figures, axis=1), np.nanmean(figures, axis=1)
    click.echo(line.format("in all", median[0], mean[1], median[2], mean[3]))
    click.echo(
        "length: the sum of the steps in pixels / the distance of the ends (in all: the median)\n"
        "smoothness: the largest step / that sum - its share if all were even (in all: the mean)"
    )


def check_out(ctx, param, value):
    if value and Path(value).suffix not in (".png", ".gif", ".html", ".npz"):
        raise click.BadParameter("the ending says what is made: .png, .gif, .html or .npz")
    return value


def check_what(rows, from_text, to_text, images):
    if (from_text is None) != (to_text is None):
        raise click.UsageError("--from and --to go together")
    if sum([rows is not None, from_text is not None, bool(images)]) > 1:
        raise click.UsageError("--rows, --from with --to, and --image exclude each other")
    if len(images) == 1:
        raise click.UsageError("--image is wanted twice at least: each turns into the next")
    if from_text is not None:
        if len(from_text) != len(to_text) or not from_text.strip():
            raise click.UsageError("--from and --to must be of the same length, and not empty")
        if any((a == " ") != (b == " ") for a, b in zip(from_text, to_text)):
            raise click.UsageError("a space in --from must face a space in --to")


@cli.command()
@run_dir_option
@moved_data_option
@click.option("--path", "kind", type=PATH, default="linear", help=PATH_HELP)
@click.option("--steps", type=click.IntRange(2), default=10, help="Frames from end to end.")
@click.option("--rows", type=COUNT, help="Random pairs of test images.  [default: 10]")
@click.option("--from", "from_text", help="A word to morph from, a row for each character.")
@click.option("--to", "to_text", help="A word of the same length to morph into.")
@click.option(
    "--image", "images", multiple=True, help="Your own picture of a character; repeat it."
)
@click.option("--seed", type=SEED, help="Of random images.  [default: 0; typical ones for words]")
@click.option("--scale", type=COUNT, default=4, help="Enlarges a .gif or .html.")
@click.option("--score", is_flag=True, help="Print length and smoothness, beside linear's.")
@click.option(
    "--out",
    type=FILE,
    callback=check_out,
    help="A .png, .gif, .html or .npz.  [default: morph.png]",
)
def morph(
    run_dir, data_root, kind, steps, rows, from_text, to_text, images, seed, scale, score, out
):
    """Turn characters into others."""
    check_what(rows, from_text, to_text, images)
    own = [pictures.read_character(image) for image in images]
    run = Path(run_dir)
    out = Path(out or run / "morph.png")
    autoencoder, (x_train, x_val, x, y, names) = open_run(run, data_root)
    if own:
        indices = np.full((len(own) - 1, 2), -1)
        ends = np.stack([own[:-1], own[1:]], axis=1)
    else:
        if from_text is None:
            indices = random_pairs(y, rows or 10, seed or 0)
        else:
            indices = word_pairs(from_text, to_text, names, y, encode(autoencoder, x), seed)
        ends = np.where((indices < 0)[..., None, None], 0, x[indices])
    labels = np.where(indices < 0, -1, y[indices])
    blank = (indices[:, 0] < 0) & (not own)  # a space, in words

    codes = encode(autoencoder, ends.reshape(-1, IMAGE_SIZE, IMAGE_SIZE))
    straight = paths = linear_path(codes[::2], codes[1::2], steps)
    if kind == "geodesic":
        paths = geodesic_paths(open_index(run, autoencoder, x_train, x_val), straight, autoencoder)
    else:
        notice("the straight line can leave handwriting; --path geodesic keeps to it")
    paths[blank] = straight[blank] = 0
    frames, *beside = decode(autoencoder, np.stack([paths, straight] if score else [paths]))
    for row in [frames, *beside]:
        row[blank] = 0

    called = [[names.get(label, "") for label in row] for row in labels.tolist()]
    if own:
        called = [[str(n), str(n + 1)] for n in range(1, len(own))]
        title = f"{len(own)} own pictures"
    else:
        title = f"{from_text} → {to_text}" if from_text else f"{len(indices)} random pairs"
    title += f", {kind} path"
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix == ".npz":
        with replacing(out) as unfinished, open(unfinished, "wb") as file:
            np.savez_compressed(file, frames=frames, codes=paths, labels=labels, indices=indices)
    elif out.suffix == ".gif":
        pictures.write_gif(out, frames, scale)
    elif out.suffix == ".html":
        pictures.write_html(out, frames, scale, title)
    else:
        pictures.draw_morph(out, title, frames, ends, called)
    click.echo(out)
    if score:
        print_scores(kind, called, frames, *beside)


if __name__ == "__main__":
    cli()
