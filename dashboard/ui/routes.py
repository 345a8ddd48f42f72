"""The table of pages. A page adds itself with `@page` where it is written; the menu shows what the table holds."""

import importlib
import os
import pkgutil
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import reflex as rx

import dashboard.ui

PRODUCT = "Meterdesk"
ONLY_THESE = "METERDESK_UI_ONLY"
"""For work on the screens: a comma-separated list of folders under `dashboard/ui` to build; the rest is left out."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its address, its name, what it shows and what it loads.

    `name` stands for `title` in the breadcrumb and the window's title where it is only known at run time;
    `parent` is the address of the page one level up; a `bare` page has no frame and needs no session.
    """

    route: str
    title: str
    render: Callable[[], rx.Component]
    on_load: tuple[Any, ...] = ()
    name: str | rx.Var[str] | None = None
    parent: str | None = None
    bare: bool = False


PAGES: dict[str, Page] = {}


def page(
    route: str,
    *,
    title: str,
    on_load: Any = (),
    name: str | rx.Var[str] | None = None,
    parent: str | None = None,
    bare: bool = False,
) -> Callable[[Callable[[], rx.Component]], Callable[[], rx.Component]]:
    """Adds the decorated function to the table. Raises ValueError when the address is taken."""

    def add(render: Callable[[], rx.Component]) -> Callable[[], rx.Component]:
        known = PAGES.get(route)
        if known is not None and known.render.__module__ != render.__module__:
            raise ValueError(f"{route} is already a page, of {known.render.__module__}")
        loads = tuple(on_load) if isinstance(on_load, list | tuple) else (on_load,)
        PAGES[route] = Page(route, title, render, loads, name, parent, bare)
        return render

    return add


def load_pages() -> None:
    """Imports every `page.py` and `*_page.py` under `dashboard/ui`; importing one puts it into the table."""
    only = {folder.strip() for folder in os.environ.get(ONLY_THESE, "").split(",") if folder.strip()}
    for module in pkgutil.walk_packages(dashboard.ui.__path__, prefix="dashboard.ui."):
        folder, leaf = module.name.split(".")[2], module.name.rsplit(".", 1)[-1]
        if (leaf == "page" or leaf.endswith("_page")) and (not only or folder in only | _ALWAYS):
            importlib.import_module(module.name)


_ALWAYS = {"access", "home"}


def page_of(path: str) -> Page | None:
    """The page an address belongs to, `[customer_id]` parts included; None for anything else."""
    wanted = "/" + path.strip("/")
    exact = PAGES.get(wanted)
    if exact is not None:
        return exact
    return next((page for page in PAGES.values() if _pattern(page.route).fullmatch(wanted)), None)


def _pattern(route: str) -> re.Pattern[str]:
    parts = ["[^/]+" if part.startswith("[") else re.escape(part) for part in route.strip("/").split("/")]
    return re.compile("/" + "/".join(parts))
