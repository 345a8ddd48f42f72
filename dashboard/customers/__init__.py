"""Who is billed: customers, the subjects whose usage counts for them, their addresses and currency."""
