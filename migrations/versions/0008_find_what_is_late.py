"""Find what is late without reading all ideas"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_idea_stage_due", "idea", ["stage", "answer_due"], unique=False)
    op.create_index("ix_answer_clock_stopped", "answer_clock", ["stopped_at"], unique=False)
