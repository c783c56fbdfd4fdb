"""Somebody without an account at the pages: they write, are sent a link, and what they wrote counts when they have opened it."""

import random
import re
import time

import pytest
import requests

from ideas_hub.administration import suspend
from ideas_hub.comments import comments
from ideas_hub.ideas import Idea
from ideas_hub.links import MailLink
from ideas_hub.people import NOBODY, Person
from ideas_hub.votes import cast_vote
from ideas_hub.whole import whole_idea
from tests import make
from tests.support.hub import Server, environment
from tests.support.likeness import told_apart
from tests.support.postbox import in_folder
from tests.support.witness import nothing_written, rows
from web import create_app
from web.config import from_environment

TEXTS = {"title": "Warm rooms", "problem": "It is cold.", "proposal": "Open them."}
OURS = {"Origin": "http://127.0.0.1:8000"}
TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')

rule = pytest.mark.sqlite_only


@pytest.fixture(autouse=True)
def at_home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def mails(app, tmp_path):
    def sent():
        while app.extensions["postman"].send_due():
            pass
        return in_folder(tmp_path)

    return sent


def press(browser, path, page=None, **form):
    """Press the button of a page whose form carries a token."""
    token = TOKEN.search(page or browser.get(path).text)
    assert token, "no form"
    return browser.post(path, data={"csrf_token": token[1], **form})


def votes(ref):
    return whole_idea(NOBODY, ref).card.votes


def ask_to_vote(browser, ref, email="ann@example.org"):
    answer = browser.post(f"/ideas/{ref}/vote/by-email", data={"email": email}, headers=OURS)
    assert (answer.status_code, answer.location) == (303, "/sign-in/sent")


def test_a_vote_by_mail_counts_in_the_browser_that_opens_the_link_and_signs_in_no_other(visit, mails):
    ref, phone, elsewhere = make.idea(votes=1), visit(), visit()
    page = phone.get(f"/ideas/{ref}").text
    assert f'href="/ideas/{ref}/vote/by-email"' in page
    ask_to_vote(phone, ref)
    assert "ann@example.org" in phone.get("/sign-in/sent").text
    [mail] = mails()
    assert mail.to == "ann@example.org"
    assert "a vote" not in mail.subject
    answer = press(elsewhere, mail.link)
    assert (answer.status_code, answer.location) == (303, f"/ideas/{ref}#vote")
    assert votes(ref) == 2
    there = elsewhere.get(f"/ideas/{ref}").text
    assert "You voted for this idea" in there
    assert '<b data-fact="votes">2</b>' in there
    assert phone.get("/me").status_code == 401
    assert elsewhere.get("/me").status_code == 200


def test_a_mail_scanner_that_follows_every_link_leaves_it_as_it_was(visit, mails):
    ref = make.idea()
    ask_to_vote(visit(), ref)
    [mail] = mails()
    scanner = visit()
    with nothing_written():
        assert scanner.head(mail.link).status_code == 200
        for _ in range(5):
            assert scanner.get(mail.link).status_code == 200
        assert scanner.get("/me").status_code == 401
    person = visit()
    assert press(person, mail.link).status_code == 303
    assert votes(ref) == 1
    assert person.get(mail.link).status_code == 410
    assert visit().post(mail.link).status_code == 400  # from no page of ours
    assert person.get(mail.link).headers["Referrer-Policy"] == "strict-origin"
    assert scanner.get("/me").status_code == 401


@rule
def test_a_link_from_a_forwarded_mail_opens_nothing_once_it_was_used(visit, mails):
    ref, ann, bob = make.idea(), visit(), visit()
    answer = ann.post(
        f"/ideas/{ref}/comments/by-email",
        data={"email": "ann@example.org", "name": "Ann", "body": "Between you and me"},
        headers=OURS,
    )
    assert answer.status_code == 303
    [mail] = mails()
    before = bob.get(mail.link).text  # Bob looks, and does not press
    press(ann, mail.link)
    after = bob.get(mail.link)
    assert "Between you and me" not in after.text
    assert "ann@example.org" not in after.text
    assert bob.post(mail.link, data={"csrf_token": TOKEN.search(before)[1]}).status_code == 409
    assert bob.get("/me").status_code == 401
    assert ann.get("/me").status_code == 200


@rule
def test_who_opens_a_link_as_somebody_else_is_told_and_is_one_person_afterwards(visit, mails):
    bob, ref = make.resident("Bob"), make.idea()
    ask_to_vote(visit(), ref)
    [mail] = mails()
    browser = visit(bob)
    page = browser.get(mail.link).text
    assert "You are here as Bob now, and that ends." in page
    press(browser, mail.link, page)
    assert "Bob" not in browser.get("/me").text
    assert [person.name for person in rows(Person, Person.email == "ann@example.org")] == ["Resident"]


@rule
def test_two_links_that_were_opened_in_two_tabs_can_both_be_confirmed(visit, mails):
    ideas, browser = [make.idea(), make.idea()], visit()
    for ref in ideas:
        ask_to_vote(visit(), ref)
    first, second = (mail.link for mail in mails())
    tokens = [TOKEN.search(browser.get(link).text)[1] for link in (first, second)]
    assert browser.post(first, data={"csrf_token": tokens[0]}, headers=OURS).status_code == 303
    for origin in ({}, {"Origin": "null"}, {"Origin": "https://elsewhere.example"}):
        assert browser.post(second, data={"csrf_token": tokens[1]}, headers=origin).status_code == 400
    assert browser.post(second, data={"csrf_token": tokens[1]}, headers=OURS).status_code == 303
    assert [votes(ref) for ref in ideas] == [1, 1]


def test_a_comment_and_an_idea_are_shown_to_who_has_the_link_and_to_nobody_else(visit, mails):
    ref, browser, reader = make.idea(), visit(), visit()
    browser.post(
        f"/ideas/{ref}/comments/by-email",
        data={"email": "ann@example.org", "name": "Ann of the hill", "body": "Kestrels nest there.", "kind": "concern"},
        headers=OURS,
    )
    browser.post("/ideas/by-email", data={"email": "ann@example.org", "name": "Ann", **TEXTS}, headers=OURS)
    said, posted = mails()
    for page in (f"/ideas/{ref}", "/ideas", "/ideas?q=kestrels", "/", "/board", "/api/v1/events?topics=board", "/sign-in/sent"):
        for who in (browser, reader):
            text = who.get(page).text
            assert "Kestrels" not in text
            assert "Warm rooms" not in text
    assert "Kestrels" not in said.text + said.html
    assert "Warm rooms" not in posted.text + posted.html
    assert "Kestrels nest there." in reader.get(said.link).text
    assert "Warm rooms" in reader.get(posted.link).text
    assert press(visit(), said.link).location.startswith(f"/ideas/{ref}?comment=")
    [comment] = comments(NOBODY, ref)
    assert (comment.body, comment.kind, comment.author.name) == ("Kestrels nest there.", "concern", "Ann of the hill")
    assert "Warm rooms" in reader.get(press(visit(), posted.link).location).text


@rule
def test_what_is_wrong_in_what_was_written_is_told_with_all_that_was_typed(visit):
    ref, browser = make.idea(), visit()
    with nothing_written():
        vote = browser.post(f"/ideas/{ref}/vote/by-email", data={"email": "ann at home"}, headers=OURS)
        comment = browser.post(f"/ideas/{ref}/comments/by-email", data={"email": "", "body": "Typed words"}, headers=OURS)
        idea = browser.post("/ideas/by-email", data={"title": "Typed title"}, headers=OURS)
        link = press(browser, "/sign-in/email", browser.get("/sign-in").text, email="ann at home")
    for answer, typed in ((vote, "ann at home"), (comment, "Typed words"), (idea, "Typed title"), (link, "ann at home")):
        assert answer.status_code == 422
        assert typed in answer.text
        assert "Write an e-mail address" in answer.text
    assert "Say what to call you" in comment.text
    look = browser.post("/ideas/by-email", data={"title": "Typed title", "look": "1"}, headers=OURS)
    assert (look.status_code, "Typed title" in look.text) == (200, True)


@rule
@pytest.mark.parametrize("origin", [{}, {"Origin": "https://elsewhere.example"}, {"Origin": "null"}])
def test_a_form_of_another_site_writes_nothing(visit, origin):
    ref = make.idea()
    with nothing_written():
        for path in (f"/ideas/{ref}/vote/by-email", f"/ideas/{ref}/comments/by-email", "/ideas/by-email", "/sign-in/email"):
            form = {"email": "ann@example.org", "name": "Ann", "body": "Yes.", **TEXTS}
            assert visit().post(path, data=form, headers=origin).status_code == 400


@rule
def test_who_is_signed_in_is_led_to_the_shorter_way(visit):
    ref, browser = make.idea(), visit(make.resident(), ours=True)
    for path in (f"/ideas/{ref}/vote/by-email", f"/ideas/{ref}/comments/by-email"):
        assert browser.get(path).location.startswith(f"/ideas/{ref}#")
        assert browser.post(path, headers=OURS).status_code == 303
    assert browser.post("/ideas/by-email", headers=OURS).location == "/ideas/new"
    assert [idea.ref for idea in rows(Idea)] == [ref]


@rule
def test_the_code_signs_in_the_browser_that_asked(visit, mails):
    ref, browser = make.idea(), visit()
    ask_to_vote(browser, ref)
    [mail] = mails()
    wrong = "000000" if mail.code != "000000" else "111111"
    page = browser.get("/sign-in/sent").text
    refused = press(browser, "/sign-in/code", page, code=wrong)
    assert (refused.status_code, "That is not the code" in refused.text) == (422, True)
    stranger = visit()
    assert press(stranger, "/sign-in/code", stranger.get("/sign-in").text, code=mail.code).location == "/sign-in"
    answer = press(browser, "/sign-in/code", page, code=f"{mail.code[:3]} {mail.code[3:]}")
    assert (answer.status_code, answer.location) == (303, f"/ideas/{ref}#vote")
    assert votes(ref) == 1
    assert browser.get("/me").status_code == 200


@rule
def test_who_signs_in_by_mail_comes_back_to_the_page_they_came_from_and_to_no_other_site(visit, mails):
    for wanted, landing in (("/board", "/board"), ("https://elsewhere.example/", "/ideas"), ("//elsewhere.example", "/ideas")):
        browser = visit()
        press(browser, "/sign-in/email", browser.get("/sign-in").text, email="ann@example.org", next=wanted)
        assert press(browser, mails()[-1].link).location == landing


@rule
def test_a_page_whose_address_is_too_long_is_not_kept_to_come_back_to(visit, mails):
    browser = visit()
    press(browser, "/sign-in/email", browser.get("/sign-in").text, email="ann@example.org", next="/ideas?q=" + "x" * 100_000)
    assert rows(MailLink)[0].act == {"then": ""}
    assert press(browser, mails()[-1].link).location == "/ideas"


@rule
def test_who_is_suspended_is_told_so_by_their_link_and_nothing_of_theirs_is_done(visit, mails):
    ref, browser, bob = make.idea(), visit(), make.resident("Bob")
    ask_to_vote(browser, ref, make.address(bob))
    suspend(make.admin(), bob.ref, reason="Two accounts")
    answer = press(browser, mails()[-1].link)
    assert answer.status_code == 409
    assert "This account is suspended." in answer.text
    assert votes(ref) == 0
    assert browser.get("/me").status_code == 401


@rule
def test_a_link_that_came_too_late_can_be_sent_anew(visit, mails, clock):
    ref, browser = make.idea(), visit()
    ask_to_vote(browser, ref)
    [late] = mails()
    clock.goes_on(minutes=11)
    page = browser.get(late.link)
    assert (page.status_code, "What you wrote still waits" in page.text) == (410, True)
    assert press(browser, f"{late.link}/again", page.text).status_code == 200
    newer = mails()[-1]
    assert press(browser, newer.link).status_code == 303
    assert votes(ref) == 1


@rule
def test_a_vote_that_can_no_longer_be_counted_is_said_to_be_so(visit, mails):
    ref, browser = make.idea(), visit()
    ask_to_vote(browser, ref)
    make.moved(ref, "declined")
    answer = press(browser, mails()[-1].link)
    assert answer.status_code == 409
    assert "So your vote was not counted." in answer.text
    assert f'href="/ideas/{ref}">Read the idea' in answer.text


# What a stranger can learn


@rule
def test_the_answer_is_the_same_word_for_word_whether_an_address_is_known_or_not(visit, mails):
    ref, ann = make.idea(), make.resident()
    cast_vote(ann, ref)
    known, unknown = make.address(ann), "q1@example.org"

    def answers(email):
        browser = visit()
        found = []
        for path in (f"/ideas/{ref}/vote/by-email", f"/ideas/{ref}/comments/by-email", "/ideas/by-email"):
            form = {"email": email, "name": "Ann", "body": "Yes.", **TEXTS}
            found.append(browser.post(path, data=form, headers=OURS))
            found.append(browser.get("/sign-in/sent"))
        found.append(press(browser, "/sign-in/email", browser.get("/sign-in").text, email=email))
        found.append(browser.get("/sign-in/sent"))
        return [(answer.status_code, answer.location, sorted(answer.headers.keys()), plain(answer.text)) for answer in found]

    def plain(text):
        without = re.sub(r'(content|value)="[^"]*"', "", text)
        return re.sub(r"(p|q)\d+@example\.org", "ADDRESS", without)

    first = answers(known)
    assert first == answers(unknown)
    for _ in range(3):  # and after more than an hour's worth of links
        assert first == answers(known)


@pytest.mark.sqlite_only
def test_five_hundred_votes_do_not_tell_by_their_time_whether_an_address_is_known(hub, server):
    assert_untold_by_time(server(), f"/ideas/{make.idea()}/vote/by-email")


@pytest.mark.postgresql_only
def test_five_hundred_tries_to_sign_in_do_not_tell_by_their_time_whether_an_address_is_known(hub, server):
    assert_untold_by_time(server(), "/sign-in/email")


def assert_untold_by_time(at: Server, path: str) -> None:
    known = [make.address(make.resident()) for _ in range(100)]
    with requests.Session() as stranger:
        form = {"csrf_token": TOKEN.search(stranger.get(f"{at.url}/sign-in").text)[1]}
        times = {True: [], False: []}
        tries = [True, False] * 260
        random.Random(6).shuffle(tries)  # noqa: S311
        for number, is_known in enumerate(tries):
            email = random.choice(known) if is_known else f"stranger{number % 100}@example.org"  # noqa: S311
            begun = time.perf_counter()
            answer = stranger.post(f"{at.url}{path}", form | {"email": email}, headers={"Origin": at.url}, allow_redirects=False)
            times[is_known].append(time.perf_counter() - begun)
            assert answer.status_code == 303
    apart = told_apart(times[True][10:], times[False][10:])
    assert apart < 4, f"{apart:.1f} standard errors"


@rule
def test_the_measure_finds_what_a_look_up_more_would_cost():
    """Some 0.15 milliseconds, in answers of three with a long tail."""
    dice = random.Random(1)  # noqa: S311

    def answer():
        return 3 + dice.expovariate(2) + (40 if dice.random() < 0.02 else 0)

    one, other = [answer() for _ in range(500)], [answer() for _ in range(500)]
    assert told_apart(one, other) < 4
    assert told_apart(one, [time + 0.15 for time in other]) > 4


# One's own account


@rule
def test_a_resident_changes_their_name_and_leaves(visit):
    ann = make.resident("Ann Lee")
    ref, browser, elsewhere = make.idea(ann), visit(ann), visit(ann)
    assert "/me/name" in browser.get("/me").text
    assert press(browser, "/me/name", name=" ").status_code == 422
    assert press(browser, "/me/name", name="Ann of the hill").location == "/me"
    assert "Ann of the hill" in visit().get(f"/ideas/{ref}").text
    assert press(browser, "/me/leave").location == "/me/left"
    assert browser.get("/me/left").status_code == 200
    assert [who.get("/me").status_code for who in (browser, elsewhere)] == [401, 401]
    page = visit().get(f"/ideas/{ref}").text
    assert "Ann of the hill" not in page
    assert "Somebody who left" in page
    staff = visit(make.staff())
    assert "Your account is the council" in staff.get("/me/leave").text
    assert "/me/leave" not in staff.get("/me").text


@rule
def test_staff_come_by_mail_only_where_the_council_has_no_sign_in_of_its_own(visit, mails, monkeypatch):
    bob = make.staff("Bob")
    for may_they, status in ((True, 303), (False, 403)):
        monkeypatch.setattr("web.sign_in.by_link.staff_may", lambda may_they=may_they: may_they)
        browser = visit()
        press(browser, "/sign-in/email", browser.get("/sign-in").text, email=make.address(bob))
        assert press(browser, mails()[-1].link).status_code == status
        assert browser.get("/me").status_code == (200 if may_they else 401)


@rule
def test_one_network_is_sent_so_many_mails_in_a_minute_and_another_is_not_shut_out(hub, database_url, monkeypatch):
    app = create_app(from_environment(environment(database_url, RATE_LIMITS="on")))
    ref = make.idea()

    def asked(number, network):
        form = {"email": f"a{number}@example.org"}
        there = {"REMOTE_ADDR": network}
        return app.test_client().post(f"/ideas/{ref}/vote/by-email", data=form, headers=OURS, environ_base=there)

    moment = time.time() // 60 * 60 + 5
    monkeypatch.setattr(time, "time", lambda: moment)  # all in one minute
    assert {asked(number, "192.0.2.1").status_code for number in range(60)} == {303}
    refused = asked(60, "192.0.2.1")
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 0
    assert asked(61, "192.0.2.2").status_code == 303
    assert app.test_client().get(f"/ideas/{ref}", environ_base={"REMOTE_ADDR": "192.0.2.1"}).status_code == 200
