"""The Stripe settings: the wizard that connects an account, and the page of a connected one."""
