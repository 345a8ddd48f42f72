"""The address where Stripe delivers its events. No key: the signature over the raw bytes says who sent them."""

from fastapi import APIRouter, Request, Response

from dashboard.api.bodies import read_body
from dashboard.api.shapes import UlidAnyCase, reply
from dashboard.api.v1.base import NAMESPACE_ID
from dashboard.backend import running
from dashboard.stripe_app.webhooks import LARGEST_BODY

router = APIRouter(tags=["Apps"])


@router.post("/api/v1/apps/{app_id}/stripe/webhook")
async def receive_stripe_webhook(app_id: UlidAnyCase, request: Request) -> Response:
    """Files the event and thanks for it; applying it comes later."""
    body = await read_body(request, LARGEST_BODY)
    receipt = await running().stripe.letterbox.receive(app_id, body, request.headers.get("stripe-signature"))
    return reply({"namespaceId": NAMESPACE_ID, "appId": receipt.app_id, "message": receipt.message})
