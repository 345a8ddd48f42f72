"""The verbs of this room, in one place. Those that take a `Database` hash passwords outside of their transactions."""

from dashboard.access.api_keys import authenticate_api_key, create_api_key, revoke_api_key
from dashboard.access.owner import create_owner, ensure_owner
from dashboard.access.password_changes import change_password, new_password_link, reset_password, set_password
from dashboard.access.people import change_role, create_person, invite_person, remove_person
from dashboard.access.sessions import sign_in, sign_out, sign_out_everywhere, signed_in_user

__all__ = [
    "authenticate_api_key",
    "change_password",
    "change_role",
    "create_api_key",
    "create_owner",
    "create_person",
    "ensure_owner",
    "invite_person",
    "new_password_link",
    "remove_person",
    "reset_password",
    "revoke_api_key",
    "set_password",
    "sign_in",
    "sign_out",
    "sign_out_everywhere",
    "signed_in_user",
]
