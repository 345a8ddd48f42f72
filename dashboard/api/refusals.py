"""What both generations of the API refuse for the same reason, before a room is asked."""

from dashboard.kit.errors import InvalidInput


class AnchorStays(InvalidInput):
    code = "billing_anchor_stays"
    remedy = "Leave it out: the new subscription keeps the anchor of the old one."


class PinnedOnInvoice(InvalidInput):
    """Supplier, customer and workflow of an invoice are what they were when it was made."""

    code = "pinned_on_invoice"
    remedy = "Change the billing profile or the customer; later invoices follow."
