"""Pictures of images and morphs, dark ink on light paper: strips in a PNG, a GIF, a page.

A file is written whole or not at all.
"""

import base64
import html
import io
import math
from pathlib import Path

import click
import numpy as np

from support.files import replacing
from support.morph.endpoints import NONE
from support.page import fill

KINDS = (".png", ".gif", ".html", ".npz")
MAX_FRAMES = 30_000  # of all rows: they are held in memory
PAPER = 255
GREY_STEP = 17  # between the 16 greys that are used; fewer greys make smaller files
# In screen pixels:
MAX_SIDE = 65_535  # of a GIF, and of what browsers show
ZOOM = 2  # a pixel of an image in a PNG, so that 1,000 rows are not too high
MOTION_ZOOM = 4  # a pixel of an image in a GIF or a page; less if there are many rows or steps
GAP = 8  # between strips and names
MARGIN = 16  # around all strips
FONT_SIZE = 17

# ---- writing a morph


def kind_of(path):
    """One of KINDS: the ending of a name, which PathType has checked."""
    return path.suffix.lower()


def default_steps(path):
    """Frames from end to end: 30 for moving pictures, as 10 look jerky."""
    return 30 if kind_of(path) in (".gif", ".html") else 10


def check_size(rows, steps):
    """Refuses a morph of too many frames with a click.UsageError."""
    if rows * steps > MAX_FRAMES:
        raise click.UsageError(
            f"{rows:,} rows of {steps:,} frames are more than {MAX_FRAMES:,} frames; lower the "
            "number of rows or --steps"
        )


def write_morph(path, frames, codes, ends, title):
    """Writes a morph as .png, .gif, .html or .npz; the ending of `path` decides.

    frames: (P, steps, H, W) in [0, 1]. codes: (P, steps, D). ends: Endpoints of P pairs. Blank rows
    between the pairs are put in here.
    """
    frames = ends.with_blank_rows(frames)
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = kind_of(path)
    if kind == ".png":
        draw_morph(path, frames, ends, title)
    elif kind == ".gif":
        write_gif(path, frames)
    elif kind == ".html":
        write_html(path, frames, title)
    else:
        with replacing(path) as partial, open(partial, "wb") as file:
            np.savez_compressed(
                file,
                frames=frames,
                codes=ends.with_blank_rows(codes),
                labels=ends.with_blank_rows(ends.labels, NONE),
                indices=ends.with_blank_rows(ends.indices, NONE),
            )


def _draw_ink(ink, zoom):
    """A picture of ink (H, W) in [0, 1], each pixel enlarged to zoom x zoom."""
    from PIL import Image

    height, width = ink.shape
    picture = Image.fromarray(np.uint8(np.rint(PAPER * (1 - ink).clip(0, 1))))
    picture = picture.resize((zoom * width, zoom * height), Image.Resampling.BICUBIC)
    return picture.point(lambda grey: round(grey / GREY_STEP) * GREY_STEP)


# ---- strips of images in a PNG

PREVIEW_IMAGES = 10  # of each class
PREVIEW_COLUMNS = 4
RECONSTRUCTION_COLUMNS = 12
READ_COLUMNS = 8
READ_SIDE = 84  # pixels a side of a photo, and of what was read from it


def draw_strips(path, strips, title, columns=1):
    """Draws strips of images, with names beside them, and a title above all.

    strips: a list of (name at the left, ink, name at the right); the ink is a 2-d array in [0, 1],
    of one shape in all. columns: how many strips stand side by side, at most.
    """
    from PIL import Image, ImageDraw

    columns = min(columns, len(strips))
    rows = math.ceil(len(strips) / columns)
    height, width = (ZOOM * length for length in strips[0][1].shape)
    font = _font()
    names = [name for left, _, right in strips for name in (left, right)]
    name_width = math.ceil(max(font.getlength(name) for name in names))
    cell_width = name_width + GAP + width + GAP + name_width
    cell_height = height + GAP
    first_y = MARGIN + 2 * FONT_SIZE
    page_width = MARGIN + max(columns * cell_width, math.ceil(font.getlength(title))) + MARGIN
    page_height = first_y + rows * cell_height + MARGIN

    page = Image.new("L", (page_width, page_height), PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((page_width / 2, MARGIN), title, anchor="ma", font=font, fill=0)
    for i, (left, ink, right) in enumerate(strips):
        row, column = divmod(i, columns)
        x = (page_width - columns * cell_width) // 2 + column * cell_width + name_width + GAP
        y = first_y + row * cell_height
        page.paste(_draw_ink(ink, ZOOM), (x, y))
        middle = y + height / 2
        draw.text((x - GAP, middle), left, anchor="rm", font=font, fill=0)
        draw.text((x + width + GAP, middle), right, anchor="lm", font=font, fill=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        page.save(partial, "PNG")


def _font():
    """matplotlib's own font, as Pillow's has no arrow for the titles of morphs."""
    import matplotlib
    from PIL import ImageFont

    path = Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"
    return ImageFont.truetype(path, FONT_SIZE, layout_engine=ImageFont.Layout.BASIC)


def draw_morph(path, frames, ends, title):
    """Draws the frames of a morph, a strip for each row, between the images that it joins.

    frames: (rows, steps, H, W) in [0, 1], with blank rows. ends: Endpoints.
    """
    _, _, height, width = frames.shape
    gap = np.zeros((height, width // 4))
    images = ends.with_blank_rows(ends.images)
    names = ends.with_blank_rows(ends.names, "")
    strips = []
    for row, (first, last), (left, right) in zip(frames, images, names, strict=True):
        strips.append((left, np.hstack([first, gap, *row, gap, last]), right))
    draw_strips(path, strips, f"{title}; left and right: the images themselves")


def draw_preview(path, images_of_class):
    """Draws the first ten images of each class: a dict of character to images (n, H, W)."""
    strips = []
    for name, images in images_of_class.items():
        images = images[:PREVIEW_IMAGES]
        missing = PREVIEW_IMAGES - len(images)
        images = np.pad(images, ((0, missing), (0, 0), (0, 0)))
        strips.append((name, np.hstack(images), ""))
    draw_strips(path, strips, "The first images of each class", PREVIEW_COLUMNS)


def draw_reconstructions(path, x, p, y, names):
    """Draws the first image of each class above its reconstruction.

    x, p: the images and their reconstructions (N, H, W) in [0, 1]. y: (N,) labels. names: {label:
    character}; a class without images is left out.
    """
    strips = []
    for label, name in names.items():
        for first in np.flatnonzero(y == label)[:1]:
            strips.append((name, np.vstack([x[first], p[first]]), ""))
    title = "Test images (above) and their reconstructions (below)"
    draw_strips(path, strips, title, RECONSTRUCTION_COLUMNS)


def draw_read(path, pictures):
    """Draws a person's pictures above what was read from them.

    pictures: a list of (brightness, character), as read_character returns them.
    """
    strips = []
    for number, (brightness, character) in enumerate(pictures, start=1):
        above, below = _square(1 - brightness / 255), _square(character)
        strips.append((f"#{number}", np.vstack([above, below]), ""))
    title = "Your pictures (above) and what was read from them (below)"
    draw_strips(path, strips, title, READ_COLUMNS)


def _square(ink):
    """(H, W) in [0, 1], as large as it fits into the middle of a square."""
    from PIL import Image, ImageOps

    return np.asarray(ImageOps.pad(Image.fromarray(ink), (READ_SIDE, READ_SIDE), color=0))


# ---- a morph in motion: the rows side by side, one picture for each step

TRAVEL = 1500  # milliseconds from end to end of a GIF
REST = 900  # milliseconds at each end
SHORTEST = 40  # milliseconds; browsers slow down frames that are much shorter


def draw_steps(frames):
    """One picture for each step: (rows, steps, H, W) in [0, 1] -> steps pictures."""
    strips = np.concatenate(list(frames), axis=2)  # (steps, H, rows * W)
    steps, height, width = strips.shape
    zoom = min(MOTION_ZOOM, MAX_SIDE // max(width, steps * height))
    return [_draw_ink(strip, zoom) for strip in strips]


def write_gif(path, frames):
    """Writes an endless animation, back and forth; it slows down near the ends, and rests there.

    frames: (rows, steps, H, W) in [0, 1], steps at least 2.
    """
    pictures = draw_steps(frames)
    durations = frame_durations(len(pictures))
    pictures += pictures[-2:0:-1]  # and back, each end only once
    durations += durations[-2:0:-1]
    with replacing(path) as partial:
        pictures[0].save(
            partial,
            "GIF",
            save_all=True,
            append_images=pictures[1:],
            duration=durations,
            loop=0,  # for ever
        )


def frame_durations(count):
    """Milliseconds, a list: how long each frame is shown on the way from end to end."""
    places = np.linspace(0, 1, count)
    moments = TRAVEL * np.arccos(1 - 2 * places) / np.pi  # a cosine: fast in the middle
    between = (moments[2:] - moments[:-2]) / 2
    inner = np.maximum(between, SHORTEST) // 10 * 10  # a GIF counts hundredths of a second
    return [REST, *inner.astype(int).tolist(), REST]


def write_html(path, frames, title):
    """Writes a page with a slider over the frames, and a button that plays them.

    frames: (rows, steps, H, W) in [0, 1], steps at least 2.
    """
    from PIL import Image

    pictures = draw_steps(frames)
    width, height = pictures[0].size
    stacked = Image.new("L", (width, height * len(pictures)))
    for step, picture in enumerate(pictures):
        stacked.paste(picture, (0, step * height))
    png = io.BytesIO()
    stacked.save(png, "PNG", optimize=True)
    page = fill(
        "morph.html",
        {
            "title": html.escape(title),
            "width": str(width),
            "columns": str(len(frames)),
            "last": str(len(pictures) - 1),
            "picture": "data:image/png;base64," + base64.b64encode(png.getvalue()).decode(),
        },
    )
    with replacing(path) as partial:
        partial.write_text(page, "utf-8")
