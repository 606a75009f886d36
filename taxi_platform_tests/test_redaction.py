"""Texts without passwords, whatever characters the passwords have."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxi_platform.redaction import kind_of, redact, secrets_of

# Any text that can be typed as the password of an address, with a § so that it does not occur by chance.
PASSWORDS = st.text(st.characters(min_codepoint=33, max_codepoint=0x17F, exclude_characters="\x7f"), min_size=4).map(
    lambda text: f"§{text}"
)


@given(PASSWORDS)
def test_a_password_in_an_address_is_shown_nowhere(password: str) -> None:
    encoded = quote(password, safe="")
    url = f"postgresql://taxi:{encoded}@db.example:5432/ny_taxi"
    message = f'connection to "{url}" failed: password "{password}" (as {encoded}) is wrong for postgresql://taxi:{password}@db'
    shown = redact(message, secrets_of(url))
    assert password not in shown
    assert encoded not in shown
    assert "db.example:5432/ny_taxi" in redact(f"{url} failed", secrets_of(url)) or "@" in password


@given(PASSWORDS)
def test_a_password_that_was_not_encoded_is_shown_nowhere_either(password: str) -> None:
    url = f"postgresql://taxi:{password}@db.example/ny_taxi"
    assert password not in redact(f"{url}: no such host; user taxi, password {password}", secrets_of(url))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see https://u:p@host/a and http://host/b", "see https://***@host/a and http://host/b"),
        ("host=db password=s user=u", "host=db password=*** user=u"),
        ("password='a b' dbname=x", "password=*** dbname=x"),
        ("https://host/x?token=abc&month=2019-03", "https://host/x?token=***&month=2019-03"),
        ("GET https://host/x?sv=1&sig=abc%2B failed", "GET https://host/x?sv=1&sig=*** failed"),
        ("/x?X-Amz-Signature=abc&X-Amz-Credential=me", "/x?X-Amz-Signature=***&X-Amz-Credential=***"),
        ("/x?api_key=abc", "/x?api_key=***"),
        (r"host=db password='a\' b' user=u", "host=db password=*** user=u"),
        (r"host=db password=a\ b user=u", "host=db password=*** user=u"),
        ("green_tripdata_2019-03.csv.gz: not there", "green_tripdata_2019-03.csv.gz: not there"),
        ("mail somebody@example.com", "mail somebody@example.com"),
    ],
)
def test_the_shapes_of_secrets_are_known(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize("dsn", [r"host=db password='pa\'ss word'", r"host=db password=pa\'ss\ word user=u"])
def test_an_escaped_password_of_a_connection_string_is_not_shown_in_any_spelling(dsn: str) -> None:
    assert redact(f"role pa'ss word does not exist ({dsn})", secrets_of(dsn)).count("pa") == 1  # of password=


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\n <!DOCTYPE html>", "a web page"),
        (b"\x1f\x8b\x08", "gzip data"),
        (b"PAR1\x15", "a Parquet file"),
        (b"PK\x03\x04", "a zip archive"),
        (b"root:x:0:0", "some text"),
        (b"\xff\xfe", "binary data"),
        (b"", "some text"),
    ],
)
def test_unknown_data_is_described_and_not_quoted(data: bytes, kind: str) -> None:
    assert kind_of(data) == kind


def test_a_very_short_password_does_not_hide_ordinary_words() -> None:
    assert redact("a month of green", secrets_of("postgresql://u:a@h/d")) == "a month of green"
