"""An address copied from a browser is taken where the target is clear, else the fix is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import ConfigurationError
from agent.upload.targets.browser_address import target_address
from agent.upload.targets.registry import TARGETS

LABELS = "label-studio+https://labels.example"


@pytest.mark.parametrize(
    ("shown", "meant"),
    [
        (f"{LABELS}/projects/7/data?tab=12", f"{LABELS}/projects/7"),
        (f"{LABELS}/projects/7/data?tab=12&task=5", f"{LABELS}/projects/7"),
        (f"{LABELS}/projects/7/settings", f"{LABELS}/projects/7"),
        (f"{LABELS}/projects/7/settings/labeling", f"{LABELS}/projects/7"),
        (f"{LABELS}/projects/7/data/import#x", f"{LABELS}/projects/7"),
        (f"{LABELS}/projects/7/", f"{LABELS}/projects/7"),
        (f"{LABELS}/sub/projects/7/dashboard", f"{LABELS}/sub/projects/7"),
        (f"{LABELS}/projects/7/data?tab=1&annotate=off", f"{LABELS}/projects/7?annotate=off"),
        (f"{LABELS}/projects/7?annotate=off", f"{LABELS}/projects/7?annotate=off"),
        ("roboflow://workspace/project", "roboflow://project"),
        ("roboflow://workspace/project/3", "roboflow://project"),
        ("roboflow://workspace/project/browse?tag=a", "roboflow://project?tag=a"),
        ("roboflow://project?tag=a", "roboflow://project?tag=a"),
        ("https://app.roboflow.com/workspace/project", "roboflow://project"),
        ("https://app.roboflow.com/workspace/project/browse?queryText=x", "roboflow://project"),
        ("https://app.roboflow.com/workspace/project/annotate/job/9", "roboflow://project"),
    ],
)
def test_a_page_that_names_its_target_is_taken(shown: str, meant: str) -> None:
    assert target_address(shown) == meant


@pytest.mark.parametrize(
    ("shown", "fix"),
    [
        ("https://app.roboflow.com/workspace", "write roboflow://PROJECT,"),
        ("https://universe.roboflow.com/them/cars/model/2", "write roboflow://cars,"),
        ("https://api.roboflow.com/dataset/cars/upload?api_key=s3cret", "roboflow://cars,"),
        ("https://detect.roboflow.com/cars/3?api_key=s3cret", "write roboflow://cars,"),
        (
            "http://labels.example:8080/projects/7/data?tab=12",
            "write label-studio+http://labels.example:8080/projects/7,",
        ),
        (
            "https://app.humansignal.com/projects/7",
            "write label-studio+https://app.humansignal.com/projects/7,",
        ),
        (
            "https://s3.console.aws.amazon.com/s3/buckets/my-bucket?region=eu-west-1&prefix=a/b/",
            "write s3://my-bucket/a/b, and set AWS_REGION=eu-west-1",
        ),
        (
            "https://eu-central-1.console.aws.amazon.com/s3/buckets/my-bucket?tab=objects",
            "write s3://my-bucket, and set AWS_REGION=eu-central-1",
        ),
        ("https://my-bucket.s3.amazonaws.com/a/b", "write s3://my-bucket/a/b, and set the other"),
        (
            "https://my-bucket.s3.eu-central-1.amazonaws.com/a?X-Amz-Signature=s3cret",
            "write s3://my-bucket/a, and set AWS_REGION=eu-central-1",
        ),
        (
            "https://s3.us-east-2.amazonaws.com/my-bucket/a",
            "write s3://my-bucket/a, and set AWS_REGION=us-east-2",
        ),
    ],
)
def test_any_other_page_is_refused_with_the_address_to_write(shown: str, fix: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        target_address(shown)

    assert str(caught.value).startswith("AGENT_UPLOAD_URL: this address of ")
    assert fix in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/captures",
        "https://example.org/projects/7",
        "https://roboflow.example.org/x",
        "https://s3.example.org/bucket",
        "dir:/mnt/usb",
        "s3://bucket/prefix",
        "roboflow+https://host/project",
        f"{LABELS}/elsewhere",
        "http://[::1",
        "",
    ],
)
def test_every_other_address_stays_as_it_is(url: str) -> None:
    assert target_address(url) == url


@given(
    st.sampled_from(
        [row.forms[0] for row in TARGETS]
        + ["https://app.roboflow.com/", "https://b.s3.amazonaws.com/", f"{LABELS}/projects/7/"]
    ),
    st.text(),
)
def test_any_text_is_taken_or_refused_in_one_printable_line(form: str, text: str) -> None:
    said = ""
    try:
        target_address(form + text)
    except ConfigurationError as error:
        said = str(error)
    assert not said or said.isprintable()
