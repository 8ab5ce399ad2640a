"""metrics.py: entropies and errors against their formulas, PCA where it must be exact."""

import math

import numpy as np
import pytest

from support.metrics import cross_entropy, measure, pca_reconstructions

rng = np.random.default_rng(0)
X = rng.random((6, 28, 28), np.float32)
X[:, :14] = X[:, :14].round()  # most pixels are paper or ink
P = rng.uniform(0.01, 0.99, X.shape).astype(np.float32)


def test_cross_entropy():
    x, p = X.astype(float), P.astype(float)
    right = -(x * np.log(p) + (1 - x) * np.log(1 - p)).mean(axis=(1, 2))
    assert cross_entropy(X, P).shape == (6,)
    assert np.allclose(cross_entropy(X, P), right, rtol=1e-6)


def test_the_floor_is_the_entropy_of_the_grey_pixels():
    grey = X[:, 14:].astype(float)
    entropy = -(grey * np.log(grey) + (1 - grey) * np.log(1 - grey)).mean(axis=(1, 2)) / 2
    assert np.allclose(cross_entropy(X, X), entropy, rtol=1e-5)
    assert (cross_entropy(X, P) > cross_entropy(X, X)).all()
    assert (cross_entropy(X.round(), X.round()) == 0).all()


def test_a_wrong_and_nearly_certain_pixel_costs_its_logarithm():
    paper = np.zeros((1, 28, 28), np.float32)
    almost = np.full_like(paper, 1 - 1e-7)  # the nearest to 1 that decode gives
    assert cross_entropy(paper, almost)[0] == pytest.approx(7 * math.log(10), rel=0.02)


def test_pca_is_the_best_linear_code():
    basis = rng.normal(size=(20, 64)) / 40
    x = (0.5 + rng.uniform(-1, 1, (100, 20)) @ basis).astype(np.float32).reshape(-1, 8, 8)
    assert np.allclose(pca_reconstructions(x[:80], x[80:], 20), x[80:], atol=1e-4)
    assert np.abs(pca_reconstructions(x[:80], x[80:], 19) - x[80:]).max() > 1e-2


def test_pca_keeps_off_0_and_1_and_takes_few_images():
    x = rng.random((6, 8, 8), np.float32)
    p = pca_reconstructions(x[:4], 9 * x[4:] - 4, 32)
    assert p.shape == (2, 8, 8)
    assert p.min() == pytest.approx(1 / 510)
    assert p.max() == pytest.approx(1 - 1 / 510)


Y = np.array([0, 0, 1, 1, 1, 1])
NAMES = {0: "A", 1: "b", 2: "c"}  # there is no image of c
GREY = np.full_like(X, 0.5)


def test_measure():
    found = measure(X, P, GREY, Y, NAMES)
    bce, floor = cross_entropy(X, P), cross_entropy(X, X)
    assert found["images"] == 6
    assert found["bce_floor"] == pytest.approx(floor.mean())
    assert found["bce"] == pytest.approx(bce.mean())
    assert found["excess"] == pytest.approx((bce - floor).mean())
    assert found["mse"] == pytest.approx(((X.astype(float) - P) ** 2).mean())
    assert found["psnr"] == pytest.approx(-10 * math.log10(found["mse"]))
    assert found["pca"]["bce"] == pytest.approx(math.log(2))
    assert found["classes"] == pytest.approx(
        {"A": (bce - floor)[:2].mean(), "b": (bce - floor)[2:].mean()}
    )


def test_a_perfect_model_has_no_excess_and_finite_figures():
    exact = measure(X, X, GREY, Y, NAMES)
    assert exact["excess"] == pytest.approx(0, abs=1e-12)
    assert exact["mse"] == 0
    assert math.isfinite(exact["psnr"])
