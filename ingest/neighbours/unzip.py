"""ZIP files of strangers: nothing is unpacked beyond a limit, whatever the file says of itself."""

import io
import zipfile
import zlib
from collections.abc import Iterator

from devices.measurement import Rejected

_FAULTS = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, NotImplementedError)
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


def unzip(
    body: bytes, suffix: str, *, most_files: int, most_bytes: int
) -> Iterator[tuple[str, bytes] | Rejected]:
    """Name and content of every member with a suffix; a Rejected in place of what cannot be had.

    Ends when the members together pass `most_bytes`. Never raises on any bytes.
    """
    left = most_bytes
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            members = [each for each in archive.infolist() if each.filename.lower().endswith(suffix)]
            if len(members) > most_files:
                yield Rejected("zip_too_large", f"{len(members)} files, at most {most_files}")
                return
            for member in members:
                content = _content(archive, member, left)
                if isinstance(content, Rejected):
                    yield content
                    continue
                left -= len(content)
                if left < 0:
                    yield Rejected("zip_too_large", f"more than {most_bytes} bytes unpacked")
                    return
                yield member.filename, content
    except _FAULTS as fault:
        yield Rejected("bad_zip", f"{type(fault).__name__}: {fault}"[:200])


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo, left: int) -> bytes | Rejected:
    if member.compress_type not in _METHODS:
        return Rejected("bad_zip", f"{member.filename[:80]}: compression {member.compress_type}")
    try:
        with archive.open(member) as file:
            return file.read(left + 1)
    except _FAULTS as fault:
        return Rejected("bad_zip", f"{member.filename[:80]}: {type(fault).__name__}: {fault}"[:200])
