"""How well characters are read from photos and scans: shadows, ruled paper, all kinds of files.

    python benchmarks/photos.py table                    # with the run in runs/default
    python benchmarks/photos.py sheet --out sheet.png    # photos over what was read from them
    python benchmarks/photos.py example --out photo.png  # the README's picture

Each condition makes a picture of a test image, as a person would take it: enlarged to a pen's sharp
edge, inked on paper, lit. A picture is read right if the test codes nearest to its own code have
the same class as those nearest to the original's code. Only clear originals are taken: their
nearest codes all have one class. What is refused counts as wrong.
"""

import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np
from PIL import Image
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from autoencoder import encode, open_run, run_dir_option
from dataset import CLASSES, IMAGE_SIZE, data_root_option
from support.charts import draw_read
from support.console import CONTEXT_SETTINGS, InputError
from support.emnist.demo import draw_demo_set
from support.files import replacing
from support.morph.photo import open_picture, read_character

SIDE = 800  # pixels of a page
WHITE = 240.0
BLACK = 35.0
NEIGHBOURS = 5  # codes that decide on a class
SCAN_SIDE = 2400  # pixels, at high resolution
ORIENTATION = 0x0112  # the EXIF tag

# ---- parts of a picture: pen, page, light


def enlarge(image, size):
    """(28, 28) -> (size, size): coverage with ink, 0 to 1, with a pen's sharp edge."""
    large = Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC)
    sharpness = size / IMAGE_SIZE
    return np.clip((np.asarray(large) - 0.4) * sharpness + 0.5, 0, 1)


def lay(ink, rng, side=SIDE):
    """Coverage on a square page, somewhere: (h, w) -> (side, side)."""
    page = np.zeros((side, side), np.float32)
    top = rng.integers(0, side - ink.shape[0] + 1)
    left = rng.integers(0, side - ink.shape[1] + 1)
    page[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return page


def page_of(image, rng, side=SIDE, smallest=0.3, largest=0.7):
    """Coverage on a page, the image's side a share of the page's side."""
    size = int(side * rng.uniform(smallest, largest))
    return lay(enlarge(image, size), rng, side)


def crop_to_ink(page):
    rows = np.flatnonzero((page > 0.5).any(axis=1))
    columns = np.flatnonzero((page > 0.5).any(axis=0))
    return page[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def expose(page, rng, light=1.0, paper=WHITE, ink=BLACK, noise=3.0):
    """Coverage -> brightness (H, W) uint8: paper and ink in some light, with a camera's noise."""
    seen = light * (paper + page * (ink - paper))
    return to_bytes(seen + rng.normal(0, noise, page.shape))


def to_bytes(brightness):
    return brightness.round().clip(0, 255).astype(np.uint8)


def rule(page, rng, both_ways=False, strength=0.3):
    """Pale printed lines on the paper: coverage by them, of the same shape."""
    spacing = rng.integers(40, 70)
    lines = np.zeros_like(page)
    offset = rng.integers(spacing)
    lines[offset::spacing] = strength
    lines[offset + 1 :: spacing] = strength
    if both_ways:
        lines[:, offset::spacing] = strength
        lines[:, offset + 1 :: spacing] = strength
    return np.maximum(page, lines)


def shadow(shape, rng, edge, darkness=0.4):
    """Light on a page with one side in shadow, the edge some pixels wide, at a random angle."""
    height, width = shape
    angle = rng.uniform(0, 2 * np.pi)
    offset = rng.uniform(-0.2, 0.2) * width
    row, column = np.mgrid[:height, :width]
    y = row - height / 2
    x = column - width / 2
    along = np.cos(angle) * y + np.sin(angle) * x - offset
    return dim(along, edge, darkness)


def hand_shadow(shape, rng, edge=20, darkness=0.45):
    """Light on a page with a large round shadow that reaches in from one side."""
    height, width = shape
    radius = width * rng.uniform(0.35, 0.6)
    angle = rng.uniform(0, 2 * np.pi)
    distance = width * rng.uniform(0.4, 0.6)
    row, column = np.mgrid[:height, :width]
    y = row - height / 2 - distance * np.cos(angle)
    x = column - width / 2 - distance * np.sin(angle)
    return dim(radius - np.hypot(x, y), edge, darkness)


def dim(depth, edge, darkness):
    """Light where a shadow is some pixels deep, negative outside of it: its edge is soft."""
    return 1 - darkness * np.clip(depth / edge + 0.5, 0, 1)


def thin(page, share):
    """Coverage by a pen whose width is this share of the pen's."""
    depth = ndimage.distance_transform_edt(page > 0.5)
    half_width = np.percentile(depth[depth > 0], 95)
    deepest = ndimage.maximum_filter(depth, size=int(half_width) + 1)
    line = (depth > 0) & (depth >= (1 - share) * deepest)
    joined = ndimage.binary_closing(line, np.ones((5, 5)), iterations=2)
    return joined.astype(np.float32)


def thicken(page, share):
    """Coverage by a pen that is wider by this share of the pen's width."""
    depth = ndimage.distance_transform_edt(page > 0.5)
    half_width = np.percentile(depth[depth > 0], 80)
    distance = ndimage.distance_transform_edt(page <= 0.5)
    return np.clip(share * half_width - distance + 0.5, 0, 1).astype(np.float32)


# ---- conditions: an image (28, 28) in [0, 1] and a random generator -> a picture


def plain(image, rng):
    return Image.fromarray(expose(page_of(image, rng), rng))


def white_on_black(image, rng):
    return Image.fromarray(expose(page_of(image, rng), rng, paper=25, ink=230))


def fills_the_page(image, rng):
    return Image.fromarray(expose(enlarge(image, SIDE), rng))


def ruled_paper(image, rng):
    return Image.fromarray(expose(rule(page_of(image, rng), rng), rng))


def squared_paper(image, rng):
    return Image.fromarray(expose(rule(page_of(image, rng), rng, both_ways=True), rng))


def noisy_and_dim(image, rng):
    return Image.fromarray(expose(page_of(image, rng), rng, light=0.45, noise=10))


def scan_of_one_bit(image, rng):
    grey = expose(page_of(image, rng), rng, noise=35)
    return Image.fromarray(grey > 128)


def small_on_the_page(image, rng):
    ink = crop_to_ink(enlarge(image, 400))
    scale = 0.06 * SIDE / ink.shape[0]
    size = max(round(400 * scale), IMAGE_SIZE)
    return Image.fromarray(expose(lay(enlarge(image, size), rng), rng))


def soft_shadow(image, rng):
    page = page_of(image, rng)
    return Image.fromarray(expose(page, rng, shadow(page.shape, rng, edge=120)))


def hard_shadow(image, rng):
    page = page_of(image, rng)
    return Image.fromarray(expose(page, rng, shadow(page.shape, rng, edge=4)))


def cropped_dark_ink(image, rng):
    return Image.fromarray(expose(crop_to_ink(page_of(image, rng)), rng))


def cropped_light_ink(image, rng):
    page = crop_to_ink(page_of(image, rng))
    return Image.fromarray(expose(page, rng, paper=25, ink=230))


def cropped_emnist(image, rng):
    """A published image, cropped and enlarged: light ink with a blurred edge."""
    rows, columns = np.nonzero(image > 0.1)
    ink = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    large = Image.fromarray(to_bytes(255 * ink))
    return large.resize((large.width * 10, large.height * 10), Image.Resampling.BICUBIC)


def sixteen_bits_turned(image, rng):
    """16 bits a pixel, and the camera was held in one of eight ways."""
    page = page_of(image, rng)
    grey = 40_000 - 30_000 * page + rng.normal(0, 500, page.shape)
    orientation = int(rng.integers(1, 9))
    stored = as_stored(grey.clip(0, 65_535), orientation)
    picture = Image.fromarray(stored.astype(np.uint16))
    picture.getexif()[ORIENTATION] = orientation
    return picture


def as_stored(upright, orientation):
    """How a camera stores an upright picture with this EXIF orientation, 1 to 8."""
    change = STORED[orientation]
    return upright if change is None else np.ascontiguousarray(change(upright))


STORED = {
    1: None,
    2: np.fliplr,
    3: lambda upright: np.rot90(upright, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: np.rot90(upright, 2).T,
    8: lambda upright: np.rot90(upright, -1),
}


def palette_at_high_resolution(image, rng):
    page = page_of(image, rng, SCAN_SIDE, 0.1, 0.4)
    return Image.fromarray(expose(page, rng)).convert("RGB").quantize(16)


def one_bit_at_high_resolution(image, rng):
    page = page_of(image, rng, SCAN_SIDE, 0.1, 0.4)
    return Image.fromarray(expose(thin(page, 0.5), rng, noise=40) > 128)


def thin_pen(image, rng):
    page = lay(thin(enlarge(image, 500), 0.3), rng, 1600)
    return Image.fromarray(expose(page, rng))


def thick_marker(image, rng):
    size = int(SIDE * rng.uniform(0.3, 0.6))
    ink = thicken(np.pad(enlarge(image, size), size // 10), 0.5)
    return Image.fromarray(expose(lay(ink, rng), rng))


def vignette(image, rng):
    page = page_of(image, rng)
    row, column = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    light = 1 - 0.3 * (row**2 + column**2)
    return Image.fromarray(expose(page, rng, light))


def shadow_of_a_hand(image, rng):
    page = page_of(image, rng)
    return Image.fromarray(expose(page, rng, hand_shadow(page.shape, rng)))


def hard_shadow_of_a_hand(image, rng):
    page = page_of(image, rng)
    return Image.fromarray(expose(page, rng, hand_shadow(page.shape, rng, edge=5)))


def strong_compression(image, rng):
    picture = Image.fromarray(expose(page_of(image, rng), rng))
    return compressed(picture, quality=12)


def compressed(picture, quality):
    """The picture after JPEG's losses."""
    with tempfile.TemporaryFile() as file:
        picture.save(file, "JPEG", quality=quality)
        return Image.open(file).copy()


COLOURS = [  # of paper and ink
    ((250, 230, 120), (40, 60, 160)),
    ((245, 180, 190), (150, 20, 40)),
    ((170, 220, 170), (200, 40, 40)),
    ((240, 240, 235), (60, 110, 220)),
    ((60, 60, 65), (250, 200, 60)),
]


def colours(image, rng):
    paper, ink = COLOURS[rng.integers(len(COLOURS))]
    page = page_of(image, rng)
    light = shadow(page.shape, rng, edge=300, darkness=0.25)
    channels = [expose(page, rng, light, *shades) for shades in zip(paper, ink, strict=True)]
    return Image.fromarray(np.stack(channels, axis=-1))


def pencil(image, rng):
    """Grey, thin and grainy lines."""
    page = thin(page_of(image, rng), 0.6) * (1 - 0.4 * rng.random((SIDE, SIDE)))
    light = shadow((SIDE, SIDE), rng, edge=400, darkness=0.2)
    page = ndimage.gaussian_filter(page, 1)
    return Image.fromarray(expose(page, rng, light, ink=110))


def slightly_turned(image, rng):
    page = ndimage.rotate(page_of(image, rng), rng.uniform(-5, 5), reshape=False, order=1)
    light = shadow(page.shape, rng, edge=500, darkness=0.3)
    return Image.fromarray(expose(page, rng, light))


def in_a_corner(image, rng):
    """Next to the page's edge, on a wide page."""
    ink = enlarge(image, 200)
    page = np.zeros((600, 900), np.float32)
    row = rng.choice([0, 400])
    column = rng.choice([0, 700])
    page[row : row + 200, column : column + 200] = ink
    return Image.fromarray(expose(page, rng))


def shadow_on_ruled_paper(image, rng):
    page = rule(page_of(image, rng), rng)
    return Image.fromarray(expose(page, rng, shadow(page.shape, rng, edge=15)))


def blackboard(image, rng):
    page = page_of(image, rng)
    light = shadow(page.shape, rng, edge=200)
    return Image.fromarray(expose(page, rng, light, paper=60, ink=220, noise=6))


def transparent(image, rng):
    """Ink of a random shade on nothing."""
    alpha = to_bytes(255 * page_of(image, rng))
    grey = np.full_like(alpha, rng.choice([0, 255]))
    return Image.fromarray(np.stack([grey, alpha], axis=-1))


def edge_of_the_table(image, rng):
    """A sheet on a dark table, seen at one side."""
    page = page_of(image, rng, largest=0.5)
    strip = int(SIDE * rng.uniform(0.05, 0.2))
    seen = expose(np.pad(page, ((0, 0), (strip, 0))), rng)
    seen[:, :strip] = to_bytes(80 + rng.normal(0, 8, (SIDE, strip)))
    return Image.fromarray(seen)


def large_photo(image, rng):
    """12 megapixels in colour, out of focus a little, under a lamp."""
    page = page_of(image, rng, 3000, 0.2, 0.5)
    page = np.pad(page, ((0, 0), (0, 1000)))
    light = shadow(page.shape, rng, edge=60, darkness=0.3)
    seen = ndimage.gaussian_filter(light * (WHITE + page * (BLACK - WHITE)), 3)
    return Image.fromarray(to_bytes(seen)).convert("RGB")


CONDITIONS = {
    function.__name__.replace("_", " "): function
    for function in [
        plain,
        white_on_black,
        fills_the_page,
        ruled_paper,
        squared_paper,
        noisy_and_dim,
        scan_of_one_bit,
        small_on_the_page,
        soft_shadow,
        hard_shadow,
        cropped_dark_ink,
        cropped_light_ink,
        cropped_emnist,
        sixteen_bits_turned,
        palette_at_high_resolution,
        one_bit_at_high_resolution,
        thin_pen,
        thick_marker,
        vignette,
        shadow_of_a_hand,
        hard_shadow_of_a_hand,
        strong_compression,
        colours,
        pencil,
        slightly_turned,
        in_a_corner,
        shadow_on_ruled_paper,
        blackboard,
        transparent,
        edge_of_the_table,
        large_photo,
    ]
}


def save_picture(picture, folder, name):
    """Saves a picture, JPEG where its mode allows, else PNG. Returns the path."""
    suffix = ".jpg" if picture.mode in ("L", "RGB") else ".png"
    path = Path(folder) / f"{name}{suffix}"
    picture.save(path, exif=picture.getexif())
    return path


# ---- reading them


def photograph(condition, image, seed):
    """Takes the picture and reads it.

    Returns:
        The picture's brightness (H, W), 0..255, what was read (28, 28) or None if it was refused,
        and the seconds of reading.
    """
    rng = np.random.default_rng(seed)
    picture = CONDITIONS[condition](image, rng)
    with tempfile.TemporaryDirectory() as folder:
        path = save_picture(picture, folder, "picture")
        light = open_picture(path)
        start = time.perf_counter()
        try:
            character = read_character(path, IMAGE_SIZE)
        except InputError:
            character = None
        return light, character, time.perf_counter() - start


class Judge:
    """Finds the class of a code: the most frequent one among the nearest test codes."""

    def __init__(self, codes, y):
        self.codes = codes
        self.y = y

    def nearest_labels(self, code, index):
        """The labels of the codes nearest to one, without that of the image itself."""
        distances = ((self.codes - code) ** 2).sum(axis=1)
        distances[index] = np.inf
        return self.y[np.argsort(distances)[:NEIGHBOURS]]

    def label(self, code, index):
        labels, counts = np.unique(self.nearest_labels(code, index), return_counts=True)
        return labels[counts.argmax()]

    def is_clear(self, index):
        """Whether the nearest codes of a test image all have one class."""
        return len(np.unique(self.nearest_labels(self.codes[index], index))) == 1


def choose_clear(judge, count, seed):
    """Random indices of clear test images; others only where there are too few (a small set)."""
    clear = []
    others = []
    for index in np.random.default_rng(seed).permutation(len(judge.y)):
        if len(clear) == count:
            break
        if judge.is_clear(index):
            clear.append(index)
        else:
            others.append(index)
    return (clear + others)[:count]


def measure(condition, trained, judge, indices, seed):
    """The shares that are read right and refused, and the median of the seconds."""
    read = []
    characters = []
    seconds = []
    for index in indices:
        _, character, time_taken = photograph(condition, trained.x_test[index], [seed, index])
        seconds.append(time_taken)
        if character is not None:
            read.append(index)
            characters.append(character)
    right = 0
    if read:
        codes = encode(trained.autoencoder, np.stack(characters))
        for index, code in zip(read, codes, strict=True):
            right += judge.label(code, index) == judge.label(judge.codes[index], index)
    return right / len(indices), 1 - len(read) / len(indices), np.median(seconds)


# ---- pictures


def enlarged(character, side):
    small = Image.fromarray(to_bytes(255 * character))
    return small.resize((side, side), Image.Resampling.NEAREST)


def lamp_photo(image, rng, side=600):
    """A colour photo of a character in blue ink on ruled paper, half in the shadow of a hand."""
    page = page_of(image, rng, side, 0.55, 0.6)
    page = ndimage.rotate(page, -3, reshape=False, order=1)
    lines = rule(np.zeros_like(page), rng, strength=0.25)
    light = hand_shadow(page.shape, rng, edge=14) * shadow(page.shape, rng, 900, 0.25)
    grain = rng.normal(0, 3, page.shape)
    channels = []
    for paper, line, ink in [(246, 150, 42), (240, 170, 52), (224, 210, 120)]:
        seen = paper + lines * (line - paper)
        seen = seen + page * (ink - seen)
        channels.append(ndimage.gaussian_filter(light * seen, 0.8) + grain)
    return Image.fromarray(to_bytes(np.stack(channels, axis=-1)))


def draw_example(image, seed):
    """A photo beside what was read from it."""
    rng = np.random.default_rng(seed)
    photo = lamp_photo(image, rng)
    with tempfile.TemporaryDirectory() as folder:
        character = read_character(save_picture(photo, folder, "photo"), IMAGE_SIZE)
    side = photo.height // 2
    example = Image.new("RGB", (photo.width // 2 + side + 10, side), "white")
    example.paste(photo.resize((photo.width // 2, side), Image.Resampling.BOX))
    example.paste(enlarged(1 - character, side), (photo.width // 2 + 10, 0))
    return example


# ---- the command line


@click.group(context_settings=CONTEXT_SETTINGS)
def cli():
    """How well characters are read from photos and scans."""


count_option = click.option("--count", type=click.IntRange(1), default=100, help="Images.")
seed_option = click.option("--seed", default=0, help="Seed of the images and their pictures.")
only_option = click.option(
    "--only",
    type=click.Choice(list(CONDITIONS)),
    multiple=True,
    help="Only this condition; repeat it for more.",
)


@cli.command()
@run_dir_option
@data_root_option
@count_option
@seed_option
@only_option
def table(run_dir, data_root, count, seed, only):
    """Print how many pictures are read right in each condition, refused, and in what time."""
    trained = open_run(run_dir, data_root)
    judge = Judge(encode(trained.autoencoder, trained.x_test), trained.y_test)
    indices = choose_clear(judge, count, seed)
    click.echo(f"{len(indices)} images in each condition\n")
    click.echo("| condition | read right | refused | seconds |")
    click.echo("|---|---|---|---|")
    for condition in only or CONDITIONS:
        right, refused, seconds = measure(condition, trained, judge, indices, seed)
        click.echo(f"| {condition} | {right:.0%} | {refused:.0%} | {seconds:.2f} |")


@cli.command()
@run_dir_option
@data_root_option
@seed_option
@only_option
@click.option("--out", default="photos.png", help="The picture.")
def sheet(run_dir, data_root, seed, only, out):
    """Draw pictures of test images, one for each condition, over what was read from them."""
    trained = open_run(run_dir, data_root)
    conditions = only or list(CONDITIONS)
    chosen = np.random.default_rng(seed).integers(len(trained.x_test), size=len(conditions))
    photos = []
    characters = []
    for condition, index in zip(conditions, chosen, strict=True):
        photo, character, _ = photograph(condition, trained.x_test[index], [seed, index])
        photos.append(photo)
        refused = np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.float32)
        characters.append(refused if character is None else character)
    draw_read(Path(out), photos, characters)
    click.echo(out)


@cli.command()
@click.option("--character", default="R", help="Which character of the demo set.")
@seed_option
@click.option("--out", default="photo.png", help="The picture.")
def example(character, seed, out):
    """Draw a photo of a character of the demo set beside what was read from it."""
    (x, y), _ = draw_demo_set(IMAGE_SIZE, 1, 1, seed)
    labels = {name: label for label, name in CLASSES["balanced"].items()}
    if character not in labels:
        raise click.BadParameter(f"expected one of {''.join(labels)}", param_hint="--character")
    images = x[y == labels[character]]
    save(draw_example(images[0] / np.float32(255), seed), out)


def save(picture, out):
    with replacing(out) as partial:
        picture.save(partial)
    click.echo(out)


if __name__ == "__main__":
    cli()
