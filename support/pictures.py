"""Every picture, animation and page that the scripts make.

Each function writes one file, whole or not at all: dark ink on light paper. matplotlib and Pillow
are imported when they are needed.
"""

import base64
import html
import io
import string
from pathlib import Path

import click
import numpy as np

from support.files import replacing

ZOOM = 2  # screen pixels for a pixel of an image
DPI = 100
ROW_GAP, NAME_WIDTH = 6, 14  # pixels of an image, below a strip and on its sides
MAX_SIDE = 60_000  # screen pixels; matplotlib draws fewer than 65,536
MAX_WIDTH = 65_535  # screen pixels of a GIF, and of what browsers draw
MAX_PIXELS = 300_000_000  # of all frames: they are held in memory
GIF_TRAVEL, GIF_REST, GIF_SHORTEST = 1500, 900, 40  # ms: end to end, stop there, shortest frame


def draw_strips(path, strips, left, right=None, columns=1, title=None):
    """Draws strips of images, dark on light, with names beside them; other pictures use it.

    Args:
        path: the file to write.
        strips: 2-d arrays in [0, 1], all of one shape.
        left, right: the names beside each strip.
        columns: how many strips stand side by side.
        title: a line above all.
    """
    from matplotlib.figure import Figure

    strip_height, strip_width = strips[0].shape
    height, width = strip_height + ROW_GAP, strip_width + 2 * NAME_WIDTH
    rows = -(-len(strips) // columns)
    canvas = np.zeros((rows * height, columns * width))
    corners = [
        (i // columns * height, i % columns * width + NAME_WIDTH) for i in range(len(strips))
    ]
    for strip, (top, start) in zip(strips, corners, strict=True):
        canvas[top : top + strip_height, start : start + strip_width] = strip

    zoom = ZOOM if ZOOM * len(canvas) < MAX_SIDE else 1
    figure = Figure((canvas.shape[1] * zoom / DPI, len(canvas) * zoom / DPI), dpi=DPI)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    ax.imshow(canvas, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest", aspect="auto")
    style = {"va": "center", "fontsize": 7 * zoom}
    for (top, start), name in zip(corners, left, strict=True):
        ax.text(start - 6, top + strip_height / 2, name, ha="right", **style)
    for (top, start), name in zip(corners, right or [""] * len(corners), strict=True):
        ax.text(start + strip_width + 6, top + strip_height / 2, name, ha="left", **style)
    if title:
        ax.set_title(title, fontsize=11)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as unfinished:
        figure.savefig(unfinished, format="png", bbox_inches="tight", pad_inches=0.1)


def draw_curves(path, history, floor):
    """Draws both losses of each epoch, the floor below them, and the best epoch."""
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
        figure.savefig(unfinished, format="png")


def draw_reconstructions(path, x, p, present):
    """Draws each class's first image x above its reconstruction p; present: name -> mask of x."""
    strips = [np.vstack([x[where.argmax()], p[where.argmax()]]) for where in present.values()]
    title = "Test images (above) and their reconstructions from 32 numbers (below)"
    draw_strips(path, strips, list(present), columns=min(12, len(strips)), title=title)


def place_codes(codes, most=3000):
    """Codes in two dimensions by t-SNE (van der Maaten, Hinton 2008).

    If there are more than `most`, a random sample, always the same one.

    Returns:
        chosen: (N,) indices of the codes.
        points: (N, 2) float32.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    chosen = np.random.default_rng(0).permutation(len(codes))[:most]
    perplexity = min(30, max(1, (len(chosen) - 1) // 3))
    tsne = TSNE(perplexity=perplexity, init="pca", max_iter=500, random_state=0)
    with threadpool_limits(1):  # on a busy machine its threads mostly wait for each other
        return chosen, tsne.fit_transform(codes[chosen])


def draw_codes(path, points, y, names):
    """Draws codes where place_codes puts them, coloured by class: points (N, 2), labels y (N,)."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    figure = Figure((9, 9), dpi=100)
    ax = figure.add_axes((0.02, 0.02, 0.96, 0.92))
    for place, (label, name) in enumerate(names.items()):
        color = colormaps["hsv"](place * 0.381966 % 1)  # neighbours in the alphabet differ
        for point in points[y == label]:
            ax.text(*point, name, color=color, fontsize=7, ha="center", va="center")
    ax.update_datalim(points)
    ax.autoscale_view()
    ax.set_title(f"{len(points):,} test codes, from 32 dimensions to two by t-SNE")
    ax.set_axis_off()
    with replacing(path) as unfinished:
        figure.savefig(unfinished, format="png")


def check_size(path, rows, steps, side, scale):
    """Refuses an animation or page that is too large. side: of an image, in pixels.

    Raises:
        click.UsageError: says which options to lower.
    """
    if Path(path).suffix.lower() not in (".gif", ".html"):
        return
    if rows * side * scale > MAX_WIDTH:
        most = MAX_WIDTH // (rows * side)
        raise click.UsageError(
            f"{rows} rows at --scale {scale} are {rows * side * scale:,} pixels wide, more than "
            f"{MAX_WIDTH:,}; " + (f"--scale {most} would do" if most else "use fewer rows")
        )
    if rows * steps * (side * scale) ** 2 > MAX_PIXELS:
        raise click.UsageError(
            f"{rows} rows of {steps} frames at --scale {scale} are too large: more than "
            f"{MAX_PIXELS:,} pixels; lower --rows, --steps or --scale"
        )


def write_morph(path, title, ends, codes, frames, scale):
    """Writes a morph in the format of the suffix of `path`: .png, .gif, .html or .npz.

    ends: an Ends of support.ends. codes: (rows, steps, D). frames: (rows, steps, height, width).
    scale: screen pixels for each pixel of a .gif or .html.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    suffix = path.suffix.lower()
    if suffix == ".npz":
        with replacing(path) as unfinished, open(unfinished, "wb") as file:
            arrays = {"labels": ends.labels, "indices": ends.indices}
            np.savez_compressed(file, frames=frames, codes=codes, **arrays)
    elif suffix == ".gif":
        write_gif(path, frames, scale)
    elif suffix == ".html":
        write_html(path, frames, scale, title)
    else:
        gap = np.zeros((frames.shape[2], frames.shape[3] // 4))
        pairs = zip(frames, ends.images, strict=True)
        strips = [np.hstack([a, gap, *row, gap, b]) for row, (a, b) in pairs]
        title += f"; at the sides {ends.source}"
        draw_strips(path, strips, *ends.names.T.tolist(), title=title)


def side_by_side(frames, scale):
    """One picture for each step: all rows (rows, steps, height, width) side by side, enlarged."""
    from PIL import Image

    strips = np.concatenate(list(frames), axis=2)  # (steps, height, rows * width)
    size = (strips.shape[2] * scale, strips.shape[1] * scale)
    pictures = [Image.fromarray(np.uint8(255 * (1 - strip))) for strip in strips]
    pictures = [picture.resize(size, Image.Resampling.BICUBIC) for picture in pictures]
    return [picture.point(lambda grey: (grey + 8) // 17 * 17) for picture in pictures]  # 16 greys


def write_gif(path, frames, scale):
    """An endless animation, back and forth; it slows down near the ends and stops there a while."""
    pictures = side_by_side(frames, scale)
    moments = np.arccos(1 - 2 * np.linspace(0, 1, len(pictures))) / np.pi * GIF_TRAVEL
    times = np.full(len(pictures), GIF_REST)
    times[1:-1] = np.maximum((moments[2:] - moments[:-2]) / 2, GIF_SHORTEST)
    order = [*range(len(pictures)), *range(len(pictures) - 2, 0, -1)]
    first, *others = (pictures[i] for i in order)
    times = [round(times[i]) // 10 * 10 for i in order]  # a GIF counts hundredths of a second
    with replacing(path) as unfinished:
        first.save(unfinished, "GIF", save_all=True, append_images=others, duration=times, loop=0)


def write_html(path, frames, scale, title):
    """One page that works offline: a slider over the frames, and a button that plays them."""
    from PIL import Image

    strips = side_by_side(frames, scale)
    width, height = strips[0].size
    stacked = Image.new("L", (width, height * len(strips)))
    for place, strip in enumerate(strips):
        stacked.paste(strip, (0, place * height))
    png = io.BytesIO()
    stacked.save(png, "PNG", optimize=True)
    template, look = (
        Path(__file__).with_name(name).read_text("utf-8") for name in ("morph.html", "look.css")
    )
    page = string.Template(template).substitute(
        look=look,
        title=html.escape(title),
        picture="data:image/png;base64," + base64.b64encode(png.getvalue()).decode(),
        columns=len(frames),
        last=len(strips) - 1,
        width=width,
    )
    with replacing(path) as unfinished:
        unfinished.write_text(page, "utf-8")
