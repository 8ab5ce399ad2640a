"""page/directions.py: measures of pictures, and the directions in which codes change them."""

import numpy as np
import pytest

from support.morph import geodesic
from support.page import directions

SIDE = 28


def draw(codes):
    """Codes (N, 4) -> (N, SIDE, SIDE): a bar; the numbers are its pen, slant, height and nothing.

    Code 0 is an upright bar 4 pixels wide and 16 high.
    """
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    pen, slant, height, _ = codes.T[:, :, None, None] / 4
    across = (2 * np.exp(pen) - np.abs(x + slant * y)).clip(-0.5, 0.5) + 0.5
    along = (8 * np.exp(height) - np.abs(y)).clip(-0.5, 0.5) + 0.5
    return across * along


def bar(pen=0.0, slant=0.0, height=0.0):
    return draw(np.array([[pen, slant, height, 0.0]]))


@pytest.mark.parametrize(
    ("measure", "less", "more"),
    [
        (directions.slant, bar(), bar(slant=1)),
        (directions.slant, bar(slant=-1), bar()),
        (directions.width, bar(), bar(height=-1)),
        (directions.width, bar(), bar().swapaxes(1, 2)),
        (directions.openness, bar(), bar(pen=1) - bar()),
        (directions.low_weight, bar()[:, ::-1] + bar(pen=2) * (np.mgrid[:28] < 14)[:, None], bar()),
    ],
)
def test_measures(measure, less, more):
    assert measure(less) < measure(more)


def test_slant_is_that_of_the_bar():
    assert directions.slant(bar(slant=2)) == pytest.approx(0.5, abs=0.05)


def test_only_clean_directions_are_kept(monkeypatch):
    measures = {
        ("Pen", "thin", "thick"): directions.pen_width,
        ("Slant", "left", "right"): directions.slant,
        ("Ink", "little", "much"): lambda pictures: pictures.sum(axis=(1, 2)),  # goes with the pen
    }
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(900, 4)).astype(np.float32)
    graph = geodesic.build_graph(codes, np.zeros(900, int), draw)
    monkeypatch.setattr(directions, "MEASURES", measures)
    assert "Ink" not in {name for name, _, _ in directions.named_directions(graph, codes, draw)}
    del measures["Ink", "little", "much"]
    found = directions.named_directions(graph, codes, draw)
    pen, slant = [step / np.linalg.norm(step) for step in found.values()]
    assert pen[0] > 0.95
    assert slant[1] > 0.95
