"""The endpoints of morphs: random pairs of images, two words letter by letter, or own pictures."""

from dataclasses import dataclass

import click
import numpy as np

from support.console import InputError

DEFAULT_ROWS = 10  # random pairs
MAX_ROWS = 1000  # of any kind
NONE = -1  # in place of the index or label of a test image


@dataclass(frozen=True)
class Endpoints:
    """Pairs of characters, each the two ends of a morph in a row of its own.

    images: (P, 2, H, W) float32 in [0, 1]. codes: (P, 2, D).
    indices, labels: (P, 2), of the test images at the ends; -1 for own pictures.
    names: (P, 2) str.
    is_shown: (R,) bool, which of all rows have a pair; the others are blank.
    title: what the rows show.
    """

    images: np.ndarray
    codes: np.ndarray
    indices: np.ndarray
    labels: np.ndarray
    names: np.ndarray
    is_shown: np.ndarray
    title: str

    def with_blank_rows(self, array, blank=0):
        """An array (P, ...) of the pairs as one of all rows, (R, ...)."""
        rows = np.full((len(self.is_shown), *array.shape[1:]), blank, array.dtype)
        rows[self.is_shown] = array
        return rows


def check_choice(rows, from_text, to_text, pictures, seed):
    """Checks the options that choose the endpoints: rows, two words, or pictures, or nothing.

    Returns:
        The number of rows, at most MAX_ROWS.

    Raises:
        click.UsageError: says what is wrong.
    """
    if (from_text is None) != (to_text is None):
        raise click.UsageError("--from and --to must be given together")
    given = [rows is not None, from_text is not None, bool(pictures)]
    if sum(given) > 1:
        raise click.UsageError("give only one of --rows, --from with --to, and pictures")
    if pictures and seed is not None:
        raise click.UsageError("--seed chooses test images; pictures need none")
    if len(pictures) == 1:
        raise click.UsageError("give two or more pictures: each turns into the next")

    if from_text is not None:
        if len(from_text) != len(to_text) or not from_text.strip():
            raise click.UsageError("--from and --to must have the same length and not be empty")
        for a, b in zip(from_text, to_text, strict=True):
            if (a == " ") != (b == " "):
                raise click.UsageError("spaces must be at the same positions in --from and --to")
        count = len(from_text)
    elif pictures:
        count = len(pictures) - 1
    else:
        count = rows or DEFAULT_ROWS
    if count > MAX_ROWS:
        raise click.UsageError(f"this makes {count:,} rows; at most {MAX_ROWS:,} can be drawn")
    return count


# ---- the three kinds of endpoints


def random_pairs(trained, rows, seed):
    """Endpoints of random pairs of test images of different classes.

    Raises:
        InputError: all test images have the same class.
    """
    indices = draw_pairs(trained.data.y_test, rows, np.random.default_rng(seed))
    return _of_test_images(trained, indices, np.ones(rows, bool), "random pairs")


def draw_pairs(y, count, rng):
    """Random indices (count, 2) of images whose labels y differ.

    Raises:
        InputError: all labels are the same.
    """
    if len(np.unique(y)) < 2:
        raise InputError("the test images are all of one class; a pair needs two")
    pairs = rng.integers(len(y), size=(count, 2))
    while True:
        is_same = y[pairs[:, 0]] == y[pairs[:, 1]]
        if not is_same.any():
            return pairs
        pairs[is_same, 1] = rng.integers(len(y), size=is_same.sum())


def word_pairs(trained, from_text, to_text, seed=None):
    """Endpoints that spell two texts of the same length, a row for each pair of characters.

    Without a seed, a character is shown by the typical image of its class; with a seed, by a random
    one. If a class merges upper and lower case, both letters stand for it. Two spaces make a blank
    row.

    Raises:
        InputError: a character has no class, or its class no image; names it.
    """
    y = trained.data.y_test
    label_of = _labels_of_characters(trained.data.names, y)
    unknown = sorted(set(from_text + to_text) - set(label_of) - {" "})
    if unknown:
        known = "".join(sorted(label_of))
        raise InputError(
            f"no class for {' '.join(unknown)}; the characters are {known} (umlauts and accents "
            "are not there; a letter whose cases look alike, such as i and I, has one class)"
        )
    rng = np.random.default_rng(seed)

    def image_of(character):
        label = label_of[character]
        if seed is None:
            return typical_image(trained.test_codes, y, label)
        return rng.choice(np.flatnonzero(y == label))

    is_shown = np.array([character != " " for character in from_text])
    pairs = [pair for pair in zip(from_text, to_text, strict=True) if pair != (" ", " ")]
    indices = np.array([[image_of(a), image_of(b)] for a, b in pairs])
    return _of_test_images(trained, indices, is_shown, f"{from_text} → {to_text}")


def _labels_of_characters(class_names, y):
    """Dict of character to label, for each class with an image; both cases of a merged letter."""
    own_case = {name: label for label, name in class_names.items()}
    other_case = {name.swapcase(): label for name, label in own_case.items()}
    label_of = other_case | own_case  # a case with a class of its own is not merged
    present = set(np.unique(y).tolist())
    return {name: label for name, label in label_of.items() if label in present}


def typical_image(codes, y, label):
    """The index of the code (N, D) nearest to the mean of its class; y: (N,), the labels."""
    members = np.flatnonzero(y == label)
    distances = np.linalg.norm(codes[members] - codes[members].mean(axis=0), axis=1)
    return int(members[distances.argmin()])


def _of_test_images(trained, indices, is_shown, title):
    """Endpoints of pairs of test images: indices (P, 2)."""
    images = trained.data.x_test[indices]
    codes = trained.encode(trained.data.x_test[indices.ravel()])
    labels = trained.data.y_test[indices]
    names = [[trained.data.names[label] for label in pair] for pair in labels.tolist()]
    return Endpoints(
        images=images,
        codes=codes.reshape(*indices.shape, -1),
        indices=indices,
        labels=labels,
        names=np.array(names),
        is_shown=is_shown,
        title=title,
    )


def picture_pairs(trained, pictures):
    """Endpoints of a person's own pictures, a list of (H, W); each turns into the next."""
    images = np.stack(pictures)
    codes = trained.encode(images)
    names = np.array([f"#{number + 1}" for number in range(len(images))])
    count = len(images) - 1
    no_test_image = np.full((count, 2), NONE)
    return Endpoints(
        images=_in_pairs(images),
        codes=_in_pairs(codes),
        indices=no_test_image,
        labels=no_test_image,
        names=_in_pairs(names),
        is_shown=np.ones(count, bool),
        title="own pictures",
    )


def _in_pairs(array):
    """(N, ...) -> (N - 1, 2, ...): each with the next."""
    return np.stack([array[:-1], array[1:]], axis=1)
