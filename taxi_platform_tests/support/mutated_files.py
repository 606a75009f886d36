"""Trip files that are damaged or spelled differently at random. The same number always gives the same file.

file = mutated(4711)
file.content, file.service, file.mutations
"""

import gzip
import string
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from taxi_platform.trips.services import SERVICES, Service
from taxi_platform_tests.support.trip_texts import header, rows, zipped

DATES = (
    *("now", "yesterday", "tomorrow", "epoch", "infinity", "-infinity", "allballs", "2019-03-01", "20190301 101010"),
    *("2019-03-01T00:10:16", "2019-03-01T00:10:16Z", "2019-03-01 00:10:16+05", "2019-03-01 00:10:16 +05"),
    *("2019-03-01 24:00:00", "2019-03-01 23:59:60", "2019-03-01 23:60:00", "2019-02-29 00:10:16"),
    *("2020-02-29 00:10:16", "0000-01-01 00:00:00", "0001-01-01 00:00:00", "9999-12-31 23:59:59"),
    *("10019-03-01 00:10:16", "2019-3-1 0:10", "3/1/2019 01:10:16 PM", "3/1/2019 1:10 am", "13/1/2019 1:10"),
    *("03/01/2019 12:00:00 AM", "Mar 1 2019 00:10:16", "2019-03-01 00:10:16.25", "2019-03-01 00:10:16.1234567"),
    *("2019-03-01 00:10:16 BC", "01.03.2019 00:10:16"),
)
NUMBERS = (
    *("1.0", "1.00", "2.", "07", "007", ".0", "74.5", "1_0", "0x1F", "0x10", "+3", "-3", "- 3", "--3", "1e2", "1e29"),
    *("9" * 10, "9" * 28, "9" * 29, "9" * 400, "2147483647", "2147483648", "-2147483648", "-2147483649", "0.1"),
    *("-.5", "5.", ".", "-", "-.", "1.2.3", "nan", "NaN", "Infinity", "-0", "-0.0", "0.30000000000000004", "1e22"),
    *("5e-324", "1E-400", "9007199254740993", "30576664538002232", "1e15", "123456789012345678", "$3", "1,5", "1 2"),
    *(".5", "٣", "", " ", "\t", "  7 "),
)
TEXTS = (
    *("N", "Y", "null", "NULL", "\\N", "\\.", '"', '""', '"N"', '"N', 'N"', '"a,b"', '"a""b"', '"a\nb"', "'", "é"),
    *("\u2028", "\ufeff", "\x00", "\x1a", "\r", "\x0b", "x" * 300, "B00001         ", "Some Base", "#1-2/3", "=1+1"),
)
VALUES = (*DATES, *NUMBERS, *TEXTS)
LINES = ("", " ", "\r", "\\.", ",", "," * 6, "," * 17, "," * 19, '"', '""', "x", "\x00", "2019-03-01", ";" * 19, "\t")
ALPHABET = string.digits * 3 + "-: .,NYeExX_+/TPM\"\\'é\x00\r\n"


@dataclass(frozen=True)
class MutatedFile:
    """One mutated file.

    Attributes:
        seed: the number that determines it.
        service: whose trips it was, before it was changed.
        content: its bytes, plain or gzipped.
        originals: the good rows that it was made from; mutations may have removed some.
        mutations: the changes, in order, for messages.
    """

    seed: int
    service: Service
    content: bytes
    originals: tuple[str, ...]
    mutations: tuple[str, ...]

    @property
    def compressed(self) -> bool:
        """Whether it is published as a gzip file."""
        return self.content.startswith(b"\x1f")


def mutated(seed: int) -> MutatedFile:
    """Return the file that this seed makes."""
    random = Random(seed)
    service = random.choice(list(SERVICES.values()))
    originals = tuple(rows(service, random.randint(1, 8), random.randrange(40_000)))
    lines = [header(service), *originals]
    done: list[str] = []

    def apply(mutations: dict[str, Callable[[Random, list[str]], None]], count: int) -> None:
        for name in random.choices(list(mutations), k=count):
            mutations[name](random, lines)
            done.append(name)

    apply(_ROWS, random.choice((0, 1, 1, 1, 2, 3)))
    apply(_HEADERS, random.random() < 0.15)
    name, content = _ended(random, lines)
    done.append(name)
    for _ in range(random.choice((0, 0, 0, 0, 0, 0, 1, 2))):
        content = _with_other_bytes(random, content)
        done.append("other bytes")
    name, content = _packed(random, content)
    return MutatedFile(seed, service, content, originals, (*done, name))


def _text(random: Random, column: str = "") -> str:
    """Return a value; in most cases one of the column's kind."""
    luck = random.random()
    if luck < 0.6 and column:
        kind = DATES if "time" in column.lower() else TEXTS if column.lower().endswith(("flag", "number")) else NUMBERS
        return random.choice(kind)
    if luck < 0.8:
        return random.choice(VALUES)
    return "".join(random.choices(ALPHABET, k=random.randint(1, 22)))


def _place(random: Random, lines: list[str]) -> int:
    """Return the index of a random row, or of the header if there is no row."""
    return random.randrange(1, len(lines)) if len(lines) > 1 else 0


def _change_field(random: Random, lines: list[str]) -> None:
    place = _place(random, lines)
    fields, names = lines[place].split(","), lines[0].split(",")
    places = range(min(len(fields), len(names)))
    column = random.choice(places)
    if random.random() < 0.3:
        column = random.choice([index for index in places if "time" in names[index].lower()] or [column])
    fields[column] = _text(random, names[column])
    lines[place] = ",".join(fields)


def _change_column(random: Random, lines: list[str]) -> None:
    names = lines[0].split(",")
    column = random.randrange(len(names))
    value = _text(random, names[column])
    for place in range(1, len(lines)):
        fields = lines[place].split(",")
        fields[min(column, len(fields) - 1)] = value
        lines[place] = ",".join(fields)


def _quote_fields(random: Random, lines: list[str]) -> None:
    place = _place(random, lines)
    lines[place] = ",".join(f'"{field}"' if random.random() < 0.5 else field for field in lines[place].split(","))


def _drop_or_add_field(random: Random, lines: list[str]) -> None:
    place = _place(random, lines)
    fields = lines[place].split(",")
    if random.random() < 0.5:
        fields.pop(random.randrange(len(fields)))
    else:
        fields.insert(random.randint(0, len(fields)), _text(random))
    lines[place] = ",".join(fields)


def _insert_line(random: Random, lines: list[str]) -> None:
    lines.insert(random.randint(1, len(lines)), random.choice((*LINES, random.choice(lines), _text(random))))


def _drop_line(random: Random, lines: list[str]) -> None:
    lines.pop(_place(random, lines))
    if not lines:
        lines.append("")


def _shuffle_columns(random: Random, lines: list[str]) -> None:
    order = list(range(lines[0].count(",") + 1))
    random.shuffle(order)
    for place, line in enumerate(lines):
        fields = line.split(",")
        if len(fields) == len(order):
            lines[place] = ",".join(fields[index] for index in order)


def _respell_header(random: Random, lines: list[str]) -> None:
    lines[0] = random.choice(
        (str.upper, str.lower, str.title, lambda text: text.replace(",", " , "), lambda text: "\ufeff" + text)
    )(lines[0])


def _break_header(random: Random, lines: list[str]) -> None:
    names = lines[0].split(",")
    action = random.choice(("drop", "repeat", "rename", "none"))
    if action == "drop":
        names.pop(random.randrange(len(names)))
    elif action == "repeat":
        names.append(random.choice(names))
    elif action == "rename":
        names[random.randrange(len(names))] = _text(random)
    lines[0] = ",".join(names) if action != "none" else _text(random)


def _ended(random: Random, lines: list[str]) -> tuple[str, bytes]:
    """Return the lines joined by a random kind of line end, in a random encoding, and the name of both."""
    name = random.choice(("CRLF", "LF") * 5 + ("mixed ends", "no last end", "no last end", "CR"))
    ends = {"CRLF": "\r\n", "no last end": "\r\n", "CR": "\r"}
    text = "".join(
        line + (random.choice(("\r\n", "\n")) if name == "mixed ends" else ends.get(name, "\n")) for line in lines
    )
    if name == "no last end":
        text = text.removesuffix("\r\n")
    encoding = random.choice(("utf-8",) * 30 + ("latin-1", "utf-16"))
    return f"{name} in {encoding}", text.encode(encoding, "replace")


def _with_other_bytes(random: Random, content: bytes) -> bytes:
    """Return the content with some bytes flipped, inserted, removed, repeated or cut off."""
    place = random.randrange(len(content) + 1)
    length = random.choice((1, 1, 2, 30))
    return random.choice(
        (
            lambda: content[:place] + bytes([random.randrange(256)]) + content[place + 1 :],
            lambda: content[:place] + random.randbytes(length) + content[place:],
            lambda: content[:place] + content[place + length :],
            lambda: content[:place] + content[place : place + length] * 2 + content[place + length :],
            lambda: content[:place],
        )
    )()


def _packed(random: Random, content: bytes) -> tuple[str, bytes]:
    """Return the content plain or compressed, some of it damaged, and the name of the choice."""
    cut = random.randrange(len(content) + 1)
    name = random.choice(("plain",) * 10 + ("gzip",) * 20 + ("members", "cut gzip", "broken gzip", "zeros", "garbage"))
    if name == "plain":
        return name, content
    if name == "members":
        return name, zipped(content[:cut]) + zipped(content[cut:])
    packed = gzip.compress(content, random.choice((1, 6, 9)), mtime=0)
    if name == "cut gzip":
        return name, packed[: random.randrange(1, len(packed))]
    if name == "broken gzip":
        place = random.randrange(1, len(packed))
        return name, packed[:place] + bytes([packed[place] ^ 1 << random.randrange(8)]) + packed[place + 1 :]
    return name, packed + {"zeros": bytes(512), "garbage": b"garbage"}.get(name, b"")


_ROWS: dict[str, Callable[[Random, list[str]], None]] = {
    "a field": _change_field,
    "another field": _change_field,
    "a column": _change_column,
    "quotes": _quote_fields,
    "fields": _drop_or_add_field,
    "a line more": _insert_line,
    "a line less": _drop_line,
}
_HEADERS: dict[str, Callable[[Random, list[str]], None]] = {
    "another order": _shuffle_columns,
    "the header's spelling": _respell_header,
    "the header": _break_header,
}
