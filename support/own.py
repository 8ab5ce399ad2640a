"""A person's own picture of one character, a photo or a scan, in EMNIST's form."""

import warnings
from pathlib import Path

import numpy as np

from support.console import InputError

IMAGE_SIZE = 28  # pixels a side
INK_SIZE = 23.5  # pixels of the longer side of a character, with its palest ink


def read_character(path):
    """A picture of one character, a photo or a scan, in EMNIST's form: (28, 28) float32.

    The ink may be dark on light or light on dark; the picture may have any size. The shade of the
    paper and uneven light are removed. The rest is what EMNIST's authors did (arXiv:1702.05373):
    the picture is blurred, cropped to the ink, centred in a square with a margin, and scaled down.

    Returns:
        The character, upright, in [0, 1], its darkest ink 1.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a picture, or has no ink; names it.
    """
    light = _read_grey(path)
    ink = _find_ink(light)
    if ink is None:
        raise InputError(f"{path}: no ink found; give a picture of one character")
    return _centre(ink)


def _find_ink(light):
    """How much ink is in each pixel, 0 to 1, without specks; None where no ink can be told."""
    from scipy import ndimage

    light = ndimage.gaussian_filter(light, max(light.shape) / 250)
    ink = _light_of_paper(light) - light
    noise = np.median(np.abs(ink))  # most of a picture is paper
    if (ink**3).sum() < 0:  # light ink on dark paper
        ink = -ink
    level = np.median(ink[ink >= ink.max() / 2])
    if not level >= max(12 * noise, 10):
        return None
    ink = np.clip((ink / level - 0.1) / 0.9, 0, 1)
    marks, count = ndimage.label(ink > 0.2, np.ones((3, 3)))
    sizes = ndimage.sum_labels(ink, marks, range(count + 1))
    sizes[0] = 0
    ink[~np.isin(marks, np.flatnonzero(sizes > 0.03 * sizes.max()))] = 0  # specks, not dots
    return ink


def _centre(ink):
    """The ink, cropped and centred in a square with a margin, as an image of EMNIST's size."""
    from PIL import Image

    rows, columns = (np.flatnonzero((ink > 0).any(axis=axis)) for axis in (1, 0))
    low, high = np.array([columns[[0, -1]], rows[[0, -1]]]).T
    high += 1
    half = (high - low).max() * IMAGE_SIZE / INK_SIZE / 2
    middle = (low + high) / 2 + (margin := int(half) + 1)
    box = (*(middle - half), *(middle + half))
    square = Image.fromarray(np.pad(ink, margin))
    small = np.asarray(square.resize((IMAGE_SIZE,) * 2, Image.Resampling.BICUBIC, box)).clip(0, 1)
    return small / small.max()


def _read_grey(path, longest=512):
    """The brightness of a picture's pixels, float32 0..255, at most `longest` pixels a side."""
    from PIL import Image, ImageOps

    if not Path(path).exists():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        too_large = Image.DecompressionBombWarning
        with (
            warnings.catch_warnings(action="error", category=too_large),
            Image.open(path) as picture,
        ):
            if picture.mode.startswith(("I", "F")):  # 16 bits or more, which convert would cut off
                grey = np.asarray(picture, np.float32)
                grey = 255 * (grey - grey.min()) / max(np.ptp(grey), 1)
                picture = Image.fromarray(grey).convert("L")
            picture = ImageOps.exif_transpose(picture)
            picture.thumbnail((longest, longest), Image.Resampling.BOX)
            grey, alpha = np.float32(picture.convert("LA")).transpose(2, 0, 1)
    except Exception as error:  # Pillow can raise any exception on a damaged file
        raise InputError(f"{path}: not a picture that can be read: {error}") from error
    opaque = alpha / 255
    under = 255 if (grey * opaque).sum() < 128 * opaque.sum() else 0  # transparent parts are paper
    return grey * opaque + under * (1 - opaque)


def _light_of_paper(light):
    """The paper's brightness in each pixel: a smooth surface fitted to most of the pixels."""
    from PIL import Image

    def terms(shape):
        y, x = np.meshgrid(*(np.linspace(-1, 1, size) for size in shape), indexing="ij")
        return np.stack([x * 0 + 1, x, y, x * x, x * y, y * y], axis=-1, dtype=np.float32)

    few = np.asarray(Image.fromarray(light).resize((48, 48), Image.Resampling.BOX)).ravel()
    known = terms((48, 48)).reshape(-1, 6)
    off = few - np.median(few)
    for _ in range(20):  # pixels far from the surface, such as ink, weigh less
        weighted = known.T / (1 + (off / (1.5 * np.median(np.abs(off)) + 1e-3)) ** 2)
        surface = np.linalg.solve(weighted @ known, weighted @ few)
        off = few - known @ surface
    return terms(light.shape) @ surface
