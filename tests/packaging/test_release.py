"""What a release decides without a network: what an audit's result means, and what is written."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from debian import BuildFailed
from release import audit, bill_of_materials, checksums, complaints, release

GOOD = {"name": "numpy", "version": "2.0.0", "vulns": []}
OURS = {"name": "edge-capture-agent", "skip_reason": "Dependency not found on PyPI"}
UNKNOWN = {"name": "rich", "skip_reason": "Dependency not found on PyPI"}
BAD = {
    "name": "requests",
    "version": "2.0.0",
    "vulns": [
        {"id": "PYSEC-2023-74", "fix_versions": ["2.31.0"]},
        {"id": "X-1", "fix_versions": []},
    ],
}


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([GOOD, OURS], []),
        ([GOOD, UNKNOWN], ["not audited, unknown to the service: rich"]),
        (
            [BAD],
            [
                "requests 2.0.0: PYSEC-2023-74, fixed in 2.31.0",
                "requests 2.0.0: X-1, fixed in no version yet",
            ],
        ),
    ],
)
def test_an_audit_counts_only_for_what_was_audited(
    found: list[dict[str, Any]], said: list[str]
) -> None:
    """pip-audit itself answers 0 where it could ask about nothing."""
    assert [line.partition("\n")[0] for line in complaints(found)] == said


@pytest.mark.parametrize(
    ("result", "why"),
    [
        ("import sys; sys.exit('connection refused')", "connection refused"),
        (f"import json; print(json.dumps({{'dependencies': [{UNKNOWN!r}]}}))", "not audited"),
    ],
)
def test_a_service_that_cannot_be_asked_ends_the_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, result: str, why: str
) -> None:
    """In the place of pip-audit stands a program that answers as it does."""
    (tmp_path / "lib/python3.11/site-packages").mkdir(parents=True)
    (tmp_path / "pip_audit.py").write_text(result, "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    with pytest.raises(BuildFailed) as told:
        audit(tmp_path)

    assert why in str(told.value)
    assert "must be reachable" in str(told.value)


def test_checksums_are_what_sha256sum_checks(tmp_path: Path) -> None:
    for name in ("b.whl", "a.deb"):
        (tmp_path / name).write_text(name, "utf-8")
    (tmp_path / "SHA256SUMS").write_text(checksums(tmp_path.iterdir()), "utf-8")

    check = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    done = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "a.deb: OK\nb.whl: OK\n")
    assert hashlib.sha256(b"a.deb").hexdigest() in (tmp_path / "SHA256SUMS").read_text("utf-8")


def test_an_older_release_is_not_mixed_with_a_newer(tmp_path: Path) -> None:
    (tmp_path / "old.whl").touch()

    with pytest.raises(BuildFailed, match="is not empty"):
        release(tmp_path, pythons=["3.11"], audited=True)


WRITES_A_BILL = """
import sys, pathlib
out = sys.argv[sys.argv.index("--output-file") + 1]
pathlib.Path(out).write_text('{"metadata": {"component": {"name": "edge-capture-agent"}}}')
"""


def test_the_bill_of_materials_tells_which_version_it_is_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the place of cyclonedx-py stands a program that answers as it does."""
    (tmp_path / "cyclonedx_py.py").write_text(WRITES_A_BILL, "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    bill_of_materials(Path(sys.executable), "1.2.3", tmp_path / "bill.json")

    facts = json.loads((tmp_path / "bill.json").read_text("utf-8"))
    assert facts["metadata"]["component"] == {"name": "edge-capture-agent", "version": "1.2.3"}


def test_what_a_tool_complains_of_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cyclonedx_py.py").write_text("import sys; sys.exit('no such option')", "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    with pytest.raises(BuildFailed, match="no such option"):
        bill_of_materials(Path(sys.executable), "1.2.3", tmp_path / "bill.json")
