"""What driving invoices needs at hand. `backend.py` builds one per process."""

from dataclasses import dataclass

from dashboard.billing.invoicing_app import InvoicingApp
from dashboard.kit.database import Database
from dashboard.kit.locks import Locks
from dashboard.usage.event_store import EventStore


@dataclass(slots=True)
class BillingDesk:
    """Holds no state of its own. `app` is the plug: it finds the account by the invoice's `app_id`."""

    database: Database
    app: InvoicingApp
    event_store: EventStore
    locks: Locks
