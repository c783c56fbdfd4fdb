"""Statements that are asked all the time: compiled once, and handed straight to the driver where the database has a door to it.

SQLAlchemy takes ten times as long to prepare a small statement as SQLite takes to carry it out.
"""

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Protocol

from sqlalchemy import BindParameter, Dialect, Executable
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
        cursor = driver.execute(compiled.sql, [value(values) for value in compiled.values])
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
        self.values = [
            _value(bind, bind.type.dialect_impl(dialect).bind_processor(dialect), made.get(bind.key))
            for bind in map(compiled.binds.__getitem__, compiled.positiontup)
        ]
        columns = statement.returning_column_descriptions if is_change else statement.column_descriptions
        self.row = _row(columns, dialect) if columns else None


def _value(bind: BindParameter[Any], convert: Converter | None, made: Any) -> Callable[[Mapping[str, Any]], Any]:
    """How to get what is handed in for that; `made` is the default that its column has in Python."""
    name = bind.key
    if made is not None:
        make = made.arg if made.is_callable else lambda _context: made.arg
        return lambda values: convert(make(None)) if convert is not None else make(None)
    if not bind.required:  # it stands in the statement
        fixed = convert(bind.effective_value) if convert is not None else bind.effective_value
        return lambda values: fixed
    if convert is None:
        return itemgetter(name)
    return lambda values: convert(values[name])


def _row(columns: Iterable[Mapping[str, Any]], dialect: Dialect) -> Callable[[Sequence[Any]], Any]:
    described = [*columns]
    make = namedtuple("Row", [column["name"] for column in described], rename=True)._make  # type: ignore[attr-defined]
    types = [column["type"] for column in described]
    converters = [type_.dialect_impl(dialect).result_processor(dialect, None) for type_ in types]
    if not any(converters):
        return make
    pairs = [(number, convert) for number, convert in enumerate(converters) if convert is not None]

    def read(found: Sequence[Any]) -> Any:
        values = [*found]
        for number, convert in pairs:
            values[number] = convert(values[number])
        return make(values)

    return read
