"""what a restored database has to catch up with

Revision ID: 0009
Revises: 0008
Create Date: 2026-11-26 02:10:41.118204

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        'restore_hold',
        sa.Column('id', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('copied_at', sa.DateTime(), nullable=True),
        sa.Column('access_ended_at', sa.DateTime(), nullable=True),
        sa.CheckConstraint('id = 1', name=op.f('ck_restore_hold_single')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_restore_hold')),
    )
    op.create_table(
        'unbooked_capture',
        sa.Column('account_id', sa.String(length=40), nullable=False),
        sa.Column('subscription_id', sa.String(length=40), nullable=False),
        sa.Column('key', sa.String(length=100), nullable=False),
        sa.Column('amount', sa.BigInteger(), nullable=False),
        sa.Column('currency', sa.String(length=3), nullable=False),
        sa.Column('reason', sa.String(length=300), nullable=False),
        sa.Column('found_at', sa.DateTime(), nullable=False),
        sa.Column('released_at', sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint('account_id', 'subscription_id', 'key', name=op.f('pk_unbooked_capture')),
    )
    op.create_index(op.f('ix_unbooked_capture_subscription_id'), 'unbooked_capture', ['subscription_id'])
    op.create_table(
        'spent_number',
        sa.Column('issuer_id', sa.String(length=40), nullable=False),
        sa.Column('number', sa.String(length=40), nullable=False),
        sa.Column('reason', sa.String(length=300), nullable=False),
        sa.Column('spent_at', sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(['issuer_id'], ['issuer.id'], name=op.f('fk_spent_number_issuer_id_issuer')),
        sa.PrimaryKeyConstraint('issuer_id', 'number', name=op.f('pk_spent_number')),
    )
    op.add_column('sandbox_charge', sa.Column('metadata', sa.JSON(), server_default='{}', nullable=False))
    op.add_column('sandbox_charge', sa.Column('captured_at', sa.DateTime(), nullable=True))


def downgrade():
    with op.batch_alter_table('sandbox_charge') as batch:
        batch.drop_column('captured_at')
        batch.drop_column('metadata')
    op.drop_table('spent_number')
    op.drop_index(op.f('ix_unbooked_capture_subscription_id'), table_name='unbooked_capture')
    op.drop_table('unbooked_capture')
    op.drop_table('restore_hold')
