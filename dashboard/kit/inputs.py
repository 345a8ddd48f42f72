"""The base of every `inputs.py`: what one may ask for, validated once, for screens and API alike."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from dashboard.kit.currencies import UnknownCurrency, currency
from dashboard.kit.errors import InvalidInput


class Input(BaseModel):
    """A request to a service: unknown fields are refused, texts are trimmed, and it does not change afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


def _known_currency(code: str) -> str:
    try:
        return currency(code).code
    except UnknownCurrency as error:
        raise ValueError(error.for_people()) from None


CurrencyCode = Annotated[str, AfterValidator(_known_currency)]
"""A code of money, in either case. ISO 4217 has others too: for tests (XTS), for nothing (XXX), for gold (XAU)."""

Wanted = TypeVar("Wanted", bound=BaseModel)


def parse_input(model: type[Wanted], data: Mapping[str, Any]) -> Wanted:
    """`data` as a validated `model`. Raises InvalidInput with one sentence per field, dotted for nested ones."""
    try:
        return model.model_validate(dict(data))
    except ValidationError as error:
        raise invalid_input_from(error) from None


def invalid_input_from(error: ValidationError) -> InvalidInput:
    """Pydantic's complaint in our words: one sentence per field."""
    fields: dict[str, str] = {}
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        place = ".".join(str(part) for part in problem["loc"]) or "input"
        fields.setdefault(place, _sentence(problem["msg"]))
    first = next(iter(fields.items()))
    return InvalidInput(
        f"{first[0]}: {first[1]}" if len(fields) == 1 else "Some fields need another look.", fields=fields
    )


def _sentence(message: str) -> str:
    text = message.removeprefix("Value error, ")
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."
