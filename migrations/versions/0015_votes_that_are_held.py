"""Hold votes that come in a burst, and know when each vote was cast and since when each person is here"""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0012"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("person", sa.Column("since", MOMENT, nullable=True))
    op.add_column("vote", sa.Column("at", MOMENT, nullable=True))
    for name in ("votes_held", "votes_refused"):
        op.add_column("idea", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    create_tables()
    date_votes()


def create_tables() -> None:
    op.create_table(
        "arrival",
        sa.Column("idea_id", sa.Integer(), nullable=False),
        sa.Column("voter", sa.String(length=22), nullable=False),
        sa.Column("network", sa.String(length=22), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["idea_id"], ["idea.id"], name=op.f("fk_arrival_idea_id_idea"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("idea_id", "voter", name=op.f("pk_arrival")),
    )
    op.create_index("ix_arrival_network", "arrival", ["idea_id", "network", "at"], unique=False)
    op.create_index("ix_arrival_at", "arrival", ["at"], unique=False)
    op.create_table(
        "burst",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ref", sa.String(length=16), nullable=False),
        sa.Column("idea_id", sa.Integer(), nullable=False),
        sa.Column("network", sa.String(length=22), nullable=True),
        sa.Column("began_at", MOMENT, nullable=False),
        sa.Column("fate", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by_id", sa.Integer(), nullable=True),
        sa.Column("at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["idea_id"], ["idea.id"], name=op.f("fk_burst_idea_id_idea"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["by_id"], ["person.id"], name=op.f("fk_burst_by_id_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_burst")),
        sa.UniqueConstraint("ref", name=op.f("uq_burst_ref")),
    )
    op.create_index("ix_burst_idea", "burst", ["idea_id"], unique=False)
    op.create_index("ix_burst_fate", "burst", ["fate", "began_at"], unique=False)
    op.create_table(
        "held_vote",
        sa.Column("idea_id", sa.Integer(), nullable=False),
        sa.Column("voter", sa.String(length=22), nullable=False),
        sa.Column("burst_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("fate", sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(["idea_id"], ["idea.id"], name=op.f("fk_held_vote_idea_id_idea"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["burst_id"], ["burst.id"], name=op.f("fk_held_vote_burst_id_burst"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("idea_id", "voter", name=op.f("pk_held_vote")),
    )
    op.create_index("ix_held_vote_voter", "held_vote", ["voter"], unique=False)
    op.create_index(op.f("ix_held_vote_burst_id"), "held_vote", ["burst_id"], unique=False)


def date_votes() -> None:
    """When each vote was cast stands in the log; idea by idea, since all of them at once may be millions."""
    connection = op.get_bind()
    vote = sa.table("vote", sa.column("idea_id"), sa.column("voter"), sa.column("at", MOMENT))
    event = sa.table(
        "event", *map(sa.column, ("position", "subject", "type")), sa.column("data", sa.JSON), sa.column("at", MOMENT)
    )
    told = sa.select(event.c.data, event.c.at).where(event.c.subject == sa.bindparam("about"), event.c.type == "vote.cast")
    own = sa.and_(vote.c.idea_id == sa.bindparam("idea"), vote.c.voter == sa.bindparam("who"))
    setting = sa.update(vote).where(own).values(at=sa.bindparam("cast_at"))
    for id, ref in connection.execute(sa.text("SELECT id, ref FROM idea WHERE votes > 0")).all():
        last: dict[str, datetime] = {}
        rows: Any = connection.execute(told.order_by(event.c.position), {"about": f"ideas/{ref}"})
        for data, at in rows:
            last[data["voter"]] = at
        if last:
            connection.execute(setting, [{"idea": id, "who": who, "cast_at": at} for who, at in last.items()])
