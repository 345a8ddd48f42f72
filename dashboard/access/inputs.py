"""What one may ask of this room."""

import re
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, SecretStr, StringConstraints, field_validator

from dashboard.access.views import Role
from dashboard.kit.inputs import Input

PASSWORD_LENGTH_MIN = 8
PASSWORD_LENGTH_MAX = 256
EMAIL_LENGTH_MAX = 254

_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+")


def _email(text: str) -> str:
    # Nothing is mailed from here, so an intranet's ops@localhost is as good as any other address.
    if len(text) > EMAIL_LENGTH_MAX or not _EMAIL.fullmatch(text):
        raise ValueError("This is not an email address.")
    return text.lower()


def _password(secret: SecretStr) -> SecretStr:
    # Length is what NIST SP 800-63B asks for; rules about kinds of characters it advises against.
    length = len(secret.get_secret_value())
    if length < PASSWORD_LENGTH_MIN:
        raise ValueError(f"A password has at least {PASSWORD_LENGTH_MIN} characters.")
    if length > PASSWORD_LENGTH_MAX:
        raise ValueError(f"A password has at most {PASSWORD_LENGTH_MAX} characters.")
    return secret


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("Use letters, digits and signs on one line.")
    return text


Email = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_email)]
NewPassword = Annotated[SecretStr, AfterValidator(_password)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), AfterValidator(_one_line)]


class WithPassword(Input):
    """A request that carries a password: blanks around one belong to it."""

    model_config = ConfigDict(str_strip_whitespace=False)


class CreateOwner(WithPassword):
    """The first person of this Meterdesk."""

    email: Email
    name: Name
    password: NewPassword


class SignIn(WithPassword):
    """An attempt to sign in. What cannot be an email or a password is simply wrong, so nothing is checked here."""

    email: str = Field(max_length=1000)
    password: SecretStr = Field(max_length=1000)

    @field_validator("email")
    @classmethod
    def _as_stored(cls, text: str) -> str:
        return text.strip().lower()


class InvitePerson(Input):
    """A new member of the team; they choose their password by a link."""

    email: Email
    name: Name
    role: Role


class CreatePerson(InvitePerson, WithPassword):
    """A new member of the team whose password is chosen for them."""

    password: NewPassword


class ChangeRole(Input):
    """Another role for a person."""

    role: Role


class ChangePassword(WithPassword):
    """A new password for oneself."""

    current_password: SecretStr = Field(max_length=1000)
    new_password: NewPassword


class SetPassword(WithPassword):
    """The password that the holder of a link chose."""

    token: str = Field(max_length=200)
    password: NewPassword


class ResetPassword(WithPassword):
    """A password that somebody with access to the machine sets for a person."""

    password: NewPassword


class CreateApiKey(Input):
    """A key for a program. Keys never reach an owner's role."""

    name: Name
    role: Role = Role.ADMIN

    @field_validator("role")
    @classmethod
    def _below_owner(cls, role: Role) -> Role:
        if role is Role.OWNER:
            raise ValueError("A key may be viewer, operator or admin.")
        return role


class AuditFilter(Input):
    """Which entries of the audit log: all given conditions hold. `action` also takes a beginning (`customer.`)."""

    actor_id: str | None = None
    action: str | None = None
    subject_type: str | None = None
    subject_id: str | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
