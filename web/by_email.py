"""Write first, prove later: a vote, a comment or an idea of somebody without an account, which waits for the link in their mail.

These forms stand in pages that are the same for everybody, so they carry no token: the browser says that they are ours.
"""

from typing import Any

from flask import Blueprint, Flask, redirect, render_template
from flask.typing import ResponseReturnValue

from ideas_hub.comments import CommentKind
from ideas_hub.errors import Invalid
from ideas_hub.pending import comment_later, post_later, vote_later
from ideas_hub.people import NOBODY
from ideas_hub.whole import whole_idea
from web import session
from web.forms import Form, sent, wants_json
from web.ideas import TEXTS, in_this_form, posting
from web.session import actor
from web.sign_in.by_link import key, on_its_way

blueprint = Blueprint("by_email", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.route("/ideas/<ref:ref>/vote/by-email", methods=["GET", "POST"])
def vote(ref: str) -> ResponseReturnValue:
    if actor().is_somebody:  # signed in meanwhile: there is a shorter way
        return redirect(f"/ideas/{ref}#vote", 303)
    form = Form("vote") if session.is_safe() else sent("vote")
    if not session.is_safe():
        try:
            return on_its_way(vote_later(form.text("email"), ref, key=key()))
        except Invalid as refusal:
            form = _refused(form, refusal)
    idea = whole_idea(NOBODY, ref).card
    return render_template("votes/by_email.html", idea=idea, form=form), 422 if form.is_refused else 200


@blueprint.route("/ideas/<ref:ref>/comments/by-email", methods=["GET", "POST"])
def comment(ref: str) -> ResponseReturnValue:
    if actor().is_somebody:
        return redirect(f"/ideas/{ref}#say", 303)
    form = Form("comment") if session.is_safe() else sent("comment")
    if not session.is_safe():
        try:
            kind = form.word("kind", CommentKind) or CommentKind.BUILD
            typed = form.typed("email", "name", "body")
            return on_its_way(comment_later(ref=ref, key=key(), kind=kind, **typed))
        except Invalid as refusal:
            form = _refused(form, refusal)
    idea = whole_idea(NOBODY, ref).card
    return render_template("comments/by_email.html", idea=idea, form=form), 422 if form.is_refused else 200


@blueprint.post("/ideas/by-email")
def idea() -> ResponseReturnValue:
    if actor().is_somebody:
        return redirect("/ideas/new", 303)
    form = sent("post")
    if not form.value("look"):
        try:
            words: dict[str, Any] = dict(form.typed(*TEXTS, "email", "name"))
            return on_its_way(post_later(key=key(), themes=form.chosen("theme"), **words))
        except Invalid as refusal:
            form = _refused(form, in_this_form(refusal))
    return posting(form), 422 if form.is_refused else 200


def _refused(form: Form, refusal: Invalid) -> Form:
    if wants_json():
        raise refusal
    return form.refused(refusal)
