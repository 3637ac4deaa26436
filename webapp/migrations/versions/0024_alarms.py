"""known browsers, links to disown an act, and e-mails to be confirmed

Revision ID: 0024
Revises: 0023
Create Date: 2026-11-27 12:50:00.000000

Nobody's browsers are known at first, and a member's first known sign-in is not told of.
"""
from alembic import op
import sqlalchemy as sa

from webapp.operation.distribution import Place, place_new


# revision identifiers, used by Alembic.
revision = '0024'
down_revision = '0023'
branch_labels = None
depends_on = None

ID = sa.String(40)


def tables():
    return {
        'known_browser': (
            ('member_id', 'browser_hash'),
            [sa.Column('browser_hash', sa.String(64), nullable=False),
             sa.Column('seen_at', sa.DateTime(), nullable=False),
             sa.Column('forgotten', sa.Boolean(), nullable=False, server_default=sa.false())],
        ),
        'alarm_link': (
            ('token_hash',),
            [sa.Column('token_hash', sa.String(64), nullable=False),
             sa.Column('created_at', sa.DateTime(), nullable=False),
             sa.Column('old_email', sa.String(254)), sa.Column('factor', sa.String(40))],
        ),
        'email_change': (
            ('member_id',),
            [sa.Column('email', sa.String(254), nullable=False),
             sa.Column('token_hash', sa.String(64), nullable=False),
             sa.Column('asked_at', sa.DateTime(), nullable=False),
             sa.CheckConstraint('email = lower(email)', name=op.f('ck_email_change_email_lower')),
             sa.UniqueConstraint('account_id', 'token_hash', name=op.f('uq_email_change_account_id_token_hash'))],
        ),
    }


def upgrade():
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
    op.create_index(op.f('ix_known_browser_seen_at'), 'known_browser', ['seen_at'])
    op.create_index('ix_alarm_link_member', 'alarm_link', ['account_id', 'member_id'])
    op.create_index(op.f('ix_alarm_link_created_at'), 'alarm_link', ['created_at'])
    op.create_index(op.f('ix_email_change_asked_at'), 'email_change', ['asked_at'])


def downgrade():
    for table in reversed(tables()):
        op.drop_table(table)
