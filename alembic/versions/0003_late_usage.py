"""Invoice lines that settle late usage

Revision: 0003
After: 0002
"""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    document = sa.JSON().with_variant(postgresql.JSONB(astext_type=sa.Text()), 'postgresql')
    op.add_column('invoice_line', sa.Column('measured_with', document, nullable=True))
    op.add_column('invoice_line', sa.Column('is_late_usage', sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    with op.batch_alter_table('invoice_line') as batch:
        batch.drop_column('is_late_usage')
        batch.drop_column('measured_with')
