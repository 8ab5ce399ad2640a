"""support/ends.py: what a morph runs between: random pairs, two texts, own pictures."""

import click
import numpy as np
import pytest

from dataset import CLASSES
from support.console import InputError
from support.ends import check_choice, choose_ends, random_pairs, word_pairs

BALANCED = CLASSES["balanced"]  # c has no class of its own: it stands for C; a has one beside A
Y = np.array([10, 10, 10, 36, 12, 12])  # A A A a C C
X = np.random.default_rng(0).random((len(Y), 28, 28), np.float32)
CODES = np.array([[0.0], [4], [5], [9], [1], [2]])


def encode(x):
    assert x is X
    return CODES


def choose(own=(), from_text=None, to_text=None, rows=None, seed=None):
    return choose_ends(own, from_text, to_text, rows, seed, X, Y, BALANCED, encode)


def test_random_pairs():
    y = np.repeat([3, 4, 5], 10)
    pairs = random_pairs(y, 40, seed=0)
    assert pairs.shape == (40, 2)
    assert (y[pairs[:, 0]] != y[pairs[:, 1]]).all()
    assert (random_pairs(y, 40, seed=0) == pairs).all()
    assert (random_pairs(y, 40, seed=1) != pairs).any()
    rare = random_pairs(np.arange(1000) // 999, 20, seed=0)  # one image of the other class
    assert ((rare == 999).sum(axis=1) == 1).all()
    with pytest.raises(InputError, match="one class"):
        random_pairs(np.zeros(5), 1, seed=0)


def test_the_typical_image_of_a_letter_is_nearest_to_the_mean():
    pairs = word_pairs("A a", "c A", BALANCED, Y, CODES)
    assert pairs.tolist() == [[1, 4], [-1, -1], [3, 1]]


def test_with_a_seed_any_image_of_a_letter_may_come():
    drawn = {tuple(word_pairs("A", "a", BALANCED, Y, CODES, seed)[0]) for seed in range(20)}
    assert drawn == {(0, 3), (1, 3), (2, 3)}
    again = [word_pairs("AAAA", "CCCC", BALANCED, Y, CODES, seed=7).tolist() for _ in range(2)]
    assert again[0] == again[1]


def test_merged_cases_stand_for_their_class():
    pairs = word_pairs("cC", "Cc", BALANCED, Y, CODES)
    assert (Y[pairs] == 12).all()
    letters = {1: "A", 2: "B"}  # the split whose classes are all merged
    assert word_pairs("aB", "bA", letters, np.array([2, 1]), CODES[:2]).tolist() == [[1, 0], [0, 1]]


def test_letters_without_a_class_or_without_an_image_are_named():
    known = "the characters are ACac"
    with pytest.raises(InputError, match=f"no class for % é; {known}"):
        word_pairs("%A", "éA", BALANCED, Y, CODES)
    with pytest.raises(InputError, match=f"no class for B b; {known}"):  # there are no such images
        word_pairs("BA", "Ab", BALANCED, Y, CODES)
    with pytest.raises(InputError, match="no class for a; the characters are ACc"):
        word_pairs("A", "a", BALANCED, Y[Y != 36], CODES[Y != 36])  # an A is no a
    with pytest.raises(InputError, match="no class for d; the characters are ACac"):
        word_pairs("d", "A", BALANCED, Y, CODES)


def test_ends_of_random_pairs():
    ends = choose(rows=3, seed=5)
    assert (ends.indices == random_pairs(Y, 3, seed=5)).all()
    assert (ends.images == X[ends.indices]).all()
    assert (ends.labels == Y[ends.indices]).all()
    assert ends.names.tolist() == [[BALANCED[n] for n in row] for row in ends.labels.tolist()]
    assert (ends.title, ends.source) == ("3 random pairs", "test images")
    default = choose()
    assert default.indices.tolist() == random_pairs(Y, 10, seed=0).tolist()


def test_ends_of_texts():
    ends = choose(from_text="A a", to_text="c A")
    assert ends.indices.tolist() == [[1, 4], [-1, -1], [3, 1]]
    assert ends.labels.tolist() == [[10, 12], [-1, -1], [36, 10]]
    assert ends.names.tolist() == [["A", "C"], ["", ""], ["a", "A"]]
    assert ends.title == "A a → c A"
    assert ends.images.dtype == np.float32
    assert ends.images.shape == (3, 2, 28, 28)
    assert (ends.images[2] == X[[3, 1]]).all()
    assert not ends.images[1].any()


def test_ends_of_own_pictures():
    own = list(np.random.default_rng(1).random((3, 28, 28), np.float32))
    ends = choose(own)
    assert ends.images.shape == (2, 2, 28, 28)
    assert (ends.images == [[own[0], own[1]], [own[1], own[2]]]).all()
    assert (ends.indices == -1).all()
    assert (ends.labels == -1).all()
    assert ends.indices.shape == ends.labels.shape == (2, 2)
    assert ends.names.tolist() == [["1", "2"], ["2", "3"]]
    assert (ends.title, ends.source) == ("3 own pictures", "your pictures")


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ((None, "a", None, ()), "--from and --to must be given together"),
        ((None, None, "a", ()), "--from and --to must be given together"),
        ((3, "a", "b", ()), "give only one of"),
        ((3, None, None, ("1", "2")), "give only one of"),
        ((None, "a", "b", ("1", "2")), "give only one of"),
        ((None, None, None, ("1",)), "at least twice"),
        ((None, "ab", "c", ()), "same length"),
        ((None, "", "", ()), "not be empty"),
        ((None, "  ", "  ", ()), "not be empty"),
        ((None, "a b", "abc", ()), "spaces"),
    ],
)
def test_choices_that_say_nothing_clear(choice, message):
    with pytest.raises(click.UsageError, match=message):
        check_choice(*choice)


def test_clear_choices_give_the_number_of_rows():
    assert check_choice(None, None, None, ()) == 10
    assert check_choice(3, None, None, ()) == 3
    assert check_choice(None, "a b", "c d", ()) == 3
    assert check_choice(None, None, None, ("1", "2", "3")) == 2
