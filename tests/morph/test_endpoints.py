"""endpoints.py: what a morph runs between: random pairs, two words, own pictures."""

from types import SimpleNamespace

import click
import numpy as np
import pytest

from support.console import InputError
from support.morph.endpoints import (
    check_choice,
    draw_pairs,
    picture_pairs,
    random_pairs,
    word_pairs,
)

NAMES = {10: "A", 11: "B", 12: "C", 36: "a"}  # c has no class of its own, and stands for C
Y = np.array([10, 10, 10, 36, 12, 12])  # A A A a C C; there is no B
X = np.random.default_rng(0).random((len(Y), 28, 28), np.float32)
CODES = np.array([[0.0], [4], [5], [9], [1], [2]])  # of X


def encode(x):
    """The codes of some of the images X."""
    is_same = (x[:, None] == X).all(axis=(2, 3))
    return CODES[is_same.argmax(axis=1)]


def made_up_run(x=X, y=Y, names=NAMES):
    """What the endpoints need of a TrainedRun."""
    data = SimpleNamespace(x_test=x, y_test=y, names=names)
    return SimpleNamespace(data=data, encode=encode, test_codes=CODES[: len(x)])


def words(from_text, to_text, y=Y, seed=None):
    return word_pairs(made_up_run(y=y), from_text, to_text, seed)


# ---- random pairs


def test_random_pairs_are_of_different_classes():
    y = np.repeat([3, 4, 5], 10)
    pairs = draw_pairs(y, 40, np.random.default_rng(0))
    assert pairs.shape == (40, 2)
    assert (y[pairs[:, 0]] != y[pairs[:, 1]]).all()
    same_seed = draw_pairs(y, 40, np.random.default_rng(0))
    other_seed = draw_pairs(y, 40, np.random.default_rng(1))
    assert (same_seed == pairs).all()
    assert (other_seed != pairs).any()


def test_the_only_image_of_the_other_class_is_in_each_pair():
    y = np.zeros(1000, int)
    y[-1] = 1
    pairs = draw_pairs(y, 20, np.random.default_rng(0))
    assert ((pairs == 999).sum(axis=1) == 1).all()


def test_images_of_one_class_make_no_pair():
    with pytest.raises(InputError, match="one class"):
        draw_pairs(np.zeros(5), 1, np.random.default_rng(0))


def test_endpoints_of_random_pairs():
    ends = random_pairs(made_up_run(), 3, seed=5)
    assert (ends.indices == draw_pairs(Y, 3, np.random.default_rng(5))).all()
    assert (ends.images == X[ends.indices]).all()
    assert (ends.codes == CODES[ends.indices]).all()
    assert (ends.labels == Y[ends.indices]).all()
    for labels, names in zip(ends.labels, ends.names, strict=True):
        assert names.tolist() == [NAMES[labels[0]], NAMES[labels[1]]]
    assert ends.rows.tolist() == [0, 1, 2]
    assert (ends.title, ends.source) == ("3 random pairs", "test images")


# ---- words


def test_endpoints_of_words():
    ends = words("A a", "c A")
    assert ends.indices.tolist() == [[1, 4], [3, 1]]  # nearest to the mean of their class
    assert ends.labels.tolist() == [[10, 12], [36, 10]]
    assert ends.names.tolist() == [["A", "C"], ["a", "A"]]
    assert (ends.images[1] == X[[3, 1]]).all()
    assert (ends.codes[1] == CODES[[3, 1]]).all()
    assert (ends.rows.tolist(), ends.row_count) == ([0, 2], 3)
    assert ends.title == "A a → c A"


def test_a_space_makes_a_blank_row():
    ends = words("A a", "c A")
    assert ends.with_blank_rows(ends.labels, -1).tolist() == [[10, 12], [-1, -1], [36, 10]]
    images = ends.with_blank_rows(ends.images)
    assert images.dtype == np.float32
    assert not images[1].any()
    assert (images[[0, 2]] == ends.images).all()


def test_with_a_seed_any_image_of_a_letter_may_come():
    drawn = {tuple(words("A", "a", seed=seed).indices[0]) for seed in range(20)}
    assert drawn == {(0, 3), (1, 3), (2, 3)}
    first = words("AAAA", "CCCC", seed=7)
    second = words("AAAA", "CCCC", seed=7)
    assert (first.indices == second.indices).all()


def test_merged_cases_stand_for_their_class():
    assert (words("cC", "Cc").labels == 12).all()
    capitals = {1: "A", 2: "B"}  # a split whose classes are all merged
    ends = word_pairs(made_up_run(X[:2], np.array([2, 1]), capitals), "aB", "bA")
    assert ends.indices.tolist() == [[1, 0], [0, 1]]


def test_letters_without_a_class_or_without_an_image_are_named():
    known = "the characters are ACac"
    with pytest.raises(InputError, match=f"no class for % é; {known}"):
        words("%A", "éA")
    with pytest.raises(InputError, match=f"no class for B b; {known}"):  # there are no such images
        words("BA", "Ab")
    with pytest.raises(InputError, match="no class for a; the characters are ACc"):
        words("A", "a", y=np.where(Y == 36, 12, Y))  # an A is no a


# ---- pictures


def test_endpoints_of_own_pictures():
    ends = picture_pairs(made_up_run(), [X[2], X[0], X[5]])
    assert (ends.images == [[X[2], X[0]], [X[0], X[5]]]).all()
    assert (ends.codes == [[CODES[2], CODES[0]], [CODES[0], CODES[5]]]).all()
    assert ends.indices.tolist() == [[-1, -1], [-1, -1]]
    assert ends.labels.tolist() == [[-1, -1], [-1, -1]]
    assert ends.names.tolist() == [["1", "2"], ["2", "3"]]
    assert ends.rows.tolist() == [0, 1]
    assert (ends.title, ends.source) == ("3 own pictures", "your pictures")


# ---- the command line's choice


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ((None, "a", None, (), None), "--from and --to must be given together"),
        ((None, None, "a", (), None), "--from and --to must be given together"),
        ((3, "a", "b", (), None), "give only one of"),
        ((3, None, None, ("1", "2"), None), "give only one of"),
        ((None, "a", "b", ("1", "2"), None), "give only one of"),
        ((None, None, None, ("1",), None), "two or more pictures"),
        ((None, None, None, ("1", "2"), 0), "--seed chooses test images"),
        ((None, "ab", "c", (), None), "same length"),
        ((None, "", "", (), None), "not be empty"),
        ((None, "  ", "  ", (), None), "not be empty"),
        ((None, "a b", "abc", (), None), "spaces"),
        ((None, "a" * 1001, "b" * 1001, (), None), "1,001 rows; at most 1,000"),
        ((None, None, None, ("1",) * 1002, None), "1,001 rows; at most 1,000"),
    ],
)
def test_choices_that_are_refused(choice, message):
    with pytest.raises(click.UsageError, match=message):
        check_choice(*choice)


def test_a_clear_choice_gives_the_number_of_rows():
    assert check_choice(None, None, None, (), None) == 10
    assert check_choice(3, None, None, (), None) == 3
    assert check_choice(None, "a b", "c d", (), None) == 3
    assert check_choice(None, None, None, ("1", "2", "3"), None) == 2
    assert check_choice(None, "a" * 1000, "b" * 1000, (), None) == 1000
