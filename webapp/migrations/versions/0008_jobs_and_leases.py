"""when jobs last ran, and what only one process may do at a time

Revision ID: 0008
Revises: 0007
Create Date: 2026-11-26 01:50:00.000000

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        'job_run',
        sa.Column('name', sa.String(length=40), nullable=False),
        sa.Column('every', sa.Integer(), nullable=True),
        sa.Column('started_at', sa.DateTime(), nullable=False),
        sa.Column('finished_at', sa.DateTime(), nullable=False),
        sa.Column('outcome', sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint('name', name=op.f('pk_job_run')),
    )
    op.create_table(
        'lease',
        sa.Column('name', sa.String(length=100), nullable=False),
        sa.Column('holder', sa.String(length=40), nullable=False),
        sa.Column('ends_at', sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint('name', name=op.f('pk_lease')),
    )


def downgrade():
    op.drop_table('lease')
    op.drop_table('job_run')
