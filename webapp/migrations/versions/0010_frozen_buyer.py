"""the buyer of a quote, a fourth tax treatment, amounts of 64 bits

Revision ID: 0010
Revises: 0009
Create Date: 2026-11-26 01:50:00.000000

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None

AMOUNTS = {
    'quote': ('net', 'tax', 'total'),
    'payment': ('amount',),
    'invoice': ('net', 'tax', 'total', 'credited'),
    'refund': ('net', 'tax', 'total'),
    'sandbox_charge': ('amount',),
    'sandbox_refund': ('amount',),
}
CENTS = (
    "currency IN ('AUD', 'CAD', 'CHF', 'CZK', 'DKK', 'EUR', 'GBP', 'NOK', 'NZD', 'PLN', 'RON', 'SEK', 'SGD', 'USD')"
)
BEFORE = "tax_treatment IN ('standard', 'reverse_charge', 'outside_eu')"
AFTER = "tax_treatment IN ('standard', 'reverse_charge', 'overseas', 'outside_eu')"


def upgrade():
    for table, columns in AMOUNTS.items():
        with op.batch_alter_table(table) as batch:
            for column in columns:
                batch.alter_column(column, existing_type=sa.Integer(), type_=sa.BigInteger(), existing_nullable=False)
    with op.batch_alter_table('quote') as batch:
        batch.add_column(sa.Column('buyer', sa.JSON(), nullable=True))
        batch.drop_constraint(op.f('ck_quote_tax_treatment'), type_='check')
        batch.create_check_constraint(op.f('ck_quote_tax_treatment'), AFTER)
    with op.batch_alter_table('price_list') as batch:
        batch.create_check_constraint(op.f('ck_price_list_currency'), CENTS)


def downgrade():
    with op.batch_alter_table('price_list') as batch:
        batch.drop_constraint(op.f('ck_price_list_currency'), type_='check')
    with op.batch_alter_table('quote') as batch:
        batch.drop_constraint(op.f('ck_quote_tax_treatment'), type_='check')
        batch.create_check_constraint(op.f('ck_quote_tax_treatment'), BEFORE)
        batch.drop_column('buyer')
    for table, columns in AMOUNTS.items():
        with op.batch_alter_table(table) as batch:
            for column in columns:
                batch.alter_column(column, existing_type=sa.BigInteger(), type_=sa.Integer(), existing_nullable=False)
