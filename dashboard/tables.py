"""Every table of every room, so that migrations see one schema. (Usage events and jobs keep their own.)"""

from sqlmodel import SQLModel

from dashboard.access import tables as _access
from dashboard.stripe_app import tables as _stripe_app
from dashboard.usage import tables as _usage

ROOMS = (_access, _stripe_app, _usage)

METADATA = SQLModel.metadata
