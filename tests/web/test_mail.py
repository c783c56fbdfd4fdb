"""Mail through a real mail server, which goes, comes back, refuses, and speaks TLS or not."""

import os
import smtplib
import ssl
import time
from email.message import EmailMessage

import pytest
from aiosmtpd.smtp import AuthResult

from ideas_hub.links import KEPT, ask_for_link
from ideas_hub.outbox import Mail, unsent_mails
from ideas_hub.pending import confirm, vote_later
from ideas_hub.settings import change_settings
from tests import make
from tests.support.certificate import certificate
from tests.support.hub import environment
from tests.support.postbox import Postbox, postbox
from tests.support.witness import rows
from web import create_app
from web.config import from_environment
from web.mail import MailServer
from web.sign_in.by_link import key

pytestmark = pytest.mark.sqlite_only


@pytest.fixture
def box():
    with postbox() as server:
        yield server


@pytest.fixture
def sending(hub, database_url, box):
    """A hub that sends to that mail server."""
    settings = {"MAIL_URL": box.url, "BASE_URL": "https://ideas.example.gov.uk", "RATE_LIMITS": "on"}
    return create_app(from_environment(environment(database_url, **settings)))


def send(app):
    """Send what is due, as often as there is something."""
    done = 0
    while batch := app.extensions["postman"].send_due():
        done += batch
    return done


def ask(app, email="ann@example.org"):
    with app.app_context():
        return ask_for_link(email, key=key())


def test_a_mail_says_who_we_are_and_what_to_do_in_words_and_in_html(sending, box):
    change_settings(council="Calder Vale Council")
    ref = make.idea(title="Benches & <buses>")
    with sending.app_context():
        vote_later("Ann@Example.org", ref, key=key())
    assert send(sending) == 1
    [post] = box.posts
    assert (post.to, post.subject) == ("ann@example.org", "Confirm your vote")
    assert post.message["From"] == '"Ideas Hub, Calder Vale Council" <ideas-hub@ideas.example.gov.uk>'
    assert post.id.endswith("@ideas.example.gov.uk>")
    assert post.message["Auto-Submitted"] == "auto-generated"
    assert "“Benches & <buses>”" in post.text
    assert "“Benches &amp; &lt;buses&gt;”" in post.html
    assert f"https://ideas.example.gov.uk{post.link}" in post.text
    assert post.code in post.html.replace(" ", "")
    assert confirm(post.link.rpartition("/")[2], key=str(sending.secret_key)).made == ref


def test_a_mail_server_that_is_down_for_an_hour_loses_nothing(sending, box, clock, caplog):
    box.stop()
    for number in range(12):
        ask(sending, f"a{number}@example.org")
    for _ in range(720):
        assert send(sending) == 0
        clock.goes_on(seconds=5)
    assert len(unsent_mails()) == 12
    assert all("refused" in mail.error for mail in unsent_mails())
    box.start()
    for _ in range(180):
        send(sending)
        clock.goes_on(seconds=5)
    assert sorted(post.to for post in box.posts) == sorted(f"a{number}@example.org" for number in range(12))
    assert unsent_mails() == []
    said = [record.getMessage() for record in caplog.records if record.name == "web.mail"]
    assert [line.partition(":")[0] for line in said] == ["mail cannot be sent, and waits", "mail is sent again"]


def test_a_link_that_had_to_wait_for_the_mail_server_has_its_ten_minutes(sending, box, clock):
    ref = make.idea()
    box.stop()
    with sending.app_context():
        vote_later("ann@example.org", ref, key=key())
    send(sending)
    clock.goes_on(hours=1)
    box.start()
    send(sending)
    clock.goes_on(minutes=9)
    assert confirm(box.posts[0].link.rpartition("/")[2], key=str(sending.secret_key)).made == ref


def test_what_the_server_puts_off_is_sent_later_under_the_same_name(sending, box, clock, monkeypatch):
    ask(sending)
    box.answers = ["451 later", "451 later"]
    ids = []
    write = sending.extensions["postman"].write
    monkeypatch.setattr(sending.extensions["postman"], "write", lambda letter: ids.append(write(letter)) or ids[-1])
    for _ in range(4):
        send(sending)
        clock.goes_on(minutes=1)
    assert len(box.posts) == 1
    assert [message["Message-ID"] for message in ids] == [box.posts[0].id] * 3


def test_an_address_that_does_not_exist_is_given_up_at_once_and_the_others_get_their_mail(sending, box, clock, caplog):
    for email in ("ann@example.org", "nobody@example.org", "bob@example.org"):
        ask(sending, email)
    send(sending)
    assert sorted(post.to for post in box.posts) == ["ann@example.org", "bob@example.org"]
    [mail] = unsent_mails()
    assert (mail.due_at, "550" in mail.error) == (None, True)
    assert "given up after 1 attempts: 550 nobody here" in caplog.text
    assert "nobody@example.org" not in caplog.text


def test_a_mail_that_cannot_be_written_keeps_no_other_back(sending, box, caplog):
    ask(sending, "ann@example.org")
    ask(sending, "bob@example.org")
    broken = rows(Mail)[0].ref
    write = sending.extensions["postman"].write
    sending.extensions["postman"].write = lambda letter: write(letter) if letter.ref != broken else 1 / 0
    send(sending)
    assert [post.to for post in box.posts] == ["bob@example.org"]
    assert [mail.error for mail in unsent_mails()] == ["ZeroDivisionError: division by zero"]


def test_a_mail_server_that_forgets_us_in_the_middle_of_a_batch_gets_the_rest_later_and_nothing_twice(sending, box, clock):
    for number in range(5):
        ask(sending, f"a{number}@example.org")
    box.answers = ["421 closing"]
    send(sending)
    for _ in range(8):
        clock.goes_on(minutes=1)
        send(sending)
    assert sorted(post.to for post in box.posts) == [f"a{number}@example.org" for number in range(5)]


@pytest.mark.parametrize("answer", ["421 go away", "close"])
def test_a_mail_over_which_the_mail_server_leaves_keeps_no_other_back(sending, box, clock, answer):
    async def leave(server, session, envelope, address, options):
        if address.startswith("ann@"):
            if answer == "close":
                server.transport.close()
            return answer
        envelope.rcpt_tos.append(address)
        return "250 ok"

    box.handle_RCPT = leave
    for email in ("ann@example.org", "bob@example.org", "cat@example.org"):
        ask(sending, email)
    send(sending)
    clock.goes_on(seconds=5)
    send(sending)
    assert sorted(post.to for post in box.posts) == ["bob@example.org", "cat@example.org"]
    [mail] = unsent_mails()
    assert (mail.tries, mail.due_at is None) == (1, False)


# TLS


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("certificate"), "127.0.0.2")


@pytest.fixture
def context(own):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(own)
    return context


def message():
    found = EmailMessage()
    found["To"], found["From"], found["Subject"], found["Message-ID"] = "ann@example.org", "hub@example.org", "Hello", "<1@hub>"
    found.set_content("Words.")
    found.add_alternative("<p>Words.</p>", subtype="html")
    return found


def hand_over(url):
    with MailServer(url).open() as taken:
        taken(message())


def only_with_the_password(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == (b"hub@council", b"p@ss/word"), handled=False)


SIGNED = {"authenticator": only_with_the_password, "auth_require_tls": False}


def test_mail_goes_over_tls_where_the_server_offers_it_and_its_certificate_is_checked(own, context, monkeypatch):
    with postbox(hostname="127.0.0.2", tls_context=context, require_starttls=True) as box:
        with pytest.raises(ssl.SSLCertVerificationError):
            hand_over(box.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(own))
        hand_over(box.url)
        hand_over(f"{box.url}?tls=always")
        assert len(box.posts) == 2
        with pytest.raises(smtplib.SMTPException):
            hand_over(f"{box.url}?tls=never")


def test_mail_goes_over_tls_from_the_first_byte(own, context, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(own))
    with postbox(hostname="127.0.0.2", ssl_context=context) as box:
        hand_over(box.url.replace("smtp://", "smtps://"))
        assert len(box.posts) == 1


def test_a_password_is_told_over_tls_only_unless_the_server_is_this_machine(own, context, monkeypatch):
    with postbox(hostname="127.0.0.2", **SIGNED) as box, pytest.raises(smtplib.SMTPNotSupportedError):
        hand_over(box.url.replace("smtp://", "smtp://hub%40council:p%40ss%2Fword@"))
    with postbox(hostname="127.0.0.2") as box, pytest.raises(smtplib.SMTPNotSupportedError):
        hand_over(f"{box.url}?tls=always")
    with postbox(**SIGNED) as box:
        hand_over(box.url.replace("smtp://", "smtp://hub%40council:p%40ss%2Fword@"))
        with pytest.raises(smtplib.SMTPAuthenticationError):
            hand_over(box.url.replace("smtp://", "smtp://hub%40council:wrong@"))
        assert len(box.posts) == 1
    monkeypatch.setenv("SSL_CERT_FILE", str(own))
    with postbox(hostname="127.0.0.2", tls_context=context, **SIGNED) as box:
        hand_over(box.url.replace("smtp://", "smtp://hub%40council:p%40ss%2Fword@"))
        assert len(box.posts) == 1


def test_without_a_mail_server_mails_are_files_that_only_we_can_read_and_only_a_demo_shows_them(
    hub, database_url, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    apps = [create_app(from_environment(environment(database_url, **demo))) for demo in ({"DEMO": 1}, {})]
    apps.append(create_app(from_environment(environment(database_url, DEMO=1, MAIL_URL=Postbox().url))))
    ask(apps[0])
    assert send(apps[0]) == 1
    folder = tmp_path / "var" / "outbox"
    assert folder.stat().st_mode & 0o77 == 0
    assert [file.suffix for file in folder.iterdir()] == [".eml"]
    shown, *hidden = [app.test_client().get("/outbox") for app in apps]
    assert "ann@example.org" in shown.text
    assert 'href="http://127.0.0.1:8000/sign-in/link/' in shown.text
    assert [answer.status_code for answer in hidden] == [404, 404]


def test_mails_that_are_files_are_gone_after_three_days(hub, database_url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    app = create_app(from_environment(environment(database_url)))
    ask(app, "ann@example.org")
    ask(app, "bob@example.org")
    assert send(app) == 2
    old, new = sorted((tmp_path / "var" / "outbox").iterdir())
    days_ago = time.time() - KEPT.total_seconds() - 60
    os.utime(old, (days_ago, days_ago))
    app.extensions["postman"].way.tidy()
    assert list((tmp_path / "var" / "outbox").iterdir()) == [new]
