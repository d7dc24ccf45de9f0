"""Addresses as a browser shows them, for AGENT_UPLOAD_URL: translated where the target is clear."""

import re
from urllib.parse import parse_qs, urlsplit

from agent.errors import ConfigurationError
from agent.printable import printable

_LABEL_STUDIO_PAGE = re.compile(
    r"(?P<project>.*/projects/\d+)(?:/(?:data|settings|dashboard|members|review|labeling)(?:/.*)?)?/?"
)
_LABEL_STUDIO_VIEW = frozenset({"tab", "task", "labeling", "annotation", "page", "region", "view"})
_LABEL_STUDIO_HOSTS = ("app.humansignal.com", "app.heartex.com", "labelstud.io")
_NAME = r"[\w-][\w.-]*"
_ROBOFLOW_PROJECT = re.compile(rf"/?{_NAME}/(?P<project>{_NAME})(?:/.*)?", re.ASCII)
_ROBOFLOW_API = re.compile(rf"/(?:dataset/)?(?P<project>{_NAME})(?:/.*)?", re.ASCII)
_S3_HOST = re.compile(
    r"(?:(?P<bucket>.+)\.)?s3(?:[.-](?:dualstack\.|website[.-])?(?P<region>[a-z]{2}[a-z-]*-\d))?"
    r"\.amazonaws\.com"
)
_S3_CONSOLE = re.compile(r"(?:(?P<region>[a-z]{2}[a-z-]*-\d)\.|s3\.)?console\.aws\.amazon\.com")
_S3_CONSOLE_PATH = re.compile(r"/s3/(?:buckets|object)/(?P<bucket>[^/]+)/?")


def target_address(url: str) -> str:
    """Return the address of the target that the address of a page names, else `url` itself.

    Raises:
        ConfigurationError: It is a page of a service whose target has another address; the message
            names that.
    """
    try:
        parsed = urlsplit(url)
        host = (parsed.hostname or "").lower()
    except ValueError:  # who parses the address says so
        return url
    scheme = parsed.scheme.lower()
    if scheme.startswith("label-studio+"):
        return _label_studio(url)
    if scheme == "roboflow":
        return _roboflow(url, f"{parsed.netloc}{parsed.path}")
    if scheme not in ("http", "https"):
        return url
    if host == "app.roboflow.com" and _ROBOFLOW_PROJECT.fullmatch(parsed.path):
        return _roboflow(url, parsed.path)
    fix = _roboflow_fix(host, parsed.path) or _label_studio_fix(url, host) or _s3_fix(url, host)
    if fix:
        raise ConfigurationError(
            f"AGENT_UPLOAD_URL: this address of {printable(host)} is for a browser or another "
            f"program; {printable(fix)}"
        )
    return url


def _label_studio(url: str) -> str:
    """Without the page of the project, and without what it shows."""
    scheme, _, rest = url.partition("://")
    path, _, query = rest.partition("#")[0].partition("?")
    page = _LABEL_STUDIO_PAGE.fullmatch(path)
    if page is None:
        return url
    options = [
        each
        for each in query.split("&")
        if each and each.partition("=")[0].lower() not in _LABEL_STUDIO_VIEW
    ]
    return f"{scheme}://{page['project']}" + (f"?{'&'.join(options)}" if options else "")


def _roboflow(url: str, path: str) -> str:
    """Without the workspace and the page."""
    found = _ROBOFLOW_PROJECT.fullmatch(path)
    if found is None:
        return url
    query = url.partition("?")[2] if url.lower().startswith("roboflow:") else ""
    return f"roboflow://{found['project']}" + (f"?{query}" if query else "")


def _roboflow_fix(host: str, path: str) -> str | None:
    if host != "roboflow.com" and not host.endswith(".roboflow.com"):
        return None
    is_page = host in ("app.roboflow.com", "universe.roboflow.com")
    found = (_ROBOFLOW_PROJECT if is_page else _ROBOFLOW_API).fullmatch(path)
    project = found["project"] if found else "PROJECT"
    return f"write roboflow://{project}, and the API key into AGENT_UPLOAD_TOKEN"


def _label_studio_fix(url: str, host: str) -> str | None:
    rest = url.partition("://")[2]
    path = re.split(r"[?#]", rest, maxsplit=1)[0]
    page = _LABEL_STUDIO_PAGE.fullmatch(path)
    is_view = page is not None and page["project"] != path.removesuffix("/")
    if not is_view and host not in _LABEL_STUDIO_HOSTS:
        return None
    where = page["project"] if page else f"{host}/projects/ID"
    where = where.rpartition("@")[2]
    scheme = url.partition(":")[0].lower()
    return f"write label-studio+{scheme}://{where}, and an access token into AGENT_UPLOAD_TOKEN"


def _s3_fix(url: str, host: str) -> str | None:
    parsed = urlsplit(url)
    query = parse_qs(parsed.query)
    console = _S3_CONSOLE.fullmatch(host)
    store = _S3_HOST.fullmatch(host)
    if console:
        page = _S3_CONSOLE_PATH.fullmatch(parsed.path)
        bucket, prefix = (page["bucket"] if page else "BUCKET"), query.get("prefix", [""])[0]
        region = query.get("region", [console["region"]])[0]
    elif store:
        first, _, rest = parsed.path.lstrip("/").partition("/")
        bucket = store["bucket"] or first or "BUCKET"
        prefix = parsed.path if store["bucket"] else rest
        region = store["region"]
    else:
        return None
    where = f"s3://{bucket}/{prefix.strip('/')}".rstrip("/")
    with_region = f"AWS_REGION={region} and " if region else ""
    return f"write {where}, and set {with_region}the other AWS_ variables of the bucket"
