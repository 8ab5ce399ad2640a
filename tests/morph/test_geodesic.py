"""The geodesic on toy codes of known shape: rings, moons, clusters."""

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit
from sklearn.datasets import make_moons

from support.console import InputError
from support.morph.geodesic import INLIER_SHARE, build_graph, geodesic_path, open_graph, pen_width


def ring(count=2000, size=32, noise=0.02, seed=0):
    """Codes on a noisy unit circle in the first two of `size` dimensions."""
    rng = np.random.default_rng(seed)
    circle = on_ring(rng.uniform(0, 2 * np.pi, count), size)
    return circle + rng.normal(0, noise / np.sqrt(size), (count, size)).astype("float32")


def on_ring(angles, size=32):
    codes = np.zeros((len(angles), size), "float32")
    codes[:, 0] = np.cos(angles)
    codes[:, 1] = np.sin(angles)
    return codes


def clusters(centres, count, noise):
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(centre, noise, (count, len(centre))) for centre in centres])


def step_lengths(path):
    return np.linalg.norm(np.diff(path, axis=-2), axis=-1)


def nearest(path, codes):
    """The distance of each frame to the nearest code."""
    return np.linalg.norm(path[..., None, :] - codes, axis=-1).min(axis=-1)


@pytest.fixture(scope="module")
def ring_graph():
    return build_graph(ring())


# ---- paths


def test_a_path_follows_a_ring_where_the_straight_line_cuts_through(ring_graph):
    start, end = on_ring([0.0, 1.0]), on_ring([2.5, -1.0])
    path = geodesic_path(ring_graph, start, end, 12)
    assert path.shape == (2, 12, 32)
    assert path.dtype == np.float32
    radius = np.linalg.norm(path[..., :2], axis=-1)
    assert radius.min() > 0.9
    assert radius.max() < 1.1
    # the shorter way round, as long as that arc
    np.testing.assert_allclose(step_lengths(path).sum(axis=1), [2.5, 2.0], rtol=0.1)


def test_a_path_stays_on_a_moon():
    codes, moon = make_moons(1500, noise=0.04, random_state=0)
    upper = codes[moon == 0]
    start, end = upper[[upper[:, 0].argmin()]], upper[[upper[:, 0].argmax()]]
    path = geodesic_path(build_graph(codes), start, end, 15)
    assert nearest(path, upper).max() < 0.1


@pytest.mark.parametrize("steps", [2, 3, 10])
def test_ends_are_exact_and_frames_in_order_and_nearly_even(ring_graph, steps):
    rng = np.random.default_rng(1)
    first = rng.uniform(0, 2 * np.pi, 20)
    turn = rng.uniform(0.5, 2.8, 20)
    start, end = on_ring(first), on_ring(first + turn)
    path = geodesic_path(ring_graph, start, end, steps)
    assert path.shape == (20, steps, 32)
    np.testing.assert_array_equal(path[:, 0], start)
    np.testing.assert_array_equal(path[:, -1], end)
    lengths = step_lengths(path)
    assert (lengths <= 1.3 * lengths.mean(axis=1, keepdims=True)).all()
    angle = np.unwrap(np.arctan2(path[..., 1], path[..., 0]), axis=1)
    assert (np.diff(angle, axis=1) > 0).all()


def test_the_same_codes_give_the_same_path_in_any_row(ring_graph):
    start, end = on_ring([0.0, 1.0, 2.0]), on_ring([2.0, -1.0, 4.0])
    path = geodesic_path(ring_graph, start, end, 8)
    alone = geodesic_path(build_graph(ring()), start[1:2], end[1:2], 8)
    np.testing.assert_allclose(path[1:2], alone, atol=1e-5)


def test_frames_avoid_the_middle_of_long_edges():
    centres = np.zeros((10, 4))
    centres[:, 0] = np.arange(10) + np.resize([0, 0.14], 10)  # even frames would miss each second
    graph = build_graph(clusters(centres, 60, 0.02))
    path = geodesic_path(graph, centres[:1], centres[-1:], 10)
    assert nearest(path[0], centres).max() < 0.08


def test_the_same_code_at_both_ends(ring_graph):
    here = on_ring([0.3])
    path = geodesic_path(ring_graph, here, here, 5)
    np.testing.assert_allclose(path, np.broadcast_to(here[:, None], path.shape), atol=1e-6)


def test_near_ends_are_joined_without_a_detour(ring_graph):
    here, there = 1.2 * on_ring([0.3]), 1.2 * on_ring([0.31])  # away from all nodes
    path = geodesic_path(ring_graph, here, there, 5)
    straight = np.linalg.norm(there - here)
    assert step_lengths(path).sum() < 1.001 * straight


def test_a_long_edge_costs_more_than_many_short_ones(ring_graph):
    angle = np.arange(0, 5, 0.01)  # from end to end it is 5 along the arc, and 1.2 across the gap
    path = geodesic_path(build_graph(on_ring(angle)), on_ring([0.0]), on_ring([5.0]), 10)
    assert nearest(path[0], on_ring([2.5])).min() < 0.3
    long, extra = ring_graph.price()
    costs = ring_graph.cost(long * np.array([0, 1, 2]))
    np.testing.assert_allclose(costs, long * np.array([0, 1, 2 + extra]))


def test_ends_in_separate_parts_of_the_graph_are_joined_by_the_straight_line():
    centres = np.array([[0, 0, 0], [100, 0, 0]])
    graph = build_graph(clusters(centres, 150, 0.1))
    path = geodesic_path(graph, centres[:1], centres[1:], 5)
    np.testing.assert_array_equal(path[0, [0, -1]], centres)
    np.testing.assert_array_equal(path[..., 1:], 0)


def test_few_codes_are_enough():
    path = geodesic_path(build_graph(np.eye(3)), np.zeros((1, 3)), np.ones((1, 3)), 4)
    assert path.shape == (1, 4, 3)
    assert np.isfinite(path).all()


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


def bars(count=2000):
    """Codes on a ring, of all sorts of thickness."""
    codes = ring(count)
    codes[:, 2] = np.random.default_rng(1).normal(0, 0.3, count)
    return codes


def test_the_pen_is_carried_from_end_to_end():
    graph = build_graph(bars(), draw)
    assert graph.codes[:, 2].std() > 0.15
    start, end = on_ring([0.0, 1.0]), on_ring([2.2, -1.5])
    start[:, 2], end[:, 2] = [0.3, -0.4], [0.3, 0.4]
    path = geodesic_path(graph, start, end, 12, read, draw)
    widths = pen_width(draw(path))
    straight = np.linspace(widths[:, 0], widths[:, -1], 12, axis=1)
    np.testing.assert_allclose(widths, straight, atol=0.06)
    radius = np.linalg.norm(path[..., :2], axis=-1)
    assert radius.min() > 0.85
    assert radius.max() < 1.1


def test_the_direction_of_the_pen_is_that_of_thickness():
    pen = build_graph(bars(), draw).pen
    change = pen_width(draw(on_ring([1.0]) + 0.1 * pen)) - pen_width(draw(on_ring([1.0])))
    assert change == pytest.approx(0.1, rel=0.3)
    assert np.abs(np.delete(pen, 2)).max() < 0.1 * pen[2]


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
    path = geodesic_path(build_graph(codes, draw), ends[:1], ends[1:], 8, read, draw)
    np.testing.assert_allclose(path[0, 2:-2, 9], 0, atol=1e-6)


def stretch_above(codes):
    """Bars that move six times as far where the second number is positive."""
    stretched = codes.copy()
    stretched[..., 1] *= np.where(codes[..., 1] > 0, 1, 1 / 6)
    return draw(stretched)


def read_stretched(pictures):
    codes = read(pictures)
    codes[:, 1] *= np.where(codes[:, 1] > 0, 1, 6)
    return codes


@pytest.mark.parametrize(
    "encode, decode, angle", [(None, None, 1.1), (read_stretched, stretch_above, -2)]
)
def test_lengths_are_measured_between_pictures(encode, decode, angle):
    graph = build_graph(ring(), decode)
    path = geodesic_path(graph, on_ring([0.0]), on_ring([2.2]), 30, encode, decode)
    assert nearest(path[0], on_ring([angle])).min() < 0.3
    pictures = decode(path).reshape(1, 30, -1) if decode else path
    lengths = step_lengths(pictures)
    assert lengths.max() < 1.4 * lengths.mean()


def test_paler_pictures_change_nothing():
    ends = on_ring([0.0, 1.0]), on_ring([2.2, -1.5])
    path = geodesic_path(build_graph(bars(), draw), *ends, 12, read, draw)

    def draw_pale(codes):
        return draw(codes) / 2

    def read_pale(pictures):
        return read(2 * pictures)

    of_pale = geodesic_path(build_graph(bars(), draw_pale), *ends, 12, read_pale, draw_pale)
    np.testing.assert_allclose(path, of_pale, atol=1e-3)


# ---- the graph


def test_averaging_codes_brings_nodes_closer_to_the_ring():
    codes = ring(noise=0.2)
    off_ring = np.linalg.norm(codes[:, 2:], axis=1)
    nodes_off_ring = np.linalg.norm(build_graph(codes).codes[:, 2:], axis=1)
    assert nodes_off_ring.mean() < 0.6 * off_ring.mean()


def test_isolated_codes_are_dropped():
    isolated = 3 * on_ring(np.arange(6))
    nodes = build_graph(np.concatenate([ring(), isolated])).codes
    assert len(nodes) == round(INLIER_SHARE * 2006)
    assert np.linalg.norm(nodes, axis=1).max() < 1.1


def test_of_many_codes_a_sample_is_taken_that_repeats():
    graph = build_graph(ring(), max_codes=600)
    assert len(graph.codes) == round(INLIER_SHARE * 600)
    np.testing.assert_array_equal(graph.codes, build_graph(ring(), max_codes=600).codes)


def test_codes_that_are_not_finite_are_refused():
    codes = ring(100)
    codes[7, 3] = np.nan
    with pytest.raises(InputError, match="not finite"):
        build_graph(codes)


def test_progress_bars_on_a_terminal_only(monkeypatch, capsys):
    build_graph(ring(100))
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    build_graph(ring(100))
    written = capsys.readouterr().err
    for label in ("comparing codes", "joining codes"):
        assert label in written
    assert written.count("100%") >= 2


# ---- the file


class Opener:
    """Opens the graph at a path, and counts how often it is built."""

    def __init__(self, path):
        self.path = path
        self.built = 0

    def __call__(self, made_from, decode=None):
        return open_graph(self.path, made_from, self.make_codes, decode)

    def make_codes(self):
        self.built += 1
        return ring(300)


@pytest.fixture
def open_ring(tmp_path):
    return Opener(tmp_path / "index.npz")


def test_a_graph_is_built_once_and_read_back(open_ring):
    built = open_ring({"model": "a", "data": "b"})
    read = open_ring({"model": "a", "data": "b"})
    assert open_ring.built == 1
    np.testing.assert_array_equal(read.codes, built.codes)
    np.testing.assert_array_equal(read.graph.toarray(), built.graph.toarray())
    assert [path.name for path in open_ring.path.parent.iterdir()] == ["index.npz"]


def test_a_graph_of_another_model_other_data_or_other_lengths_is_rebuilt(open_ring, capsys):
    open_ring({"model": "a", "data": "b"})
    open_ring({"model": "c", "data": "b"})
    open_ring({"model": "c", "data": "d"})
    open_ring({"model": "c", "data": "d"}, decode=draw)
    assert open_ring.built == 4
    assert capsys.readouterr().err.count("building the graph") == 4


def test_a_damaged_graph_is_rebuilt(open_ring, capsys):
    open_ring({"model": "a"})
    whole = open_ring.path.read_bytes()
    open_ring.path.write_bytes(whole[:-100])
    open_ring({"model": "a"})
    assert open_ring.built == 2
    assert f"{open_ring.path}: damaged" in capsys.readouterr().err
    assert len(open_ring.path.read_bytes()) == len(whole)


@pytest.fixture
def read_only_folder():
    """A folder in which nobody may write; root becomes another user meanwhile."""
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o555)
        if user == 0:
            os.seteuid(65534)
        yield Path(folder)
        os.seteuid(user)
        os.chmod(folder, 0o755)


def test_in_a_read_only_folder_a_graph_is_not_saved(ring_graph, read_only_folder, capsys):
    graph = Opener(read_only_folder / "index.npz")({"model": "a"})
    assert len(graph.codes) == round(INLIER_SHARE * 300)
    assert f"{read_only_folder} is read-only" in capsys.readouterr().err
    assert list(read_only_folder.iterdir()) == []
