"""Ideas: their list, the page of each, posting and changing them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import Any

from flask import Blueprint, Flask, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import format_decimal

from events.catalogue import BOARD, IDEAS, View
from ideas_hub.audiences import change_idea
from ideas_hub.cards import IdeaCard
from ideas_hub.comments import CommentKind, Place, Threads, threads
from ideas_hub.differences import Piece, changed
from ideas_hub.errors import Invalid, RuleBroken, _
from ideas_hub.finding import passage, shelf, similar_ideas
from ideas_hub.ideas import Stage, post_idea, withdraw_idea
from ideas_hub.lists import MOST_READ, Owed
from ideas_hub.live import story
from ideas_hub.permissions import may, require
from ideas_hub.search import MOST_FOUND, Said, words_of
from ideas_hub.settings import themes
from ideas_hub.whole import RevisionCard, idea_page, possible_sponsors, revisions, two_revisions, whole_idea
from web import drafts
from web.forms import Form, done, filled, sent, wants_json
from web.listing import OWED_LABELS, listing
from web.pages import stream, watched
from web.paging import decode_cursor, encode_cursor
from web.session import actor, somebody

PIECE = 20  # ideas of a list
REVISIONS = 5  # on a page: two texts may differ in every word, and comparing them takes its time
TEXTS = ("title", "problem", "proposal", "gain", "cost_of_inaction", "place")

blueprint = Blueprint("ideas", __name__)


def init_app(app: Flask) -> None:
    app.register_blueprint(blueprint)


# The list


SAID_LABELS = {
    Said.COMMENT: _("In a comment"),
    Said.ANSWER: _("In an answer"),
    Said.REASON: _("In the reason for a decision"),
    Said.TRIAL: _("In the plan of a trial"),
    Said.LESSON: _("In what was learned"),
}
WITHOUT_LABELS = {  # what one who finds nothing could leave out
    "stages": _("in any stage"),
    "themes": _("about any theme"),
    "answers": _("with or without an answer"),
    "places": _("anywhere"),
    "audience": _("open to anybody"),
    "question": _("whatever their words"),
}


@blueprint.get("/ideas")
def index() -> ResponseReturnValue:
    head, all_themes = stream().head(), themes()
    names = {theme.slug: theme.name for theme in all_themes}
    asked = listing(request.args, frozenset(names))
    cursor = request.args.get("cursor")
    found = shelf(actor(), asked.wanted, after=decode_cursor(asked.scope, cursor) if cursor else None, limit=PIECE)
    return render_template(
        "ideas/page.html",
        asked=asked,
        shelf=found,
        chips=asked.chips(names),
        words=words_of(asked.q),
        cards=found.page.items,
        next=encode_cursor(asked.scope, *found.page.next) if found.page.next else None,
        is_first=not cursor,
        counts=found.counts,
        themes=all_themes,
        many=many,
        MOST_FOUND=MOST_FOUND,
        OWED_LABELS=OWED_LABELS,
        SAID_LABELS=SAID_LABELS,
        WITHOUT_LABELS=WITHOUT_LABELS,
        Owed=Owed,
        watched=watched(head, IDEAS, BOARD, ideas=(card.ref for card in found.page.items)),
    )


def many(number: int, *, is_all: bool = True) -> str:
    """A count as people read it. Where it is not of all of them, there are so many at the least."""
    number = min(number, MOST_READ)
    return str(format_decimal(number)) if is_all else f"{format_decimal(number)}+"


@blueprint.get("/ideas/<ref:ref>/card")
def card(ref: str) -> ResponseReturnValue:
    """An idea as it stands in lists; in one of those that were found by words, with these words marked."""
    level, q = request.args.get("level"), request.args.get("q", "")
    return render_template(
        "ideas/_card.html",
        idea=whole_idea(actor(), ref).card,
        level=level if level == "3" else None,
        passage=passage(actor(), ref, q) if words_of(q) else None,
        asked_for=q,
        SAID_LABELS=SAID_LABELS,
    )


# Posting


@blueprint.get("/ideas/new")
def new() -> ResponseReturnValue:
    form = drafts.kept(filled("post", {"title": request.args.get("title", ""), "audience": "public"}), "post")
    if not form.value("title"):
        form.values.setlist("title", [request.args.get("title", "")])
    return posting(form)


@blueprint.post("/ideas")
def post() -> ResponseReturnValue:
    form = sent("post")
    if form.value("look"):  # without JavaScript: what sounds alike, before anything is posted
        return posting(drafts.typed(form, "post"))
    if form.value("keep"):
        return drafts.keep(form, "post")
    try:
        words: dict[str, Any] = dict(form.typed(*TEXTS))
        audience = form.audience() or View.PUBLIC
        ref = post_idea(actor(), audience=audience, themes=form.chosen("theme"), draft="post", **words)
    except Invalid as refusal:
        if wants_json():
            raise
        return posting(drafts.typed(form, "post").refused(in_this_form(refusal))), 422
    return done(f"/ideas/{ref}")


@blueprint.get("/ideas/similar")
def similar() -> ResponseReturnValue:
    """The part of the form to post that shows which ideas sound alike."""
    text = request.args.get("text", "")
    return render_template("ideas/_similar.html", similar=similar_ideas(actor(), text), text=text)


def posting(form: Form) -> str:
    """The form to post an idea."""
    text = form.value("title")
    return render_template("ideas/new.html", form=form, themes=themes(), similar=similar_ideas(actor(), text), text=text)


def in_this_form(refusal: Invalid) -> Invalid:
    """Its themes are ticked by `theme`, while commands speak of `themes`."""
    return Invalid({{"themes": "theme"}.get(name, name): said for name, said in refusal.errors.items()})


# One idea


@blueprint.get("/ideas/<ref:ref>")
def page(ref: str) -> ResponseReturnValue:
    return _page(ref, None)


@blueprint.get("/ideas/<ref:ref>/<any(head, course, side, words, outcome, acts, say, timeline):part>")
def part(ref: str, part: str) -> ResponseReturnValue:
    """A part of an idea's page, as the page holds it."""
    shown = idea_page(actor(), ref)
    card, more = shown.idea.card, {}
    if part == "acts":
        more = _for_acts(card)
    if part == "timeline":
        more = {"story": story(stream(), actor(), ref)}
    template = "comments/_form.html" if part == "say" else f"ideas/_{part}.html"
    return render_template(template, page=shown, idea=card, refused=None, **more)


@blueprint.get("/ideas/<ref:ref>/<any(moves, answers, sponsor, audience, hide, restore, withdraw):form>")
def form_address(ref: str, form: str) -> ResponseReturnValue:
    """Where a form is sent to is no page: who opens it again, after it was refused, finds the idea."""
    return redirect(f"/ideas/{ref}", 303)


@dataclass(frozen=True, slots=True)
class Discussion:
    """A piece of an idea's comments as its page shows it: of one kind, where one was chosen, at one place of them."""

    found: Threads
    kind: CommentKind | None
    place: Place

    @property
    def total(self) -> int:
        return sum(self.found.kinds.values())

    def query(self) -> dict[str, str]:
        """What asks for this piece again."""
        asked = {"kind": self.kind, **asdict(self.place)}
        return {name: str(value) for name, value in asked.items() if value}

    def onward(self, **place: str) -> dict[str, str]:
        """What asks for another piece of the same."""
        alone = {"thread": self.found.threads[0].comment.ref} if self.found.is_alone else {}
        return ({"kind": str(self.kind)} if self.kind else {}) | alone | place


def discussion(ref: str) -> Discussion:
    """The comments that this request asks for; those around one whose form is shown again. Raises Missing and Invalid."""
    asked = request.args
    beside = request.form.get("parent") or (request.view_args or {}).get("comment")
    place = Place(asked.get("before"), asked.get("after"), asked.get("comment") or beside, asked.get("thread"))
    kind = Form("", asked).word("kind", CommentKind)
    return Discussion(threads(actor(), ref, kind=kind, place=place), kind, place)


def idea_again(ref: str, form: Form, refusal: Invalid) -> ResponseReturnValue:
    """The idea's page with one of its forms as it was sent, and what is wrong in it."""
    if wants_json():
        raise refusal
    return _page(ref, form.refused(refusal)), 422


def _page(ref: str, refused: Form | None) -> str:
    shown = idea_page(actor(), ref)
    return render_template(
        "ideas/idea.html",
        page=shown,
        idea=shown.idea.card,
        discussion=discussion(ref),
        story=story(stream(), actor(), ref),
        refused=refused,
        watched=watched(shown.cursor, ideas=[ref]),
        **_for_acts(shown.idea.card),
    )


def _for_acts(card: IdeaCard) -> dict[str, Any]:
    """Whom a leader could name sponsor, and into what a moderator could merge."""
    alike = similar_ideas(actor(), card.title) if may(actor(), "merge", card) else []
    return {
        "sponsors": possible_sponsors(actor(), card.ref) if may(actor(), "name_sponsor", card) else [],
        "alike": [like.idea for like in alike if like.idea.ref != card.ref],
    }


# Changing


@blueprint.get("/ideas/<ref:ref>/edit")
def edit(ref: str) -> ResponseReturnValue:
    whole = whole_idea(somebody(), ref)
    card = whole.card
    require(actor(), "revise", card)
    if card.stage is not Stage.NEW:
        raise RuleBroken(_("This idea has moved on, so its words stay as they are."))
    words = {name: str(getattr(whole, name, None) or getattr(card, name, "")) for name in TEXTS}
    form = filled("edit", words | {"revision": str(card.revision)}, theme=[theme.slug for theme in card.themes])
    return _editing(card, drafts.kept(form, f"edit-{ref}"))


@blueprint.post("/ideas/<ref:ref>/edit")
def revise(ref: str) -> ResponseReturnValue:
    form = sent("edit")
    if form.value("keep"):
        return drafts.keep(form, f"edit-{ref}")
    try:
        seen = form.value("revision")
        if not seen.isascii() or not seen.isdecimal() or len(seen) > 9:
            raise Invalid.field("revision", _("Open this form again: it does not say which words you changed."))
        change_idea(actor(), ref, texts=form.typed(*TEXTS), themes=form.chosen("theme"), revision=int(seen), draft=f"edit-{ref}")
    except Invalid as refusal:
        if wants_json():
            raise
        return _editing(whole_idea(actor(), ref).card, drafts.typed(form, f"edit-{ref}").refused(in_this_form(refusal))), 422
    return done(f"/ideas/{ref}")


def _editing(card: IdeaCard, form: Form) -> str:
    """The form to edit. A draft may be older than the words that stand: then the page says so, and where to see what changed."""
    seen = form.value("revision")
    older = seen if form.draft and not form.is_refused and seen != str(card.revision) and seen.isdecimal() else None
    if older:
        form.values.setlist("revision", [str(card.revision)])
    return render_template("ideas/edit.html", idea=card, form=form, older=older, themes=themes())


@dataclass(frozen=True, slots=True)
class Compared:
    """A revision beside an earlier one: of its texts those that are not alike, word by word. The first stands alone."""

    before: RevisionCard | None
    revision: RevisionCard
    changes: Mapping[str, tuple[Piece, ...]]


def compared(before: RevisionCard | None, revision: RevisionCard) -> Compared:
    return Compared(before, revision, changed(before.texts, revision.texts) if before else {})


@blueprint.get("/ideas/<ref:ref>/revisions")
def history(ref: str) -> ResponseReturnValue:
    """Each revision beside the one before it; with `from` and `to`, those two."""
    idea, asked = whole_idea(actor(), ref).card, Form("two", request.args)
    one, other, until = asked.number("from"), asked.number("to"), asked.number("until")
    if one is not None and other is not None:
        return render_template(
            "ideas/revisions.html", idea=idea, form=asked, shown=[compared(*two_revisions(actor(), ref, one, other))]
        )
    found = revisions(actor(), ref, until=until, limit=REVISIONS + 1)
    beside = [compared(before, revision) for revision, before in zip_longest(found, found[1:])][:REVISIONS]
    earlier = found[REVISIONS].number if len(found) > REVISIONS else None
    return render_template("ideas/revisions.html", idea=idea, form=asked, shown=beside, earlier=earlier)


@blueprint.post("/ideas/<ref:ref>/short-title")
def shorten(ref: str) -> ResponseReturnValue:
    form = sent("short-title")
    try:
        change_idea(actor(), ref, short_title=form.text("short_title"))
    except Invalid as refusal:
        return idea_again(ref, form, refusal)
    return done(f"/ideas/{ref}")


@blueprint.post("/ideas/<ref:ref>/withdraw")
def withdraw(ref: str) -> ResponseReturnValue:
    withdraw_idea(actor(), ref)
    return done("/me")
