"""The board: the pipeline as it is now."""

from dataclasses import asdict
from typing import Any

import marshmallow as ma
from flask import Response

from ideas_hub.board import board
from ideas_hub.errors import Sentence
from ideas_hub.ideas import Stage
from ideas_hub.stages import STAGE_LABELS
from web.api.asking import Blueprint, NoQuery, words_of
from web.api.ideas import Card, card_json
from web.api.replying import reply, time_json
from web.session import actor
from web.text import translate

blueprint = Blueprint("board")


class Column(ma.Schema):
    stage = ma.fields.String(required=True, validate=ma.validate.OneOf(words_of(Stage)))
    label = ma.fields.String(required=True)
    count = ma.fields.Integer(required=True, metadata={"description": "Of all that the asker may see"})
    cards = ma.fields.List(ma.fields.Nested(Card), required=True)


class Figures(ma.Schema):
    waiting = ma.fields.Integer(required=True, metadata={"description": "Ideas that wait for an owed answer"})
    late = ma.fields.Integer(required=True, metadata={"description": "Of these, past their day"})
    on_time = ma.fields.Float(
        required=True, allow_none=True, metadata={"description": "The share of the answers of 90 days that came in time"}
    )
    trials = ma.fields.Integer(required=True, metadata={"description": "Running"})
    trials_ended = ma.fields.Integer(required=True, metadata={"description": "Of these, past their end"})


class Board(ma.Schema):
    at = ma.fields.AwareDateTime(required=True)
    columns = ma.fields.List(ma.fields.Nested(Column), required=True)
    figures = ma.fields.Nested(Figures, required=True)


@blueprint.get("/board")
@blueprint.gives(200, Board)
@blueprint.arguments(NoQuery, location="query")
def now(query: dict[str, Any]) -> Response:
    """The board as the asker may see it: in each stage the late ones first, then by votes, at most 50."""
    shown = board(actor())
    columns = [
        {
            "stage": column.stage.value,
            "label": translate(Sentence(STAGE_LABELS[column.stage])),
            "count": column.count,
            "cards": [card_json(card) for card in column.cards],
        }
        for column in shown.columns
    ]
    return reply({"at": time_json(shown.at), "columns": columns, "figures": asdict(shown.figures)}, passing=["at"])
