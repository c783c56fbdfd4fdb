"""Sessions and tokens that their owner can tell apart and take back; staff by the council's own sign-in"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sign_on",
        sa.Column("issuer", sa.String(length=255), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"], name=op.f("fk_sign_on_person_id_person"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("issuer", "subject", name=op.f("pk_sign_on")),
    )
    op.create_index(op.f("ix_sign_on_person_id"), "sign_on", ["person_id"], unique=False)
    for name, length in (("name", 80), ("browser", 80), ("network", 50)):
        op.add_column("credential", sa.Column(name, sa.String(length=length), server_default="", nullable=False))
    op.add_column("credential", sa.Column("provider_session", sa.String(length=255), nullable=True))
    op.add_column("credential", sa.Column("used_at", sa.DateTime(timezone=True), nullable=True))
