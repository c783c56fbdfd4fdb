"""What changed between two texts: nothing is lost, nothing made up, and nobody waits for it."""

import random
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ideas_hub.differences import AROUND, LONG, Change, Piece, changed, compare, folded

WORDS = st.lists(st.sampled_from(["bench", "hill", "the", "a", " ", "  ", "\n\n", ".", ",", "é", "ﷺ", "it's", "𝒳"]), max_size=60)
TEXTS = st.text(max_size=200) | WORDS.map("".join) | WORDS.map(" ".join)


def joined(pieces, *changes):
    return "".join(piece.text for piece in pieces if piece.change in changes)


@given(TEXTS, TEXTS)
@settings(max_examples=300, deadline=None)
def test_the_pieces_give_both_texts_back(old, new):
    for pieces in (compare(old, new), folded(compare(old, new))):
        assert joined(pieces, Change.SAME, Change.GONE) == old
        assert joined(pieces, Change.SAME, Change.NEW) == new
        assert all(piece.text for piece in pieces)


@given(TEXTS, TEXTS)
@settings(max_examples=100, deadline=None)
def test_changes_stand_apart_and_what_went_stands_before_what_came(old, new):
    kinds = [piece.change for piece in compare(old, new)]
    pairs = set(pairwise(kinds))
    S, G, N = Change.SAME, Change.GONE, Change.NEW
    assert pairs <= {(S, G), (S, N), (G, N), (G, S), (N, S)}


@given(TEXTS)
@settings(max_examples=50, deadline=None)
def test_a_text_beside_itself_has_not_changed(text):
    assert joined(compare(text, text), Change.SAME) == text
    assert changed({"problem": text}, {"problem": text}) == {}


def test_words_are_compared_and_not_letters():
    assert compare("Lend a bicycle.", "Lend two bicycles.") == (
        Piece(Change.SAME, "Lend "),
        Piece(Change.GONE, "a bicycle"),
        Piece(Change.NEW, "two bicycles"),
        Piece(Change.SAME, "."),
    )


def test_of_a_long_text_with_one_change_what_is_far_from_it_is_folded():
    far = "The hill is steep and the bus is late. " * 40
    pieces = folded(compare(f"{far}Benches. {far}", f"{far}Seats. {far}"))
    assert [(piece.change.value, piece.folded) for piece in pieces] == [
        *(("same", True), ("same", False), ("gone", False), ("new", False), ("same", False), ("same", True)),
    ]
    assert all(len(piece.text) <= AROUND + 20 for piece in pieces if not piece.folded)
    assert all(len(piece.text) >= LONG for piece in pieces if piece.folded)


def hostile(letters: str) -> str:
    """10,000 characters in which nearly every one is a word of its own, and like hundreds of others."""
    return "".join(random.Random(letters).choice(letters) for _ in range(10_000))  # noqa: S311


@pytest.mark.parametrize(("old", "new"), [(".,;!", ";!.,"), ("a ", "b a"), (".,", "!;"), ("\n. ", " .")])
def test_the_longest_texts_made_to_be_hard_are_compared_in_bounded_time(old, new):
    began = time.process_time()
    pieces = compare(hostile(old), hostile(new))
    assert time.process_time() - began < 0.5  # measured: at most 0.06; difflib needs minutes
    assert joined(pieces, Change.SAME, Change.NEW) == hostile(new)
