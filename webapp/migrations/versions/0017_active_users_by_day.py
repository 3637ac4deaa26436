"""the active users of each day, and the period for which a suggestion is hidden

Revision ID: 0017
Revises: 0016
Create Date: 2026-11-26 20:10:00.000000

"""
from alembic import op
import sqlalchemy as sa

from webapp.operation.distribution import Place, place_new


# revision identifiers, used by Alembic.
revision = '0017'
down_revision = '0016'
branch_labels = None
depends_on = None

TABLE = 'active_users_by_day'
ID = sa.String(length=40)
KEY = ['account_id', 'subscription_id']
REFERENCE = 'fk_active_users_by_day_account_id_subscription_id_subscription'


def upgrade():
    op.create_table(
        TABLE,
        sa.Column('account_id', ID, nullable=False),
        sa.Column('subscription_id', ID, nullable=False),
        sa.Column('day', sa.Date(), nullable=False),
        sa.Column('active', sa.Integer(), nullable=False),
        sa.CheckConstraint('active >= 0', name=op.f('ck_active_users_by_day_active')),
        sa.PrimaryKeyConstraint(*KEY, 'day', name=op.f('pk_active_users_by_day')),
    )
    op.create_index(op.f('ix_active_users_by_day_day'), TABLE, ['day'])
    if op.get_bind().dialect.name == 'postgresql':
        place_new(op.get_bind(), TABLE, Place.DISTRIBUTED)
    with op.batch_alter_table(TABLE) as batch:
        batch.create_foreign_key(op.f(REFERENCE), 'subscription', KEY, ['account_id', 'id'])
    op.add_column('subscription', sa.Column('suggestion_hidden', sa.Integer()))


def downgrade():
    op.drop_column('subscription', 'suggestion_hidden')
    op.drop_table(TABLE)
