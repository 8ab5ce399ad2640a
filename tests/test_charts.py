"""charts.py: learning curves and the map of codes, read back."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support import charts

HISTORY = [
    {"epoch": 1, "loss": 0.3, "val_loss": 0.2},
    {"epoch": 2, "loss": 0.2, "val_loss": 0.15},
    {"epoch": 3, "loss": 0.1, "val_loss": 0.16},
]
WILD_SETTINGS = """
axes.facecolor: black
font.size: 30
savefig.dpi: 30
savefig.bbox: tight
"""


def draw_all(folder):
    """Draws a chart of each kind; another process draws the same."""
    charts.draw_curves(folder / "curves.png", HISTORY, floor=0.1)
    points = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    charts.draw_codes(folder / "codes.png", points, np.array([0, 0, 1, 1]), {0: "W", 1: "$$"})


def test_charts_do_not_depend_on_the_users_settings(tmp_path):
    import matplotlib

    here, there = tmp_path / "here", tmp_path / "there"
    with matplotlib.rc_context({"font.size": 30}):
        draw_all(here)
        assert matplotlib.rcParams["font.size"] == 30
    (tmp_path / "matplotlibrc").write_text(WILD_SETTINGS, "utf-8")
    code = "import sys, pathlib, test_charts; test_charts.draw_all(pathlib.Path(sys.argv[1]))"
    paths = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parent.parent)])
    env = os.environ | {"MATPLOTLIBRC": str(tmp_path / "matplotlibrc"), "PYTHONPATH": paths}
    subprocess.run([sys.executable, "-c", code, there], env=env, check=True)
    for name in ("curves.png", "codes.png"):
        assert (here / name).read_bytes() == (there / name).read_bytes(), name


def test_codes_are_drawn_in_the_colour_of_their_class(tmp_path):
    draw_all(tmp_path)
    with Image.open(tmp_path / "codes.png") as picture:
        colours = np.array(picture.convert("RGB"), int)[60:]  # below the title
    left, right = np.split(colours, 2, axis=1)
    is_red = left[..., 0] - left[..., 1:].max(axis=-1) > 50  # the first class
    assert is_red.any()
    assert not (right[..., 0] - right[..., 1:].max(axis=-1) > 50).any()
    assert (right < 200).any()


def test_place_codes(monkeypatch):
    monkeypatch.setattr(charts, "MAP_CODES", 20)
    rng = np.random.default_rng(0)
    codes = np.concatenate([rng.normal(0, 1, (15, 8)), rng.normal(20, 1, (15, 8))])
    sample, points = charts.place_codes(codes.astype(np.float32))
    assert points.shape == (20, 2)
    assert len(set(sample)) == 20
    first = points[sample < 15]
    second = points[sample >= 15]
    distance = np.linalg.norm(first.mean(axis=0) - second.mean(axis=0))
    assert distance > 2 * max(first.std(), second.std())
    assert (charts.place_codes(codes.astype(np.float32))[0] == sample).all()


@pytest.mark.parametrize("count", [2, 3])
def test_place_few_codes(count):
    sample, points = charts.place_codes(np.eye(count, 8, dtype=np.float32))
    assert points.shape == (len(sample), 2) == (count, 2)
