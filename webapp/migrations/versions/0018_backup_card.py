"""a backup card, which is charged where the default card is refused

Revision ID: 0018
Revises: 0017
Create Date: 2026-11-26 20:10:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0018'
down_revision = '0017'
branch_labels = None
depends_on = None

BACKUP = 'fk_default_card_account_id_backup_id_card'
REFUSED = 'fk_payment_account_id_backup_of_payment'


def upgrade():
    with op.batch_alter_table('default_card') as batch:
        batch.add_column(sa.Column('backup_id', sa.String(40), nullable=True))
        batch.create_foreign_key(op.f(BACKUP), 'card', ['account_id', 'backup_id'], ['account_id', 'id'])
        batch.create_check_constraint(op.f('ck_default_card_backup'), 'backup_id <> card_id')
    with op.batch_alter_table('payment') as batch:
        batch.add_column(sa.Column('backup_due', sa.Boolean(), nullable=False, server_default=sa.false()))
        batch.add_column(sa.Column('backup_of', sa.String(100), nullable=True))
        batch.create_foreign_key(op.f(REFUSED), 'payment', ['account_id', 'backup_of'], ['account_id', 'key'])


def downgrade():
    with op.batch_alter_table('payment') as batch:
        batch.drop_constraint(op.f(REFUSED), type_='foreignkey')
        batch.drop_column('backup_of')
        batch.drop_column('backup_due')
    with op.batch_alter_table('default_card') as batch:
        batch.drop_constraint(op.f('ck_default_card_backup'), type_='check')
        batch.drop_constraint(op.f(BACKUP), type_='foreignkey')
        batch.drop_column('backup_id')
