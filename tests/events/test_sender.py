"""What every frame passes: the mask of those that come in, and the limits of those that wait to go out."""

from contextlib import nullcontext

import eventlet
import pytest
from engineio.packet import MESSAGE, NOOP, PING, Packet
from eventlet.semaphore import Semaphore
from eventlet.websocket import FailedConnectionError, RFC6455WebSocket
from hypothesis import given
from hypothesis import strategies as st

from events import sender
from events.catalogue import View
from events.gateway import Gateway, room
from events.sender import Outbox
from events.wire import MOST_PACKETS, MOST_PIECES, Frame, Wire

pytestmark = pytest.mark.sqlite_only


@given(data=st.binary(min_size=1, max_size=300), mask=st.binary(min_size=4, max_size=4), offset=st.integers(0, 9))
def test_all_bytes_at_once_are_unmasked_as_one_by_one(data, mask, offset):
    assert Wire._apply_mask(data, mask, len(data), offset) == RFC6455WebSocket._apply_mask(data, mask, len(data), offset)


@pytest.mark.parametrize("length", [65_535, 65_536, 70_000])
def test_a_long_frame_is_unmasked(length):
    data = bytes(range(256)) * (length // 256 + 1)
    assert Wire._apply_mask(Wire._apply_mask(data[:length], b"abcd"), b"abcd") == data[:length]


def test_a_message_is_as_long_as_a_frame_may_be_in_however_many_pieces():
    whole = Wire.Message(1, 100)
    for _ in range(10):
        whole.push(b"x" * 10)
    with pytest.raises(FailedConnectionError):
        whole.push(b"x")
    pieces = Wire.Message(1, 100)
    for _ in range(MOST_PIECES):
        pieces.push(b"")
    with pytest.raises(FailedConnectionError):
        pieces.push(b"")


def polled(outbox: Outbox) -> list[Packet | None]:
    found = []
    while not outbox.polled.empty():
        found.append(outbox.get(False))
    return found


def test_who_polls_is_given_what_was_put_in_its_order():
    outbox = Outbox()
    for number in range(MOST_PACKETS):
        outbox.put(Packet(MESSAGE, str(number)))
    assert [packet.data for packet in polled(outbox)] == list(map(str, range(MOST_PACKETS)))


def test_who_does_not_poll_has_nothing_waiting_any_more_and_is_told_that_it_is_over():
    outbox = Outbox()
    for number in range(MOST_PACKETS + 9):
        outbox.put(Packet(MESSAGE, str(number)))
    assert outbox.is_over
    assert polled(outbox) == [None]


def test_what_is_fresh_is_held_until_the_last_answer_that_must_come_before_it():
    outbox, frame = Outbox(), Frame("/live", "event", "{}")
    outbox.hold()
    outbox.hold()
    sender.send([(frame, [outbox])])
    outbox._release(nullcontext())
    assert polled(outbox) == []
    outbox._release(nullcontext())
    assert polled(outbox) == [frame.packet]
    outbox.hold()
    outbox._release(nullcontext())
    assert polled(outbox) == []  # and not once more


def test_each_is_told_in_its_order_what_was_said_to_them_whoever_else_hears_it():
    some, others, everybody = Outbox(), Outbox(), Outbox()
    first, second = [some, everybody], [others, everybody]
    frames = [Frame("/live", "event", str(number)) for number in range(4)]
    sender.send(list(zip(frames, (first, second, first, first), strict=True)))
    assert polled(some) == [frames[number].packet for number in (0, 2, 3)]
    assert polled(others) == [frames[1].packet]
    assert polled(everybody) == [frame.packet for frame in frames]


def test_what_was_held_is_not_let_go_while_something_is_told_that_may_have_been_read_before_the_answer():
    outbox, telling = Outbox(), Semaphore()
    outbox.hold()
    with telling:
        outbox.release_soon(telling)
        eventlet.sleep(0)
        assert outbox.held
    eventlet.sleep(0)
    assert not outbox.held


def test_a_tally_of_before_is_not_said_behind_an_answer_that_is_on_its_way():
    gateway = Gateway.__new__(Gateway)  # without its sockets
    waiting, other = Outbox(), Outbox()
    gateway.rooms = {room(View.PUBLIC, "idea:x"): {"1": waiting, "2": other}}
    gateway.gathered, gateway.said = {}, []
    waiting.hold()
    place = [(View.PUBLIC, "idea:x")]
    assert not gateway.send("facts", "{}", place)
    assert gateway.send("event", "{}", place)
    gateway.flush()
    assert (polled(waiting), len(polled(other))) == ([], 2)
    waiting._release(nullcontext())
    assert gateway.send("facts", "{}", place)
    gateway.flush()
    assert (len(polled(waiting)), len(polled(other))) == (2, 1)


@pytest.mark.parametrize(("subject", "is_over"), [("ideas/x", True), ("ideas/y", False), (None, True)])
def test_what_was_said_and_has_not_gone_out_is_forgotten_as_well(subject, is_over):
    gateway, outbox = Gateway.__new__(Gateway), Outbox()
    gateway.rooms, gateway.gathered, gateway.said = {room(View.PUBLIC, "idea:x"): {"1": outbox}}, {}, []
    gateway.connections = {}
    gateway.send("event", '"Zebra"', [(View.PUBLIC, "idea:x")], about=["ideas/x"])
    gateway.forget(subject)
    gateway.flush()
    assert (outbox.is_over, polled(outbox) == [None]) == (is_over, is_over)


@pytest.mark.parametrize(("subject", "is_over"), [("ideas/x", True), ("ideas/y", False), (None, True)])
@pytest.mark.parametrize("place", ["fresh", "polled"])
def test_what_waits_about_a_subject_ends_the_line(subject, is_over, place):
    outbox, frame = Outbox(), Frame("/live", "event", '"Zebra"', ["ideas/x"])
    if place == "fresh":
        outbox.fresh = (frame,)
    else:
        outbox._keep(frame.packet, [frame])
    outbox.forget(subject)
    assert (outbox.is_over, bool(outbox.fresh)) == (is_over, place == "fresh" and not is_over)
    assert polled(outbox) == ([None] if is_over else [frame.packet] if place == "polled" else [])


@pytest.mark.parametrize("packet", [Packet(NOOP), Packet(PING), Packet(MESSAGE, '0/live,{"sid":"x"}')])
def test_what_says_nothing_of_anybody_may_wait_whoever_is_forgotten(packet):
    outbox = Outbox()
    outbox.put(packet)
    outbox.forget("people/x")
    outbox.forget()
    assert polled(outbox) == [packet]


def test_an_answer_that_was_not_fetched_ends_the_line_whoever_is_forgotten():
    outbox = Outbox()
    outbox.put(Packet(MESSAGE, '3/live,1[{"ok":true}]'))
    outbox.forget("people/x")
    assert polled(outbox) == [None]
