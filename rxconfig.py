"""Reflex's configuration. Reflex reads it from the working directory, before it looks for node."""

import os
import sysconfig

# The node that came with the environment wins over whatever else is installed on the machine.
os.environ["PATH"] = sysconfig.get_path("scripts") + os.pathsep + os.environ.get("PATH", "")
os.environ.setdefault("REFLEX_USE_NPM", "1")
os.environ.setdefault("REFLEX_CHECK_LATEST_VERSION", "0")
if redis_url := os.environ.get("METERDESK_REDIS_URL"):
    os.environ.setdefault("REFLEX_REDIS_URL", redis_url)

import reflex as rx

from dashboard.ui.plugins import SameOriginPlugin
from dashboard.ui.theme import TAILWIND

config = rx.Config(
    app_name="dashboard",
    telemetry_enabled=False,
    show_built_with_reflex=False,
    default_color_mode="system",
    # No page of another origin may call us. What the socket does is decided in dashboard/ui/serving.py.
    cors_allowed_origins=[],
    # Naming a mode switches Reflex's own choice off, so Redis has to be named too.
    state_manager_mode="redis" if os.environ.get("REFLEX_REDIS_URL") else "memory",  # pyright: ignore[reportArgumentType]
    frontend_compression_formats=["brotli", "gzip"],
    frontend_lazy_bundled_libraries=True,
    # React's compiler took minutes and gigabytes to build these pages; memoised rows (@rx.memo) keep lists fast anyway.
    react_compiler=False,
    plugins=[rx.plugins.TailwindV4Plugin(TAILWIND), SameOriginPlugin()],
    disable_plugins=[rx.plugins.SitemapPlugin],
)
