"""published price lists, the later prices that each subscription was told of, and deactivated accounts

Revision ID: 0025
Revises: 0024
Create Date: 2026-11-27 12:45:00

"""
from alembic import op
import sqlalchemy as sa

from webapp.operation.distribution import Place, place_new


# revision identifiers, used by Alembic.
revision = '0025'
down_revision = '0024'
branch_labels = None
depends_on = None

ID = sa.String(length=40)
PUBLICATION, LATER = 'publication', 'later_prices'
KEY = ['account_id', 'subscription_id']
OPEN = sa.text('withdrawn_at IS NULL')
DEACTIVATED = '(deactivated_at IS NULL) = (deactivated_by IS NULL)'
NOT_NEGATIVE = "replace(CAST(tiers AS TEXT), '-', '') = CAST(tiers AS TEXT)"


def upgrade():
    with op.batch_alter_table('price_list') as batch:
        batch.create_check_constraint(op.f('ck_price_list_not_negative'), NOT_NEGATIVE)
    with op.batch_alter_table('account') as batch:
        batch.add_column(sa.Column('deactivated_at', sa.DateTime()))
        batch.add_column(sa.Column('deactivated_by', sa.String(length=120)))
        batch.create_check_constraint(op.f('ck_account_deactivated'), DEACTIVATED)
    op.create_table(
        PUBLICATION,
        sa.Column('price_list_id', ID, nullable=False),
        sa.Column('only_account', ID, nullable=False),
        sa.Column('product', sa.String(length=100), nullable=False),
        sa.Column('currency', sa.String(length=3), nullable=False),
        sa.Column('valid_from', sa.Date(), nullable=False),
        sa.Column('published_by', sa.String(length=120), nullable=False),
        sa.Column('published_at', sa.DateTime(), nullable=False),
        sa.Column('told_at', sa.DateTime()),
        sa.Column('withdrawn_by', sa.String(length=120)),
        sa.Column('withdrawn_at', sa.DateTime()),
        sa.CheckConstraint(
            '(withdrawn_at IS NULL) = (withdrawn_by IS NULL)', name=op.f('ck_publication_withdrawn')
        ),
        sa.PrimaryKeyConstraint('price_list_id', name=op.f('pk_publication')),
    )
    op.create_index(
        'uq_publication_valid', PUBLICATION, ['only_account', 'product', 'currency', 'valid_from'], unique=True,
        sqlite_where=OPEN, postgresql_where=OPEN,
    )
    op.create_table(
        LATER,
        sa.Column('account_id', ID, nullable=False),
        sa.Column('subscription_id', ID, nullable=False),
        sa.Column('valid_from', sa.Date(), nullable=False),
        sa.Column('price_list_id', ID, nullable=False),
        sa.Column('told_on', sa.Date(), nullable=False),
        sa.CheckConstraint('told_on < valid_from', name=op.f('ck_later_prices_told')),
        sa.PrimaryKeyConstraint(*KEY, 'valid_from', name=op.f('pk_later_prices')),
        sa.UniqueConstraint(*KEY, 'price_list_id', name=op.f('uq_later_prices_account_id_subscription_id_price_list_id')),
    )
    if op.get_bind().dialect.name == 'postgresql':
        place_new(op.get_bind(), PUBLICATION, Place.REFERENCE)
        place_new(op.get_bind(), LATER, Place.DISTRIBUTED)
    for table in (PUBLICATION, LATER):
        with op.batch_alter_table(table) as batch:
            batch.create_foreign_key(
                op.f(f'fk_{table}_price_list_id_price_list'), 'price_list', ['price_list_id'], ['id']
            )
    with op.batch_alter_table(LATER) as batch:
        batch.create_foreign_key(
            op.f('fk_later_prices_account_id_subscription_id_subscription'), 'subscription', KEY, ['account_id', 'id']
        )


def downgrade():
    op.drop_table(LATER)
    op.drop_table(PUBLICATION)
    with op.batch_alter_table('account') as batch:
        batch.drop_constraint(op.f('ck_account_deactivated'), type_='check')
        batch.drop_column('deactivated_by')
        batch.drop_column('deactivated_at')
    with op.batch_alter_table('price_list') as batch:
        batch.drop_constraint(op.f('ck_price_list_not_negative'), type_='check')
