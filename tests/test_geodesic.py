"""The geodesic on toy codes of known shape: rings, moons, components."""

import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist
from sklearn.datasets import make_moons

from support import geodesic as geodesic_module
from support.console import InputError
from support.geodesic import build_index, geodesic, load_index, open_index


def ring(count=2000, size=32, noise=0.02, seed=0):
    """Codes on a noisy unit circle in the first two of `size` dimensions."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi, count)
    codes = rng.normal(0, noise / np.sqrt(size), (count, size))
    codes[:, :2] += np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return codes.astype("float32")


def on_ring(angles, size=32):
    ends = np.zeros((len(angles), size), "float32")
    ends[:, 0], ends[:, 1] = np.cos(angles), np.sin(angles)
    return ends


def step_lengths(path):
    return np.linalg.norm(np.diff(path, axis=-2), axis=-1)


def nearest(path, codes):
    """The distance of each frame to the nearest code."""
    return np.linalg.norm(path[..., None, :] - codes, axis=-1).min(axis=-1)


@pytest.fixture(scope="module")
def ring_index():
    return build_index(ring())


def test_follows_a_ring_where_linear_cuts_through(ring_index):
    start, end = on_ring([0.0, 1.0]), on_ring([2.5, -1.0])
    path, unjoined = geodesic(ring_index, start, end, 12)
    assert path.shape == (2, 12, 32) and path.dtype == np.float32
    assert not unjoined.any()
    radius = np.linalg.norm(path[..., :2], axis=-1)
    assert radius.min() > 0.9 and radius.max() < 1.1
    linear = np.linspace(start, end, 12, axis=1)
    assert np.linalg.norm(linear[..., :2], axis=-1).min() < 0.4
    # the shorter way round, as long as that arc
    np.testing.assert_allclose(step_lengths(path).sum(axis=1), [2.5, 2.0], rtol=0.1)


def test_stays_on_two_moons_in_two_dimensions():
    codes, moon = make_moons(1500, noise=0.04, random_state=0)
    index = build_index(codes)
    upper = codes[moon == 0]
    start, end = upper[[upper[:, 0].argmin()]], upper[[upper[:, 0].argmax()]]
    path, _ = geodesic(index, start, end, 15)
    assert nearest(path, upper).max() < 0.1
    assert nearest(np.linspace(start, end, 15, axis=1), codes).max() > 0.2


def test_ends_are_exact_and_frames_in_order_and_even(ring_index):
    rng = np.random.default_rng(1)
    first = rng.uniform(0, 2 * np.pi, 20)
    turn = rng.uniform(0.5, 2.8, 20)
    start, end = on_ring(first), on_ring(first + turn)
    for steps in (2, 3, 10, 60):
        path, _ = geodesic(ring_index, start, end, steps)
        assert path.shape == (20, steps, 32)
        np.testing.assert_array_equal(path[:, 0], start)
        np.testing.assert_array_equal(path[:, -1], end)
        hops = step_lengths(path)
        assert (hops <= 2 * hops.mean(axis=1, keepdims=True)).all()
        angle = np.unwrap(np.arctan2(path[..., 1], path[..., 0]), axis=1)
        assert (np.diff(angle, axis=1) > 0).all()


def test_repeats_itself_and_rows_do_not_depend_on_each_other(ring_index):
    start, end = on_ring([0.0, 1.0, 2.0]), on_ring([2.0, -1.0, 4.0])
    path, _ = geodesic(ring_index, start, end, 8)
    again, _ = geodesic(build_index(ring()), start, end, 8)
    np.testing.assert_array_equal(path, again)
    alone, _ = geodesic(ring_index, start[1:2], end[1:2], 8)
    np.testing.assert_allclose(path[1:2], alone, atol=1e-5)


def test_nodes_are_means_of_neighbours(monkeypatch):
    monkeypatch.setattr(geodesic_module, "KEPT", 1)
    codes = ring(300, noise=0.2)
    near = cdist(codes, codes).argsort(axis=1)[:, : geodesic_module.AVERAGED]
    nodes = build_index(codes).codes
    np.testing.assert_allclose(nodes, codes[near].mean(axis=1), atol=1e-6)
    off = [np.linalg.norm(some[:, 2:], axis=1).mean() for some in (nodes, codes)]
    assert off[0] < 0.5 * off[1]


def test_odd_codes_are_left_out():
    odd = 3 * on_ring(np.arange(6))
    nodes = build_index(np.concatenate([ring(), odd])).codes
    assert len(nodes) == round(geodesic_module.KEPT * 2006)
    assert np.linalg.norm(nodes, axis=1).max() < 1.1


def test_a_path_makes_no_quick_turns():
    index = build_index(ring(noise=0.1))
    path, _ = geodesic(index, on_ring([0.0, 1.0, 2.0]), on_ring([2.0, 3.0, 4.0]), 40)
    hops = np.diff(path, axis=1)
    hops /= np.linalg.norm(hops, axis=2, keepdims=True)
    assert ((hops[:, 1:] * hops[:, :-1]).sum(axis=2) > 0.9).all()


def test_frames_are_not_chosen_in_the_middle_of_long_hops():
    rng = np.random.default_rng(0)
    codes = np.concatenate([rng.normal([x, 0, 0, 0], 0.1, (50, 4)) for x in range(10)])
    index = build_index(codes)
    path, _ = geodesic(index, np.zeros((1, 4)), 9 * np.eye(1, 4), 10)
    assert nearest(path[0, 1:-1], index.codes).mean() < 0.1


def test_the_same_code_at_both_ends(ring_index):
    here = on_ring([0.3])
    path, unjoined = geodesic(ring_index, here, here, 5)
    assert np.isfinite(path).all() and not unjoined.any()
    np.testing.assert_allclose(path, np.broadcast_to(here[:, None], path.shape), atol=1e-6)


def test_far_ends_are_not_joined_by_a_leap():
    rng = np.random.default_rng(0)
    middles = np.array([[0, 0], [0.5, 0.75], [1, 0]])  # the straight line is 1 long, the detour 1.8
    codes = np.concatenate([rng.normal(middle, 0.02, (150, 2)) for middle in middles])
    path, _ = geodesic(build_index(codes), middles[:1], middles[2:], 10)
    assert nearest(path[0], middles[1:2]).min() < 0.2


@pytest.mark.parametrize("extra, angle", [(30, 2.5), (0, -0.64)])
def test_a_long_hop_costs_more_than_many_short_ones(monkeypatch, extra, angle):
    for name, value in {"KEPT": 1, "AVERAGED": 1, "EXTRA_COST": extra}.items():
        monkeypatch.setattr(geodesic_module, name, value)
    arc, island = on_ring(np.linspace(0, 5, 400)), on_ring([-0.64])  # in the middle of the gap
    index = build_index(np.concatenate([arc, island]))
    path, _ = geodesic(index, arc[:1], arc[-1:], 30)
    assert nearest(path[0], on_ring([angle])).min() < 0.2
    long, _ = index.price()
    np.testing.assert_allclose(index.cost(long * np.arange(3)), long * np.array([0, 1, 2 + extra]))


def test_lengths_are_measured_between_pictures():
    def stretch_above(codes):
        stretched = codes.copy()
        stretched[..., 1] *= np.where(codes[..., 1] > 0, 6, 1)
        return stretched[..., None]

    ends = on_ring([0.0]), on_ring([2.2])
    for decode, angle in ((None, 1.1), (stretch_above, -2)):
        path, _ = geodesic(build_index(ring(), decode), *ends, 30, decode)
        assert nearest(path[0], on_ring([angle])).min() < 0.3
        hops = step_lengths(decode(path[0])[..., 0] if decode else path[0])
        assert hops.max() < 2 * hops.mean()


def test_larger_pictures_change_nothing():
    def larger(codes):
        return 1000 * codes[..., None]

    ends = on_ring([0.0, 1.0]), on_ring([2.2, -1.5])
    path, _ = geodesic(build_index(ring()), *ends, 12)
    again, _ = geodesic(build_index(ring(), larger), *ends, 12, larger)
    np.testing.assert_allclose(path, again, atol=1e-5)


def test_near_ends_are_joined_without_a_detour(ring_index):
    here = 1.2 * on_ring([0.3, 0.3])  # away from all nodes
    there = 1.2 * on_ring([0.3, 0.31])
    path, unjoined = geodesic(ring_index, here, there, 5)
    assert not unjoined.any()
    np.testing.assert_allclose(path, np.linspace(here, there, 5, axis=1), atol=2e-3)


def test_components_are_bridged_where_they_are_nearest_and_reported():
    rng = np.random.default_rng(0)
    components = [rng.normal([x, 0, 0, 0], 0.1, (200, 4)) for x in (0, 3, 6)]
    index = build_index(np.concatenate(components))
    start = np.array([[0, 0, 0, 0], [0, 0, 0, 0]], "float32")
    end = np.array([[6, 0, 0, 0], [0.1, 0.1, 0, 0]], "float32")
    path, unjoined = geodesic(index, start, end, 13)
    assert unjoined.tolist() == [True, False]
    assert np.isfinite(path).all()
    np.testing.assert_array_equal(path[:, -1], end)
    assert nearest(path[0], components[1].astype("float32")).min() < 0.3  # over the one between


def test_many_components_are_joined_to_those_beside_them():
    rng = np.random.default_rng(0)
    codes = np.concatenate([rng.normal([x, 0, 0, 0], 0.1, (150, 4)) for x in range(0, 120, 3)])
    index = build_index(codes)
    assert len(np.unique(index.component)) == 40
    assert connected_components(index.graph)[0] == 1
    assert 2 < index.graph.data.max() < 4  # no bridge leads over a component


def test_equal_codes_count_once():
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(50, 4)).astype("float32")
    index, once = build_index(np.repeat(codes, 20, axis=0)), build_index(codes)
    np.testing.assert_array_equal(index.codes, once.codes)  # in the same order
    np.testing.assert_array_equal(index.graph.toarray(), once.graph.toarray())
    assert not index.component.any()


def test_few_codes_are_enough():
    index = build_index(np.eye(3))
    path, _ = geodesic(index, np.zeros((1, 3)), np.ones((1, 3)), 4)
    assert path.shape == (1, 4, 3) and np.isfinite(path).all()


def test_an_index_is_saved_and_read_back(ring_index, tmp_path):
    file = tmp_path / "index.npz"
    ring_index.save(file, {"model": [1, 2]})
    assert [f.name for f in tmp_path.iterdir()] == ["index.npz"]
    args = on_ring([0.0]), on_ring([2.0]), 9
    for now in ({"model": [1, 2]}, {}):  # a file that is missing does not matter
        read = load_index(file, now)
        np.testing.assert_array_equal(geodesic(read, *args)[0], geodesic(ring_index, *args)[0])


def test_an_index_of_another_model_or_a_broken_one_is_refused(ring_index, tmp_path):
    file = tmp_path / "index.npz"
    ring_index.save(file, {"model": [1, 2]})
    for now in ({"model": [1, 3]}, {"model": [1, 2], "data": [1, 2]}):
        with pytest.raises(InputError, match="another"):
            load_index(file, now)
    whole = file.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 255
    np.savez(tmp_path / "strange.npz", hello=np.arange(3))
    broken = [b"", b"hello", whole[: len(whole) // 2], bytes(flipped)]
    for content in [*broken, (tmp_path / "strange.npz").read_bytes()]:
        file.write_bytes(content)
        with pytest.raises(InputError, match=r"index\.npz"):
            load_index(file, {})
    with pytest.raises(FileNotFoundError):
        load_index(tmp_path / "none.npz", {})


def test_an_index_with_other_settings_is_rebuilt(tmp_path, monkeypatch, capsys):
    def build():
        return open_index(tmp_path / "index.npz", {"model": [1, 2]}, lambda: [ring()]).codes

    before = build()
    np.testing.assert_array_equal(build(), before)
    assert capsys.readouterr().err.count("building the index") == 1
    monkeypatch.setattr(geodesic_module, "AVERAGED", 2)
    assert np.abs(build() - before).max() > 0
    assert "rebuilding it" in capsys.readouterr().err


def test_many_codes_are_sampled_and_the_sample_repeats(monkeypatch):
    monkeypatch.setattr(geodesic_module, "MAX_CODES", 500)
    codes = ring(3000)
    index = build_index(codes)
    assert len(index.codes) == round(geodesic_module.KEPT * 500)
    np.testing.assert_array_equal(index.codes, build_index(codes).codes)


@pytest.mark.parametrize("steps", [1, 0])
def test_less_than_two_frames_are_no_path(ring_index, steps):
    with pytest.raises(ValueError, match="steps"):
        geodesic(ring_index, on_ring([0.0]), on_ring([1.0]), steps)
