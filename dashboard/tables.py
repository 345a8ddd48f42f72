"""Every table of every room, so that migrations see one schema. (Usage events and jobs keep their own.)"""

from sqlmodel import SQLModel

from dashboard.access import tables as _access
from dashboard.billing import tables as _billing
from dashboard.catalog import plan_tables as _plans
from dashboard.catalog import tables as _catalog
from dashboard.customers import tables as _customers
from dashboard.stripe_app import tables as _stripe_app
from dashboard.subscriptions import tables as _subscriptions
from dashboard.usage import tables as _usage

ROOMS = (_access, _billing, _catalog, _customers, _plans, _stripe_app, _subscriptions, _usage)

METADATA = SQLModel.metadata
