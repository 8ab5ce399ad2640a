"""The ends of morphs: random pairs of images, two texts letter by letter, or own pictures."""

from dataclasses import dataclass

import click
import numpy as np

from support.console import InputError

DEFAULT_ROWS = 10  # random pairs


@dataclass
class Ends:
    """The ends of a morph, a row for each pair of characters.

    images: (rows, 2, 28, 28) float32. indices, labels: (rows, 2), of the test images at the ends;
    -1 where an end is not a test image. names: (rows, 2) str, empty in blank rows. title: what the
    rows show; source: where the images are from.
    """

    images: np.ndarray
    indices: np.ndarray
    labels: np.ndarray
    names: np.ndarray
    title: str
    source: str


def check_choice(rows, from_text, to_text, images):
    """Refuses options that do not name exactly one kind of ends: rows, texts or pictures.

    Returns:
        The number of rows.

    Raises:
        click.UsageError: says what is wrong.
    """
    if (from_text is None) != (to_text is None):
        raise click.UsageError("--from and --to must be given together")
    if sum([rows is not None, from_text is not None, bool(images)]) > 1:
        raise click.UsageError("give only one of --rows, --from with --to, and --image")
    if len(images) == 1:
        raise click.UsageError("give --image at least twice: each turns into the next")
    if from_text is not None:
        if len(from_text) != len(to_text) or not from_text.strip():
            raise click.UsageError("--from and --to must have the same length and not be empty")
        if any((a == " ") != (b == " ") for a, b in zip(from_text, to_text, strict=True)):
            raise click.UsageError("spaces must be at the same positions in --from and --to")
        return len(from_text)
    return len(images) - 1 if images else rows or DEFAULT_ROWS


def choose_ends(own, from_text, to_text, rows, seed, x, y, class_names, encode):
    """The ends of a morph: the own pictures if there are any, else the texts, else random pairs.

    Args:
        own: (28, 28) arrays; each turns into the next.
        from_text, to_text: two texts of the same length, or None.
        rows, seed: for random pairs, by default 10 and 0. In texts, no seed means typical images.
        x, y: the test images (N, 28, 28) and their labels.
        class_names: dict of label to character.
        encode: a function (N, 28, 28) -> (N, D).

    Raises:
        InputError: a character of the texts has no class, or all images have the same class.
    """
    if own:
        images = np.stack([own[:-1], own[1:]], axis=1)
        none = np.full(images.shape[:2], -1)
        numbers = np.arange(1, len(own) + 1).astype(str)
        names = np.stack([numbers[:-1], numbers[1:]], axis=1)
        return Ends(images, none, none, names, f"{len(own)} own pictures", "your pictures")
    if from_text is None:
        indices = random_pairs(y, rows or DEFAULT_ROWS, seed or 0)
        title = f"{len(indices)} random pairs"
    else:
        indices = word_pairs(from_text, to_text, class_names, y, encode(x), seed)
        title = f"{from_text} → {to_text}"
    blank = indices < 0
    labels = np.where(blank, -1, y[indices])
    names = np.array([[class_names.get(label, "") for label in row] for row in labels.tolist()])
    images = np.where(blank[..., None, None], 0, x[indices])
    return Ends(images, indices, labels, names, title, "test images")


def random_pairs(y, rows, seed):
    """Indices (rows, 2) of images whose labels y differ; seed may be a numpy Generator."""
    if len(np.unique(y)) < 2:
        raise InputError("the test images are all of one class; a pair needs two")
    rng = np.random.default_rng(seed)
    pairs = rng.integers(len(y), size=(rows, 2))
    while (same := y[pairs[:, 0]] == y[pairs[:, 1]]).any():
        pairs[same, 1] = rng.integers(len(y), size=same.sum())
    return pairs


def word_pairs(from_text, to_text, names, y, codes, seed=None):
    """Indices (rows, 2) of test images that spell two texts; a space has (-1, -1).

    Without a seed, a character is shown by the typical image of its class: the one whose code is
    nearest to the class's mean. With a seed, it is a random image. If a class merges upper and
    lower case, both letters stand for it.
    """
    labels = {name: label for label, name in names.items()}
    labels = {name.swapcase(): label for name, label in labels.items()} | labels
    labels = {name: label for name, label in labels.items() if (y == label).any()}
    if unknown := sorted(set(from_text + to_text) - set(labels) - {" "}):
        known = "".join(sorted(labels))
        raise InputError(f"no class for {' '.join(unknown)}; the characters are {known}")
    rng = np.random.default_rng(seed)

    def choose(name):
        if name == " ":
            return -1
        members = np.flatnonzero(y == labels[name])
        if seed is not None:
            return rng.choice(members)
        distances = np.linalg.norm(codes[members] - codes[members].mean(0), axis=1)
        return members[distances.argmin()]

    return np.array([[choose(a), choose(b)] for a, b in zip(from_text, to_text, strict=True)])
