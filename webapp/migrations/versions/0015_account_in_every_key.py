"""the account in every key

Revision ID: 0015
Revises: 0014
Create Date: 2026-11-26 08:20:00.000000

"""
import hashlib

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '0015'
down_revision = '0014'
branch_labels = None
depends_on = None

ID = sa.String(40)
NUMBER = sa.String(40).with_variant(sa.String(40, collation='C'), 'postgresql')
# Where the account of a row is found, for the tables that did not name it.
ACCOUNTS = {
    'quote': ('subscription', 'id', 'subscription_id'),
    'payment': ('subscription', 'id', 'subscription_id'),
    'period': ('subscription', 'id', 'subscription_id'),
    'change': ('subscription', 'id', 'subscription_id'),
    'quiet': ('subscription', 'id', 'subscription_id'),
    'invoice_document': ('invoice', 'id', 'invoice_id'),
    'refund': ('invoice', 'id', 'invoice_id'),
    'owner_session': ('owner', 'id', 'owner_id'),
    'password_reset': ('owner', 'id', 'owner_id'),
    'provider_identity': ('owner', 'id', 'owner_id'),
    'draft': ('owner', 'id', 'owner_id'),
    'stripe_setup': ('card_setup', 'reference', 'reference'),
}
# What differs: primary key, unique constraints, indexes (columns, condition; unique if named uq) and foreign keys.
BEFORE = {
    'owner': {
        'pk': ('id',),
        'uq': {
            'uq_owner_email': ('email',),
        },
        'ix': {
            'ix_owner_account_id': (('account_id',), None),
        },
    },
    'subscription': {
        'pk': ('id',),
        'ix': {
            'ix_subscription_account_id': (('account_id',), None),
        },
    },
    'card': {
        'pk': ('id',),
        'uq': {
            'uq_card_id_account_id': ('id', 'account_id'),
            'uq_card_token': ('token',),
        },
        'ix': {
            'ix_card_account_id': (('account_id',), None),
        },
    },
    'default_card': {
        'fk': {
            'fk_default_card_account_id_account': (('account_id',), 'account', ('id',)),
            'fk_default_card_card_id_account_id_card': (('card_id', 'account_id'), 'card', ('id', 'account_id')),
        },
    },
    'quote': {
        'pk': ('id',),
        'uq': {
            'uq_quote_id_subscription_id': ('id', 'subscription_id'),
        },
        'ix': {
            'ix_quote_subscription_id': (('subscription_id',), None),
        },
        'fk': {
            'fk_quote_card_id_card': (('card_id',), 'card', ('id',), 'SET NULL'),
            'fk_quote_subscription_id_subscription': (('subscription_id',), 'subscription', ('id',)),
        },
    },
    'card_setup': {
        'pk': ('reference',),
        'ix': {
            'ix_card_setup_account_id': (('account_id',), None),
        },
        'fk': {
            'fk_card_setup_quote_id_quote': (('quote_id',), 'quote', ('id',)),
        },
    },
    'payment': {
        'pk': ('key',),
        'uq': {
            'uq_payment_quote_id_attempt': ('quote_id', 'attempt'),
        },
        'ix': {
            'ix_payment_subscription_id': (('subscription_id',), None),
            'uq_payment_in_flight': (('subscription_id',), "state = 'pending'"),
            'uq_payment_unrefused': (('quote_id',), "state IN ('pending', 'captured')"),
        },
        'fk': {
            'fk_payment_quote_id_subscription_id_quote': (('quote_id', 'subscription_id'), 'quote', ('id', 'subscription_id')),
            'fk_payment_subscription_id_subscription': (('subscription_id',), 'subscription', ('id',)),
        },
    },
    'invoice': {
        'pk': ('id',),
        'uq': {
            'uq_invoice_issuer_id_number': ('issuer_id', 'number'),
            'uq_invoice_payment_key': ('payment_key',),
        },
        'ix': {
            'ix_invoice_credits_id': (('credits_id',), None),
            'ix_invoice_subscription': (('subscription_id', 'issued_on', 'number'), None),
            'ix_invoice_subscription_status': (('subscription_id', 'status', 'issued_on', 'number'), None),
        },
        'fk': {
            'fk_invoice_credits_id_invoice': (('credits_id',), 'invoice', ('id',)),
            'fk_invoice_payment_key_payment': (('payment_key',), 'payment', ('key',)),
            'fk_invoice_subscription_id_subscription': (('subscription_id',), 'subscription', ('id',)),
        },
    },
    'invoice_document': {
        'pk': ('invoice_id',),
        'fk': {
            'fk_invoice_document_invoice_id_invoice': (('invoice_id',), 'invoice', ('id',)),
        },
    },
    'refund': {
        'pk': ('key',),
        'uq': {
            'uq_refund_credit_note_id': ('credit_note_id',),
        },
        'ix': {
            'ix_refund_invoice_id': (('invoice_id',), None),
            'ix_refund_payment_key': (('payment_key',), None),
            'uq_refund_pending': (('invoice_id',), "state = 'pending'"),
        },
        'fk': {
            'fk_refund_credit_note_id_invoice': (('credit_note_id',), 'invoice', ('id',)),
            'fk_refund_invoice_id_invoice': (('invoice_id',), 'invoice', ('id',)),
            'fk_refund_payment_key_payment': (('payment_key',), 'payment', ('key',)),
        },
    },
    'period': {
        'pk': ('subscription_id', 'ordinal'),
        'fk': {
            'fk_period_subscription_id_subscription': (('subscription_id',), 'subscription', ('id',)),
        },
    },
    'change': {
        'pk': ('id',),
        'ix': {
            'ix_change_subscription_id': (('subscription_id',), None),
            'uq_change_open': (('subscription_id', 'kind'), 'closed_at IS NULL'),
        },
        'fk': {
            'fk_change_subscription_id_subscription': (('subscription_id',), 'subscription', ('id',)),
        },
    },
    'quiet': {
        'pk': ('subscription_id',),
        'fk': {
            'fk_quiet_subscription_id_subscription': (('subscription_id',), 'subscription', ('id',)),
        },
    },
    'message': {
        'pk': ('id',),
        'uq': {
            'uq_message_about': ('about',),
        },
        'ix': {
            'ix_message_account_id': (('account_id',), None),
        },
        'fk': {
            'fk_message_attached_id_invoice': (('attached_id',), 'invoice', ('id',)),
        },
    },
    'activity': {
        'pk': ('id',),
        'ix': {
            'ix_activity_listed': (('account_id', 'id'), None),
        },
        'fk': {
            'fk_activity_subscription_id_subscription': (('subscription_id',), 'subscription', ('id',)),
        },
    },
    'contact_case': {
        'pk': ('number',),
        'ix': {
            'ix_contact_case_account_id': (('account_id',), None),
        },
        'fk': {
            'fk_contact_case_subscription_id_subscription': (('subscription_id',), 'subscription', ('id',)),
        },
    },
    'owner_session': {
        'pk': ('token_hash',),
        'uq': {
            'uq_owner_session_id': ('id',),
        },
        'ix': {
            'ix_owner_session_owner_id': (('owner_id',), None),
        },
        'fk': {
            'fk_owner_session_owner_id_owner': (('owner_id',), 'owner', ('id',)),
        },
    },
    'password_reset': {
        'pk': ('token_hash',),
        'ix': {
            'ix_password_reset_owner_id': (('owner_id',), None),
        },
        'fk': {
            'fk_password_reset_owner_id_owner': (('owner_id',), 'owner', ('id',)),
        },
    },
    'provider_identity': {
        'pk': ('issuer', 'subject'),
        'uq': {
            'uq_provider_identity_owner_id_issuer': ('owner_id', 'issuer'),
        },
        'fk': {
            'fk_provider_identity_owner_id_owner': (('owner_id',), 'owner', ('id',)),
        },
    },
    'draft': {
        'pk': ('id',),
        'uq': {
            'uq_draft_owner_id_form': ('owner_id', 'form'),
        },
        'fk': {
            'fk_draft_owner_id_owner': (('owner_id',), 'owner', ('id',)),
        },
    },
    'stripe_customer': {
        'uq': {
            'uq_stripe_customer_customer': ('customer',),
        },
    },
    'stripe_setup': {
        'pk': ('reference',),
    },
    'unbooked_capture': {
        'ix': {
            'ix_unbooked_capture_subscription_id': (('subscription_id',), None),
        },
    },
}
AFTER = {
    'owner': {
        'pk': ('account_id', 'id'),
        'uq': {
            'uq_owner_account_id_email': ('account_id', 'email'),
        },
    },
    'subscription': {
        'pk': ('account_id', 'id'),
    },
    'card': {
        'pk': ('account_id', 'id'),
        'uq': {
            'uq_card_account_id_token': ('account_id', 'token'),
        },
    },
    'default_card': {
        'fk': {
            'fk_default_card_account_id_card_id_card': (('account_id', 'card_id'), 'card', ('account_id', 'id')),
        },
    },
    'quote': {
        'pk': ('account_id', 'id'),
        'uq': {
            'uq_quote_account_id_subscription_id_id': ('account_id', 'subscription_id', 'id'),
        },
        'fk': {
            'fk_quote_account_id_card_id_card': (('account_id', 'card_id'), 'card', ('account_id', 'id')),
            'fk_quote_account_id_subscription_id_subscription': (('account_id', 'subscription_id'), 'subscription', ('account_id', 'id')),
        },
    },
    'card_setup': {
        'pk': ('account_id', 'reference'),
        'ix': {
            'ix_card_setup_quote': (('account_id', 'quote_id'), None),
        },
        'fk': {
            'fk_card_setup_account_id_quote_id_quote': (('account_id', 'quote_id'), 'quote', ('account_id', 'id')),
        },
    },
    'payment': {
        'pk': ('account_id', 'key'),
        'uq': {
            'uq_payment_account_id_quote_id_attempt': ('account_id', 'quote_id', 'attempt'),
        },
        'ix': {
            'ix_payment_subscription': (('account_id', 'subscription_id'), None),
            'uq_payment_in_flight': (('account_id', 'subscription_id'), "state = 'pending'"),
            'uq_payment_unrefused': (('account_id', 'quote_id'), "state IN ('pending', 'captured')"),
        },
        'fk': {
            'fk_payment_account_id_subscription_id_quote_id_quote': (('account_id', 'subscription_id', 'quote_id'), 'quote', ('account_id', 'subscription_id', 'id')),
        },
    },
    'invoice': {
        'pk': ('account_id', 'id'),
        'uq': {
            'uq_invoice_account_id_issuer_id_number': ('account_id', 'issuer_id', 'number'),
            'uq_invoice_account_id_payment_key': ('account_id', 'payment_key'),
        },
        'ix': {
            'ix_invoice_credits': (('account_id', 'credits_id'), None),
            'ix_invoice_subscription': (('account_id', 'subscription_id', 'issued_on', 'number'), None),
            'ix_invoice_subscription_status': (('account_id', 'subscription_id', 'status', 'issued_on', 'number'), None),
        },
        'fk': {
            'fk_invoice_account_id_credits_id_invoice': (('account_id', 'credits_id'), 'invoice', ('account_id', 'id')),
            'fk_invoice_account_id_payment_key_payment': (('account_id', 'payment_key'), 'payment', ('account_id', 'key')),
            'fk_invoice_account_id_subscription_id_subscription': (('account_id', 'subscription_id'), 'subscription', ('account_id', 'id')),
        },
    },
    'invoice_document': {
        'pk': ('account_id', 'invoice_id'),
        'fk': {
            'fk_invoice_document_account_id_invoice_id_invoice': (('account_id', 'invoice_id'), 'invoice', ('account_id', 'id')),
        },
    },
    'refund': {
        'pk': ('account_id', 'key'),
        'uq': {
            'uq_refund_account_id_credit_note_id': ('account_id', 'credit_note_id'),
        },
        'ix': {
            'ix_refund_invoice': (('account_id', 'invoice_id'), None),
            'ix_refund_payment': (('account_id', 'payment_key'), None),
            'uq_refund_pending': (('account_id', 'invoice_id'), "state = 'pending'"),
        },
        'fk': {
            'fk_refund_account_id_credit_note_id_invoice': (('account_id', 'credit_note_id'), 'invoice', ('account_id', 'id')),
            'fk_refund_account_id_invoice_id_invoice': (('account_id', 'invoice_id'), 'invoice', ('account_id', 'id')),
            'fk_refund_account_id_payment_key_payment': (('account_id', 'payment_key'), 'payment', ('account_id', 'key')),
        },
    },
    'period': {
        'pk': ('account_id', 'subscription_id', 'ordinal'),
        'fk': {
            'fk_period_account_id_subscription_id_subscription': (('account_id', 'subscription_id'), 'subscription', ('account_id', 'id')),
        },
    },
    'change': {
        'pk': ('account_id', 'id'),
        'ix': {
            'ix_change_subscription': (('account_id', 'subscription_id'), None),
            'uq_change_open': (('account_id', 'subscription_id', 'kind'), 'closed_at IS NULL'),
        },
        'fk': {
            'fk_change_account_id_subscription_id_subscription': (('account_id', 'subscription_id'), 'subscription', ('account_id', 'id')),
        },
    },
    'quiet': {
        'pk': ('account_id', 'subscription_id'),
        'fk': {
            'fk_quiet_account_id_subscription_id_subscription': (('account_id', 'subscription_id'), 'subscription', ('account_id', 'id')),
        },
    },
    'message': {
        'pk': ('account_id', 'id'),
        'uq': {
            'uq_message_account_id_about': ('account_id', 'about'),
        },
        'fk': {
            'fk_message_account_id_attached_id_invoice': (('account_id', 'attached_id'), 'invoice', ('account_id', 'id')),
        },
    },
    'activity': {
        'pk': ('account_id', 'id'),
        'fk': {
            'fk_activity_account_id_subscription_id_subscription': (('account_id', 'subscription_id'), 'subscription', ('account_id', 'id')),
        },
    },
    'contact_case': {
        'pk': ('account_id', 'number'),
        'fk': {
            'fk_contact_case_account_id_subscription_id_subscription': (('account_id', 'subscription_id'), 'subscription', ('account_id', 'id')),
        },
    },
    'owner_session': {
        'pk': ('account_id', 'token_hash'),
        'uq': {
            'uq_owner_session_account_id_id': ('account_id', 'id'),
        },
        'ix': {
            'ix_owner_session_owner': (('account_id', 'owner_id'), None),
            'ix_owner_session_token_hash': (('token_hash',), None),
        },
        'fk': {
            'fk_owner_session_account_id_owner_id_owner': (('account_id', 'owner_id'), 'owner', ('account_id', 'id')),
        },
    },
    'password_reset': {
        'pk': ('account_id', 'token_hash'),
        'ix': {
            'ix_password_reset_owner': (('account_id', 'owner_id'), None),
        },
        'fk': {
            'fk_password_reset_account_id_owner_id_owner': (('account_id', 'owner_id'), 'owner', ('account_id', 'id')),
        },
    },
    'provider_identity': {
        'pk': ('account_id', 'issuer', 'subject'),
        'uq': {
            'uq_provider_identity_account_id_owner_id_issuer': ('account_id', 'owner_id', 'issuer'),
        },
        'fk': {
            'fk_provider_identity_account_id_owner_id_owner': (('account_id', 'owner_id'), 'owner', ('account_id', 'id')),
        },
    },
    'draft': {
        'pk': ('account_id', 'id'),
        'uq': {
            'uq_draft_account_id_owner_id_form': ('account_id', 'owner_id', 'form'),
        },
        'fk': {
            'fk_draft_account_id_owner_id_owner': (('account_id', 'owner_id'), 'owner', ('account_id', 'id')),
        },
    },
    'stripe_customer': {
        'ix': {
            'ix_stripe_customer_customer': (('customer',), None),
        },
    },
    'stripe_setup': {
        'pk': ('account_id', 'reference'),
        'fk': {
            'fk_stripe_setup_account_id_account': (('account_id',), 'account', ('id',)),
        },
    },
}


def upgrade():
    for table, (source, key, column) in ACCOUNTS.items():
        op.add_column(table, sa.Column('account_id', ID, nullable=True))
        found = f'SELECT source.account_id FROM {source} AS source WHERE source.{key} = "{table}".{column}'
        op.execute(f'UPDATE "{table}" SET account_id = ({found})')
    for table in ('password_reset', 'stripe_setup'):  # links for unknown e-mails, and visits that were given up
        op.execute(f'DELETE FROM {table} WHERE account_id IS NULL')
    reshape(BEFORE, AFTER)
    op.execute(f'UPDATE activity SET id = {letters()}')
    op.create_table(
        'sign_in_key',
        sa.Column('key_hash', sa.String(64), nullable=False),
        sa.Column('account_id', ID, nullable=False),
        sa.PrimaryKeyConstraint('key_hash', name=op.f('pk_sign_in_key')),
    )
    write_keys('SELECT account_id, email FROM owner', 'email')
    write_keys('SELECT account_id, issuer, subject FROM provider_identity', 'subject')
    with op.batch_alter_table('sandbox_headcount') as batch:
        batch.drop_constraint(op.f('fk_sandbox_headcount_account_id_account'), type_='foreignkey')
        batch.alter_column('account_id', new_column_name='customer', existing_type=ID, existing_nullable=False)


def downgrade():
    with op.batch_alter_table('sandbox_headcount') as batch:
        batch.alter_column('customer', new_column_name='account_id', existing_type=ID, existing_nullable=False)
    with op.batch_alter_table('sandbox_headcount') as batch:
        batch.create_foreign_key(op.f('fk_sandbox_headcount_account_id_account'), 'account', ['account_id'], ['id'])
    op.drop_table('sign_in_key')
    op.execute(
        'CREATE TEMPORARY TABLE numbered AS SELECT account_id, id, row_number() OVER (ORDER BY id) AS place FROM activity'
    )
    op.execute('CREATE UNIQUE INDEX ix_numbered ON numbered (account_id, id)')
    op.execute(
        'UPDATE activity SET id = (SELECT CAST(numbered.place AS VARCHAR(40)) FROM numbered '
        'WHERE numbered.account_id = activity.account_id AND numbered.id = activity.id)'
    )
    op.execute('DROP TABLE numbered')
    reshape(AFTER, BEFORE)
    if op.get_bind().dialect.name == 'postgresql':
        op.execute('CREATE SEQUENCE activity_id_seq AS integer OWNED BY activity.id')
        op.execute("SELECT setval('activity_id_seq', (SELECT coalesce(max(id), 0) + 1 FROM activity), false)")
        op.execute("ALTER TABLE activity ALTER COLUMN id SET DEFAULT nextval('activity_id_seq')")
    for table in ACCOUNTS:
        with op.batch_alter_table(table) as batch:
            batch.drop_column('account_id')


def letters():
    """The number of a record in hexadecimal, of fixed length, written in the letters a to p."""
    if op.get_bind().dialect.name == 'postgresql':
        return "translate(lpad(to_hex(id::bigint), 14, '0'), '0123456789abcdef', 'abcdefghijklmnop')"
    written = "printf('%014x', CAST(id AS INTEGER))"
    for digit, letter in reversed(list(zip('0123456789abcdef', 'abcdefghijklmnop'))):
        written = f"replace({written}, '{digit}', '{letter}')"
    return written


def write_keys(query, kind):
    """A key for each owner, and for each who is bound at an identity provider."""
    connection = op.get_bind()
    keys = sa.table('sign_in_key', sa.column('key_hash'), sa.column('account_id'))
    rows = connection.execute(sa.text(query)).all()
    hashed = [(hashlib.sha256('\n'.join((kind, *parts)).encode()).hexdigest(), account) for account, *parts in rows]
    if hashed:
        op.bulk_insert(keys, [{'key_hash': key, 'account_id': account} for key, account in hashed])


def reshape(old, new):
    """SQLite copies a table to change it, so each is changed in one step. Elsewhere keys are changed before those that
    refer to them."""
    steps = (drop_references, change_keys, add_references)
    for together in [steps] if op.get_bind().dialect.name == 'sqlite' else [(step,) for step in steps]:
        for table in BEFORE:
            with op.batch_alter_table(table) as batch:
                for step in together:
                    step(batch, table, old.get(table, {}), new.get(table, {}))


def drop_references(batch, table, old, new):
    for name in old.get('fk', ()):
        batch.drop_constraint(op.f(name), type_='foreignkey')


def change_keys(batch, table, old, new):
    if table in ACCOUNTS and new is AFTER[table]:
        batch.alter_column('account_id', existing_type=ID, nullable=False)
    if table == 'activity':
        change_numbers(batch, new is BEFORE[table])
    for name in old.get('ix', ()):
        batch.drop_index(name)
    for name in old.get('uq', ()):
        batch.drop_constraint(op.f(name), type_='unique')
    if 'pk' in old:
        batch.drop_constraint(op.f(f'pk_{table}'), type_='primary')
        batch.create_primary_key(op.f(f'pk_{table}'), list(new['pk']))
    for name, columns in new.get('uq', {}).items():
        batch.create_unique_constraint(op.f(name), list(columns))
    for name, (columns, condition) in new.get('ix', {}).items():
        where = sa.text(condition) if condition else None
        unique = name.startswith('uq_')
        batch.create_index(name, list(columns), unique=unique, sqlite_where=where, postgresql_where=where)


def change_numbers(batch, back):
    """The portal numbers its activity itself; before, the database did."""
    if op.get_bind().dialect.name == 'postgresql' and not back:
        op.execute('ALTER TABLE activity ALTER COLUMN id DROP DEFAULT')
        op.execute('DROP SEQUENCE activity_id_seq')
    before, after = (NUMBER, sa.Integer()) if back else (sa.Integer(), NUMBER)
    using = 'id::integer' if back else 'id::varchar'
    batch.alter_column(
        'id', existing_type=before, type_=after, existing_nullable=False, postgresql_using=using
    )


def add_references(batch, table, old, new):
    for name, (columns, referred, keys, *ondelete) in new.get('fk', {}).items():
        batch.create_foreign_key(op.f(name), referred, list(columns), list(keys), ondelete=(ondelete or [None])[0])
