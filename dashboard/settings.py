"""Every environment variable: typed, with its default and one line of meaning."""

from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from dashboard.kit.clock import clock_from_text


class Settings(BaseSettings):
    """What the surroundings say. Read once at start; nothing here changes while the program runs."""

    model_config = SettingsConfigDict(env_prefix="METERDESK_", env_ignore_empty=True, extra="ignore")

    data_dir: Path = Field(
        default=Path(".meterdesk"), description="Where the database, the secret key and the sandbox live."
    )
    database_url: str | None = Field(
        default=None, description="`postgresql://…` for scale-out; unset: SQLite in the data dir."
    )
    events_url: str | None = Field(
        default=None,
        description="`clickhouse://user:password@host:8123/database` for usage events; unset: beside the other tables.",
    )
    redis_url: str | None = Field(
        default=None, description="Set: screen state and live news travel between web processes."
    )
    public_url: str | None = Field(
        default=None, description="Where Stripe can reach us. Unset: events are polled instead."
    )
    secret_key: SecretStr | None = Field(
        default=None, description="Encrypts stored keys; made once in the data dir if unset."
    )
    api_key: SecretStr | None = Field(
        default=None, description="A bearer token that counts as an admin key (first start, CI)."
    )
    admin_email: str | None = Field(default=None, description="With the password: this owner exists after the start.")
    admin_password: SecretStr | None = Field(default=None, description="See admin_email.")
    stripe_api_base: str | None = Field(
        default=None, description="Another address for Stripe's API. Unset: Stripe's own."
    )
    sandbox_url: str = Field(default="http://127.0.0.1:12111", description="Where the sandbox answers.")
    clock: str | None = Field(
        default=None, description="`fixed:<RFC 3339>` or `offset:<ISO 8601>` for tests and demos."
    )
    events_poll_seconds: float = Field(
        default=10.0, gt=0, description="How often events are polled when nothing is awaited."
    )
    stripe_letters_days: int = Field(
        default=90,
        ge=31,
        description="How long settled letters from Stripe and the steps of settled invoices are kept.",
    )
    stripe_requests_per_second: float | None = Field(
        default=None, gt=0, description="Overrides the limit per Stripe account."
    )
    stripe_requests_per_second_per_endpoint: float | None = Field(
        default=None, gt=0, description="Overrides the limit per endpoint of a Stripe account (25)."
    )

    @field_validator("public_url", "stripe_api_base", "sandbox_url")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not value.startswith(("http://", "https://")):
            raise ValueError("an address starts with http:// or https://")
        return value.rstrip("/")

    @field_validator("events_url")
    @classmethod
    def _is_clickhouse(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("clickhouse://", "clickhouses://")):
            raise ValueError("an address of ClickHouse starts with clickhouse:// or clickhouses://")
        return value

    @field_validator("clock")
    @classmethod
    def _is_a_clock(cls, value: str | None) -> str | None:
        clock_from_text(value)
        return value

    @property
    def effective_database_url(self) -> str:
        """The address to open: the one given, else a SQLite file in the data directory."""
        return self.database_url or f"sqlite:///{(self.data_dir / 'meterdesk.db').resolve()}"
