"""Muon: its updates are orthogonal, and on matrices it is Keras's own. And how epochs are saved."""

import numpy as np
import pytest

from support.lazy_keras import keras
from support.run import Run


def muon(**settings):
    from support.training import Muon

    return Muon(learning_rate=0.01, weight_decay=0, adam_weight_decay=0, **settings)


def update(optimizer, value, gradients):
    """The last change of a weight, after a step with each gradient in turn."""
    weight = keras.Variable(value)
    optimizer.build([weight])
    for gradient in gradients:
        before = keras.ops.convert_to_numpy(weight)
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [weight])
    return keras.ops.convert_to_numpy(weight) - before


def random_gradients(shape, count=2):
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype("float32") for _ in range(count)]


@pytest.mark.parametrize("shape", [(3, 3, 8, 16), (4, 4, 1, 64), (3136, 32), (32, 128)])
def test_an_update_is_orthogonal(shape):
    change = update(muon(rms_rate=None), np.zeros(shape, "float32"), random_gradients(shape))
    singular_values = np.linalg.svd(change.reshape(-1, shape[-1]), compute_uv=False) / 0.01
    assert 0.6 < singular_values.min() <= singular_values.max() < 1.3


def test_the_size_of_an_update_does_not_depend_on_the_shape():
    for shape in [(3, 3, 8, 16), (5, 5, 32, 64), (100, 20)]:
        change = update(muon(), np.zeros(shape, "float32"), random_gradients(shape))
        root_mean_square = np.sqrt((change**2).mean())
        assert root_mean_square == pytest.approx(0.2 * 0.01, rel=0.3)


def test_a_matrix_is_updated_as_by_keras():
    shape = (40, 24)
    gradients = random_gradients(shape, count=3)
    start = np.full(shape, 0.1, "float32")
    settings = {"learning_rate": 0.01, "weight_decay": 0.1}
    from support.training import Muon

    ours = update(Muon(**settings), start, gradients)
    theirs = update(keras.optimizers.Muon(**settings), start, gradients)
    assert np.allclose(ours, theirs, atol=1e-7)


@pytest.mark.parametrize("shape", [(288, 32), (32, 3136)])
def test_matrices_near_a_lower_rank_are_no_harder_than_for_keras(shape):
    rows, _, columns = np.linalg.svd(random_gradients(shape, count=1)[0], full_matrices=False)
    singular_values = np.geomspace(1, 1e-7, min(shape))
    matrix = ((rows * singular_values) @ columns).astype("float32")
    gradient = keras.ops.convert_to_tensor(matrix)
    theirs = keras.optimizers.Muon(0.01).zeropower_via_newtonschulz5(gradient, 5)
    theirs = keras.ops.convert_to_numpy(theirs)
    ours = keras.ops.convert_to_numpy(muon().zeropower_via_newtonschulz5(gradient, 5))
    assert np.abs(ours - theirs).max() < 0.003 * np.abs(theirs).max()


def test_a_kernel_is_updated_as_the_matrix_of_its_patches():
    gradients = random_gradients((3, 3, 8, 16), count=3)
    of_kernel = update(muon(), np.zeros((3, 3, 8, 16), "float32"), gradients)
    rows = [gradient.reshape(-1, 16) for gradient in gradients]
    of_matrix = update(muon(), np.zeros((72, 16), "float32"), rows)
    assert np.allclose(of_kernel.reshape(-1, 16), of_matrix, atol=1e-7)


def test_vectors_are_updated_by_adamw():
    gradients = random_gradients((16,), count=3)
    start = np.ones(16, "float32")
    ours = update(muon(), start, gradients)
    theirs = update(keras.optimizers.AdamW(0.01, weight_decay=0), start, gradients)
    assert np.allclose(ours, theirs, rtol=1e-3)


def test_the_best_model_is_kept(copied_run):
    from support.training import save_epoch

    model = keras.saving.load_model(copied_run / "model.keras")
    run = Run(copied_run)
    best = min(row["val_loss"] for row in run.history)
    kept = run.model.read_bytes()
    row = run.history[-1] | {"epoch": 4, "val_loss": best + 1}
    save_epoch(run, model, row)
    assert run.model.read_bytes() == kept
    save_epoch(run, model, row | {"epoch": 5, "val_loss": best - 0.1})
    assert run.model.read_bytes() != kept
    assert Run(copied_run).history[-2:] == run.history[-2:]
