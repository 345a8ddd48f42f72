"""Names for Tailwind of the tokens in `assets/theme.css`. Values, light and dark, stand there and nowhere else."""

from typing import Any

TONES = ("neutral", "info", "progress", "review", "open", "success", "warning", "danger", "spent")
"""What a badge, callout or timeline dot may mean; see README.md for which status wears which."""

_COLORS: dict[str, Any] = {
    "canvas": "var(--canvas)",
    "panel": "var(--panel)",
    "sunken": "var(--sunken)",
    "line": "var(--line)",
    "line-strong": "var(--line-strong)",
    "ink": "var(--ink)",
    "muted": "var(--muted)",
    "brand": "var(--brand)",
    "brand-hover": "var(--brand-hover)",
    "brand-ink": "var(--brand-ink)",
    "brand-soft": "var(--brand-soft)",
    "on-brand": "var(--on-brand)",
    "danger-solid": "var(--danger-solid)",
    "danger-solid-hover": "var(--danger-solid-hover)",
    "focus": "var(--focus)",
    **{tone: {part: f"var(--{tone}-{part})" for part in ("ink", "soft", "line")} for tone in TONES},
}

TAILWIND: Any = {
    "darkMode": "class",
    "theme": {
        "extend": {
            "colors": _COLORS,
            "fontFamily": {"sans": "var(--font-sans)", "mono": "var(--font-mono)"},
            "borderRadius": {"control": "6px", "card": "8px"},
        }
    },
}
