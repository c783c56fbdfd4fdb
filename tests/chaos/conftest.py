"""Promises about loss and order, each with its figure: small in `make test`, whole in `make chaos` (`--long`).

A test says which promise it shows, and what the figure must be, by `@pytest.mark.promise(what, bar=…)`, and notes its
figure before it asserts anything. At the end of a long run stands one table, also where tests failed.
"""

from collections.abc import Callable
from typing import TypeVar

import pytest

from tests.servers.conftest import own_redis, servers  # noqa: F401  (fixtures)

T = TypeVar("T")
Size = Callable[[T, T], T]
LONGEST = 1_500  # seconds that one long test may take


@pytest.fixture
def size(request: pytest.FixtureRequest) -> Size:
    """`size(3, 50)`: three in a short run, fifty in a long one."""
    return lambda short, full: full if request.config.getoption("--long") else short


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Note what was measured."""
    return lambda said: record_property("figure", said)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--long"):  # what another test of `make test` shows in small
        left = [item for item in items if item.get_closest_marker("long_only")]
        items[:] = [item for item in items if item not in left]
        config.hook.pytest_deselected(items=left)
    for item in items:
        if promise := item.get_closest_marker("promise"):
            kind = next((kind for kind in ("sqlite", "postgresql") if f"[{kind}" in item.name), "")
            item.user_properties += [
                ("promise", promise.args[0] + (f" ({kind})" if kind else "")),
                ("bar", promise.kwargs["bar"]),
            ]
            if config.getoption("--long"):
                item.add_marker(pytest.mark.timeout(LONGEST))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What was promised, what was measured, and whether it holds."""
    if not config.getoption("--long"):
        return
    rows: dict[str, tuple[str, str, str, str]] = {}
    for outcome in ("passed", "skipped", "failed", "error"):  # the worst that was said of a test stands
        for report in terminalreporter.stats.get(outcome, []):
            said = dict(report.user_properties)
            if "promise" in said:
                result = {"passed": "kept", "skipped": "not tested"}.get(outcome, "BROKEN")
                rows[report.nodeid] = (said["promise"], said.get("figure", "none"), said["bar"], result)
    if not rows:
        return
    table = [("promise", "figure", "bar", "result"), *rows.values()]
    widths = [max(len(row[column]) for row in table) for column in range(4)]
    terminalreporter.section("promises")
    for row in table:
        line = " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        terminalreporter.write_line(line.rstrip(), red=row[3] == "BROKEN", yellow=row[3] == "not tested")
