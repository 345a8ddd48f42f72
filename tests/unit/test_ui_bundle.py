"""What the built screens are made of, and what we change in them."""

import json
import shutil
from pathlib import Path

import pytest

from dashboard.ui import serving
from dashboard.ui.plugins import SameOriginPlugin, follow_page_origin

CHECKOUT = Path(__file__).parents[2]
ENV_CHUNK = 'var e={PING:`http://localhost:8000/ping`,EVENT:"ws://localhost:8000/_event",T:`websocket`};export{e as t};'


def test_baked_addresses_follow_the_page_and_nothing_else_changes() -> None:
    rewritten = follow_page_origin(ENV_CHUNK)
    assert "localhost:8000" not in rewritten
    assert '.replace(/^http/,"ws")+"/_event")' in rewritten
    assert '+"/ping")' in rewritten
    assert rewritten.endswith("T:`websocket`};export{e as t};")


def test_the_build_fails_when_the_chunk_with_the_addresses_is_not_where_it_was(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    with pytest.raises(RuntimeError, match="expected one chunk"):
        SameOriginPlugin().post_build(static_dir=tmp_path)
    (tmp_path / "assets" / "reflex-env-abc.js").write_text(ENV_CHUNK)
    SameOriginPlugin().post_build(static_dir=tmp_path)
    assert "localhost:8000" not in (tmp_path / "assets" / "reflex-env-abc.js").read_text()


def test_no_radix_is_in_the_bundle_and_the_lock_names_no_registry() -> None:
    lock = (CHECKOUT / "reflex.lock" / "package-lock.json").read_text()
    assert "radix" not in lock
    assert "resolved" not in lock
    packages = json.loads(lock)["packages"]
    assert all("integrity" in package for name, package in packages.items() if name)


def test_the_stamp_changes_with_a_screen_and_not_with_a_service(tmp_path: Path) -> None:
    for part in ("dashboard/ui", "assets", "reflex.lock"):
        shutil.copytree(CHECKOUT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("rxconfig.py", "dashboard/dashboard.py", "dashboard/kit/currencies.py"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CHECKOUT / file, tmp_path / file)
    before = serving.sources_stamp(tmp_path)
    (tmp_path / "dashboard" / "kit" / "clock.py").write_text("changed = True\n")
    assert serving.sources_stamp(tmp_path) == before
    (tmp_path / "dashboard" / "ui" / "theme.py").write_text("changed = True\n")
    assert serving.sources_stamp(tmp_path) != before


def test_a_fresh_build_is_not_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[Path] = []

    def build(project: Path, log: object) -> None:
        built.append(project)
        for part in ("build/client", "backend"):
            (tmp_path / ".web" / part).mkdir(parents=True, exist_ok=True)

    monkeypatch.setattr(serving, "_build", build)
    monkeypatch.setenv("REFLEX_WEB_WORKDIR", str(tmp_path / ".web"))
    monkeypatch.setenv(serving.BUILT_UI_DIR, str(tmp_path / "_web"))
    said: list[str] = []
    for _ in range(2):
        serving.build_if_needed(CHECKOUT, said.append)
    assert built == [CHECKOUT]
    assert said == ["Building the screens (once per version)…", "The screens are built."]


def test_a_package_without_its_screens_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(serving.BUILT_UI_DIR, str(tmp_path / "_web"))
    with pytest.raises(serving.UiNotBuilt):
        serving.build_if_needed(tmp_path, lambda line: None)
