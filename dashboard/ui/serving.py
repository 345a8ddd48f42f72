"""Builds the screens once per version of their sources, and serves them with the REST API from one port.

Nothing here imports Reflex: `--no-ui` has to start without it. The three `REFLEX` switches are Reflex's own and
internal, so its version is pinned; a test starts the server through here.
"""

import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from filelock import FileLock
from granian.constants import HTTPModes, Interfaces
from granian.server import Server

import dashboard
from dashboard.kit.errors import MeterdeskError

WEB_APP = "dashboard.dashboard:app"
PACKAGE = Path(dashboard.__file__).parent
STAMP = "stamp"
BUILT_UI_DIR = "METERDESK_UI_DIR"
"""For work on the screens: another place for the built UI than `dashboard/_web`."""
ONLY_THESE = "METERDESK_UI_ONLY"
"""For work on the screens: see `routes.load_pages`."""


class UiNotBuilt(MeterdeskError):
    """There are no built screens to serve."""

    code = "ui_not_built"
    remedy = "Start without screens (`meterdesk up --no-ui`), or look at the lines above and try again."


def project_dir() -> Path:
    """Where `rxconfig.py` lies: the checkout, or the copy that came with an installed package."""
    checkout = PACKAGE.parent
    return checkout if (checkout / "rxconfig.py").exists() else PACKAGE / "_project"


def built_ui() -> Path:
    """Where the built screens lie."""
    return Path(os.environ.get(BUILT_UI_DIR) or PACKAGE / "_web").resolve()


def build_if_needed(project: Path, log: Callable[[str], None]) -> None:
    """Builds the screens unless the built ones are of these very sources. Raises UiNotBuilt.

    `project` holds `rxconfig.py`; `log` takes one line of progress at a time. Two starts at once build once. An
    installed package comes with its screens and never builds.
    """
    target = built_ui()
    if not (project / "reflex.lock").exists():
        if not (target / STAMP).exists():
            raise UiNotBuilt("This package came without its screens.")
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_name(target.name + ".lock")):
        sources = sources_stamp(project)
        if _stamp_of(target) == f"{sources} {_lock_stamp(project)}":
            return
        work = _work_dir(project)
        # Builds for different places share the folder they work in.
        with FileLock(work.with_name(work.name + ".lock")):
            log("Building the screens (once per version)…")
            _build(project, log)
            # A build may complete the lock; sources that changed meanwhile make the next start build again.
            _replace(target, work, f"{sources} {_lock_stamp(project)}")
            log("The screens are built.")


def serve(host: str, port: int, *, app: str = WEB_APP, workers: int = 1) -> None:
    """Serves until a signal ends it. Build before with `build_if_needed`, unless `app` has no screens.

    `app` names a factory of an ASGI application. Each worker is a process of its own, which makes it there: this one
    only watches over them, so it pays to import little here.
    """
    prepare_environment()
    Server(
        app,
        factory=True,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        workers=workers,
        websockets=True,
        respawn_failed_workers=True,
        log_access=False,
    ).serve()


def prepare_environment() -> None:
    """Tells Reflex to serve what is built, and to build nothing."""
    os.environ.update(
        {
            "REFLEX_ENV_MODE": "prod",
            "REFLEX_WEB_WORKDIR": str(built_ui()),
            "__REFLEX_SKIP_COMPILE": "true",
            "__REFLEX_MOUNT_FRONTEND_COMPILED_APP": "true",
        }
    )


def sources_stamp(project: Path) -> str:
    """A hash of everything of ours that the built screens are made of."""
    return _hash_of(project, _sources(project), importlib.metadata.version("reflex") + os.environ.get(ONLY_THESE, ""))


def _lock_stamp(project: Path) -> str:
    return _hash_of(project, (project / "reflex.lock").glob("*.json"))


def _hash_of(project: Path, files: Iterable[Path], salt: str = "") -> str:
    digest = hashlib.sha256(salt.encode())
    for file in sorted(files):
        digest.update(str(file.relative_to(project)).encode() + b"\0")
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _sources(project: Path) -> Iterator[Path]:
    yield project / "rxconfig.py"
    yield project / "dashboard" / "dashboard.py"
    yield from (file for file in (project / "assets").rglob("*") if file.is_file())
    yield from (project / "dashboard" / "ui").rglob("*.py")
    # Screens show other rooms' words and views: lists of choices and names of statuses are built in.
    yield from (project / "dashboard").glob("*/views.py")
    yield project / "dashboard" / "kit" / "currencies.py"


def _stamp_of(target: Path) -> str | None:
    file = target / STAMP
    return file.read_text() if file.exists() else None


def _work_dir(project: Path) -> Path:
    return (project / os.environ.get("REFLEX_WEB_WORKDIR", ".web")).resolve()


def _build(project: Path, log: Callable[[str], None]) -> None:
    environment = {
        **os.environ,
        "PATH": sysconfig.get_path("scripts") + os.pathsep + os.environ.get("PATH", ""),
        "REFLEX_WEB_WORKDIR": str(_work_dir(project)),
        "REFLEX_CHECK_LATEST_VERSION": "0",
        # reflex.lock is committed: it names versions and hashes, never the registry of this machine.
        "NPM_CONFIG_OMIT_LOCKFILE_REGISTRY_RESOLVED": "true",
        "NO_COLOR": "1",
    }
    environment.setdefault("NPM_CONFIG_REGISTRY", _npm_registry(environment))
    command = [sys.executable, "-m", "reflex", "export", "--frontend-only", "--no-zip", "--loglevel", "info"]
    process = subprocess.Popen(
        command, cwd=project, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip():
            log("  " + line.rstrip())
    if process.wait() != 0:
        raise UiNotBuilt("The screens could not be built.")


def _npm_registry(environment: dict[str, str]) -> str:
    """The registry npm is set up for. Reflex would otherwise time two public ones and take the faster."""
    npm = shutil.which("npm", path=environment["PATH"])
    if npm is None:
        raise UiNotBuilt("Building the screens needs node, and there is none.", remedy="Run `uv sync` first.")
    asked = subprocess.run([npm, "config", "get", "registry"], env=environment, capture_output=True, text=True)
    return asked.stdout.strip().splitlines()[-1] if asked.returncode == 0 and asked.stdout.strip() else ""


def _replace(target: Path, work: Path, stamp: str) -> None:
    """Puts the fresh build in the place of the old one; an interrupted copy leaves no valid stamp behind."""
    fresh = target.with_name(target.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(work / "build" / "client", fresh / "build" / "client")
    shutil.copytree(work / "backend", fresh / "backend")
    (fresh / STAMP).write_text(stamp)
    old = target.with_name(target.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    fresh.rename(target)
    shutil.rmtree(old, ignore_errors=True)
