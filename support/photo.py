"""A person's own picture of one character, a photo or a scan, in EMNIST's form."""

import warnings
from pathlib import Path

import numpy as np

from support.console import InputError

LONGEST_SIDE = 512  # pixels; larger pictures are first scaled down
INK_SHARE = 47 / 56  # of the image's side, as in EMNIST: a character's longer side, palest ink too
SPECK = 0.03  # a mark with less than this share of the largest mark's ink is dirt
FIT_SIDE = 48  # pixels a side of the small copy that the paper's brightness is fitted to


def read_character(path, image_size):
    """A picture of one character, a photo or a scan, in EMNIST's form.

    The ink may be dark on light or light on dark; the picture may have any size. The shade of the
    paper and uneven light are removed. The rest is what EMNIST's authors did (arXiv:1702.05373):
    the picture is blurred, cropped to the ink, centred in a square with a margin, and scaled down.

    Returns:
        (image_size, image_size) float32 in [0, 1], upright, the darkest ink 1.

    Raises:
        FileNotFoundError: there is no such file.
        InputError: the file is not a picture, or has no ink; names it.
    """
    light = _read_grey(path)
    ink = _find_ink(light)
    if ink is None:
        raise InputError(f"{path}: no ink found; give a picture of one character")
    return _centre(ink, image_size)


def _read_grey(path):
    """The brightness of a picture's pixels: (H, W) float32, 0..255."""
    from PIL import Image

    if not Path(path).exists():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        with warnings.catch_warnings(action="ignore"):  # of what matters little, as broken EXIF
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            grey, alpha = _open_picture(path)
    except Exception as error:  # Pillow can raise any exception on a damaged file
        raise InputError(f"{path}: not a picture that can be read: {error}") from error

    # Transparent parts are paper: white under dark ink, black under light ink.
    opacity = alpha / 255
    ink_is_dark = (grey * opacity).sum() < 128 * opacity.sum()
    paper = 255 if ink_is_dark else 0
    return grey * opacity + paper * (1 - opacity)


def _open_picture(path):
    """The picture as a camera or scanner meant it, upright: grey and alpha (H, W), 0..255."""
    from PIL import Image, ImageOps

    with Image.open(path) as picture:
        if picture.mode.startswith(("I", "F")):  # 16 bits or more, which convert would cut off
            values = np.asarray(picture, np.float32)
            contrast = max(np.ptp(values), 1)
            picture = Image.fromarray(255 * (values - values.min()) / contrast).convert("L")
        picture = ImageOps.exif_transpose(picture)
        picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.BOX)
        grey_and_alpha = np.asarray(picture.convert("LA"), np.float32)
    return grey_and_alpha[..., 0], grey_and_alpha[..., 1]


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
    ink_of_mark = ndimage.sum_labels(ink, marks, range(count + 1))
    ink_of_mark[0] = 0  # the paper is not a mark
    is_speck = ink_of_mark <= SPECK * ink_of_mark.max()
    ink[is_speck[marks]] = 0
    return ink


def _light_of_paper(light):
    """The paper's brightness in each pixel: a smooth surface fitted to most of the pixels."""
    from PIL import Image

    small = Image.fromarray(light).resize((FIT_SIDE, FIT_SIDE), Image.Resampling.BOX)
    brightness = np.asarray(small).ravel()
    terms = _surface_terms((FIT_SIDE, FIT_SIDE)).reshape(len(brightness), -1)
    residuals = brightness - np.median(brightness)
    for _ in range(20):
        spread = 1.5 * np.median(np.abs(residuals)) + 1e-3
        distances = residuals / spread
        weighted = terms.T / (1 + distances**2)  # far from the surface is ink, which weighs less
        factors = np.linalg.solve(weighted @ terms, weighted @ brightness)
        residuals = brightness - terms @ factors
    return _surface_terms(light.shape) @ factors


def _surface_terms(shape):
    """The terms of a quadratic surface over a picture: (H, W) -> (H, W, 6)."""
    height, width = shape
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    return np.stack([np.ones(shape), x, y, x * x, x * y, y * y], axis=-1, dtype=np.float32)


def _centre(ink, image_size):
    """The ink, cropped and centred in a square with a margin, scaled down to the image's size."""
    from PIL import Image

    rows = np.flatnonzero((ink > 0).any(axis=1))
    columns = np.flatnonzero((ink > 0).any(axis=0))
    top, bottom = rows[0], rows[-1] + 1
    left, right = columns[0], columns[-1] + 1
    half = max(bottom - top, right - left) / INK_SHARE / 2
    margin = int(half) + 1  # the square may reach beyond the picture
    x = (left + right) / 2 + margin
    y = (top + bottom) / 2 + margin
    padded = Image.fromarray(np.pad(ink, margin))
    square = (x - half, y - half, x + half, y + half)
    small = padded.resize((image_size, image_size), Image.Resampling.BICUBIC, square)
    image = np.asarray(small).clip(0, 1)
    return image / image.max()
