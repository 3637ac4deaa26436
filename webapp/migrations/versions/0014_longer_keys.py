"""room for the keys of automatic renewals

Revision ID: 0014
Revises: 0013
Create Date: 2026-11-26 03:36:00.000000

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0014'
down_revision = '0013'
branch_labels = None
depends_on = None

# table, column, whether it may be missing, length before and after
KEYS = (
    ('payment', 'key', False, 60, 100),
    ('invoice', 'payment_key', True, 60, 100),
    ('refund', 'key', False, 80, 120),
    ('refund', 'payment_key', False, 60, 100),
    ('sandbox_charge', 'key', False, 60, 100),
    ('sandbox_refund', 'key', False, 80, 120),
    ('sandbox_refund', 'charge_key', False, 60, 100),
)


def upgrade():
    for table, column, nullable, before, after in KEYS:
        with op.batch_alter_table(table) as batch:
            batch.alter_column(
                column, existing_type=sa.String(before), type_=sa.String(after), existing_nullable=nullable
            )


def downgrade():
    for table, column, nullable, before, after in KEYS:
        with op.batch_alter_table(table) as batch:
            batch.alter_column(
                column, existing_type=sa.String(after), type_=sa.String(before), existing_nullable=nullable
            )
