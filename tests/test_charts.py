"""charts.py: learning curves and the map of codes, read back."""

import matplotlib
import numpy as np
import pytest
from PIL import Image

from support import charts

HISTORY = [
    {"epoch": 1, "loss": 0.3, "val_loss": 0.2},
    {"epoch": 2, "loss": 0.2, "val_loss": 0.15},
    {"epoch": 3, "loss": 0.1, "val_loss": 0.16},
]
POINTS = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
WILD_SETTINGS = {"axes.facecolor": "black", "font.size": 30, "savefig.dpi": 30}


def draw_all(folder):
    """Draws a chart of each kind; returns their bytes."""
    charts.draw_curves(folder / "curves.png", HISTORY, floor=0.1)
    charts.draw_codes(folder / "codes.png", POINTS, np.array([0, 0, 1, 1]), {0: "W", 1: "V"})
    return [(folder / name).read_bytes() for name in ("curves.png", "codes.png")]


def test_charts_do_not_depend_on_the_users_settings(tmp_path):
    as_ever = draw_all(tmp_path)
    with matplotlib.rc_context(WILD_SETTINGS):
        assert draw_all(tmp_path) == as_ever
        assert matplotlib.rcParams["font.size"] == 30


def test_codes_are_drawn_in_the_colour_of_their_class(tmp_path):
    draw_all(tmp_path)
    with Image.open(tmp_path / "codes.png") as picture:
        colours = np.array(picture.convert("RGB"), int)[60:]  # below the title
    left, right = np.split(colours, 2, axis=1)
    is_red = left[..., 0] - left[..., 1:].max(axis=-1) > 50  # the first class
    assert is_red.any()
    assert not (right[..., 0] - right[..., 1:].max(axis=-1) > 50).any()
    assert (right < 200).any()


def test_near_codes_are_placed_near_each_other(monkeypatch):
    monkeypatch.setattr(charts, "MAP_CODES", 20)
    rng = np.random.default_rng(0)
    codes = np.concatenate([rng.normal(0, 1, (15, 8)), rng.normal(20, 1, (15, 8))])
    sample, points = charts.place_codes(codes.astype(np.float32))
    assert points.shape == (20, 2)
    assert len(set(sample)) == 20
    first, second = points[sample < 15], points[sample >= 15]
    distance = np.linalg.norm(first.mean(axis=0) - second.mean(axis=0))
    assert distance > 2 * max(first.std(), second.std())


@pytest.mark.parametrize("count", [2, 3])
def test_few_codes_are_placed(count):
    sample, points = charts.place_codes(np.eye(count, 8, dtype=np.float32))
    assert points.shape == (len(sample), 2) == (count, 2)
