"""The team: people and their roles, one's own password, and the audit log."""
