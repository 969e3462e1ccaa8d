"""What every gateway to Airbyte has to prove, on a loopback server that behaves as Airbyte does.

Subclass :class:`GatewayContract` or :class:`AsyncGatewayContract` and give it the fixture ``new_gateway``:
what makes a gateway from :class:`~airbyte_sync_http.ServerSettings` and a clock. The suite closes what it
opens, where it can be closed. An async gateway is driven on an event loop of its own, so that one list of
facts serves the blocking and the async ones.
"""

from __future__ import annotations

import asyncio
import inspect
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Any, Protocol, cast

import pytest

from airbyte_sync import (
    AsyncSyncGateway,
    BadRequest,
    CallFailed,
    ConnectionStatus,
    Forbidden,
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
    SyncGateway,
    Throttled,
    Unauthorized,
    UnexpectedReply,
    Unprocessable,
)
from airbyte_sync_http import BasicAuth, BearerToken, ClientCredentials, NoAuth, ServerSettings
from airbyte_sync_local import (
    Answer,
    Caller,
    Change,
    Edition,
    Fault,
    LocalAirbyte,
    Quirks,
    RequireBasicAuth,
    RequireBearerToken,
    RequireClientCredentials,
    ServerConnection,
    answers,
    job_scripts,
)
from airbyte_sync_testkit.contract.on_a_loop import OnALoop
from airbyte_sync_testkit.contract.time import AsyncServerTime, ServerTime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airbyte_sync_http import Auth
    from airbyte_sync_local import AuthRequirement, FaultAction
    from airbyte_sync_local.platform.model import ConnectionStatusWord

UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
SECRET = "s3cr3t"
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
SLOW_AND_QUIET = (job_scripts.succeeds_slowly(), job_scripts.never_ends())
PORT_METHODS = (
    "cancel",
    "explain_failure",
    "fetch_connection",
    "fetch_details",
    "fetch_job",
    "find_connections",
    "find_jobs",
    "list_active_jobs",
    "list_connections",
    "submit",
)


class OpenGateway(Protocol):
    """Opens a gateway that is closed after the test."""

    def __call__(self, settings: ServerSettings) -> SyncGateway:
        """Open one."""
        ...


class Serve(Protocol):
    """Starts a server that stops after the test."""

    def __call__(self, **options: Any) -> LocalAirbyte:
        """Start one."""
        ...


def asked_for(airbyte: LocalAirbyte, operation: str) -> int:
    """Count how often an operation was asked for."""
    return sum(request.operation == operation for request in airbyte.requests)


class GatewayFacts:
    """What blocking and async ones have to prove; subclasses say how a gateway is opened."""

    @pytest.fixture
    def open_gateway(self) -> OpenGateway:
        """Open gateways of the kind under test, as blocking ones."""
        raise NotImplementedError

    @pytest.fixture
    def clock(self) -> ServerTime:
        """Return the time that the server and its client share."""
        return ServerTime()

    @pytest.fixture
    def serve(self, clock: ServerTime) -> Iterator[Serve]:
        """Start servers; they stop after the test."""
        with ExitStack() as stack:
            yield lambda **options: stack.enter_context(LocalAirbyte(clock=clock.now, **options))

    @pytest.fixture
    def airbyte(self, serve: Serve) -> LocalAirbyte:
        """Start a server that needs no credentials."""
        return serve()

    @pytest.fixture
    def connection(self, airbyte: LocalAirbyte) -> ServerConnection:
        """Add a connection to that server."""
        return airbyte.add_connection()

    @pytest.fixture
    def gateway(self, open_gateway: OpenGateway, airbyte: LocalAirbyte) -> SyncGateway:
        """Open a gateway to that server."""
        return open_gateway(ServerSettings(base_url=airbyte.base_url))

    # --- starting and cancelling ---

    def test_submits_a_sync(
        self, gateway: SyncGateway, connection: ServerConnection, clock: ServerTime
    ) -> None:
        """
        A submission is answered with the new job, which carries no statistics yet.

        Otherwise: the task follows another job, or shows the numbers of an earlier one.
        """
        job = gateway.submit(connection.connection_id, JobType.SYNC)
        assert connection.connection_id == job.connection_id
        assert ("pending", "sync") == (job.status.word, job.job_type)
        assert clock.now() == job.created_at
        assert (None, None, None) == (job.rows, job.bytes, job.ended_at)

    def test_submits_once(
        self, gateway: SyncGateway, airbyte: LocalAirbyte, connection: ServerConnection
    ) -> None:
        """
        One call is one request.

        Otherwise: one request starts two syncs.
        """
        gateway.submit(connection.connection_id, JobType.SYNC)
        assert 1 == asked_for(airbyte, "POST /jobs")
        assert 1 == len(airbyte.jobs)

    def test_clears_as_a_reset(self, gateway: SyncGateway, connection: ServerConnection) -> None:
        """
        The job of a clear is a reset, as Airbyte runs it, and counts as a clear.

        Otherwise: a clear that was started is not recognised after a lost reply, and is started again.
        """
        job = gateway.submit(connection.connection_id, JobType.CLEAR)
        assert JobType.CLEAR.covers(job.job_type)

    def test_a_busy_connection_is_told_apart(
        self, gateway: SyncGateway, connection: ServerConnection, clock: ServerTime
    ) -> None:
        """
        A sync of a connection that runs one is refused, by a name of its own.

        Otherwise: on_conflict has no effect: a busy connection fails the task, or is retried as an outage.
        """
        gateway.submit(connection.connection_id, JobType.SYNC)
        clock.advance(timedelta(seconds=1))
        with pytest.raises(SyncAlreadyRunning, match="already running") as caught:
            gateway.submit(connection.connection_id, JobType.SYNC)
        assert (409, True) == (caught.value.status, caught.value.retry_safe)

    @pytest.mark.parametrize("status", ["inactive", "deprecated", "locked"])
    def test_a_connection_that_is_off_is_a_conflict(
        self,
        gateway: SyncGateway,
        airbyte: LocalAirbyte,
        connection: ServerConnection,
        status: ConnectionStatusWord,
    ) -> None:
        """
        A connection that is switched off is a conflict: the server does not tell why, and the gateway does
        not guess.

        Otherwise: a task waits for a sync to end, though its connection is switched off.
        """
        airbyte.add_connection(replace(connection, status=status))
        with pytest.raises(StateConflict, match="Could not fulfill request"):
            gateway.submit(connection.connection_id, JobType.SYNC)

    def test_a_refresh_is_not_offered(
        self, gateway: SyncGateway, connection: ServerConnection
    ) -> None:
        """
        A refresh is refused, and Airbyte's own words reach the user.

        Otherwise: users see a refusal without its reason.
        """
        with pytest.raises(Unprocessable, match="Refreshes are not supported"):
            gateway.submit(connection.connection_id, JobType.REFRESH)

    def test_cancels_a_running_job(
        self,
        gateway: SyncGateway,
        airbyte: LocalAirbyte,
        connection: ServerConnection,
        clock: ServerTime,
    ) -> None:
        """
        The reply to a cancellation is the job.

        Otherwise: a task that is killed or times out leaves its sync running.
        """
        airbyte.add_connection(connection, job_scripts=[job_scripts.never_ends()])
        job = gateway.submit(connection.connection_id, JobType.SYNC)
        clock.advance(MINUTE)
        cancelled = gateway.cancel(job.job_id)
        assert (job.job_id, "cancelled") == (cancelled.job_id, cancelled.status.word)

    def test_nothing_to_cancel_is_told_apart(
        self, gateway: SyncGateway, connection: ServerConnection, clock: ServerTime
    ) -> None:
        """
        A cancellation on an idle connection is refused, by a name of its own.

        Otherwise: cancelling a job that has just ended fails the task, or is tried for ever.
        """
        job = gateway.submit(connection.connection_id, JobType.SYNC)
        clock.advance(MINUTE)
        with pytest.raises(JobNotRunning):
            gateway.cancel(job.job_id)

    # --- looking ---

    def test_fetches_a_job(
        self, gateway: SyncGateway, connection: ServerConnection, clock: ServerTime
    ) -> None:
        """
        A poll of an ended job tells everything.

        Otherwise: users see wrong rows, bytes or times, or wait for a sync that has ended.
        """
        job = gateway.submit(connection.connection_id, JobType.SYNC)
        clock.advance(MINUTE)
        ended = gateway.fetch_job(job.job_id)
        assert "succeeded" == ended.status.word
        assert (1000, 65536) == (ended.rows, ended.bytes)
        assert timedelta(seconds=2) == ended.duration
        assert job.created_at + timedelta(seconds=2) == ended.ended_at

    def test_reads_a_time_without_seconds(
        self, gateway: SyncGateway, connection: ServerConnection, clock: ServerTime
    ) -> None:
        """
        Airbyte leaves the seconds out when they are zero: 10:16 is ``2026-08-21T10:16Z``.

        Otherwise: one reply in sixty cannot be read, at random.
        """
        clock.advance(timedelta(seconds=60 - clock.now().second))
        job = gateway.submit(connection.connection_id, JobType.SYNC)
        assert (0, clock.now()) == (job.created_at.second, job.created_at)
        assert job.created_at == gateway.fetch_job(job.job_id).created_at

    def test_passes_on_a_status_nobody_knows(
        self,
        gateway: SyncGateway,
        airbyte: LocalAirbyte,
        connection: ServerConnection,
        clock: ServerTime,
    ) -> None:
        """
        An unknown status is passed on and ends nothing: statuses are an open set.

        Otherwise: a new release of Airbyte breaks tasks, or ends them while their sync still runs.
        """
        airbyte.add_connection(
            connection, job_scripts=[job_scripts.says_unknown_word("hibernating")]
        )
        job = gateway.submit(connection.connection_id, JobType.SYNC)
        clock.advance(timedelta(seconds=2))
        status = gateway.fetch_job(job.job_id).status
        assert ("hibernating", False, False) == (status.word, status.is_known, status.is_final)

    def test_an_unknown_job_is_not_found(self, gateway: SyncGateway) -> None:
        """
        An unknown job is not found. An administrator gets 409 for it; that is not a conflict.

        Otherwise: a job that is gone is waited for as if its connection were busy.
        """
        with pytest.raises(NotFound):
            gateway.fetch_job(77)

    def test_a_member_may_not_know(self, open_gateway: OpenGateway, serve: Serve) -> None:
        """
        A caller who is no administrator gets 403, for jobs and connections alike.

        Otherwise: users without the permission are told that a job does not exist.
        """
        airbyte = serve(quirks=Quirks(caller=Caller.MEMBER))
        gateway = open_gateway(ServerSettings(base_url=airbyte.base_url))
        with pytest.raises(Forbidden, match="required permissions"):
            gateway.fetch_job(77)
        with pytest.raises(Forbidden):
            gateway.fetch_connection(UNKNOWN_ID)
        with pytest.raises(Forbidden):
            gateway.submit(UNKNOWN_ID, JobType.SYNC)

    def test_lists_the_newest_jobs_first(
        self, gateway: SyncGateway, connection: ServerConnection, clock: ServerTime
    ) -> None:
        """
        Jobs are listed newest first, unlike in Airbyte, whose default is oldest first; pages go by offset.

        Otherwise: after a lost reply the task adopts an old job, or finds none and syncs twice.
        """
        ids = []
        for _ in range(5):
            ids.append(gateway.submit(connection.connection_id, JobType.SYNC).job_id)
            clock.advance(MINUTE)
        query = JobQuery(connection_id=connection.connection_id, limit=2)
        first, second = (gateway.find_jobs(replace(query, offset=offset)) for offset in (0, 2))
        assert ids[:-3:-1] == [job.job_id for job in first.jobs]
        assert ids[2:0:-1] == [job.job_id for job in second.jobs]

    def test_lists_jobs_of_one_type(
        self, gateway: SyncGateway, connection: ServerConnection, clock: ServerTime
    ) -> None:
        """
        A query for one job type gives jobs of that type only.

        Otherwise: after a lost reply the task of a sync adopts a reset.
        """
        gateway.submit(connection.connection_id, JobType.SYNC)
        clock.advance(MINUTE)
        gateway.submit(connection.connection_id, JobType.RESET)
        query = JobQuery(connection_id=connection.connection_id, job_type=JobType.RESET)
        assert ["reset"] == [job.job_type for job in gateway.find_jobs(query).jobs]

    def test_lists_the_jobs_of_every_connection(
        self, gateway: SyncGateway, airbyte: LocalAirbyte, clock: ServerTime
    ) -> None:
        """
        A query that names no connection is about all of them.

        Otherwise: deferred tasks notice late that their syncs have ended.
        """
        ids = []
        for _ in range(3):
            connection = airbyte.add_connection()
            ids.append(gateway.submit(connection.connection_id, JobType.SYNC).job_id)
            clock.advance(MINUTE)
        assert ids[::-1] == [job.job_id for job in gateway.find_jobs(JobQuery()).jobs]

    def test_lists_what_has_changed_since(
        self, gateway: SyncGateway, airbyte: LocalAirbyte, clock: ServerTime
    ) -> None:
        """
        What has changed since a moment is listed, the newest change last, and what has not changed is left
        out.

        Otherwise: deferred tasks notice late that their syncs have ended.
        """
        slow, quiet = (airbyte.add_connection(job_scripts=[life]) for life in SLOW_AND_QUIET)
        submitted = [
            gateway.submit(connection.connection_id, JobType.SYNC).job_id
            for connection in (slow, quiet, airbyte.add_connection())
        ]
        began = clock.now()
        clock.advance(HOUR)
        query = JobQuery(updated_since=began + timedelta(seconds=2))
        changed = gateway.find_jobs(query)
        assert [submitted[2], submitted[0]] == [job.job_id for job in changed.jobs]
        second = gateway.find_jobs(replace(query, limit=1, offset=1))
        assert changed.jobs[1:] == second.jobs
        in_another_zone = (began + HOUR).astimezone(timezone(-HOUR))
        assert () == gateway.find_jobs(replace(query, updated_since=in_another_zone)).jobs

    def test_a_page_tells_the_servers_time(
        self, gateway: SyncGateway, connection: ServerConnection, clock: ServerTime
    ) -> None:
        """
        A page of jobs tells the server's time: job times are compared with it.

        Otherwise: where two clocks differ, a task adopts a job from before its request, or syncs twice after
        a lost reply.
        """
        page = gateway.find_jobs(JobQuery(connection_id=connection.connection_id))
        assert ((), clock.now()) == (page.jobs, page.server_time)

    @pytest.mark.parametrize("status", list(ConnectionStatus)[:4])
    def test_fetches_a_connection(
        self, gateway: SyncGateway, airbyte: LocalAirbyte, status: ConnectionStatus
    ) -> None:
        """
        A connection is read, whatever its status.

        Otherwise: links, names and lineage are wrong, or a task waits for a connection that is switched off.
        """
        word = cast("ConnectionStatusWord", status.value)
        there = airbyte.add_connection(ServerConnection(name="Shop", status=word))
        connection = gateway.fetch_connection(there.connection_id)
        assert (there.connection_id, "Shop") == (connection.connection_id, connection.name)
        assert (status, there.workspace_id) == (connection.status, connection.workspace_id)
        assert there.source_id == connection.source_id
        assert there.destination_id == connection.destination_id

    def test_an_unknown_connection_is_not_found(self, gateway: SyncGateway) -> None:
        """
        An unknown connection is not found: an administrator gets 404 for it.

        Otherwise: a wrong id is retried as an outage.
        """
        with pytest.raises(NotFound):
            gateway.fetch_connection(UNKNOWN_ID)

    def test_a_name_for_display_is_not_waited_for(
        self,
        open_gateway: OpenGateway,
        airbyte: LocalAirbyte,
        connection: ServerConnection,
    ) -> None:
        """
        A connection that is read for display is waited for no longer than ``explain_timeout``.

        Otherwise: a task that has its job says so, and waits for it in the triggerer, half a minute late.
        """
        slow = Fault(on="GET /connections/{connectionId}", do="delay", wait=timedelta(seconds=0.5))
        airbyte.inject(slow)
        gateway = open_gateway(
            ServerSettings(base_url=airbyte.base_url, explain_timeout=timedelta(milliseconds=100))
        )
        with pytest.raises(CallFailed):
            gateway.fetch_connection(connection.connection_id, quickly=True)
        airbyte.inject(slow)
        assert connection.name == gateway.fetch_connection(connection.connection_id).name

    def test_finds_connections_by_name_on_any_page(
        self, gateway: SyncGateway, airbyte: LocalAirbyte
    ) -> None:
        """
        A name is found on any page. Airbyte has no such search: all pages are gone through.

        Otherwise: connection_name works in small workspaces only.
        """
        for number in range(250):
            airbyte.add_connection(ServerConnection(name=f"Shop {number}"))
        names = ["Shop 0", "Shop 100", "Shop 249", "Shop 250"]
        found = [len(gateway.find_connections(name, None)) for name in names]
        assert [1, 1, 1, 0] == found

    def test_finds_connections_whose_names_are_nearly_the_one(
        self, gateway: SyncGateway, airbyte: LocalAirbyte
    ) -> None:
        """
        Names that differ in case, in white space or in how a letter is composed are found: the caller decides
        which are meant.

        Otherwise: a name that looks right is reported as unknown.
        """
        names = ["Caf\u00e9 orders ", "cafe\u0301  Orders", "Cafe orders"]
        for name in names:
            airbyte.add_connection(ServerConnection(name=name))
        found = gateway.find_connections("Caf\u00e9 orders", None)
        assert sorted(names[:2]) == sorted(connection.name for connection in found)

    def test_finds_connections_in_a_workspace(
        self, gateway: SyncGateway, airbyte: LocalAirbyte
    ) -> None:
        """
        Connections are found in one workspace or in all. Two may carry one name; deleted ones are left out.

        Otherwise: a connection of another workspace is synced, or a deleted one.
        """
        one = airbyte.add_connection(ServerConnection(name="Shop"))
        other = airbyte.add_connection(ServerConnection(name="Shop", workspace_id=UNKNOWN_ID))
        airbyte.add_connection(ServerConnection(name="Shop", status="deprecated"))
        everywhere = gateway.find_connections("Shop", None)
        there = gateway.find_connections("Shop", UNKNOWN_ID)
        ids = {one.connection_id, other.connection_id}
        assert ids == {connection.connection_id for connection in everywhere}
        assert [other.connection_id] == [connection.connection_id for connection in there]

    def test_lists_every_connection(self, gateway: SyncGateway, airbyte: LocalAirbyte) -> None:
        """
        All connections are listed, on any page; deleted ones are left out.

        Otherwise: users do not find a connection that is there, or pick one that cannot run.
        """
        there = [airbyte.add_connection().connection_id for _ in range(120)]
        airbyte.add_connection(ServerConnection(status="deprecated"))
        listed = [connection.connection_id for connection in gateway.list_connections()]
        assert sorted(there) == sorted(listed)

    def test_lists_the_connections_of_a_workspace(
        self, gateway: SyncGateway, airbyte: LocalAirbyte
    ) -> None:
        """
        The connections of a workspace are listed without those of any other.

        Otherwise: users pick a connection of another team.
        """
        airbyte.add_connection()
        other = airbyte.add_connection(ServerConnection(workspace_id=UNKNOWN_ID))
        assert 2 == len(gateway.list_connections())
        there = gateway.list_connections(UNKNOWN_ID)
        assert [other.connection_id] == [connection.connection_id for connection in there]

    def test_lists_the_jobs_of_a_workspace(
        self, gateway: SyncGateway, airbyte: LocalAirbyte, connection: ServerConnection
    ) -> None:
        """
        The jobs of a workspace are listed where no connection is named; a connection goes before it.

        Otherwise: users see jobs of another team, and may cancel them.
        """
        other = airbyte.add_connection(ServerConnection(workspace_id=UNKNOWN_ID))
        one = gateway.submit(connection.connection_id, JobType.SYNC)
        two = gateway.submit(other.connection_id, JobType.SYNC)
        query = JobQuery(workspace_id=UNKNOWN_ID)
        assert [two.job_id] == [job.job_id for job in gateway.find_jobs(query).jobs]
        query = replace(query, connection_id=connection.connection_id)
        assert [one.job_id] == [job.job_id for job in gateway.find_jobs(query).jobs]

    def test_lists_jobs_of_one_status(
        self, gateway: SyncGateway, airbyte: LocalAirbyte, clock: ServerTime
    ) -> None:
        """
        A query for one status gives jobs of that status only.

        Otherwise: users see jobs that have ended among those that run.
        """
        lives = (job_scripts.never_ends(), job_scripts.never_starts(), job_scripts.succeeds())
        running, pending, succeeded = (
            gateway.submit(airbyte.add_connection(job_scripts=[life]).connection_id, JobType.SYNC)
            for life in lives
        )
        clock.advance(MINUTE)
        expected = {"running": running, "pending": pending, "succeeded": succeeded}
        for word, job in expected.items():
            found = gateway.find_jobs(JobQuery(status=JobStatus(word))).jobs
            assert [job.job_id] == [each.job_id for each in found]

    def test_lists_what_is_active(
        self, gateway: SyncGateway, airbyte: LocalAirbyte, clock: ServerTime
    ) -> None:
        """
        Active jobs are listed, whatever their status, and however many jobs have ended since.

        Otherwise: users do not see a sync that runs on and that no task follows any more.
        """
        lives = [
            job_scripts.never_starts(),
            job_scripts.queues_then_succeeds(queued=24 * HOUR),
            job_scripts.never_ends(),
            job_scripts.retries_then_succeeds(back_off=24 * HOUR),
        ]
        connections = [airbyte.add_connection(job_scripts=[life]) for life in lives]
        ids = [
            gateway.submit(connection.connection_id, JobType.SYNC).job_id
            for connection in connections
        ]
        ended = airbyte.add_connection()
        for _ in range(110):
            clock.advance(MINUTE)
            airbyte.start_external_job(ended.connection_id)
        clock.advance(MINUTE)
        unknown = airbyte.add_connection(job_scripts=[job_scripts.says_unknown_word()])
        newest = gateway.submit(unknown.connection_id, JobType.SYNC).job_id
        clock.advance(timedelta(seconds=2))
        active = gateway.list_active_jobs()
        assert [newest, *ids[::-1]] == [job.job_id for job in active]
        assert "hibernating" == active[0].status.word

    def test_lists_what_is_active_where_it_is_wanted(
        self, gateway: SyncGateway, airbyte: LocalAirbyte, connection: ServerConnection
    ) -> None:
        """
        Active jobs are listed of a connection, or of a workspace.

        Otherwise: users see jobs of another team, and may cancel them.
        """
        other = airbyte.add_connection(ServerConnection(workspace_id=UNKNOWN_ID))
        one = gateway.submit(connection.connection_id, JobType.SYNC)
        two = gateway.submit(other.connection_id, JobType.SYNC)
        of_one = gateway.list_active_jobs(connection.connection_id)
        of_two = gateway.list_active_jobs(None, UNKNOWN_ID)
        assert [one.job_id] == [job.job_id for job in of_one]
        assert [two.job_id] == [job.job_id for job in of_two]

    # --- what goes wrong ---

    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            (answers.bad_request("Invalid order by clause"), BadRequest),
            (answers.error_id(400), BadRequest),
            (answers.forbidden(), Forbidden),
            (answers.error_id(404), NotFound),
            (answers.state_conflict(), StateConflict),
            (answers.request_timed_out(), ServerTrouble),
            (answers.unprocessable("no"), Unprocessable),
            (answers.rate_limited(), Throttled),
            (answers.internal_error(), ServerTrouble),
            (answers.bad_gateway(), ServerTrouble),
            (answers.unavailable(), ServerTrouble),
            (answers.gateway_timeout(), ServerTrouble),
            (answers.webapp_page(), UnexpectedReply),
            (answers.unauthorized_problem(), Unauthorized),
            (answers.unauthorized_empty(), Unauthorized),
            (Answer(status=200), UnexpectedReply),
            (Answer(status=200, body=[]), UnexpectedReply),
            (answers.login_redirect("https://sso.test/"), RefusedOnTheWay),
            (answers.login_page(), UnexpectedReply),
            (answers.no_route(), RefusedOnTheWay),
            (answers.not_found_page(), RefusedOnTheWay),
            (answers.bad_request_json(), RefusedOnTheWay),
            (answers.bad_request_page(), RefusedOnTheWay),
            (answers.method_not_allowed_page(), RefusedOnTheWay),
            (answers.firewall_page(), RefusedOnTheWay),
            (answers.proxy_wants_basic(), RefusedOnTheWay),
            (answers.gateway_json(403, "RBAC: access denied"), RefusedOnTheWay),
            (answers.gateway_json(409, "conflict"), RefusedOnTheWay),
            (answers.gateway_json(422, "no"), RefusedOnTheWay),
            (answers.gateway_page(410, "Gone"), RefusedOnTheWay),
            (answers.client_closed_page(), ServerTrouble),
        ],
    )
    def test_a_refusal_has_a_name(
        self,
        gateway: SyncGateway,
        airbyte: LocalAirbyte,
        connection: ServerConnection,
        answer: Answer,
        error: type[CallFailed],
    ) -> None:
        """
        Every answer in the way of a call becomes a domain error with its status.

        Otherwise: what would pass is given up, and what cannot pass is retried; after a submission, the
        connection syncs twice.
        """
        airbyte.inject(Fault(on="*", do="answer", answer=answer, times=None))
        query = JobQuery(connection_id=connection.connection_id)
        for call in (
            lambda: gateway.submit(connection.connection_id, JobType.SYNC),
            lambda: gateway.cancel(1),
            lambda: gateway.fetch_job(1),
            lambda: gateway.find_jobs(query),
            lambda: gateway.fetch_connection(connection.connection_id),
            lambda: gateway.find_connections("Shop", None),
            gateway.list_connections,
            gateway.list_active_jobs,
        ):
            with pytest.raises(error) as caught:
                call()
            assert (error, answer.status) == (type(caught.value), caught.value.status)

    def test_what_refuses_on_the_way_did_not_carry_it_out(
        self, gateway: SyncGateway, airbyte: LocalAirbyte, connection: ServerConnection
    ) -> None:
        """
        A gateway's 4xx may be repeated; an answer at status 200 that is not Airbyte's is in doubt.

        Otherwise: a proxy's refusal starts a search for a job that cannot exist, or a login page makes a
        connection sync twice.
        """
        for answer, retry_safe in ((answers.no_route(), True), (answers.login_page(), False)):
            airbyte.inject(Fault(on="POST /jobs", do="answer", answer=answer))
            with pytest.raises(UnexpectedReply) as caught:
                gateway.submit(connection.connection_id, JobType.SYNC)
            assert retry_safe is caught.value.retry_safe

    @pytest.mark.parametrize("operation", ["GET /jobs/{jobId}", "DELETE /jobs/{jobId}"])
    def test_a_reply_about_another_job_is_no_answer(
        self,
        gateway: SyncGateway,
        airbyte: LocalAirbyte,
        connection: ServerConnection,
        clock: ServerTime,
        operation: str,
    ) -> None:
        """
        A reply about another job is no answer: a cache or a proxy that mixes up replies must not end a wait.

        Otherwise: a task succeeds because another sync has.
        """
        airbyte.add_connection(connection, job_scripts=[job_scripts.never_ends()])
        job_id = gateway.submit(connection.connection_id, JobType.SYNC).job_id
        clock.advance(MINUTE)
        airbyte.inject(Fault(on=operation, do="alter", change=Change(set={"jobId": 999})))
        with pytest.raises(UnexpectedReply, match="999") as caught:
            (gateway.fetch_job if operation.startswith("GET") else gateway.cancel)(job_id)
        assert caught.value.retry_safe is False
        assert job_id == gateway.fetch_job(job_id).job_id

    @pytest.mark.parametrize(
        "operation", ["POST /jobs", "GET /jobs", "GET /connections/{connectionId}"]
    )
    def test_a_reply_about_another_connection_is_no_answer(
        self,
        gateway: SyncGateway,
        airbyte: LocalAirbyte,
        connection: ServerConnection,
        operation: str,
    ) -> None:
        """
        A reply about another connection is no answer.

        Otherwise: a task follows the sync of another connection, and cancels it when it times out.
        """
        connection_id = connection.connection_id
        if operation != "POST /jobs":
            gateway.submit(connection_id, JobType.SYNC)
        change = Change(set={"connectionId": UNKNOWN_ID})
        airbyte.inject(Fault(on=operation, do="alter", change=change))
        calls: dict[str, Callable[[], object]] = {
            "POST /jobs": lambda: gateway.submit(connection_id, JobType.SYNC),
            "GET /jobs": lambda: gateway.find_jobs(JobQuery(connection_id=connection_id)),
            "GET /connections/{connectionId}": lambda: gateway.fetch_connection(connection_id),
        }
        with pytest.raises(UnexpectedReply, match="another connection"):
            calls[operation]()

    def test_ids_may_differ_in_case(
        self, gateway: SyncGateway, airbyte: LocalAirbyte, connection: ServerConnection
    ) -> None:
        """
        Ids that differ in case are the same: people write UUIDs in upper case, servers in either.

        Otherwise: connections whose id is written in upper case cannot be synced.
        """
        connection_id = connection.connection_id
        change = Change(set={"connectionId": connection_id.upper()})
        airbyte.inject(Fault(on="*", do="alter", change=change, times=None))
        job = gateway.submit(connection_id, JobType.SYNC)
        assert [job.job_id] == [
            listed.job_id
            for listed in gateway.find_jobs(JobQuery(connection_id=connection_id)).jobs
        ]
        assert connection.name == gateway.fetch_connection(connection_id).name

    @pytest.mark.parametrize(
        "change",
        [
            Change(remove=("startTime",)),
            Change(remove=("connectionId", "jobType", "status")),
            Change(set={"startTime": "soon", "jobType": None, "status": 7}),
            Change(set={"jobId": "1"}),
        ],
    )
    def test_a_submission_needs_only_a_job_id(
        self,
        gateway: SyncGateway,
        airbyte: LocalAirbyte,
        connection: ServerConnection,
        change: Change,
    ) -> None:
        """
        The reply to a submission needs a job id only: the rest is known from the request.

        Otherwise: a sync that has started is searched for, because of a field that is not needed.
        """
        airbyte.inject(Fault(on="POST /jobs", do="alter", change=change))
        job = gateway.submit(connection.connection_id, JobType.SYNC)
        assert (1, "sync", connection.connection_id) == (
            job.job_id,
            job.job_type,
            job.connection_id,
        )
        assert not job.status.is_final

    def test_honours_retry_after(self, gateway: SyncGateway, airbyte: LocalAirbyte) -> None:
        """
        A server that says when to come back is heard.

        Otherwise: a busy server is asked again too soon, and refuses for longer.
        """
        answer = answers.rate_limited().with_header("Retry-After", "120")
        airbyte.inject(Fault(on="GET /jobs/{jobId}", do="answer", answer=answer))
        with pytest.raises(Throttled) as caught:
            gateway.fetch_job(1)
        assert timedelta(minutes=2) == caught.value.retry_after

    @pytest.mark.parametrize("action", ["drop", "drop_after"])
    def test_a_lost_reply_is_in_doubt(
        self,
        gateway: SyncGateway,
        airbyte: LocalAirbyte,
        connection: ServerConnection,
        action: FaultAction,
    ) -> None:
        """
        The connection drops, before or after the job was made: in doubt, and not repeated.

        Otherwise: the connection syncs twice, or a sync that runs is reported as never started.
        """
        airbyte.inject(Fault(on="POST /jobs", do=action))
        with pytest.raises(ResponseNotReceived) as caught:
            gateway.submit(connection.connection_id, JobType.SYNC)
        assert caught.value.retry_safe is False
        assert 1 == asked_for(airbyte, "POST /jobs")

    def test_nobody_there_is_not_in_doubt(self, open_gateway: OpenGateway) -> None:
        """
        No connection came about: surely nothing was started.

        Otherwise: while Airbyte is down, tasks search for jobs that cannot exist.
        """
        gateway = open_gateway(ServerSettings(base_url="http://127.0.0.1:1"))
        with pytest.raises(RequestNotSent) as caught:
            gateway.submit(UNKNOWN_ID, JobType.SYNC)
        assert caught.value.retry_safe is True

    def test_a_wrong_address_is_no_reply(
        self, open_gateway: OpenGateway, airbyte: LocalAirbyte
    ) -> None:
        """
        The web application answers any path with a page: that is no reply of Airbyte's API.

        Otherwise: a web page counts as a job, and the task waits for it.
        """
        settings = ServerSettings(base_url=f"{airbyte.base_url}/airbyte/v1")
        with pytest.raises(UnexpectedReply):
            open_gateway(settings).fetch_job(1)

    # --- who asks ---

    @pytest.mark.parametrize(
        ("server", "right", "wrong"),
        [
            (
                RequireBasicAuth(username="ann", password=SECRET),
                BasicAuth(username="ann", password=SECRET),
                BasicAuth(username="ann", password="guess"),
            ),
            (
                RequireBearerToken(token=SECRET),
                BearerToken(token=SECRET),
                BearerToken(token="guess"),
            ),
            (RequireBearerToken(token=SECRET), BearerToken(token=SECRET), NoAuth()),
        ],
    )
    def test_constant_credentials(
        self,
        open_gateway: OpenGateway,
        *,
        server: AuthRequirement,
        right: Auth,
        wrong: Auth,
    ) -> None:
        """
        Constant credentials are let in or refused; a refusal is final at once.

        Otherwise: right credentials are refused, or wrong ones are tried until the account is locked.
        """
        with LocalAirbyte(auth=server) as airbyte:
            connection = airbyte.add_connection()
            settings = ServerSettings(base_url=airbyte.base_url, auth=right)
            found = open_gateway(settings).fetch_connection(connection.connection_id)
            assert connection.connection_id == found.connection_id
            airbyte.clear_requests()
            with pytest.raises(Unauthorized):
                open_gateway(replace(settings, auth=wrong)).fetch_job(1)
            assert 1 == len(airbyte.requests)

    @pytest.fixture(params=Edition, ids=lambda edition: edition.value)
    def guarded(self, serve: Serve, request: pytest.FixtureRequest) -> LocalAirbyte:
        """Start a server that sells tokens of three minutes, of either edition."""
        credentials = RequireClientCredentials(
            client_id="me", client_secret=SECRET, lifetime=timedelta(minutes=3)
        )
        return serve(auth=credentials, quirks=Quirks(edition=request.param))

    @pytest.fixture
    def settings(self, guarded: LocalAirbyte) -> ServerSettings:
        """Return what lets a client into that server."""
        auth = ClientCredentials(client_id="me", client_secret=SECRET)
        return ServerSettings(base_url=guarded.base_url, auth=auth)

    @pytest.fixture
    def guarded_gateway(self, open_gateway: OpenGateway, settings: ServerSettings) -> SyncGateway:
        """Open a gateway to that server."""
        return open_gateway(settings)

    def test_one_token_serves_many_calls(
        self, guarded_gateway: SyncGateway, guarded: LocalAirbyte
    ) -> None:
        """
        A token is fetched at the first call and kept.

        Otherwise: each poll costs two requests, and the server throttles.
        """
        connection = guarded.add_connection()
        for _ in range(3):
            guarded_gateway.fetch_connection(connection.connection_id)
        assert 1 == asked_for(guarded, "POST /applications/token")

    def test_a_token_is_replaced_before_it_ends(
        self, guarded_gateway: SyncGateway, guarded: LocalAirbyte, clock: ServerTime
    ) -> None:
        """
        No call is refused because a token ended.

        Otherwise: during long syncs a call is refused each time a token ends.
        """
        connection = guarded.add_connection()
        for _ in range(30):
            guarded_gateway.fetch_connection(connection.connection_id)
            clock.advance(timedelta(seconds=20))
        assert 401 not in [request.status for request in guarded.requests]
        assert 4 == asked_for(guarded, "POST /applications/token")

    def test_a_refused_token_is_replaced_once(
        self, guarded_gateway: SyncGateway, guarded: LocalAirbyte
    ) -> None:
        """
        A 401 means that nothing was carried out, so even a submission is made again.

        Otherwise: a token that was withdrawn early fails tasks whose credentials are right.
        """
        connection = guarded.add_connection()
        fault = Fault(on="POST /jobs", do="answer", answer=answers.unauthorized_empty())
        guarded.inject(fault)
        guarded_gateway.submit(connection.connection_id, JobType.SYNC)
        statuses = [(request.operation, request.status) for request in guarded.requests]
        assert [
            ("POST /applications/token", 200),
            ("POST /jobs", 401),
            ("POST /applications/token", 200),
            ("POST /jobs", 200),
        ] == statuses

    def test_a_second_refusal_is_final(
        self, guarded_gateway: SyncGateway, guarded: LocalAirbyte
    ) -> None:
        """
        The refusal of a fresh token is final: it comes from the wrong place.

        Otherwise: a client without permission asks for tokens without end.
        """
        guarded.inject(
            Fault(on="GET *", do="answer", answer=answers.unauthorized_empty(), times=None)
        )
        with pytest.raises(Unauthorized):
            guarded_gateway.fetch_job(1)
        assert 2 == asked_for(guarded, "GET /jobs/{jobId}")

    def test_a_wrong_secret_is_final(
        self, open_gateway: OpenGateway, guarded: LocalAirbyte, settings: ServerSettings
    ) -> None:
        """
        400 or 401 from the token route, as the edition has it, means that the credentials are wrong.

        Otherwise: a wrong secret is retried until the task times out, or is in its log.
        """
        auth = ClientCredentials(client_id="me", client_secret="guess")
        gateway = open_gateway(replace(settings, auth=auth))
        with pytest.raises(Unauthorized) as caught:
            gateway.fetch_job(1)
        assert "guess" not in str(caught.value)
        assert ["POST /applications/token"] == [request.operation for request in guarded.requests]

    def test_a_server_without_a_token_route(
        self, open_gateway: OpenGateway, airbyte: LocalAirbyte, settings: ServerSettings
    ) -> None:
        """
        404 from the token route means that this server wants no credentials: those that are given are wrong.

        Otherwise: a server that has no token route is retried as an outage.
        """
        gateway = open_gateway(replace(settings, base_url=airbyte.base_url))
        with pytest.raises(Unauthorized):
            gateway.fetch_job(1)

    @pytest.mark.parametrize("action", ["drop", "drop_after", "answer"])
    def test_an_outage_of_the_token_route_leaves_no_doubt(
        self, guarded_gateway: SyncGateway, guarded: LocalAirbyte, action: FaultAction
    ) -> None:
        """
        Without a token the submission was surely not sent.

        Otherwise: the task searches for a job that cannot exist, before it tries again.
        """
        answer = answers.bad_gateway() if action == "answer" else None
        guarded.inject(Fault(on="POST /applications/token", do=action, answer=answer))
        with pytest.raises(RequestNotSent):
            guarded_gateway.submit(UNKNOWN_ID, JobType.SYNC)
        assert 0 == asked_for(guarded, "POST /jobs")

    @pytest.mark.parametrize(
        "answer",
        [
            answers.no_route(),
            answers.login_redirect("https://sso.test/"),
            answers.login_page(),
            answers.bad_request_page(),
            answers.firewall_page(),
            answers.proxy_wants_basic(),
        ],
    )
    def test_what_is_no_token_route_is_told_apart(
        self, guarded_gateway: SyncGateway, guarded: LocalAirbyte, answer: Answer
    ) -> None:
        """
        A gateway in the place of the token route says nothing about the credentials.

        Otherwise: users replace credentials that are right, while a proxy is set up wrongly.
        """
        guarded.inject(Fault(on="POST /applications/token", do="answer", answer=answer))
        with pytest.raises(RefusedOnTheWay):
            guarded_gateway.submit(UNKNOWN_ID, JobType.SYNC)
        assert 0 == asked_for(guarded, "POST /jobs")

    def test_a_throttled_token_route_may_be_asked_again(
        self, guarded_gateway: SyncGateway, guarded: LocalAirbyte
    ) -> None:
        """
        429 from the token route stays 429.

        Otherwise: right credentials count as wrong while the server is busy, and the task fails for good.
        """
        guarded.inject(
            Fault(on="POST /applications/token", do="answer", answer=answers.rate_limited())
        )
        with pytest.raises(Throttled):
            guarded_gateway.fetch_job(1)

    def test_no_secret_is_in_an_error(
        self, guarded_gateway: SyncGateway, guarded: LocalAirbyte
    ) -> None:
        """
        No error holds a secret, not even one that the server sends back.

        Otherwise: the client secret is in the task's log.
        """
        echo = Answer(status=500, body={"message": f"what is {SECRET}?"})
        guarded.inject(Fault(on="POST /applications/token", do="answer", answer=echo))
        with pytest.raises(CallFailed) as caught:
            guarded_gateway.fetch_job(1)
        assert SECRET not in repr(caught.value) + repr(caught.value.__cause__)

    # --- why a job failed ---

    def test_a_reason_is_told_or_nobody_knows_one(
        self,
        gateway: SyncGateway,
        airbyte: LocalAirbyte,
        connection: ServerConnection,
        clock: ServerTime,
    ) -> None:
        """
        Why a job failed is told in words, or not at all, or by an error that the caller goes on from.

        Otherwise: the task of a failed sync breaks off while it asks for the reason.
        """
        airbyte.add_connection(connection, job_scripts=[job_scripts.fails()])
        job = gateway.submit(connection.connection_id, JobType.SYNC)
        clock.advance(timedelta(hours=1))
        with suppress(CallFailed):
            reason = gateway.explain_failure(job.job_id)
            assert reason is None or reason.message

    def test_details_are_told_or_nobody_knows_any(
        self, gateway: SyncGateway, airbyte: LocalAirbyte, clock: ServerTime
    ) -> None:
        """
        Details are best effort, and bounded: what is told by name and what is counted are all streams.

        Otherwise: a sync that has succeeded fails over its statistics, or users miss streams in them.
        """
        names = tuple(f"stream {number}" for number in range(120))
        connection = airbyte.add_connection(ServerConnection(streams=names))
        job = gateway.submit(connection.connection_id, JobType.SYNC)
        clock.advance(HOUR)
        with suppress(CallFailed):
            details = gateway.fetch_details(job.job_id, connection.connection_id)
            assert details.streams is None or len(names) == details.streams.count

    # --- form ---

    def test_has_every_port(self, gateway: SyncGateway) -> None:
        """
        It has every method that the flows call.

        Otherwise: a task breaks off in the middle, with its sync running.
        """
        assert [] == [method for method in PORT_METHODS if not hasattr(gateway, method)]

    def test_says_who_it_is(self, open_gateway: OpenGateway, serve: Serve) -> None:
        """
        A user agent goes with every request, and so do the headers that the network wants.

        Otherwise: a proxy that wants a header refuses every request, and an administrator cannot tell which
        client asks.
        """
        airbyte = serve(recorded_headers=["X-Ingress"])
        settings = ServerSettings(base_url=airbyte.base_url, headers={"X-Ingress": "open"})
        gateway = open_gateway(settings)
        with pytest.raises(NotFound):
            gateway.fetch_job(1)
        [request] = airbyte.requests
        assert settings.user_agent == request.headers["User-Agent"]
        assert "open" == request.headers["X-Ingress"]


class GatewayContract(GatewayFacts):
    """The suite for a blocking gateway. Provide the fixture ``new_gateway``."""

    @pytest.fixture
    def new_gateway(self) -> Callable[[ServerSettings, ServerTime], SyncGateway]:
        """Return what makes a gateway from settings and a clock."""
        raise NotImplementedError("override the fixture new_gateway: return what makes a gateway")

    @pytest.fixture
    def open_gateway(
        self, new_gateway: Callable[[ServerSettings, ServerTime], SyncGateway], clock: ServerTime
    ) -> Iterator[OpenGateway]:
        """Open gateways, and close after the test those that can be closed."""
        with ExitStack() as stack:

            def open_one(settings: ServerSettings) -> SyncGateway:
                gateway = new_gateway(settings, clock)
                stack.callback(getattr(gateway, "close", lambda: None))
                return gateway

            yield open_one


class AsyncGatewayContract(GatewayFacts):
    """The suite for an async gateway. Provide the fixture ``new_gateway``."""

    @pytest.fixture
    def new_gateway(self) -> Callable[[ServerSettings, AsyncServerTime], AsyncSyncGateway]:
        """Return what makes a gateway from settings and a clock."""
        raise NotImplementedError("override the fixture new_gateway: return what makes a gateway")

    @pytest.fixture
    def open_gateway(
        self,
        new_gateway: Callable[[ServerSettings, AsyncServerTime], AsyncSyncGateway],
        clock: ServerTime,
    ) -> Iterator[OpenGateway]:
        """Open gateways on one event loop, and close after the test those that can be closed."""
        loop = asyncio.new_event_loop()
        with ExitStack() as stack:
            stack.callback(loop.close)

            def open_one(settings: ServerSettings) -> SyncGateway:
                gateway = OnALoop(lambda: new_gateway(settings, AsyncServerTime(clock)), loop)
                stack.callback(gateway.close)
                return cast("SyncGateway", gateway)

            yield open_one

    @pytest.mark.parametrize("method", PORT_METHODS)
    def test_every_method_is_a_coroutine(
        self,
        new_gateway: Callable[[ServerSettings, AsyncServerTime], AsyncSyncGateway],
        method: str,
    ) -> None:
        """
        Every method is a coroutine function: a class with a blocking one would pass for the port.

        Otherwise: one call stops the event loop, and all deferred tasks of a triggerer stand still.
        """
        settings = ServerSettings(base_url="http://127.0.0.1:1")
        loop = asyncio.new_event_loop()
        with ExitStack() as stack:
            stack.callback(loop.close)
            gateway = OnALoop(lambda: new_gateway(settings, AsyncServerTime(ServerTime())), loop)
            stack.callback(gateway.close)
            assert inspect.iscoroutinefunction(getattr(gateway.adapter, method))
