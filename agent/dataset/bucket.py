"""An S3 bucket as a place that many desks share: list, read and write objects.

Credentials, region and endpoint come from the variables that all S3 tools read. No capture is ever
deleted.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from agent.errors import ConfigurationError, TemporaryError
from agent.printable import printable
from agent.redaction import redact, redact_endpoint
from agent.upload.http.options import HttpOptions
from agent.upload.targets.registry import S3_EXTRA
from agent.upload.targets.s3_address import (
    bucket_and_prefix,
    checked_endpoint,
    client_options,
    require_credentials,
)
from agent.upload.targets.s3_responses import fix_of

if TYPE_CHECKING:
    from obstore import GetOptions, ObjectMeta
    from obstore.store import RetryConfig

_TIMEOUT = 120.0  # seconds of a request; a clip has some megabytes
_RETRIES = 4
_RETRY_SECONDS = 60
_PAGE = 1000  # objects of one response
_MB = 1_000_000
_PIECE = 16 * _MB  # bytes of a request for a part of an object
_CODE = re.compile(r"<Code>(\w{1,64})</Code>")
_STATUS = re.compile(r"status code: (\d{3})")
_DENIED = frozenset({"401", "403"})
_NO_RIGHT = "AccessDenied"
_ARCHIVED = "InvalidObjectState"
_TO_READ = "these credentials need s3:GetObject and s3:ListBucket there"
_READING = frozenset({"read", "list"})
_TIMED_OUT = "TimedOut"
_NO_CONNECTION = "kind: Connect"
_NOT_TRUSTED = re.compile(r"InvalidCertificate|UnknownIssuer")
_ODD_NAME = re.compile(r'[Pp]ath "(.{1,500}?)"')


class ObjectMissing(Exception):
    """There is no such object, or it cannot be read as it is; the text says why."""


class ListedObject(NamedTuple):
    """One object of a listing."""

    key: str  # without the prefix
    size: int  # bytes
    tag: str  # another one if other bytes were put there: the ETag, or what the store has of it


class OneRefused(ConfigurationError):
    """One object or name is no use; others may be. `why` is the reason alone."""

    def __init__(self, cannot: str, why: str) -> None:
        super().__init__(f"{cannot}: {why}")
        self.why = why


class ObjectDenied(OneRefused):
    """These credentials may not do that with this object."""


class OddName(OneRefused):
    """A name in the bucket is none that the library can read; it can list other folders."""


class Bucket:
    """The objects below `s3://BUCKET/PREFIX`. Thread-safe.

    Every method raises `ConfigurationError` where a person must change something, such as missing
    rights, and `TemporaryError` where trying again later may help.
    """

    def __init__(
        self,
        url: str,
        *,
        network: HttpOptions | None = None,
        retries: int = _RETRIES,
        retry_seconds: float = _RETRY_SECONDS,
    ) -> None:
        """Open a bucket; a request is repeated so often, and not after `retry_seconds`."""
        bucket, prefix = bucket_and_prefix(url, named="the address of the dataset")
        self.name = redact_endpoint(url)
        self.bucket = bucket
        self.prefix = "/".join(prefix)
        try:
            import obstore
            from obstore.exceptions import (
                AlreadyExistsError,
                BaseError,
                InvalidPathError,
                PreconditionError,
            )
            from obstore.store import S3Store
        except ImportError as error:
            raise ConfigurationError(
                f"cannot open {self.name}: it needs one more library: pip install '{S3_EXTRA}'"
            ) from error
        self._library = obstore
        self._expected = (BaseError, OSError, ValueError)
        self._exists = AlreadyExistsError
        self._changed = PreconditionError
        self._odd_name = InvalidPathError
        require_credentials(named=self.name)
        self.endpoint = checked_endpoint()
        options = client_options(network or HttpOptions(timeout=_TIMEOUT), self.endpoint)
        retry: RetryConfig = {
            "max_retries": retries,
            "retry_timeout": timedelta(seconds=retry_seconds),
        }
        try:
            self._store = S3Store(
                bucket,
                client_options=options,
                retry_config=retry,
            )
        except self._expected as error:
            raise ConfigurationError(
                f"cannot open {self.name} with the AWS_ variables that are set; check them"
            ) from error

    def objects(self, below: str = "") -> Iterator[tuple[str, int]]:
        """Yield key and bytes of each object, without the prefix; a page at a time is in memory."""
        return ((each.key, each.size) for each in self.listed(below))

    def listed(self, below: str = "", *, after: str = "") -> Iterator[ListedObject]:
        """Yield each object, of a store that sorts those after the key `after` alone."""
        prefix = "/".join(part for part in (self.prefix, below) if part)
        offset = self._whole(after) if after else None
        with self._explained("list"):
            for page in self._library.list(
                self._store, prefix=prefix or None, offset=offset, chunk_size=_PAGE
            ):
                for each in page:
                    yield self._listed(each)

    def level(self, below: str = "") -> tuple[list[str], list[tuple[str, int]]]:
        """Return what is directly in a folder: keys of folders, and of objects with their bytes.

        Without the prefix, as `objects` yields them.
        """
        folders, objects = self.listed_level(below)
        return folders, [(each.key, each.size) for each in objects]

    def listed_level(self, below: str = "") -> tuple[list[str], list[ListedObject]]:
        """Return what is directly in a folder, as `level` does."""
        prefix = "/".join(part for part in (self.prefix, below) if part)
        with self._explained("list"):
            found = self._library.list_with_delimiter(self._store, prefix=prefix or None)
        folders = [each[self._cut :] for each in found["common_prefixes"]]
        return folders, [self._listed(each) for each in found["objects"]]

    def read(self, key: str, most: int) -> bytes:
        """Return an object of at most `most` bytes; raises `ObjectMissing` if there is none."""
        return self.read_dated(key, most)[0]

    def read_dated(self, key: str, most: int) -> tuple[bytes, float]:
        """Return an object as `read` does, and when it was written: seconds since 1970 UTC."""
        with self._explained("read"):
            try:
                found = self._library.get(self._store, self._whole(key))
            except FileNotFoundError:
                raise ObjectMissing(f"{key} is not there") from None
            if found.meta["size"] > most:
                raise _too_large(key, most)
            written = found.meta["last_modified"].timestamp()
            if found.meta["size"] <= _PIECE:
                return bytes(found.bytes()), written
        return b"".join(self.pieces(key, most)), written

    def folders(self, below: str = "") -> list[str]:
        """Return the names of the folders directly below the prefix, or below a folder of it."""
        return [key.rpartition("/")[2] for key in self.level(below)[0]]

    def pieces(self, key: str, most: int) -> Iterator[bytes]:
        """Yield an object of at most `most` bytes, each piece by a request of its own.

        Raises `ObjectMissing` if there is none, also when it changes meanwhile.
        """
        with self._explained("read"):
            try:
                about = self._library.head(self._store, self._whole(key))
                if about["size"] > most:
                    raise _too_large(key, most)
                for begin in range(0, about["size"], _PIECE):
                    part = (begin, min(begin + _PIECE, about["size"]))
                    options: GetOptions = {"range": part, "if_match": about["e_tag"]}
                    yield bytes(
                        self._library.get(self._store, self._whole(key), options=options).bytes()
                    )
            except FileNotFoundError:
                raise ObjectMissing(f"{key} is not there") from None
            except self._changed:
                raise ObjectMissing(f"{key} changed while it was read") from None

    def read_range(self, key: str, begin: int, end: int) -> bytes:
        """Return the bytes of an object from `begin` to before `end`; raises `ObjectMissing`."""
        with self._explained("read"):
            try:
                options: GetOptions = {"range": (begin, end)}
                return bytes(
                    self._library.get(self._store, self._whole(key), options=options).bytes()
                )
            except FileNotFoundError:
                raise ObjectMissing(f"{key} is not there") from None

    def size(self, key: str) -> int | None:
        """Return the bytes of an object; None if there is none."""
        found = self.about(key)
        return None if found is None else found.size

    def about(self, key: str) -> ListedObject | None:
        """Return an object as a listing has it; None if there is none."""
        with self._explained("read"):
            try:
                return self._listed(self._library.head(self._store, self._whole(key)))
            except FileNotFoundError:
                return None

    def check_readable(self, key: str) -> None:
        """Ask for an object without taking its bytes; raises as `read` does."""
        with self._explained("read"):
            try:
                self._library.get(self._store, self._whole(key))
            except FileNotFoundError:
                raise ObjectMissing(f"{key} is not there") from None

    def create(self, key: str, data: bytes) -> bool:
        """Add an object; one that is there already stays. Return whether it is new."""
        with self._explained("write to"):
            try:
                self._library.put(self._store, self._whole(key), data, mode="create")
            except self._exists:
                return False
        return True

    def put(self, key: str, data: bytes) -> None:
        """Write an object, in place of one that is there: readers see the old or the new one."""
        with self._explained("write to"):
            self._library.put(self._store, self._whole(key), data)

    def copy(self, source: str, key: str) -> bool:
        """Copy an object within the store; return whether it is new, as `create` does.

        `source` is its whole key, which may be outside of the prefix. Raises `ObjectMissing`.
        """
        if self.size(key) is not None:
            return False
        with self._explained("write to"):
            try:
                self._library.copy(self._store, source, self._whole(key))
            except FileNotFoundError:
                raise ObjectMissing(f"{source} is not there") from None
        return True

    def remove(self, key: str) -> None:
        """Delete an object, if it is there."""
        with self._explained("delete from"), suppress(FileNotFoundError):
            self._library.delete(self._store, self._whole(key))

    @property
    def _cut(self) -> int:
        return len(self.prefix) + 1 if self.prefix else 0

    def _listed(self, found: "ObjectMeta") -> ListedObject:
        tag = found["e_tag"] or f"{found['size']} {found['last_modified'].isoformat()}"
        return ListedObject(found["path"][self._cut :], found["size"], tag)

    def _whole(self, key: str) -> str:
        return f"{self.prefix}/{key}" if self.prefix else key

    @contextmanager
    def _explained(self, act: str) -> Iterator[None]:
        try:
            yield
        except self._expected as error:
            raise self._meaning(error, act) from error

    def _meaning(
        self, error: Exception, act: str
    ) -> ConfigurationError | TemporaryError | ObjectMissing:
        text = str(error)
        cannot = f"cannot {act} {self.name}"
        if isinstance(error, self._odd_name):
            found = _ODD_NAME.search(text)
            name = f" '{printable(found[1], 200)}'" if found else ""
            return OddName(
                cannot,
                f"the object{name} has a name that cannot be read; delete it, or give a longer "
                "prefix",
            )
        code = next(iter(_CODE.findall(text)), "")
        status = next(iter(_STATUS.findall(text)), "")
        if code == _ARCHIVED:
            return ObjectMissing("it is in an archive; restore it in the store, then call it again")
        said = f"the store answers {status} {code}".rstrip() if status else ""
        fix = _TO_READ if code == _NO_RIGHT and act in _READING else fix_of(code)
        is_denied = code == _NO_RIGHT or (fix is None and status in _DENIED)
        if fix is None and (is_denied or isinstance(error, PermissionError)):
            fix = "these credentials may not do that; check AWS_ACCESS_KEY_ID and its rights"
        if fix is not None:
            # The texts of the target speak of its own setting.
            fix = fix.replace("AGENT_UPLOAD_URL", "the address")
            why = f"{said or 'the store refuses'}: {fix}"
            return (
                ObjectDenied(cannot, why) if is_denied else ConfigurationError(f"{cannot}: {why}")
            )
        why = said or self._no_answer(text)
        return TemporaryError(f"{cannot}: {why}; call it again, nothing is fetched twice")

    def _no_answer(self, text: str) -> str:
        store = f"the store at {redact_endpoint(self.endpoint)}" if self.endpoint else "the store"
        if _TIMED_OUT in text:
            return f"{store} does not answer in time"
        if _NOT_TRUSTED.search(text):
            return f"the certificate of {store} is not trusted on this machine"
        if _NO_CONNECTION in text:
            return f"{store} cannot be reached; check the network and AWS_ENDPOINT_URL"
        return printable(redact(text.partition("\n")[0]), 300)


def _too_large(key: str, most: int) -> ObjectMissing:
    limit = f"{most // _MB} MB" if most >= _MB else f"{most} bytes"
    return ObjectMissing(f"{key} has more than {limit}")
