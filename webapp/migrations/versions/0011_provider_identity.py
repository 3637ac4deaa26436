"""who an owner is at the identity provider, defaults of before, when a card's page was opened

Revision ID: 0011
Revises: 0010
Create Date: 2026-11-26 02:30:00

"""
from datetime import UTC, datetime

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        'provider_identity',
        sa.Column('issuer', sa.String(length=300), nullable=False),
        sa.Column('subject', sa.String(length=300), nullable=False),
        sa.Column('owner_id', sa.String(length=40), nullable=False),
        sa.Column('bound_at', sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(['owner_id'], ['owner.id'], name=op.f('fk_provider_identity_owner_id_owner')),
        sa.PrimaryKeyConstraint('issuer', 'subject', name=op.f('pk_provider_identity')),
        sa.UniqueConstraint('owner_id', 'issuer', name=op.f('uq_provider_identity_owner_id_issuer')),
    )
    op.create_table(
        'kept_default',
        sa.Column('name', sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint('name', name=op.f('pk_kept_default')),
    )
    # A portal that has owners is an upgraded one: its owners go on signing in as they did.
    op.execute("INSERT INTO kept_default (name) SELECT 'local_passwords' WHERE EXISTS (SELECT 1 FROM owner)")

    with op.batch_alter_table('card_setup', schema=None) as batch_op:
        batch_op.add_column(sa.Column('begun_at', sa.DateTime(), nullable=True))
    now = datetime.now(UTC).replace(tzinfo=None)
    op.execute(sa.table('card_setup', sa.column('begun_at', sa.DateTime())).update().values(begun_at=now))
    with op.batch_alter_table('card_setup', schema=None) as batch_op:
        batch_op.alter_column('begun_at', existing_type=sa.DateTime(), nullable=False)
        batch_op.create_index(batch_op.f('ix_card_setup_begun_at'), ['begun_at'], unique=False)

    with op.batch_alter_table('message', schema=None) as batch_op:  # identifiers are longer than they were
        batch_op.alter_column('about', existing_type=sa.String(length=100), type_=sa.String(length=200))


def downgrade():
    with op.batch_alter_table('message', schema=None) as batch_op:
        batch_op.alter_column('about', existing_type=sa.String(length=200), type_=sa.String(length=100))

    with op.batch_alter_table('card_setup', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_card_setup_begun_at'))
        batch_op.drop_column('begun_at')

    op.drop_table('kept_default')
    op.drop_table('provider_identity')
