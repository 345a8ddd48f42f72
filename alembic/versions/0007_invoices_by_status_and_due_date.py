"""Invoices of a rare status, and those due in a month, are found at once

Revision: 0007
After: 0006
"""

from alembic import op

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index('ix_invoice_status_newest', 'invoice', ['status', 'created_at', 'id'], unique=False)
    op.create_index('ix_invoice_tab_due', 'invoice', ['tab', 'due_at', 'id'], unique=False)


def downgrade() -> None:
    op.drop_index('ix_invoice_tab_due', table_name='invoice')
    op.drop_index('ix_invoice_status_newest', table_name='invoice')
