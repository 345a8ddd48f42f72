"""What we change in the built bundle: it talks to the origin it was loaded from, whatever host and port that is."""

import re
from pathlib import Path
from typing import Unpack

from reflex_base.plugins.base import Plugin, PostBuildContext

_BAKED_ADDRESS = re.compile(r"""(["'`])(ws|http)s?://localhost:\d+(/[^"'`]*)?\1""")
_OUR_ORIGIN = '(globalThis.location?.origin??"http://localhost")'


class SameOriginPlugin(Plugin):
    """Reflex bakes the server's host and port into one chunk; this replaces them by the page's own origin.

    Without it a built UI answers on one port only (reflex issues 5536 and 5551).
    """

    def post_build(self, **context: Unpack[PostBuildContext]) -> None:
        """Rewrites the chunk. Raises RuntimeError unless exactly one file had addresses to replace."""
        changed = [file for file in _env_chunks(context["static_dir"]) if _rewrite(file)]
        if len(changed) != 1:
            raise RuntimeError(f"expected one chunk with baked addresses, found {len(changed)}: {changed}")


def follow_page_origin(source: str) -> str:
    """`source` with every baked local address made an expression that follows the page's origin."""
    return _BAKED_ADDRESS.sub(_as_expression, source)


def _env_chunks(static_dir: Path) -> list[Path]:
    return sorted(static_dir.glob("assets/reflex-env-*.js"))


def _rewrite(file: Path) -> bool:
    before = file.read_text()
    after = follow_page_origin(before)
    if after == before:
        return False
    file.write_text(after)
    return True


def _as_expression(match: re.Match[str]) -> str:
    _, scheme, path = match.groups()
    origin = _OUR_ORIGIN + ('.replace(/^http/,"ws")' if scheme == "ws" else "")
    return f'({origin}+"{path or ""}")'
