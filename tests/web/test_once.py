"""Forms that make something carry a once-only field: posted again, they make nothing more."""

import re

import pytest
from flask.testing import FlaskClient

from ideas_hub.answers import Answer
from ideas_hub.comments import Comment
from ideas_hub.ideas import Idea
from ideas_hub.stages import StageChange
from tests import make
from tests.support.witness import nothing_written, rows

pytestmark = pytest.mark.sqlite_only


def once(browser: FlaskClient, page: str, action: str) -> str:
    """The once-only word of the form on that page that is sent there."""
    form = re.search(rf'<form[^>]*action="{action}".*?</form>', browser.get(page).text, re.DOTALL)
    assert form, f"{page} has no form to {action}"
    found = re.search(r'name="once" value="(\w+)"', form[0])
    assert found, f"the form to {action} has no field `once`: it wants the macro of that name in `_forms.html`"
    return found[1]


def test_each_form_that_makes_something_makes_it_once(app, visit):
    who = make.regular("leader", "sponsor")
    idea, parent = make.idea(), None
    make.sponsored(idea, by=who)
    parent = make.comment(idea)
    browser, page = visit(who, ours=True), f"/ideas/{idea}"
    forms = [
        (Idea, "/ideas/new", "/ideas", {"title": "T", "problem": "P", "proposal": "P"}),
        (Comment, page, f"{page}/comments", {"body": "Words", "kind": "build"}),
        (Comment, page, f"{page}/comments", {"body": "Words", "kind": "build", "parent": parent}),
        (Answer, page, f"{page}/answers", {"text": "Yes."}),
        (StageChange, page, f"{page}/moves", {"to": "exploring", "reason": "Why."}),
        (StageChange, "/board", f"{page}/moves", {"to": "declined", "reason": "Why.", "back": "/board"}),
    ]
    for model, where, action, words in forms:
        before = len(rows(model))
        words["once"] = once(browser, where, action)
        first = browser.post(action, data=words)
        assert first.status_code == 303, (action, first.text)
        with nothing_written():
            again = browser.post(action, data=words)
            assert (again.status_code, again.location) == (303, first.location)
            by_script = browser.post(action, data=words, headers={"Accept": "application/json"})
            assert by_script.json == {"location": first.location}
        assert len(rows(model)) == before + 1


def test_who_steps_back_and_writes_something_else_posts_something_else(app, visit):
    idea = make.idea()
    browser, action = visit(make.resident(), ours=True), f"/ideas/{idea}/comments"
    word = once(browser, f"/ideas/{idea}", action)
    for body in ("One", "Two", "One"):
        assert browser.post(action, data={"body": body, "once": word}).status_code == 303
    assert sorted(comment.body for comment in rows(Comment)) == ["One", "Two"]


def test_a_form_without_the_field_is_sent_as_often_as_it_is_sent(app, visit):
    idea = make.idea()
    browser = visit(make.resident(), ours=True)
    for _ in range(2):
        assert browser.post(f"/ideas/{idea}/comments", data={"body": "Words"}).status_code == 303
    assert len(rows(Comment)) == 2


def test_every_page_has_once_only_words_of_its_own(app, visit):
    idea = make.idea()
    browser = visit(make.resident())
    assert once(browser, f"/ideas/{idea}", f"/ideas/{idea}/comments") != once(
        browser, f"/ideas/{idea}", f"/ideas/{idea}/comments"
    )
