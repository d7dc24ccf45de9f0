"""Follows the messages on command topics, or answers why not."""

import math

from agent.errors import RefusalKind, RequestRefused
from agent.logs import Log
from agent.mqtt import messages
from agent.mqtt.client import Message
from agent.mqtt.commands import COMMAND_BYTES, Command, RateLimit, commands_of
from agent.printable import printable
from agent.record.timestamp import timestamp
from agent.runtime.application import Application

REFUSALS_S = 60.0
"""The shortest time between two lines of the log about commands."""


class CommandDesk:
    """Asks for captures in the name of those who publish commands."""

    def __init__(self, application: Application, log: Log) -> None:
        self._application = application
        self._clock = application.clock
        self._log = log
        self._limit = RateLimit(application.cameras)
        self._kept: set[str] = set()  # topics with a command that the broker keeps
        self._told_at = -math.inf
        self._refusals = 0  # since the last line of the log

    def take(self, message: Message, named: str) -> list[bytes]:
        """Follow a command, and return an answer for each part that is refused.

        `named`: the camera of the topic; "" if it names none.
        """
        if not message.payload and (message.is_retained or message.topic in self._kept):
            self._kept.discard(message.topic)  # this removes a command that was kept
            return []
        if message.is_retained:
            self._kept.add(message.topic)
            return [self._answer(message, _retained(message.topic))]
        try:
            commands = commands_of(message.payload, named, self._application.cameras)
        except RequestRefused as refused:
            return [self._answer(message, refused)]
        answers = []
        for command in commands:
            try:
                self._request(command)
            except RequestRefused as refused:
                answers.append(self._answer(message, refused))
        return answers

    def _request(self, command: Command) -> None:
        self._limit.take(command.camera, self._clock.monotonic())
        captures = self._application.captures
        if captures is None:
            raise RequestRefused(
                RefusalKind.NOT_NOW,
                f"cannot capture {command.camera}: this daemon takes no requests",
            )
        captures.request(command.camera, command.at, note=command.note)

    def _answer(self, message: Message, refused: RequestRefused) -> bytes:
        """Return the answer; the log gets a line a minute at most."""
        text = message.payload[:COMMAND_BYTES].decode(errors="backslashreplace")
        at = timestamp(self._clock.wall())
        now = self._clock.monotonic()
        self._refusals += 1
        if now - self._told_at >= REFUSALS_S:
            self._log.info(
                "mqtt command refused",
                topic=printable(message.topic),
                error=str(refused),
                commands=self._refusals,
            )
            self._told_at, self._refusals = now, 0
        return messages.payload(messages.refusal(message.topic, text, str(refused), at=at))


def _retained(topic: str) -> RequestRefused:
    return RequestRefused(
        RefusalKind.INVALID,
        "cannot take the command: it is retained, so that it would come again with each "
        "connection; publish it without retain, and remove this one: "
        f"mosquitto_pub -r -n -t '{topic}'",
    )
