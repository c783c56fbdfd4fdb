"""The board and the lists: in their order, in pieces, with the figures of what the asker may see."""

from datetime import date

import pytest

from events.catalogue import View
from ideas_hub.board import board
from ideas_hub.cards import first_sentence
from ideas_hub.finding import list_ideas
from ideas_hub.ideas import Stage
from ideas_hub.lists import Sort, Wanted
from ideas_hub.people import NOBODY
from ideas_hub.settings import change_settings
from tests import make

rule = pytest.mark.sqlite_only


def listed(sort=None, actor=NOBODY, **wanted):
    return [card.ref for card in list_ideas(actor, Wanted(sort=sort, **wanted), limit=100).items]


@pytest.fixture
def several(hub, clock):
    refs = []
    for votes in (1, 3, 0, 3):
        refs.append(make.idea(votes=votes))
        clock.goes_on(minutes=votes)
    return refs


def test_each_sort_has_its_order(several):
    first, second, third, fourth = several
    assert listed(Sort.NEW)[0] in (third, fourth)
    assert set(listed(Sort.TOP)[:2]) == {second, fourth}
    assert listed(Sort.TOP)[2:] == [first, third]
    assert listed(Sort.WAITING)[:2] == [first, second]
    make.answer(first)
    assert listed(Sort.WAITING)[0] == second
    make.moved(second, "parked")
    assert second not in listed(Sort.WAITING)


@pytest.mark.parametrize("sort", Sort)
def test_pieces_of_a_list_have_no_gap_and_no_double(several, sort):
    whole, read, last = listed(sort), [], None
    while True:
        page = list_ideas(NOBODY, Wanted(sort=sort), after=last, limit=1)
        read += [card.ref for card in page.items]
        if (last := page.next) is None:
            break
    assert read == whole
    assert sorted(read) == sorted(several)


@rule
def test_a_list_is_narrowed_by_stage_theme_and_audience(hub):
    make.theme("roads")
    ref, parked, inside = make.idea(themes=["roads"]), make.idea(stage="parked"), make.idea(audience="staff")
    bob = make.staff()
    assert set(listed(actor=bob)) == {ref, parked, inside}
    assert listed(themes=frozenset({"roads"})) == [ref]
    assert listed(themes=frozenset({"nonesuch"})) == []
    assert listed(stages=frozenset({Stage.PARKED})) == [parked]
    assert listed(actor=bob, audience=View.STAFF) == [inside]
    assert listed(audience=View.STAFF) == []


@rule
def test_the_board_puts_the_late_first_then_by_votes_and_counts_more_than_it_shows(hub, clock):
    change_settings(answer_votes={"public": 2, "staff": 9, "leadership": 9}, answer_days=1)
    late = make.idea(votes=2)
    clock.goes_to(date(2026, 7, 6))
    busy, quiet, inside = make.idea(votes=3), make.idea(), make.idea(audience="staff")
    column = board(NOBODY).columns[0]
    assert ([card.ref for card in column.cards], column.count) == ([late, busy, quiet], 3)
    short = board(NOBODY, cards=2).columns[0]
    assert ([card.ref for card in short.cards], short.count) == ([late, busy], 3)
    assert inside in {card.ref for card in board(make.staff()).columns[0].cards}
    assert [column.stage for column in board(NOBODY).columns] == list(Stage)


def test_the_figures_are_those_of_what_one_may_see(hub, clock):
    change_settings(answer_votes={"public": 1, "staff": 1, "leadership": 1}, answer_days=1)
    in_time, too_late, owed = (make.idea(votes=1) for _ in range(3))
    make.idea(audience="staff", staff_votes=1)
    make.answer(in_time)
    clock.goes_to(date(2026, 7, 6))
    make.answer(too_late)
    make.idea(votes=1)
    trial = make.idea(stage="trial")
    figures = board(NOBODY).figures
    assert (figures.waiting, figures.late, figures.on_time) == (2, 1, 0.5)
    assert board(make.staff()).figures.waiting == 3
    assert (figures.trials, figures.trials_ended) == (1, 0)
    clock.goes_on(days=31)
    assert board(NOBODY).figures.trials_ended == 1
    make.moved(trial, "adopted")
    make.moved(owed, "merged")  # its vote obliges the other to be answered in its place
    assert (board(NOBODY).figures.trials, board(NOBODY).figures.waiting, board(NOBODY).figures.late) == (0, 2, 1)
    clock.goes_on(days=90)
    assert board(NOBODY).figures.on_time is None


@rule
def test_an_excerpt_is_the_first_sentence_or_what_fits_of_it():
    assert first_sentence("One. Two.") == "One."
    assert first_sentence("Why?  Because") == "Why?"
    assert first_sentence("word " * 100, 20) == "word word word…"
    assert first_sentence("") == ""
