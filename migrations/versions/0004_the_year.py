"""The year: since when an idea is explored and tried, and how many there are of each course"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

MONTH = {"sqlite": "strftime('%Y-%m-01', posted_at)", "postgresql": "date_trunc('month', posted_at AT TIME ZONE 'utc')::date"}


def upgrade() -> None:
    op.add_column("idea", sa.Column("explored_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("idea", sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_idea_stage_since", "idea", ["stage", "stage_since", "ref"], unique=False)
    op.create_table(
        "course_count",
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("audience", sa.SmallInteger(), nullable=False),
        sa.Column("stage", sa.String(length=20), nullable=False),
        sa.Column("explored", sa.Boolean(), nullable=False),
        sa.Column("tried", sa.Boolean(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("month", "audience", "stage", "explored", "tried", name=op.f("pk_course_count")),
    )
    first = "UPDATE idea SET {} = (SELECT min(at) FROM stage_change WHERE idea_id = idea.id AND stage = '{}')"
    for column, stage in (("explored_at", "exploring"), ("tried_at", "trial")):
        op.execute(first.format(column, stage))
    op.execute(
        f"""
        INSERT INTO course_count (month, audience, stage, explored, tried, count)
        SELECT {MONTH[op.get_context().dialect.name]}, effective_audience, stage,
               explored_at IS NOT NULL, tried_at IS NOT NULL, count(*)
        FROM idea WHERE NOT hidden AND NOT held AND withdrawn_at IS NULL
        GROUP BY 1, 2, 3, 4, 5
        """  # noqa: S608  nothing in it comes from anybody
    )
