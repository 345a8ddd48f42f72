"""Refusals of this room."""

from dashboard.kit.errors import Conflict, Gone, InvalidInput, NotAllowed, NotFound, NotSignedIn, TooManyRequests


class OwnerExists(Conflict):
    """Somebody set this Meterdesk up before."""

    code = "owner_exists"
    remedy = "Sign in, or ask an owner to invite you."


class WrongCredentials(NotSignedIn):
    """No such email, or another password; which of both is not told."""

    code = "wrong_credentials"
    remedy = "Try again, or ask an owner for a new password link."


class SignInSlowedDown(TooManyRequests):
    """Too many wrong passwords for this email or from this address."""

    code = "sign_in_slowed_down"


class WrongCurrentPassword(InvalidInput):
    code = "wrong_current_password"
    remedy = "Type the password you signed in with."


class PasswordLinkSpent(Gone):
    """Used, replaced by a newer one, too old, or never ours."""

    code = "password_link_spent"
    remedy = "Ask an owner or admin for a new one."


class EmailTaken(Conflict):
    code = "email_taken"
    remedy = "Change that person's role, or make them a new password link."


class PersonNotFound(NotFound):
    code = "person_not_found"
    remedy = "They may have been removed meanwhile. Reload the list."


class LastOwner(Conflict):
    """The step would leave nobody who may do everything."""

    code = "last_owner"
    remedy = "Make somebody else an owner first."


class RoleOutOfReach(NotAllowed):
    """Nobody hands out, or takes away, more than they have."""

    code = "role_out_of_reach"
    remedy = "Ask an owner to do this."


class ApiKeyNotFound(NotFound):
    code = "api_key_not_found"
    remedy = "Reload the list of keys."
