"""A person's own picture of one character, a photo or a scan, in EMNIST's form.

1. Open: upright by its EXIF orientation, grey, scaled to a working size.
2. Take the logarithm of the brightness. A shadow then lowers paper and ink by the same amount, and
   dark ink on light paper has the same contrast as light ink on dark paper.
3. Dark ink: a morphological closing removes what is dark and narrower than a window, which is ink;
   it keeps what is wider, which is a shadow or a table. The difference is the contrast of the ink.
   Light ink: likewise with an opening.
4. Dark or light? To one of them the holes and gaps of the character look like ink. Most of a
   picture is paper, so the ink is what differs more from the median. In a picture cropped to the
   ink it is the border that is mostly paper.
5. Specks, edges of shadows and pale printed lines are removed.
6. A thin pen is widened to EMNIST's. The rest is what EMNIST's authors did (arXiv:1702.05373):
   blur, crop, centre in a square with a margin, scale down.
"""

import warnings
from dataclasses import dataclass

import numpy as np

from support.console import InputError, notice
from support.emnist.idx import IMAGE_SIZE

WORKING_SIDE = 640  # pixels, the longer side of the picture that is worked on
NOISE_BLUR = 1  # pixels, against noise
DARK_OFFSET = 1 / 6  # of the brightest: added before the logarithm, else noise in black is contrast
WINDOW = 0.3  # of the longer side: what is wider is a shadow or a table
CROPPED = 0.35  # of all contrast: a picture cropped to the ink has it along each side
MIN_CONTRAST = 0.15  # of ink, as a difference of logarithms: 13% darker than the paper
NOISE_FACTOR = 9  # ink has at least so many times the contrast of paper (the lower quartile)
MARK_CONTRAST = 0.55  # of the ink's contrast: less is paper, or the edge of a shadow
PEAK_CONTRAST = 0.7  # of the ink's contrast: a mark has it somewhere, the edge of a shadow does not
SPECK = 0.03  # of the largest mark's ink: a smaller mark is dirt
THIN_PEN = 2.2  # pixels of the image: the width of the thinner pens in EMNIST
INK_SHARE = 47 / 56  # of the image's side, as in EMNIST: a character's longer side
EDGE_BLUR = 0.3  # pixels of the image: edges as soft as EMNIST's
MOSTLY_INK = 0.5  # of the image: no character in EMNIST has more ink
SIDE_BY_SIDE = 0.3  # of the largest mark's ink: a smaller one beside it is a dot or a splinter


def read_character(path):
    """A picture of one character, a photo or a scan, in EMNIST's form.

    The ink may be dark on light or light on dark; the picture may have any size, and shadows.
    A notice says if what was read may not be one character.

    Returns:
        brightness: (H, W) float32, 0..255, upright, as in open_picture.
        character: (28, 28) float32 in [0, 1], upright, the darkest ink 1.

    Raises:
        OSError: the file cannot be read.
        InputError: it is not a picture, is too large, or has no ink, or only pale ink.
    """
    brightness = open_picture(path)
    ink = _find_ink(brightness)
    if ink is None or ink.contrast < NOISE_FACTOR * ink.noise:
        raise InputError(f"{path}: no ink found; give a picture of one character")
    if ink.contrast < MIN_CONTRAST:
        raise InputError(f"{path}: the ink is too pale; use a darker pen, or more light")
    character = _centre(ink)
    if (character > 0.5).mean() > MOSTLY_INK:
        notice(f"{path}: read as a block of ink; only paper and one character should be visible")
    elif _count_columns(ink) > 1:
        notice(f"{path}: read as several marks side by side; give a picture of one character")
    return brightness, character


# ---- 1. the picture


def open_picture(path):
    """The brightness of a picture's pixels, upright, at the working size: (H, W), 0..255.

    Raises:
        OSError: the file cannot be read.
        InputError: it is not a picture, or is too large.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings(action="ignore"):  # harmless, e.g. broken EXIF
            grey, opacity = _read_pixels(path)
    except Image.DecompressionBombError as error:
        raise InputError(f"{path}: too many pixels; scale it down") from error
    except (MemoryError, ImportError):
        raise
    except Exception as error:  # Pillow can raise any exception on a damaged file
        if getattr(error, "errno", None):  # the file was not read
            raise
        raise InputError(
            f"{path}: not a picture that can be read (nor is HEIC); save it as JPEG or PNG"
        ) from error

    # Transparent parts are paper: white under dark ink, black under light ink.
    ink_is_dark = (grey * opacity).sum() < 128 * opacity.sum()
    paper = 255 if ink_is_dark else 0
    return grey * opacity + paper * (1 - opacity)


def _read_pixels(path):
    """Grey, 0..255, and opacity, 0..1, both (H, W)."""
    from PIL import Image, ImageOps, PngImagePlugin

    size = (WORKING_SIDE, WORKING_SIDE)
    PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY  # some editors keep a lot there
    with Image.open(path) as picture:
        picture.draft("L", size)  # a large JPEG is decoded at a fraction of its size
        picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith(("I", "F")):  # 16 bits or more, which convert would cut off
        picture = _to_8_bits(picture)
    picture = picture.convert("RGBA" if picture.has_transparency_data else "L").convert("LA")
    pixels = np.asarray(ImageOps.contain(picture, size), np.float32)
    return pixels[..., 0], pixels[..., 1] / 255


def _to_8_bits(picture):
    from PIL import Image

    values = np.array(picture, np.float32)
    values -= values.min()
    return Image.fromarray(values * (255 / (values.max() or 1)))


# ---- 2 to 5. the ink


@dataclass(frozen=True)
class Ink:
    """What may be the ink of a character.

    coverage: (H, W), how much ink is in each pixel, 0 to 1.
    mask: (H, W) bool, where the marks are.
    pen: the pen's width in pixels.
    contrast: of full ink, as a difference of logarithms.
    noise: the contrast of paper.
    """

    coverage: np.ndarray
    mask: np.ndarray
    pen: float
    contrast: float
    noise: float


def _find_ink(light):
    """The Ink in a picture (H, W), 0..255; None if it is all alike."""
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(light, NOISE_BLUR)
    tone = np.log(smooth / max(smooth.max(), 1) + DARK_OFFSET)
    longest = max(tone.shape)
    near = longest // 25
    border = [tone[:near], tone[-near:], tone[:, :near], tone[:, -near:]]
    if min(np.ptp(side) for side in border) > CROPPED * np.ptp(tone):
        # Cropped to the ink.
        paper = np.median(np.concatenate([side.ravel() for side in border]))
        window = longest | 1  # odd, so that it has a middle
        padded = np.pad(tone, window, constant_values=paper)
    else:
        paper = np.median(tone)
        window = int(WINDOW * longest) | 1
        padded = np.pad(tone, window, "edge")  # a shadow or a table goes on beyond the picture
    inside = np.s_[window:-window, window:-window]
    dark = _find_marks((ndimage.grey_closing(padded, window) - padded)[inside])
    light = _find_marks((padded - ndimage.grey_opening(padded, window))[inside])
    if dark is None or light is None:
        return dark or light
    darkness = paper - np.median(tone[dark.mask])
    lightness = np.median(tone[light.mask]) - paper
    return dark if darkness > lightness else light


def _find_marks(contrast):
    """The Ink in contrasts (H, W), 0 or more; None if there is no contrast."""
    from scipy import ndimage

    if contrast.max() == 0:
        return None
    level = np.median(contrast[contrast >= contrast.max() / 2])
    marks, count = ndimage.label(contrast > MARK_CONTRAST * level, np.ones((3, 3)))
    numbers = range(count + 1)
    ink_of_mark = ndimage.sum_labels(contrast, marks, numbers)
    peak_of_mark = ndimage.maximum(contrast, marks, numbers)
    ink_of_mark[0] = 0  # the paper is not a mark
    ink_of_mark[peak_of_mark < PEAK_CONTRAST * level] = 0
    mask = (ink_of_mark > SPECK * ink_of_mark.max())[marks]

    pen = _pen_width(mask)
    near = ndimage.binary_dilation(mask, iterations=max(1, round(0.3 * pen)))
    coverage = np.clip((contrast / level - 0.2) / 0.6, 0, 1)  # 0 on paper, in spite of noise
    coverage[~near] = 0
    return Ink(coverage, mask, pen, level, np.percentile(contrast, 25))


def _pen_width(mask):
    """Pixels. Within a stroke, distances to its edge are spread evenly up to half its width."""
    from scipy import ndimage

    distances = ndimage.distance_transform_edt(np.pad(mask, 1))
    return max(1.0, 4 * distances[distances > 0].mean() - 2)  # they begin at 1, not 0


def _count_columns(ink):
    """How many marks stand side by side, further apart than the pen is wide; without dots."""
    from scipy import ndimage

    amount = ink.mask.sum(axis=0)
    wider = ndimage.binary_dilation(amount > 0, iterations=max(1, round(ink.pen / 2)))
    columns, count = ndimage.label(wider)
    amount_of_column = ndimage.sum_labels(amount, columns, range(1, count + 1))
    return (amount_of_column > SIDE_BY_SIDE * amount_of_column.max()).sum()


# ---- 6. EMNIST's form


def _centre(ink):
    """The ink, a thin pen widened, blurred, cropped, in the middle of a square, scaled down."""
    from PIL import Image
    from scipy import ndimage

    coverage = _crop(ink.coverage)
    pixel = max(coverage.shape) / (INK_SHARE * IMAGE_SIZE)  # of the image, in the picture's pixels
    coverage = np.pad(coverage, round(2 * pixel))
    coverage = _widen(coverage, ink.pen, THIN_PEN * pixel)
    coverage = _crop(ndimage.gaussian_filter(coverage, EDGE_BLUR * pixel))

    side = round(max(coverage.shape) / INK_SHARE)
    above, left = ((side - length) // 2 for length in coverage.shape)
    square = np.zeros((side, side), np.float32)
    square[above : above + coverage.shape[0], left : left + coverage.shape[1]] = coverage
    small = Image.fromarray(square).resize((IMAGE_SIZE, IMAGE_SIZE))
    image = np.asarray(small).clip(0, 1)
    return image / image.max()


def _crop(coverage):
    """The part with ink, the palest too, as in EMNIST."""
    rows = np.flatnonzero((coverage > 0.02).any(axis=1))
    columns = np.flatnonzero((coverage > 0.02).any(axis=0))
    return coverage[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _widen(coverage, pen, wanted):
    """A pen as wide as wanted, in pixels; a wider one stays as it is."""
    from scipy import ndimage

    if pen >= wanted:
        return coverage
    inside = ndimage.distance_transform_edt(coverage > 0.5)
    outside = ndimage.distance_transform_edt(coverage <= 0.5)
    return np.clip(inside - outside + (wanted - pen) / 2 + 0.5, 0, 1)
