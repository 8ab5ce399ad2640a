"""The PNG pictures that the scripts make, dark ink on light paper.

Pillow draws strips of images, pixel by pixel; matplotlib draws the charts. Each function writes one
file, whole or not at all, and makes its folder. A link at its path is replaced.
"""

import contextlib
import math
from pathlib import Path

import numpy as np

from support.files import make_folder, replacing

PAPER = 255
ZOOM = 2  # screen pixels for a pixel of an image
MAX_SIDE = 65_000  # screen pixels; browsers draw 65,535, and what would be larger is not enlarged
# In pixels of an image:
ROW_GAP = 6  # below a strip
NAME_GAP = 6  # between a strip and its name
NAME_SIZE = 10  # of the letters beside a strip
NAME_WIDTH = 8  # of the room for a name, at least
# In screen pixels:
TITLE_SIZE = 15  # of the letters above all strips
MARGIN = 10  # around the whole picture

PREVIEW_IMAGES = 10  # of each class
PREVIEW_COLUMNS = 4
RECONSTRUCTION_COLUMNS = 12
READ_COLUMNS = 8
READ_SIDE = 84  # pixels a side of a photo, and of what was read from it
DPI = 100
MAP_CODES = 3000  # on the map of codes, at most
PERPLEXITY = 30  # of t-SNE: how many neighbours count
TSNE_STEPS = 500
MAP_SETTINGS = [MAP_CODES, PERPLEXITY, TSNE_STEPS]
BRIGHTNESS = 0.75  # of the characters in codes.png; yellow at 1 cannot be read on white
GOLDEN_ANGLE = 0.381966  # of a turn: hues that far apart stay distinct, however many there are

# ---- strips of images


def draw_strips(path, strips, left, right=None, columns=1, title=None):
    """Draws strips of images with names beside them; other pictures use it.

    Args:
        path: the file to write.
        strips: 2-d arrays in [0, 1], all of one shape; 1 is ink.
        left, right: the names beside each strip.
        columns: how many strips stand side by side.
        title: a line above all.
    """
    from PIL import Image, ImageDraw, ImageOps

    if right is None:
        right = [""] * len(strips)
    strip_height, strip_width = strips[0].shape
    font = _font(ZOOM * NAME_SIZE)
    longest = max(font.getlength(name) for name in [*left, *right]) / ZOOM
    side_width = NAME_GAP + max(NAME_WIDTH, math.ceil(longest) + 1)
    cell_height = strip_height + ROW_GAP
    cell_width = strip_width + 2 * side_width
    rows = math.ceil(len(strips) / columns)

    sheet = np.full((rows * cell_height, columns * cell_width), PAPER, np.uint8)
    corners = []
    for i, strip in enumerate(strips):
        row, column = divmod(i, columns)
        top = row * cell_height
        start = column * cell_width + side_width
        sheet[top : top + strip_height, start : start + strip_width] = np.rint(255 * (1 - strip))
        corners.append((top, start))

    height, width = sheet.shape
    zoom = ZOOM if ZOOM * max(height, width) <= MAX_SIDE else 1
    picture = Image.fromarray(sheet).resize((zoom * width, zoom * height), Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(picture)
    style = {"font": _font(zoom * NAME_SIZE), "fill": 0}
    for i, (top, start) in enumerate(corners):
        middle = zoom * (top + strip_height / 2)
        left_end = zoom * (start - NAME_GAP)
        right_start = zoom * (start + strip_width + NAME_GAP)
        draw.text((left_end, middle), left[i], anchor="rm", **style)
        draw.text((right_start, middle), right[i], anchor="lm", **style)

    if title:
        picture = _add_title(picture, title)
    picture = ImageOps.expand(picture, MARGIN, fill=PAPER)
    make_folder(path.parent)
    with replacing(path) as partial:
        picture.save(partial, "PNG")


def _add_title(picture, title):
    """The picture below a line of text, centred; wider if the line needs it."""
    from PIL import Image, ImageDraw

    font = _font(TITLE_SIZE)
    width = max(picture.width, math.ceil(font.getlength(title)))
    height = 2 * TITLE_SIZE
    page = Image.new("L", (width, height + picture.height), PAPER)
    page.paste(picture, ((width - picture.width) // 2, height))
    middle = (width / 2, TITLE_SIZE / 2)
    ImageDraw.Draw(page).text(middle, title, anchor="mm", font=font, fill=0)
    return page


def _font(size):
    """matplotlib's own font, as Pillow's has no arrow for the titles of morphs."""
    import matplotlib
    from PIL import ImageFont

    path = Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


def draw_morph(path, frames, endpoints, title):
    """Draws the frames of a morph, a strip for each row, between the images that it joins.

    frames: (rows, steps, H, W) in [0, 1]. endpoints: an Endpoints of support.morph.endpoints.
    """
    _, _, height, width = frames.shape
    gap = np.zeros((height, width // 4))
    strips = []
    for row, (first, last) in zip(frames, endpoints.images, strict=True):
        strips.append(np.hstack([first, gap, *row, gap, last]))
    left, right = endpoints.names.T
    draw_strips(path, strips, left, right, title=f"{title}; at the sides {endpoints.source}")


def draw_preview(path, images_of_class):
    """Draws the first ten images of each class: a dict of character to images (n, H, W)."""
    strips = []
    for images in images_of_class.values():
        images = images[:PREVIEW_IMAGES]
        missing = PREVIEW_IMAGES - len(images)
        images = np.pad(images, ((0, missing), (0, 0), (0, 0)))
        strips.append(np.hstack(images))
    draw_strips(path, strips, list(images_of_class), columns=PREVIEW_COLUMNS)


def draw_reconstructions(path, x, p, members, code_size):
    """Draws the first image of each class above its reconstruction.

    x, p: the images and their reconstructions (N, H, W) in [0, 1]. members: dict of character to
    mask (N,), true for its images; classes without are left out. code_size: numbers in a code.
    """
    strips = []
    names = []
    for name, is_member in members.items():
        if is_member.any():
            first = is_member.argmax()
            strips.append(np.vstack([x[first], p[first]]))
            names.append(name)
    columns = min(RECONSTRUCTION_COLUMNS, len(strips))
    title = f"Test images (above) and their reconstructions from {code_size} numbers (below)"
    draw_strips(path, strips, names, columns=columns, title=title)


def draw_read(path, photos, characters):
    """Draws a person's photos above what was read from them.

    photos: a list of brightness (H, W), 0..255. characters: as many (H, W) in [0, 1].
    """
    strips = []
    for photo, character in zip(photos, characters, strict=True):
        strips.append(np.vstack([_square(255 - photo), _square(255 * character)]))
    numbers = [str(number) for number in range(1, len(strips) + 1)]
    columns = min(READ_COLUMNS, len(strips))
    title = "Your pictures (above) and what was read from them (below)"
    draw_strips(path, strips, numbers, columns=columns, title=title)


def _square(ink):
    """(H, W), 0..255, as large as it fits into the middle of a square: [0, 1]."""
    from PIL import Image, ImageOps

    picture = Image.fromarray(ink.astype(np.float32)).convert("L")
    return np.asarray(ImageOps.pad(picture, (READ_SIDE, READ_SIDE))) / 255


# ---- charts


@contextlib.contextmanager
def _figure(path, width, height):
    """Yields an empty figure of so many screen pixels; at the end it is written to `path`.

    It looks the same whatever the user's matplotlibrc says, and a "$" is a dollar, not mathematics.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams["text.parse_math"] = False
        figure = Figure((width / DPI, height / DPI), dpi=DPI)
        yield figure
        make_folder(path.parent)
        with replacing(path) as partial:
            figure.savefig(partial, format="png")


def draw_curves(path, history, floor):
    """Draws both losses of each epoch, the floor below them, and the best epoch.

    history: a list of dicts with epoch, loss and val_loss.
    """
    from matplotlib.ticker import MaxNLocator

    epochs = [row["epoch"] for row in history]
    losses = [row["loss"] for row in history]
    validation_losses = [row["val_loss"] for row in history]
    best = min(history, key=lambda row: row["val_loss"])
    best_label = f"best: epoch {best['epoch']}, {best['val_loss']:.4f}"
    floor_label = f"floor of validation, {floor:.4f}"
    ring = {"marker": "o", "ms": 10, "mfc": "none", "color": "tab:red", "ls": "none"}

    with _figure(path, 700, 400) as figure:
        figure.set_layout_engine("constrained")
        ax = figure.subplots()
        ax.plot(epochs, losses, ".-", color="tab:gray", label="training")
        ax.plot(epochs, validation_losses, ".-", label="validation")
        ax.plot(best["epoch"], best["val_loss"], label=best_label, **ring)
        ax.axhline(floor, ls="--", color="black", lw=1, label=floor_label)
        ax.set_xlabel("epoch")
        ax.set_ylabel("binary cross-entropy (nats a pixel)")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.legend(frameon=False)


def place_codes(codes):
    """Places codes (N, D) in two dimensions by t-SNE (van der Maaten, Hinton 2008).

    If there are more than MAP_CODES, a random sample, always the same one.

    Returns:
        sample: (n,) indices of the codes.
        points: (n, 2) float32.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    sample = np.random.default_rng(0).permutation(len(codes))[:MAP_CODES]
    perplexity = min(PERPLEXITY, max(1, (len(sample) - 1) // 3))
    tsne = TSNE(perplexity=perplexity, init="pca", max_iter=TSNE_STEPS, random_state=0)
    with threadpool_limits(1):  # on a busy machine its threads mostly wait for each other
        points = tsne.fit_transform(codes[sample])
    return sample, points


def draw_codes(path, points, y, names, code_size):
    """Draws test codes where place_codes puts them, as the characters that they stand for.

    points: (N, 2). y: their labels (N,). names: dict of label to character. code_size: numbers in
    a code.
    """
    from matplotlib.colors import hsv_to_rgb

    with _figure(path, 900, 900) as figure:
        ax = figure.add_axes((0.02, 0.02, 0.96, 0.92))
        for number, (label, name) in enumerate(names.items()):
            hue = number * GOLDEN_ANGLE % 1  # neighbours in the alphabet differ
            color = hsv_to_rgb((hue, 1, BRIGHTNESS))
            for point in points[y == label]:
                ax.text(*point, name, color=color, fontsize=7, ha="center", va="center")
        ax.update_datalim(points)
        ax.autoscale_view()
        ax.set_title(f"{len(points):,} test codes, from {code_size} dimensions to two by t-SNE")
        ax.set_axis_off()
