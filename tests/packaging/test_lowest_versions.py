"""Each library has a lowest version, and that is the one that is tested."""

import pytest
from lowest_versions import PROJECT, lowest_versions


def test_each_library_of_the_project_has_a_lowest_version() -> None:
    lowest = lowest_versions(PROJECT.read_text(encoding="utf-8"))
    assert {"onnxruntime", "opencv-python-headless", "requests", "obstore"} <= set(lowest)


def test_a_library_without_a_lowest_version_is_named() -> None:
    project = '[project]\ndependencies = ["numpy"]\noptional-dependencies = {s3 = []}\n'
    with pytest.raises(ValueError, match="'numpy' has no lowest version"):
        lowest_versions(project)


@pytest.mark.parametrize(
    ("requirement", "lowest"),
    [("a>=1.2", "1.2"), ("a==1", "1"), ("a[x]>=3.4,<4", "3.4"), ("a>=1 ; python_version>'3'", "1")],
)
def test_the_lowest_version_is_read(requirement: str, lowest: str) -> None:
    project = f'[project]\ndependencies = ["{requirement}"]\noptional-dependencies = {{s3 = []}}\n'
    assert lowest_versions(project) == {"a": lowest}
