"""The base of every `inputs.py`: what one may ask for, validated once, for screens and API alike."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from dashboard.kit.errors import InvalidInput


class Input(BaseModel):
    """A request to a service: unknown fields are refused, texts are trimmed, and it does not change afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


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
