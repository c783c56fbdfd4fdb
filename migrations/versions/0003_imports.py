"""What was imported, and where each row of it comes from"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("event", sa.Column("imported", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("idea", sa.Column("carried_from", sa.String(length=80), server_default="", nullable=False))
    op.create_table(
        "origin",
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("thing", sa.String(length=20), nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("idea_id", sa.Integer(), nullable=True),
        sa.Column("comment_id", sa.Integer(), nullable=True),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_origin_person_id_person"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["idea_id"], ["idea.id"], name=op.f("fk_origin_idea_id_idea"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["comment_id"], ["comment.id"], name=op.f("fk_origin_comment_id_comment"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("source", "thing", "key", name=op.f("pk_origin")),
    )
