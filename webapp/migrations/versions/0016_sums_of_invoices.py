"""indexes for the sum of listed invoices, and for the mails of one

Revision ID: 0016
Revises: 0015
Create Date: 2026-11-26 15:45:00.000000

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0016'
down_revision = '0015'
branch_labels = None
depends_on = None

ATTACHED = sa.text('attached_id IS NOT NULL')
# index: columns before, columns that are added
COVERING = {
    'ix_invoice_listed': (['account_id', 'issued_on', 'number'], ['status', 'currency', 'total']),
    'ix_invoice_status': (['account_id', 'status', 'issued_on', 'number'], ['currency', 'total']),
    'ix_invoice_subscription': (
        ['account_id', 'subscription_id', 'issued_on', 'number'], ['status', 'currency', 'total']
    ),
    'ix_invoice_subscription_status': (
        ['account_id', 'subscription_id', 'status', 'issued_on', 'number'], ['currency', 'total']
    ),
}


def upgrade():
    for name, (before, added) in COVERING.items():
        op.drop_index(name, 'invoice')
        op.create_index(name, 'invoice', before + added)
    op.create_index(
        'ix_message_attached',
        'message',
        ['account_id', 'attached_id'],
        sqlite_where=ATTACHED,
        postgresql_where=ATTACHED,
    )


def downgrade():
    op.drop_index('ix_message_attached', 'message')
    for name, (before, _added) in COVERING.items():
        op.drop_index(name, 'invoice')
        op.create_index(name, 'invoice', before)
