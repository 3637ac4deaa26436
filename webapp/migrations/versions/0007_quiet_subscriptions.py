"""until when a sweep need not look at a subscription

Revision ID: 0007
Revises: 0006
Create Date: 2026-11-23 21:08:12.310275

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        'quiet',
        sa.Column('subscription_id', sa.String(length=40), nullable=False),
        sa.Column('until', sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(
            ['subscription_id'], ['subscription.id'], name=op.f('fk_quiet_subscription_id_subscription')
        ),
        sa.PrimaryKeyConstraint('subscription_id', name=op.f('pk_quiet')),
    )


def downgrade():
    op.drop_table('quiet')
