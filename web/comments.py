"""Comments under an idea: the part that shows them, posting, taking back, hiding and restoring."""

from flask import Blueprint, Flask, redirect, render_template, request
from flask.typing import ResponseReturnValue

from ideas_hub.audiences import hide_comment, restore_comment
from ideas_hub.comments import CommentKind, post_comment, withdraw_comment
from ideas_hub.errors import Invalid
from ideas_hub.whole import whole_idea
from web import drafts
from web.forms import done, is_visited, sent
from web.ideas import discussion, idea_again
from web.session import actor

blueprint = Blueprint("comments", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.get("/ideas/<ref:ref>/comments")
def part(ref: str) -> ResponseReturnValue:
    if is_visited():
        return redirect(f"/ideas/{ref}#comments", 303)
    idea = whole_idea(actor(), ref).card
    return render_template("comments/_list.html", idea=idea, discussion=discussion(ref), refused=None)


@blueprint.post("/ideas/<ref:ref>/comments")
def post(ref: str) -> ResponseReturnValue:
    parent = request.form.get("parent") or None
    form, draft = sent(f"reply-{parent}" if parent else "comment"), f"reply-{ref}-{parent}" if parent else f"comment-{ref}"
    if form.value("keep"):
        return drafts.keep(form, draft)
    try:
        comment = post_comment(
            actor(),
            ref,
            body=form.value("body"),
            kind=form.word("kind", CommentKind) or CommentKind.BUILD,
            parent=form.text("parent") or None,
            audience=form.audience(),
            draft=draft,
        )
    except Invalid as refusal:
        return idea_again(ref, drafts.typed(form, draft), refusal)
    return done(f"/ideas/{ref}?comment={comment}#comment-{comment}")


@blueprint.post("/ideas/<ref:ref>/comments/<ref:comment>/withdraw")
def withdraw(ref: str, comment: str) -> ResponseReturnValue:
    withdraw_comment(actor(), ref, comment)
    return done(f"/ideas/{ref}?comment={comment}#comment-{comment}")


@blueprint.post("/ideas/<ref:ref>/comments/<ref:comment>/hide")
def hide(ref: str, comment: str) -> ResponseReturnValue:
    form = sent(f"hide-{comment}")
    try:
        hide_comment(actor(), ref, comment, reason=form.text("reason"))
    except Invalid as refusal:
        return idea_again(ref, form, refusal)
    return done(f"/ideas/{ref}?comment={comment}#comment-{comment}")


@blueprint.post("/ideas/<ref:ref>/comments/<ref:comment>/restore")
def restore(ref: str, comment: str) -> ResponseReturnValue:
    restore_comment(actor(), ref, comment)
    return done(f"/ideas/{ref}?comment={comment}#comment-{comment}")
