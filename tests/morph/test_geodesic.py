"""The geodesic on toy codes of known shape: rings, moons, bars."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.datasets import make_moons

from support.morph.geodesic import (
    INLIER_SHARE,
    build_graph,
    geodesic_path,
    pen_width,
    vote_labels,
)


def ring(count=2000, noise=0.02):
    """Codes on a noisy unit circle in the first two of 32 dimensions."""
    rng = np.random.default_rng(0)
    circle = on_ring(np.linspace(0, 2 * np.pi, count))
    return circle + rng.normal(0, noise / np.sqrt(32), (count, 32)).astype("float32")


def on_ring(angles):
    codes = np.zeros((len(angles), 32), "float32")
    codes[:, 0] = np.cos(angles)
    codes[:, 1] = np.sin(angles)
    return codes


def show(codes):
    """Pictures as far apart as their codes, without a pen: a line of pixels whose ink is 0."""
    return np.concatenate([codes, -codes], axis=-1)[..., None, :] / np.sqrt(2)


def see(pictures):
    return pictures[:, 0, : pictures.shape[2] // 2] * np.sqrt(2)


def paths(codes, start, end, steps, *, labels=None, encode=see, decode=show):
    """Geodesics in the graph of these codes; without labels, all are of one class."""
    labels = np.zeros(len(codes), int) if labels is None else labels
    ends = np.zeros(len(start), int)
    graph = build_graph(codes, labels, decode)
    return geodesic_path(graph, start, end, ends, ends, steps, encode, decode)


def step_lengths(path):
    return np.linalg.norm(np.diff(path, axis=-2), axis=-1)


def nearest(path, codes):
    """The distance of each frame to the nearest code."""
    return np.linalg.norm(path[..., None, :] - codes, axis=-1).min(axis=-1)


# ---- paths


def test_a_path_follows_a_ring_where_the_straight_line_cuts_through():
    first = np.arange(6)
    turn = np.linspace(0.5, 2.8, 6)
    start, end = on_ring(first), on_ring(first + turn)
    path = paths(ring(), start, end, 12)
    assert path.shape == (6, 12, 32)
    assert path.dtype == np.float32
    np.testing.assert_array_equal(path[:, 0], start)
    np.testing.assert_array_equal(path[:, -1], end)
    radius = np.linalg.norm(path[..., :2], axis=-1)
    assert radius.min() > 0.9
    assert radius.max() < 1.1
    lengths = step_lengths(path)
    assert (lengths <= 1.1 * lengths.mean(axis=1, keepdims=True)).all()  # even
    np.testing.assert_allclose(lengths.sum(axis=1), turn, rtol=0.1)  # the shorter way round


def test_a_path_stays_on_a_moon():
    codes, moon = make_moons(1500, noise=0.04, random_state=0)
    upper = codes[moon == 0]
    start, end = upper[[upper[:, 0].argmin()]], upper[[upper[:, 0].argmax()]]
    assert nearest(paths(codes, start, end, 15), upper).max() < 0.1


def test_a_long_edge_costs_more_than_many_short_ones():
    angle = np.arange(0, 5, 0.01)  # from end to end it is 5 along the arc, and 1.2 across the gap
    path = paths(on_ring(angle), on_ring([0.0]), on_ring([5.0]), 10)
    assert nearest(path[0], on_ring([2.5])).min() < 0.3


def test_separate_parts_of_the_graph_are_joined_by_the_straight_line():
    centres = np.array([[0, 0, 0], [100, 0, 0]])
    codes = np.random.default_rng(0).normal(centres.repeat(150, axis=0), 0.1)
    path = paths(codes, centres[:1], centres[1:], 5)
    np.testing.assert_allclose(path[0], np.linspace(*centres, 5), atol=1e-5)


def test_few_codes_are_enough():
    path = paths(np.eye(3), np.zeros((1, 3)), np.ones((1, 3)), 4)
    assert path.shape == (1, 4, 3)
    assert np.isfinite(path).all()


# ---- classes


def test_a_path_goes_a_longer_way_round_to_stay_in_its_class():
    codes = ring()
    angle = np.arctan2(codes[:, 1], codes[:, 0])
    many_above = np.where((angle > 0) & (angle < 2.9), 1 + angle // 0.05, 0)
    for labels, middle in ((np.zeros(2000), 1.45), (many_above, 1.45 + np.pi)):
        path = paths(codes, on_ring([0.0]), on_ring([2.9]), 12, labels=labels)
        assert nearest(path[0], on_ring([middle])).min() < 0.3


def test_an_end_is_joined_to_nodes_of_its_own_class():
    codes = ring()
    angle = np.arctan2(codes[:, 1], codes[:, 0])
    graph = build_graph(codes, np.abs(angle) < 0.5, show)
    ends = on_ring([0.0]), on_ring([2.0])
    for label, reach in ((True, 0), (False, 0.5)):  # how far the start is from its class
        path = geodesic_path(graph, *ends, [label], [False], 50, see, show)[0]
        off_ring = nearest(path, on_ring(np.arange(0, 2, 0.01))).max()
        assert off_ring == pytest.approx(1 - np.cos(reach / 2), abs=0.015)


def test_the_nearest_known_codes_vote_on_the_classes_of_ends():
    codes = np.array([[0], [1], [2], [10], [11], [12], [13], [14], [30], [31]], float)
    labels = np.array([7, 7, 7, 8, 8, 8, 8, 8, 9, 9])
    start = np.array([[1], [5], [29]])
    end = np.array([[12], [7], [7]])
    start_labels, end_labels = vote_labels(codes, labels, start, end)
    # known codes have their own labels; two ends between classes may be of one; others are not
    np.testing.assert_array_equal(start_labels, [7, 8, 9])
    np.testing.assert_array_equal(end_labels, [8, 8, 8])


# ---- pictures


def draw(codes):
    """A bar for each code: the first two numbers say where it lies, the third how thick it is."""
    row, column = np.mgrid[:40, :40]
    x, y, thickness = np.moveaxis(codes[..., :3, None, None], -3, 0)
    above = 2 * np.exp(thickness) - np.abs(row - 20 - 8 * y)  # pixels inside the edge
    beside = 8 - np.abs(column - 20 - 8 * x)
    return expit(2 * above) * expit(2 * beside)


def read(pictures):
    """The codes of bars (N, 40, 40), from what `draw` draws."""
    codes = np.zeros((len(pictures), 32), "float32")
    ink = pictures.sum(axis=(1, 2))
    codes[:, 0] = (pictures.sum(axis=1) @ np.arange(40) / ink - 20) / 8
    codes[:, 1] = (pictures.sum(axis=2) @ np.arange(40) / ink - 20) / 8
    codes[:, 2] = np.log(ink / 64)
    return codes


def bars():
    """Codes on a ring, of all sorts of thickness."""
    codes = ring()
    codes[:, 2] = np.random.default_rng(1).normal(0, 0.3, len(codes))
    return codes


def test_the_pen_is_carried_from_end_to_end():
    start, end = on_ring([0.0, 1.0]), on_ring([2.2, -1.5])
    start[:, 2], end[:, 2] = [0.3, -0.4], [0.3, 0.4]
    path = paths(bars(), start, end, 12, encode=read, decode=draw)
    widths = pen_width(draw(path))
    straight = np.linspace(widths[:, 0], widths[:, -1], 12, axis=1)
    np.testing.assert_allclose(widths, straight, atol=0.06)
    radius = np.linalg.norm(path[..., :2], axis=-1)
    assert radius.min() > 0.85
    assert radius.max() < 1.1


@pytest.mark.parametrize("width", [2, 5])
def test_the_pen_width_of_a_stroke(width):
    picture = np.zeros((28, 28))
    picture[4:24, 10 : 10 + width] = 1
    length = 20
    assert np.exp(pen_width(picture)) == pytest.approx(width * length / (length + width), rel=0.05)
    assert pen_width(0.5 * picture) == pytest.approx(pen_width(picture), abs=0.001)
    assert np.isfinite(pen_width(np.zeros((28, 28))))


def test_codes_are_encoded_again():
    codes, ends = bars(), on_ring([0.0, 2.0])
    codes[:, 9] = ends[:, 9] = 1  # which no picture shows
    path = paths(codes, ends[:1], ends[1:], 8, encode=read, decode=draw)
    np.testing.assert_allclose(path[0, 2:-2, 9], 0, atol=1e-6)


def test_lengths_are_measured_between_pictures():
    def squash(codes, factor):  # below, pictures differ less
        return codes * np.where((np.arange(32) == 1) & (codes < 0), factor, 1)

    def show_squashed(codes):
        return show(squash(codes, 1 / 6))

    def see_squashed(pictures):
        return squash(see(pictures), 6)

    ends = on_ring([0.0]), on_ring([3.0])
    path = paths(ring(), *ends, 30, encode=see_squashed, decode=show_squashed)
    assert nearest(path[0], on_ring([-2])).min() < 0.3  # the longer way round, in codes
    lengths = step_lengths(show_squashed(path)[0, :, 0])[:-4]  # below
    assert lengths.max() < 1.4 * lengths.mean()


# ---- the graph


def test_averaging_codes_brings_nodes_closer_to_the_ring():
    codes = ring(noise=0.2)
    nodes = build_graph(codes, np.zeros(2000), show).nodes
    off_ring = np.linalg.norm(codes[:, 2:], axis=1).mean()
    assert np.linalg.norm(nodes[:, 2:], axis=1).mean() < 0.6 * off_ring


def test_isolated_codes_are_dropped():
    codes = np.concatenate([ring(), 3 * on_ring(np.arange(6))])
    nodes = build_graph(codes, np.zeros(2006), show).nodes
    assert len(nodes) == round(INLIER_SHARE * 2006)
    assert np.linalg.norm(nodes, axis=1).max() < 1.1
