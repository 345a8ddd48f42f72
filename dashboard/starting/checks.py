"""What has to be true before anything is started. Each refusal is one sentence and what to do about it."""

import contextlib
import errno
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock, Timeout
from pydantic import ValidationError

from dashboard.kit.errors import MeterdeskError
from dashboard.kit.inputs import invalid_input_from
from dashboard.settings import Settings

LOCK_FILE = "running.lock"
RUNNING_FILE = "running.json"


class SettingsWrong(MeterdeskError):
    code = "settings_wrong"
    remedy = "Correct the environment and start again."


class DataDirUnwritable(MeterdeskError):
    code = "data_dir_unwritable"
    remedy = "Make it writable, or name another one with METERDESK_DATA_DIR."


class AlreadyRunning(MeterdeskError):
    code = "already_running"
    remedy = "Stop it first, or name another data directory with METERDESK_DATA_DIR."


class PortTaken(MeterdeskError):
    code = "port_taken"


@dataclass(frozen=True, slots=True)
class Address:
    """Where something listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """The address to type into a browser on this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def read_settings() -> Settings:
    """What the surroundings say. Raises SettingsWrong with one sentence per variable that cannot be understood."""
    try:
        return Settings()
    except ValidationError as error:
        fields = invalid_input_from(error).fields
        variables = {f"METERDESK_{name.upper()}": sentence for name, sentence in fields.items()}
        wrong = [text if text.startswith(name) else f"{name}: {text}" for name, text in variables.items()]
        raise SettingsWrong(" ".join(wrong)) from None


def address_of(url: str) -> Address:
    """The host and port that `url` names."""
    parts = urlsplit(url)
    return Address(parts.hostname or "127.0.0.1", parts.port or (443 if parts.scheme == "https" else 80))


def prepare_data_dir(data_dir: Path) -> Path:
    """The data directory, made if need be, as an absolute path. Raises DataDirUnwritable."""
    folder = data_dir.expanduser().resolve()
    probe = folder / f".probe-{os.getpid()}"
    try:
        # Stripe's keys will lie in here, sealed, and beside them the key that opens them.
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        raise DataDirUnwritable(f"The data directory {folder} cannot be written to ({error.strerror}).") from None
    return folder


@contextlib.contextmanager
def the_only_start(data_dir: Path, address: Address) -> Iterator[None]:
    """Holds `data_dir` for the length of the block. Raises AlreadyRunning when another start does."""
    lock = FileLock(data_dir / LOCK_FILE, timeout=0)
    note = data_dir / RUNNING_FILE
    try:
        lock.acquire()
    except Timeout:
        raise AlreadyRunning(f"Meterdesk already runs on {data_dir}{_told_by(note)}.") from None
    try:
        note.write_text(json.dumps({"pid": os.getpid(), "url": address.url}))
        yield
    finally:
        note.unlink(missing_ok=True)
        lock.release()


def check_port_free(address: Address, remedy: str) -> None:
    """Nothing if one may listen there. Raises PortTaken with `remedy` as what to do."""
    try:
        found = socket.getaddrinfo(address.host or None, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror:
        raise PortTaken(f"{address.host!r} is no address of this machine.", remedy="Choose another --host.") from None
    family, kind, protocol, _, place = found[0]
    with socket.socket(family, kind, protocol) as probe:
        # A port whose last connections are still fading away is free; a port somebody listens on is not.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(place)
            probe.listen()
        except OSError as error:
            reason = (
                "is taken by another program"
                if error.errno == errno.EADDRINUSE
                else f"cannot be used ({error.strerror})"
            )
            raise PortTaken(f"Port {address.port} on {address.host} {reason}.", remedy=remedy) from None


def _told_by(note: Path) -> str:
    try:
        told = json.loads(note.read_text())
        return f" (process {told['pid']}, {told['url']})"
    except (OSError, ValueError, KeyError):
        return ""
