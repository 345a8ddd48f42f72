"""What each operation does, one file per Stripe object."""

import importlib
import pkgutil


def load() -> None:
    """Import every resource, so that each registers its operations."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
