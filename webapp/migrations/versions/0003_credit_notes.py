"""credit notes

Revision ID: 0003
Revises: 0002
Create Date: 2026-11-23 14:28:10.251216

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None
KEY = sa.String(300).with_variant(sa.String(300, collation='C'), 'postgresql')
STATUS = (
    "status = CASE WHEN kind = 'credit_note' THEN 'credit_note' WHEN credited = 0 THEN 'paid' "
    "WHEN credited < total THEN 'partly_credited' ELSE 'credited' END"
)


def upgrade():
    op.create_table('refund',
    sa.Column('key', sa.String(length=80), nullable=False),
    sa.Column('payment_key', sa.String(length=60), nullable=False),
    sa.Column('invoice_id', sa.String(length=40), nullable=False),
    sa.Column('net', sa.Integer(), nullable=False),
    sa.Column('tax', sa.Integer(), nullable=False),
    sa.Column('total', sa.Integer(), nullable=False),
    sa.Column('reason', sa.String(length=300), nullable=False),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.Column('settled_at', sa.DateTime(), nullable=True),
    sa.Column('credit_note_id', sa.String(length=40), nullable=True),
    sa.CheckConstraint("(state = 'made') = (credit_note_id IS NOT NULL)", name=op.f('ck_refund_credited')),
    sa.CheckConstraint("(state = 'pending') = (settled_at IS NULL)", name=op.f('ck_refund_settled')),
    sa.CheckConstraint("state IN ('pending', 'made', 'refused')", name=op.f('ck_refund_state')),
    sa.CheckConstraint('net >= 0 AND tax >= 0 AND total > 0 AND total = net + tax', name=op.f('ck_refund_total')),
    sa.ForeignKeyConstraint(['credit_note_id'], ['invoice.id'], name=op.f('fk_refund_credit_note_id_invoice')),
    sa.ForeignKeyConstraint(['invoice_id'], ['invoice.id'], name=op.f('fk_refund_invoice_id_invoice')),
    sa.ForeignKeyConstraint(['payment_key'], ['payment.key'], name=op.f('fk_refund_payment_key_payment')),
    sa.PrimaryKeyConstraint('key', name=op.f('pk_refund')),
    sa.UniqueConstraint('credit_note_id', name=op.f('uq_refund_credit_note_id'))
    )
    with op.batch_alter_table('refund', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_refund_invoice_id'), ['invoice_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_refund_payment_key'), ['payment_key'], unique=False)
        batch_op.create_index('uq_refund_pending', ['invoice_id'], unique=True, sqlite_where=sa.text("state = 'pending'"), postgresql_where=sa.text("state = 'pending'"))

    op.create_table('sandbox_refund',
    sa.Column('key', sa.String(length=80), nullable=False),
    sa.Column('charge_key', sa.String(length=60), nullable=False),
    sa.Column('customer', sa.String(length=40), nullable=False),
    sa.Column('amount', sa.Integer(), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.CheckConstraint("state IN ('made', 'refused')", name=op.f('ck_sandbox_refund_state')),
    sa.ForeignKeyConstraint(['charge_key'], ['sandbox_charge.key'], name=op.f('fk_sandbox_refund_charge_key_sandbox_charge')),
    sa.PrimaryKeyConstraint('key', name=op.f('pk_sandbox_refund'))
    )
    with op.batch_alter_table('sandbox_refund', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_sandbox_refund_charge_key'), ['charge_key'], unique=False)
        batch_op.create_index(batch_op.f('ix_sandbox_refund_customer'), ['customer'], unique=False)

    with op.batch_alter_table('invoice', schema=None) as batch_op:
        batch_op.add_column(sa.Column('kind', sa.String(length=12), server_default='invoice', nullable=False))
        batch_op.add_column(sa.Column('credits_id', sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column('purchase_order', sa.String(length=100), nullable=True))
        batch_op.add_column(sa.Column('number_key', KEY, nullable=False, server_default=''))
        batch_op.add_column(sa.Column('order_key', KEY, nullable=True))
        batch_op.add_column(sa.Column('credited', sa.Integer(), server_default='0', nullable=False))
        batch_op.add_column(sa.Column('status', sa.String(length=16), server_default='paid', nullable=False))
        batch_op.create_index(batch_op.f('ix_invoice_credits_id'), ['credits_id'], unique=False)
        batch_op.create_foreign_key(batch_op.f('fk_invoice_credits_id_invoice'), 'invoice', ['credits_id'], ['id'])
        batch_op.create_check_constraint(batch_op.f('ck_invoice_kind'), "kind IN ('invoice', 'credit_note')")
        batch_op.create_check_constraint(
            batch_op.f('ck_invoice_credits'), "(kind = 'credit_note') = (credits_id IS NOT NULL)"
        )

    with op.batch_alter_table('issuer', schema=None) as batch_op:
        batch_op.add_column(sa.Column('legal_form', sa.String(length=60), nullable=True))
        batch_op.add_column(sa.Column('share_capital', sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column('register', sa.String(length=100), nullable=True))
        batch_op.add_column(sa.Column('vat_on_debits', sa.Boolean(), server_default=sa.false(), nullable=False))
    bought = "snapshot->'buyer'->>'purchase_order'"
    op.execute(f"UPDATE invoice SET number_key = lower(number), purchase_order = {bought}, order_key = lower({bought})")
    with op.batch_alter_table('invoice', schema=None) as batch_op:
        batch_op.alter_column('number_key', existing_type=KEY, existing_nullable=False, server_default=None)
        batch_op.drop_index(batch_op.f('ix_invoice_subscription_id'))
        batch_op.create_check_constraint(batch_op.f('ck_invoice_credited'), 'credited BETWEEN 0 AND total')
        batch_op.create_check_constraint(batch_op.f('ck_invoice_status'), STATUS)
        batch_op.create_index('ix_invoice_status', ['account_id', 'status', 'issued_on', 'number'], unique=False)
        batch_op.create_index('ix_invoice_subscription', ['subscription_id', 'issued_on', 'number'], unique=False)
        batch_op.create_index('ix_invoice_subscription_status', ['subscription_id', 'status', 'issued_on', 'number'], unique=False)
        batch_op.create_index('ix_invoice_number_key', ['account_id', 'number_key'], unique=False)
        batch_op.create_index('ix_invoice_order_key', ['account_id', 'order_key', 'issued_on'], unique=False)

    with op.batch_alter_table('invoice_document', schema=None) as batch_op:
        batch_op.add_column(sa.Column('xml', sa.LargeBinary(), nullable=True))

    with op.batch_alter_table('message', schema=None) as batch_op:
        batch_op.add_column(sa.Column('attached_id', sa.String(length=40), nullable=True))
        batch_op.create_foreign_key(batch_op.f('fk_message_attached_id_invoice'), 'invoice', ['attached_id'], ['id'])



def downgrade():
    with op.batch_alter_table('message', schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f('fk_message_attached_id_invoice'), type_='foreignkey')
        batch_op.drop_column('attached_id')

    with op.batch_alter_table('invoice_document', schema=None) as batch_op:
        batch_op.drop_column('xml')

    with op.batch_alter_table('issuer', schema=None) as batch_op:
        batch_op.drop_column('vat_on_debits')
        batch_op.drop_column('register')
        batch_op.drop_column('share_capital')
        batch_op.drop_column('legal_form')

    with op.batch_alter_table('invoice', schema=None) as batch_op:
        batch_op.drop_index('ix_invoice_order_key')
        batch_op.drop_index('ix_invoice_number_key')
        batch_op.drop_index('ix_invoice_subscription_status')
        batch_op.drop_index('ix_invoice_subscription')
        batch_op.drop_index('ix_invoice_status')
        batch_op.create_index(batch_op.f('ix_invoice_subscription_id'), ['subscription_id'], unique=False)
        batch_op.drop_constraint(batch_op.f('ck_invoice_status'), type_='check')
        batch_op.drop_constraint(batch_op.f('ck_invoice_credited'), type_='check')
        batch_op.drop_constraint(batch_op.f('ck_invoice_credits'), type_='check')
        batch_op.drop_constraint(batch_op.f('ck_invoice_kind'), type_='check')
        batch_op.drop_constraint(batch_op.f('fk_invoice_credits_id_invoice'), type_='foreignkey')
        batch_op.drop_index(batch_op.f('ix_invoice_credits_id'))
        batch_op.drop_column('status')
        batch_op.drop_column('credited')
        batch_op.drop_column('order_key')
        batch_op.drop_column('number_key')
        batch_op.drop_column('purchase_order')
        batch_op.drop_column('credits_id')
        batch_op.drop_column('kind')

    with op.batch_alter_table('refund', schema=None) as batch_op:
        batch_op.drop_index('uq_refund_pending', sqlite_where=sa.text("state = 'pending'"), postgresql_where=sa.text("state = 'pending'"))
        batch_op.drop_index(batch_op.f('ix_refund_payment_key'))
        batch_op.drop_index(batch_op.f('ix_refund_invoice_id'))

    op.drop_table('refund')
    op.drop_table('sandbox_refund')
