"""Calls, images and records that are wrong or meant to harm: each is named, and nothing stops."""

import json
import os
import zlib
from dataclasses import replace
from typing import Any

from agent.review.service import REVIEW_LIMITS, ReviewTerms
from agent.review.thumbnails import FOLDER, SIDE
from tests.fakes.captures import capture_id
from tests.review.conftest import Serve
from tests.review.review_folder import ReviewFolder, drawn, review

JSON = {"Content-Type": "application/json"}
CALLS = ("/", "/v1/facets", "/v1/captures", f"/v1/captures/{capture_id(0)}/image.jpg")


def test_only_its_own_pages_may_ask(folder: ReviewFolder, serve: Serve) -> None:
    folder.put(0)
    client = serve(folder)
    own = f"127.0.0.1:{client.port}"
    body = json.dumps({"reviews": [review(0)]}).encode()
    foreign: list[dict[str, str]] = [
        {"Host": f"evil.example:{client.port}"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ]

    for headers in foreign:
        assert {client.get(path, headers).status for path in CALLS} <= {403, 421}
        assert client.call("POST", "/v1/reviews", body, {**JSON, **headers}).status in {403, 421}
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        response = client.call("POST", "/v1/reviews", body, {"Content-Type": kind})
        assert response.status == 415
    assert folder.lines == []
    fine = client.call("POST", "/v1/reviews", body, {**JSON, "Origin": f"http://{own}"})
    assert fine.status == 200


def test_beyond_loopback_the_token_is_asked_for_every_call(
    folder: ReviewFolder, serve: Serve
) -> None:
    folder.put(0)
    client = serve(
        folder,
        terms=ReviewTerms(token="secret"),
        limits=replace(REVIEW_LIMITS, wrong_token_s=0.0),
    )

    assert {client.get(path).status for path in CALLS} == {401}
    assert client.get("/", {"Authorization": "Bearer wrong"}).status == 401
    assert {
        client.get(path, {"Authorization": "Basic YW5uOnNlY3JldA=="}).status for path in CALLS
    } == {200}


def test_the_page_runs_no_script_but_its_own(folder: ReviewFolder, serve: Serve) -> None:
    name = "<script>alert(1)</script>"
    hostile = ReviewFolder(folder.path.parent / f'da"ta {name.replace("/", "_")}')
    hostile.put(0)
    page = serve(hostile).get("/")

    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert b"<script>alert" not in page.body


NONSENSE = [
    ("/v1/reviews", b"", "it is empty"),
    ("/v1/reviews", b"[" * 100_000, "nested too deeply"),
    ("/v1/reviews", b'{"reviews": 5}', "reviews: must be a list, not a number"),
    ("/v1/reviews", b'{"reviews": [], "more": 1}', "more: unknown"),
    ("/v1/next", b'{"client": "a", "queue": "all"}', "queue: must be one of value, random"),
    ("/v1/next", b'{"client": "", "queue": "value"}', "client: must be a text of 1 to 64"),
    ("/v1/next", b'{"client": "a", "queue": "value", "again": 1}', "must be true or false"),
    ("/v1/next", b'{"client": "a", "queue": "value", "count": 1e999}', "count: must be"),
    ("/v1/state", b'{"client": "a", "holding": [1]}', "holding: must be a list"),
    ("/v1/state", b'{"client": "a", "verdict": "good"}', "verdict: cannot be good"),
    ("/v1/state", b'{"client": "a", "text": "%s"}' % (b"x" * 301), "text: must be a text"),
]


def test_a_call_that_makes_no_sense_says_why(folder: ReviewFolder, serve: Serve) -> None:
    folder.put(0)
    client = serve(folder)
    for path, body, says in NONSENSE:
        response = client.call("POST", path, body, JSON)
        assert (response.status, says in response.error) == (400, True), response.body


NOWHERE = {
    "/v1/captures?queue=all": 400,
    "/v1/captures?offset=-1": 400,
    "/v1/captures?limit=100000": 400,
    "/v1/captures?verdict=good": 400,
    "/v1/captures/nothing": 404,
    f"/v1/captures/{capture_id(9)}/image.jpg": 404,
    "/v1/captures/..%2f..%2fdata.yaml/image.jpg": 404,
    "/page/../../dataset.py": 404,
    "/page/index.html": 404,
}


def test_addresses_that_lead_nowhere(folder: ReviewFolder, serve: Serve) -> None:
    folder.put(0)
    client = serve(folder)

    assert {path: client.get(path).status for path in NOWHERE} == NOWHERE


def test_a_body_without_end_is_refused(folder: ReviewFolder, serve: Serve) -> None:
    folder.put(0)
    client = serve(folder, limits=replace(REVIEW_LIMITS, body_bytes=1000))

    response = client.call("POST", "/v1/reviews", b" " * 2000, JSON)

    assert response.status == 413


def png(width: int, height: int) -> bytes:
    head = b"IHDR" + width.to_bytes(4) + height.to_bytes(4) + b"\x08\x02\x00\x00\x00"
    return b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4) + head + zlib.crc32(head).to_bytes(4)


HOSTILE = {
    "empty": b"",
    "text": b"<html><script>alert(1)</script>",
    "cut": drawn(0)[:60],
    "huge": drawn(0).replace((100).to_bytes(2) + (200).to_bytes(2), b"\xff\xff\xff\xff"),
    "png": png(10, 10),
}


def test_hostile_images_are_named_and_the_others_are_shown(
    folder: ReviewFolder, serve: Serve
) -> None:
    kinds = [*HOSTILE, "missing", "fifo", "folder", "link", "not complete"]
    folder.put(99)
    for number, kind in enumerate(kinds):
        image = folder.path / "images" / f"{folder.put(number)}.jpg"
        complete = image.read_bytes()
        image.unlink()
        if kind == "fifo":
            os.mkfifo(image)
        elif kind == "folder":
            image.mkdir()
        elif kind == "link":
            image.symlink_to("/dev/zero")
        elif kind == "not complete":
            image.write_bytes(complete[: len(complete) * 2 // 3])
        elif kind != "missing":
            image.write_bytes(HOSTILE[kind])
    client = serve(folder)

    for number, kind in enumerate(kinds):
        for name in ("image.jpg", "thumbnail.jpg"):
            response = client.get(f"/v1/captures/{capture_id(number)}/{name}")
            assert response.status in {404, 422}, kind
            assert f"cannot show the image of {capture_id(number)}" in response.error
    assert client.get(f"/v1/captures/{capture_id(99)}/image.jpg").body == drawn(99)
    assert client.post("/v1/reviews", {"reviews": [review(0, "unusable")]}).status == 200
    assert len(folder.lines) == 1


STRANGE: list[dict[str, Any]] = [
    {"camera": 5, "device": None, "captured_at": ["x"], "note": {}, "value": "high"},
    {"rules": "none", "suspects": 7, "model": [1]},
    {"rules": [1, {"name": 5, "score": "x"}], "suspects": [{"p": float("nan"), "box": [1]}, 3]},
    {"suspects": [{"rule": "x", "label": None, "p": 0.5, "box": [0, 0, float("inf"), 1]}]},
    {"thresholds": {"default": 0.5, "labels": {}}, "value": float("inf")},
    {"model": {"labels": [1, None, "x" * 100_000], "task": {}, "keypoints": -1}},
    {"camera": "<b>" * 50_000, "note": "\u202e\x00" * 1000},
]


def test_strange_records_are_shown_as_far_as_they_can_be(
    folder: ReviewFolder, serve: Serve
) -> None:
    names = {folder.put(number) for number in range(len(STRANGE))}
    for name, changes in zip(sorted(names), STRANGE, strict=True):
        path = folder.path / "records" / f"{name}.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    client = serve(folder)

    found = client.post("/v1/next", {"client": "a", "queue": "value", "count": 9})

    assert {each["id"] for each in found.json["captures"]} == names
    assert len(found.body) < 50_000
    assert client.get("/v1/facets").status == 200
    assert client.post("/v1/state", {"client": "a"}).status == 200


def test_a_thumbnail_is_small_made_once_and_made_again_when_it_is_damaged(
    folder: ReviewFolder, serve: Serve
) -> None:
    identity = folder.put(0)
    client = serve(folder)
    path = f"/v1/captures/{identity}/thumbnail.jpg"

    first = client.get(path)
    [file] = (folder.path / FOLDER).rglob("*.jpg")
    assert file.read_bytes() == first.body
    (folder.path / "images" / f"{identity}.jpg").unlink()
    kept = client.get(path)
    file.write_bytes(first.body[:50])
    damaged = client.get(path)

    assert first.body.startswith(b"\xff\xd8")
    assert (len(first.body) < 10_000, SIDE) == (True, 256)
    assert kept.body == first.body
    assert damaged.status == 404  # the image is gone, and what was left of it is not shown
