"""What one may ask for, validated once for screens and API."""

import json
from typing import Annotated, Any

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, field_validator

from dashboard.customers.views import Address
from dashboard.kit.countries import known_countries
from dashboard.kit.inputs import CurrencyCode, Input

NAME_LENGTH_MAX = 256
KEY_LENGTH_MAX = 256
TEXT_LENGTH_MAX = 1024
SUBJECTS_MAX = 1000
METADATA_ENTRIES_MAX = 50
METADATA_KEY_LENGTH_MAX = 40
EXTERNAL_KEY_LENGTH_MAX = 63
METADATA_VALUE_LENGTH_MAX = 500
SUBJECT_METADATA_LENGTH_MAX = 16_384


def _empty_is_none(value: Any) -> Any:
    return value.strip() or None if isinstance(value, str) else value


def _known_country(value: str | None) -> str | None:
    if value is None:
        return None
    code = value.upper()
    if all(country.code != code for country in known_countries()):
        raise ValueError(f"“{value}” is not a country; use a two-letter code such as US or DE.")
    return code


def _email(value: str | None) -> str | None:
    if value is None:
        return None
    try:
        # Only the form is checked: people try things out with addresses that reach nobody.
        return validate_email(value, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError as error:
        raise ValueError(f"“{value}” is not an email address: {error}") from None


def _short_json(value: dict[str, Any]) -> dict[str, Any]:
    try:
        length = len(json.dumps(value, allow_nan=False))
    except (ValueError, RecursionError):
        raise ValueError("this cannot be written as JSON") from None
    if length > SUBJECT_METADATA_LENGTH_MAX:
        raise ValueError(f"at most {SUBJECT_METADATA_LENGTH_MAX} letters of JSON are kept")
    return value


EmptyIsNone = BeforeValidator(_empty_is_none)
Name = Annotated[str, Field(min_length=1, max_length=NAME_LENGTH_MAX)]
OptionalText = Annotated[Annotated[str, Field(max_length=TEXT_LENGTH_MAX)] | None, EmptyIsNone]
OptionalName = Annotated[Annotated[str, Field(max_length=NAME_LENGTH_MAX)] | None, EmptyIsNone]
OptionalCountry = Annotated[str | None, EmptyIsNone, AfterValidator(_known_country)]
OptionalCurrency = Annotated[CurrencyCode | None, EmptyIsNone]
OptionalEmail = Annotated[str | None, EmptyIsNone, AfterValidator(_email)]
Metadata = Annotated[
    dict[
        Annotated[str, Field(min_length=1, max_length=METADATA_KEY_LENGTH_MAX)],
        Annotated[str, Field(max_length=METADATA_VALUE_LENGTH_MAX)],
    ],
    Field(max_length=METADATA_ENTRIES_MAX),
]


class AddressInput(Input):
    """A postal address; `country` is an ISO 3166-1 alpha-2 code."""

    country: OptionalCountry = None
    postal_code: OptionalName = None
    state: OptionalName = None
    city: OptionalName = None
    line1: OptionalName = None
    line2: OptionalName = None
    phone_number: OptionalName = None

    def to_address(self) -> Address | None:
        """The address, None when nothing of it is filled in."""
        address = Address(**self.model_dump())
        return None if address == Address() else address


class CreateCustomer(Input):
    """A customer to be. A `key` is our users' own id for them; usage of `subject_keys`, and of the key, is theirs."""

    name: Name
    key: Annotated[Annotated[str, Field(max_length=KEY_LENGTH_MAX)] | None, EmptyIsNone] = None
    description: OptionalText = None
    currency: OptionalCurrency = None
    primary_email: OptionalEmail = None
    billing_address: AddressInput | None = None
    subject_keys: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=KEY_LENGTH_MAX)], ...], Field(max_length=SUBJECTS_MAX)
    ] = ()
    metadata: Metadata = {}

    @field_validator("subject_keys")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(value))


class UpdateCustomer(CreateCustomer):
    """What the customer is from now on, as a whole: what is left out is emptied."""


class SetExternalInvoicing(Input):
    """What an invoicing system outside of here wants to know of a customer, as a whole; None takes it away."""

    metadata: (
        Annotated[
            dict[
                Annotated[str, Field(min_length=1, max_length=EXTERNAL_KEY_LENGTH_MAX)],
                Annotated[str, Field(max_length=METADATA_VALUE_LENGTH_MAX)],
            ],
            Field(max_length=METADATA_ENTRIES_MAX),
        ]
        | None
    )


class UpsertSubject(Input):
    """What to know of a name under which usage arrives; only what is named changes, None takes it away."""

    key: Annotated[str, Field(min_length=1, max_length=KEY_LENGTH_MAX)]
    display_name: OptionalName = None
    metadata: Annotated[dict[str, Any], AfterValidator(_short_json)] | None = None
    current_period_start: AwareDatetime | None = None
    current_period_end: AwareDatetime | None = None
    stripe_customer_id: OptionalName = None
