"""The options that several commands share, and help in sections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from airbyte_sync import JobType, OnConflict
from airbyte_sync_cli.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable

Decorated = TypeVar("Decorated", bound="Callable[..., Any]")

SERVER = "Airbyte"
SYNC = "The sync"
INTERRUPTION = "When it is interrupted"
OUTPUT = "Output"
_OTHER = "Other"
_SECTIONS = ("Options", SYNC, INTERRUPTION, OUTPUT, SERVER, _OTHER)
_SECRETS = {
    "client_secret": "--client-secret-file",
    "password": "--password-file",
    "token": "--token-file",
}


class SectionOption(click.Option):
    """An option that knows its section of the help."""

    def __init__(self, *args: Any, section: str = "Options", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.section = section

    def type_cast_value(self, ctx: click.Context, value: Any) -> Any:
        """Refuse an empty text: it is a variable of a script that was not set, as in ``--state "$DIR"``."""
        if value == "":
            text = "it is empty: give a value, or leave the option out"
            raise click.BadParameter(text, ctx, self)
        return super().type_cast_value(ctx, value)


class SectionCommand(click.Command):
    """A command whose help has its options in sections, and examples at its end."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, section by section."""
        rows: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                section = getattr(parameter, "section", _OTHER)
                rows.setdefault(section, []).append(record)
        for section in sorted(rows, key=_SECTIONS.index):
            with formatter.section(section):
                formatter.write_dl(rows[section])


def option(
    *names: str, section: str = "Options", **attributes: Any
) -> Callable[[Decorated], Decorated]:
    """Return a decorator for an option with a section. Its value is ``None`` where it was not given."""
    attributes.setdefault("default", None)
    return click.option(*names, cls=SectionOption, section=section, **attributes)


def together(*decorators: Callable[[Decorated], Decorated]) -> Callable[[Decorated], Decorated]:
    """Return several options as one decorator, in the order of the help."""

    def decorate(function: Decorated) -> Decorated:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def _refuse_secret(ctx: click.Context, parameter: click.Parameter, value: object) -> None:
    """Say where a secret belongs; the text does not repeat it."""
    if value is None or ctx.resilient_parsing:
        return
    name = str(parameter.name)
    raise click.UsageError(
        f"a secret is never the value of an option, because every user of this machine can read it in the "
        f"list of processes: set {PREFIX}{name.upper()} in the environment, or give a file with "
        f"{_SECRETS[name]}. Change the secret if others use this machine.",
        ctx,
    )


def _hidden_secrets() -> list[Callable[[Decorated], Decorated]]:
    return [
        option(
            f"--{name.replace('_', '-')}", hidden=True, callback=_refuse_secret, expose_value=False
        )
        for name in _SECRETS
    ]


def server_options() -> Callable[[Decorated], Decorated]:
    """Return the options that say where Airbyte is, and who we are there."""
    file = click.Path(dir_okay=False)
    return together(
        option("--url", section=SERVER, metavar="URL", help="Its address, in any spelling."),
        option("--client-id", section=SERVER, metavar="ID", help="Client id of an application."),
        option(
            *("--client-secret-file",),
            section=SERVER,
            type=file,
            metavar="FILE",
            help=f"The file with its secret, or set {PREFIX}CLIENT_SECRET.",
        ),
        option("--username", section=SERVER, metavar="NAME", help="For basic authentication."),
        option(
            *("--password-file",),
            section=SERVER,
            type=file,
            metavar="FILE",
            help=f"The file with the password, or set {PREFIX}PASSWORD.",
        ),
        option(
            *("--token-file",),
            section=SERVER,
            type=file,
            metavar="FILE",
            help=f"The file with a bearer token, or set {PREFIX}TOKEN.",
        ),
        option(
            *("--config",),
            section=SERVER,
            type=file,
            metavar="FILE",
            help="Settings in TOML. Default: config.toml in your configuration folder, see "
            "airbyte-sync --help.",
        ),
        option(
            *("--transport",),
            section=SERVER,
            metavar="NAME",
            help="The HTTP library, as installed packages register it. Default: aiohttp.",
        ),
        *_hidden_secrets(),
    )


def workspace_option() -> Callable[[Decorated], Decorated]:
    """Return the option that says where names are looked for."""
    return option(
        *("--workspace",),
        section=SERVER,
        metavar="ID",
        help="Look in this workspace. Default: in every one that the credentials can see.",
    )


def json_option() -> Callable[[Decorated], Decorated]:
    """Return the option for one JSON document."""
    return option(
        *("--json", "as_json"),
        section=OUTPUT,
        is_flag=True,
        default=False,
        help="One JSON document on standard output, at the end.",
    )


def progress_options() -> Callable[[Decorated], Decorated]:
    """Return the options of commands that follow syncs."""
    return together(
        json_option(),
        option(
            *("--json-events",),
            section=OUTPUT,
            is_flag=True,
            default=False,
            help="A line of JSON for each event; the last one has what --json shows.",
        ),
        option(
            *("-q", "--quiet"),
            section=OUTPUT,
            is_flag=True,
            default=False,
            help="Write nothing when all is well: cron then sends no mail.",
        ),
    )


def poll_interval_option() -> Callable[[Decorated], Decorated]:
    """Return the option for the pace of polls."""
    return option(
        *("--poll-interval",),
        section=SYNC,
        metavar="SECONDS",
        help="Poll so often. Default: 3 s at first, up to 60 s in a long sync.",
    )


def timeout_option(text: str) -> Callable[[Decorated], Decorated]:
    """Return the option ``--timeout`` with what it means for a command."""
    return option("--timeout", section=SYNC, metavar="SECONDS", help=text)


def unreachable_option() -> Callable[[Decorated], Decorated]:
    """Return the option for a server that does not answer."""
    return option(
        *("--unreachable-timeout",),
        section=SYNC,
        metavar="SECONDS",
        help="Give up when Airbyte cannot be reached for so long. Default: 900.",
    )


def request_options() -> Callable[[Decorated], Decorated]:
    """Return the options that say what to start."""
    return together(
        option(
            *("--type", "job_type"),
            section=SYNC,
            type=click.Choice([each.value for each in JobType if each is not JobType.REFRESH]),
            help="What to run. Default: sync.",
        ),
        option(
            *("--on-conflict",),
            section=SYNC,
            type=click.Choice([each.value for each in OnConflict]),
            help="What to do when the connection is busy with another sync: wait for it to end and start "
            "ours (queue), follow it instead (attach), or end at once with exit code 3 (skip, fail). "
            "Default: queue.",
        ),
        option(
            *("--queue-timeout",),
            section=SYNC,
            metavar="SECONDS",
            help="The sync must have begun to run within so long. Default: as --timeout.",
        ),
    )
