"""AGENT_MQTT_URL: what it means, what is wrong with it, and that its secrets stay secret."""

import io
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import ConfigurationError
from agent.logs import make_log
from agent.mqtt.address import MqttAddress, parse_mqtt
from agent.redaction import redact
from agent.settings.load import load
from tests.settings.operator_environment import environment

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
MARK = "Zq7"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("mqtt://broker", MqttAddress("broker", 1883)),
        ("mqtt://Broker.lan.", MqttAddress("broker.lan.", 1883)),
        ("mqtt://10.0.0.2:1884/", MqttAddress("10.0.0.2", 1884)),
        ("MQTTS://[fd00::1]", MqttAddress("fd00::1", 8883, tls=True)),
        (
            "mqtt://a%3Ab:p%40s%2Fs@broker/site/line",
            MqttAddress("broker", 1883, user="a:b", password="p@s/s", prefix="site/line"),
        ),
        ("mqtt://token@broker", MqttAddress("broker", 1883, user="token")),
        ("mqtt://user:@broker", MqttAddress("broker", 1883, user="user", password="")),
        ("mqtt://broker?discovery=off", MqttAddress("broker", 1883, discovery=None)),
        ("mqtt://broker/x?discovery=ha", MqttAddress("broker", 1883, prefix="x", discovery="ha")),
        (
            "mqtts://broker?ca=/etc/ca.pem&cert=/etc/own.pem",
            MqttAddress("broker", 8883, tls=True, ca="/etc/ca.pem", cert="/etc/own.pem"),
        ),
    ],
)
def test_an_address_is_understood(text: str, address: MqttAddress) -> None:
    assert parse_mqtt(text) == address


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("broker:1883", "write mqtt://HOST, or mqtts://HOST for TLS"),
        ("http://broker", "write mqtt://HOST, or mqtts://HOST for TLS"),
        ("mqtt://", "must be HOST or HOST:PORT"),
        ("mqtt://broker:0", "the port must be between 1 and 65535"),
        ("mqtt://broker:99999", "the port must be between 1 and 65535"),
        ("mqtt://[fd00::1::2]", "is no IPv6 address"),
        ("mqtt://u:Zq7/x@broker", "%2F for /"),
        ("mqtt://u:Zq7?x@broker", "percent-encoded"),
        ("mqtt://u:Zq7?a=b@broker", "percent-encoded"),
        ("mqtt://u:Zq7#x@broker", "percent-encoded"),
        ("mqtt://u:Zq7@x@broker", "percent-encoded"),
        ("mqtt://u:Zq7:x@broker", "more than one :"),
        ("mqtt://u:Zq7%x@broker", "a % that begins no escape"),
        ("mqtt://u:%FF@broker", "the password is not UTF-8"),
        ("mqtt://u:a%00b@broker", "a zero byte"),
        ("mqtt://:Zq7@broker", "a password needs a user"),
        ("mqtt://@broker", "nothing stands before the @"),
        ("mqtt://broker/a//b", "the prefix has an empty level"),
        ("mqtt://broker/a/+", "must not contain + or #"),
        ("mqtt://broker/a/%23", "must not contain + or #"),
        ("mqtt://broker/$SYS", "must not begin with $"),
        ("mqtt://broker/a%0Ab", "cannot be shown"),
        ("mqtt://broker?discovery=+", "discovery= must not contain + or #"),
        ("mqtt://broker?ca=/etc/ca.pem", "ca= needs TLS; write mqtts://"),
        ("mqtts://broker?ca=ca.pem", "ca=: the path must begin with /"),
        ("mqtts://broker?ca=/a&ca=/b", "ca= is there twice"),
        ("mqtts://broker?insecure=1", "insecure is unknown or has no value"),
        ("mqtts://broker?ca=", "ca is unknown or has no value"),
    ],
)
def test_what_is_wrong_is_named_with_the_fix(text: str, why: str) -> None:
    with pytest.raises(ValueError) as raised:
        parse_mqtt(text)

    assert why in str(raised.value)
    assert str(raised.value).startswith("cannot use 'mqtt") or ":" in text
    assert MARK not in str(raised.value)
    assert redact(str(raised.value)) == str(raised.value)


@pytest.mark.parametrize(
    ("login", "secrets"),
    [
        ("token", ["token"]),
        ("A1b2C3d4E5f6", ["A1b2C3d4E5f6"]),
        ("user:pass", ["pass"]),
        ("capture-agent", []),
        ("mqtt_2", []),
    ],
)
def test_a_user_without_a_password_is_a_secret_unless_it_is_a_plain_name(
    login: str, secrets: list[str]
) -> None:
    assert list(parse_mqtt(f"mqtt://{login}@broker").secrets()) == secrets


@given(user=TEXTS.filter(bool), password=TEXTS)
def test_every_user_and_password_can_be_written(user: str, password: str) -> None:
    address = parse_mqtt(f"mqtt://{quote(user, safe='')}:{quote(password, safe='')}@broker")

    assert (address.user, address.password) == (user, password)


@given(TEXTS | TEXTS.map("mqtt://".__add__) | TEXTS.map("mqtts://u:p@h/".__add__))
def test_any_other_text_is_refused_in_the_one_way(text: str) -> None:
    message = ""
    try:
        parse_mqtt(text)
    except ValueError as error:
        message = str(error)
    assert message.isprintable()


@given(st.text("abcXYZ0189/?#@:%&=+ -", min_size=4, max_size=20).map(lambda text: MARK + text))
def test_no_text_shows_a_password_however_it_is_written(password: str) -> None:
    with environment({"AGENT_MQTT_URL": f"mqtt://user:{password}@broker"}):
        shown = [password]
        try:
            shown.append(repr(load()))
        except ConfigurationError as error:  # nothing of it is used, and nothing remembered
            shown = [str(error)]
    stream = io.StringIO()
    for each in shown:
        make_log(stream=stream, form="logfmt").info("summary", text=each)
    assert MARK not in stream.getvalue()
