"""Merlin over TCP: what the wire says is what is handed out, and every wrong thing is told in words."""

from __future__ import annotations

import numpy as np
import pytest
from merlin_on_wire import Merlin, frame, heading, message

import unmixel
from unmixel.acquire.contract import connect
from unmixel.acquire.skeleton import skeleton
from unmixel.core.errors import InputError, ScanShapeError, StreamError


def received(merlin: Merlin, timeout_s: float = 5.0):
    """Return heading, numbers, values and the error at the end, if any."""
    parts, fault = [], None
    with merlin.listening() as address:
        stream = connect(address, timeout_s=timeout_s)
        try:
            parts.extend(stream.frames())
        except StreamError as error:
            fault = error
        stream.close()
    numbers = np.concatenate([part.numbers for part in parts]) if parts else np.empty(0, int)
    values = np.concatenate([part.values for part in parts]) if parts else None
    return stream.heading, numbers, values, fault


def sent(counts, n=None, **how) -> list[bytes]:
    return [
        heading(len(counts), how.pop("per_trigger", 7)),
        *(frame(i, counts[i]) for i in range(n or len(counts))),
    ]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32"])
def test_frames_are_those_that_the_file_would_give(dtype, counts, tmp_path) -> None:
    values = counts.astype(dtype)
    head, numbers, got, fault = received(Merlin(sent(values)))
    assert fault is None
    assert (head.n_frames, head.dtype, [axis.size for axis in head.scan_axes]) == (42, dtype, [6, 7])
    assert head.instrument.dwell_s == 0.001
    assert numbers.tolist() == list(range(42))
    assert np.array_equal(got, values)
    wire = b"".join(part[15:] for part in sent(values)[1:])
    (tmp_path / "scan.mib").write_bytes(wire)
    assert np.array_equal(np.asarray(unmixel.open(tmp_path / "scan.mib").data), got)


def test_pieces_of_any_size_come_together(counts) -> None:
    whole = b"".join(sent(counts))
    pieces = [whole[i : i + 1733] for i in range(0, len(whole), 1733)]
    assert np.array_equal(received(Merlin(pieces, pause_s=0.001))[2], counts)


def test_what_follows_the_acquisition_is_not_part_of_it(counts) -> None:
    _, numbers, values, fault = received(Merlin([*sent(counts), *sent(counts)]))
    assert (fault, len(numbers)) == (None, 42)
    assert np.array_equal(values, counts)


def test_what_was_left_in_the_line_is_passed_over(counts) -> None:
    old = [frame(40, counts[40]), b"GARBAGE,MPX" * 50]
    _, numbers, _, fault = received(Merlin([*old, *sent(counts)]))
    assert (fault, numbers.tolist()) == (None, list(range(42)))


def test_lost_frames_leave_gaps_in_the_numbers(counts) -> None:
    messages = sent(counts)
    del messages[5:8], messages[20]
    _, numbers, values, fault = received(Merlin(messages))
    assert fault is None
    assert sorted(set(range(42)) - set(numbers.tolist())) == [4, 5, 6, 22]
    assert np.array_equal(values, counts[numbers])


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ({}, "expected 42 frames, got an end before that"),
        ({"reset": True}, "got (a broken connection|an end before that)"),
        ({"silent_s": 20.0}, "got silence for 0.4 s.*--timeout"),
    ],
)
def test_a_stream_that_stops_hands_out_what_came(end, words, counts) -> None:
    _, numbers, values, fault = received(Merlin(sent(counts, 20), **end), timeout_s=0.4)
    with pytest.raises(StreamError, match=words):
        raise fault
    assert numbers.tolist() == list(range(20))
    assert np.array_equal(values, counts[:20])


def test_half_a_frame_is_left_out(counts) -> None:
    messages = sent(counts, 20)
    messages[-1] = messages[-1][:-100]
    _, numbers, _, fault = received(Merlin(messages))
    assert "in the middle of a frame" in str(fault)
    assert numbers.tolist() == list(range(19))


@pytest.mark.parametrize(
    ("strange", "words"),
    [
        (lambda c: frame(9, c[9][:10]), "got one of 10 x 24 pixels of 16 bits"),
        (lambda c: frame(9, c[9].astype("uint8")), "got one of 20 x 24 pixels of 8 bits"),
        (lambda c: heading(42), "got the header of another acquisition"),
        (lambda c: b"nonsense" * 200, "got a message that is none"),
    ],
)
def test_a_message_that_is_no_such_frame_ends_it_and_nothing_is_lost(strange, words, counts) -> None:
    messages = [*sent(counts, 9), strange(counts), *(frame(i, counts[i]) for i in range(9, 42))]
    _, numbers, values, fault = received(Merlin(messages))
    assert words in str(fault)
    assert numbers.tolist() == list(range(9))
    assert np.array_equal(values, counts[:9])


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([], "got an end"),
        ([b"x" * 100], "header of an acquisition"),
        ([heading(3)], "a first frame after the header"),
        ([heading(3), frame(0, np.zeros((4, 4), "uint16"), kind="R")], "switch raw mode off"),
        ([heading(3), message(frame(0, np.zeros((4, 4), "uint16"))[15:-2])], "bytes instead of"),
    ],
)
def test_an_acquisition_that_cannot_begin_says_why(messages, words) -> None:
    with Merlin(messages).listening() as address, pytest.raises(StreamError, match=words):
        connect(address, timeout_s=1.0)


def test_an_address_that_is_none_says_what_one_is() -> None:
    for text in ("scan.mib", "camera:here", ""):
        with pytest.raises(InputError, match=r"file:FILE.*merlin:HOST"):
            connect(text, timeout_s=1.0)
    with pytest.raises(InputError, match="merlin:HOST:6342"):
        connect("merlin:host:port", timeout_s=1.0)
    with pytest.raises(InputError, match="options of merlin"):
        connect("merlin:host#rate=3", timeout_s=1.0)
    with pytest.raises(InputError, match="option rate"):
        connect("file:demo:planted?seed=1#rate=fast", timeout_s=1.0)


def test_a_detector_without_an_end_needs_a_scan_shape(counts) -> None:
    with Merlin([heading(0), frame(0, counts[0])]).listening() as address:
        stream = connect(address, timeout_s=1.0)
        with pytest.raises(ScanShapeError, match="give --scan ROWSxCOLUMNS"):
            skeleton(stream.heading)
        assert skeleton(stream.heading, (6, 7)).scan_shape == (6, 7)
        stream.close()
