"""Files of archived events: gzipped lines of JSON, one CloudEvent each, in the order of arrival.

Two extensions are ours: `meterdeskplace` and `meterdeskingestedat` (microseconds since 1970). Any program that reads
CloudEvents reads the rest. Data is kept letter for letter, but for line breaks between its tokens.
"""

import gzip
import hashlib
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from dashboard.usage.errors import ArchiveDamaged
from dashboard.usage.times import microseconds, moment

ArchivedEvent = tuple[int, str, str, str, str, int, str | None, int]
"""seq, event_id, source, type, subject, time, data, ingested_at; times in microseconds."""


class _Line(msgspec.Struct, omit_defaults=True, rename={"place": "meterdeskplace", "ingested": "meterdeskingestedat"}):
    id: str
    source: str
    type: str
    subject: str
    time: datetime
    place: int
    ingested: int
    data: msgspec.Raw = msgspec.Raw(b"null")
    specversion: str = msgspec.field(default_factory=lambda: "1.0")


_decoder = msgspec.json.Decoder(_Line)


class ArchiveWriter:
    """Writes a file beside its final name; it has that name only once it was read back and found whole."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._draft = path, path.with_suffix(".writing")
        self._file: BinaryIO = self._draft.open("wb")
        self._packed = gzip.GzipFile("", "wb", 6, self._file, mtime=0)
        self._digest = hashlib.sha256()
        self.events = 0

    def write(self, rows: list[Any]) -> None:
        """Adds events (rows of `EVENT_COLUMNS`)."""
        text = b"".join(_line_of(row) for row in rows)
        self._packed.write(text)
        self._digest.update(text)
        self.events += len(rows)

    def finish(self) -> str:
        """Makes the file durable, checks it, gives it its name; answers the SHA-256 of its lines.

        Raises ArchiveDamaged when what is on the disk is not what was written.
        """
        self._packed.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        digest = self._digest.hexdigest()
        check_archive(self._draft, self.events, digest)
        self._draft.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
        return digest

    def discard(self) -> None:
        """Removes the unfinished file."""
        self._file.close()
        self._draft.unlink(missing_ok=True)


def check_archive(path: Path, events: int, digest: str) -> None:
    """Nothing if the file holds so many events with that SHA-256. Raises ArchiveDamaged."""
    found, count = hashlib.sha256(), 0
    try:
        with gzip.open(path, "rb") as lines:
            for line in lines:
                found.update(line)
                count += 1
    except (OSError, EOFError) as error:
        raise ArchiveDamaged(f"{path.name} cannot be read: {error}.") from None
    if count != events or found.hexdigest() != digest:
        raise ArchiveDamaged(f"{path.name} is not the file that was written ({count} of {events} events).")


def read_archive(path: Path, at_once: int) -> Iterator[list[ArchivedEvent]]:
    """The events of a file, so many at once."""
    chunk: list[ArchivedEvent] = []
    with gzip.open(path, "rb") as lines:
        for text in lines:
            line = _decoder.decode(text)
            data = bytes(line.data).decode()
            chunk.append(
                (
                    line.place,
                    line.id,
                    line.source,
                    line.type,
                    line.subject,
                    microseconds(line.time),
                    None if data == "null" else data,
                    line.ingested,
                )
            )
            if len(chunk) == at_once:
                yield chunk
                chunk = []
    if chunk:
        yield chunk


def _line_of(row: Any) -> bytes:
    seq, event_id, source, type_, subject, time, data, ingested_at = row
    # A line break may stand between the tokens of data, never inside a text of JSON.
    kept = b"null" if data is None else data.replace("\r", " ").replace("\n", " ").encode()
    line = _Line(event_id, source, type_, subject, moment(time), seq, ingested_at, msgspec.Raw(kept))
    return msgspec.json.encode(line) + b"\n"
