"""One SQLite file: a single writer, pooled readers, a schema version, failures as the owner's error."""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_BUSY_MS = 10_000


def sqlite_path(url: str) -> Path:
    """Path in a `sqlite:` URL. Raises ValueError with the remedy.

    `sqlite:///var/lib/x.db` is the absolute `/var/lib/x.db` (as is SQLAlchemy's four-slash form).
    Relative to the working directory: `sqlite:x.db`, `sqlite://./x.db`, `sqlite:///./x.db`.
    """
    scheme, _, rest = url.partition(":")
    if scheme != "sqlite":
        raise ValueError(f"{url!r} is no SQLite URL: write sqlite:///absolute/path.db or sqlite:relative.db")
    if rest.startswith("//"):
        rest = rest[2:]
        if not rest.startswith(("/", "./", "../")):
            raise ValueError(f"{url!r} names a host: write sqlite:///{rest} or sqlite:{rest}")
    if rest.startswith(("/./", "/../")):
        rest = rest[1:]
    if not rest.strip("/") or rest.endswith("/") or ":memory:" in rest:
        raise ValueError(f"{url!r} names no file: write sqlite:///absolute/path.db or sqlite:relative.db")
    return Path("/" + rest.lstrip("/")) if rest.startswith("/") else Path(rest)


class SqliteFile:
    """A SQLite database in WAL mode with synchronous=FULL: a committed write survives a power cut.

    `application_id` tells our kinds of file apart, `version` is the schema's. `later`: what the schema has
    got since without another version, executed whenever the file is opened. Every sqlite3 error leaves as
    `error(text)`. One write at a time in this process; other processes wait for the file's own lock.
    """

    def __init__(  # noqa: PLR0913 - what makes a file one of a kind
        self,
        path: Path,
        *,
        application_id: int,
        version: int,
        schema: Sequence[str],
        later: Sequence[str] = (),
        error: Callable[[str], Exception],
    ) -> None:
        self.path = path
        self._error = error
        self._lock = threading.RLock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = self._connect()
        except OSError as fault:
            raise error(f"{fault}: make the folder writable for this user, or name another file") from fault
        except sqlite3.Error as fault:
            raise self._failure(fault) from fault
        try:
            self._prepare(application_id, version, schema, later)
        except BaseException:
            self._writer.close()
            raise

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction, durable when the block ends, nothing at all when it raises."""
        with self._lock:
            connection = self._writer
            try:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                    connection.execute("COMMIT")
                except BaseException:
                    # SQLite rolls back by itself on some failures (disk full), not on others
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
            except sqlite3.Error as fault:
                raise self._failure(fault) from fault

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Lend a read-only connection. Fetch and leave: an open cursor keeps the WAL from shrinking."""
        try:
            connection = self._borrow()
            try:
                yield connection
            finally:
                self._give_back(connection)
        except sqlite3.Error as fault:
            raise self._failure(fault) from fault

    def checkpoint(self) -> None:
        """Write the log back into the file and empty it, as far as nobody reads: what was deleted is gone."""
        with self._lock:
            try:
                self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            except sqlite3.Error as fault:
                raise self._failure(fault) from fault

    def close(self) -> None:
        """Close every connection; whoever still reads finishes first."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            for connection in idle:
                connection.close()
            self._writer.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=_BUSY_MS / 1000, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA synchronous=FULL")
        return connection

    def _prepare(
        self, application_id: int, version: int, schema: Sequence[str], later: Sequence[str]
    ) -> None:
        try:
            # before anything is written: somebody else's file stays as it was
            self._check(application_id, version)
            self._writer.execute("PRAGMA journal_mode=WAL")
        except sqlite3.Error as fault:
            raise self._failure(fault) from fault
        with self.write() as connection:
            if self._check(application_id, version) == 0:
                for statement in schema:
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id={application_id}")
                connection.execute(f"PRAGMA user_version={version}")
            for statement in later:
                connection.execute(statement)

    def _check(self, application_id: int, version: int) -> int:
        found = _pragma(self._writer, "user_version")
        owner = _pragma(self._writer, "application_id")
        tables: int = self._writer.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if tables and owner != application_id:
            raise self._error(f"{self.path}: belongs to something else: name a file of its own for this")
        if found > version:
            raise self._error(
                f"{self.path}: written by a newer Stadtfunk (schema {found}, this one knows {version}): "
                "install the newer version, or start with a new file"
            )
        return found

    def _borrow(self) -> sqlite3.Connection:
        with self._lock:
            if self._closed:
                raise self._error(f"{self.path}: is closed")
            if self._idle:
                return self._idle.pop()
        connection = self._connect()
        connection.execute("PRAGMA query_only=1")
        return connection

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()

    def _failure(self, fault: sqlite3.Error) -> Exception:
        code = getattr(fault, "sqlite_errorname", "")
        if code == "SQLITE_FULL" or code.startswith("SQLITE_IOERR"):
            remedy = "make room on the disk, or check the disk; nothing half was written"
        elif code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            remedy = "the file is damaged or no database: restore it from a backup, or name a new file"
        elif code.startswith("SQLITE_BUSY"):
            remedy = "another process keeps it locked: end that process"
        elif code.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
            remedy = "make file and folder writable for this user"
        else:
            remedy = "this should not happen: please report it"
        return self._error(f"{self.path}: {fault}: {remedy}")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value
