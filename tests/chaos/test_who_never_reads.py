"""Who never reads is cut off soon, and costs little. Each time on a server that nobody was at before: its memory is measured."""

from contextlib import ExitStack, suppress

import pytest

from events.catalogue import idea_topic
from ideas_hub import comments
from tests import make
from tests.chaos.test_frames import Poller, memory
from tests.chaos.test_readers import burst, heard, is_cut
from tests.support.sockets import Gone, Raw

pytestmark = pytest.mark.sqlite_only

WAITING = """
import time
from events import sender, wire
took = {}
write, cut, put = wire.Wire.write, wire.Wire.cut, sender.Outbox._keep
def watched_write(self, data, frames=None):
    write(self, data, frames)
    if self.waiting_packets > wire.MOST_PACKETS or self.waiting_bytes > wire.MOST_BYTES:
        took.setdefault(self, time.monotonic())
    elif not self.is_cut:
        took.pop(self, None)
def watched_cut(self):
    if not self.is_cut:
        print("CUT after", time.monotonic() - took.get(self, time.monotonic()), flush=True)
    cut(self)
wire.Wire.write, wire.Wire.cut = watched_write, watched_cut
"""


@pytest.mark.promise("a reader who never reads is cut", bar="<= 2 s after 256 packets or 1 MiB, <= 2 MiB each")
@pytest.mark.parametrize("length", [20, 4000], ids=["many small", "few large"])
def test_who_never_reads_is_cut_and_costs_little(hub, server, size, figure, length):
    running, idea, many = server(altered=WAITING), make.idea(), size(4, 20)
    comment = comments.post_comment(make.person(), idea, body="x" * length)
    with ExitStack() as at_the_end:
        watcher = at_the_end.enter_context(Raw(running.port))
        watcher.watch(idea_topic(idea))
        burst(idea, comment, 100)  # what the server needs for anybody is not counted
        heard(watcher, 100)
        mute = [at_the_end.enter_context(Raw(running.port, receives=2048)) for _ in range(many)]
        ponging = [at_the_end.enter_context(Raw(running.port, receives=2048)) for _ in range(many)]
        pollers = [at_the_end.enter_context(Poller(running.port)) for _ in range(many)]
        for client in (*mute, *ponging):
            client.watch(idea_topic(idea))
        for poller in pollers:
            poller.watch(idea_topic(idea))
        before, most, sent = memory(running.process.pid), 0.0, 0
        while not all(is_cut(client.socket) for client in (*mute, *ponging)):
            burst(idea, comment, 40)
            sent += 40
            heard(watcher, 100 + sent)
            for client in ponging:
                with suppress(OSError):  # it may be cut at this moment
                    client.say("3")
            most = max(most, memory(running.process.pid))
            assert sent < 20_000
        for poller in pollers:
            with pytest.raises(Gone):
                poller.poll()
    waited = [float(line.split()[-1]) for line in running.log.read_text().splitlines() if line.startswith("CUT")]
    each = (most - before) / (3 * many)
    figure(f"{len(waited)} cut, {max(waited):.2f} s at the latest, {each:.2f} MiB each")
    assert len(waited) >= 2 * many
    assert max(waited) <= 2
    assert each <= 2
