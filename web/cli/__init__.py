"""Commands at the console. Each exits non-zero and says why in one line when it cannot."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import AppGroup
from sqlalchemy.exc import SQLAlchemyError

from ideas_hub import db, schema
from ideas_hub.errors import Invalid, Refusal
from ideas_hub.outbox import unsent_mails
from ideas_hub.people import Kind, Role, add_person, name_lead
from ideas_hub.sessions import make_token
from ideas_hub.settings import add_theme, change_settings, current_settings
from ideas_hub.sign_on import forget_sign_on
from web.cli import demo, play, verifying
from web.cli.importing import READERS, running

person = AppGroup("person", help="People of the hub.")


def init_app(app: Flask) -> None:
    app.cli.add_command(migrate)
    app.cli.add_command(person)
    app.cli.add_command(token)
    app.cli.add_command(lead)
    app.cli.add_command(theme)
    app.cli.add_command(council)
    app.cli.add_command(demo_command)
    app.cli.add_command(import_command)
    app.cli.add_command(verify_command)
    app.cli.add_command(outbox)


def plainly(work: Callable[..., Any]) -> Callable[..., Any]:
    """A refusal becomes one line and exit status 1."""

    @wraps(work)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return work(*args, **kwargs)
        except Invalid as refusal:
            raise click.ClickException("; ".join(f"{name}: {said}" for name, said in refusal.errors.items())) from refusal
        except Refusal as refusal:
            raise click.ClickException(str(refusal)) from refusal

    return wrapped


@click.command("migrate")
@plainly
def migrate() -> None:
    """Bring the database to the newest schema. No server may be running on it."""
    with db.database().claimed():
        before = schema.current()
        after = schema.migrate()
    click.echo(f"The database is at {after}." if before != after else f"The database was at {after} already.")


@person.command("add")
@click.argument("email")
@click.option("--name", required=True)
@click.option("--kind", required=True, type=click.Choice([kind.value for kind in Kind]))
@click.option("--team")
@click.option("--directorate")
@click.option("--role", "roles", multiple=True, type=click.Choice([role.value for role in Role]))
@plainly
def person_add(email: str, name: str, kind: str, team: str | None, directorate: str | None, roles: tuple[str, ...]) -> None:
    """Add a person, or change the one with that address: roles are those named and no others."""
    held = [Role(role) for role in roles]
    ref = add_person(email, name=name, kind=Kind(kind), team=team, directorate=directorate, roles=held)
    click.echo(f"{name} ({ref})")


@person.command("unlink")
@click.argument("email")
@plainly
def person_unlink(email: str) -> None:
    """Let whoever next comes by the council's sign-in with that address be that person, as when the hub was registered anew."""
    forget_sign_on(email)


@click.command("token")
@click.argument("email")
@click.option("--days", default=90, type=click.IntRange(1, 3650), show_default=True)
@plainly
def token(email: str, days: int) -> None:
    """Print a new API token for the person with that address. It is not shown again."""
    click.echo(make_token(email, days))


@click.command("lead")
@click.argument("directorate")
@click.argument("email")
@plainly
def lead(directorate: str, email: str) -> None:
    """Make a member of staff the lead of a directorate: who answers for ideas that have no sponsor."""
    name_lead(directorate, email)


@click.command("theme")
@click.argument("slug")
@click.argument("name")
@click.option("--directorate", help="Whose lead answers for ideas of this theme that have no sponsor.")
@plainly
def theme(slug: str, name: str, directorate: str | None) -> None:
    """Add a theme that ideas can be about, or change the one with that slug."""
    add_theme(slug, name, directorate=directorate)


@click.command("council")
@click.option("--name")
@click.option("--public-votes", type=int, help="How many votes oblige an answer to an idea open to everybody.")
@click.option("--staff-votes", type=int, help="The same for an idea among staff.")
@click.option("--leadership-votes", type=int, help="The same for an idea among leaders.")
@click.option("--answer-days", type=int, help="Within how many working days.")
@plainly
def council(name: str | None, answer_days: int | None, **votes: int | None) -> None:
    """Set what is this council's own, and print what is set."""
    given = {key.removesuffix("_votes"): number for key, number in votes.items() if number is not None}
    values = {"council": name, "answer_days": answer_days}
    changed: dict[str, Any] = {key: value for key, value in values.items() if value is not None}
    if given:
        changed["answer_votes"] = current_settings().answer_votes | given
    if changed:
        change_settings(**changed)
    now = current_settings()
    least = ", ".join(f"{number} {audience}" for audience, number in now.answer_votes.items())
    click.echo(f"{now.council}: an answer is owed at {least} votes, within {now.answer_days} working days.")


@click.command("demo")
@click.option("--if-empty", is_flag=True, help="Leave a hub that is not empty as it is, and say nothing.")
@click.option("--small", is_flag=True, hidden=True, help="Fewer residents, votes and ideas, for tests.")
@click.option("--play", "acts", is_flag=True, help="Act on the running hub as the people of the demo council, until Ctrl-C.")
@click.option("--speed", default=1.0, type=click.FloatRange(0.01, 1000), show_default=True, help="With --play: times as fast.")
@click.option("--minutes", type=click.FloatRange(0), help="With --play: end after so many.")
@plainly
def demo_command(if_empty: bool, small: bool, acts: bool, speed: float, minutes: float | None) -> None:
    """Fill an empty hub with the demo council, or (--play) act on a running one as its people."""
    if acts:
        play.play(current_app.extensions["ideas_hub"].config.base_url, speed=speed, most_minutes=minutes)
        return
    if not demo.is_empty():
        if if_empty:
            return
        raise click.ClickException("This hub is not empty. The demo council is for an empty one.")
    click.echo("Filling the hub with the demo council of Calder Vale")
    demo.fill(small=small)


@click.command("import")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@plainly
def import_command(files: tuple[Path, ...]) -> None:
    """Bring in ideas and comments from files of other places, each row once. Run it again to go on where it was stopped."""
    _check_schema()
    try:
        running.run(files, READERS)
    except SQLAlchemyError as away:
        why = away.__cause__ or away
        raise click.ClickException(f"The database stopped this: {why}. What came in stays; run it again to go on.") from away


@click.command("verify")
@plainly
def verify_command() -> None:
    """Hold tallies, rows, histories and the log against each other, beside running servers, and say what does not agree."""
    try:
        _check_schema()
        verifying.run()
    except SQLAlchemyError as away:
        raise click.ClickException(f"The database cannot be read: {away.__cause__ or away}") from away


@click.command("outbox")
@plainly
def outbox() -> None:
    """List the mails that were not sent: those that wait, and those that were given up in the last month, and why."""
    for mail in unsent_mails():
        due = f"next try {mail.due_at:%Y-%m-%d %H:%M:%S} UTC" if mail.due_at else "given up"
        click.echo(
            f"{mail.ref} {mail.kind} of {mail.made_at:%Y-%m-%d %H:%M}: {due} after {mail.tries} attempts. {mail.error}".rstrip()
        )


def _check_schema() -> None:
    if schema.current() != schema.newest():
        raise click.ClickException("The database is not at the schema this code needs: run `flask migrate`.")
