"""What one may ask for of tax codes. (Plans and features have `plan_inputs.py`.)"""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from dashboard.kit.inputs import Input

STRIPE_TAX_CODE = r"^txcd_\d{8}$"

Key = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(?:_[a-z0-9]+)*$", min_length=1, max_length=64)]
StripeTaxCode = Annotated[
    Annotated[str, StringConstraints(pattern=STRIPE_TAX_CODE)] | None,
    BeforeValidator(lambda value: value.strip() or None if isinstance(value, str) else value),
]


class AppMapping(Input):
    """What a tax code is called at one kind of provider."""

    app_type: Literal["stripe", "sandbox", "external_invoicing"]
    tax_code: Annotated[str, StringConstraints(min_length=1, max_length=256)]


class UpdateTaxCode(Input):
    """Everything of a tax code but its key. No Stripe code means: the Stripe account's own default applies."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    description: Annotated[str | None, StringConstraints(max_length=1024)] = None
    stripe_code: StripeTaxCode = None
    other_mappings: tuple[AppMapping, ...] = ()
    metadata: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_mapping_per_provider(self) -> "UpdateTaxCode":
        types = [mapping.app_type for mapping in self.other_mappings]
        if "stripe" in types:
            raise ValueError("Give Stripe's code as stripe_code.")
        if len(types) != len(set(types)):
            raise ValueError("There can be one code per kind of provider.")
        return self


class CreateTaxCode(UpdateTaxCode):
    key: Key


class UpdateTaxDefaults(Input):
    """Which tax codes apply where nothing else says one; None leaves that one as it is."""

    invoicing_tax_code_id: str | None = None
    credit_grant_tax_code_id: str | None = None
