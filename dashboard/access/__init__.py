"""Who may come in: people, their sessions and roles, API keys, and the audit log."""
