"""Directions with names: along each, codes change one thing about a character, e.g. its slant.

What changes is a measure of a picture. Its direction is the slope of codes over that measure while
the others stay the same, by least squares over the edges of the graph of codes.
"""

import numpy as np

from support.morph.geodesic import pen_width

TINY = 1e-3  # empty pictures have measures, too

# ---- measures: pictures (N, height, width) in [0, 1] -> (N,)


class Ink:
    """The ink of pictures as weights that sum to 1, and how far it lies from its own centre."""

    def __init__(self, pictures):
        y, x = np.indices(pictures.shape[1:], np.float32)
        self.share = pictures / (pictures.sum(axis=(1, 2), keepdims=True) + TINY)
        self.right = x - self.mean(x)[:, None, None]
        self.up = self.mean(y)[:, None, None] - y

    def mean(self, values):
        return (self.share * values).sum(axis=(1, 2))


def slant(pictures):
    """How far strokes lean to the right, for each pixel upwards."""
    ink = Ink(pictures)
    return ink.mean(ink.up * ink.right) / (ink.mean(ink.up**2) + TINY)


def width(pictures):
    """The logarithm of the ratio of width to height."""
    ink = Ink(pictures)
    return np.log((ink.mean(ink.right**2) + 1) / (ink.mean(ink.up**2) + 1)) / 2


def openness(pictures):
    """The mean distance from the centre beside the root of its mean square: 1 for a circle."""
    ink = Ink(pictures)
    distance = np.hypot(ink.up, ink.right)
    return ink.mean(distance) / (np.sqrt(ink.mean(distance**2)) + TINY)


def low_weight(pictures):
    """The skewness of the ink's height: above 0 if most ink lies low."""
    ink = Ink(pictures)
    return ink.mean(ink.up**3) / (ink.mean(ink.up**2) + TINY) ** 1.5


MEASURES = {  # with the words for both ends
    ("Pen", "thin", "thick"): pen_width,
    ("Slant", "left", "right"): slant,
    ("Shape", "narrow", "wide"): width,
    ("Middle", "filled", "open"): openness,
    ("Weight", "above", "below"): low_weight,
}


def measure(pictures):
    """Pictures (N, height, width) -> (N, K), all measures of each."""
    return np.stack([of_picture(pictures) for of_picture in MEASURES.values()], axis=1)


# ---- directions


def slopes(graph, values):
    """How codes change with each of K values of the nodes while the others stay: (N, K) -> (K, D).

    Least squares over all edges, each of which changes the values and the code.
    """
    tails = np.arange(len(graph.nodes)).repeat(np.diff(graph.starts))
    heads = graph.neighbours
    change_of_values = values[heads] - values[tails]
    change_of_codes = graph.nodes[heads] - graph.nodes[tails]
    slope, *_ = np.linalg.lstsq(change_of_values, change_of_codes)
    return slope


def named_directions(graph, pictures, decode):
    """The directions of MEASURES in a graph of codes.

    pictures: (N, height, width), of test codes. decode: codes (M, D) -> (M, height, width).

    Returns:
        {(name, low end, high end): (D,)}; a step along it changes the measure by its standard
        deviation in the pictures.
    """
    spread = measure(pictures).std(axis=0) + TINY
    directions = slopes(graph, measure(decode(graph.nodes)) / spread)
    return dict(zip(MEASURES, directions, strict=True))
