"""The endpoints of morphs: random pairs of images, two words letter by letter, or own pictures."""

from dataclasses import dataclass

import click
import numpy as np

from support.console import InputError

DEFAULT_ROWS = 10  # random pairs
MAX_ROWS = 1000  # of any kind
MAX_WORD = 30  # characters of a word in the title
NONE = -1  # in place of the index or label of a test image


@dataclass(frozen=True)
class Endpoints:
    """The endpoints of a morph, a row for each pair of characters.

    images: (rows, 2, H, W) float32.
    indices, labels: (rows, 2), of the test images at the ends; -1 where there is none.
    names: (rows, 2) str, empty in blank rows.
    title: what the rows show.
    source: where the images are from.
    """

    images: np.ndarray
    indices: np.ndarray
    labels: np.ndarray
    names: np.ndarray
    title: str
    source: str

    @property
    def not_blank(self):
        """(rows,) bool, false where a space faces a space."""
        return (self.names != "").all(axis=1)


def check_choice(rows, from_text, to_text, images):
    """Checks the options that choose the endpoints: one of rows, texts or pictures, or nothing.

    Returns:
        The number of rows, at most MAX_ROWS.

    Raises:
        click.UsageError: says what is wrong.
    """
    if (from_text is None) != (to_text is None):
        raise click.UsageError("--from and --to must be given together")
    given = [rows is not None, from_text is not None, bool(images)]
    if sum(given) > 1:
        raise click.UsageError("give only one of --rows, --from with --to, and pictures")

    if from_text is not None:
        _check_words(from_text, to_text)
        count = len(from_text)
    elif images:
        if len(images) == 1:
            raise click.UsageError("give two or more pictures: each turns into the next")
        count = len(images) - 1
    else:
        count = rows or DEFAULT_ROWS
    if count > MAX_ROWS:
        raise click.UsageError(f"this makes {count:,} rows; at most {MAX_ROWS:,} can be drawn")
    return count


def _check_words(from_text, to_text):
    if len(from_text) != len(to_text) or not from_text.strip():
        raise click.UsageError("--from and --to must have the same length and not be empty")
    for a, b in zip(from_text, to_text, strict=True):
        if (a == " ") != (b == " "):
            raise click.UsageError("spaces must be at the same positions in --from and --to")


# ---- the three kinds of endpoints


def random_pairs(x, y, class_names, rows, seed):
    """Random pairs of test images of different classes.

    Args:
        x, y: the test images (N, H, W) and their labels (N,).
        class_names: dict of label to character.

    Raises:
        InputError: all images have the same class.
    """
    indices = draw_pairs(y, rows, np.random.default_rng(seed))
    return _of_test_images(indices, x, y, class_names, f"{rows} random pairs")


def word_pairs(from_text, to_text, x, y, class_names, encode, seed=None):
    """Test images that spell two texts of the same length, a row for each pair of characters.

    Without a seed, a character is shown by the typical image of its class: the one whose code is
    nearest to the class's mean. With a seed, it is a random image. If a class merges upper and
    lower case, both letters stand for it. Two spaces make a blank row.

    Args:
        x, y: the test images (N, H, W) and their labels (N,).
        class_names: dict of label to character.
        encode: a function (n, H, W) -> (n, D), called for each class that is needed.

    Raises:
        InputError: a character has no class, or its class no image; names it.
    """
    label_of = _labels_of_characters(class_names, y)
    unknown = sorted(set(from_text + to_text) - set(label_of) - {" "})
    if unknown:
        known = "".join(sorted(label_of))
        raise InputError(f"no class for {' '.join(unknown)}; the characters are {known}")

    label_of[" "] = NONE
    pairs = zip(from_text, to_text, strict=True)
    labels = np.array([[label_of[a], label_of[b]] for a, b in pairs])
    if seed is None:
        indices = _typical_images(labels, x, y, encode)
    else:
        indices = _random_images(labels, y, np.random.default_rng(seed))
    title = f"{_shorten(from_text)} → {_shorten(to_text)}"
    return _of_test_images(indices, x, y, class_names, title)


def picture_pairs(images):
    """A person's own pictures, a list of (H, W) arrays; each turns into the next."""
    pairs = np.stack([images[:-1], images[1:]], axis=1)
    numbers = np.arange(1, len(images) + 1).astype(str)
    names = np.stack([numbers[:-1], numbers[1:]], axis=1)
    none = np.full(names.shape, NONE)
    return Endpoints(pairs, none, none, names, f"{len(images)} own pictures", "your pictures")


# ---- their parts


def draw_pairs(y, rows, rng):
    """Random indices (rows, 2) of images whose labels y differ.

    Raises:
        InputError: all labels are the same.
    """
    if len(np.unique(y)) < 2:
        raise InputError("the test images are all of one class; a pair needs two")
    pairs = rng.integers(len(y), size=(rows, 2))
    while True:
        is_same = y[pairs[:, 0]] == y[pairs[:, 1]]
        if not is_same.any():
            return pairs
        pairs[is_same, 1] = rng.integers(len(y), size=is_same.sum())


def _labels_of_characters(class_names, y):
    """Dict of character to label, for each class with an image; both cases of a merged letter."""
    own_case = {name: label for label, name in class_names.items()}
    other_case = {name.swapcase(): label for name, label in own_case.items()}
    label_of = other_case | own_case  # a case with a class of its own is not merged
    present = set(np.unique(y).tolist())
    return {name: label for name, label in label_of.items() if label in present}


def _typical_images(labels, x, y, encode):
    """For each label (rows, 2) the index of the image whose code is nearest to the class's mean."""
    indices = np.full(labels.shape, NONE)
    for label in np.unique(labels[labels != NONE]):
        members = np.flatnonzero(y == label)
        codes = encode(x[members])
        distances = np.linalg.norm(codes - codes.mean(axis=0), axis=1)
        indices[labels == label] = members[distances.argmin()]
    return indices


def _random_images(labels, y, rng):
    """For each label (rows, 2) the index of a random image of its class."""
    indices = np.full(labels.shape, NONE)
    for place, label in np.ndenumerate(labels):
        if label != NONE:
            indices[place] = rng.choice(np.flatnonzero(y == label))
    return indices


def _of_test_images(indices, x, y, class_names, title):
    """Endpoints for indices (rows, 2) of test images; NONE is a blank."""
    is_blank = indices == NONE
    labels = np.where(is_blank, NONE, y[indices])
    images = x[indices]
    images[is_blank] = 0
    names = [[class_names.get(a, ""), class_names.get(b, "")] for a, b in labels.tolist()]
    return Endpoints(images, indices, labels, np.array(names), title, "test images")


def _shorten(text):
    return text if len(text) <= MAX_WORD else f"{text[:MAX_WORD]}…"
