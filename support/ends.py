"""The ends of morphs: random pairs of images, two texts letter by letter, or own pictures."""

from dataclasses import dataclass

import click
import numpy as np

from support.console import InputError

DEFAULT_ROWS = 10  # random pairs


@dataclass
class Ends:
    """What a morph runs between: a row for each pair of characters.

    images: (rows, 2, 28, 28) float32. indices, labels: (rows, 2), of the test images at the ends;
    -1 where an end is none. names: (rows, 2) str, empty in rows that stay blank. title: what the
    rows show; source: where the images are from.
    """

    images: np.ndarray
    indices: np.ndarray
    labels: np.ndarray
    names: np.ndarray
    title: str
    source: str


def check_choice(rows, from_text, to_text, images):
    """Refuses options that do not say one thing to morph: rows, two texts, or own pictures.

    Returns:
        How many rows it will be.

    Raises:
        click.UsageError: says what is wrong with them.
    """
    if (from_text is None) != (to_text is None):
        raise click.UsageError("--from and --to go together")
    if sum([rows is not None, from_text is not None, bool(images)]) > 1:
        raise click.UsageError("--rows, --from with --to, and --image exclude each other")
    if len(images) == 1:
        raise click.UsageError("give --image at least twice: each turns into the next")
    if from_text is not None:
        if len(from_text) != len(to_text) or not from_text.strip():
            raise click.UsageError("--from and --to must be of the same length, and not empty")
        if any((a == " ") != (b == " ") for a, b in zip(from_text, to_text, strict=True)):
            raise click.UsageError("spaces must be at the same positions in --from and --to")
        return len(from_text)
    return len(images) - 1 if images else rows or DEFAULT_ROWS


def choose_ends(own, from_text, to_text, rows, seed, x, y, class_names, encode):
    """The ends of a morph: of the own pictures if there are any, else of the texts, else random.

    Args:
        own: (28, 28) arrays; each turns into the next.
        from_text, to_text: of the same length, or None.
        rows, seed: of random pairs; None is 10 and 0, or without a seed the typical image in texts.
        x, y: the test images (N, 28, 28) and their labels.
        class_names: dict of label to character.
        encode: a function (N, 28, 28) -> (N, D).

    Raises:
        InputError: a character of the texts has no class, or there are no two classes.
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
    """Indices (rows, 2) of test images that spell two texts; a space gives (-1, -1).

    Without a seed a character is shown by the typical image of its class, the one whose code is
    nearest the class's mean; with one, by a random image. A letter whose case is merged with the
    other stands for their class.
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
