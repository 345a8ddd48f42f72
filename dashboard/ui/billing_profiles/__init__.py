"""Billing profiles: the list, the form, and what its waiting times lead to."""
