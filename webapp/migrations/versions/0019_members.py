"""members with roles, invitations and the handover of an account

Revision ID: 0019
Revises: 0018
Create Date: 2026-11-26 20:10:00.000000

Tables and columns are renamed where they stand, distributed or not. The names of primary keys stay, because Citus cannot
rename a constraint and they are part of nothing else.
"""
from alembic import op
import sqlalchemy as sa

from webapp.operation.distribution import Place, place_new


# revision identifiers, used by Alembic.
revision = '0019'
down_revision = '0018'
branch_labels = None
depends_on = None

ID = sa.String(40)
TABLES = {'owner': 'member', 'owner_session': 'member_session'}
REFERRING = ('draft', 'owner_session', 'password_reset', 'provider_identity')
# By table, as it was named: unique constraints and indexes with {} for the name of the table or column, and checks.
UNIQUE = {
    'owner': {'uq_{0}_account_id_email': ('account_id', 'email')},
    'owner_session': {'uq_{0}_session_account_id_id': ('account_id', 'id')},
    'provider_identity': {'uq_provider_identity_account_id_{0}_id_issuer': ('account_id', '{0}_id', 'issuer')},
    'draft': {'uq_draft_account_id_{0}_id_form': ('account_id', '{0}_id', 'form')},
}
INDEXES = {
    'owner_session': {
        'ix_{0}_session_{0}': ('account_id', '{0}_id'),
        'ix_{0}_session_created_at': ('created_at',),
        'ix_{0}_session_token_hash': ('token_hash',),
    },
    'password_reset': {'ix_password_reset_{0}': ('account_id', '{0}_id')},
}
CHECKS = {
    'owner': {'ck_{0}_email_lower': 'email = lower(email)'},
    'owner_session': {'ck_{0}_session_ended': "ended IN ('revoked', 'password')"},
}
ACCOUNT = {'owner': 'fk_{0}_account_id_account'}
ROLES = "role IN ('owner', 'manager', 'accountant', 'viewer')"
INVITED = "role IN ('manager', 'accountant', 'viewer')"


def upgrade():
    for before, after in TABLES.items():
        op.rename_table(before, after)
    for table in REFERRING:
        op.execute(f'ALTER TABLE {TABLES.get(table, table)} RENAME COLUMN owner_id TO member_id')
    rename_keys('owner', 'member')
    add_columns()
    make_tables()


def downgrade():
    op.drop_table('handover')
    op.drop_table('invitation')
    with op.batch_alter_table('member') as batch:
        batch.drop_index('uq_member_owner')
        batch.drop_constraint(op.f('ck_member_role'), type_='check')
        batch.drop_column('role')
        batch.drop_column('unwanted_mails')
    for table in REFERRING:
        op.execute(f'ALTER TABLE {TABLES.get(table, table)} RENAME COLUMN member_id TO owner_id')
    for before, after in TABLES.items():
        op.rename_table(after, before)
    rename_keys('member', 'owner')


def rename_keys(old, new):
    """Keys that are named by the table or the column, made anew under the new name. The referred table comes last to lose
    its keys and first to get them, so that the order is free: no reference needs these unique constraints."""
    now = TABLES if new == 'member' else {}
    for table in ('owner', *REFERRING):
        with op.batch_alter_table(now.get(table, table)) as batch:
            for name in CHECKS.get(table, ()):
                batch.drop_constraint(op.f(name.format(old)), type_='check')
            for name in INDEXES.get(table, ()):
                batch.drop_index(name.format(old))
            for name in UNIQUE.get(table, ()):
                batch.drop_constraint(op.f(name.format(old)), type_='unique')
            batch.drop_constraint(op.f(reference(table, old)), type_='foreignkey')
    for table in ('owner', *REFERRING):
        with op.batch_alter_table(now.get(table, table)) as batch:
            for name, condition in CHECKS.get(table, {}).items():
                batch.create_check_constraint(op.f(name.format(new)), sa.text(condition))
            for name, columns in INDEXES.get(table, {}).items():
                batch.create_index(name.format(new), [column.format(new) for column in columns])
            for name, columns in UNIQUE.get(table, {}).items():
                batch.create_unique_constraint(op.f(name.format(new)), [column.format(new) for column in columns])
            if table in ACCOUNT:
                batch.create_foreign_key(op.f(reference(table, new)), 'account', ['account_id'], ['id'])
            else:
                batch.create_foreign_key(
                    op.f(reference(table, new)), new, ['account_id', f'{new}_id'], ['account_id', 'id']
                )


def reference(table, name):
    if table in ACCOUNT:
        return ACCOUNT[table].format(name)
    named = f'{name}_session' if table == 'owner_session' else table
    return f'fk_{named}_account_id_{name}_id_{name}'


def add_columns():
    """Nothing says which owner came first: the lowest e-mail stays the owner, the others become managers."""
    op.add_column('member', sa.Column('role', sa.String(12), nullable=False, server_default='manager'))
    op.add_column('member', sa.Column('unwanted_mails', sa.JSON(), nullable=False, server_default='[]'))
    op.execute(
        "UPDATE member SET role = 'owner' WHERE NOT EXISTS (SELECT 1 FROM member AS other "
        'WHERE other.account_id = member.account_id AND other.email < member.email)'
    )
    with op.batch_alter_table('member') as batch:
        batch.alter_column('role', existing_type=sa.String(12), existing_nullable=False, server_default=None)
        batch.create_check_constraint(op.f('ck_member_role'), sa.text(ROLES))
    where = sa.text("role = 'owner'")
    op.create_index('uq_member_owner', 'member', ['account_id'], unique=True, sqlite_where=where, postgresql_where=where)


def make_tables():
    later = op.get_bind().dialect.name == 'postgresql'  # on a cluster a table is placed before it refers to others
    references = {
        'invitation': ('fk_invitation_account_id_account', 'account', ['account_id'], ['id']),
        'handover': ('fk_handover_account_id_member_id_member', 'member', ['account_id', 'member_id'], ['account_id', 'id']),
    }

    def inline(table):
        name, referred, columns, keys = references[table]
        return [] if later else [sa.ForeignKeyConstraint(columns, [f'{referred}.{key}' for key in keys], name=op.f(name))]

    op.create_table(
        'invitation',
        sa.Column('account_id', ID, nullable=False),
        sa.Column('id', ID, nullable=False),
        sa.Column('email', sa.String(254), nullable=False),
        sa.Column('role', sa.String(12), nullable=False),
        sa.Column('token_hash', sa.String(64), nullable=False),
        sa.Column('invited_by', sa.String(200), nullable=False),
        sa.Column('sent_at', sa.DateTime(), nullable=False),
        sa.CheckConstraint('email = lower(email)', name=op.f('ck_invitation_email_lower')),
        sa.CheckConstraint(INVITED, name=op.f('ck_invitation_role')),
        sa.PrimaryKeyConstraint('account_id', 'id', name=op.f('pk_invitation')),
        sa.UniqueConstraint('account_id', 'email', name=op.f('uq_invitation_account_id_email')),
        sa.UniqueConstraint('account_id', 'token_hash', name=op.f('uq_invitation_account_id_token_hash')),
        *inline('invitation'),
    )
    op.create_table(
        'handover',
        sa.Column('account_id', ID, nullable=False),
        sa.Column('member_id', ID, nullable=False),
        sa.Column('proposed_at', sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint('account_id', name=op.f('pk_handover')),
        *inline('handover'),
    )
    if later:
        for table, (name, referred, columns, keys) in references.items():
            place_new(op.get_bind(), table, Place.DISTRIBUTED)
            op.create_foreign_key(op.f(name), table, referred, columns, keys)
