"""What one may ask of the usage room."""

from typing import Annotated

from pydantic import AwareDatetime, Field, StringConstraints

from dashboard.kit.inputs import Input
from dashboard.usage.views import Aggregation

METER_KEY = r"^[a-z0-9]+(?:_[a-z0-9]+)*$"


MeterKey = Annotated[str, StringConstraints(pattern=METER_KEY, min_length=1, max_length=64)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Description = Annotated[str, StringConstraints(max_length=1024)]


class CreateMeter(Input):
    """A new meter; one without a name is named by its key."""

    key: MeterKey
    name: Name | None = None
    description: Description | None = None
    event_type: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    event_from: AwareDatetime | None = None
    aggregation: Aggregation
    value_property: str | None = None
    group_by: dict[str, str] = Field(default_factory=dict)
    metadata: dict[str, str] = Field(default_factory=dict)


class UpdateMeter(Input):
    """What may change on a meter later. `group_by` left out keeps the dimensions it has."""

    name: Name | None = None
    description: Description | None = None
    group_by: dict[str, str] | None = None
    metadata: dict[str, str] = Field(default_factory=dict)
