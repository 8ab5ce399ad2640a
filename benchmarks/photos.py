"""How well characters are read from photos and scans: shadows, squared paper, all kinds of pens.

    python -m benchmarks.photos table                    # with the run in runs/default
    python -m benchmarks.photos example --out photo.png  # the README's picture; needs no run

Each condition makes a picture of a test image, as a person would take it: enlarged to a pen's sharp
edge, inked on paper, lit. A picture is read right if the test codes nearest to its own code have
the same class as those nearest to the original's code. Only clear originals are taken: their
nearest codes all have one class. What is refused counts as wrong.
"""

import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from PIL import Image
from scipy import ndimage

from autoencoder import TrainedRun, run_dir_option
from dataset import CLASSES, data_root_option
from support.console import CONTEXT_SETTINGS, InputError
from support.emnist.demo import draw_demo_set
from support.emnist.idx import IMAGE_SIZE
from support.files import replacing
from support.morph.photo import read_character

SIDE = 800  # pixels of a page
NEIGHBOURS = 5  # codes that decide on a class


@dataclass(frozen=True)
class Condition:
    name: str
    paper: float | tuple = 240  # brightness, 0 to 255, or red, green and blue
    ink: float | tuple = 35
    size: tuple = (0.3, 0.7)  # of the image, smallest and largest: shares of the page's side
    pen: float = 1  # its width, relative to the image's pen
    cropped: bool = False  # to the ink
    lines: float = 0  # how dark printed squares are, from 0, none, to 1, like ink
    shadow: float = 0  # how dark a shadow on one side is, from 0 to 1
    hand: float = 0  # likewise the round shadow of a hand
    edge: float = 20  # pixels over which the edge of a shadow fades
    light: float = 1
    noise: float = 3
    table: float = 0  # brightness of a table that is seen at the left, or 0: none
    quality: int = 75  # of the JPEG


CONDITIONS = [
    Condition("plain"),
    Condition("light on dark", paper=25, ink=230),
    Condition("colours", paper=(170, 220, 170), ink=(200, 40, 40), shadow=0.25, edge=300),
    Condition("small on the page", size=(0.07, 0.1)),
    Condition("fills the page", size=(1, 1)),
    Condition("cropped", cropped=True),
    Condition("cropped, light on dark", cropped=True, paper=25, ink=230),
    Condition("thick marker", pen=1.6, size=(0.3, 0.6)),
    Condition("pencil", pen=0.6, ink=110, shadow=0.2, edge=400, noise=6),
    Condition("pale ink", ink=190),
    Condition("squared paper in hard shadow", lines=0.3, shadow=0.4, edge=4),
    Condition("shadow of a hand", hand=0.45),
    Condition("noisy and dim", light=0.45, noise=10, quality=12),
    Condition("edge of the table", table=70, size=(0.3, 0.5)),
]
LAMP = Condition(
    "the README's picture",
    paper=(246, 240, 224),
    ink=(42, 52, 120),
    size=(0.55, 0.6),
    lines=0.25,
    hand=0.45,
    quality=95,
)


# ---- taking pictures


def take_photo(condition, image, rng):
    """A picture of an image (28, 28) in [0, 1]."""
    size = int(SIDE * rng.uniform(*condition.size))
    page = lay(change_pen(enlarge(image, size), condition.pen), rng)
    if condition.cropped:
        page = crop(page)
    if condition.lines:
        page = np.maximum(page, condition.lines * printed_squares(page.shape, rng))
    light = condition.light
    if condition.shadow:
        light = light * (1 - condition.shadow * side_shadow(page.shape, condition.edge, rng))
    if condition.hand:
        light = light * (1 - condition.hand * hand_shadow(page.shape, condition.edge, rng))

    paper = np.atleast_1d(condition.paper)  # (1,) or (3,): red, green, blue
    ink = np.atleast_1d(condition.ink)
    seen = paper + page[..., None] * (ink - paper)
    seen = seen * np.broadcast_to(light, page.shape)[..., None]
    if condition.table:
        seen[:, : int(SIDE * rng.uniform(0.05, 0.2))] = condition.table
    seen = seen + rng.normal(0, condition.noise, (*page.shape, 1))
    return Image.fromarray(to_bytes(seen).squeeze())


def enlarge(image, size):
    """(28, 28) -> (size, size): coverage with ink, 0 to 1, with a pen's sharp edge."""
    large = Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC)
    sharpness = size / IMAGE_SIZE
    return np.clip((np.asarray(large) - 0.4) * sharpness + 0.5, 0, 1)


def change_pen(ink, factor):
    """The coverage by a pen that is wider by a factor."""
    if factor == 1:
        return ink
    inside = ndimage.distance_transform_edt(ink > 0.5)
    outside = ndimage.distance_transform_edt(ink <= 0.5)
    half_width = 2 * inside[inside > 0].mean()
    return np.clip(inside - outside + (factor - 1) * half_width + 0.5, 0, 1)


def lay(ink, rng):
    """Coverage on a square page, somewhere: (h, w) -> (SIDE, SIDE)."""
    page = np.zeros((SIDE, SIDE), np.float32)
    top = rng.integers(0, SIDE - ink.shape[0] + 1)
    left = rng.integers(0, SIDE - ink.shape[1] + 1)
    page[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return page


def crop(page):
    rows = np.flatnonzero((page > 0.5).any(axis=1))
    columns = np.flatnonzero((page > 0.5).any(axis=0))
    return page[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def printed_squares(shape, rng):
    """Lines of 2 pixels, both ways: 1, between them 0."""
    spacing = rng.integers(40, 70)
    row, column = np.indices(shape) + rng.integers(spacing)
    return (row % spacing < 2) | (column % spacing < 2)


def side_shadow(shape, edge, rng):
    """A shadow on one side of a page, at a random angle: 1, in the light 0."""
    angle = rng.uniform(0, 2 * np.pi)
    offset = rng.uniform(-0.2, 0.2) * shape[1]
    y, x = from_middle(shape)
    return fade(np.cos(angle) * y + np.sin(angle) * x - offset, edge)


def hand_shadow(shape, edge, rng):
    """A large round shadow that reaches in from one side: 1, in the light 0."""
    radius = shape[1] * rng.uniform(0.35, 0.6)
    angle = rng.uniform(0, 2 * np.pi)
    distance = shape[1] * rng.uniform(0.4, 0.6)
    y, x = from_middle(shape)
    return fade(radius - np.hypot(y - distance * np.cos(angle), x - distance * np.sin(angle)), edge)


def from_middle(shape):
    row, column = np.indices(shape)
    return row - shape[0] / 2, column - shape[1] / 2


def fade(depth, edge):
    """How dark a shadow is at these depths in it, in pixels: from 0, outside, to 1."""
    return np.clip(depth / edge + 0.5, 0, 1)


def to_bytes(brightness):
    return brightness.round().clip(0, 255).astype(np.uint8)


# ---- reading them


def read_photo(picture, quality):
    """What is read from a picture saved as JPEG: (28, 28).

    Raises:
        InputError: the picture is refused.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photo.jpg"
        picture.save(path, quality=quality)
        _, character = read_character(path)
    return character


def choose_clear(codes, y, count, seed):
    """A judge of codes, and the indices of images that are clear to it and that it has not seen."""
    from sklearn.neighbors import KNeighborsClassifier

    order = np.random.default_rng(seed).permutation(len(y))
    candidates = order[: 3 * count]
    others = order[3 * count :]
    judge = KNeighborsClassifier(NEIGHBOURS).fit(codes[others], y[others])
    agreement = judge.predict_proba(codes[candidates]).max(axis=1)
    clearest = np.argsort(-agreement, kind="stable")[:count]
    return judge, candidates[clearest]


# ---- the command line


@click.group(context_settings=CONTEXT_SETTINGS)
def cli():
    """How well characters are read from photos and scans."""


seed_option = click.option("--seed", default=0, help="Seed of the images and their pictures.")


@cli.command()
@run_dir_option
@data_root_option
@click.option("--count", type=click.IntRange(1), default=100, help="Images.")
@seed_option
@click.option("--only", multiple=True, help="Only this condition; repeat it for more.")
def table(run_dir, data_root, count, seed, only):
    """Print how many pictures are read right in each condition, and how many are refused."""
    trained = TrainedRun(run_dir, data_root)
    judge, indices = choose_clear(trained.test_codes, trained.data.y_test, count, seed)
    expected = judge.predict(trained.test_codes[indices])
    click.echo(f"{len(indices)} images in each condition\n")
    click.echo("| condition | read right | refused |")
    click.echo("|---|---|---|")
    for condition in CONDITIONS:
        if only and condition.name not in only:
            continue
        read = np.zeros((len(indices), IMAGE_SIZE, IMAGE_SIZE), np.float32)
        for number, index in enumerate(indices):
            rng = np.random.default_rng([seed, index])
            picture = take_photo(condition, trained.data.x_test[index], rng)
            with contextlib.suppress(InputError):
                read[number] = read_photo(picture, condition.quality)
        is_read = read.any(axis=(1, 2))
        is_right = is_read & (judge.predict(trained.encode(read)) == expected)
        refused = 1 - is_read.mean()
        click.echo(f"| {condition.name} | {is_right.mean():.0%} | {refused:.0%} |")


@cli.command()
@click.option("--character", default="R", help="Which character of the demo set.")
@seed_option
@click.option("--out", default="photo.png", help="The picture.")
def example(character, seed, out):
    """Draw a photo of a character of the demo set beside what was read from it."""
    (x, y), _ = draw_demo_set(1, 1, seed)
    labels = {name: label for label, name in CLASSES["balanced"].items()}
    if character not in labels:
        raise click.BadParameter(f"expected one of {''.join(labels)}", param_hint="--character")
    image = x[y == labels[character]][0] / np.float32(255)
    photo = take_photo(LAMP, image, np.random.default_rng(seed))
    read = read_photo(photo, LAMP.quality)

    side = 300
    both = Image.new("RGB", (2 * side + 10, side), "white")
    both.paste(photo.resize((side, side), Image.Resampling.BOX))
    ink = Image.fromarray(to_bytes(255 * (1 - read)))
    both.paste(ink.resize((side, side), Image.Resampling.NEAREST), (side + 10, 0))
    with replacing(out) as partial:
        both.save(partial)
    click.echo(out)


if __name__ == "__main__":
    cli()
