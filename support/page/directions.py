"""Directions with names: along each, codes change one thing about a character, e.g. its slant.

What changes is a measure of a picture. Its direction is the slope of codes over that measure while
the others stay the same, by least squares over the edges of the graph of codes. A direction is kept
if it changes its own measure much more than any other one.
"""

import numpy as np

from support.morph.geodesic import pen_width

CLEAN = 3  # times as much as any other measure must a direction change its own
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


def changes(directions, codes, decode, spread):
    """How much directions (K, D) change measures of codes (N, D), in units of spread (K,): (K, K).

    Row k is the mean change of each measure by a step along direction k.
    """
    found = []
    for direction in directions:
        step = measure(decode(codes + direction)) - measure(decode(codes - direction))
        found.append(step.mean(axis=0) / 2 / spread)
    return np.array(found)


def named_directions(graph, codes, decode):
    """The clean ones of the directions of MEASURES, from the graph and some test codes (N, D).

    Returns:
        {(name, low end, high end): (D,)}; a step along it is a standard deviation of its measure.
    """
    spread = measure(decode(codes)).std(axis=0) + TINY
    directions = slopes(graph, measure(decode(graph.nodes)) / spread)
    table = np.abs(changes(directions, codes, decode, spread))
    own = table.diagonal().copy()
    np.fill_diagonal(table, 0)
    is_clean = own >= CLEAN * table.max(axis=1)
    return {
        words: direction
        for words, direction, keep in zip(MEASURES, directions, is_clean, strict=True)
        if keep
    }
