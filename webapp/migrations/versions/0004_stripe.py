"""Stripe: its customers, visits to its card page, and the notifications that were acted on

Revision ID: 0004
Revises: 0003
Create Date: 2026-11-23 17:50:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('stripe_customer',
    sa.Column('account_id', sa.String(length=40), nullable=False),
    sa.Column('customer', sa.String(length=100), nullable=False),
    sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_stripe_customer_account_id_account')),
    sa.PrimaryKeyConstraint('account_id', name=op.f('pk_stripe_customer')),
    sa.UniqueConstraint('customer', name=op.f('uq_stripe_customer_customer'))
    )
    op.create_table('stripe_setup',
    sa.Column('reference', sa.String(length=40), nullable=False),
    sa.Column('session', sa.String(length=255), nullable=False),
    sa.PrimaryKeyConstraint('reference', name=op.f('pk_stripe_setup'))
    )
    op.create_table('notification',
    sa.Column('id', sa.String(length=255), nullable=False),
    sa.Column('heard_at', sa.DateTime(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_notification'))
    )
    with op.batch_alter_table('notification', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_notification_heard_at'), ['heard_at'], unique=False)
    with op.batch_alter_table('payment', schema=None) as batch_op:
        # Banks' addresses carry much.
        batch_op.alter_column('action_url', existing_type=sa.String(length=500), type_=sa.String(length=2000))


def downgrade():
    with op.batch_alter_table('payment', schema=None) as batch_op:
        batch_op.alter_column('action_url', existing_type=sa.String(length=2000), type_=sa.String(length=500))
    op.drop_table('notification')
    op.drop_table('stripe_setup')
    op.drop_table('stripe_customer')
