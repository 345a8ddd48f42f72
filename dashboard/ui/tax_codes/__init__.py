"""Tax codes: the library, the organisation's defaults, and the picker that searches Stripe's list."""
