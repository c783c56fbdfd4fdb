"""Moderators are told of many who come at once from many networks"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("burst", sa.Column("rush", sa.Boolean(), nullable=False, server_default=sa.false()))
