"""Statements that are asked all the time: compiled once, and handed straight to the driver where the database has a door to it.

SQLAlchemy takes ten times as long to prepare a small statement as SQLite takes to carry it out.
"""

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import Dialect, Executable
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import UpdateBase

DRIVER = "driver"  # under which a session's `info` has the door to the driver, where there is one
NOTHING: Mapping[str, Any] = {}

Glance = Callable[["Prepared", Mapping[str, Any]], Sequence[Any]]
"""What one question returns at this moment, without a session."""


class Driver(Protocol):
    """A door to the driver of a database. What it raises are SQLAlchemy's errors."""

    dialect: Dialect

    def execute(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """Carry that out, and return the driver's cursor."""


class Prepared:
    """A statement of fixed shape, without lists of values.

    It goes past the Session, and neither sees nor writes what that has not flushed.
    """

    def __init__(self, statement: Executable) -> None:
        self.statement = statement
        self.compiled: dict[tuple[str, ...], _Compiled] = {}  # by the names of the values

    def __call__(self, session: Session | Glance, values: Mapping[str, Any] = NOTHING) -> Sequence[Any]:
        """The rows that it returns; their columns are attributes."""
        if not isinstance(session, Session):
            return session(self, values)
        if (driver := session.info.get(DRIVER)) is not None:
            return self.by(driver, values)
        result = session.connection().execute(self.statement, values)
        return result.all() if result.returns_rows else ()

    def each(self, session: Session, many: Sequence[Mapping[str, Any]]) -> Sequence[Any]:
        """The rows that it returns for each of many values."""
        if (driver := session.info.get(DRIVER)) is not None:
            return [row for values in many for row in self.by(driver, values)]
        result = session.connection().execute(self.statement, many)
        return result.all() if result.returns_rows else ()

    def by(self, driver: Driver, values: Mapping[str, Any] = NOTHING) -> Sequence[Any]:
        """The rows that it returns by that driver."""
        compiled = self.compiled.get(names := tuple(values))
        if compiled is None or compiled.dialect is not driver.dialect:
            compiled = self.compiled[names] = _Compiled(self.statement, driver.dialect, names)
        cursor = driver.execute(compiled.sql, compiled.bind(values))
        return [compiled.row(found) for found in cursor.fetchall()] if compiled.row is not None else ()


Converter = Callable[[Any], Any]


class _Compiled:
    """A statement as one dialect has it: its text, what to hand in, and how to read a row."""

    def __init__(self, statement: Any, dialect: Dialect, names: tuple[str, ...]) -> None:
        is_change = isinstance(statement, UpdateBase)
        compiled = statement.compile(dialect=dialect, column_keys=[*names] if is_change else None)
        if compiled.positiontup is None or compiled.post_compile_params or compiled.literal_execute_params:
            raise TypeError(f"this has no fixed shape: {compiled}")
        self.dialect, self.sql = dialect, str(compiled)
        made = {column.key: column.default for column in compiled.insert_prefetch} if is_change else {}
        binds = [*map(compiled.binds.__getitem__, compiled.positiontup)]
        self.names = [bind.key for bind in binds]
        self.makes = {name: default.arg for name, default in made.items() if default.is_callable}
        self.fixed = {bind.key: bind.effective_value for bind in binds if not bind.required}
        self.fixed |= {name: default.arg for name, default in made.items() if name not in self.makes}
        self.converters = _some(bind.type.dialect_impl(dialect).bind_processor(dialect) for bind in binds)
        columns = statement.returning_column_descriptions if is_change else statement.column_descriptions
        self.row = _row(columns, dialect) if columns else None

    def bind(self, values: Mapping[str, Any]) -> list[Any]:
        """What is handed in: what was given, what stands in the statement, and what its columns have where nothing is given."""
        if self.fixed or self.makes:
            values = {**self.fixed, **{name: make(None) for name, make in self.makes.items()}, **values}
        return _converted([values[name] for name in self.names], self.converters)


def _some(converters: Iterable[Converter | None]) -> list[tuple[int, Converter]]:
    return [(number, convert) for number, convert in enumerate(converters) if convert is not None]


def _converted(values: list[Any], converters: Iterable[tuple[int, Converter]]) -> list[Any]:
    for number, convert in converters:
        values[number] = convert(values[number])
    return values


def _row(columns: Iterable[Mapping[str, Any]], dialect: Dialect) -> Callable[[Sequence[Any]], Any]:
    described = [*columns]
    make = namedtuple("Row", [column["name"] for column in described], rename=True)._make  # type: ignore[attr-defined]
    types = [column["type"] for column in described]
    converters = _some(type_.dialect_impl(dialect).result_processor(dialect, None) for type_ in types)
    return (lambda found: make(_converted([*found], converters))) if converters else make
