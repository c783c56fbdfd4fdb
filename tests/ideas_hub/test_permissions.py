"""Who may what: the matrix of the contract, every cell; and who may see what."""

import pytest
import sqlalchemy as sa

from events.catalogue import View
from ideas_hub.clock import now
from ideas_hub.comments import Comment, comments
from ideas_hub.db import reading, transaction
from ideas_hub.errors import Missing, NotAllowed, SignInNeeded
from ideas_hub.finding import list_ideas
from ideas_hub.ideas import Idea
from ideas_hub.lists import Wanted
from ideas_hub.people import HUB, NOBODY
from ideas_hub.permissions import ACTS, find, may, require, visible_in, visible_to
from ideas_hub.settings import change_settings
from ideas_hub.whole import whole_idea
from tests import make

pytestmark = pytest.mark.sqlite_only

WHO = [
    "nobody",
    "resident",
    "author",
    "staff",
    "staff_author",
    "sponsor",
    "its_sponsor",
    "lead",
    "moderator",
    "safeguarding",
    "leader",
    "admin",
]

# Each line: an act on a public idea, and a mark for each of WHO, in that order. `.` may not, `y` may, `-` is not signed in.
ACTS_ON_AN_IDEA = """
               nob res aut sta s_a spo its lea mod saf lea adm
revise          -   .   y   .   y   .   .   .   .   .   .   .
invite          -   .   y   .   y   .   .   .   .   .   .   .
leave           -   .   y   .   y   .   .   .   .   .   .   .
withdraw        -   .   y   .   y   .   .   .   .   .   .   .
shorten         -   .   y   .   y   .   y   .   .   .   y   y
set_audience    -   .   .   .   .   .   .   .   .   .   y   y
vote            -   y   .   y   .   y   y   y   y   y   y   y
sponsor         -   .   .   .   .   y   y   .   .   .   y   .
name_sponsor    -   .   .   .   .   .   .   .   .   .   y   y
end_sponsor     -   .   .   .   .   .   y   .   .   .   y   y
answer          -   .   .   .   .   .   y   y   .   .   .   .
move            -   .   .   .   .   .   y   .   .   .   y   y
merge           -   .   .   .   .   .   .   .   y   .   .   y
hide            -   .   .   .   .   .   .   .   y   .   .   .
decide_votes    -   .   .   .   .   .   .   .   y   .   .   .
recount         -   .   .   .   .   .   .   .   y   .   .   y
"""

# Each line: an act on the hub itself.
ACTS_ON_THE_HUB = """
               nob res aut sta s_a spo its lea mod saf lea adm
see_people      -   .   .   .   .   .   .   .   .   .   .   y
change_person   -   .   .   .   .   .   .   .   .   .   .   y
suspend         -   .   .   .   .   .   .   .   .   .   .   y
join_people     -   .   .   .   .   .   .   .   .   .   .   y
arrange         -   .   .   .   .   .   .   .   .   .   .   y
set_up          -   .   .   .   .   .   .   .   .   .   .   y
audit           -   .   .   .   .   .   .   .   .   .   .   y
"""

# Each line: an audience for which somebody posts or comments.
WRITING = """
               nob res aut sta s_a spo its lea mod saf lea adm
public          -   y   y   y   y   y   y   y   y   y   y   y
staff           -   .   .   y   y   y   y   y   y   y   y   y
leadership      -   .   .   .   .   .   .   .   .   .   y   y
"""


def cells(table):
    for line in table.strip().splitlines()[1:]:
        name, *marks = line.split()
        assert len(marks) == len(WHO), name
        yield from ((name, who, mark) for who, mark in zip(WHO, marks, strict=True))


@pytest.fixture
def cast(hub):
    """One of each, and the idea that they are asked about: its clock runs while it has a sponsor, so both are named."""
    change_settings(answer_votes={"public": 1, "staff": 1, "leadership": 1})
    plain = ("resident", "staff", "sponsor", "moderator", "safeguarding", "leader", "admin")
    people = {who: getattr(make, who)() for who in plain}
    people |= {"nobody": NOBODY, "author": make.resident(), "staff_author": make.staff(), "lead": make.lead("Streets")}
    people["its_sponsor"] = make.changed(make.sponsor(), "sponsor")
    idea = make.idea(people["author"], co_authors=[people["staff_author"]], sponsor=people["its_sponsor"], votes=1)
    with transaction() as session:  # the clock names the sponsor; for this table it shall name somebody else besides
        found = session.scalars(sa.select(Idea).where(Idea.ref == idea)).one()
        found.answer_by_id = people["lead"].person_id
    return people, idea


def test_every_act_is_answered_for_everybody_as_the_table_says(cast):
    people, idea = cast
    with reading() as session:
        row = find(session, HUB, Idea, idea)
    card = whole_idea(people["staff"], idea).card
    for act, who, mark in cells(ACTS_ON_AN_IDEA):
        for thing in (row, card):  # commands ask about the row, pages about the card
            assert may(people[who], act, thing) is (mark == "y"), (act, who)
        check_required(people[who], act, row, mark)


def test_every_act_on_the_hub_is_answered_as_the_table_says(cast):
    people, _ = cast
    for act, who, mark in cells(ACTS_ON_THE_HUB):
        assert may(people[who], act, None) is (mark == "y"), (act, who)
        check_required(people[who], act, None, mark)


def test_everybody_writes_for_the_audiences_of_the_table(cast):
    people, _ = cast
    for audience, who, mark in cells(WRITING):
        for act in ("post", "comment"):
            assert may(people[who], act, View.named(audience)) is (mark == "y"), (audience, who)
            check_required(people[who], act, View.named(audience), mark)


def check_required(actor, act, thing, mark):
    if mark == "y":
        require(actor, act, thing)
        return
    with pytest.raises(SignInNeeded if mark == "-" else NotAllowed):
        require(actor, act, thing)


def test_the_tables_leave_no_act_out():
    acts = {act for table in (ACTS_ON_AN_IDEA, ACTS_ON_THE_HUB) for act, _, _ in cells(table)}
    assert acts | {"post", "comment"} == set(ACTS)


def test_a_comment_is_withdrawn_by_its_author_and_hidden_by_moderators(cast):
    people, idea = cast
    made = make.comment(idea, people["resident"])
    with reading() as session:
        row = find(session, HUB, Comment, made)
    assert [who for who in WHO if may(people[who], "withdraw", row)] == ["resident"]
    assert [who for who in WHO if may(people[who], "hide", row)] == ["moderator"]


# Seeing. Each line: an idea, who finds it, and in which views the stream may carry it.

SEEING = """
                     nob res aut sta s_a spo its lea mod saf lea adm   pub sta lea
public                y   y   y   y   y   y   y   y   y   y   y   y     y   y   y
staff                 .   .   .   y   y   y   y   y   y   y   y   y     .   y   y
leadership            .   .   .   .   .   .   .   .   .   .   y   y     .   .   y
public_hidden         .   .   .   .   .   .   .   .   y   .   .   .     .   .   .
staff_hidden          .   .   .   .   .   .   .   .   y   .   .   .     .   .   .
leadership_hidden     .   .   .   .   .   .   .   .   .   .   .   .     .   .   .
public_held           .   .   y   .   y   .   .   .   .   .   .   .     .   .   .
staff_held            .   .   .   .   y   .   .   .   .   .   .   .     .   .   .
public_withdrawn      .   .   .   .   .   .   .   .   .   .   .   .     .   .   .
"""


def test_everybody_sees_what_the_table_says_and_nothing_else_exists_for_them(cast):
    people, idea = cast
    comment = make.comment(idea)
    for line in SEEING.strip().splitlines()[1:]:
        name, *marks = line.split()
        audience, _, condition = name.partition("_")
        become(View.named(audience), condition)
        for who, mark in zip(WHO, marks, strict=False):
            listed = {card.ref for card in list_ideas(people[who], Wanted()).items}
            assert (sees(people[who], idea), idea in listed) == ((mark == "y"),) * 2, (name, who)
        with reading() as session:
            for view, mark in zip(View, marks[len(WHO) :], strict=True):
                carried = [
                    session.scalars(sa.select(model.ref).where(visible_in(view, model))).all() for model in (Idea, Comment)
                ]
                # A comment would keep its place when it is withdrawn itself; that of a withdrawn idea is found by nobody.
                expected = [[idea], [comment]] if mark == "y" else [[], [comment] if condition == "withdrawn" else []]
                assert carried == expected, (name, view)


def become(audience, condition):
    """Have the one idea and its comment seen by that audience, and by others or by nobody besides."""
    with transaction() as session:
        values = {"audience": audience, "effective_audience": audience}
        values |= {"hidden": condition == "hidden", "held": condition == "held"}
        for model in (Idea, Comment):
            session.execute(sa.update(model).values(**values))
        session.execute(sa.update(Idea).values(withdrawn_at=now() if condition == "withdrawn" else None))


def sees(actor, idea):
    """Whether the actor finds the idea; if not, they are told what they are told of what does not exist."""
    answers = []
    for ref in (idea, "nowhere"):
        try:
            answers.append(whole_idea(actor, ref).card.ref)
        except Missing as missing:
            answers.append(str(missing))
    assert answers[0] in (idea, answers[1])
    return answers[0] == idea


def test_a_held_comment_is_seen_by_its_author_alone(cast):
    people, idea = cast
    ref = make.comment(idea, people["resident"])
    with transaction() as session:
        session.execute(sa.update(Comment).values(held=True))
    assert [who for who in WHO if comments(people[who], idea)] == ["resident"]
    with reading() as session:
        assert session.scalars(sa.select(Comment.ref).where(visible_to(people["resident"], Comment))).all() == [ref]


def test_who_changes_something_has_to_be_somebody_before_anything_is_looked_up(hub):
    with reading() as session, pytest.raises(SignInNeeded):
        find(session, NOBODY, Idea, "nowhere", lock=True)
    with reading() as session, pytest.raises(Missing):
        find(session, NOBODY, Idea, "nowhere")


def test_the_hub_itself_may_do_everything(cast):
    _, idea = cast
    with reading() as session:
        row = find(session, HUB, Idea, idea)
    assert all(may(HUB, act, row) for act, _, _ in cells(ACTS_ON_AN_IDEA))
