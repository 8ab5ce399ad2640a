"""A person's own picture of one character, a photo or a scan, in EMNIST's form.

1. Open: upright by its EXIF orientation, then grey, then scaled to a working size.
2. Is it cropped to the ink? Then ink of either kind reaches all four sides, and the paper is what
   most of the border consists of.
3. Else the paper is what is bright locally (under dark ink) or dark locally (under light ink): a
   morphological closing removes what is narrower than a window, which is ink, and keeps what is
   wider, which is a shadow or a table. Light is divided by paper, so that shadows cancel.
4. Dark or light ink? The character's contour is the outer one; holes and gaps lie within.
5. The window and the blur against noise are fitted to the width of the pen, and 3 is repeated.
6. Specks, shadow edges and pale printed lines go: marks have a share of the ink, and its contrast.
7. A thin pen is brought to the width of those in EMNIST. The rest is what EMNIST's authors did
   (arXiv:1702.05373): blurred, cropped, centred in a square with a margin, and scaled down.
"""

import contextlib
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from support.console import InputError

MOST_PIXELS = 250_000_000  # more than the camera of any phone has
LONGEST_SIDE = 640  # pixels, of the picture that is worked on
SHORTEST_SIDE = 300  # pixels, likewise: smaller pictures are enlarged
PAPER_LIGHT = 240  # what the brightest parts of a picture are scaled to
DARK_OFFSET = 40  # added to brightness before it is divided: noise in black parts is no contrast
WINDOW_SHARE = 0.3  # of the longer side: what is darker and wider is a shadow or a table
WINDOW_PENS = 3  # the same in widths of the pen, once it is known
BLUR_PENS = 0.12  # standard deviation of the blur against noise, in widths of the pen
MIN_BLUR, MAX_BLUR = 0.7, 3.0  # pixels
MIN_CONTRAST = 0.15  # of ink: the share of the paper's light that it lacks
NOISE_FACTOR = 9  # ink has at least so many times the contrast of paper (the lower quartile)
MARK_CONTRAST = 0.55  # of the ink's contrast: less is paper, or a shadow's edge
PEAK_CONTRAST = 0.7  # of the ink's contrast: a mark has it somewhere, a shadow's edge does not
SPECK = 0.03  # a mark with less than this share of the largest mark's ink is dirt
THIN_PEN = 0.08  # of the image's side: the width of the thinner pens in EMNIST
INK_SHARE = 47 / 56  # of the image's side, as in EMNIST: a character's longer side, palest ink too
EDGE_BLUR = 0.3  # pixels of the image: edges as soft as EMNIST's


def read_character(path, image_size):
    """A picture of one character, a photo or a scan, in EMNIST's form.

    The ink may be dark on light or light on dark; the picture may have any size, and shadows.

    Returns:
        (image_size, image_size) float32 in [0, 1], upright, the darkest ink 1.

    Raises:
        FileNotFoundError: there is no such file.
        InputError: the file is not a picture, is too large, or has no ink; names it.
    """
    light = open_picture(path)
    ink = _find_ink(light)
    if ink is None:
        raise InputError(f"{path}: no ink found; give a picture of one character")
    return _centre(ink, image_size)


# ---- 1. the picture


def open_picture(path):
    """The brightness of a picture's pixels, upright, at the working size: (H, W), 0..255.

    Raises:
        FileNotFoundError: there is no such file.
        InputError: the file is not a picture, or is too large; names it.
    """
    from PIL import Image, UnidentifiedImageError

    if not Path(path).exists():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        with warnings.catch_warnings(action="ignore"):  # of what matters little, as broken EXIF
            grey, opacity = _read_pixels(path)
    except Image.DecompressionBombError as error:
        most = MOST_PIXELS // 1_000_000
        raise InputError(f"{path}: more than {most} megapixels; scale it down") from error
    except UnidentifiedImageError as error:
        raise InputError(
            f"{path}: not a picture that can be read; save it as JPEG or PNG (HEIC too)"
        ) from error
    except Exception as error:  # Pillow can raise any exception on a damaged file
        raise InputError(f"{path}: not a picture that can be read: {error}") from error

    # Transparent parts are paper: white under dark ink, black under light ink.
    ink_is_dark = (grey * opacity).sum() < 128 * opacity.sum()
    paper = 255 if ink_is_dark else 0
    return grey * opacity + paper * (1 - opacity)


def _read_pixels(path):
    """Grey (H, W), 0..255, and opacity (H, W), 0..1."""
    from PIL import Image, ImageOps

    with _large_pictures_allowed(), Image.open(path) as picture:
        picture.draft("L", (LONGEST_SIDE, LONGEST_SIDE))  # a large JPEG is decoded to a part
        picture = _to_grey(ImageOps.exif_transpose(picture))
    picture = _scale(picture)
    if picture.mode == "L":
        grey = np.asarray(picture, np.float32)
        return grey, np.ones_like(grey)
    pixels = np.asarray(picture, np.float32)
    return pixels[..., 0], pixels[..., 1] / 255


@contextlib.contextmanager
def _large_pictures_allowed():
    """Pillow refuses pictures of more than twice its limit; here up to MOST_PIXELS."""
    from PIL import Image

    limit = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS // 2
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _to_grey(picture):
    """A picture of any mode -> mode L, or LA where it may be transparent."""
    from PIL import Image

    if picture.mode.startswith(("I", "F")):  # 16 bits or more, which convert would cut off
        values = np.asarray(picture, np.float32)
        values -= values.min()
        return Image.fromarray(values * (255 / max(values.max(), 1))).convert("L")
    if picture.has_transparency_data:
        return picture.convert("RGBA").convert("LA")
    return picture.convert("L")


def _scale(picture):
    """The picture with a longer side between SHORTEST_SIDE and LONGEST_SIDE."""
    from PIL import Image

    longest = max(picture.size)
    wanted = min(max(longest, SHORTEST_SIDE), LONGEST_SIDE)
    size = [max(1, round(side * wanted / longest)) for side in picture.size]
    method = Image.Resampling.BOX if wanted < longest else Image.Resampling.BICUBIC
    return picture.resize(size, method)


# ---- 2 to 6. the ink


@dataclass(frozen=True)
class Ink:
    """What may be the ink of a character.

    coverage: (H, W), how much ink is in each pixel, 0 to 1, without specks.
    contrast: (H, W), the share of the paper's light that is missing.
    mask: (H, W) bool, where the marks are.
    level: the contrast of full ink.
    pen: the pen's width in pixels.
    """

    coverage: np.ndarray
    contrast: np.ndarray
    mask: np.ndarray
    level: float
    pen: float


def _find_ink(light):
    """The Ink in a picture (H, W), 0..255; None where no ink can be told."""
    light = _brighten(light)
    pictures = [light, 255 - light]  # for dark ink, for light ink
    cropped = _find_cropped_ink(pictures)
    if cropped is not None:
        return cropped

    halves = [_reduce(picture, 2) for picture in pictures]
    window = WINDOW_SHARE * max(halves[0].shape)
    rough = [_find_marks(half, window, MIN_BLUR) for half in halves]
    is_light = _is_ink_light(rough, halves[0])
    if is_light is None:
        return None
    pen = 2 * rough[is_light].pen
    window = min(2 * window, WINDOW_PENS * pen)
    blur = np.clip(BLUR_PENS * pen, MIN_BLUR, MAX_BLUR)
    return _find_marks(pictures[is_light], window, blur)


def _brighten(light):
    """Brightness with PAPER_LIGHT as its maximum, single pixels apart."""
    brightest = _reduce(light, 4).max()
    return light * (PAPER_LIGHT / max(brightest, 1))


def _reduce(light, factor):
    from PIL import Image

    return np.asarray(Image.fromarray(light).reduce(factor))


def _find_cropped_ink(pictures):
    """The Ink of a picture that is cropped to it; None if it is not.

    pictures: for dark and for light ink, as both ink and paper reach all sides of such a picture.
    """
    candidates = []
    for picture in pictures:
        ink = _marks(_contrast_with_brightest(picture))
        if ink is None or not _touches_all_sides(ink):
            return None
        candidates.append(ink)
    return min(candidates, key=_share_of_border)  # a border is mostly paper


def _touches_all_sides(ink):
    full = ink.contrast > 0.85 * ink.level  # no shadow is as dark
    near = max(full.shape) // 50
    sides = [full[:near], full[-near:], full[:, :near], full[:, -near:]]
    return all(side.any() for side in sides)


def _share_of_border(ink):
    mask = ink.mask
    return np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]]).mean()


def _contrast_with_brightest(light):
    """The share of light that each pixel lacks, where the whole paper is lit alike."""
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(light, 1)
    paper = np.percentile(smooth, 95)
    return 1 - (smooth + DARK_OFFSET) / (paper + DARK_OFFSET)


def _contrast_with_paper(light, window):
    """The share of the local paper's light that each pixel lacks, 0 to 1.

    What is dark and narrower than the window, in pixels, is no paper.
    """
    from scipy import ndimage

    padded = np.pad(light, window, "edge")  # a shadow goes on beyond the picture
    paper = ndimage.grey_closing(padded, size=(window, window))
    contrast = 1 - (padded + DARK_OFFSET) / (paper + DARK_OFFSET)
    return contrast[window:-window, window:-window]


def _find_marks(light, window, blur):
    """The Ink that is darker than the paper around it, or None."""
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(light, blur)
    window = max(int(window), 9) | 1  # odd, so that it has a middle
    contrast = _contrast_with_paper(smooth, window)
    ink = _marks(contrast)
    if ink is None or ink.level < NOISE_FACTOR * np.percentile(contrast, 25):
        return None
    return ink


def _marks(contrast):
    """The Ink in contrasts (H, W), or None."""
    from scipy import ndimage

    level = np.median(contrast[contrast >= contrast.max() / 2])
    if not level >= MIN_CONTRAST:
        return None
    mask = _without_specks(contrast, level)
    pen = _pen_width(mask)
    near = ndimage.binary_dilation(mask, iterations=max(1, round(0.3 * pen)))
    coverage = np.clip((contrast / level - 0.2) / 0.6, 0, 1)  # of paper 0, in spite of noise
    coverage[~near] = 0
    return Ink(coverage, contrast, mask, level, pen)


def _without_specks(contrast, level):
    """Where there are marks, (H, W) bool: neither dirt nor pale."""
    from scipy import ndimage

    marks, count = ndimage.label(contrast > MARK_CONTRAST * level, np.ones((3, 3)))
    numbers = range(count + 1)
    ink_of_mark = ndimage.sum_labels(contrast, marks, numbers)
    peak_of_mark = ndimage.maximum(contrast, marks, numbers)
    ink_of_mark[0] = 0  # the paper is not a mark
    ink_of_mark[peak_of_mark < PEAK_CONTRAST * level] = 0
    is_mark = ink_of_mark > SPECK * ink_of_mark.max()
    return is_mark[marks]


def _pen_width(mask):
    """Pixels. Within a stroke, distances to its edge are spread evenly up to half its width."""
    from scipy import ndimage

    distances = ndimage.distance_transform_edt(np.pad(mask, 1))
    return max(1.0, 4 * distances[distances > 0].mean() - 2)  # they begin at 1, not 0


def _is_ink_light(candidates, light):
    """Which of the candidates (for dark ink, for light ink) is a character: 0, 1, or None.

    Holes and gaps of the one look like ink to the other. The character's is the outer contour:
    beyond it is paper, where the other candidate has nothing.
    """
    dark_ink, light_ink = candidates
    dark_level = 0 if dark_ink is None else dark_ink.level
    light_level = 0 if light_ink is None else light_ink.level
    if dark_level == light_level == 0:
        return None
    if max(dark_level, light_level) > 4 * min(dark_level, light_level):  # the other is noise
        return int(light_level > dark_level)
    steepness = _steepness(light)
    dark_contour = _outer_contour(dark_ink, light_ink)
    light_contour = _outer_contour(light_ink, dark_ink)
    return int(steepness[light_contour].sum() > steepness[dark_contour].sum())


def _outer_contour(ink, other):
    """Pixels just outside of a candidate and not in the other one: (H, W) bool."""
    from scipy import ndimage

    around = ndimage.binary_dilation(ink.mask, np.ones((3, 3)), iterations=2)
    contour = around & ~ink.mask
    # In the middle of a dark photo's border lies a weak, wide light, which is no gap of the ink.
    is_glow = other.level < 0.8 * ink.level and other.pen > 1.5 * ink.pen
    return contour if is_glow else contour & ~other.mask


def _steepness(light):
    """The squared slope of the logarithm of brightness: high at ink's edges, low at shadows'."""
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(light, 0.7)
    rows, columns = np.gradient(np.log(smooth + DARK_OFFSET))
    return rows**2 + columns**2


# ---- 7. EMNIST's form


def _centre(ink, image_size):
    """The ink, thin lines thickened, cropped and centred in a square with a margin, scaled down."""
    from PIL import Image
    from scipy import ndimage

    top, bottom, left, right = _bounds(ink.coverage > 0.5)
    longest = max(bottom - top, right - left)
    unit = longest / (INK_SHARE * image_size - 0.5)  # of the picture's pixels, in a pixel
    margin = longest // 2
    coverage = np.pad(ink.coverage, margin)
    coverage = coverage[top : bottom + 2 * margin, left : right + 2 * margin]
    coverage = _thicken(coverage, ink.pen, unit * image_size)
    coverage = ndimage.gaussian_filter(coverage, EDGE_BLUR * unit)

    top, bottom, left, right = _bounds(coverage > 0.02)
    half = max(bottom - top, right - left) / INK_SHARE / 2
    margin = int(half) + 1  # the square may reach beyond the picture
    x = (left + right) / 2 + margin
    y = (top + bottom) / 2 + margin
    padded = Image.fromarray(np.pad(coverage, margin).astype(np.float32))
    square = (x - half, y - half, x + half, y + half)
    small = padded.resize((image_size, image_size), Image.Resampling.BICUBIC, square)
    image = np.asarray(small).clip(0, 1)
    return image / image.max()


def _bounds(mask):
    """The first row and column of a mask, and those after its last: top, bottom, left, right."""
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    return rows[0], rows[-1] + 1, columns[0], columns[-1] + 1


def _thicken(coverage, pen, side):
    """Makes a thin pen as thick as most pens in EMNIST; a thick one is read as well as it is.

    pen: its width. side: of the image to come; both in pixels of the coverage.
    """
    from scipy import ndimage

    grow = (THIN_PEN * side - pen) / 2
    if grow < 0.1 * pen:
        return coverage
    inside = ndimage.distance_transform_edt(coverage > 0.5)
    outside = ndimage.distance_transform_edt(coverage <= 0.5)
    return np.clip(inside - outside + grow + 0.5, 0, 1)
