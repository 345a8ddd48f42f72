"""A Stripe for the laptop: the API, its hosted pages and signed webhooks, in one separate program.

It imports nothing of the product, and the product talks to it over HTTP only, as it talks to Stripe.
"""

API_VERSION = "2026-10-28.endive"
