"""Credentials that were copied badly: the error says what is odd about them, and never repeats them."""

from __future__ import annotations

import pytest

from airbyte_sync import InvalidInput, Unauthorized
from airbyte_sync_http import (
    BasicAuth,
    BearerToken,
    ClientCredentials,
    ServerSettings,
    open_gateway,
)
from airbyte_sync_http.protocol.cleaning import oddities
from airbyte_sync_local import LocalAirbyte
from airbyte_sync_local import RequireBasicAuth as WantsBasicAuth
from airbyte_sync_local import RequireClientCredentials as WantsClientCredentials

ODD = [
    ("s3cr3t\n", "ends with a line break"),
    ("s3cr3t\r\n", "ends with a line break"),
    ("\ns3cr3t", "begins with a line break"),
    ("s3cr3t ", "ends with a blank"),
    ("\u00a0s3cr3t", "begins with a blank"),
    ("s3cr3t\t", "ends with a blank"),
    ("s3c r3t", "has a blank in it"),
    ("s3c\nr3t", "has a line break in it"),
    ('"s3cr3t"', "has a quotation mark around it"),
    ("'s3cr3t", "has a quotation mark around it"),
    ("\u201cs3cr3t\u201d", "has a quotation mark around it"),
    ("s3cr3t\u200b", "has an invisible (zero-width) character"),
    ("\ufeffs3cr3t", "has an invisible (zero-width) character"),
    ("s3c\x00r3t", "has a control character"),
]


@pytest.mark.parametrize(("text", "said"), ODD)
def test_what_is_odd_is_said(text, said):
    """One sentence, about the text by its name, without the text."""
    assert f" The client secret {said}." == oddities({"client secret": text})


@pytest.mark.parametrize("text", ["s3cr3t", "pa\u00dfwort", "a-b_c.d/e+f==", ""])
def test_what_is_usual_is_not_mentioned(text):
    """Letters of any language are no oddity."""
    assert "" == oddities({"password": text})


def test_two_texts_have_two_sentences():
    """And a text with two oddities has one."""
    assert (
        " The client id begins with a blank and has a quotation mark around it. The client secret ends "
        "with a line break."
    ) == oddities({"client id": " '7'", "client secret": "x\n"})


@pytest.mark.parametrize(
    "make",
    [
        lambda: ClientCredentials(client_id="id", client_secret="s3cr3t\n"),
        lambda: BearerToken(token="s3cr3t\n"),
        lambda: BasicAuth(username="me", password="s3cr3t\n"),
    ],
)
def test_a_line_break_is_named_when_it_is_refused(make):
    """It cannot be sent; the text says where it is."""
    with pytest.raises(InvalidInput, match=r"ends with a line break\.$") as caught:
        make()
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    ("wanted", "given", "said"),
    [
        (
            WantsClientCredentials(client_id="id", client_secret="s3cr3t"),
            ClientCredentials(client_id="id", client_secret="s3cr3t "),
            "The client secret ends with a blank.",
        ),
        (
            WantsClientCredentials(client_id="id", client_secret="s3cr3t"),
            ClientCredentials(client_id='"id"', client_secret="s3cr3t"),
            "The client id has a quotation mark around it.",
        ),
        (
            WantsBasicAuth(username="me", password="s3cr3t"),
            BasicAuth(username="me", password="s3cr3t\u200b"),
            "The password has an invisible (zero-width) character.",
        ),
        (
            WantsClientCredentials(client_id="id", client_secret="s3cr3t"),
            BearerToken(token="'s3cr3t'"),
            "The bearer token has a quotation mark around it.",
        ),
    ],
)
def test_an_oddity_is_named_when_the_server_refuses(wanted, given, said):
    """What can be sent is sent; where it is refused, the error tells more than that it is wrong."""
    with LocalAirbyte(auth=wanted) as airbyte:
        settings = ServerSettings(base_url=airbyte.base_url, auth=given)
        with open_gateway(settings) as gateway, pytest.raises(Unauthorized) as caught:
            gateway.check()
    assert said in str(caught.value)
    assert "s3cr3t" not in str(caught.value)
