"""Invoices of a billing profile, and of an app, are found in the order of the list; those that wait for a key at once

Revision: 0004
After: 0003
"""

import sqlalchemy as sa

from alembic import op

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index('ix_invoice_app_id', 'invoice')
    op.drop_index('ix_invoice_billing_profile_id', 'invoice')
    op.create_index('ix_invoice_app_newest', 'invoice', ['app_id', 'created_at', 'id'])
    op.create_index('ix_invoice_billing_profile_newest', 'invoice', ['billing_profile_id', 'created_at', 'id'])
    waits = sa.text("sync_state = 'unauthorized'")
    op.create_index(
        'ix_invoice_unauthorized', 'invoice', ['app_id', 'id'], sqlite_where=waits, postgresql_where=waits
    )


def downgrade() -> None:
    op.drop_index('ix_invoice_unauthorized', 'invoice')
    op.drop_index('ix_invoice_billing_profile_newest', 'invoice')
    op.drop_index('ix_invoice_app_newest', 'invoice')
    op.create_index('ix_invoice_billing_profile_id', 'invoice', ['billing_profile_id'])
    op.create_index('ix_invoice_app_id', 'invoice', ['app_id'])
