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

PAPER = 255
GREY_STEP = 17  # between the 16 greys that are used; fewer greys make smaller files
MAX_FRAMES = 30_000  # of all rows: they are held in memory
MAX_SIDE = 60_000  # screen pixels of all images in a row; a GIF and browsers stop at 65,535

# ---- writing a morph as .png, .gif, .html or .npz


KINDS = (".png", ".gif", ".html", ".npz")


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
    picture = Image.fromarray(np.uint8(np.rint(PAPER * (1 - ink))))
    picture = picture.resize((zoom * width, zoom * height), Image.Resampling.BICUBIC)
    return picture.point(lambda grey: round(grey / GREY_STEP) * GREY_STEP)


def _largest_zoom(zoom, side):
    """Screen pixels for a pixel of an image: `zoom`, or fewer for a long side."""
    return min(zoom, MAX_SIDE // side)


# ---- strips of images in a PNG

STRIP_ZOOM = 2
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


def draw_strips(path, strips, left, right=None, columns=1, title=""):
    """Draws strips of images with names beside them.

    Args:
        path: the file to write.
        strips: 2-d arrays in [0, 1], all of one shape; 1 is ink.
        left, right: the names beside each strip.
        columns: how many strips stand side by side, at most.
        title: a line above all.
    """
    from PIL import Image, ImageDraw

    if right is None:
        right = [""] * len(strips)
    columns = min(columns, len(strips))
    height, width = strips[0].shape
    rows = math.ceil(len(strips) / columns)
    zoom = _largest_zoom(STRIP_ZOOM, max(rows * (height + ROW_GAP), columns * width))
    name_font = _font(zoom * NAME_SIZE)
    title_font = _font(TITLE_SIZE)

    # From here on all sizes are in screen pixels.
    height, width, row_gap, name_gap = (zoom * n for n in (height, width, ROW_GAP, NAME_GAP))
    longest_name = max(name_font.getlength(name) for name in [*left, *right])
    name_width = name_gap + max(zoom * NAME_WIDTH, math.ceil(longest_name))
    cell_width = name_width + width + name_width
    title_width = math.ceil(title_font.getlength(title))
    title_height = 2 * TITLE_SIZE if title else 0
    page_width = MARGIN + max(columns * cell_width, title_width) + MARGIN
    page_height = MARGIN + title_height + rows * (height + row_gap) + MARGIN
    first_x = (page_width - columns * cell_width) // 2 + name_width
    first_y = MARGIN + title_height

    page = Image.new("L", (page_width, page_height), PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((page_width / 2, MARGIN), title, anchor="ma", font=title_font, fill=0)
    for i, strip in enumerate(strips):
        row, column = divmod(i, columns)
        x = first_x + column * cell_width
        y = first_y + row * (height + row_gap)
        page.paste(_draw_ink(strip, zoom), (x, y))
        middle = y + height / 2
        draw.text((x - name_gap, middle), left[i], anchor="rm", font=name_font, fill=0)
        draw.text((x + width + name_gap, middle), right[i], anchor="lm", font=name_font, fill=0)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        page.save(partial, "PNG")


def _font(size):
    """matplotlib's own font, as Pillow's has no arrow for the titles of morphs."""
    import matplotlib
    from PIL import ImageFont

    path = Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


def draw_morph(path, frames, ends, title):
    """Draws the frames of a morph, a strip for each row, between the images that it joins.

    frames: (rows, steps, H, W) in [0, 1], with blank rows. ends: Endpoints.
    """
    _, _, height, width = frames.shape
    gap = np.zeros((height, width // 4))
    strips = []
    for row, (first, last) in zip(frames, ends.with_blank_rows(ends.images), strict=True):
        strips.append(np.hstack([first, gap, *row, gap, last]))
    left, right = ends.with_blank_rows(ends.names, "").T
    draw_strips(path, strips, left, right, title=f"{title}; left and right: {ends.source}")


def draw_preview(path, images_of_class):
    """Draws the first ten images of each class: a dict of character to images (n, H, W)."""
    strips = []
    for images in images_of_class.values():
        images = images[:PREVIEW_IMAGES]
        missing = PREVIEW_IMAGES - len(images)
        images = np.pad(images, ((0, missing), (0, 0), (0, 0)))
        strips.append(np.hstack(images))
    draw_strips(path, strips, list(images_of_class), columns=PREVIEW_COLUMNS)


def draw_reconstructions(path, x, p, y, names):
    """Draws the first image of each class above its reconstruction.

    x, p: the images and their reconstructions (N, H, W) in [0, 1]. y: (N,) labels. names: {label:
    character}; a class without images is left out.
    """
    strips = []
    shown = []
    for label, name in names.items():
        members = np.flatnonzero(y == label)
        if len(members) > 0:
            strips.append(np.vstack([x[members[0]], p[members[0]]]))
            shown.append(name)
    title = "Test images (above) and their reconstructions (below)"
    draw_strips(path, strips, shown, columns=RECONSTRUCTION_COLUMNS, title=title)


def draw_read(path, photos, characters):
    """Draws a person's photos above what was read from them.

    photos: a list of brightness (H, W), 0..255. characters: as many (H, W) in [0, 1].
    """
    strips = []
    for photo, character in zip(photos, characters, strict=True):
        strips.append(np.vstack([_square(255 - photo), _square(255 * character)]))
    numbers = [str(number) for number in range(1, len(strips) + 1)]
    title = "Your pictures (above) and what was read from them (below)"
    draw_strips(path, strips, numbers, columns=READ_COLUMNS, title=title)


def _square(ink):
    """(H, W), 0..255, as large as it fits into the middle of a square: [0, 1]."""
    from PIL import Image, ImageOps

    picture = Image.fromarray(ink.astype(np.float32)).convert("L")
    return np.asarray(ImageOps.pad(picture, (READ_SIDE, READ_SIDE))) / 255


# ---- a morph in motion: the rows side by side, one picture for each step

MOTION_ZOOM = 4
TRAVEL = 1500  # milliseconds from end to end of a GIF
REST = 900  # milliseconds at each end
SHORTEST = 40  # milliseconds; browsers slow down frames that are much shorter


def draw_steps(frames):
    """One picture for each step: (rows, steps, H, W) in [0, 1] -> steps pictures."""
    strips = np.concatenate(list(frames), axis=2)  # (steps, H, rows * W)
    steps, height, width = strips.shape
    zoom = _largest_zoom(MOTION_ZOOM, max(width, steps * height))
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
