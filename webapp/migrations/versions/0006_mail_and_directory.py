"""mails that are sent, and a tenant directory that can be down

Revision ID: 0006
Revises: 0005
Create Date: 2026-11-23 17:36:02.114032

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None
UNSENT = sa.text("delivery = 'unsent'")


def upgrade():
    with op.batch_alter_table('sandbox_account', schema=None) as batch_op:
        batch_op.add_column(sa.Column('directory_down', sa.Boolean(), server_default=sa.false(), nullable=False))

    with op.batch_alter_table('message', schema=None) as batch_op:  # nobody wants the mails of the past now
        batch_op.add_column(sa.Column('reply_to', sa.String(length=254), nullable=True))
        batch_op.add_column(sa.Column('delivery', sa.String(length=10), server_default='kept', nullable=False))
        batch_op.add_column(sa.Column('attempts', sa.Integer(), server_default='0', nullable=False))
        batch_op.add_column(sa.Column('due_at', sa.DateTime(), nullable=True))
        batch_op.add_column(sa.Column('tried_at', sa.DateTime(), nullable=True))
        batch_op.add_column(sa.Column('delivered_at', sa.DateTime(), nullable=True))
        batch_op.add_column(sa.Column('fault', sa.String(length=300), nullable=True))

    with op.batch_alter_table('message', schema=None) as batch_op:
        batch_op.alter_column(
            'delivery', existing_type=sa.String(10), existing_nullable=False, server_default='unsent'
        )
        batch_op.create_check_constraint(
            batch_op.f('ck_message_delivery'), "delivery IN ('kept', 'unsent', 'sent', 'given_up')"
        )
        batch_op.create_check_constraint(
            batch_op.f('ck_message_delivered'), "(delivery = 'sent') = (delivered_at IS NOT NULL)"
        )
        batch_op.create_index('ix_message_unsent', ['due_at', 'id'], sqlite_where=UNSENT, postgresql_where=UNSENT)


def downgrade():
    with op.batch_alter_table('message', schema=None) as batch_op:
        batch_op.drop_index('ix_message_unsent', sqlite_where=UNSENT, postgresql_where=UNSENT)
        batch_op.drop_constraint(batch_op.f('ck_message_delivered'), type_='check')
        batch_op.drop_constraint(batch_op.f('ck_message_delivery'), type_='check')
        batch_op.drop_column('fault')
        batch_op.drop_column('delivered_at')
        batch_op.drop_column('tried_at')
        batch_op.drop_column('due_at')
        batch_op.drop_column('attempts')
        batch_op.drop_column('delivery')
        batch_op.drop_column('reply_to')

    with op.batch_alter_table('sandbox_account', schema=None) as batch_op:
        batch_op.drop_column('directory_down')
