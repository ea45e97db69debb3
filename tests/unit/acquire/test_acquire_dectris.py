"""DECTRIS over ZeroMQ: what the detector pushes is what is handed out, and every wrong thing is told in words."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from dectris_on_wire import Dectris, end, heading, image, packed, series, without_size, words
from hypothesis import given, settings
from hypothesis import strategies as st

from unmixel.acquire.contract import connect
from unmixel.core.errors import InputError, StreamError
from unmixel.io.packed_frames import Unpacker

pytest.importorskip("zmq")


def received(messages, timeout_s: float = 5.0):
    """Return heading, numbers, values and the error at the end, if any."""
    parts, fault = [], None
    with Dectris(messages).pushing() as address:
        stream = connect(address, timeout_s=timeout_s)
        try:
            parts.extend(stream.frames())
        except StreamError as error:
            fault = error
        stream.close()
    numbers = np.concatenate([part.numbers for part in parts]) if parts else np.empty(0, int)
    values = np.concatenate([part.values for part in parts]) if parts else None
    return stream.heading, numbers, values, fault


@pytest.mark.parametrize("packing", ["bslz4", "lz4", "none"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32"])
def test_frames_are_those_that_were_packed(packing, dtype, counts) -> None:
    values = counts[:5].astype(dtype)
    head, numbers, got, fault = received(series(values, range(5), packing))
    assert fault is None
    assert (head.n_frames, head.dtype, head.pattern_shape, head.scan_axes) == (5, dtype, (20, 24), ())
    assert (head.instrument.dwell_s, head.instrument.detector) == (0.001, "a detector")
    assert numbers.tolist() == list(range(5))
    assert np.array_equal(got, values)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(
    rows=st.integers(1, 40), columns=st.integers(1, 40), wire=st.sampled_from("<>"), seed=st.integers(0, 99)
)
def test_any_shape_and_byte_order_unpacks(rows, columns, wire, seed) -> None:
    import h5py
    import hdf5plugin

    values = np.random.default_rng(seed).integers(0, 60000, (rows, columns), np.uint16)
    with h5py.File("one", "w", driver="core", backing_store=False) as file:
        how = hdf5plugin.Bitshuffle(cname="lz4")
        data = file.create_dataset(
            "a", data=values.astype(f"{wire}u2")[None], chunks=(1, rows, columns), **how
        )
        blob = bytes(data.id.read_direct_chunk((0, 0, 0))[1])
    into = np.zeros_like(values)
    Unpacker.of(f"bs16-lz4{wire}", (rows, columns), "uint16")(blob, into)
    assert np.array_equal(into, values)


@pytest.mark.parametrize("packing", ["bslz4", "lz4"])
def test_whatever_bytes_come_they_are_a_frame_or_refused(packing, counts) -> None:
    rng = np.random.default_rng(1)
    encoding, blob = packed(counts[5], packing)
    unpack, into = Unpacker.of(encoding, (20, 24), "uint16"), np.zeros((20, 24), np.uint16)
    refused = 0
    for i in range(400):
        bad = bytearray(blob[: rng.integers(0, len(blob))] if i % 2 else blob)
        for at in rng.integers(0, len(bad), 3) if bad else ():
            bad[at] = rng.integers(0, 256)
        try:
            unpack(bytes(bad), into)
        except ValueError:
            refused += 1
    assert refused >= 200  # all that were cut off
    unpack(blob, into)
    assert np.array_equal(into, counts[5])


@pytest.mark.parametrize(
    ("head", "n", "scan"),
    [
        (heading(7, 6), 42, [6, 7]),
        (heading(42, apart=True), 42, []),
        (heading(1, 42, trigger_mode="exte", apart=True), 42, []),
        (heading(9, 42, trigger_mode="inte"), 42, []),
        ([[words(htype="dheader-1.0", series=7, header_detail="none"), b"\0a detail"]], None, []),
    ],
)
def test_headers_say_as_much_as_they_can(head, n, scan, counts) -> None:
    got, numbers, _, fault = received([*head, *(image(i, counts[i]) for i in range(42)), end()])
    assert (fault, len(numbers)) == (None, 42)
    assert (got.n_frames, [axis.size for axis in got.scan_axes]) == (n, scan)


def test_lost_frames_leave_gaps_in_the_numbers(counts) -> None:
    came = [i for i in range(42) if i not in (0, 4, 5, 22)]
    _, numbers, values, fault = received(series(counts, came))
    assert fault is None
    assert numbers.tolist() == came
    assert np.array_equal(values, counts[came])


@pytest.mark.slow
def test_a_lost_end_is_no_fault_once_the_last_frame_came(counts) -> None:
    _, numbers, _, fault = received(series(counts, [*range(20), *range(21, 42)])[:-1], timeout_s=0.4)
    assert (fault, len(numbers)) == (None, 41)


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        (lambda c: series(c, range(20)), "expected 42 frames, got its end after frame 20"),
        (lambda c: series(c, range(20))[:-1], "got silence for 0.4 s"),
    ],
)
def test_a_series_that_stops_hands_out_what_came(messages, words, counts) -> None:
    _, numbers, values, fault = received(messages(counts), timeout_s=0.4)
    with pytest.raises(StreamError, match=words):
        raise fault
    assert np.array_equal(values, counts[numbers])
    assert numbers.tolist() == list(range(20))


def test_a_series_that_began_before_is_passed_over_and_told(counts) -> None:
    old = [*(image(i, counts[i], number=6) for i in range(30, 42)), end(6)]
    head, numbers, values, fault = received([*old, *series(counts, range(42))])
    assert (fault, len(numbers)) == (None, 42)
    assert np.array_equal(values, counts)
    assert head.notes == ("12 frames of an earlier series were passed over.",)


def test_a_series_in_the_middle_and_none_after_it_says_so(counts) -> None:
    with (
        Dectris([image(40, counts[40]), image(41, counts[41]), end()]).pushing() as address,
        pytest.raises(
            StreamError, match=r"got 2 frames of one that had begun before.*before the detector is armed"
        ),
    ):
        connect(address, timeout_s=0.3)


def test_an_armed_series_that_is_given_up_is_waited_past(counts) -> None:
    _, numbers, _, fault = received([*heading(9, number=6), end(6), *series(counts, range(42))])
    assert (fault, len(numbers)) == (None, 42)


def test_what_does_not_say_its_size_unpacks_all_the_same(counts) -> None:
    messages = [*heading(3), *(without_size(image(i, counts[i])) for i in range(3)), end()]
    assert np.array_equal(received(messages)[2], counts[:3])


def broken(message: list[bytes], at: slice) -> list[bytes]:
    head, form, blob, times = message
    return [head, form, blob[at], times]


@pytest.mark.parametrize(
    ("strange", "words"),
    [
        (lambda c: image(9, c[9][:10]), "got one of 10 x 24 pixels of uint16"),
        (lambda c: image(9, c[9].astype("uint8")), "20 x 24 pixels of uint8"),
        (lambda c: image(9, c[9], number=8), "of another series"),
        (lambda c: image(9, c[9], "lz4"), "got one of 20 x 24 pixels of uint16, lz4<"),
        (lambda c: heading(42, number=8)[0], "got the header of another one"),
        (lambda c: [b"\xd9\xd9\xf7\xa1"], "set the format of the detector's stream to 'legacy'"),
        (lambda c: [words(htype="dimage-1.0", series=7, frame=9)], "messages of a SIMPLON stream"),
        (
            lambda c: broken(image(9, c[9]), slice(0, -9)),
            "frame 10 with .* bytes that are not of whole blocks",
        ),
        (lambda c: broken(image(9, c[9]), slice(12, None)), "frame 10 with .* bytes that unpack to"),
        (lambda c: broken(image(9, c[9]), slice(0, 0)), "frame 10 with 0 bytes"),
    ],
)
def test_a_message_that_is_no_such_frame_ends_it_and_nothing_is_lost(strange, words, counts) -> None:
    messages = [
        *heading(42),
        *(image(i, counts[i]) for i in range(9)),
        strange(counts),
        image(10, counts[10]),
    ]
    _, numbers, values, fault = received(messages)
    with pytest.raises(StreamError, match=words):
        raise fault
    assert numbers.tolist() == list(range(9))
    assert np.array_equal(values, counts[:9])


@pytest.mark.parametrize("packing", ["lz4", "none"])
def test_bytes_that_are_no_frame_are_told(packing, counts) -> None:
    bad = broken(image(1, counts[1], packing), slice(0, -5))
    _, numbers, _, fault = received([*heading(2), image(0, counts[0], packing), bad])
    assert "frame 2 with" in str(fault)
    assert numbers.tolist() == [0]


def test_an_encoding_that_is_none_is_told_before_any_frame(counts) -> None:
    head, form, *rest = image(0, counts[0])
    for encoding in ("bs32-lz4<", "zstd<"):
        odd = [head, form.replace(b"bs16-lz4<", encoding.encode()), *rest]
        with Dectris([*heading(42), odd]).pushing() as address, pytest.raises(StreamError, match="'bslz4'"):
            connect(address, timeout_s=1.0)


def test_an_address_that_is_none_says_what_one_is() -> None:
    with pytest.raises(InputError, match="dectris:HOST:9999"):
        connect("dectris:host:port", timeout_s=1.0)
    with pytest.raises(InputError, match="options of dectris"):
        connect("dectris:host#rate=3", timeout_s=1.0)
    with pytest.raises(StreamError, match=r"dectris:127.0.0.1:99999.*switch the detector's stream on"):
        connect("dectris:127.0.0.1:99999", timeout_s=1.0)


@pytest.mark.slow
def test_closing_while_nothing_comes_ends_the_frames(counts) -> None:
    with Dectris(series(counts, range(20))[:-1]).pushing() as address:
        stream = connect(address, timeout_s=60.0)
        threading.Timer(0.2, stream.close).start()
        begin = time.monotonic()
        assert sum(len(part.numbers) for part in stream.frames()) == 20
        assert time.monotonic() - begin < 10
