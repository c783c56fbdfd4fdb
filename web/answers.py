"""The answer to an idea, with or without a move, from its page or from one's own."""

from flask import Blueprint, Flask, request
from flask.typing import ResponseReturnValue

from ideas_hub.errors import Invalid
from ideas_hub.ideas import Stage
from ideas_hub.moves import answer_idea
from web.forms import done, sent
from web.ideas import idea_again
from web.me import me_again
from web.moves import needs_of
from web.session import actor

blueprint = Blueprint("answers", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


@blueprint.post("/ideas/<ref:ref>/answers")
def answer(ref: str) -> ResponseReturnValue:
    form = sent(f"answer-{ref}")
    try:
        to = form.word("to", Stage)
        answer_idea(actor(), ref, text=form.text("text"), to=to, **(needs_of(form, to) if to else {}))
    except Invalid as refusal:
        from_desk = request.form.get("back", "").startswith("/me")
        return me_again(form, refusal) if from_desk else idea_again(ref, form, refusal)
    return done(f"/ideas/{ref}#answer")
