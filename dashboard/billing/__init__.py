"""From what is owed to a paid invoice: billing profiles, pending lines, rating, invoices and their life."""
