"""Which store a URL of the configuration means."""

from ingest.errors import StoreError
from ingest.influx_store import InfluxStore
from ingest.sqlite_file import sqlite_path
from ingest.sqlite_store import SqliteStore
from ingest.store import Store


def open_store(url: str) -> Store:
    """Open the store behind `[store] url`. Raises StoreError; an InfluxDB may still be away."""
    scheme = url.partition(":")[0]
    if scheme == "sqlite":
        try:
            return SqliteStore(sqlite_path(url))
        except ValueError as fault:
            raise StoreError(f"[store] url: {fault}") from fault
    if scheme.startswith("influxdb"):
        return InfluxStore(url)
    raise StoreError(
        f"[store] url: unknown kind {scheme!r}: use sqlite:///path.db, "
        "influxdb://host:8086/bucket?org=..&token=.. or influxdb1://host:8086/database"
    )
