"""the outcomes of all runs of a job, for /metrics

Revision ID: 0022
Revises: 0020
Create Date: 2026-11-26 21:15:00

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0022'
down_revision = '0020'
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table('job_run') as batch:
        batch.add_column(sa.Column('totals', sa.JSON(), nullable=False, server_default='{}'))


def downgrade():
    with op.batch_alter_table('job_run') as batch:
        batch.drop_column('totals')
