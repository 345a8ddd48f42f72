"""Secrets at rest and one-way prints of tokens."""

import base64
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from dashboard.kit.errors import MeterdeskError

KEY_FILE = "secret.key"


class SecretKeyMismatch(MeterdeskError):
    """A stored secret was sealed with another key than the one at hand."""

    code = "secret_key_mismatch"
    remedy = "Start with the METERDESK_SECRET_KEY (or data directory) that this database was made with."


class SecretBox:
    """Seals texts with the installation's secret key (Fernet: AES-CBC and HMAC-SHA256, from `cryptography`)."""

    def __init__(self, secret_key: str) -> None:
        # Any text may be the key: it is stretched to the 32 bytes that Fernet takes.
        digest = hashlib.sha256(b"meterdesk secret box\0" + secret_key.encode()).digest()
        self._fernet = Fernet(base64.urlsafe_b64encode(digest))

    def seal(self, text: str) -> str:
        """`text`, encrypted and authenticated, as printable characters."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """What `seal` was given. Raises SecretKeyMismatch when it was sealed with another key or tampered with."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise SecretKeyMismatch("A stored secret cannot be opened with this secret key.") from None


def load_or_make_secret_key(data_dir: Path) -> str:
    """The secret key kept in `data_dir`, made on first use and readable by its owner only (mode 0600)."""
    path = data_dir / KEY_FILE
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(handle, "w") as file:
        key = secrets.token_urlsafe(32)
        file.write(key + "\n")
        file.flush()
        os.fsync(file.fileno())
    return key


def new_token(prefix: str = "") -> str:
    """A random token of 256 bits that may travel in a header, a cookie or an address."""
    return prefix + secrets.token_urlsafe(32)


def fingerprint(token: str) -> str:
    """A one-way print of a random token, good for looking it up. (Passwords need a slow hash instead.)"""
    return hashlib.sha256(token.encode()).hexdigest()


def same(left: str, right: str) -> bool:
    """Whether two texts are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(left.encode(), right.encode())
