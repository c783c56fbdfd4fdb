"""One person a mailbox; links by mail, the outbox, and who left"""

import sqlalchemy as sa
from alembic import op

from ideas_hub.addresses import mailbox_of

revision = "0012"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("person", sa.Column("mailbox", sa.String(length=254), nullable=True))
    give_everybody_their_mailbox()
    op.create_index("ix_person_mailbox", "person", ["mailbox"], unique=True)
    op.create_table(
        "mail",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ref", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("mailbox", sa.String(length=254), nullable=True),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail")),
        sa.UniqueConstraint("ref", name=op.f("uq_mail_ref")),
    )
    for column in ("due_at", "made_at", "mailbox"):
        op.create_index(f"ix_mail_{column}", "mail", [column], unique=False)
    op.create_table(
        "mail_link",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("word", sa.String(length=43), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("browser", sa.String(length=64), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("mailbox", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("act", sa.JSON(), nullable=False),
        sa.Column("mail_id", sa.Integer(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("wrong_codes", sa.Integer(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["mail_id"], ["mail.id"], name=op.f("fk_mail_link_mail_id_mail"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_link")),
        sa.UniqueConstraint("digest", name=op.f("uq_mail_link_digest")),
    )
    for column in ("browser", "mail_id", "made_at"):
        op.create_index(f"ix_mail_link_{column}", "mail_link", [column], unique=False)
    op.create_index("ix_mail_link_mailbox", "mail_link", ["mailbox", "made_at"], unique=False)
    op.create_table(
        "departure",
        sa.Column("mailbox", sa.String(length=64), nullable=False),
        sa.Column("voter", sa.String(length=22), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("mailbox", name=op.f("pk_departure")),
    )


def give_everybody_their_mailbox() -> None:
    """Where two people turn out to have one mailbox, the first has it. The other stays as they are, and cannot sign in by mail."""
    person = sa.table("person", sa.column("id"), sa.column("email"), sa.column("mailbox"))
    connection, taken = op.get_bind(), set()
    for row in connection.execute(
        sa.select(person.c.id, person.c.email).where(person.c.email.is_not(None)).order_by(person.c.id)
    ):
        mailbox = mailbox_of(row.email)
        if mailbox not in taken:
            taken.add(mailbox)
            connection.execute(person.update().where(person.c.id == row.id).values(mailbox=mailbox))
