"""What each application and each database would make anew, though it is the same for all: kept for the next test.

It is a third of what tests do. Nothing of what a test writes or is told is among it.
"""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule


def addresses() -> None:
    """The code by which Werkzeug builds the addresses of a route."""
    compiled: dict[object, Callable[..., tuple[str, str]]] = {}
    compile_builder = Rule._compile_builder

    def builder(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        key = (tuple(rule._trace), append_unknown, repr(rule.defaults))
        if key not in compiled:
            compiled[key] = compile_builder(rule, append_unknown)
        return compiled[key]

    Rule._compile_builder = builder  # type: ignore[method-assign]


def statements() -> None:
    """The SQL into which SQLAlchemy translates a question: it keeps it by engine and dialect, and each database has its own."""
    kept: LRUCache[Any, Any] = LRUCache(5_000)
    create_engine = sa.create_engine

    def engine(*arguments: Any, **options: Any) -> sa.Engine:
        made = create_engine(*arguments, **options)
        made._compiled_cache = kept
        return made

    sa.create_engine = engine
    DefaultDialect.__eq__ = lambda one, other: type(one) is type(other)  # type: ignore[method-assign]
    DefaultDialect.__hash__ = lambda dialect: hash(type(dialect))  # type: ignore[method-assign]
