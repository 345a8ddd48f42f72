"""Where customers land after a checkout page that an operator made for them. No key, no script, nothing to find out."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

router = APIRouter(include_in_schema=False)

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Payment method saved</title>
<style>
:root { color-scheme: light dark; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center;
  font: 1rem/1.5 system-ui, sans-serif; background: #f8fafc; color: #0f172a; }
main { max-width: 26rem; padding: 2rem; text-align: center; }
svg { width: 3rem; height: 3rem; color: #15803d; }
h1 { font-size: 1.25rem; margin: 1rem 0 .25rem; }
p { margin: 0; color: #475569; }
@media (prefers-color-scheme: dark) {
  body { background: #0b1120; color: #f1f5f9; }
  p { color: #94a3b8; }
  svg { color: #4ade80; }
}
</style>
</head>
<body>
<main>
<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" aria-hidden="true">
<circle cx="12" cy="12" r="10"/><path d="m8 12.5 2.7 2.7L16 9.8"/></svg>
<h1>Thank you, your payment method is saved.</h1>
<p>You can close this page.</p>
</main>
</body>
</html>
"""
_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


@router.get("/checkout/complete")
async def checkout_complete() -> HTMLResponse:
    """Thanks the customer."""
    return HTMLResponse(_PAGE, headers=_HEADERS)
