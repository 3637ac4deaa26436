"""cards that the gateway is still to forget

Revision ID: 0012
Revises: 0011
Create Date: 2026-11-26 02:30:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        'card_detachment',
        sa.Column('account_id', sa.String(length=40), nullable=False),
        sa.Column('token', sa.String(length=100), nullable=False),
        sa.Column('created_at', sa.DateTime(), nullable=False),
        sa.Column('attempts', sa.Integer(), nullable=False),
        sa.Column('next_try_at', sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f('fk_card_detachment_account_id_account')),
        sa.PrimaryKeyConstraint('account_id', 'token', name=op.f('pk_card_detachment')),
    )


def downgrade():
    op.drop_table('card_detachment')
