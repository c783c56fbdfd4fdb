"""Drafts in the forms they belong to, and one's own list of them: kept, discarded, had back."""

from collections.abc import Mapping
from dataclasses import replace

from flask import Blueprint, Flask, g
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from ideas_hub import drafts
from ideas_hub.drafts import FIELDS, DraftCard, discard_draft, keep_draft, restore_draft
from web.forms import Form, done, form_of
from web.session import actor

blueprint = Blueprint("drafts", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)
    app.jinja_env.globals.update(form_kept=form_kept, draft_address=address)


# In forms


def kept(form: Form, draft: str) -> Form:
    """A form that is opened, with what was kept of it."""
    card = _own().get(draft)
    if card is None or card.gone_at is not None:
        return replace(form, draft=card)
    values: MultiDict[str, str] = form.values.copy()
    for name, chosen in card.values.items():
        values.setlist(name, list(chosen))
    return replace(form, values=values, draft=card)


def typed(form: Form, draft: str) -> Form:
    """A form that is shown again as it was sent; what is kept of it is what its page knew of."""
    card = _own().get(draft)
    return replace(form, draft=card and replace(card, version=form.number("draft") or 0))


def form_kept(refused: Form | None, id: str, draft: str) -> Form:
    """The form of that id on a page: the one that was refused, or one with what was kept of it."""
    form = form_of(refused, id)
    return form if form.is_refused else kept(form, draft)


def keep(form: Form, draft: str) -> ResponseReturnValue:
    """Without JavaScript: keep what was sent as a draft, and lead back to the form."""
    values = {name: form.chosen(name) for name in FIELDS[draft.partition("-")[0]] if name in form.values}
    keep_draft(actor(), draft, values=values, seen=form.number("draft") or 0)
    return done(address(draft))


def address(draft: str) -> str:
    """Where one goes on with it."""
    match draft.split("-"):
        case ["edit", idea]:
            return f"/ideas/{idea}/edit"
        case ["comment", idea]:
            return f"/ideas/{idea}#say"
        case ["reply", idea, comment]:
            return f"/ideas/{idea}?comment={comment}#comment-{comment}"
    return "/ideas/new"


def _own() -> Mapping[str, DraftCard]:
    """The drafts of who asks, read once for a request; for nobody, none are looked for."""
    if "drafts" not in g:
        g.drafts = drafts.drafts(actor()) if actor().is_somebody else {}
    own: Mapping[str, DraftCard] = g.drafts
    return own


# In one's own list


@blueprint.post("/me/drafts/<draft>/discard")
def discard(draft: str) -> ResponseReturnValue:
    discard_draft(actor(), draft)
    return done(address(draft))


@blueprint.post("/me/drafts/<draft>/restore")
def restore(draft: str) -> ResponseReturnValue:
    restore_draft(actor(), draft)
    return done("/me#drafts")
