"""InfluxDB's HTTP interfaces: how 1.x and 2.x want a batch written, and InfluxQL over /query for both."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import orjson
import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.domain.write_precision import WritePrecision
from influxdb_client.rest import ApiException
from urllib3.util import make_headers

from ingest.errors import CannotDeleteError, StoreError
from ingest.line_protocol import identifier, of_series, predicate
from ingest.reading import Series

_TIMEOUT_S = 10.0
_SHORTEST_S = 0.01
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_SUCH_CALL = frozenset({404, 405, 501})
# the words of 1.x, 2.x and 3.x for "these points, not you"
_ABOUT_POINTS = re.compile(
    r"partial write|unable to parse|field type conflict|dropped|line protocol", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Address:
    """What an `influxdb:` URL says. `version` is the API to write with, 1 or 2."""

    version: int
    url: str
    database: str
    org: str = ""
    token: str = ""
    user: str = ""
    password: str = ""


class PointsRefused(Exception):  # noqa: N818 - a verdict on the data, handled by whoever wrote it
    """InfluxDB will never take at least one of these points; others of them may be written."""


class Connection(Protocol):
    """One InfluxDB. Methods raise StoreError with the remedy."""

    def write(self, body: bytes) -> None:
        """Write lines. Raises PointsRefused."""

    def query(self, statement: str, until_s: float | None = None) -> list[dict[str, Any]]:
        """Result series of one InfluxQL statement, times as microseconds. `until_s` as in Query."""

    def delete(self, series: Series, first_us: int, last_us: int) -> None:
        """Delete the points of one series at some times, both included. Raises CannotDeleteError."""

    def close(self) -> None:
        """Release connections."""


def parse_address(url: str) -> Address:
    """Read `influxdb://host:8086/bucket?org=..&token=..` (2.x, 3.x) or `influxdb1://user:pass@host:8086/db`.

    With an s (`influxdbs:`, `influxdb1s:`) the connection is TLS. Raises StoreError.
    """
    kinds = {
        "influxdb": (2, "http"),
        "influxdbs": (2, "https"),
        "influxdb1": (1, "http"),
        "influxdb1s": (1, "https"),
    }
    try:
        version, scheme = kinds[url.partition("://")[0]]
        parts = urlsplit(url)
        port = parts.port or 8086
    except (KeyError, ValueError):
        port = 0  # the error's own text can hold a piece of the password
    if not port or "@" in parts.path or parts.fragment:
        raise StoreError(
            "[store] url: no usable InfluxDB address: write influxdb://host:8086/bucket?org=..&token=.. or "
            "influxdb1://user:password@host:8086/database; a password's / ? # @ as %2F %3F %23 %40"
        )
    database = unquote(parts.path.strip("/"))
    shown = f"{parts.scheme}://{parts.hostname or ''}/{database}"
    if not parts.hostname or not database:
        raise StoreError(f"{shown}: name host and bucket or database, as in influxdb://host:8086/bucket")
    options = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    known = {"org", "token"} if version == 2 else set()  # noqa: PLR2004 - the API's version
    if options.keys() - known:
        raise StoreError(
            f"{shown}: unknown option {sorted(options.keys() - known)}: allowed are {sorted(known)}"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return Address(
        version=version,
        url=f"{scheme}://{host}:{port}",
        database=database,
        org=options.get("org", ""),
        token=options.get("token", ""),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
    )


def connect(address: Address) -> Connection:
    """Open nothing yet: the first call does."""
    return _Version1(address) if address.version == 1 else _Version2(address)


class _Http:
    """One pool of connections; no proxy, no redirects and no retries behind our back."""

    def __init__(self, address: Address, headers: Mapping[str, str]) -> None:
        self._address = address
        self._headers = dict(headers)
        self._pool = urllib3.PoolManager(retries=False, maxsize=4, block=False)

    def post(
        self,
        path: str,
        parameters: Mapping[str, str],
        body: bytes,
        kind: str,
        timeout_s: float = _TIMEOUT_S,
    ) -> urllib3.BaseHTTPResponse:
        try:
            return self._pool.request(
                "POST",
                f"{self._address.url}{path}?{urlencode(parameters)}",
                body=body,
                headers={**self._headers, "Content-Type": kind},
                timeout=urllib3.Timeout(total=timeout_s),
            )
        except urllib3.exceptions.HTTPError as fault:
            raise _away(self._address, fault) from fault

    def query(self, statement: str, until_s: float | None = None) -> list[dict[str, Any]]:
        left_s = _TIMEOUT_S if until_s is None else min(_TIMEOUT_S, until_s - time.monotonic())
        answer = self.post(
            "/query",
            {"db": self._address.database, "epoch": "u"},
            urlencode({"q": statement}).encode(),
            "application/x-www-form-urlencoded",
            max(_SHORTEST_S, left_s),
        )
        if answer.status != 200:  # noqa: PLR2004 - HTTP
            raise refusal(self._address, answer.status, answer.data)
        try:
            result = orjson.loads(answer.data)["results"][0]
        except (orjson.JSONDecodeError, LookupError, TypeError) as fault:
            raise StoreError(f"{self._address.url}: this is no InfluxDB: check host and port") from fault
        if "error" in result:
            raise refusal(self._address, 200, str(result["error"]).encode())
        series: list[dict[str, Any]] = result.get("series", [])
        return series

    def close(self) -> None:
        self._pool.clear()


class _Version1:
    def __init__(self, address: Address) -> None:
        self._address = address
        named = bool(address.user)
        self._http = _Http(
            address, make_headers(basic_auth=f"{address.user}:{address.password}") if named else {}
        )

    def write(self, body: bytes) -> None:
        answer = self._post(body)
        if answer.status == 404:  # noqa: PLR2004 - HTTP
            self._create()
            answer = self._post(body)
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - HTTP
            raise refusal(self._address, answer.status, answer.data)

    def query(self, statement: str, until_s: float | None = None) -> list[dict[str, Any]]:
        try:
            return self._http.query(statement, until_s)
        except MissingDatabaseError:
            self._create()
            return []

    def delete(self, series: Series, first_us: int, last_us: int) -> None:
        self.query(
            f"DELETE FROM {identifier(series.property)} WHERE {of_series(series)}"  # noqa: S608 - quoted
            f" AND time >= {first_us}u AND time <= {last_us}u"
        )

    def close(self) -> None:
        self._http.close()

    def _post(self, body: bytes) -> urllib3.BaseHTTPResponse:
        return self._http.post("/write", {"db": self._address.database, "precision": "u"}, body, "text/plain")

    def _create(self) -> None:
        self._http.query(f"CREATE DATABASE {identifier(self._address.database)}")


class _Version2:
    def __init__(self, address: Address) -> None:
        self._address = address
        self._http = _Http(address, {"Authorization": f"Token {address.token}"})
        self._client = InfluxDBClient(
            url=address.url, token=address.token, org=address.org, timeout=round(_TIMEOUT_S * 1000)
        )
        self._writes = self._client.write_api(write_options=SYNCHRONOUS)

    def write(self, body: bytes) -> None:
        try:
            self._writes.write(
                bucket=self._address.database,
                org=self._address.org,
                record=body,
                write_precision=WritePrecision.US,  # type: ignore[arg-type] # the library's constants are strings
            )
        except ApiException as fault:
            text = fault.body or fault.reason or ""
            raise refusal(self._address, fault.status or 0, str(text).encode()) from fault
        except urllib3.exceptions.HTTPError as fault:
            raise _away(self._address, fault) from fault

    def query(self, statement: str, until_s: float | None = None) -> list[dict[str, Any]]:
        return self._http.query(statement, until_s)

    def delete(self, series: Series, first_us: int, last_us: int) -> None:
        if not series.channel and self._channels(series):
            # a predicate can say what a tag is, and not that there is none: it would take the channels along
            raise CannotDeleteError(
                f"{self._address.url}: {series.property} without channel, beside channels"
            )
        body = {
            "start": _rfc3339(first_us, "000"),
            "stop": _rfc3339(last_us, "001"),
            "predicate": predicate(series),
        }
        where = {"bucket": self._address.database, "org": self._address.org}
        answer = self._http.post("/api/v2/delete", where, orjson.dumps(body), "application/json")
        if (
            answer.status in _NO_SUCH_CALL or b"unsupported path" in answer.data
        ):  # the second: VictoriaMetrics
            raise CannotDeleteError(f"{self._address.url}: {answer.status}: knows no /api/v2/delete")
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - HTTP
            raise refusal(self._address, answer.status, answer.data)

    def close(self) -> None:
        self._http.close()
        self._client.close()  # type: ignore[no-untyped-call] # the library's types have gaps

    def _channels(self, series: Series) -> bool:
        """Whether the device has the same property also with a channel."""
        return any(
            self.query(
                f'SHOW TAG VALUES FROM {identifier(series.property)} WITH KEY = "channel"'
                f" WHERE {of_series(series, channel=False)}"
            )
        )


def _rfc3339(time_us: int, nanoseconds: str) -> str:
    """A time between two microseconds: then it is all one whether the end of a range is part of it."""
    moment = _EPOCH + timedelta(microseconds=time_us)
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}{nanoseconds}Z"


class MissingDatabaseError(StoreError):
    """The database or bucket is not there."""


def refusal(address: Address, status: int, body: bytes) -> Exception:
    """What an answer that is no success means: a StoreError with the remedy, or PointsRefused."""
    text = body.decode(errors="replace").strip()
    about_points = status == 422 or (status == 400 and _ABOUT_POINTS.search(text))  # noqa: PLR2004 - HTTP
    if about_points or status == 413:  # noqa: PLR2004 - HTTP; too large: halves may fit
        return PointsRefused(text[:500])
    where = f"{address.url}/{address.database}: {status} {text[:300]}"
    if status == 404 or "database not found" in text:  # noqa: PLR2004 - HTTP
        made = "database" if address.version == 1 else "bucket"
        return MissingDatabaseError(
            f"{where}: create the {made} {address.database!r}, or correct its name and org"
        )
    if status in {401, 403}:
        given = "user and password" if address.version == 1 else "token"
        return StoreError(f"{where}: the {given} in [store] url may not do this: correct them")
    return StoreError(f"{where}: look into InfluxDB's log")


def _away(address: Address, fault: Exception) -> StoreError:
    return StoreError(
        f"{address.url}: no answer ({fault}): start InfluxDB, or correct host and port in [store] url"
    )
