"""What time does is done once, however many servers do it at the same moment."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from events.catalogue import IdeaAnswerOverdue
from ideas_hub import db
from ideas_hub.answers import AnswerClock, tell_overdue
from ideas_hub.clock import today
from ideas_hub.settings import change_settings
from tests import make
from tests.support.witness import news


@pytest.mark.postgresql_only
def test_four_servers_say_once_of_each_clock_that_it_ran_out(hub: db.Database):
    change_settings(answer_votes={"public": 1, "staff": 1, "leadership": 1}, answer_days=5)
    ideas = {make.idea(votes=1) for _ in range(12)}
    with db.transaction() as session:
        session.execute(sa.update(AnswerClock).values(due=today() - timedelta(days=1)))
    with news() as facts, ThreadPoolExecutor(4) as servers:
        done = list(servers.map(lambda _: tell_overdue(5), range(8)))
    assert sum(done) == len(ideas)
    assert sorted(fact.idea for fact in facts if isinstance(fact, IdeaAnswerOverdue)) == sorted(ideas)
