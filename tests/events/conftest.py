from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from ideas_hub.clock import replace_now
from tests.support.clock import Clock


@pytest.fixture
def clock() -> Iterator[Clock]:
    """Time stands still at nine on Wednesday 1 July 2026, until the test moves it."""
    clock = Clock(datetime(2026, 7, 1, 9, tzinfo=UTC))
    replace_now(clock)
    yield clock
    replace_now(None)
