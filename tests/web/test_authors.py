"""The pages and addresses for writing an idea together."""

import pytest

from ideas_hub.authors import invitations_to, invite_author
from ideas_hub.people import NOBODY
from ideas_hub.whole import whole_idea
from tests import make

pytestmark = pytest.mark.sqlite_only


def test_an_author_invites_by_page_and_who_is_invited_accepts_on_their_own(app, visit):
    ann, bob = make.staff("Ann"), make.staff("Carys Jones")
    ref = make.idea(ann, title="Benches")
    browser = visit(ann, ours=True)
    assert f'href="/ideas/{ref}/authors"' in browser.get(f"/ideas/{ref}").text
    found = browser.get(f"/ideas/{ref}/authors?name=carys").text
    assert f'value="{bob.ref}"' in found
    for form in ({"person": bob.ref}, {"email": "nobody@example.org"}):
        assert browser.post(f"/ideas/{ref}/invitations", data=form).location == f"/ideas/{ref}/authors#invited"
    page = browser.get(f"/ideas/{ref}/authors").text
    assert "nobody@example.org" in page
    refused = browser.post(f"/ideas/{ref}/invitations", data={"email": "nobody"})
    assert refused.status_code == 422
    assert "Write an e-mail address" in refused.text
    other = visit(bob, ours=True)
    mine = other.get("/me").text
    assert "Ann asks you to be an author" in mine
    assert make.address(ann) not in mine
    (invitation,) = invitations_to(bob)
    assert other.post(f"/me/invitations/{invitation.ref}/accept").location == f"/ideas/{ref}"
    page = other.get(f"/ideas/{ref}").text
    assert "Carys Jones joined its authors." in page
    assert "You wrote this idea" in page
    assert other.post(f"/ideas/{ref}/authors/leave").status_code == 303
    assert "Carys Jones is no longer one of its authors." in visit().get(f"/ideas/{ref}").text


def test_nobody_but_its_authors_sees_who_is_invited(app, visit):
    ann, bob = make.resident(), make.resident()
    ref = make.idea(ann)
    invite_author(ann, ref, email="zebra@example.org")
    for who in (bob, make.overseer()):
        assert visit(who).get(f"/ideas/{ref}/authors").status_code == 403
        assert visit(who).get(f"/api/v1/ideas/{ref}/invitations").status_code == 403
        for path in (f"/ideas/{ref}", "/me", f"/api/v1/ideas/{ref}", f"/api/v1/ideas/{ref}/timeline"):
            assert "zebra" not in visit(who).get(path).text


def test_the_api_invites_accepts_declines_and_leaves(app, visit):
    ann, bob = make.resident("Ann"), make.resident("Bob")
    ref = make.idea(ann)
    author, other, here = visit(ann, ours=True), visit(bob, ours=True), f"/api/v1/ideas/{ref}"
    invited = [author.post(f"{here}/invitations", json={"email": email}) for email in (make.address(bob), "x@example.org")]
    assert [answer.status_code for answer in invited] == [201, 201]
    assert set(invited[0].json) == {"id", "idea", "title", "person", "email", "by", "at"}
    assert all(answer.json["person"] is None for answer in invited)
    assert len(author.get(f"{here}/invitations").json["items"]) == 2
    assert author.delete(f"{here}/invitations/{invited[1].json['id']}").status_code == 204
    (mine,) = other.get("/api/v1/me/invitations").json["items"]
    assert (mine["idea"], mine["by"]["name"], mine["email"]) == (ref, "Ann", None)
    accepted = other.put(f"/api/v1/me/invitations/{mine['id']}")
    assert [person["name"] for person in accepted.json["authors"]] == ["Ann", "Bob"]
    assert [person["name"] for person in visit().get(f"{here}/authors").json["items"]] == ["Ann", "Bob"]
    told = visit().get(f"{here}/timeline").json["items"][-1]
    assert (told["type"], told["data"]["co_author"]["name"]) == ("idea.co_author_joined", "Bob")
    assert other.delete(f"{here}/authors/me").status_code == 204
    assert [card.name for card in whole_idea(NOBODY, ref).card.authors] == ["Ann"]
    assert author.delete(f"{here}/authors/me").status_code == 409
    again = author.post(f"{here}/invitations", json={"email": make.address(bob)}).json["id"]
    assert [other.delete(f"/api/v1/me/invitations/{again}").status_code for _ in range(2)] == [204, 204]
    for wrong in ({}, {"email": "x"}, {"person": "nobody"}, {"email": "x@example.org", "role": "admin"}):
        assert author.post(f"{here}/invitations", json=wrong).status_code == 422, wrong
