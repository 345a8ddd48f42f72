"""The one door to Stripe, and the only importer of its SDK.

One HTTP client per event loop, one `StripeClient` per install, our API version on every call. Plain dictionaries come
inward; refusals come as `errors`. Retries are ours: the SDK's neither cover 429 nor wait for our limiter.
"""

import asyncio
import logging
import re
import uuid
from collections.abc import Mapping
from typing import Any, cast
from weakref import WeakKeyDictionary

import aiohttp
import stripe
from stripe import AIOHTTPClient, StripeClient

from dashboard.stripe_app.errors import (
    StripeCardDeclined,
    StripeInvalidRequest,
    StripeObjectMissing,
    StripePermissionMissing,
    StripeRefused,
    StripeTaxProblem,
    StripeUnauthorized,
    StripeUnreachable,
)
from dashboard.stripe_app.gateway_calls import BACKGROUND, CallBudget, Caller, CallLimiter, NoLimit, Sleep
from dashboard.stripe_app.keys import is_sandbox_key

API_VERSION = "2026-10-28.endive"
CALL_TIMEOUT_SECONDS = 30.0
PAGE = 100

TAX_CODES = frozenset({
    "customer_tax_location_invalid",
    "stripe_tax_inactive",
    "taxes_calculation_failed",
    "failed_tax_calculation",
    "invalid_tax_location",
})  # fmt: skip

# It writes a file into the user's home and adds timings to requests.
stripe.enable_telemetry = False
# At DEBUG the SDK logs whole answers, and the one that creates a webhook endpoint holds its signing secret.
logging.getLogger("stripe").setLevel(logging.WARNING)

_A_KEY = re.compile(r"\b(sk|rk)_(test|live)_\w+")

Params = Mapping[str, Any]
Json = dict[str, Any]


class Gateways:
    """Opens gateways; owns the connections behind them. Build one per process and close it at the end."""

    def __init__(
        self,
        *,
        sandbox_url: str,
        api_base: str | None = None,
        limiter: CallLimiter | None = None,
        budget: CallBudget | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._sandbox_url = sandbox_url
        self._api_base = api_base
        self._limiter = limiter or NoLimit()
        self._budget = budget or CallBudget()
        self._sleep = sleep
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, AIOHTTPClient] = WeakKeyDictionary()

    def open(self, api_key: str, *, account: str = "", livemode: bool = False, priority: int = BACKGROUND) -> "Gateway":
        """A gateway that speaks with `api_key`. Costs microseconds: connections are shared by all of them.

        `account` names the limiter's bucket. A sandbox key always reaches the sandbox, any other never does.
        """
        base = self._sandbox_url if is_sandbox_key(api_key) else self._api_base
        client = StripeClient(
            api_key,
            stripe_version=API_VERSION,
            base_addresses={"api": base} if base else None,
            max_network_retries=0,
            http_client=self._http_client(),
        )
        return Gateway(client, Caller(self._limiter, self._budget, self._sleep, account, livemode, priority))

    def _http_client(self) -> AIOHTTPClient:
        # A connection pool belongs to the loop it was made in; the job engine may run a second one.
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            self._clients[loop] = AIOHTTPClient(timeout=CALL_TIMEOUT_SECONDS)
        return self._clients[loop]

    async def close(self) -> None:
        """Closes this loop's connections."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.close_async()


class Gateway:
    """Stripe's operations as this house uses them. Every method answers Stripe's object as a plain dictionary.

    All raise: StripeUnauthorized, StripePermissionMissing, StripeObjectMissing, StripeCardDeclined, StripeTaxProblem,
    StripeInvalidRequest (Stripe answered no) and StripeUnreachable (nobody knows yet; trying again later is right).
    Writing methods take `key`, the idempotency key; without one a fresh key covers the retries of this call only.
    """

    def __init__(self, client: StripeClient, caller: Caller) -> None:
        self._client = client
        self._caller = caller

    def __repr__(self) -> str:
        return f"Gateway(account={self._caller.account!r})"

    # Account and set-up

    async def account(self) -> Json:
        return await self._get("account.retrieve", "/v1/account")

    async def list_webhook_endpoints(self) -> list[Json]:
        return await self._all("webhook_endpoints.list", "/v1/webhook_endpoints")

    async def create_webhook_endpoint(self, params: Params, key: str | None = None) -> Json:
        return await self._post("webhook_endpoints.create", "/v1/webhook_endpoints", params, key)

    async def update_webhook_endpoint(self, endpoint_id: str, params: Params) -> Json:
        return await self._post("webhook_endpoints.update", f"/v1/webhook_endpoints/{endpoint_id}", params)

    async def delete_webhook_endpoint(self, endpoint_id: str) -> Json:
        return await self._delete("webhook_endpoints.delete", f"/v1/webhook_endpoints/{endpoint_id}")

    async def list_portal_configurations(self) -> list[Json]:
        return await self._all("portal_configurations.list", "/v1/billing_portal/configurations", {"active": True})

    async def create_portal_configuration(self, params: Params, key: str | None = None) -> Json:
        return await self._post("portal_configurations.create", "/v1/billing_portal/configurations", params, key)

    async def update_portal_configuration(self, configuration_id: str, params: Params) -> Json:
        path = f"/v1/billing_portal/configurations/{configuration_id}"
        return await self._post("portal_configurations.update", path, params)

    async def tax_settings(self) -> Json:
        return await self._get("tax_settings.retrieve", "/v1/tax/settings")

    async def tax_codes(self) -> list[Json]:
        return await self._all("tax_codes.list", "/v1/tax_codes")

    async def probe(self, path: str) -> None:
        """Reads one entry of a list, only to learn whether the key may."""
        await self._get("probe", path, {"limit": 1} if path != "/v1/tax/settings" else {})

    # Customers and how they pay

    async def customer(self, customer_id: str) -> Json:
        """With tax and the default payment method spelled out; a deleted one has `deleted: true`."""
        expand = ["tax", "invoice_settings.default_payment_method"]
        return await self._get("customers.retrieve", f"/v1/customers/{customer_id}", {"expand": expand})

    async def create_customer(self, params: Params, key: str) -> Json:
        return await self._post("customers.create", "/v1/customers", params, key)

    async def update_customer(self, customer_id: str, params: Params, key: str | None = None) -> Json:
        return await self._post("customers.update", f"/v1/customers/{customer_id}", params, key)

    async def customers_by_email(self, email: str, limit: int = 20) -> list[Json]:
        page = await self._get("customers.list", "/v1/customers", {"email": email, "limit": limit})
        return page["data"]

    async def newest_customers(self) -> list[Json]:
        """The last hundred that were made, newest first."""
        return (await self._get("customers.list", "/v1/customers", {"limit": PAGE}))["data"]

    async def search_customers(self, query: str, limit: int = 20) -> list[Json]:
        page = await self._get("customers.search", "/v1/customers/search", {"query": query, "limit": limit})
        return page["data"]

    async def payment_method(self, payment_method_id: str) -> Json:
        return await self._get("payment_methods.retrieve", f"/v1/payment_methods/{payment_method_id}")

    async def customer_payment_methods(self, customer_id: str) -> list[Json]:
        return await self._all("customers.payment_methods", f"/v1/customers/{customer_id}/payment_methods")

    async def setup_intent(self, setup_intent_id: str) -> Json:
        return await self._get("setup_intents.retrieve", f"/v1/setup_intents/{setup_intent_id}")

    async def create_checkout_session(self, params: Params, key: str | None = None) -> Json:
        return await self._post("checkout_sessions.create", "/v1/checkout/sessions", params, key)

    async def checkout_session(self, session_id: str) -> Json:
        return await self._get("checkout_sessions.retrieve", f"/v1/checkout/sessions/{session_id}")

    async def create_portal_session(self, params: Params) -> Json:
        return await self._post("portal_sessions.create", "/v1/billing_portal/sessions", params)

    # Products and invoices

    async def product(self, product_id: str) -> Json:
        return await self._get("products.retrieve", f"/v1/products/{product_id}")

    async def create_product(self, params: Params, key: str) -> Json:
        return await self._post("products.create", "/v1/products", params, key)

    async def update_product(self, product_id: str, params: Params) -> Json:
        return await self._post("products.update", f"/v1/products/{product_id}", params)

    async def invoice(self, invoice_id: str) -> Json:
        """With its payments and their payment intents, which say why a payment failed."""
        expand = ["payments.data.payment.payment_intent"]
        return await self._get("invoices.retrieve", f"/v1/invoices/{invoice_id}", {"expand": expand})

    async def customer_drafts(self, customer_id: str) -> list[Json]:
        return await self._all("invoices.list", "/v1/invoices", {"customer": customer_id, "status": "draft"})

    async def create_invoice(self, params: Params, key: str) -> Json:
        return await self._post("invoices.create", "/v1/invoices", params, key)

    async def update_invoice(self, invoice_id: str, params: Params, key: str) -> Json:
        return await self._post("invoices.update", f"/v1/invoices/{invoice_id}", params, key)

    async def delete_invoice(self, invoice_id: str) -> Json:
        return await self._delete("invoices.delete", f"/v1/invoices/{invoice_id}")

    async def invoice_lines(self, invoice_id: str) -> list[Json]:
        return await self._all("invoices.lines", f"/v1/invoices/{invoice_id}/lines")

    async def add_lines(self, invoice_id: str, lines: list[Json], key: str) -> Json:
        return await self._post("invoices.add_lines", f"/v1/invoices/{invoice_id}/add_lines", {"lines": lines}, key)

    async def update_lines(self, invoice_id: str, lines: list[Json], key: str) -> Json:
        path = f"/v1/invoices/{invoice_id}/update_lines"
        return await self._post("invoices.update_lines", path, {"lines": lines}, key)

    async def remove_lines(self, invoice_id: str, line_ids: list[str], key: str) -> Json:
        path = f"/v1/invoices/{invoice_id}/remove_lines"
        lines = [{"id": line_id, "behavior": "delete"} for line_id in line_ids]
        return await self._post("invoices.remove_lines", path, {"lines": lines}, key)

    async def finalize_invoice(self, invoice_id: str, key: str) -> Json:
        path = f"/v1/invoices/{invoice_id}/finalize"
        return await self._post("invoices.finalize", path, {"auto_advance": True}, key)

    async def pay_invoice(self, invoice_id: str, params: Params, key: str) -> Json:
        return await self._post("invoices.pay", f"/v1/invoices/{invoice_id}/pay", params, key)

    async def send_invoice(self, invoice_id: str, key: str) -> Json:
        return await self._post("invoices.send", f"/v1/invoices/{invoice_id}/send", {}, key)

    async def void_invoice(self, invoice_id: str, key: str) -> Json:
        return await self._post("invoices.void", f"/v1/invoices/{invoice_id}/void", {}, key)

    async def mark_uncollectible(self, invoice_id: str, key: str) -> Json:
        path = f"/v1/invoices/{invoice_id}/mark_uncollectible"
        return await self._post("invoices.mark_uncollectible", path, {}, key)

    async def invoice_payments(self, params: Params) -> list[Json]:
        return await self._all("invoice_payments.list", "/v1/invoice_payments", params)

    async def charge(self, charge_id: str) -> Json:
        return await self._get("charges.retrieve", f"/v1/charges/{charge_id}")

    async def create_credit_note(self, params: Params, key: str) -> Json:
        return await self._post("credit_notes.create", "/v1/credit_notes", params, key)

    async def credit_notes(self, invoice_id: str) -> list[Json]:
        return await self._all("credit_notes.list", "/v1/credit_notes", {"invoice": invoice_id})

    # Events

    async def event(self, event_id: str) -> Json:
        return await self._get("events.retrieve", f"/v1/events/{event_id}")

    async def events_page(self, params: Params) -> Json:
        """One page of events, newest first: `data` and `has_more`."""
        return await self._get("events.list", "/v1/events", {"limit": PAGE, **params})

    # How it travels

    async def _get(self, operation: str, path: str, params: Params | None = None) -> Json:
        return await self._call(operation, "get", path, params or {})

    async def _delete(self, operation: str, path: str) -> Json:
        return await self._call(operation, "delete", path, {})

    async def _post(self, operation: str, path: str, params: Params, key: str | None = None) -> Json:
        return await self._call(operation, "post", path, params, key or f"meterdesk-{uuid.uuid4()}")

    async def _all(self, operation: str, path: str, params: Params | None = None) -> list[Json]:
        found: list[Json] = []
        query: Json = {"limit": PAGE, **(params or {})}
        while True:
            page = await self._get(operation, path, query)
            found += page["data"]
            if not page.get("has_more") or not page["data"]:
                return found
            query["starting_after"] = page["data"][-1]["id"]

    async def _call(self, operation: str, method: str, path: str, params: Params, key: str | None = None) -> Json:
        options: Json = {"idempotency_key": key} if key else {}

        async def send() -> Json:
            try:
                response = await self._client.raw_request_async(method, path, **_present(params), **options)
            except stripe.StripeError as error:
                raise _in_our_words(error) from None
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise StripeUnreachable(f"Stripe could not be reached ({type(error).__name__}).") from None
            return cast(Json, response.data)

        return await self._caller.call(operation, send)


def _present(params: Params) -> Json:
    """Without what is None, at every depth: absent and empty mean different things to Stripe."""
    return {
        name: _present(value) if isinstance(value, dict) else value
        for name, value in params.items()
        if value is not None
    }


def _in_our_words(error: stripe.StripeError) -> StripeRefused | StripeUnreachable:
    headers = {name.lower(): value for name, value in dict(error.headers or {}).items()}
    message = _A_KEY.sub(r"\1_\2_…", error.user_message or "Stripe gave no reason.")
    if error.http_status is not None and error.error is None:
        message = f"Stripe's answer could not be read (HTTP {error.http_status})."
    if isinstance(error, stripe.APIConnectionError):
        cause = type(error.__cause__).__name__ if error.__cause__ else "network"
        return StripeUnreachable(f"Stripe could not be reached ({cause}).")
    if _may_pass(error, headers):
        return _passing_trouble(error, message, headers)
    kind = _kind_of_refusal(error)
    detail = error.error
    return kind(
        message,
        http_status=error.http_status,
        stripe_code=error.code,
        decline_code=getattr(detail, "decline_code", None) if detail else None,
        param=getattr(error, "param", None),
        request_id=headers.get("request-id"),
        replayed=headers.get("idempotent-replayed") == "true",
    )


def _may_pass(error: stripe.StripeError, headers: Mapping[str, str]) -> bool:
    status = error.http_status or 0
    return status in (409, 429) or status >= 500 or headers.get("stripe-should-retry") == "true"


def _passing_trouble(error: stripe.StripeError, message: str, headers: Mapping[str, str]) -> StripeUnreachable:
    # A 5xx that Stripe replays for this idempotency key will be replayed for a day: asking again is no use.
    is_final = headers.get("stripe-should-retry") == "false" or headers.get("idempotent-replayed") == "true"
    return StripeUnreachable(
        message,
        http_status=error.http_status,
        stripe_code=error.code,
        request_id=headers.get("request-id"),
        retry_after_seconds=_seconds(headers.get("retry-after")),
        executed=(error.http_status or 0) >= 500,
        is_final=is_final,
    )


def _kind_of_refusal(error: stripe.StripeError) -> type[StripeRefused]:
    if error.http_status == 401:
        return StripeUnauthorized
    if error.http_status == 403:
        return StripePermissionMissing
    if error.code in TAX_CODES:
        return StripeTaxProblem
    if error.code == "resource_missing" or error.http_status == 404:
        return StripeObjectMissing
    return StripeCardDeclined if error.http_status == 402 else StripeInvalidRequest


def _seconds(text: str | None) -> float | None:
    try:
        return max(0.0, min(60.0, float(text))) if text else None
    except ValueError:
        return None
