"""The error tree: one root, the tree as drawn, and what it says about repeating a call."""

import inspect
import re

import pytest

import airbyte_sync
from airbyte_sync import errors

CLASSES = {
    name: value
    for name, value in vars(errors).items()
    if inspect.isclass(value) and issubclass(value, BaseException)
}


def drawn_tree():
    """Yield (name, name of the parent) as the module's docstring draws them."""
    path = {}
    for line in (errors.__doc__ or "").splitlines():
        drawn = re.match(r"^    ([│ ├└─]*)([A-Z]\w+)", line)
        if drawn:
            depth = len(drawn[1]) // 4
            path[depth] = drawn[2]
            yield drawn[2], path.get(depth - 1)


def test_the_tree_is_as_drawn():
    """Every error is in the picture, under its parent."""
    assert dict(drawn_tree()) == {
        name: kind.__base__.__name__ if kind is not errors.AirbyteSyncError else None
        for name, kind in CLASSES.items()
    }


@pytest.mark.parametrize("name", CLASSES)
def test_every_error_is_public_and_shadows_nothing(name):
    """Errors are facts without the suffix Error, exported, and none hides a builtin."""
    assert name in airbyte_sync.__all__
    assert name == "AirbyteSyncError" or not name.endswith("Error")
    assert name not in vars(__builtins__ if inspect.ismodule(__builtins__) else inspect)


def test_errors_say_whether_a_call_may_be_repeated():
    """True: surely not carried out. None: nobody knows. False: repeating cannot help."""
    safe = {kind.__name__ for kind in CLASSES.values() if getattr(kind, "retry_safe", 0) is True}
    in_doubt = {
        kind.__name__ for kind in CLASSES.values() if getattr(kind, "retry_safe", 0) is None
    }
    assert safe == {"RequestNotSent", "Throttled", "RefusedOnTheWay"}
    assert in_doubt == {
        *("CallFailed", "ResponseNotReceived", "ServerTrouble", "UnexpectedReply", "UnreadableId")
    }
    assert all(
        kind.retry_safe is False for kind in CLASSES.values() if issubclass(kind, errors.Refused)
    )
