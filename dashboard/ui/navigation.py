"""The menu: every entry there will be, in order. Only those whose page exists are shown."""

from dataclasses import dataclass

from dashboard.ui.routes import PAGES


@dataclass(frozen=True, slots=True)
class MenuEntry:
    label: str
    route: str
    icon_name: str


@dataclass(frozen=True, slots=True)
class MenuGroup:
    """Entries under a heading; the first group needs none."""

    label: str
    entries: tuple[MenuEntry, ...]


MENU = (
    MenuGroup(
        "",
        (
            MenuEntry("Home", "/", "house"),
            MenuEntry("Customers", "/customers", "users"),
            MenuEntry("Invoices", "/invoices", "receipt-text"),
            MenuEntry("Subscriptions", "/subscriptions", "repeat"),
        ),
    ),
    MenuGroup(
        "Catalog",
        (
            MenuEntry("Plans", "/plans", "layers"),
            MenuEntry("Features", "/features", "puzzle"),
        ),
    ),
    MenuGroup(
        "Usage",
        (
            MenuEntry("Meters", "/meters", "gauge"),
            MenuEntry("Events", "/events", "activity"),
        ),
    ),
    MenuGroup("Stripe", (MenuEntry("Stripe events", "/stripe/events", "webhook"),)),
    MenuGroup(
        "Settings",
        (
            MenuEntry("Stripe", "/settings/stripe", "credit-card"),
            MenuEntry("Billing profiles", "/settings/billing-profiles", "sliders-horizontal"),
            MenuEntry("Tax codes", "/settings/tax-codes", "landmark"),
            MenuEntry("API keys", "/settings/api-keys", "key-round"),
            MenuEntry("Team", "/settings/team", "user-cog"),
        ),
    ),
)


def shown_menu() -> list[MenuGroup]:
    """The menu as it stands: groups with the entries whose pages exist."""
    groups = [MenuGroup(group.label, tuple(entry for entry in group.entries if entry.route in PAGES)) for group in MENU]
    return [group for group in groups if group.entries]


def entry_of(route: str) -> MenuEntry | None:
    """The entry a page belongs to: its own, or that of the nearest page above it."""
    visited: set[str] = set()
    while route not in visited:
        visited.add(route)
        own = next((entry for group in MENU for entry in group.entries if entry.route == route), None)
        page = PAGES.get(route)
        if own is not None or page is None or page.parent is None:
            return own
        route = page.parent
    return None
