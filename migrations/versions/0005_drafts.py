"""Drafts"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "draft",
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("form", sa.String(length=40), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("gone_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_draft_person_id_person"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("person_id", "form", name=op.f("pk_draft")),
    )
    op.create_index(op.f("ix_draft_at"), "draft", ["at"], unique=False)
    op.create_index(op.f("ix_draft_gone_at"), "draft", ["gone_at"], unique=False)
