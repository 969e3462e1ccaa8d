"""Each ready-made scenario shows over the wire what its name promises."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from time import sleep

import pytest
import requests

from airbyte_sync_local import EXAMPLE, InvalidScenario, named_scenario, scenario_names

ID = EXAMPLE.connection_id
LOCAL = {"client_id": "local", "client_secret": "local"}
UNKNOWN = "00000000-0000-4000-8000-000000000000"
CONFLICT = (409, "Could not fulfill request")

SCENES = {}


def shows(name, *expected):
    """Register what a scenario shows: the scene's result must be as expected."""

    def register(scene):
        SCENES[name] = (scene, expected)
        return scene

    return register


def told(reply):
    """Status and most specific words of an answer."""
    return reply.status_code, reply.json()["data"]["message"]


def silence(ask):
    """What a client gets that waits for a moment only."""
    try:
        return ask().status_code
    except requests.ReadTimeout:
        return "nothing"
    except requests.ConnectionError:
        return "closed"


def delayed(api, ask, seconds):
    """Ask, let time pass once the request is being served, and return whether it moment, and the answer."""
    served = len(api.airbyte.requests)
    with ThreadPoolExecutor(1) as pool:
        reply = pool.submit(ask)
        while len(api.airbyte.requests) == served:
            pass
        sleep(0.05)  # an answer that does not wait would be there by now
        moment = "at once" if reply.done() else "later"
        api.wait(seconds)
        return moment, reply.result(timeout=5)


# --- job scripts ---


def seen_for(seconds):
    def scene(api):
        api.submit(ID)
        return tuple(api.statuses(1, seconds=seconds))

    return scene


shows("succeeds", "pending", "running", "succeeded")(seen_for(5))
shows("fails", "pending", "running", "failed")(seen_for(5))
shows("retries", "pending", "running", "incomplete", "running", "succeeded")(seen_for(15))
shows("queued", "pending", "queued", "running", "succeeded")(seen_for(65))
shows("unknown-status", "pending", "running", "hibernating", "succeeded")(seen_for(5))
shows("never-ends", "pending", "running")(seen_for(5))


@shows("succeeds-slowly", "running", 300, "succeeded")
def _(api):
    api.submit(ID)
    api.wait(200)
    early = api.get("/jobs/1").json()
    api.wait(400)
    return early["status"], early["rowsSynced"], api.status(1)


@shows("never-starts", "pending", "pending")
def _(api):
    api.submit(ID)
    api.wait(1000)
    return api.cancel(1).json()["status"], api.status(1)


@shows("cancelled-by-server", "cancelled", "inactive")
def _(api):
    api.submit(ID)
    api.wait(5)
    return api.status(1), api.get(f"/connections/{ID}").json()["status"]


# --- POST ---


@shows("already-running", (409, f"A sync is already running for: {ID}"), "running")
def _(api):
    api.wait(1)
    return told(api.submit(ID)), api.status(1)


@shows("stale-running", (409, f"A sync is already running for: {ID}"), [])
def _(api):
    return told(api.submit(ID)), api.list_ids()


@shows("second-submit-same-job", (200, 1), (200, 1))
def _(api):
    replies = [api.submit(ID) for _ in range(2)]
    return tuple((reply.status_code, reply.json()["jobId"]) for reply in replies)


@shows("second-submit-conflict", 200, "later", CONFLICT)
def _(api):
    first = api.submit(ID)
    moment, second = delayed(api, lambda: api.submit(ID), 60)
    return first.status_code, moment, told(second)


def refused_as(status):
    shows(f"connection-{status}", CONFLICT, "deprecated" if status == "deleted" else status)(
        lambda api: (told(api.submit(ID)), api.get(f"/connections/{ID}").json()["status"])
    )


for word in ("inactive", "locked", "deleted"):
    refused_as(word)


@shows("job-appears-late", "later", 200, [1])
def _(api):
    moment, reply = delayed(api, lambda: api.submit(ID), 20)
    return moment, reply.status_code, api.list_ids()


@shows("job-appears-too-late", "later", CONFLICT, [], [1])
def _(api):
    moment, reply = delayed(api, lambda: api.submit(ID), 61)
    before = api.list_ids()
    api.wait(30)
    return moment, told(reply), before, api.list_ids()


def lost_answer(name, heard, jobs):
    @shows(name, heard, jobs)
    def _(api):
        came_back = silence(lambda: api.submit(ID, timeout=0.3))
        return came_back, api.list_ids()


lost_answer("submit-stalls", "nothing", [1])
lost_answer("submit-drops", "closed", [1])
lost_answer("submit-drops-first", "closed", [1])
lost_answer("submit-lost", "closed", [])
lost_answer("submit-gateway-timeout", 504, [1])


# --- DELETE ---


@shows("cancel-lost", "pending", "running")
def _(api):
    api.submit(ID)
    lost = api.cancel(1).json()["status"]
    api.wait(30)
    return lost, api.status(1)


@shows("cancel-lost-in-queue", "queued", "succeeded")
def _(api):
    api.submit(ID)
    api.wait(1)
    lost = api.cancel(1).json()["status"]
    api.wait(100)
    return lost, api.status(1)


@shows("cancel-slow", "later", "cancelled")
def _(api):
    api.submit(ID)
    api.wait(1)
    moment, reply = delayed(api, lambda: api.cancel(1), 30)
    return moment, reply.json()["status"]


@shows("cancel-incomplete", "incomplete", ["incomplete", "cancelled"])
def _(api):
    api.submit(ID)
    api.wait(1)
    return api.cancel(1).json()["status"], api.statuses(1, seconds=5)


@shows("cancel-too-late", "succeeded")
def _(api):
    api.submit(ID)
    api.wait(1)
    return (api.cancel(1).json()["status"],)


@shows("cancel-answer-lost", "nothing", "cancelled")
def _(api):
    api.submit(ID)
    api.wait(1)
    return silence(lambda: api.call("DELETE", "/jobs/1", timeout=0.3)), api.status(1)


# --- servers ---


@shows("admin", 404, 409)
def _(api):
    return api.get(f"/connections/{UNKNOWN}").status_code, api.get("/jobs/4711").status_code


@shows("member", 403, 403)
def _(api):
    return api.get(f"/connections/{UNKNOWN}").status_code, api.get("/jobs/4711").status_code


@shows("cloud", (401, ["errorId"]), "invalid-access-token", 403)
def _(api):
    refused = buy(api, client_secret="x")
    return (
        (refused.status_code, list(refused.json())),
        api.get("/jobs").json()["title"],
        read(api, f"/connections/{UNKNOWN}", token(api)).status_code,
    )


@shows("old-server", 180, "later", "running")
def _(api):
    sold = buy(api).json()
    headers = {"Authorization": f"Bearer {sold['access_token']}"}
    moment, reply = delayed(api, lambda: api.submit(ID, headers=headers), 1)
    return sold["expires_in"], moment, reply.json()["status"]


@shows("slow", "nothing")
def _(api):
    return (silence(lambda: api.call("GET", "/jobs", timeout=0.3)),)


# --- lists ---


@shows("list-lies", [1, 2], None, "http://airbyte.invalid/api/public/v1/jobs?limit=20&offset=20")
def _(api):
    for _ in range(2):
        api.submit(ID)
        api.wait(5)
    page = api.get("/jobs", status="succeeded").json()
    return api.list_ids(), page["data"][0].get("rowsSynced"), page["next"]


@shows("list-fails", 500, 200)
def _(api):
    api.submit(ID)
    return api.get("/jobs").status_code, api.get("/jobs/1").status_code


# --- credentials ---


def buy(api, **wrong):
    return api.call("POST", "/applications/token", json={**LOCAL, **wrong})


def token(api):
    return buy(api).json()["access_token"]


def read(api, path, bought):
    return api.call("GET", path, headers={"Authorization": f"Bearer {bought}"})


def lifetime(name, job_scripts, says):
    @shows(name, says, 200, 401)
    def _(api):
        sold = buy(api).json()
        api.wait(job_scripts - 1)
        before = read(api, "/jobs", sold["access_token"]).status_code
        api.wait(1)
        return sold["expires_in"], before, read(api, "/jobs", sold["access_token"]).status_code


lifetime("token-1s", 1, 1)
lifetime("token-180s", 180, 180)
lifetime("token-900s", 900, 900)
lifetime("token-lies", 180, 900)


@shows("token-route-down", 503)
def _(api):
    return (buy(api).status_code,)


@shows("token-forgotten", 401, 200)
def _(api):
    bought = token(api)
    return tuple(read(api, "/jobs", bought).status_code for _ in range(2))


@shows("unauthorized-empty", 401, b"")
def _(api):
    reply = api.get("/jobs")
    return reply.status_code, reply.content


@shows("unauthorized-framework", 401, {"message", "_links", "_embedded"})
def _(api):
    reply = api.get("/jobs")
    return reply.status_code, set(reply.json())


@shows("unauthorized-problem", 401, "401")
def _(api):
    reply = api.get("/jobs")
    return reply.status_code, reply.json()["status"]


# --- trouble ---


def troubled(name, *expected):
    """Four reads, each with its status, its kind of body and its Retry-After."""

    @shows(name, *expected)
    def _(api):
        replies = [api.get("/jobs") for _ in range(len(expected))]
        return tuple(
            (
                reply.status_code,
                reply.headers["Content-Type"].split(";")[0].split("/")[1],
                reply.headers.get("Retry-After"),
            )
            for reply in replies
        )


FINE = (200, "json", None)
troubled("throttled", *[(429, "json", None)] * 3, FINE)
troubled("throttled-retry-after", *[(429, "json", "2")] * 3, FINE)
troubled("errors-json", *[(500, "json", None)] * 3, FINE)
troubled("errors-html", (502, "html", None), (504, "html", None), FINE)
troubled("webapp-page", *[(200, "html", None)] * 2)


@shows("unavailable", 503, 503)
def _(api):
    return api.get("/health").status_code, api.get("/jobs").status_code


@shows("polls-drop", "closed", "closed", "closed", 200)
def _(api):
    # a fresh connection each time: a dropped one that is reused is asked again by urllib3
    urls = [f"{api.airbyte.api_url}/jobs"] * 4
    return tuple(silence(lambda url=url: requests.get(url, timeout=5)) for url in urls)


@shows("polls-stall", "nothing", 200)
def _(api):
    api.submit(ID)
    stalled = silence(lambda: api.call("GET", "/jobs/1", timeout=0.3))
    return stalled, api.get("/jobs").status_code


def reason(api):
    api.submit(ID)
    api.wait(5)
    url = f"{api.airbyte.base_url}/api/v1/jobs/get_without_logs"
    return silence(lambda: api.call("POST", url, json={"id": 1}, timeout=0.3)), api.status(1)


shows("no-reason", 403, "failed")(reason)
shows("reason-stalls", "nothing", "failed")(reason)


# --- all of them ---


@pytest.mark.parametrize("name", scenario_names())
def test_a_scenario_shows_what_it_promises(serve, name):
    """It starts by its name, and a client sees what it is about."""
    scene, expected = SCENES[name]
    assert expected == tuple(scene(serve(scenario=named_scenario(name))))


def test_every_scene_has_a_scenario():
    """Nothing is promised that is not there."""
    assert set(SCENES) == set(scenario_names())


def test_a_scenario_says_what_it_is_about():
    """Who lists them reads a sentence about each."""
    abouts = [named_scenario(name).about for name in scenario_names()]
    assert [] == [about for about in abouts if not about.endswith(".")]


def test_a_name_that_nobody_knows_is_explained():
    """The error lists the names that there are."""
    with pytest.raises(InvalidScenario, match="there are admin, already-running"):
        named_scenario("happy")


def test_credentials_of_ones_own_go_before_the_scenarios(serve):
    """Who starts the server decides who may come in."""
    scenario = named_scenario("token-1s")
    own = type(scenario.auth)(client_id="me", client_secret="x", lifetime=timedelta(seconds=9))
    api = serve(scenario=scenario, auth=own)
    assert 400 == buy(api).status_code
    assert 9 == buy(api, client_id="me", client_secret="x").json()["expires_in"]
