"""What the contract says that things look like, and that the document says the same."""

from typing import Any

import marshmallow as ma

PERSON = "id name kind team"
CARD = """id url title short_title audience stage stage_since authors sponsor answer answer_due challenge future place themes lang
    votes votes_residents votes_staff votes_held votes_refused carried_over voted own_vote comments posted_at revised_at
    age_days"""
IDEA = CARD.replace("age_days", "") + " problem proposal gain cost_of_inaction"
COMMENT = "id idea body html kind parent author audience posted_at withdrawn"
ANSWER = "id idea text html by at"
TALLY = "idea votes votes_residents votes_staff voted held"


def fits(data: dict[str, Any], names: str | None, shape: type[ma.Schema]) -> bool:
    """It has those names and no others, and is what the document says."""
    assert names is None or set(data) == set(names.split())
    assert shape().validate(data) == {}
    return True
