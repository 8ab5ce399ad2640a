"""The pictures, the animation and the page that the scripts make, and pictures of a person's own.

Each drawing function writes one file, whole or not at all, ink on paper; read_character reads one.
matplotlib and Pillow are imported when they are needed.
"""

import base64
import html
import io
import string
import warnings
from pathlib import Path

import numpy as np

from dataset import IMAGE_SIZE, replacing

INK_SIZE = 23.5  # pixels of the longer side of a character, its palest ink counted
GIF_TRAVEL, GIF_REST, GIF_SHORTEST = 1500, 900, 40  # ms: end to end, at an end, a frame's least


def draw_strips(path, strips, left, right=None, columns=1, title=None):
    """Draws strips of images, ink on paper, each between its names: what all pictures share.

    Args:
        path: the file; its ending says what is made.
        strips: 2-d arrays in [0, 1], all of one shape.
        left, right: the names beside each.
        columns: how many strips stand side by side.
        title: a line above all.
    """
    from matplotlib.figure import Figure

    height, width = strips[0].shape
    rows = -(-len(strips) // columns)
    zoom = 1 / 50  # inches a pixel
    size = (columns * (width + 24) * zoom, rows * (height + 6) * zoom + (0.4 if title else 0))
    figure = Figure(size, dpi=100, layout="constrained")
    figure.suptitle(title, fontsize=11)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes:
        ax.set_axis_off()
    for ax, strip, name in zip(axes, strips, left):
        ax.imshow(strip, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
        ax.text(-6, height / 2, name, ha="right", va="center", fontsize=14)
    for ax, name in zip(axes, right or []):
        ax.text(width + 6, height / 2, name, ha="left", va="center", fontsize=14)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as unfinished:
        figure.savefig(unfinished)


def draw_curves(path, history, floor):
    """Both losses of each epoch over the floor, and the best epoch."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    epochs = [row["epoch"] for row in history]
    best = min(history, key=lambda row: row["val_loss"])
    figure = Figure((7, 4), dpi=100, layout="constrained")
    ax = figure.subplots()
    ax.plot(epochs, [row["loss"] for row in history], ".-", color="tab:gray", label="training")
    ax.plot(epochs, [row["val_loss"] for row in history], ".-", label="validation")
    label = f"best: epoch {best['epoch']}, {best['val_loss']:.4f}"
    ax.plot(best["epoch"], best["val_loss"], "o", ms=10, mfc="none", color="tab:red", label=label)
    ax.axhline(floor, ls="--", color="black", lw=1, label=f"validation's floor, {floor:.4f}")
    ax.set(xlabel="epoch", ylabel="binary cross-entropy (nats a pixel)")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(frameon=False)
    with replacing(path) as unfinished:
        figure.savefig(unfinished)


def draw_reconstructions(path, x, p, present):
    """The first test image of each class (a mask by its name) over its reconstruction."""
    strips = [np.vstack([x[where.argmax()], p[where.argmax()]]) for where in present.values()]
    title = "Test images (above) and their reconstructions from 32 numbers (below)"
    draw_strips(path, strips, list(present), columns=min(12, len(strips)), title=title)


def draw_codes(path, codes, y, names, most=3000):
    """Codes in two dimensions by t-SNE (van der Maaten, Hinton 2008), coloured by class."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure
    from sklearn.manifold import TSNE

    chosen = np.random.default_rng(0).permutation(len(codes))[:most]
    codes, y = codes[chosen], y[chosen]
    perplexity = min(30, max(1, (len(codes) - 1) // 3))
    points = TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(codes)
    figure = Figure((9, 9), dpi=100)
    ax = figure.add_axes((0.02, 0.02, 0.96, 0.92))
    for place, (label, name) in enumerate(names.items()):
        color = colormaps["hsv"](place * 0.381966 % 1)  # neighbours in the alphabet differ
        for point in points[y == label]:
            ax.text(*point, name, color=color, fontsize=7, ha="center", va="center")
    ax.update_datalim(points)
    ax.autoscale_view()
    ax.set_title(f"{len(codes):,} test codes, from 32 dimensions to two by t-SNE")
    ax.set_axis_off()
    with replacing(path) as unfinished:
        figure.savefig(unfinished)


def draw_morph(path, title, frames, ends, names):
    """A row for each pair: its real image, the frames between, the other real image.

    frames: (rows, steps, 28, 28); ends: (rows, 2, 28, 28); names: (rows, 2) strings.
    """
    gap = np.zeros((IMAGE_SIZE, IMAGE_SIZE // 4))
    strips = [np.hstack([a, gap, *row, gap, b]) for row, (a, b) in zip(frames, ends)]
    title += "; at the sides the test images"
    draw_strips(path, strips, *zip(*names), title=title)


def side_by_side(frames, scale):
    """A picture a step, ink on paper: all rows (rows, steps, 28, 28) side by side, enlarged."""
    from PIL import Image

    strips = np.concatenate(list(frames), axis=2)  # (steps, 28, rows * 28)
    size = (strips.shape[2] * scale, strips.shape[1] * scale)
    pictures = [Image.fromarray(np.uint8(255 * (1 - strip))) for strip in strips]
    pictures = [picture.resize(size, Image.Resampling.BICUBIC) for picture in pictures]
    return [picture.point(lambda grey: (grey + 8) // 17 * 17) for picture in pictures]  # 16 greys


def write_gif(path, frames, scale):
    """There and back for ever, slower towards the characters and at rest on them."""
    pictures = side_by_side(frames, scale)
    moments = np.arccos(1 - 2 * np.linspace(0, 1, len(pictures))) / np.pi * GIF_TRAVEL
    times = np.full(len(pictures), GIF_REST)
    times[1:-1] = np.maximum((moments[2:] - moments[:-2]) / 2, GIF_SHORTEST)
    order = [*range(len(pictures)), *range(len(pictures) - 2, 0, -1)]
    first, *others = (pictures[i] for i in order)
    times = [round(times[i]) // 10 * 10 for i in order]  # a GIF counts hundredths of a second
    with replacing(path) as unfinished:
        first.save(unfinished, save_all=True, append_images=others, duration=times, loop=0)


def write_html(path, frames, scale, title):
    """One page that needs nothing else: a slider over the frames, and a button that plays them."""
    from PIL import Image

    strips = side_by_side(frames, scale)
    width, height = strips[0].size
    stacked = Image.new("L", (width, height * len(strips)))
    for place, strip in enumerate(strips):
        stacked.paste(strip, (0, place * height))
    png = io.BytesIO()
    stacked.save(png, "PNG", optimize=True)
    page = string.Template(Path(__file__).with_name("morph.html").read_text("utf-8")).substitute(
        title=html.escape(title),
        picture="data:image/png;base64," + base64.b64encode(png.getvalue()).decode(),
        columns=len(frames),
        last=len(strips) - 1,
        width=width,
    )
    with replacing(path) as unfinished:
        unfinished.write_text(page, "utf-8")


# ---- a person's own handwriting


def read_character(path):
    """A picture of one character, a photo or a scan, in EMNIST's form: (28, 28) float32.

    Dark on light or light on dark, of any size. As EMNIST's authors did (arXiv:1702.05373): blurred,
    cropped to the ink, put into a square's middle with a margin, and made small. The paper's shade
    and light are taken out before.

    Returns:
        The character, upright, in [0, 1], its darkest ink 1.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no picture, or shows no ink; names it.
    """
    from PIL import Image
    from scipy import ndimage

    light = _read_grey(path)
    light = ndimage.gaussian_filter(light, max(light.shape) / 250)
    ink = _light_of_paper(light) - light
    noise = np.median(np.abs(ink))  # most of a picture is paper
    if (ink**3).sum() < 0:  # light ink on dark paper
        ink = -ink
    level = np.median(ink[ink >= ink.max() / 2])
    if not level >= max(12 * noise, 10):
        raise ValueError(f"{path}: no ink to be seen; a picture of one character is wanted")
    ink = np.clip((ink / level - 0.1) / 0.9, 0, 1)

    marks, count = ndimage.label(ink > 0.2, np.ones((3, 3)))
    sizes = ndimage.sum_labels(ink, marks, range(count + 1))
    sizes[0] = 0
    ink[~np.isin(marks, np.flatnonzero(sizes > 0.03 * sizes.max()))] = 0  # specks, not dots

    rows, columns = (np.flatnonzero((ink > 0).any(axis=axis)) for axis in (1, 0))
    low, high = np.array([columns[[0, -1]], rows[[0, -1]]]).T + [[0], [1]]
    half = (high - low).max() * IMAGE_SIZE / INK_SIZE / 2
    middle = (low + high) / 2 + (margin := int(half) + 1)
    box = (*(middle - half), *(middle + half))
    square = Image.fromarray(np.pad(ink, margin))
    small = np.asarray(square.resize((IMAGE_SIZE,) * 2, Image.Resampling.BICUBIC, box)).clip(0, 1)
    return small / small.max()


def _read_grey(path, longest=512):
    """The light of a picture's pixels, 0..255 as float32, at most `longest` pixels a side."""
    from PIL import Image, ImageOps

    if not Path(path).exists():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        too_large = Image.DecompressionBombWarning
        with (
            warnings.catch_warnings(action="error", category=too_large),
            Image.open(path) as picture,
        ):
            if picture.mode.startswith(("I", "F")):  # 16 bits and more: convert would cut them off
                grey = np.asarray(picture, np.float32)
                grey = 255 * (grey - grey.min()) / max(np.ptp(grey), 1)
                picture = Image.fromarray(grey).convert("L")
            picture = ImageOps.exif_transpose(picture)
            picture.thumbnail((longest, longest), Image.Resampling.BOX)
            grey, alpha = np.float32(picture.convert("LA")).transpose(2, 0, 1)
    except Exception as error:  # Pillow raises whatever the damage leads to
        raise ValueError(f"{path}: not a picture that can be read: {error}") from error
    opaque = alpha / 255
    under = 255 if (grey * opaque).sum() < 128 * opaque.sum() else 0  # what is not drawn is paper
    return grey * opaque + under * (1 - opaque)


def _light_of_paper(light):
    """The paper's own light in each pixel: a smooth surface through the greater part of them."""
    from PIL import Image

    def terms(shape):
        y, x = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape), indexing="ij")
        return np.stack([x * 0 + 1, x, y, x * x, x * y, y * y], axis=-1, dtype=np.float32)

    few = np.asarray(Image.fromarray(light).resize((48, 48), Image.Resampling.BOX)).ravel()
    known = terms((48, 48)).reshape(-1, 6)
    off = few - np.median(few)
    for _ in range(20):  # the further a pixel is off, the less it weighs: ink is far off
        weighted = known.T / (1 + (off / (1.5 * np.median(np.abs(off)) + 1e-3)) ** 2)
        surface = np.linalg.solve(weighted @ known, weighted @ few)
        off = few - known @ surface
    return terms(light.shape) @ surface
