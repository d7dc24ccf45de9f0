"""Each library has a lowest version, and that is the one that is tested."""

import pytest
from lowest_versions import EXTRAS, PROJECT, lowest_versions

NO_EXTRAS = f"optional-dependencies = {{{', '.join(f'{each} = []' for each in EXTRAS)}}}\n"


def test_each_library_of_the_project_has_a_lowest_version() -> None:
    lowest = lowest_versions(PROJECT.read_text(encoding="utf-8"))
    assert {"onnxruntime", "opencv-python-headless", "requests", "obstore", "starlette"} <= set(
        lowest
    )


def test_a_library_without_a_lowest_version_is_named() -> None:
    project = f'[project]\ndependencies = ["numpy"]\n{NO_EXTRAS}'
    with pytest.raises(ValueError, match="'numpy' has no lowest version"):
        lowest_versions(project)


@pytest.mark.parametrize(
    ("requirement", "lowest"),
    [("a>=1.2", "1.2"), ("a==1", "1"), ("a[x]>=3.4,<4", "3.4"), ("a>=1 ; python_version>'3'", "1")],
)
def test_the_lowest_version_is_read(requirement: str, lowest: str) -> None:
    project = f'[project]\ndependencies = ["{requirement}"]\n{NO_EXTRAS}'
    assert lowest_versions(project) == {"a": lowest}
