"""The file of the zone lookup: the real one, other spellings of it, and files that are not a zone lookup."""

from collections.abc import Callable
from pathlib import Path

import pytest

from taxi_platform.errors import BadRows, DamagedFile, SchemaMismatch
from taxi_platform.settings import PROJECT
from taxi_platform.trips.zones import ZoneRow, read_zones

REAL = PROJECT.parent / "shared" / "data" / "taxi_zone_lookup.csv"
HEADER = '"LocationID","Borough","Zone","service_zone"\n'
ROWS = ['1,"EWR","Newark Airport","EWR"\n', '2,"Queens","Jamaica Bay","Boro Zone"\n', '265,"N/A","NA","N/A"\n']

Read = Callable[[str | bytes], list[ZoneRow]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read(content: str | bytes) -> list[ZoneRow]:
        path = tmp_path / "taxi_zone_lookup.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_zones(path)

    return read


def test_the_zones_come_in_the_files_order_with_the_contracts_columns(read: Read) -> None:
    assert read(HEADER + "".join(ROWS)) == [
        (1, "EWR", "Newark Airport", "EWR"),
        (2, "Queens", "Jamaica Bay", "Boro Zone"),
        (265, "N/A", "NA", "N/A"),
    ]


@pytest.mark.skipif(not REAL.is_file(), reason="the real zone lookup is not in ../shared/data")
def test_the_real_lookup_has_265_zones() -> None:
    zones = read_zones(REAL)
    assert [number for number, *_ in zones] == list(range(1, 266))
    boroughs = {borough for _, borough, *_ in zones}
    assert boroughs == {"Bronx", "Brooklyn", "EWR", "Manhattan", "Queens", "Staten Island", "Unknown"}


@pytest.mark.parametrize(
    "content",
    [
        (HEADER + "".join(ROWS)).replace("\n", "\r\n"),
        "\ufeff" + HEADER + "".join(ROWS),
        HEADER.upper().replace('"', " ") + "\n" + "\n".join(ROWS),
        (HEADER + "".join(ROWS)).replace('"', ""),
        (HEADER + "".join(ROWS)).removesuffix("\n"),
    ],
    ids=["CRLF", "a mark", "blank lines, upper case, spaces", "no quotes", "no last line end"],
)
def test_spelling_does_not_matter(read: Read, content: str) -> None:
    assert [number for number, *_ in read(content)] == [1, 2, 265]


def test_names_may_be_in_any_script_and_hold_commas(read: Read) -> None:
    assert read(HEADER + '1,"Queens","Jamaïca, ""Bay""","x"\n')[0][2] == 'Jamaïca, "Bay"'


@pytest.mark.parametrize("content", ["", "\n\n", HEADER, HEADER + "\n"])
def test_a_file_without_zones_is_damaged(read: Read, content: str) -> None:
    with pytest.raises(DamagedFile, match=r"^taxi_zone_lookup\.csv: it has no zones\. It is at /"):
        read(content)


def test_a_file_that_is_not_text_is_damaged(read: Read) -> None:
    with pytest.raises(DamagedFile, match="it is not UTF-8 text"):
        read(b"\x1f\x8b\x08\x00\xff\xff")


@pytest.mark.parametrize(
    "content",
    [
        "<!DOCTYPE html>\n<title>404</title>\n",
        "LocationID,Zone,Borough,service_zone\n" + ROWS[0],
        "LocationID,Borough,Zone\n1,EWR,Newark\n",
        "".join(ROWS),
    ],
    ids=["a web page", "another order", "a column less", "no header"],
)
def test_a_file_with_other_columns_is_described_and_not_quoted(read: Read, content: str) -> None:
    expected = r"it is (a web page|some text) whose first line is not locationid, borough, zone, service_zone\."
    with pytest.raises(SchemaMismatch, match=expected):
        read(content)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("3,Bronx,Allerton\n", "3 fields where there are 4 columns"),
        ("3,Bronx,Allerton,Boro Zone,x\n", "5 fields where there are 4 columns"),
        ("three,Bronx,Allerton,Boro Zone\n", "'three' is not a zone number"),
        (",Bronx,Allerton,Boro Zone\n", "'' is not a zone number"),
        ("-3,Bronx,Allerton,Boro Zone\n", "'-3' is not a zone number"),
        ("3.0,Bronx,Allerton,Boro Zone\n", "'3.0' is not a zone number"),
        ("\u0663,Bronx,Allerton,Boro Zone\n", "'\u0663' is not a zone number"),
        ("99999999999,Bronx,Allerton,Boro Zone\n", "'99999999999' is not a zone number"),
        ("2,Bronx,Allerton,Boro Zone\n", "zone 2 comes twice"),
        ("02,Bronx,Allerton,Boro Zone\n", "zone 2 comes twice"),
    ],
)
def test_a_bad_row_is_named(read: Read, row: str, problem: str) -> None:
    with pytest.raises(BadRows) as caught:
        read(HEADER + "".join(ROWS) + row)
    assert str(caught.value) == f"taxi_zone_lookup.csv: zone row 4: {problem}. Correct the file and run again."


@pytest.mark.parametrize(
    "row", ['3,"Bronx","Allerton","Boro Zone\n', '3,"Bronx,"Allerton","x"\n', '3,Bronx,Allerton,"Boro Zone\n']
)
def test_a_quote_that_is_never_closed_does_not_swallow_zones(read: Read, row: str) -> None:
    with pytest.raises(BadRows, match=r"^taxi_zone_lookup\.csv: it is not valid CSV"):
        read(HEADER + ROWS[0] + row + ROWS[1].replace('"', ""))
