"""demo.py: the made-up set has the shape, the classes and the looks that the rest counts on."""

import numpy as np
import pytest

from dataset import CLASSES
from support.emnist.demo import STROKES, draw_demo_set, draw_way, read_strokes


@pytest.fixture(scope="module")
def small_set():
    return draw_demo_set(40, 10)


def test_counts_types_and_classes(small_set):
    assert list(STROKES) == list(CLASSES["demo"].values())
    for (x, y), per_class in zip(small_set, (40, 10), strict=True):
        assert x.shape == (47 * per_class, 28, 28)
        assert x.dtype == y.dtype == np.uint8
        assert np.bincount(y).tolist() == [per_class] * 47
        assert len(set(y[:100].tolist())) > 25  # mixed


def test_same_arguments_give_same_bytes_and_another_seed_does_not():
    (x, y), (x_test, _) = draw_demo_set(2, 1)
    (x_again, y_again), (x_test_again, _) = draw_demo_set(2, 1)
    assert x.tobytes() == x_again.tobytes()
    assert y.tobytes() == y_again.tobytes()
    assert x_test.tobytes() == x_test_again.tobytes()
    (x_other, _), _ = draw_demo_set(2, 1, seed=1)
    assert x.tobytes() != x_other.tobytes()


def test_ink_looks_as_in_emnist(small_set):
    (x, _), _ = small_set
    assert 0.12 < x.mean() / 255 < 0.22
    assert (x.max(axis=(1, 2)) == 255).all()
    assert (x.min(axis=(1, 2)) == 0).all()
    grey = ((x > 25) & (x < 230)).sum() / (x > 25).sum()
    assert 0.4 < grey < 0.8  # soft edges, yet not a blur


def test_ink_is_centred_and_leaves_a_margin(small_set):
    (x, _), _ = small_set
    ink = x > 40
    assert not ink[:, [0, -1]].any()
    assert not ink[:, :, [0, -1]].any()
    sides = []
    for axis in (1, 2):
        along = ink.any(axis=axis)
        first = along.argmax(axis=1)
        last = 27 - along[:, ::-1].argmax(axis=1)
        assert abs(first + last - 27).max() <= 2
        sides.append(last - first + 1)
    longer = np.maximum(*sides)
    assert longer.min() >= 19
    assert longer.max() <= 26


def test_classes_differ_and_so_do_the_images_of_one(small_set):
    """The mean images of the training part tell the classes of the test part apart, if crudely."""
    (x, y), (x_test, y_test) = small_set
    x = x.reshape(len(x), -1) / 255
    x_test = x_test.reshape(len(x_test), -1) / 255
    assert len(np.unique(x, axis=0)) == len(x)
    means = np.stack([x[y == label].mean(axis=0) for label in range(47)])
    distances = (means**2).sum(axis=1) - 2 * x_test @ means.T
    assert (distances.argmin(axis=1) == y_test).mean() > 0.4  # by chance: 0.02


def test_every_way_can_be_drawn():
    rng = np.random.default_rng(0)
    for ways in STROKES.values():
        for way in ways:
            images = draw_way(way.partition(" *")[0], 2, rng)
            assert (images.max(axis=(1, 2)) == 255).all()


def test_a_stroke_goes_through_its_points():
    points, weights = read_strokes("10-80~99 50-80")
    lines = 9 * (weights @ points)
    starts = lines[:, 0]
    stops = lines[:, 1]
    assert starts[0] == pytest.approx([1, 0]) and stops[3] == pytest.approx([8, 0])
    assert starts[:4, 1] == pytest.approx(np.zeros(4))  # straight, whatever comes next
    assert stops[7] == pytest.approx([9, 9])
    assert len(points) == 4  # 80 is in both strokes
