"""What all commands share: settings, log, and the way errors are shown."""

import errno
import functools
import itertools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

import typer

from agent.errors import AgentError, ConfigurationError
from agent.library_output import LibraryOutput
from agent.printable import printable
from agent.redaction import redact
from agent.system import SystemClock, under_systemd

if TYPE_CHECKING:  # a command that needs no settings, or no log, does not wait for them
    from agent.logs import Log, LogStream
    from agent.settings.declarations import Settings

P = ParamSpec("P")

_WRONG_PATH = frozenset(
    {errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EROFS}
)

_BEGINNING = 4096  # bytes of an existing file that tell what it is

_library_output: ContextVar[LibraryOutput] = ContextVar("library output of this command")


def errors_shown(command: Callable[P, None]) -> Callable[P, None]:
    """The command, with an expected error turned into its one clear message and exit code.

    What it writes is its user's alone.
    """

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        os.umask(0o077)
        try:
            with LibraryOutput(SystemClock()) as output:
                _library_output.set(output)
                command(*args, **kwargs)
        except AgentError as error:
            raise _shown(error) from error
        except OSError as error:
            if error.filename is None or error.errno not in _WRONG_PATH:
                raise  # a bug, which is shown with its traceback
            raise _shown(
                ConfigurationError(
                    f"cannot use the path {printable(os.fsdecode(error.filename))}: "
                    f"{error.strerror}; check it, and the rights of the folders above it"
                )
            ) from error
        finally:
            for line in _library_output.get().unreported:
                print(f"capture-agent: a library says: {redact(line)}", file=sys.stderr)

    return wrapped


def _shown(error: AgentError) -> typer.Exit:
    """Show an error, and return how the process ends."""
    prefix = "<3>" if under_systemd() else ""
    for line in redact(str(error)).splitlines():
        print(f"{prefix}capture-agent: {line}", file=sys.stderr)
    return typer.Exit(error.exit_code)


def log_library_output(log: "Log") -> None:
    """Log what libraries write to standard error, from the start of the command on."""
    _library_output.get().report_to(
        lambda line, left_out: log.info("library message", text=line, left_out=left_out)
    )


def return_stderr() -> None:
    """Give standard error back, for a program that takes the place of this process."""
    _library_output.get().close()


def settings(
    *, needs_cameras: bool = False, needs_target: bool = False, needs_doors: bool = False
) -> "Settings":
    """The settings of the environment; raises `ConfigurationError` with all that is wrong.

    `needs_target`: an address that makes no target is wrong too. That loads the libraries of the
    daemon; who only looks at the spool does without. `needs_doors`: so is an API or a broker that
    lacks a library, a token or a certificate.
    """
    from agent.settings.load import load

    checks = [_make_target] if needs_target else []
    checks += [_check_api, _check_broker] if needs_doors else []
    return load(needs_cameras=needs_cameras, further=partial(_all_of, checks) if checks else None)


def new_folder(wanted: Path) -> Path:
    """The first free one of NAME, NAME-2, NAME-3, ...: nothing is ever overwritten."""
    names = (wanted.with_name(f"{wanted.name}-{n}") for n in itertools.count(2))
    return next(path for path in itertools.chain([wanted], names) if not path.exists())


def require_writable(file: Path | None, option: str) -> None:
    """Before the work: raise `ConfigurationError` if the file of an option cannot be written."""
    if file is not None and (file.is_dir() or not os.access(file.absolute().parent, os.W_OK)):
        raise ConfigurationError(
            f"cannot write {option} {printable(file)}: it must be a file in a folder that you may "
            "write to"
        )


HTML = b"<!doctype html>"
"""What a page begins with."""


def require_replaceable(file: Path | None, option: str, mark: bytes) -> None:
    """Raise `ConfigurationError` for a file of another kind, such as people's reviews.

    `mark` stands near the beginning of each file that the command writes. An empty file is free.
    """
    if file is None or not file.is_file():
        return
    try:
        with file.open("rb") as opened:
            beginning = opened.read(_BEGINNING)
    except OSError as error:
        raise ConfigurationError(
            f"cannot write {option} {printable(file)}: {error.strerror}"
        ) from error
    if beginning and mark not in beginning:
        raise ConfigurationError(
            f"cannot write {option} {printable(file)}: the file exists and was not written by this "
            "command; name another file, or move it away"
        )


@contextmanager
def progress(what: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal while the block runs; yields what takes the number done so far."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    screen = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit, markup=False),
        Remaining(),
    )
    with Progress(
        *columns, console=screen, transient=True, disable=not screen.is_terminal
    ) as shown:
        task = shown.add_task(what, total=total)
        yield lambda done: shown.update(task, completed=done)


def _make_target(settings: "Settings") -> None:
    from agent.factories.delivery import upload_target

    upload_target(settings, clock=SystemClock())


def _check_api(settings: "Settings") -> None:
    from agent.factories.api import check_api_terms

    check_api_terms(settings)


def _check_broker(settings: "Settings") -> None:
    from agent.factories.api import check_broker_terms

    check_broker_terms(settings)


def _all_of(checks: Sequence[Callable[["Settings"], None]], settings: "Settings") -> None:
    """Make all checks; raises `ConfigurationError` with what each has found."""
    problems = []
    for check in checks:
        try:
            check(settings)
        except ConfigurationError as error:
            problems.append(str(error))
    if problems:
        raise ConfigurationError("\n".join(problems))


def log_of(
    settings: "Settings", *, level: str | None = None, stream: "LogStream | None" = None
) -> "Log":
    """The logger that the settings describe; `stream` defaults to standard error."""
    from agent.logs import make_log

    return make_log(
        level=level or settings.log_level,
        form=settings.log_format,
        stream=stream,
        under_systemd=under_systemd(),
    )
