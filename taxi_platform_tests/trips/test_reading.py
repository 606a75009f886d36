"""The pass that verifies a trip file: what it yields of a good file, and which broken files it detects."""

import gzip
import hashlib
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taxi_platform.errors import DamagedFile, SchemaMismatch
from taxi_platform.trips.reading import LARGEST_PIECE, LONGEST_LINE, TripStream, inflate
from taxi_platform.trips.services import GREEN, Service
from taxi_platform_tests.support.trip_texts import MARCH, header, row, rows, stream, text, with_field, zipped

LINES = rows(GREEN, 50)
PLAIN = text(GREEN, LINES)
BODY = PLAIN.partition(b"\n")[2]
ZIPPED = zipped(PLAIN)
CALLED = r"^green_tripdata_2019-03\.csv: "


def read(content: bytes, service: Service = GREEN, size: int = 64 * 1024) -> tuple[bytes, TripStream]:
    """Return all blocks of a file as one, and the stream with its final counts."""
    opened = stream(content, service, size)
    return b"".join(opened.blocks()), opened


# Good files


@pytest.mark.parametrize("content", [PLAIN, ZIPPED], ids=["plain", "gzip"])
def test_lines_bytes_and_checksum_are_the_files(content: bytes) -> None:
    body, done = read(content)
    assert body == BODY
    assert (done.rows, done.bytes, done.csv_bytes) == (50, len(content), len(PLAIN))
    assert done.sha256 == hashlib.sha256(content).hexdigest()
    assert done.regular
    assert not done.unterminated
    assert done.header.columns == GREEN.first_columns


@given(st.integers(1, 40), st.integers(1, 3000), st.booleans(), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_the_size_of_the_chunks_changes_nothing(count: int, size: int, compressed: bool, end: str, cut: bool) -> None:
    plain = text(GREEN, rows(GREEN, count), end)
    plain = plain.removesuffix(end.encode()) if cut else plain
    body, done = read(zipped(plain) if compressed else plain, size=size)
    assert body == (plain + end.encode() if cut else plain).partition(b"\n")[2]
    assert (done.rows, done.csv_bytes) == (count, len(plain))
    assert (done.unterminated, done.regular) == ((True, False) if cut and not compressed else (False, True))


@given(st.integers(1, 64))
def test_every_block_is_whole_lines(size: int) -> None:
    blocks = list(stream(PLAIN, size=size * 16).blocks())
    assert all(block.endswith(b"\n") for block in blocks)


@given(st.integers(1, 500), st.integers(0, 5), st.integers(1, 3))
def test_concatenated_members_and_padding_with_zeros_are_read_through(size: int, zeros: int, members: int) -> None:
    cuts = [len(PLAIN) * number // members for number in range(members + 1)]
    content = b"".join(zipped(PLAIN[start:end]) for start, end in pairwise(cuts)) + b"\0" * zeros
    body, done = read(content, size=size)
    assert body == BODY
    assert (done.rows, done.bytes, done.regular) == (50, len(content), True)


def test_line_ends_may_be_mixed_and_stay_as_they_are() -> None:
    mixed = b"".join(line + (b"\r\n", b"\n")[number % 2] for number, line in enumerate(PLAIN.split(b"\r\n")[:-1]))
    body, done = read(mixed)
    assert body == mixed.partition(b"\n")[2]
    assert done.rows == 50


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_last_line_without_its_end_is_only_complete_in_gzip(end: str) -> None:
    plain = text(GREEN, LINES, end).removesuffix(end.encode())
    for content, unterminated in ((plain, True), (zipped(plain), False)):
        body, done = read(content)
        assert body == (plain + end.encode()).partition(b"\n")[2]
        assert (done.rows, done.unterminated, done.regular) == (50, unterminated, not unterminated)
        assert done.csv_bytes == len(plain)


def test_a_byte_order_mark_is_not_part_of_a_column() -> None:
    body, done = read(b"\xef\xbb\xbf" + PLAIN)
    assert body == BODY
    assert done.regular


# What needs the parser


@pytest.mark.parametrize(
    "line",
    [
        with_field(GREEN, LINES[9], "store_and_fwd_flag", '"N"'),
        with_field(GREEN, LINES[9], "store_and_fwd_flag", "\\N"),
        "",
        "\\.",
    ],
    ids=["a quote", "a backslash", "a blank line", "the end of a COPY"],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("place", [0, 25, 50])
@pytest.mark.parametrize("size", [100, 64 * 1024])
def test_a_file_is_not_regular(line: str, end: str, place: int, size: int) -> None:
    content = text(GREEN, [*LINES[:place], line, *LINES[place:]], end)
    assert not read(content, size=size)[1].regular


# Files that are refused


@pytest.mark.parametrize("kept", [1, 2, 9, 10, 200, len(ZIPPED) // 2, len(ZIPPED) - 9, len(ZIPPED) - 8, -4, -1])
@pytest.mark.parametrize("size", [1, 64 * 1024])
def test_a_truncated_gzip_file_is_detected(kept: int, size: int) -> None:
    with pytest.raises(DamagedFile, match=CALLED + "(the gzip data ends too early|it is not a gzip file)"):
        read(ZIPPED[:kept], size=size)


def test_a_gzip_file_cut_between_two_members_is_only_as_good_as_its_rows() -> None:
    assert read(zipped(PLAIN) + zipped(BODY))[1].rows == 100  # only the length at the source could show a cut here


@pytest.mark.parametrize("place", [-1, -4, -5, -8], ids=["length", "length", "CRC", "CRC"])
def test_a_wrong_checksum_or_length_is_detected(place: int) -> None:
    wrong = bytearray(ZIPPED)
    wrong[place] ^= 1
    with pytest.raises(DamagedFile, match=CALLED + "the gzip data is corrupt after [0-9,]+ uncompressed bytes"):
        read(bytes(wrong))


@given(st.integers(10, len(ZIPPED) - 1), st.integers(0, 7))
def test_no_flipped_bit_that_changes_a_row_goes_unnoticed(place: int, bit: int) -> None:
    wrong = bytearray(ZIPPED)
    wrong[place] ^= 1 << bit
    try:
        body, _ = read(bytes(wrong))
    except (DamagedFile, SchemaMismatch):
        return
    assert body == BODY  # some bits of gzip mean nothing, such as the code of a letter that never occurs


@given(st.sampled_from([b"x", b"garbage", b"<html>", b"\0\0\0x", b"\x1f", b"\x1f\x8b"]), st.integers(1, 300))
def test_other_data_after_the_gzip_data_is_detected(garbage: bytes, size: int) -> None:
    with pytest.raises(DamagedFile, match=CALLED):
        read(ZIPPED + garbage, size=size)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"<!DOCTYPE html>\n<title>404</title>", "a web page"),
        (b"\r\n <html>", "a web page"),
        (PLAIN, "some text"),
        (b"PAR1\x15", "a Parquet file"),
    ],
)
def test_a_file_that_is_not_gzip_is_described_and_not_quoted(content: bytes, kind: str) -> None:
    with pytest.raises(DamagedFile, match=f"{CALLED}it is not a gzip file, but {kind}\\."):
        TripStream(iter([content]), GREEN, MARCH, compressed=True)
    with pytest.raises(DamagedFile, match=f"{CALLED}{kind} follows the gzip data"):
        read(ZIPPED + content)


@pytest.mark.parametrize(("chunks", "compressed"), [([], False), ([], True), ([zipped(b"")], True)])
def test_an_empty_file_is_called_empty(chunks: list[bytes], compressed: bool) -> None:
    with pytest.raises(DamagedFile, match=CALLED + "it is empty"):
        TripStream(iter(chunks), GREEN, MARCH, compressed=compressed)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
@pytest.mark.parametrize("compressed", [False, True])
def test_a_header_alone_is_not_a_month(end: str, compressed: bool) -> None:
    plain = (header(GREEN) + end).encode()
    with pytest.raises(DamagedFile, match=CALLED + "it has a header and no rows"):
        read(zipped(plain) if compressed else plain)


def test_the_header_is_checked_before_the_rest_is_read() -> None:
    def chunks():
        yield text(GREEN, LINES).replace(b"VendorID", b"Vendor")
        raise AssertionError

    with pytest.raises(SchemaMismatch, match="unknown: 'vendor'; missing: 'VendorID'"):
        TripStream(chunks(), GREEN, MARCH, compressed=False)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_line_that_is_too_long_is_refused_with_its_number(compressed: bool) -> None:
    plain = text(GREEN, LINES) + b"1," * LONGEST_LINE
    with pytest.raises(DamagedFile, match=CALLED + "line 52 is longer than 1 MiB"):
        read(zipped(plain) if compressed else plain)


def test_a_first_line_that_is_too_long_is_refused() -> None:
    with pytest.raises(DamagedFile, match=CALLED + "its first MiB has no line end"):
        read(b"x" * (LONGEST_LINE + 1))


@pytest.mark.parametrize("kind", ["blank lines", "one line", "short lines"])
def test_a_gzip_bomb_is_refused_early_and_takes_little_memory(kind: str) -> None:
    line = {"blank lines": b"\n", "one line": b"\0", "short lines": b"1\n"}[kind]
    bomb = zipped(PLAIN) + 16 * zipped(line * (2**26 // len(line)))  # a GiB
    tracemalloc.start()
    try:
        with pytest.raises(DamagedFile, match=CALLED + "[0-9,]+ bytes of gzip became more than 67,[0-9,]+: these are"):
            for _ in stream(bomb).blocks():
                pass
        assert tracemalloc.get_traced_memory()[1] < 2**25
    finally:
        tracemalloc.stop()


def test_inflated_pieces_are_small_however_well_the_data_is_compressed() -> None:
    pieces_of_zeros = list(inflate(iter([gzip.compress(bytes(50_000_000))]), "x"))
    assert sum(map(len, pieces_of_zeros)) == 50_000_000
    assert max(map(len, pieces_of_zeros)) <= LARGEST_PIECE


@settings(max_examples=30)
@given(st.binary(max_size=400))
def test_arbitrary_bytes_cause_no_other_error(content: bytes) -> None:
    for compressed in (False, True):
        with pytest.raises((DamagedFile, SchemaMismatch)):
            for _ in TripStream(iter([content]), GREEN, MARCH, compressed=compressed).blocks():
                pass


@settings(max_examples=50)
@given(st.lists(st.sampled_from(["", "\r", '"', "\\.", "x", row(GREEN, 1), row(GREEN, 2), "1.0,2"]), max_size=8))
def test_rows_count_the_lines_whatever_they_hold(lines: list[str]) -> None:
    plain = text(GREEN, [row(GREEN, 0), *lines], "\n")
    body, done = read(plain)
    assert body == plain.partition(b"\n")[2]
    assert done.rows == 1 + len(lines)
