"""sessions that can be told apart and ended, links that set a password, rate limits

Revision ID: 0005
Revises: 0004
Create Date: 2026-11-23 17:45:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('password_reset',
    sa.Column('token_hash', sa.String(length=64), nullable=False),
    sa.Column('owner_id', sa.String(length=40), nullable=True),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.ForeignKeyConstraint(['owner_id'], ['owner.id'], name=op.f('fk_password_reset_owner_id_owner')),
    sa.PrimaryKeyConstraint('token_hash', name=op.f('pk_password_reset'))
    )
    with op.batch_alter_table('password_reset', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_password_reset_owner_id'), ['owner_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_password_reset_created_at'), ['created_at'], unique=False)

    op.create_table('rate_limit',
    sa.Column('key', sa.String(length=160), nullable=False),
    sa.Column('hits', sa.Integer(), nullable=False),
    sa.Column('ends_at', sa.DateTime(), nullable=False),
    sa.PrimaryKeyConstraint('key', name=op.f('pk_rate_limit'))
    )
    with op.batch_alter_table('rate_limit', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_rate_limit_ends_at'), ['ends_at'], unique=False)

    with op.batch_alter_table('owner_session', schema=None) as batch_op:
        batch_op.add_column(sa.Column('id', sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column('last_seen_at', sa.DateTime(), nullable=True))
        batch_op.add_column(sa.Column('browser', sa.String(length=30), server_default='', nullable=False))
        batch_op.add_column(sa.Column('system', sa.String(length=30), server_default='', nullable=False))
        batch_op.add_column(sa.Column('ended', sa.String(length=10), nullable=True))
        batch_op.add_column(sa.Column('id_token', sa.Text(), nullable=True))
    # Whoever is signed in stays so, unless that began longer ago than an unused session lives.
    op.execute("UPDATE owner_session SET id = substr(token_hash, 1, 20), last_seen_at = created_at")
    with op.batch_alter_table('owner_session', schema=None) as batch_op:
        batch_op.alter_column('id', existing_type=sa.String(length=40), nullable=False)
        batch_op.alter_column('last_seen_at', existing_type=sa.DateTime(), nullable=False)
        batch_op.alter_column('browser', existing_type=sa.String(length=30), existing_nullable=False, server_default=None)
        batch_op.alter_column('system', existing_type=sa.String(length=30), existing_nullable=False, server_default=None)
        batch_op.create_unique_constraint(batch_op.f('uq_owner_session_id'), ['id'])
        batch_op.create_check_constraint(batch_op.f('ck_owner_session_ended'), "ended IN ('revoked', 'password')")
        batch_op.create_index(batch_op.f('ix_owner_session_created_at'), ['created_at'], unique=False)


def downgrade():
    with op.batch_alter_table('owner_session', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_owner_session_created_at'))
        batch_op.drop_constraint(batch_op.f('ck_owner_session_ended'), type_='check')
        batch_op.drop_constraint(batch_op.f('uq_owner_session_id'), type_='unique')
        batch_op.drop_column('id_token')
        batch_op.drop_column('ended')
        batch_op.drop_column('system')
        batch_op.drop_column('browser')
        batch_op.drop_column('last_seen_at')
        batch_op.drop_column('id')

    op.drop_table('rate_limit')
    op.drop_table('password_reset')
