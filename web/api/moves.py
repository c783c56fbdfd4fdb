"""Moves: an idea goes to another stage."""

from typing import Any

from flask import Response

from ideas_hub import trials
from ideas_hub.ideas import Stage
from ideas_hub.moves import move_idea
from web.api.asking import ANSWER, REASON, Blueprint, Body, Day, Text, Word, words_of
from web.api.ideas import Idea, idea_reply
from web.session import actor

blueprint = Blueprint("moves")


class Needs(Body):
    """What a stage needs besides a reason: `trial` the first four, `learned` a lesson, `parked` a day, `merged` an idea."""

    hypothesis = Text(size=trials.SIZES["hypothesis"])
    test = Text(size=trials.SIZES["test"])
    measure = Text(size=trials.SIZES["measure"])
    ends = Day()
    lesson = Text(size=ANSWER)
    review_on = Day()
    into = Text()


class Move(Needs):
    to = Word(words_of(Stage), required=True)
    reason = Text(required=True, size=REASON)


@blueprint.post("/ideas/<idea>/moves")
@blueprint.gives(201, Idea)
@blueprint.arguments(Move)
def move(body: dict[str, Any], idea: str) -> Response:
    """Move the idea to another stage, with a reason and what that stage needs."""
    move_idea(actor(), idea, **body)
    return idea_reply(idea, 201)
