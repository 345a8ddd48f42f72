"""Fixtures of the API's tests: our REST application in this process, its own database, and Stripe's sandbox."""

import json
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from dashboard.access.inputs import CreateApiKey
from dashboard.access.service import create_api_key
from dashboard.access.views import Role
from dashboard.api.app import close_api, create_api
from dashboard.backend import Backend, open_backend
from dashboard.kit.database import SYSTEM
from dashboard.kit.ids import new_id
from dashboard.settings import Settings
from tests.contract.openmeter_contract import OpenMeterContract, openmeter_contract
from tests.contract.sandbox_support import RunningSandbox, running_sandbox

TOKEN = "test-token"
API = close_api(create_api())


@dataclass
class ApiHouse:
    """Calls our API, and checks every answer against the contract of its generation."""

    backend: Backend
    client: httpx.AsyncClient
    sandbox: httpx.AsyncClient
    contracts: dict[str, OpenMeterContract]
    data_dir: Path
    account: str = field(default_factory=lambda: new_id().lower())

    async def call(self, method: str, path: str, body: Any = None, *, token: str | None = TOKEN, **more: Any) -> Any:
        """The answer to a request. Raises AssertionError when it does not fit the contract."""
        headers = {"authorization": f"Bearer {token}"} if token is not None else {}
        if body is not None:
            more["json"] = body
        answer = await self.client.request(method, path, headers=headers | more.pop("headers", {}), **more)
        check(self.contracts, method, path, answer)
        return answer

    async def ok(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """The document of an answer that has to be a success; None for an empty one."""
        answer = await self.call(method, path, body, **more)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    async def refused(self, status: int, method: str, path: str, body: Any = None, **more: Any) -> dict[str, Any]:
        """The problem of an answer that has to be a refusal with this status."""
        answer = await self.call(method, path, body, **more)
        assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
        return answer.json()

    @property
    def stripe_key(self) -> str:
        return f"sk_test_sandbox_{self.account}"

    async def install(self, **more: Any) -> dict[str, Any]:
        """Installs the account of this house through the API; the answer's app."""
        path = "/api/v1/marketplace/listings/stripe/install/apikey"
        return (await self.ok("POST", path, {"apiKey": self.stripe_key, **more}))["app"]

    async def customer(self, name: str = "ACME, Inc.", **more: Any) -> dict[str, Any]:
        """A customer, made through the API."""
        return await self.ok("POST", "/api/v1/customers", {"name": name, **more})

    async def stripe(self, method: str, path: str, data: dict[str, Any] | None = None) -> dict[str, Any]:
        """A call to the sandbox, as Stripe's own dashboard would make it."""
        answer = await self.sandbox.request(
            method, path, data=data, headers={"authorization": f"Bearer {self.stripe_key}"}
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def stripe_customer(self, **data: Any) -> str:
        """A customer that exists at Stripe only."""
        return (await self.stripe("POST", "/v1/customers", {"name": "Acme at Stripe", **data}))["id"]

    async def card(self, stripe_customer_id: str) -> str:
        """A card of a Stripe customer."""
        path = "/v1/payment_methods/pm_card_visa/attach"
        return (await self.stripe("POST", path, {"customer": stripe_customer_id}))["id"]

    async def key_with_role(self, role: Role) -> str:
        """The token of a key with this role."""
        async with self.backend.database.transaction(SYSTEM) as work:
            made = await create_api_key(work, CreateApiKey(name=role.value, role=role), by=Role.OWNER)
        return made.token

    async def everything(self) -> dict[str, Any]:
        """All that tier A can change, to compare before and after a refusal."""
        return {
            path: await self.ok("GET", path)
            for path in (
                "/api/v1/customers?includeDeleted=true",
                "/api/v1/apps",
                "/api/v1/billing/profiles?includeArchived=true",
            )
        }


def every_row(data_dir: Path) -> dict[str, list[str]]:
    """Every row of every table in the SQLite files of a house; when a key was last used is no change."""
    found: dict[str, list[str]] = {}
    for file in sorted(data_dir.glob("*.db")):
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            for (table,) in database.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
            ).fetchall():
                rows = database.execute(f'SELECT * FROM "{table}"').fetchall()
                shown = [{name: row[name] for name in row.keys() if name != "last_used_at"} for row in rows]  # noqa: SIM118
                found[f"{file.name} {table}"] = sorted(map(repr, shown))
    return found


def check(contracts: dict[str, OpenMeterContract], method: str, path: str, answer: httpx.Response) -> None:
    """Raises AssertionError with everything in an answer that its contract does not have."""
    version = "v3" if path.startswith(("/v3/", "/api/v3/")) else "v1"
    if not path.startswith(("/v3/openmeter", "/api/")):
        return
    contract = contracts[version]
    try:
        contract.find(method, path)
    except AssertionError:
        return
    media = answer.headers.get("content-type", "")
    body = answer.json() if "json" in media and answer.content else (answer.text or None)
    errors = contract.response_errors(method, path, answer.status_code, media, body)
    assert not errors, "\n".join([*errors, json.dumps(body)[:1500]])


@pytest.fixture(scope="session")
def api_sandbox() -> Iterator[RunningSandbox]:
    """A running sandbox. Every test has an account of its own there, so none disturbs another."""
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
async def api(
    tmp_path: Path, _sqlite_with_tables: Path, api_sandbox: RunningSandbox, shared_dir: Path
) -> AsyncIterator[ApiHouse]:
    """Our API over a fresh database, with a fresh account at the sandbox; nothing is installed yet."""
    shutil.copy(_sqlite_with_tables, tmp_path / "meterdesk.db")
    async with opened_house(tmp_path, None, api_sandbox, shared_dir) as house:
        yield house


@pytest.fixture
async def api_on_each_database(
    tmp_path: Path, database_url: str, api_sandbox: RunningSandbox, shared_dir: Path
) -> AsyncIterator[ApiHouse]:
    """The same, once on SQLite and once on PostgreSQL."""
    async with opened_house(tmp_path, database_url, api_sandbox, shared_dir) as house:
        yield house


@asynccontextmanager
async def opened_house(
    data_dir: Path, database_url: str | None, sandbox: RunningSandbox, shared: Path
) -> AsyncIterator[ApiHouse]:
    """Our API over a database that has its tables."""
    settings = Settings(
        data_dir=data_dir,
        database_url=database_url,
        api_key=SecretStr(TOKEN),
        secret_key=SecretStr("a secret key of this test"),
        sandbox_url=sandbox.url,
        # A key that is not the sandbox's must not reach out to Stripe from here.
        stripe_api_base=sandbox.url,
    )
    contracts = {version: openmeter_contract(shared, version) for version in ("v1", "v3")}
    transport = httpx.ASGITransport(API, raise_app_exceptions=False)
    async with (
        open_backend(settings) as backend,
        httpx.AsyncClient(transport=transport, base_url="http://meterdesk.test") as client,
        httpx.AsyncClient(base_url=sandbox.url, trust_env=False) as stripe,
    ):
        yield ApiHouse(backend, client, stripe, contracts, data_dir)
