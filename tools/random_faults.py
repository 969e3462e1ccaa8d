"""A local Airbyte that misbehaves at random, in ways that end no sync: the same for the same seed."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from airbyte_sync_local import Fault, answers

if TYPE_CHECKING:
    from airbyte_sync_local import LocalAirbyte

_READS = ("GET /jobs", "GET /jobs/{jobId}", "GET /connections/{connectionId}", "GET *")
_ODD_ANSWERS = (
    answers.bad_gateway(),
    answers.internal_error(),
    answers.login_page(),
    answers.no_route(),
    answers.not_found_page(),
    answers.unavailable(),
    answers.webapp_page(),
)
_LOST_SUBMISSIONS = (
    Fault(on="POST /jobs", do="drop_after"),
    Fault(on="POST /jobs", do="answer_after", answer=answers.gateway_timeout()),
    Fault(on="POST /jobs", do="answer_after", answer=answers.webapp_page()),
    Fault(on="POST /jobs", do="answer", answer=answers.no_route(), in_front=True),
)


def misbehave(airbyte: LocalAirbyte, seed: int) -> None:
    """Let the answer to a submission be lost or odd, and a number of reads fail."""
    random = Random(seed)  # noqa: S311 - no secret comes of it
    airbyte.inject(random.choice(_LOST_SUBMISSIONS))
    for _ in range(4):
        operation, skip = random.choice(_READS), random.randrange(4)
        if random.random() < 1 / 3:
            airbyte.inject(Fault(on=operation, do="drop", skip=skip))
        else:
            odd = random.choice(_ODD_ANSWERS)
            airbyte.inject(Fault(on=operation, do="answer", answer=odd, skip=skip))
