"""Names of images, and what Docker Hub may say of one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxi_platform.course.docker_hub import pulls_of, repository
from taxi_platform.errors import DamagedFile, InvalidSetting

OWNERS = st.from_regex(r"[a-z0-9]{1,9}([_-][a-z0-9]{1,9}){0,2}", fullmatch=True)
NAMES = st.from_regex(r"[a-z0-9]{1,9}([._-][a-z0-9]{1,9}){0,2}", fullmatch=True)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("kestra/kestra", "kestra/kestra"),
        ("python", "library/python"),
        ("library/python", "library/python"),
        (" dagster/dagster-k8s ", "dagster/dagster-k8s"),
        ("a__b/c--d.e", "a__b/c--d.e"),
    ],
)
def test_an_image_is_found_under_its_repository(image: str, expected: str) -> None:
    assert repository(image) == expected


@given(OWNERS, NAMES)
def test_every_name_that_docker_allows_is_allowed(owner: str, name: str) -> None:
    assert repository(f"{owner}/{name}") == f"{owner}/{name}"


@given(st.text())
def test_no_name_leads_to_another_path_of_the_server(image: str) -> None:
    try:
        found = repository(image)
    except InvalidSetting:
        return
    owner, name = found.split("/")
    assert not set(owner + name) - set("abcdefghijklmnopqrstuvwxyz0123456789._-")
    assert {owner, name} & {".", "..", ""} == set()


@pytest.mark.parametrize(
    ("image", "problem"),
    [
        ("", "it is empty"),
        ("  ", "it is empty"),
        ("x" * 256, "longer than 255 characters"),
        ("python:3.12", "leave out what follows : or @"),
        ("kestra/kestra@sha256:ab", "leave out what follows : or @"),
        ("ghcr.io/owner/name", "other registries"),
        ("ghcr.io/name", "other registries"),
        ("Kestra/Kestra", "lower-case letters"),
        ("../../secrets", "other registries"),
        ("a/..", "lower-case letters"),
        ("a.b/c", "other registries"),
        ("/python", "lower-case letters"),
        ("python/", "lower-case letters"),
        ("what is this?", "lower-case letters"),
    ],
)
def test_a_name_that_means_nothing_is_told_with_what_would(image: str, problem: str) -> None:
    with pytest.raises(InvalidSetting, match=problem) as raised:
        repository(image)
    assert "Write owner/name, as in kestra/kestra" in str(raised.value)
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize("answer", [[], None, "text", 7, {}, {"pulls": 3}])
def test_an_answer_without_a_count_is_told(answer: Any) -> None:
    with pytest.raises(DamagedFile, match="kestra/kestra: Docker Hub's answer has no pull_count"):
        pulls_of(answer, "kestra/kestra")


@pytest.mark.parametrize("count", ["1234", 1.5, None, True, -1, [1], "x" * 10_000])
def test_a_count_that_is_none_is_told(count: Any) -> None:
    with pytest.raises(DamagedFile, match="its pull_count is not a count: ") as raised:
        pulls_of({"pull_count": count}, "kestra/kestra")
    assert len(str(raised.value)) < 200
