"""The published suites catch adapters that are wrong in one way, each in the place that names it.

Every adapter below is one of ours with one fault. Pytest runs facts of the suites on each of them, in other
processes. On every push these are the facts that must fail. The session ``lives`` runs the whole suites, and
nothing else may fail.
"""

from __future__ import annotations

import asyncio
import gzip
import inspect
import re
import subprocess
import sys
import warnings
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path
from threading import Event
from time import monotonic
from types import new_class
from urllib.parse import urljoin
from urllib.request import getproxies
from xml.etree import ElementTree as ET

import pytest
import requests
import urllib3

from airbyte_sync import (
    CallFailed,
    Forbidden,
    InvalidInput,
    JobNotRunning,
    JobQuery,
    JobStatus,
    JobType,
    NotFound,
    RefusedOnTheWay,
    RequestNotSent,
    ResponseNotReceived,
    ServerTrouble,
    StateConflict,
    SyncAlreadyRunning,
    Throttled,
    Unauthorized,
    UnexpectedReply,
)
from airbyte_sync_http import AirbyteGateway, ClientCredentials, HttpResponse, TokenCache
from airbyte_sync_http.auth.credentials import with_token
from airbyte_sync_http.auth.tokens import Send
from airbyte_sync_http.protocol import messages
from airbyte_sync_http.protocol.json_node import JsonNode
from airbyte_sync_http.transports.aiohttp_transport import AiohttpTransport
from airbyte_sync_http.transports.base import causes
from airbyte_sync_http.transports.requests_transport import RequestsTransport
from airbyte_sync_testkit import contract
from airbyte_sync_testkit.contract import (
    AsyncTransportContract,
    GatewayContract,
    ServerTime,
    TransportContract,
)
from airbyte_sync_testkit.contract.gateway import UNKNOWN_ID

ROOT = Path(__file__).parents[2]
CAUGHT_BY = {}
SOUND = {"test_one_token_serves_many_calls", "test_sends_what_it_is_given"}
"""An adapter that is broken altogether would fail here, too."""
UNPROVEN = {"a_reset_at_once_is_one_or_the_other", "is_a_transport"}


def _caught_by(suite, tests, fixture, new):
    def put_to_the_test(adapter):
        name = f"Wrong{adapter.__name__}"
        CAUGHT_BY[name] = {f"test_{test}" for test in tests}
        provided = pytest.fixture(lambda self: new(adapter), name=fixture)
        globals()[name] = new_class(
            name,
            (suite,),
            exec_body=lambda body: body.update({fixture: provided, "__module__": __name__}),
        )
        return adapter

    return put_to_the_test


def transport_caught_by(*tests):
    """Put a wrong transport to the test."""
    return _caught_by(TransportContract, tests, "new_transport", lambda adapter: adapter)


def async_transport_caught_by(*tests):
    """Put a wrong async transport to the test."""
    return _caught_by(AsyncTransportContract, tests, "new_transport", lambda adapter: adapter)


def gateway_caught_by(*tests):
    """Put a wrong gateway to the test."""

    def new(adapter):
        return lambda settings, clock: adapter(
            RequestsTransport(settings.transport), settings, clock=clock
        )

    return _caught_by(GatewayContract, tests, "new_gateway", new)


# --- transports ---


@transport_caught_by("sends_what_it_is_given")
class DropsTheQuery(RequestsTransport):
    def send(self, request):
        return super().send(replace(request, url=request.url.partition("?")[0]))


@transport_caught_by("a_request_without_a_body_has_none")
class AlwaysSendsABody(RequestsTransport):
    def send(self, request):
        return super().send(replace(request, body=request.body or b"{}"))


@transport_caught_by("never_follows_a_redirect")
class FollowsRedirects(RequestsTransport):
    def send(self, request):
        answer = super().send(request)
        target = answer.header("Location")
        if target == "/elsewhere":
            return super().send(replace(request, url=urljoin(request.url, target)))
        return answer


class Repeats(RequestsTransport):
    method = ""

    def send(self, request):
        try:
            return super().send(request)
        except ResponseNotReceived:
            if request.method != self.method:
                raise
            return super().send(request)


@transport_caught_by(
    "repeats_nothing_on_a_dropped_connection",
    "repeats_nothing_on_a_fresh_connection",
    "headers_without_measure_are_no_answer",
)
class RepeatsAGet(Repeats):
    method = "GET"


@transport_caught_by(
    "repeats_nothing_on_a_dropped_connection", "repeats_nothing_on_a_fresh_connection"
)
class RepeatsADelete(Repeats):
    method = "DELETE"


@transport_caught_by(
    "a_silent_server_is_no_proof",
    "an_answer_that_drips_ends_in_time",
    "half_an_answer_is_no_proof",
    "repeats_nothing_on_a_dropped_connection",
    "repeats_nothing_on_a_fresh_connection",
    "tls_that_breaks_under_the_answer_is_no_proof",
)
class RepeatsAPost(Repeats):
    method = "POST"


@transport_caught_by(
    "a_bomb_is_not_unpacked",
    "a_compression_that_was_not_asked_for_is_no_answer",
    "a_dripping_answer_over_tls_ends_in_time",
    "a_silence_within_the_answer_is_no_proof",
    "a_silent_server_is_no_proof",
    "an_answer_that_drips_ends_in_time",
    "an_error_that_is_being_handled_proves_nothing",
    "half_an_answer_is_no_proof",
    "reads_as_much_as_a_request_allows",
    "repeats_nothing_on_a_dropped_connection",
    "repeats_nothing_on_a_fresh_connection",
    "stops_reading_what_has_no_end",
    "tls_that_breaks_under_the_answer_is_no_proof",
    "headers_without_measure_are_no_answer",
)
class SaysNotSentForALostAnswer(RequestsTransport):
    def send(self, request):
        try:
            return super().send(request)
        except ResponseNotReceived as error:
            raise RequestNotSent(str(error)) from error


@transport_caught_by(
    "a_certificate_that_nobody_vouches_for_is_proof",
    "a_connection_that_takes_too_long_is_proof",
    "a_handshake_that_drips_is_proof",
    "a_handshake_that_takes_too_long_is_proof",
    "a_proxy_password_in_any_letters",
    "a_proxy_that_drips_is_proof",
    "a_proxy_that_cannot_be_reached_is_proof",
    "a_proxy_that_opens_no_tunnel_is_proof",
    "a_refused_connection_is_proof",
    "an_error_that_is_being_handled_proves_nothing",
    "tls_to_a_server_without_is_proof",
)
class SaysInDoubtForARefusedConnection(RequestsTransport):
    def send(self, request):
        try:
            return super().send(request)
        except RequestNotSent as error:
            raise ResponseNotReceived(str(error)) from error


@transport_caught_by("a_connection_that_takes_too_long_is_proof")
class SaysInDoubtForASlowConnection(RequestsTransport):
    def send(self, request):
        try:
            return super().send(request)
        except RequestNotSent as error:
            if any(isinstance(cause, requests.ConnectTimeout) for cause in causes(error)):
                raise ResponseNotReceived(str(error)) from error
            raise


@transport_caught_by("an_error_that_is_being_handled_proves_nothing")
class JudgesByTheErrorBeingHandled(RequestsTransport):
    def send(self, request):
        try:
            return super().send(request)
        except ResponseNotReceived as error:
            around = error
            while around is not None:
                if isinstance(around, RequestNotSent):
                    raise RequestNotSent(str(error)) from error
                around = around.__context__
            raise


@transport_caught_by("keeps_no_cookie")
class KeepsCookies(RequestsTransport):
    cookie = None

    def send(self, request):
        if self.cookie is not None:
            request = request.with_header("Cookie", self.cookie)
        answer = super().send(request)
        self.cookie = answer.header("Set-Cookie")
        return answer


@transport_caught_by("does_not_read_netrc")
class ReadsNetrc(RequestsTransport):
    def send(self, request):
        found = requests.utils.get_netrc_auth(request.url)
        if found is not None:
            basic = urllib3.make_headers(basic_auth=":".join(found))["authorization"]
            request = request.with_header("Authorization", basic)
        return super().send(request)


@transport_caught_by("a_proxy_password_in_any_letters", "returns_every_status")
class RaisesForAStatus(RequestsTransport):
    def send(self, request):
        answer = super().send(request)
        if answer.status >= 400:
            raise ResponseNotReceived(f"{answer.status}")
        return answer


@transport_caught_by("half_an_answer_is_no_proof")
class ReturnsHalfABody(RequestsTransport):
    def send(self, request):
        try:
            return super().send(request)
        except ResponseNotReceived as error:
            for cause in causes(error):
                if isinstance(cause, urllib3.exceptions.IncompleteRead):
                    return HttpResponse(status=200, body=b"x" * (cause.partial or 0))
            raise


@transport_caught_by("decompresses")
class LeavesABodyCompressed(RequestsTransport):
    def send(self, request):
        answer = super().send(request)
        if answer.header("Content-Encoding") == "gzip":
            return replace(answer, body=gzip.compress(answer.body))
        return answer


@transport_caught_by("headers_are_found_in_any_case")
class LosesHeaders(RequestsTransport):
    def send(self, request):
        answer = super().send(request)
        kept = {name: value for name, value in answer.headers.items() if name != "rEtRy-AfTeR"}
        return replace(answer, headers=kept)


@transport_caught_by("takes_long_headers")
class LosesLongHeaders(RequestsTransport):
    def send(self, request):
        answer = super().send(request)
        kept = {name: value for name, value in answer.headers.items() if len(value) < 8190}
        return replace(answer, headers=kept)


@transport_caught_by("headers_without_measure_are_no_answer", "stops_reading_what_has_no_end")
class TakesHeadersWithoutMeasure(RequestsTransport):
    def send(self, request):
        try:
            return super().send(request)
        except ResponseNotReceived as error:
            if "HTTPException" in str(error) or "LineTooLong" in str(error):
                return HttpResponse(status=200)
            raise


@transport_caught_by(
    "a_certificate_that_nobody_vouches_for_is_proof",
    "a_bundle_of_the_environment_that_is_gone_is_wrong_input",
)
class TrustsAnybody(RequestsTransport):
    def __init__(self, options):
        super().__init__(replace(options, verify=options.verify is not True and options.verify))

    def send(self, request):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return super().send(request)


@transport_caught_by("trusts_anybody_when_told_so")
class TrustsNobody(RequestsTransport):
    def __init__(self, options):
        super().__init__(replace(options, verify=options.verify or True))


@transport_caught_by(
    "a_bundle_that_is_none_is_wrong_input",
    "a_dripping_answer_over_tls_ends_in_time",
    "shows_a_client_certificate",
    "tls_that_breaks_under_the_answer_is_no_proof",
    "trusts_a_private_certificate",
)
class ForgetsThePrivateBundle(RequestsTransport):
    def __init__(self, options):
        super().__init__(replace(options, verify=bool(options.verify)))


@transport_caught_by("a_proxy_that_opens_no_tunnel_is_proof", "uses_the_proxy_it_is_given")
class ForgetsTheProxy(RequestsTransport):
    def __init__(self, options):
        super().__init__(replace(options, proxies={}))


@transport_caught_by(
    "a_bundle_that_is_none_is_wrong_input", "a_key_with_a_pass_phrase_is_wrong_input"
)
class TakesAnUnreadableBundleForAnOutage(RequestsTransport):
    def __init__(self, options):
        self.refusal = None
        try:
            super().__init__(options)
        except InvalidInput as error:
            self.refusal = error
            super().__init__()

    def send(self, request):
        if self.refusal is not None:
            raise RequestNotSent(str(self.refusal))
        return super().send(request)


@transport_caught_by("shows_a_client_certificate", "a_key_with_a_pass_phrase_is_wrong_input")
class ForgetsTheClientCertificate(RequestsTransport):
    def __init__(self, options):
        super().__init__(replace(options, client_cert=None))


@transport_caught_by("leaves_the_environment_alone_when_told_so")
class AlwaysTrustsTheEnvironment(RequestsTransport):
    def __init__(self, options):
        super().__init__(replace(options, trust_env=True))


@transport_caught_by(
    "a_proxy_password_in_any_letters",
    "refuses_a_proxy_of_another_kind",
    "uses_the_proxy_for_all",
    "uses_the_proxy_for_what_is_not_excluded",
    "uses_the_proxy_of_the_environment",
    "trusts_the_bundle_of_the_environment",
    "a_bundle_of_the_environment_that_is_gone_is_wrong_input",
)
class NeverTrustsTheEnvironment(RequestsTransport):
    def __init__(self, options):
        super().__init__(replace(options, trust_env=False))


class DecidesItself(RequestsTransport):
    """Decides on the proxy by itself in one case."""

    def case(self, environment):
        raise NotImplementedError

    def _network(self, url):
        found = self.case(getproxies())
        return super()._network(url) if found is None else {"proxies": found}


@transport_caught_by("leaves_out_the_proxy_for_what_is_excluded")
class KnowsNoRanges(DecidesItself):
    def case(self, environment):
        return environment if "/" in environment.get("no", "") else None


@transport_caught_by("uses_the_proxy_for_what_is_not_excluded", "uses_the_proxy_of_the_environment")
class LeavesOutTheProxyForEverybody(DecidesItself):
    def case(self, environment):
        return {} if "no" in environment else None


@transport_caught_by(
    "a_proxy_password_in_any_letters",
    "refuses_a_proxy_of_another_kind",
    "uses_the_proxy_for_all",
)
class KnowsNoProxyForAll(DecidesItself):
    def case(self, environment):
        return {} if "all" in environment else None


@transport_caught_by("refuses_a_proxy_of_another_kind")
class PassesOverSocks(DecidesItself):
    def case(self, environment):
        return {} if "socks" in environment.get("all", "") else None


@transport_caught_by("a_proxy_password_in_any_letters")
class WritesPasswordsInLatin1(RequestsTransport):
    def __init__(self, options):
        super().__init__(options)
        adapter = self._session.get_adapter("http://")
        usual = adapter.proxy_headers

        def in_latin_1(proxy):
            return {
                name: value[:-4] + "AAA=" for name, value in usual(proxy).items() if "@" in proxy
            }

        adapter.proxy_headers = lambda proxy: in_latin_1(proxy) if "%" in proxy else usual(proxy)


@transport_caught_by("an_error_tells_the_address_and_no_secret")
class TellsTheSecret(RequestsTransport):
    def send(self, request):
        try:
            return super().send(request)
        except CallFailed as error:
            raise type(error)(f"{error} {request.headers}") from error


def longer(duration):
    return duration + timedelta(seconds=1.5)


@transport_caught_by("an_answer_that_drips_ends_in_time", "a_dripping_answer_over_tls_ends_in_time")
class BoundsOnlyTheSilenceWithinAnAnswer(RequestsTransport):
    def send(self, request):
        return super().send(replace(request, read_timeout=longer(request.read_timeout)))


@transport_caught_by("a_handshake_that_drips_is_proof", "a_proxy_that_drips_is_proof")
class BoundsOnlyTheSilenceWhileConnecting(RequestsTransport):
    def send(self, request):
        return super().send(replace(request, connect_timeout=longer(request.connect_timeout)))


@transport_caught_by("every_answer_has_its_own_time")
class CountsTheTimeOfAllAnswers(RequestsTransport):
    spent = timedelta(0)

    def send(self, request):
        began = monotonic()
        left = max(request.read_timeout - self.spent, timedelta(milliseconds=1))
        try:
            return super().send(replace(request, read_timeout=left))
        finally:
            self.spent += timedelta(seconds=monotonic() - began)


@transport_caught_by("a_bomb_is_not_unpacked", "stops_reading_what_has_no_end")
class ReadsWhateverComes(RequestsTransport):
    def send(self, request):
        answer = super().send(replace(request, answer_limit=128 * 1024 * 1024))
        if len(answer.body) > request.answer_limit:
            raise ResponseNotReceived("after all of it was read")
        return answer


@transport_caught_by("reads_as_much_as_a_request_allows")
class ReadsWhatIsLargerByAByte(RequestsTransport):
    def send(self, request):
        return super().send(replace(request, answer_limit=request.answer_limit + 1))


@transport_caught_by("asks_for_what_it_decompresses_within_bounds")
class AsksForBrotli(RequestsTransport):
    def __init__(self, options):
        super().__init__(options)
        prepare = self._session.prepare_request

        def asking(request):
            request.headers["Accept-Encoding"] = "gzip, br"
            return prepare(request)

        self._session.prepare_request = asking


@transport_caught_by("a_compression_that_was_not_asked_for_is_no_answer")
class TakesAnyCompressionForNone(RequestsTransport):
    def send(self, request):
        try:
            return super().send(request)
        except ResponseNotReceived as error:
            if "was not asked for" in str(error):
                return HttpResponse(status=200, body=b"\x1f\x8b")
            raise


@transport_caught_by("serves_several_threads")
class KeepsTheRequestInItself(RequestsTransport):
    def send(self, request):
        self.request = request
        Event().wait(0.001)  # long enough for another thread
        return super().send(self.request)


@async_transport_caught_by("a_cancelled_request_closes_its_connection")
class SwallowsACancellation(AiohttpTransport):
    async def send(self, request):
        try:
            return await super().send(request)
        except asyncio.CancelledError:
            return HttpResponse(status=200)


@async_transport_caught_by("is_an_async_transport")
class ClosesWithoutBeingAwaited(AiohttpTransport):
    def close(self):
        return super().close()


# --- gateways: what is asked ---


@gateway_caught_by("a_lost_reply_is_in_doubt")
class RepeatsASubmissionAfterALostAnswer(AirbyteGateway):
    def submit(self, connection_id, job_type):
        try:
            return super().submit(connection_id, job_type)
        except ResponseNotReceived:
            return super().submit(connection_id, job_type)


@gateway_caught_by("a_refused_token_is_replaced_once", "submits_once")
class SubmitsTwice(AirbyteGateway):
    def submit(self, connection_id, job_type):
        job = super().submit(connection_id, job_type)
        if job_type is JobType.SYNC:
            with suppress(SyncAlreadyRunning):
                super().submit(connection_id, job_type)
        return job


@gateway_caught_by(
    "finds_connections_by_name_on_any_page",
    "finds_connections_in_a_workspace",
    "finds_connections_whose_names_are_nearly_the_one",
)
class FollowsNext(AirbyteGateway):
    def find_connections(self, name, workspace_id):
        call = messages.list_connections(self._settings, workspace_id, 0)
        found = []
        while True:
            answer = self._transport.send(call.request)
            page = call.read(answer)
            found += page
            following = JsonNode.of(answer.body)["next"].value
            if not page or not following:
                return tuple(
                    one for one in found if one.name == name and one.status.value != "deprecated"
                )
            # Airbyte believes to be where another server of this machine may listen.
            following = following.replace("//localhost:8001/", "//localhost:1/")
            call = replace(call, request=replace(call.request, url=following))


@gateway_caught_by(
    "finds_connections_by_name_on_any_page", "finds_connections_whose_names_are_nearly_the_one"
)
class LooksAtTheFirstPageOnly(AirbyteGateway):
    def find_connections(self, name, workspace_id):
        page = self._call(messages.list_connections(self._settings, workspace_id, 0))
        return tuple(one for one in page if one.name == name and one.status.value != "deprecated")


@gateway_caught_by("finds_connections_in_a_workspace")
class FindsInAnyWorkspace(AirbyteGateway):
    def find_connections(self, name, workspace_id):
        return super().find_connections(name, None)


@gateway_caught_by(
    "lists_the_newest_jobs_first",
    "lists_the_jobs_of_every_connection",
    "lists_what_has_changed_since",
)
class ListsTheOldestFirst(AirbyteGateway):
    def find_jobs(self, query):
        page = super().find_jobs(query)
        return replace(page, jobs=page.jobs[::-1])


@gateway_caught_by("lists_what_has_changed_since")
class ListsWhatHasNotChanged(AirbyteGateway):
    def find_jobs(self, query):
        return super().find_jobs(replace(query, updated_since=None))


@gateway_caught_by("lists_what_has_changed_since")
class TakesAnyZoneForUtc(AirbyteGateway):
    def find_jobs(self, query):
        since = query.updated_since and query.updated_since.replace(tzinfo=timezone.utc)
        return super().find_jobs(replace(query, updated_since=since))


@gateway_caught_by(
    "lists_jobs_of_one_status",
    "lists_the_jobs_of_a_workspace",
    "lists_the_jobs_of_every_connection",
    "lists_what_has_changed_since",
)
class WantsAConnection(AirbyteGateway):
    def find_jobs(self, query):
        return super().find_jobs(replace(query, connection_id=query.connection_id or UNKNOWN_ID))


@gateway_caught_by("lists_jobs_of_one_type")
class ListsJobsOfAnyType(AirbyteGateway):
    def find_jobs(self, query):
        return super().find_jobs(replace(query, job_type=None))


@gateway_caught_by("lists_jobs_of_one_status")
class ListsJobsOfAnyStatus(AirbyteGateway):
    def find_jobs(self, query):
        return super().find_jobs(replace(query, status=None))


@gateway_caught_by("lists_the_jobs_of_a_workspace")
class ListsJobsOfAnyWorkspace(AirbyteGateway):
    def find_jobs(self, query):
        return super().find_jobs(replace(query, workspace_id=None))


@gateway_caught_by("lists_every_connection")
class ListsOnePageOfConnections(AirbyteGateway):
    def list_connections(self, workspace_id=None):
        return self._call(messages.list_connections(self._settings, workspace_id, 0))


@gateway_caught_by("lists_the_connections_of_a_workspace")
class ListsConnectionsOfAnyWorkspace(AirbyteGateway):
    def list_connections(self, workspace_id=None):
        return super().list_connections()


@gateway_caught_by("lists_what_is_active")
class LooksForActiveJobsAmongTheNewest(AirbyteGateway):
    def list_active_jobs(self, connection_id=None, workspace_id=None):
        query = JobQuery(connection_id=connection_id, workspace_id=workspace_id, limit=100)
        return tuple(job for job in self.find_jobs(query).jobs if not job.status.is_final)


@gateway_caught_by("lists_what_is_active", "lists_what_is_active_where_it_is_wanted")
class TakesWhatRunsForActive(AirbyteGateway):
    def list_active_jobs(self, connection_id=None, workspace_id=None):
        query = JobQuery(
            connection_id=connection_id, workspace_id=workspace_id, status=JobStatus.RUNNING
        )
        return self.find_jobs(query).jobs


@gateway_caught_by("lists_what_is_active_where_it_is_wanted")
class ListsWhatIsActiveAnywhere(AirbyteGateway):
    def list_active_jobs(self, connection_id=None, workspace_id=None):
        return super().list_active_jobs()


@gateway_caught_by("a_refresh_is_not_offered", "clears_as_a_reset", "lists_jobs_of_one_type")
class SubmitsEverythingAsASync(AirbyteGateway):
    def submit(self, connection_id, job_type):
        return super().submit(connection_id, JobType.SYNC)


@gateway_caught_by("says_who_it_is")
class ForgetsTheHeaders(AirbyteGateway):
    def __init__(self, transport, settings, **others):
        super().__init__(transport, replace(settings, headers={}), **others)


# --- gateways: how it is read ---


@gateway_caught_by("clears_as_a_reset")
class ExpectsAClearToBeCalledClear(AirbyteGateway):
    def submit(self, connection_id, job_type):
        job = super().submit(connection_id, job_type)
        if job.job_type != job_type.value:
            raise UnexpectedReply(f"asked for {job_type}, got {job.job_type}", status=200)
        return job


@gateway_caught_by("passes_on_a_status_nobody_knows")
class TakesAnUnknownStatusForAnError(AirbyteGateway):
    def fetch_job(self, job_id):
        job = super().fetch_job(job_id)
        if not job.status.is_known:
            raise UnexpectedReply(f"{job.status} is no status", status=200)
        return job


class ReadsTimes(AirbyteGateway):
    instead = b""

    def _call(self, call):
        def build(_, response):
            body = re.sub(rb"T(\d\d:\d\d)Z", self.instead, response.body)
            return call.build(JsonNode.of(body), response)

        return super()._call(replace(call, build=build))


@gateway_caught_by("reads_a_time_without_seconds")
class MisreadsATimeWithoutSeconds(ReadsTimes):
    instead = rb"T00:\1Z"


@gateway_caught_by("reads_a_time_without_seconds")
class RejectsATimeWithoutSeconds(ReadsTimes):
    instead = rb"T\1"


@gateway_caught_by("a_page_tells_the_servers_time")
class ForgetsTheServersTime(AirbyteGateway):
    def find_jobs(self, query):
        return replace(super().find_jobs(query), server_time=None)


@gateway_caught_by("submits_a_sync")
class MakesUpStatistics(AirbyteGateway):
    def submit(self, connection_id, job_type):
        return replace(super().submit(connection_id, job_type), rows=0, bytes=0)


@gateway_caught_by("fetches_a_job")
class LosesTheEndOfAJob(AirbyteGateway):
    def fetch_job(self, job_id):
        return replace(super().fetch_job(job_id), ended_at=None)


@gateway_caught_by("fetches_a_connection")
class LosesTheWorkspace(AirbyteGateway):
    def fetch_connection(self, connection_id, **options):
        return replace(super().fetch_connection(connection_id, **options), workspace_id="")


@gateway_caught_by("a_name_for_display_is_not_waited_for")
class WaitsForANameAsForAnything(AirbyteGateway):
    def fetch_connection(self, connection_id, *, quickly=False):
        return super().fetch_connection(connection_id)


@gateway_caught_by("cancels_a_running_job")
class MisreadsTheReplyToACancellation(AirbyteGateway):
    def cancel(self, job_id):
        return replace(super().cancel(job_id), status=JobStatus.RUNNING)


@gateway_caught_by("a_reason_is_told_or_nobody_knows_one")
class StumblesWithoutAReason(AirbyteGateway):
    def explain_failure(self, job_id):
        return {}[job_id]


@gateway_caught_by("details_are_told_or_nobody_knows_any")
class ForgetsTheRestOfTheStreams(AirbyteGateway):
    def fetch_details(self, job_id, connection_id):
        details = super().fetch_details(job_id, connection_id)
        return replace(details, streams=replace(details.streams, others=0))


@gateway_caught_by("a_reason_is_told_or_nobody_knows_one", "has_every_port")
class HasNoReasons(AirbyteGateway):
    @property
    def explain_failure(self):
        raise AttributeError("explain_failure")


# --- gateways: what goes wrong ---


class Renames(AirbyteGateway):
    """Raises one error in place of another."""

    fact = CallFailed
    name = CallFailed

    def _call(self, call):
        try:
            return super()._call(call)
        except self.fact as error:
            if type(error) is not self.fact:
                raise
            raise self.name(
                str(error), status=error.status, retry_after=error.retry_after
            ) from error


@gateway_caught_by("a_lost_reply_is_in_doubt")
class SaysALostAnswerWasNotSent(Renames):
    fact, name = ResponseNotReceived, RequestNotSent


@gateway_caught_by("an_outage_of_the_token_route_leaves_no_doubt", "nobody_there_is_not_in_doubt")
class DoubtsWhatWasNotSent(Renames):
    fact, name = RequestNotSent, ResponseNotReceived


@gateway_caught_by("an_outage_of_the_token_route_leaves_no_doubt")
class DoubtsWhatHadNoToken(AirbyteGateway):
    def _call(self, call):
        try:
            return super()._call(call)
        except RequestNotSent as error:
            if isinstance(error.__cause__, (ResponseNotReceived, ServerTrouble)):
                raise error.__cause__ from error
            raise


@gateway_caught_by("a_busy_connection_is_told_apart")
class TakesABusyConnectionForAConflict(Renames):
    fact, name = SyncAlreadyRunning, StateConflict


@gateway_caught_by("a_connection_that_is_off_is_a_conflict", "a_refusal_has_a_name")
class TakesAnyConflictForABusyConnection(Renames):
    fact, name = StateConflict, SyncAlreadyRunning


@gateway_caught_by("nothing_to_cancel_is_told_apart")
class TakesNothingToCancelForAConflict(Renames):
    fact, name = JobNotRunning, StateConflict


@gateway_caught_by("an_unknown_job_is_not_found", "says_who_it_is")
class TakesAnUnknownJobForAConflict(AirbyteGateway):
    def fetch_job(self, job_id):
        try:
            return super().fetch_job(job_id)
        except NotFound as error:
            if error.status == 409:
                raise StateConflict(str(error), status=409) from error
            raise


@gateway_caught_by("a_member_may_not_know", "a_refusal_has_a_name")
class TakesForbiddenForNotFound(Renames):
    fact, name = Forbidden, NotFound


@gateway_caught_by("a_refusal_has_a_name", "an_unknown_connection_is_not_found")
class TakesAnUnknownConnectionForForbidden(AirbyteGateway):
    def fetch_connection(self, connection_id, **options):
        try:
            return super().fetch_connection(connection_id, **options)
        except NotFound as error:
            raise Forbidden(str(error), status=error.status) from error


@gateway_caught_by(
    "a_refusal_has_a_name",
    "a_reply_about_another_connection_is_no_answer",
    "a_reply_about_another_job_is_no_answer",
    "a_wrong_address_is_no_reply",
    "what_refuses_on_the_way_did_not_carry_it_out",
)
class TakesAWebPageForTrouble(Renames):
    fact, name = UnexpectedReply, ServerTrouble


@gateway_caught_by(
    "a_refusal_has_a_name",
    "what_is_no_token_route_is_told_apart",
    "what_refuses_on_the_way_did_not_carry_it_out",
)
class DoubtsWhatWasRefusedOnTheWay(Renames):
    fact, name = RefusedOnTheWay, UnexpectedReply


@gateway_caught_by("what_is_no_token_route_is_told_apart")
class BlamesTheCredentialsForAGateway(AirbyteGateway):
    def _call(self, call):
        try:
            return super()._call(call)
        except RefusedOnTheWay as error:
            if isinstance(self._settings.auth, ClientCredentials):
                raise Unauthorized(str(error), status=error.status) from error
            raise


def as_it_is(call):
    """Read a job whatever it is about."""
    return replace(call, build=lambda document, _: messages._job(document))


@gateway_caught_by("a_reply_about_another_job_is_no_answer")
class TakesAReplyAboutAnyJob(AirbyteGateway):
    def fetch_job(self, job_id):
        return self._call(as_it_is(messages.fetch_job(self._settings, job_id)))

    def cancel(self, job_id):
        return self._call(as_it_is(messages.cancel(self._settings, job_id)))


@gateway_caught_by(
    "a_reply_about_another_connection_is_no_answer", "a_submission_needs_only_a_job_id"
)
class ReadsASubmissionAsAnyJob(AirbyteGateway):
    def submit(self, connection_id, job_type):
        call = messages.submit(self._settings, connection_id, job_type, self._clock.now())
        return self._call(as_it_is(call))


@gateway_caught_by("ids_may_differ_in_case")
class ComparesIdsLetterByLetter(AirbyteGateway):
    def fetch_connection(self, connection_id, **options):
        connection = super().fetch_connection(connection_id, **options)
        if connection.connection_id != connection_id:
            raise UnexpectedReply("another connection", status=200)
        return connection


@gateway_caught_by("honours_retry_after")
class ForgetsWhenToComeBack(AirbyteGateway):
    def _call(self, call):
        try:
            return super()._call(call)
        except Throttled as error:
            raise Throttled(str(error), status=error.status) from error


# --- gateways: who asks ---


@gateway_caught_by(
    "a_refusal_has_a_name",
    "a_second_refusal_is_final",
    "a_server_without_a_token_route",
    "a_wrong_secret_is_final",
    "constant_credentials",
)
class TakesA401ForTrouble(Renames):
    fact, name = Unauthorized, ServerTrouble


class Authenticates(AirbyteGateway):
    """Sends with a token, and does as it likes with a 401."""

    def _call(self, call):
        if isinstance(self._settings.auth, ClientCredentials):
            return self._run(self._flow(call))
        return super()._call(call)

    def _token(self, refused=None):
        return self._auth._token(self._settings.auth, refused)


@gateway_caught_by("a_refused_token_is_replaced_once", "a_second_refusal_is_final")
class IgnoresA401(Authenticates):
    def _flow(self, call):
        token = yield from self._token()
        return call.read((yield from Send(with_token(call.request, token))))


@gateway_caught_by("a_refused_token_is_replaced_once", "a_second_refusal_is_final")
class RefreshesAndDoesNotRepeat(Authenticates):
    def _flow(self, call):
        token = yield from self._token()
        answer = yield from Send(with_token(call.request, token))
        if answer.status == 401:
            yield from self._token(refused=token)
        return call.read(answer)


@gateway_caught_by("a_refused_token_is_replaced_once")
class RepeatsWithTheRefusedToken(Authenticates):
    def _flow(self, call):
        token = yield from self._token()
        answer = yield from Send(with_token(call.request, token))
        if answer.status == 401:
            answer = yield from Send(with_token(call.request, token))
        return call.read(answer)


@gateway_caught_by("a_second_refusal_is_final")
class RefreshesAgainAndAgain(Authenticates):
    def _flow(self, call):
        token = yield from self._token()
        answer = yield from Send(with_token(call.request, token))
        for _ in range(3):
            if answer.status == 401:
                token = yield from self._token(refused=token)
                answer = yield from Send(with_token(call.request, token))
        return call.read(answer)


@gateway_caught_by("a_throttled_token_route_may_be_asked_again")
class TakesAThrottledTokenRouteForARefusal(AirbyteGateway):
    def _call(self, call):
        try:
            return super()._call(call)
        except Throttled as error:
            if isinstance(self._settings.auth, ClientCredentials):
                raise Unauthorized(str(error), status=error.status) from error
            raise


@gateway_caught_by("one_token_serves_many_calls", "a_token_is_replaced_before_it_ends")
class FetchesATokenForEveryCall(AirbyteGateway):
    def _call(self, call):
        self._auth._tokens = TokenCache()
        return super()._call(call)


@gateway_caught_by("a_token_is_replaced_before_it_ends")
class KeepsATokenUntilItIsRefused(AirbyteGateway):
    def __init__(self, transport, settings, *, clock):
        super().__init__(transport, settings, clock=ServerTime())


@gateway_caught_by("a_wrong_secret_is_final", "no_secret_is_in_an_error")
class TellsTheSecretInAnError(AirbyteGateway):
    def _call(self, call):
        try:
            return super()._call(call)
        except CallFailed as error:
            if isinstance(self._settings.auth, ClientCredentials):
                error.args = (f"{error} ({self._settings.auth.client_secret})",)
            raise


# --- the proof ---


def run(chosen, report):
    """Run some tests of the adapters; return by (adapter, test) what each test that fails says."""
    command = ["-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider", f"--junitxml={report}"]
    done = subprocess.run(
        [sys.executable, *command, "-o", "python_classes=Wrong", *chosen],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=3600,
    )
    assert 1 == done.returncode, done.stdout + done.stderr
    failures = defaultdict(str)
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it just now
        test = case.get("classname").rpartition(".")[2], case.get("name").partition("[")[0]
        for said in case:
            if said.tag in {"failure", "error"}:  # an error may follow a failure, in what cleans up
                failures[test] += f"{said.text}\n"
    return failures


def run_in_two(tests, reports):
    """Run tests in two processes at a time: many of them wait."""
    chosen = [f"{Path(__file__).relative_to(ROOT)}::{test}" for test in tests]
    with ThreadPoolExecutor(2) as pool:
        halves = pool.map(
            run, [chosen[::2], chosen[1::2]], [reports / "even.xml", reports / "odd.xml"]
        )
    return {failure: text for half in halves for failure, text in half.items()}


@pytest.fixture(scope="module")
def failed(tmp_path_factory):
    """Run on each adapter the facts that must catch it, and one that tells whether it works otherwise."""
    tests = [
        f"{name}::{test}"
        for name, by in CAUGHT_BY.items()
        for test in sorted(by | SOUND.intersection(facts_of(globals()[name])))
    ]
    return run_in_two(tests, tmp_path_factory.mktemp("facts"))


@pytest.fixture(scope="module")
def failed_of_all(tmp_path_factory):
    """Run the whole suites on all of them."""
    return run_in_two(CAUGHT_BY, tmp_path_factory.mktemp("suites"))


def caught_by(adapter, failed):
    return {test for name, test in failed if name == adapter}


@pytest.mark.parametrize("adapter", CAUGHT_BY)
def test_it_is_caught_in_its_place(failed, adapter):
    """Every fact that names the fault fails, and the adapter works otherwise."""
    assert CAUGHT_BY[adapter] == caught_by(adapter, failed)


@pytest.mark.thorough
@pytest.mark.parametrize("adapter", CAUGHT_BY)
def test_it_is_caught_nowhere_else(failed_of_all, adapter):
    """Of the whole suites, what fails is what names the fault."""
    assert CAUGHT_BY[adapter] == caught_by(adapter, failed_of_all)


def test_each_failure_says_what_is_broken_and_what_that_does_to_users(failed):
    """Both stand below the traceback, in the words of the fact."""
    assert failed
    for (adapter, test), said in failed.items():
        fact, harm = fact_and_harm(globals()[adapter], test)
        assert f"The fact that is broken: {fact}\nWhat users get: {harm}\n" in said, test


def test_every_fact_has_both():
    """A suite of the kit has no test without them."""
    suites = [getattr(contract, name) for name in contract.__all__ if name.endswith("Contract")]
    assert len(suites) >= 4
    for suite in suites:
        for test in facts_of(suite):
            fact, harm = fact_and_harm(suite, test)
            assert fact.endswith("."), (suite, test)
            assert harm.endswith("."), (suite, test)


def facts_of(suite):
    return [name for name in dir(suite) if name.startswith("test_")]


def fact_and_harm(suite, test):
    told = inspect.getdoc(getattr(suite, test))
    fact, between, harm = " ".join(told.split()).partition(" Otherwise: ")
    assert between, f"{suite.__name__}.{test} does not say what users get where it does not hold"
    return fact, harm


def test_what_no_wrong_adapter_here_shows():
    """These facts of the suites are proven by right adapters only; the list may get shorter."""
    facts = {
        name
        for suite in (TransportContract, AsyncTransportContract, GatewayContract)
        for name in facts_of(suite)
    }
    assert UNPROVEN == {
        name.removeprefix("test_") for name in facts.difference(*CAUGHT_BY.values())
    }
