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


# What the endpoints need of a TrainedRun.
DATA = SimpleNamespace(x_test=X, y_test=Y, names=NAMES)
TRAINED = SimpleNamespace(data=DATA, encode=encode, test_codes=CODES)


def test_random_pairs_are_of_different_classes():
    ends = random_pairs(TRAINED, 40, seed=5)
    assert ends.labels.shape == (40, 2)
    assert (ends.labels[:, 0] != ends.labels[:, 1]).all()
    assert (ends.labels == Y[ends.indices]).all()
    assert (ends.images == X[ends.indices]).all()
    assert (ends.codes == CODES[ends.indices]).all()
    assert ends.names[0].tolist() == [NAMES[label] for label in ends.labels[0]]
    assert (random_pairs(TRAINED, 40, seed=5).indices == ends.indices).all()
    assert (random_pairs(TRAINED, 40, seed=6).indices != ends.indices).any()


def test_images_of_one_class_make_no_pair():
    with pytest.raises(InputError, match="one class"):
        draw_pairs(np.zeros(5), 1, np.random.default_rng(0))


def test_words_are_spelled_by_typical_images_and_a_space_is_a_blank_row():
    ends = word_pairs(TRAINED, "A a", "c A")
    assert ends.indices.tolist() == [[1, 4], [3, 1]]  # nearest to the mean of their class
    assert ends.labels.tolist() == [[10, 12], [36, 10]]
    assert ends.names.tolist() == [["A", "C"], ["a", "A"]]
    assert (ends.codes == CODES[ends.indices]).all()
    assert ends.with_blank_rows(ends.labels, -1).tolist() == [[10, 12], [-1, -1], [36, 10]]
    images = ends.with_blank_rows(ends.images)
    assert (images[[0, 2]] == X[ends.indices]).all()
    assert not images[1].any()


def test_with_a_seed_any_image_of_a_letter_may_come():
    drawn = {tuple(word_pairs(TRAINED, "A", "a", seed).indices[0]) for seed in range(20)}
    assert drawn == {(0, 3), (1, 3), (2, 3)}
    first, second = (word_pairs(TRAINED, "AAAA", "CCCC", seed=7) for _ in range(2))
    assert (first.indices == second.indices).all()


def test_a_merged_letter_stands_for_its_class_and_others_are_named():
    assert (word_pairs(TRAINED, "cC", "Cc").labels == 12).all()
    with pytest.raises(InputError, match="no class for % b é; the characters are ACac"):
        word_pairs(TRAINED, "%A", "éb")  # there are no images of B
    capitals = SimpleNamespace(x_test=X, y_test=Y, names={10: "A", 12: "B", 36: "C"})  # all merged
    trained = SimpleNamespace(data=capitals, encode=encode, test_codes=CODES)
    assert word_pairs(trained, "aB", "bA").labels.tolist() == [[10, 12], [12, 10]]


def test_each_picture_turns_into_the_next():
    ends = picture_pairs(TRAINED, [X[2], X[0], X[5]])
    assert (ends.images == [[X[2], X[0]], [X[0], X[5]]]).all()
    assert (ends.codes == [[CODES[2], CODES[0]], [CODES[0], CODES[5]]]).all()
    assert ends.indices.tolist() == ends.labels.tolist() == [[-1, -1], [-1, -1]]
    assert ends.names.tolist() == [["#1", "#2"], ["#2", "#3"]]
    assert ends.is_shown.tolist() == [True, True]


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ((None, None, "a", (), None), "--from and --to must be given together"),
        ((3, "a", "b", (), None), "give only one of"),
        ((None, "a", "b", ("1", "2"), None), "give only one of"),
        ((None, None, None, ("1",), None), "two or more pictures"),
        ((None, "ab", "c", (), None), "same length"),
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
