"""Write first, prove later: what waits for a link is nowhere, and then counts once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from events import log
from events.catalogue import CommentPosted, IdeaPosted, RightsChanged, VoteCast
from ideas_hub import db
from ideas_hub.chores import CHORES, run
from ideas_hub.comments import Comment, comments
from ideas_hub.drafts import drafts
from ideas_hub.errors import AtWork, Invalid, Missing, Refusal, RuleBroken
from ideas_hub.ideas import Idea
from ideas_hub.links import (
    KEPT,
    LASTS,
    MOST_LINKS,
    MOST_WRONG_CODES,
    WITHIN,
    MailLink,
    State,
    ask_for_link,
    asked_in,
    code_of,
    link_with,
    renew_link,
    token_of,
)
from ideas_hub.outbox import Mail, claim_mails, mail_sent
from ideas_hub.pending import comment_later, confirm, confirm_by_code, name_of, post_later, vote_later
from ideas_hub.people import NOBODY, Kind, Person, add_person
from ideas_hub.votes import Vote, cast_vote
from ideas_hub.whole import whole_idea
from tests import make
from tests.ideas_hub.test_addresses import SPELLINGS
from tests.support.witness import everything, news, nothing_written, refused, rows

rule = pytest.mark.sqlite_only
KEY = "the key of this installation"
TEXTS = {"title": "Warm rooms", "problem": "It is cold.", "proposal": "Open them."}


def delivered():
    """What the mails say that are sent now: the token and the code of each, the oldest first."""
    found = []
    while letters := claim_mails():
        for letter in letters:
            found.append((token_of(KEY, letter.data["word"]), code_of(KEY, letter.data["word"])))
            mail_sent(letter)
    return found


def votes(ref):
    return whole_idea(NOBODY, ref).card.votes


# A vote, a comment, an idea


def test_a_vote_of_somebody_without_an_account_counts_once_they_have_opened_their_link(hub):
    ref = make.idea(votes=2)
    with news() as facts:
        vote_later("Ann@Example.org", ref, key=KEY)
    assert (facts, votes(ref), rows(Person, Person.email == "ann@example.org")) == ([], 2, [])
    [(token, _code)] = delivered()
    with news() as facts:
        confirmed = confirm(token, key=KEY)
    assert [type(fact) for fact in facts] == [VoteCast]
    assert (votes(ref), confirmed.made, confirmed.refused) == (3, ref, None)
    [ann] = rows(Person, Person.ref == confirmed.person)
    assert (ann.email, ann.mailbox, ann.kind, ann.name) == ("ann@example.org", "ann@example.org", Kind.RESIDENT, "Resident")


def test_a_comment_and_an_idea_appear_under_the_name_that_was_chosen(hub):
    ref = make.idea()
    comment_later("ann@example.org", ref, key=KEY, name=" Ann  of the hill ", body="My mother would walk there.")
    post_later("bob@example.org", key=KEY, name="Bob", **TEXTS)
    assert (comments(NOBODY, ref), len(rows(Idea))) == ([], 1)
    (first, _), (second, _) = delivered()
    with news() as facts:
        said, posted = confirm(first, key=KEY), confirm(second, key=KEY)
    assert [type(fact) for fact in facts] == [CommentPosted, IdeaPosted]
    [comment] = comments(NOBODY, ref)
    assert (comment.ref, comment.author.name, comment.body) == (said.made, "Ann of the hill", "My mother would walk there.")
    idea = whole_idea(NOBODY, posted.made)
    assert (idea.card.title, [author.name for author in idea.card.authors]) == ("Warm rooms", ["Bob"])


@rule
def test_somebody_who_has_an_account_keeps_the_name_they_have(hub):
    ann = add_person("ann@example.org", name="Ann", kind=Kind.RESIDENT)
    comment_later("ANN@example.org", make.idea(), key=KEY, name="Somebody else", body="Yes.")
    assert confirm(delivered()[0][0], key=KEY).person == ann
    assert name_of("ann@example.org") == "Ann"


def test_who_only_voted_so_far_is_known_by_the_name_they_give_when_they_write(hub):
    ref = make.idea()
    vote_later("ann@example.org", ref, key=KEY)
    [(token, _code)] = delivered()
    person = confirm(token, key=KEY).person
    assert name_of("ann@example.org") is None
    comment_later("ann@example.org", ref, key=KEY, name="Ann of the hill", body="Mine too.")
    [(token, _code)] = delivered()
    with news() as facts:
        assert confirm(token, key=KEY).person == person
    assert RightsChanged(person=person) in facts
    assert [said.author.name for said in comments(NOBODY, ref)] == ["Ann of the hill"]
    assert name_of("ann@example.org") == "Ann of the hill"


def test_fifty_spellings_of_one_address_are_one_voter(hub, clock):
    ref = make.idea()
    for spelling in SPELLINGS:
        vote_later(spelling, ref, key=KEY)
        [(token, _code)] = delivered()
        assert confirm(token, key=KEY).refused is None
        clock.goes_on(minutes=13)  # so that none is held back: not more than five an hour
    assert (votes(ref), len(rows(Vote)), len(rows(Person, Person.mailbox == "annlee@gmail.com"))) == (1, 1, 1)


def test_two_links_of_one_address_that_are_opened_at_the_same_moment_make_one_person_and_one_vote(hub):
    ref = make.idea()
    for spelling in ("ann@example.org", "Ann+x@example.org", "ann+y@example.org", "ann@EXAMPLE.org"):
        vote_later(spelling, ref, key=KEY)
    with ThreadPoolExecutor(4) as people:
        done = list(people.map(lambda sent: confirm(sent[0], key=KEY), delivered()))
    assert len({confirmed.person for confirmed in done}) == 1
    assert (votes(ref), len(rows(Vote))) == (1, 1)


# What waits is nowhere


@rule
def test_what_waits_can_be_read_nowhere_and_is_forgotten_when_it_was_used(hub):
    ref = make.idea()
    comment_later("ann@example.org", ref, key=KEY, name="Ann", body="Quetzalcoatlus")
    post_later("ann@example.org", key=KEY, name="Ann", **TEXTS | {"title": "Quetzalcoatlus"})
    holding = {table for table, found in everything().items() if "Quetzalcoatlus" in repr(found)}
    assert holding == {"mail_link"}
    with db.reading() as session:
        assert "ann" not in repr(session.execute(sa.select(log.event_table)).all())
    for token, _code in delivered():
        confirm(token, key=KEY)
    assert "Quetzalcoatlus" not in repr(everything()["mail_link"])


@rule
def test_who_reads_the_database_can_use_no_link(hub):
    browser = vote_later("ann@example.org", make.idea(), key=KEY)
    everywhere = repr(everything())
    [(token, code)] = delivered()
    assert len(token) == 43  # 256 bits
    assert not [secret for secret in (token, f"'{code}'", browser, KEY) if secret in everywhere]


@rule
def test_a_mail_says_nothing_that_somebody_typed(hub):
    comment_later("ann@example.org", make.idea(), key=KEY, name="Buy now", body="https://spam.example")
    post_later("ann@example.org", key=KEY, name="Buy now", **TEXTS | {"title": "Buy now"})
    assert not [mail for mail in rows(Mail) if "Buy" in repr(mail.data) or "spam" in repr(mail.data)]


@rule
@pytest.mark.parametrize("audience", ["staff", "hidden", "nowhere"])
def test_nobody_learns_of_an_idea_that_is_not_open_to_everybody(hub, audience):
    ref = "zzzzzzzz" if audience == "nowhere" else make.idea(hidden=True) if audience == "hidden" else make.idea(audience="staff")
    with refused(Missing):
        vote_later("ann@example.org", ref, key=KEY)
    with refused(Missing):
        comment_later("ann@example.org", ref, key=KEY, name="Ann", body="Yes.")


@rule
def test_what_is_wrong_is_told_at_once_and_all_of_it(hub):
    ref, declined, merged = make.idea(), make.idea(stage="declined"), make.idea(stage="merged")
    with refused(Invalid) as caught:
        comment_later("nobody", ref, key=KEY, name=" ", body="")
    assert set(caught.value.errors) == {"email", "name", "body"}
    with refused(Invalid) as caught:
        post_later("nobody", key=KEY, name="", themes=["none"], **TEXTS | {"title": ""})
    assert set(caught.value.errors) == {"email", "name", "title", "themes"}
    with refused(RuleBroken):
        vote_later("ann@example.org", declined, key=KEY)
    with refused(RuleBroken):
        comment_later("ann@example.org", merged, key=KEY, name="Ann", body="Yes.")


# What changed meanwhile


@rule
def test_a_vote_that_can_no_longer_be_counted_signs_in_all_the_same_and_says_why(hub):
    ref = make.idea(votes=1)
    vote_later("ann@example.org", ref, key=KEY)
    make.moved(ref, "declined")
    with news() as facts:
        confirmed = confirm(delivered()[0][0], key=KEY)
    assert "closed" in str(confirmed.refused)
    assert (facts, votes(ref), confirmed.made) == ([], 1, None)
    assert rows(Person, Person.ref == confirmed.person)


@rule
def test_words_that_can_no_longer_be_posted_are_kept_as_a_draft_behind_what_stood_there(hub):
    ref = make.idea()
    for body in ("My first words.", "My second."):
        comment_later("ann@example.org", ref, key=KEY, name="Ann", body=body)
    make.moved(ref, "merged")
    for token, _code in delivered():
        confirmed = confirm(token, key=KEY)
        assert "merged" in str(confirmed.refused)
    draft = drafts(make.actor(confirmed.person))[f"comment-{ref}"]
    assert draft.values["body"] == ("My first words.\n\nMy second.",)
    assert rows(Comment) == []


@rule
def test_an_idea_whose_theme_went_is_kept_as_a_draft(hub):
    make.theme("parks")
    post_later("ann@example.org", key=KEY, name="Ann", themes=["parks"], **TEXTS)
    with db.transaction() as session:
        session.execute(sa.text("DELETE FROM theme"))
    confirmed = confirm(delivered()[0][0], key=KEY)
    assert confirmed.refused is not None
    assert drafts(make.actor(confirmed.person))["post"].values["title"] == ("Warm rooms",)


@rule
def test_who_had_voted_already_has_one_vote(hub):
    ref, ann = make.idea(), make.resident()
    cast_vote(ann, ref)
    vote_later(make.address(ann), ref, key=KEY)
    confirm(delivered()[0][0], key=KEY)
    assert votes(ref) == 1


# Links


def test_a_link_works_once_and_for_ten_minutes_from_when_it_was_sent(hub, clock):
    ask_for_link("ann@example.org", key=KEY)
    clock.goes_on(hours=1)  # the mail server was away
    [(token, _code)] = delivered()
    clock.goes_on(seconds=LASTS.total_seconds() - 1)
    assert link_with(token).state is State.OPEN
    confirm(token, key=KEY)
    with refused(RuleBroken):
        confirm(token, key=KEY)
    ask_for_link("ann@example.org", key=KEY)
    [(late, _code)] = delivered()
    clock.goes_on(seconds=LASTS.total_seconds())
    assert link_with(late).state is State.OVER
    with refused(RuleBroken):
        confirm(late, key=KEY)
    with refused(Missing):
        confirm("made up", key=KEY)


def test_a_link_that_is_used_twice_at_the_same_moment_is_used_once(hub):
    ref = make.idea()
    vote_later("ann@example.org", ref, key=KEY)
    [(token, _code)] = delivered()

    def use(_number):
        try:
            return confirm(token, key=KEY).made
        except (RuleBroken, AtWork) as refusal:
            return refusal

    with ThreadPoolExecutor(4) as people:
        done = list(people.map(use, range(4)))
    assert [made for made in done if not isinstance(made, Refusal)] == [ref]
    assert votes(ref) == 1


def test_what_waits_for_a_link_that_came_too_late_gets_a_new_one(hub, clock):
    ref = make.idea()
    browser = vote_later("ann@example.org", ref, key=KEY)
    [(late, late_code)] = delivered()
    clock.goes_on(minutes=11)
    renew_link(late, key=KEY)
    [(token, code)] = delivered()
    assert token != late
    with refused(RuleBroken):
        confirm(late, key=KEY)
    with pytest.raises(Invalid):
        confirm_by_code(browser, late_code if late_code != code else "x", key=KEY)
    assert confirm_by_code(browser, code, key=KEY).made == ref
    assert votes(ref) == 1
    with refused(RuleBroken):
        renew_link(token, key=KEY)


@rule
def test_links_and_what_waits_for_them_are_forgotten_after_three_days(hub, clock):
    vote_later("ann@example.org", make.idea(), key=KEY)
    [chore] = [chore for chore in CHORES if chore.name == "forget_links"]
    clock.goes_on(seconds=KEPT.total_seconds() - 1)
    assert run(chore) == 0
    clock.goes_on(seconds=1)
    assert run(chore) == 1
    assert rows(MailLink) == []


# The code


def test_the_code_works_in_the_browser_that_asked_and_ends_the_link(hub):
    ref = make.idea()
    browser = vote_later("ann@example.org", ref, key=KEY)
    other = vote_later("bob@example.org", ref, key=KEY)
    (token, code), (_token, others_code) = delivered()
    assert len(code) == 6
    if others_code != code:
        with pytest.raises(Invalid):
            confirm_by_code(other, code, key=KEY)
    assert confirm_by_code(browser, f" {code[:3]} {code[3:]} ", key=KEY).made == ref
    with refused(RuleBroken):
        confirm(token, key=KEY)
    with refused(Missing):
        confirm_by_code("another browser", code, key=KEY)


def test_after_three_wrong_codes_only_the_link_is_left(hub):
    browser = ask_for_link("ann@example.org", key=KEY)
    [(token, code)] = delivered()
    wrong = "000000" if code != "000000" else "111111"
    for _ in range(MOST_WRONG_CODES):
        with pytest.raises(Invalid):
            confirm_by_code(browser, wrong, key=KEY)
    for guess in (code, wrong):
        with refused(RuleBroken):
            confirm_by_code(browser, guess, key=KEY)
    confirm(token, key=KEY)


@rule
def test_a_code_that_no_mail_told_is_never_right(hub):
    for _ in range(MOST_LINKS):
        ask_for_link("ann@example.org", key=KEY)
    browser = ask_for_link("ann@example.org", key=KEY)  # by somebody who wants to guess more often than mails are sent
    code = code_of(KEY, rows(MailLink)[-1].word)
    assert len(delivered()) == MOST_LINKS
    for _ in range(MOST_WRONG_CODES):
        with pytest.raises(Invalid):
            confirm_by_code(browser, code, key=KEY)
    with refused(RuleBroken):  # and they are answered as ever
        confirm_by_code(browser, code, key=KEY)


@rule
def test_the_link_ends_the_code(hub):
    browser = ask_for_link("ann@example.org", key=KEY)
    [(token, code)] = delivered()
    confirm(token, key=KEY)
    with refused(RuleBroken):
        confirm_by_code(browser, code, key=KEY)
    with nothing_written():
        assert asked_in(browser).state is State.USED


# Limits


def test_a_mailbox_is_sent_five_links_an_hour_and_who_asks_for_more_is_answered_alike(hub, clock):
    for number in range(MOST_LINKS + 3):
        assert ask_for_link(f"ann+{number}@example.org", key=KEY)
    ask_for_link("bob@example.org", key=KEY)
    assert len(delivered()) == MOST_LINKS + 1
    assert len(rows(MailLink)) == MOST_LINKS + 4
    clock.goes_on(seconds=WITHIN.total_seconds() + 1)
    ask_for_link("ann@example.org", key=KEY)
    assert len(delivered()) == 1
