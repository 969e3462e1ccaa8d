"""Every usual spelling of an address means the one right address."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airbyte_sync import InvalidInput
from airbyte_sync_http import (
    addresses,
    config_api_url,
    job_url,
    normalise_base_url,
    token_url,
    ui_url,
)

CLOUD = "https://api.airbyte.com/v1"
SELF_MANAGED = "http://localhost:8000/api/public/v1"

SPELLINGS = [
    ("https://api.airbyte.com", CLOUD),
    ("https://api.airbyte.com/", CLOUD),
    ("https://api.airbyte.com/v1", CLOUD),
    ("https://api.airbyte.com/v1/", CLOUD),
    ("HTTPS://API.Airbyte.com/v1", CLOUD),
    (" https://api.airbyte.com/api/public/v1 ", CLOUD),
    ("http://localhost:8000", SELF_MANAGED),
    ("http://localhost:8000/", SELF_MANAGED),
    ("http://localhost:8000/api", SELF_MANAGED),
    ("http://localhost:8000/api/", SELF_MANAGED),
    ("http://localhost:8000/api/v1", SELF_MANAGED),
    ("http://localhost:8000/api/v1/", SELF_MANAGED),
    ("http://localhost:8000/api/public", SELF_MANAGED),
    ("http://localhost:8000/api/public/v1", SELF_MANAGED),
    ("http://localhost:8000//api//public/v1//", SELF_MANAGED),
    ("http://localhost:8000/v1", "http://localhost:8000/v1"),
    ("https://proxy.corp/airbyte", "https://proxy.corp/airbyte/api/public/v1"),
    ("https://proxy.corp/airbyte/api/v1", "https://proxy.corp/airbyte/api/public/v1"),
    ("https://proxy.corp/airbyte/v1", "https://proxy.corp/airbyte/v1"),
    ("https://proxy.corp/airbyte/public/v1/", "https://proxy.corp/airbyte/public/v1"),
    ("http://[::1]:8000", "http://[::1]:8000/api/public/v1"),
    ("http://airbyte_server", "http://airbyte_server/api/public/v1"),
]


@pytest.mark.parametrize(("spelling", "meaning"), SPELLINGS)
def test_a_spelling_and_its_meaning(spelling, meaning):
    """What people write means what they mean."""
    assert meaning == normalise_base_url(spelling)


@given(
    st.sampled_from(SPELLINGS),
    st.lists(st.sampled_from(["api", "public", "v1", "v2", "airbyte"]), max_size=6),
)
def test_an_address_means_itself(spelling, segments):
    """Normalising twice is normalising once."""
    once = normalise_base_url("/".join([spelling[1], *segments]))
    assert once == normalise_base_url(once)


def test_another_version_is_kept():
    """The version is the address's own, or the one asked for."""
    assert "http://h/api/public/v2" == normalise_base_url("http://h", "v2")
    assert "http://h/api/public/v3" == normalise_base_url("http://h/api/public/v3", "v2")
    with pytest.raises(InvalidInput, match="write v1"):
        normalise_base_url("http://h", "1")


@pytest.mark.parametrize(
    ("address", "advice"),
    [
        ("", "write https://api.airbyte.com"),
        ("api.airbyte.com", "write https://api.airbyte.com"),
        ("localhost:8000", "write http://localhost:8000"),
        ("ftp://host", "write https://api.airbyte.com, or http://host:8000"),
        ("http://", "write https://api.airbyte.com, or http://host:8000"),
        ("http://host:port", "write https://api.airbyte.com, or http://host:8000"),
        ("http://host:99999", "write https://api.airbyte.com, or http://host:8000"),
        ("http://[::1", "write https://api.airbyte.com, or http://host:8000"),
        ("http://a..b", "write https://api.airbyte.com, or http://host:8000"),
        ("http://" + "a" * 64, "write https://api.airbyte.com, or http://host:8000"),
        ("http://bücher.example", "write https://api.airbyte.com, or http://host:8000"),
        ("http://two words", "write https://api.airbyte.com, or http://host:8000"),
        ("http://host/a b", "write https://api.airbyte.com, or http://host:8000"),
        ("http://host?x=1", "write http://host"),
        ("http://host/v1#top", "write http://host/v1"),
        ("http://api.airbyte.com", "write https://api.airbyte.com"),
        ("https://cloud.airbyte.com", "write https://api.airbyte.com"),
        ("//host:8000", "write http://host:8000"),
        ("http://host:8000/workspaces/7/connections", "web application: write http://host:8000"),
        ("http://host/airbyte/workspaces", "web application: write http://host/airbyte"),
        (
            "http://host:8000/workspaces/7/connections/8/timeline?jobId=9",
            "#: write http://host:8000",
        ),
    ],
)
def test_an_impossible_address_is_explained(address, advice):
    """An address that cannot be right is refused before anything is sent, with what to write."""
    with pytest.raises(InvalidInput) as caught:
        normalise_base_url(address)
    assert advice in str(caught.value)


def test_credentials_in_an_address_are_not_repeated():
    """The error about them does not show them."""
    with pytest.raises(InvalidInput, match="without them") as caught:
        normalise_base_url("http://ann:s3cr3t@host")
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize("schema", ["", "v1/applications/token", "/v1/applications/token/"])
@pytest.mark.parametrize(("spelling", "meaning"), SPELLINGS)
def test_the_usual_token_route(spelling, meaning, schema):
    """The route that the documentation names is found below any spelling of the host."""
    assert f"{meaning}/applications/token" == token_url(spelling, schema)


@pytest.mark.parametrize(
    ("schema", "url"),
    [
        ("applications/token", f"{SELF_MANAGED}/applications/token"),
        ("api/public/v1/applications/token", f"{SELF_MANAGED}/applications/token"),
        ("/api/v1/applications/token", f"{SELF_MANAGED}/applications/token"),
        ("/auth/realms/airbyte/token", "http://localhost:8000/auth/realms/airbyte/token"),
        ("oauth/token", f"{SELF_MANAGED}/oauth/token"),
        ("//evil.corp/token", "http://localhost:8000/evil.corp/token"),
        ("https://sso.corp/token", "https://sso.corp/token"),
    ],
)
def test_an_unusual_token_route(schema, url):
    """A path from the root, a path below the API, or a whole URL: nothing else leaves the host."""
    assert url == token_url("http://localhost:8000", schema)


@pytest.mark.parametrize(
    "schema",
    ["two words", "token?x=1", "https://ann:s3cr3t@sso/", "ftp://sso/", "a\nb"],
)
def test_an_impossible_token_route_is_refused(schema):
    """What cannot be an address is refused."""
    with pytest.raises(InvalidInput):
        token_url("http://localhost:8000", schema)


@pytest.mark.parametrize(
    ("base_url", "ui", "config_api"),
    [
        (CLOUD, "https://cloud.airbyte.com", "https://cloud.airbyte.com/api/v1"),
        (SELF_MANAGED, "http://localhost:8000", "http://localhost:8000/api/v1"),
        ("https://corp/airbyte", "https://corp/airbyte", "https://corp/airbyte/api/v1"),
        ("http://localhost:8000/v1", "http://localhost:8000", "http://localhost:8000/api/v1"),
    ],
)
def test_what_lies_beside_the_api(base_url, ui, config_api):
    """The web application and the older API are found from the public API's address."""
    assert (ui, config_api) == (ui_url(base_url), config_api_url(base_url))


@pytest.mark.parametrize(
    ("address", "meaning"),
    [
        ("https://airbyte.corp/", "https://airbyte.corp"),
        (" https://corp/tools/airbyte/ ", "https://corp/tools/airbyte"),
        ("https://cloud.airbyte.com/workspaces/7/connections", "https://cloud.airbyte.com"),
        ("http://localhost:8000", "http://localhost:8000"),
    ],
)
def test_the_address_of_the_web_application(address, meaning):
    """It may be copied from a browser, and has no slash at its end."""
    assert meaning == addresses.normalise_ui_url(address)


@pytest.mark.parametrize(
    ("address", "advice"),
    [
        ("airbyte.corp", "web application 'airbyte.corp' has no scheme: write http://airbyte.corp"),
        ("javascript://x", "begins with javascript://: write https://cloud.airbyte.com"),
        ("https://ann:s3cr3t@corp", "write it without them"),
        ("https://corp/?next=1", "write https://corp/"),
        ("https://two words", "is not a URL"),
    ],
)
def test_an_impossible_address_of_the_web_application(address, advice):
    """It is shown as a link, so nothing but http and https will do."""
    with pytest.raises(InvalidInput) as caught:
        addresses.normalise_ui_url(address)
    assert advice in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_the_page_of_a_job():
    """It is the same on Cloud and self-managed; ids come from a server, and are written safely."""
    address = job_url("https://airbyte.example", "a/b", "c?d", 7)
    assert (
        "https://airbyte.example/workspaces/a%2Fb/connections/c%3Fd/timeline?jobId=7&openLogs=true"
        == address
    )
