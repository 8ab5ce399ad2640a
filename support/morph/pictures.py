"""Morphs in motion: a GIF, and a page with a slider that works offline. And how large they may be.

In both, the rows of a morph stand side by side: dark ink on light paper.
"""

import base64
import html
import io

import click
import numpy as np

from support import page as pages
from support.files import replacing

MAX_PIXELS = 300_000_000  # of all frames: they are held in memory
MAX_SIDE = 65_535  # screen pixels of a GIF, and of the pictures that browsers draw
FIXED_SCALES = {".png": 2, ".npz": 1}  # screen pixels for a pixel; others take --scale
GREYS = 16
TRAVEL = 1500  # milliseconds from end to end of a GIF
REST = 900  # milliseconds at each end
SHORTEST = 40  # milliseconds; browsers slow down frames that are much shorter


def check_size(suffix, rows, steps, image_size, scale):
    """Refuses a morph that is too large for its kind of file.

    Args:
        suffix: .png, .npz, .gif or .html.
        rows, steps: frames are (rows, steps, image_size, image_size).
        scale: screen pixels for each pixel of a .gif or .html.

    Raises:
        click.UsageError: says what to lower.
    """
    scaled = suffix not in FIXED_SCALES
    scale = FIXED_SCALES.get(suffix, scale)
    or_scale = " or --scale" if scaled else ""
    side = image_size * scale
    if rows * steps * side**2 > MAX_PIXELS:
        raise click.UsageError(
            f"{rows} rows of {steps} frames have more than {MAX_PIXELS:,} pixels; "
            f"lower the number of rows, --steps{or_scale}"
        )
    if scaled and rows * side > MAX_SIDE:
        raise click.UsageError(
            f"{rows} rows side by side are {rows * side:,} pixels wide, more than {MAX_SIDE:,}; "
            "lower the number of rows or --scale"
        )
    if suffix == ".html" and steps * side > MAX_SIDE:
        raise click.UsageError(
            f"{steps} frames in one picture are {steps * side:,} pixels high, more than "
            f"{MAX_SIDE:,}; lower --steps or --scale"
        )


def draw_frames(frames, scale):
    """One picture for each step, of all rows side by side.

    frames: (rows, steps, height, width) in [0, 1]; 1 is ink.
    """
    from PIL import Image

    strips = np.concatenate(list(frames), axis=2)  # (steps, height, rows * width)
    _, height, width = strips.shape
    pictures = []
    for strip in strips:
        picture = Image.fromarray(np.uint8(255 * (1 - strip)))
        picture = picture.resize((width * scale, height * scale), Image.Resampling.BICUBIC)
        pictures.append(picture.point(round_grey))
    return pictures


def round_grey(grey):
    """0..255 -> the nearest of GREYS greys, which makes files small."""
    step = 255 // (GREYS - 1)
    return (grey + step // 2) // step * step


def write_gif(path, frames, scale):
    """Writes an endless animation, back and forth; it slows down near the ends, and rests there.

    frames: (rows, steps, height, width) in [0, 1], steps at least 2.
    """
    pictures = draw_frames(frames, scale)
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


def write_html(path, frames, scale, title):
    """Writes a page with a slider over the frames, and a button that plays them.

    frames: (rows, steps, height, width) in [0, 1], steps at least 2.
    """
    from PIL import Image

    pictures = draw_frames(frames, scale)
    width, height = pictures[0].size
    stacked = Image.new("L", (width, height * len(pictures)))
    for step, picture in enumerate(pictures):
        stacked.paste(picture, (0, step * height))
    png = io.BytesIO()
    stacked.save(png, "PNG", optimize=True)
    page = pages.fill(
        "morph.html",
        {
            "title": html.escape(title),
            "style": pages.read("style.css"),
            "width": str(width),
            "columns": str(len(frames)),
            "last": str(len(pictures) - 1),
            "picture": "data:image/png;base64," + base64.b64encode(png.getvalue()).decode(),
            "player": pages.read("player.js"),
        },
    )
    with replacing(path) as partial:
        partial.write_text(page, "utf-8")
