"""What each setting takes, what it refuses, and what the operator reads then."""

from pathlib import Path
from typing import Any

import pytest

from agent.detector.formats import FORMAT_NAMES
from agent.errors import ConfigurationError
from agent.factories.selection import selection_plan
from agent.settings.declarations import Settings
from agent.settings.load import load, without_environment
from tests.settings.operator_environment import environment, problems_of, settings_of

DIGEST = "0123456789abcdefABCDEF0123456789" * 2


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("AGENT_DEVICE_ID", " gate 7 ", "gate 7"),
        ("AGENT_FPS", "0", 0.0),
        ("AGENT_FPS", "12.5", 12.5),
        ("AGENT_CAMERA_STALL", "1m30s", 90.0),
        ("AGENT_CAMERA_STALL", "45", 45.0),
        ("AGENT_MODEL", "bundled", None),
        ("AGENT_MODEL", "/models/a b.onnx", Path("/models/a b.onnx")),
        ("AGENT_MODEL_FORMAT", "ultralytics", "ultralytics"),
        ("AGENT_MODEL_LABELS", "car, person", "car, person"),
        ("AGENT_MODEL_SHA256", DIGEST, DIGEST),
        ("AGENT_PROVIDERS", "CUDA, CPU", ("CUDA", "CPU")),
        ("AGENT_INFERENCE_WORKERS", "auto", "auto"),
        ("AGENT_INFERENCE_WORKERS", "3", 3),
        ("AGENT_INFERENCE_THREADS", "64", 64),
        ("AGENT_THRESHOLD", "1", 1.0),
        ("AGENT_THRESHOLDS", "car=0.6 'traffic light'=.4", {"car": 0.6, "traffic light": 0.4}),
        ("AGENT_THRESHOLDS", '"traffic light=0.4"', {"traffic light": 0.4}),
        ("AGENT_FLOOR", "0", 0.0),
        ("AGENT_FLOOR", "0.5", 0.5),
        ("AGENT_RULES", "none", ()),
        ("AGENT_RULES", "low_confidence, low_confidence", ("low_confidence",)),
        ("AGENT_RANDOM_INTERVAL", "auto", "auto"),
        ("AGENT_RANDOM_INTERVAL", "off", "off"),
        ("AGENT_RANDOM_INTERVAL", "500ms", 0.5),
        ("AGENT_RANDOM_INTERVAL", "1d", 86400.0),
        ("AGENT_EVERY_NTH_FRAME", "100", 100),
        ("AGENT_BUDGET_PER_DAY", "0", 0.0),
        ("AGENT_BUDGET_PER_DAY", "0.5", 0.5),
        ("AGENT_BUDGET_PER_DAY", "10000", 10_000.0),
        ("AGENT_MIN_VALUE", "0", 0.0),
        ("AGENT_MIN_VALUE", "1.5", 1.5),
        ("AGENT_REDACT", "person, face person", ("person", "face")),
        ("AGENT_REDACT", "person 'traffic light'", ("person", "traffic light")),
        ("AGENT_JPEG_QUALITY", "100", 100),
        ("AGENT_MAX_SIDE", "1280", 1280),
        ("AGENT_SPOOL_DIR", "/data/spool", Path("/data/spool")),
        ("AGENT_SPOOL_MAX", "10MB", 10_000_000),
        ("AGENT_SPOOL_MAX", "1.5 GiB", 3 * 2**29),
        ("AGENT_SPOOL_MAX", "1PB", 10**15),
        ("AGENT_SPOOL_MIN_FREE", "0", 0),
        ("AGENT_UPLOAD_URL", "dir:/srv/captures", "dir:/srv/captures"),
        ("AGENT_UPLOAD_WORKERS", "1", 1),
        ("AGENT_UPLOAD_TIMEOUT", "1h", 3600.0),
        ("AGENT_LOG_LEVEL", "debug", "debug"),
        ("AGENT_LOG_FORMAT", "json", "json"),
    ],
)
def test_a_good_value_is_read(name: str, text: str, value: object) -> None:
    assert getattr(settings_of(**{name: text}), name.removeprefix("AGENT_").lower()) == value


NUMBER = "must be a number between 0 and 1"
PAIRS = (
    "must be label=number pairs with numbers between 0 and 1, such as car=0.6 'traffic light'=0.4"
)
INTERVAL = "must be auto, off, or a duration between 1ms and 365d"
WORKERS = "must be auto, or a whole number between 1 and 64"
PROVIDERS = "must be auto, or names such as CUDAExecutionProvider CPUExecutionProvider"
FORMAT = "must be one of auto, " + ", ".join(FORMAT_NAMES)
DEVICE = "1 to 128 characters, but not . or .."
SIZE = "must be a size between 10MB and 1PB"


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("AGENT_DEVICE_ID", "   ", f"must be {DEVICE}, not blank"),
        ("AGENT_DEVICE_ID", "x" * 129, f"must be {DEVICE}, not {'x' * 129}"),
        ("AGENT_DEVICE_ID", ".", f"must be {DEVICE}, not ."),
        ("AGENT_DEVICE_ID", "..", f"must be {DEVICE}, not .."),
        ("AGENT_FPS", "-1", "must be a number between 0 and 1000, not -1"),
        ("AGENT_FPS", "nan", "must be a number between 0 and 1000, not nan"),
        ("AGENT_FPS", "inf", "must be a number between 0 and 1000, not inf"),
        ("AGENT_CAMERA_STALL", "5 parsecs", "must be a duration between 1s and 1h, not 5 parsecs"),
        ("AGENT_CAMERA_STALL", "0", "must be a duration between 1s and 1h, not 0"),
        ("AGENT_CAMERA_STALL", "nan", "must be a duration between 1s and 1h, not nan"),
        ("AGENT_MODEL_FORMAT", "yolo", f"{FORMAT}, not yolo"),
        (
            "AGENT_MODEL_FORMAT",
            "Ultralytic",
            f"{FORMAT}, not Ultralytic; did you mean ultralytics?",
        ),
        ("AGENT_MODEL_SHA256", "abc", "must be 64 hexadecimal digits, not abc"),
        (
            "AGENT_MODEL_SHA256",
            DIGEST + "\n0",
            f"must be 64 hexadecimal digits, not '{DIGEST}\\n0'",
        ),
        ("AGENT_PROVIDERS", ",", f"{PROVIDERS}, not ,"),
        ("AGENT_PROVIDERS", "'CPU", f"{PROVIDERS}, not 'CPU"),
        ("AGENT_INFERENCE_WORKERS", "0", f"{WORKERS}, not 0"),
        ("AGENT_INFERENCE_WORKERS", "all", f"{WORKERS}, not all"),
        ("AGENT_INFERENCE_THREADS", "1.5", "must be a whole number between 1 and 64, not 1.5"),
        ("AGENT_THRESHOLD", "50", f"{NUMBER}, not 50"),
        ("AGENT_THRESHOLD", "50%", f"{NUMBER}, not 50%"),
        ("AGENT_THRESHOLD", "nan", f"{NUMBER}, not nan"),
        ("AGENT_THRESHOLDS", "car", f"{PAIRS}, not car"),
        ("AGENT_THRESHOLDS", "=0.5", f"{PAIRS}, not =0.5"),
        ("AGENT_THRESHOLDS", "car=60", f"{PAIRS}, not car=60"),
        ("AGENT_THRESHOLDS", "car=nan", f"{PAIRS}, not car=nan"),
        ("AGENT_THRESHOLDS", "car=0.6,bus=0.4", f"{PAIRS}, not car=0.6,bus=0.4"),
        ("AGENT_THRESHOLDS", "car=0.6 car=0.4", f"{PAIRS}, not car=0.6 car=0.4"),
        ("AGENT_THRESHOLDS", "'car=0.6", f"{PAIRS}, not 'car=0.6"),
        (
            "AGENT_FLOOR",
            "0.51",
            "must not be above the lowest threshold, 0.5, not 0.51: detections below the",
        ),
        ("AGENT_RULES", ",", "must be none, or any of"),
        ("AGENT_RULES", "none low_confidence", "must be none, or any of"),
        ("AGENT_RANDOM_INTERVAL", "0", f"{INTERVAL}, not 0"),
        ("AGENT_RANDOM_INTERVAL", "-5m", f"{INTERVAL}, not -5m"),
        ("AGENT_RANDOM_INTERVAL", "inf", f"{INTERVAL}, not inf"),
        ("AGENT_RANDOM_INTERVAL", "of", f"{INTERVAL}, not of"),
        ("AGENT_EVERY_NTH_FRAME", "-1", "must be a whole number of at least 0, not -1"),
        ("AGENT_BUDGET_PER_DAY", "-1", "must be a number between 0 and 1000000, not -1"),
        ("AGENT_BUDGET_PER_DAY", "nan", "must be a number between 0 and 1000000, not nan"),
        ("AGENT_MIN_VALUE", "101", "must be a number between 0 and 100, not 101"),
        ("AGENT_RULE_WEIGHTS", "flicker=0.8", "unknown; did you mean AGENT_"),
        ("AGENT_JPEG_QUALITY", "101", "must be a whole number between 1 and 100, not 101"),
        ("AGENT_MAX_SIDE", "-3", "must be a whole number of at least 0, not -3"),
        ("AGENT_SPOOL_MAX", "1MB", f"{SIZE}, not 1MB"),
        ("AGENT_SPOOL_MAX", "2GB or so", f"{SIZE}, not 2GB or so"),
        ("AGENT_SPOOL_MAX", "9" * 400 + "GB", f"{SIZE}, not 999"),
        ("AGENT_SPOOL_MIN_FREE", "-5", "must be a size between 0B and 1PB, not -5"),
        ("AGENT_UPLOAD_WORKERS", "0", "must be a whole number between 1 and 64, not 0"),
        ("AGENT_UPLOAD_TIMEOUT", "2h", "must be a duration between 1s and 1h, not 2h"),
        (
            "AGENT_LOG_LEVEL",
            "warn",
            "must be one of debug, info, warning, error, not warn; did you mean warning?",
        ),
        ("AGENT_LOG_FORMAT", "xml", "must be one of auto, logfmt, console, json, not xml"),
        ("AGENT_CAMERAS", "  ", "no camera; give name=source"),
        ("AGENT_CAMERAS", "a=0 a=1", "the name 'a' is used 2 times; each camera needs its own"),
        ("AGENT_CAMERAS", "rtsp://admin:hunter2@/x", "'rtsp://***@/x': no host in the URL"),
    ],
)
def test_a_bad_value_is_refused_in_one_line(name: str, text: str, complaint: str) -> None:
    problems = problems_of(**{name: text})

    assert len(problems) == 1
    assert problems[0].startswith(f"{name}: {complaint}")


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("AGENT_SPOOL_MAXX", "unknown; did you mean AGENT_SPOOL_MAX?"),
        ("AGENT_TRESHOLD", "unknown; did you mean AGENT_THRESHOLD?"),
        ("AGENT_TOKEN", "unknown; did you mean AGENT_UPLOAD_TOKEN?"),
        ("AGENT_API_TOKEN", "unknown; the token of the API is no variable; write it into the file"),
        ("AGENT_API_TLS_KEY", "unknown; put the key into the file of AGENT_API_TLS_CERT"),
        ("AGENT_API_PORT", "unknown; AGENT_API has both, as HOST:PORT"),
        ("agent_fps", "unknown; did you mean AGENT_FPS?"),
        ("AGENT_fps", "unknown; did you mean AGENT_FPS?"),
        ("AGENT_XYZZY", "unknown; see `capture-agent env` for all names"),
    ],
)
def test_an_unknown_variable_is_named_with_the_nearest_real_one(name: str, complaint: str) -> None:
    (problem,) = problems_of(**{name: "hunter2"})

    assert problem.startswith(f"{name}: {complaint}")


def test_a_mistyped_rule_is_answered_with_the_real_one() -> None:
    (problem,) = problems_of(AGENT_RULES="low_confidance")

    assert problem.endswith("not low_confidance; did you mean low_confidence?")


def test_everything_that_is_wrong_is_reported_at_once() -> None:
    wrong = {
        "AGENT_FPS": "x",
        "AGENT_FLOOR": "0.9",
        "AGENT_SPOOL_MAX": "1",
        "AGENT_RULES": "x",
        "AGENT_NOTHING": "",
        "AGENT_CAMERAS": "",
    }
    with environment(wrong), pytest.raises(ConfigurationError) as caught:
        load(needs_cameras=True)

    named = [line.partition(":")[0] for line in str(caught.value).splitlines()]
    assert sorted(named) == sorted(wrong)


@pytest.mark.parametrize("threshold", ["0.9", "0.01", "x"])  # the second makes the floor wrong
def test_what_only_others_can_tell_is_reported_with_the_rest(threshold: str) -> None:
    def further(settings: Settings) -> None:
        raise ConfigurationError(f"AGENT_UPLOAD_URL: must be another, not {settings.upload_url}")

    values = {"AGENT_FPS": "x", "AGENT_UPLOAD_URL": "ftp://x", "AGENT_THRESHOLD": threshold}
    with environment(values), pytest.raises(ConfigurationError) as caught:
        load(further=further)

    assert "AGENT_FPS: must be a number" in str(caught.value)
    assert "AGENT_UPLOAD_URL: must be another, not ftp://x" in str(caught.value)


def test_a_command_that_reads_cameras_requires_them() -> None:
    with environment({}), pytest.raises(ConfigurationError, match="AGENT_CAMERAS: required; set"):
        load(needs_cameras=True)
    with environment({"AGENT_CAMERAS": "/dev/video0"}):
        assert [camera.name for camera in load(needs_cameras=True).cameras] == ["camera"]


@pytest.mark.parametrize("lowered", [{"AGENT_THRESHOLD": "0.01"}, {"AGENT_THRESHOLDS": "car=0.01"}])
def test_a_threshold_below_the_floor_that_nobody_set_is_refused(lowered: dict[str, str]) -> None:
    (problem,) = problems_of(**lowered)

    assert problem.startswith("AGENT_FLOOR: must not be above the lowest threshold, 0.01, not 0.05")


@pytest.mark.parametrize("field", list(Settings.model_fields))
def test_an_empty_value_is_the_default(field: str) -> None:
    name = f"AGENT_{field.upper()}"

    assert settings_of(**{name: ""}) == settings_of()


@pytest.mark.parametrize(
    ("interval", "budget", "seconds"),
    [
        ("off", 0, None),
        ("auto", 0, 900.0),
        (7.5, 0, 7.5),
        (7.5, 100, 7.5),
        ("auto", 100, 8640.0),
        ("auto", 0.5, 1_728_000.0),
    ],
    ids=str,
)
def test_the_random_interval_is_seconds_or_none(
    interval: Any, budget: float, seconds: float | None
) -> None:
    """100 credits a day, a fifth of them random, over two cameras: one in 8,640 s and camera."""
    settings = without_environment(random_interval=interval, budget_per_day=budget)

    assert selection_plan(settings).interval_for(cameras=2) == seconds


def test_the_least_value_is_what_the_selection_uses() -> None:
    assert selection_plan(settings_of()).min_value == 0.1
    assert selection_plan(settings_of(AGENT_MIN_VALUE="0.3")).min_value == 0.3


def test_the_thresholds_are_what_the_selection_uses() -> None:
    thresholds = settings_of(AGENT_THRESHOLDS="car=0.7", AGENT_FLOOR="0.1").all_thresholds

    assert (thresholds.of("car"), thresholds.of("bus"), thresholds.floor) == (0.7, 0.5, 0.1)


def test_settings_without_environment_are_the_defaults_and_what_is_given() -> None:
    with environment({"AGENT_FPS": "7", "AGENT_JPEG_QUALITY": "50"}):
        settings = without_environment(fps=9.0)

    assert (settings.fps, settings.jpeg_quality) == (9.0, 90)


def test_the_spool_lies_under_the_state_directory_that_systemd_made() -> None:
    assert settings_of(STATE_DIRECTORY="/var/lib/a:/var/lib/b").spool_dir == Path(
        "/var/lib/a/spool"
    )
    assert settings_of().spool_dir == Path.cwd() / "capture-agent-state" / "spool"
    assert settings_of(AGENT_SPOOL_DIR="near").spool_dir == Path.cwd() / "near"


def test_values_that_are_given_know_no_state_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A demonstration as the service's user must not touch the service's known-good model."""
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/capture-agent")

    demo = without_environment(spool_dir=tmp_path / "spool")

    assert demo.state_dir == tmp_path
    assert load().state_dir == Path("/var/lib/capture-agent")
    assert load().spool_dir == Path("/var/lib/capture-agent/spool")
