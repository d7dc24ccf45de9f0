"""`capture-agent check`: one line per part, with the cause and the fix."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from agent.cli import console
from agent.cli.as_service import hint
from agent.errors import AgentError, ConfigurationError
from agent.redaction import redact
from agent.system import SystemClock

if TYPE_CHECKING:  # it loads the camera and model libraries
    from agent.cli.preflight import CheckResult


def check(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    upload_test: Annotated[
        bool, typer.Option("--upload-test", help="Also deliver one frame, marked as a test.")
    ] = False,
) -> None:
    """Check settings, model, cameras, disk and endpoint; say what is wrong and how to fix it.

    Example: AGENT_CAMERAS=/dev/video0 capture-agent check

    Exits with 0 only if all pass, 78 if not. Stores and sends nothing; with --upload-test it sends
    one frame in the lane `requested` with the rule `upload_test`, which no budget counts, and one
    heartbeat.
    """
    findings = []
    screen = Console(highlight=False, emoji=False, soft_wrap=True)
    for finding in _findings(upload_test=upload_test):
        findings.append(finding)
        if not as_json:
            mark = "[green]ok  [/]" if finding.ok else "[red]FAIL[/]"
            first, *rest = finding.fact.splitlines() or [""]
            screen.print(f"{mark} {finding.name:<10} ", end="")
            screen.print(first, markup=False)
            for line in rest:
                screen.print(" " * 16 + line, markup=False)
    passed = all(finding.ok for finding in findings)
    if as_json:
        lines = [{"name": f.name, "ok": f.ok, "fact": f.fact} for f in findings]
        print(json.dumps({"ok": passed, "checks": lines}))
    sys.stdout.flush()
    raise typer.Exit(0 if passed else 78)


def _findings(*, upload_test: bool) -> "Iterator[CheckResult]":
    from agent.cli.camera_check import check_camera
    from agent.cli.preflight import (
        check_clips,
        check_endpoint,
        check_model,
        check_secrets,
        check_spool,
    )

    try:
        settings = console.settings(needs_cameras=True)
    except AgentError:
        yield _tried("settings", _name_all_that_is_wrong)
        return
    yield _tried("settings", lambda: check_secrets(settings, os.environ))
    clock = SystemClock()
    yield _tried("model", lambda: check_model(settings))
    if settings.feedback is not None:
        from agent.cli.feedback_check import check_feedback

        yield _tried("feedback", lambda: check_feedback(settings))
    if settings.auto_per_day:
        from agent.cli.auto_check import check_auto_labels

        yield _tried("auto labels", lambda: check_auto_labels(settings))
    for camera in settings.cameras:
        yield _tried(camera.name, partial(check_camera, camera, settings, clock))
    yield _tried("spool", lambda: check_spool(settings, clock))
    if settings.clip is not None:
        yield _tried("clips", lambda: check_clips(settings))
    yield _tried("endpoint", lambda: check_endpoint(settings, clock))
    if settings.api is not None:
        from agent.cli.api_check import check_api

        yield _tried("api", partial(check_api, settings, settings.api, clock))
    if settings.mqtt_url is not None:
        from agent.cli.broker_check import check_broker

        yield _tried("mqtt", lambda: check_broker(settings, clock))
    if upload_test:
        from agent.cli.upload_test import send_marked_frame

        yield _tried("upload", lambda: send_marked_frame(settings, clock))
        if settings.heartbeat is not None:
            from agent.cli.heartbeat_check import send_heartbeat

            yield _tried("heartbeat", lambda: send_heartbeat(settings, clock))


def _name_all_that_is_wrong() -> str:
    # An address alone that is wrong has its own line, and the others are tried all the same.
    try:
        console.settings(needs_cameras=True, needs_target=True)
    except ConfigurationError as error:
        elsewhere = hint("check")
        raise ConfigurationError(f"{error}\n{elsewhere}" if elsewhere else str(error)) from error
    return "all understood"


def _tried(name: str, look: Callable[[], str]) -> "CheckResult":
    from agent.cli.preflight import CheckResult

    try:
        return CheckResult(name, ok=True, fact=redact(look()))
    except AgentError as error:
        return CheckResult(name, ok=False, fact=redact(str(error)))
