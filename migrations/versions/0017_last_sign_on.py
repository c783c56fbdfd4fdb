"""When somebody came by the council's own sign-in last"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sign_on", sa.Column("last_at", sa.DateTime(timezone=True), nullable=True))
