"""demo.py: the made-up set has the shape, the classes and the looks that the rest counts on."""

import numpy as np
import pytest

from support.emnist.demo import STROKES, draw_character, draw_demo_set, draw_way, read_strokes

BALANCED = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"


def test_counts_shapes_and_types(demo_set):
    for (x, y), per_class in zip(demo_set, (240, 40), strict=True):
        assert x.shape == (47 * per_class, 28, 28)
        assert x.dtype == y.dtype == np.uint8
        assert np.bincount(y).tolist() == [per_class] * 47


def test_classes_are_those_of_balanced():
    assert "".join(STROKES) == BALANCED


def test_the_end_of_the_training_part_holds_each_class_as_often_as_the_test_part(demo_set):
    (_, y_train), (_, y_test) = demo_set
    assert np.bincount(y_train[-len(y_test) :]).tolist() == [40] * 47


def test_classes_are_mixed(demo_set):
    for _, y in demo_set:
        assert len(set(y[:100].tolist())) > 25
        assert (y[1:] == y[:-1]).mean() < 0.1


def test_same_arguments_give_same_bytes_and_another_seed_does_not():
    (x, y), (x_test, y_test) = draw_demo_set(3, 2)
    (x_again, y_again), (x_test_again, y_test_again) = draw_demo_set(3, 2)
    assert x.tobytes() == x_again.tobytes()
    assert y.tobytes() == y_again.tobytes()
    assert x_test.tobytes() == x_test_again.tobytes()
    assert y_test.tobytes() == y_test_again.tobytes()
    (x_other, _), _ = draw_demo_set(3, 2, seed=1)
    assert x.tobytes() != x_other.tobytes()


def test_fewer_training_than_test_images():
    (x_train, y_train), (x_test, _) = draw_demo_set(1, 2)
    assert len(x_train) == 47
    assert len(x_test) == 94
    assert sorted(y_train) == list(range(47))


def test_ink_is_as_dark_as_in_emnist(demo_set):
    for x, _ in demo_set:
        assert 0.12 < x.mean() / 255 < 0.22
        assert (x.max(axis=(1, 2)) == 255).all()
        assert (x.min(axis=(1, 2)) == 0).all()
        grey = ((x > 25) & (x < 230)).sum() / (x > 25).sum()
        assert 0.4 < grey < 0.8  # soft edges, yet not a blur


def test_ink_is_centred_and_leaves_a_margin(demo_set):
    (x, _), _ = demo_set
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


def test_images_of_a_class_differ(demo_set):
    (x, _), (x_test, _) = demo_set
    every = np.concatenate([x, x_test]).reshape(-1, 28 * 28)
    assert len(np.unique(every, axis=0)) == len(every)


def test_classes_differ(demo_set):
    """The mean images of the training part tell the classes of the test part apart, if crudely."""
    (x, y), (x_test, y_test) = demo_set
    x = x.reshape(len(x), -1) / 255
    x_test = x_test.reshape(len(x_test), -1) / 255
    means = np.stack([x[y == label].mean(axis=0) for label in range(47)])
    distances = (means**2).sum(axis=1) - 2 * x_test @ means.T
    assert (distances.argmin(axis=1) == y_test).mean() > 0.4  # by chance: 0.02


@pytest.mark.parametrize("character", BALANCED)
def test_every_way_is_well_written_and_can_be_drawn(character):
    rng = np.random.default_rng(0)
    for way in STROKES[character]:
        strokes = way.partition(" *")[0]
        for stroke in strokes.split():
            assert len(stroke) >= 5 and len(stroke) % 3 == 2
            assert set(stroke[2::3]) <= set("-~")
        images = draw_way(strokes, 3, rng)
        assert images.shape == (3, 28, 28)
        assert (images.max(axis=(1, 2)) == 255).all()
    assert draw_character(character, 5, rng).shape == (5, 28, 28)


def test_a_stroke_goes_through_its_points():
    points, weights = read_strokes("10-80~99 50-80")
    lines = 9 * (weights @ points)
    starts = lines[:, 0]
    stops = lines[:, 1]
    assert starts[0] == pytest.approx([1, 0]) and stops[3] == pytest.approx([8, 0])
    assert starts[:4, 1] == pytest.approx(np.zeros(4))  # straight, whatever comes next
    assert stops[7] == pytest.approx([9, 9])
    assert len(points) == 4  # 80 is in both strokes
