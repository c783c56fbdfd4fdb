"""A server whose staff sign in by a provider that keeps it waiting."""

import time
from collections.abc import Callable

import pytest
import requests

from ideas_hub import db
from tests.support.hub import Server
from tests.support.provider import Provider

PATIENCE = 1.5


@pytest.mark.sqlite_only
def test_a_provider_that_answers_drop_by_drop_holds_nobody(hub: db.Database, server: Callable[..., Server], provider: Provider):
    at = server(altered=f"import web.sign_in.staff as staff; staff.PATIENCE = {PATIENCE}", **provider.settings)
    provider.now(wrong="dripping")
    begun = time.perf_counter()
    answer = requests.get(f"{at.url}/sign-in/staff", timeout=30, allow_redirects=False)
    assert answer.status_code == 503
    assert "does not answer" in answer.text
    assert PATIENCE < time.perf_counter() - begun < PATIENCE + 3
    provider.now(wrong="")
    assert requests.get(f"{at.url}/sign-in/staff", timeout=30, allow_redirects=False).status_code == 302
