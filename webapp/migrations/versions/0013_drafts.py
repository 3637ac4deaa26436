"""drafts: what was typed into a form and not sent

Revision ID: 0013
Revises: 0012
Create Date: 2026-11-26 02:40:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        'draft',
        sa.Column('id', sa.String(length=40), nullable=False),
        sa.Column('owner_id', sa.String(length=40), nullable=False),
        sa.Column('form', sa.String(length=40), nullable=False),
        sa.Column('fields', sa.JSON(), nullable=False),
        sa.Column('kept_at', sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(['owner_id'], ['owner.id'], name=op.f('fk_draft_owner_id_owner')),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_draft')),
        sa.UniqueConstraint('owner_id', 'form', name=op.f('uq_draft_owner_id_form')),
    )
    op.create_index(op.f('ix_draft_kept_at'), 'draft', ['kept_at'])


def downgrade():
    op.drop_table('draft')
