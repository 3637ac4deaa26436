"""second factors, proofs in a session, and the owner's two settings

Revision ID: 0020
Revises: 0019
Create Date: 2026-11-26 21:00:00.000000

A session that is open counts as proved when it began.
"""
from alembic import op
import sqlalchemy as sa

from webapp.operation.distribution import Place, place_new


# revision identifiers, used by Alembic.
revision = '0020'
down_revision = '0019'
branch_labels = None
depends_on = None

ID = sa.String(40)
def tables():
    return {
        'totp': (
            ('member_id',),
            [sa.Column('secret', sa.Text()), sa.Column('pending_secret', sa.Text()),
             sa.Column('last_step', sa.BigInteger(), nullable=False)],
        ),
        'passkey': (
            ('id',),
            [sa.Column('id', ID, nullable=False), sa.Column('credential_id', sa.Text(), nullable=False),
             sa.Column('public_key', sa.Text(), nullable=False), sa.Column('sign_count', sa.BigInteger(), nullable=False),
             sa.Column('name', sa.String(60), nullable=False), sa.Column('added_at', sa.DateTime(), nullable=False)],
        ),
        'recovery_code': (
            ('member_id', 'code_hash'),
            [sa.Column('code_hash', sa.String(64), nullable=False), sa.Column('salt', sa.String(32), nullable=False)],
        ),
        'held_form': (
            ('id',),
            [sa.Column('id', ID, nullable=False), sa.Column('session_id', ID, nullable=False),
             sa.Column('path', sa.Text(), nullable=False), sa.Column('page', sa.Text()),
             sa.Column('fields', sa.JSON(), nullable=False), sa.Column('held_at', sa.DateTime(), nullable=False)],
        ),
    }


def upgrade():
    op.add_column('account', sa.Column('requires_factor', sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column('account', sa.Column('spending_limit', sa.BigInteger(), nullable=True))
    op.add_column('member_session', sa.Column('awaits_factor', sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column('member_session', sa.Column('proved_at', sa.DateTime(), nullable=True))
    op.execute('UPDATE member_session SET proved_at = created_at')
    with op.batch_alter_table('member_session') as batch:
        batch.alter_column('proved_at', existing_type=sa.DateTime(), nullable=False)
    later = op.get_bind().dialect.name == 'postgresql'  # on a cluster a table is placed before it refers to others
    for table, (key, columns) in tables().items():
        name = op.f(f'fk_{table}_account_id_member_id_member')
        reference = sa.ForeignKeyConstraint(['account_id', 'member_id'], ['member.account_id', 'member.id'], name=name)
        op.create_table(
            table,
            sa.Column('account_id', ID, nullable=False),
            sa.Column('member_id', ID, nullable=False),
            *columns,
            sa.PrimaryKeyConstraint('account_id', *key, name=op.f(f'pk_{table}')),
            *([] if later else [reference]),
        )
        if later:
            place_new(op.get_bind(), table, Place.DISTRIBUTED)
            op.create_foreign_key(name, table, 'member', ['account_id', 'member_id'], ['account_id', 'id'])
    op.create_index('ix_passkey_member', 'passkey', ['account_id', 'member_id'])
    op.create_index('ix_held_form_member', 'held_form', ['account_id', 'member_id'])
    op.create_index(op.f('ix_held_form_held_at'), 'held_form', ['held_at'])


def downgrade():
    for table in reversed(tables()):
        op.drop_table(table)
    # The keys of passkeys stay in sign_in_key: they find no passkey.
    op.execute('DELETE FROM member_session WHERE awaits_factor')  # else each of them would be a whole sign-in
    with op.batch_alter_table('member_session') as batch:
        batch.drop_column('proved_at')
        batch.drop_column('awaits_factor')
    with op.batch_alter_table('account') as batch:
        batch.drop_column('spending_limit')
        batch.drop_column('requires_factor')
