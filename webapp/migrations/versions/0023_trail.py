"""people, browsers, security events and seals of the trail

Revision ID: 0023
Revises: 0022
Create Date: 2026-11-27 13:00:00

Who did something becomes a member of that name or a row of person, and an e-mail address among the values of a record
becomes a reference, so that both can be erased.
"""
import json
import re
import secrets

from alembic import op
import sqlalchemy as sa

from webapp.operation.distribution import Place, place_new


# revision identifiers, used by Alembic.
revision = '0023'
down_revision = '0022'
branch_labels = None
depends_on = None

ID = sa.String(40)
EMAIL = re.compile(r'[^\s@]+@[^\s@]+')
BATCH = 1000


def upgrade():
    make_tables()
    with op.batch_alter_table('activity') as batch:
        batch.add_column(sa.Column('person_id', ID, nullable=True))
        batch.add_column(sa.Column('browser', sa.String(30), nullable=False, server_default=''))
        batch.add_column(sa.Column('system', sa.String(30), nullable=False, server_default=''))
    refer()
    with op.batch_alter_table('activity') as batch:
        batch.drop_column('by')


def downgrade():
    op.add_column('activity', sa.Column('by', sa.String(200), nullable=True))
    name_again()
    with op.batch_alter_table('activity') as batch:
        for name in ('person_id', 'browser', 'system'):
            batch.drop_column(name)
    for name in ('trail_seal', 'security_event', 'person'):
        op.drop_table(name)


def make_tables():
    later = op.get_bind().dialect.name == 'postgresql'  # on a cluster a table is placed before it refers to others
    ordered = sa.String(40, collation='C') if later else sa.String(40)
    text = {length: sa.String(length) for length in (10, 20, 30, 40, 64, 200, 254)}
    tables = {
        'person': (
            [('id', ID), ('kind', text[10]), ('name', text[200]), ('email', text[254])],
            [sa.Column('member_id', ID, nullable=True),
             sa.CheckConstraint("kind IN ('member', 'support', 'address')", name=op.f('ck_person_kind'))],
            ('id',), True,
        ),
        'security_event': (
            [('id', ordered), ('person_id', ID), ('at', sa.DateTime()), ('kind', text[40]), ('detail', text[40]),
             ('times', sa.Integer()), ('browser', text[30]), ('system', text[30])],
            [], ('id',), False,
        ),
        'trail_seal': (
            [('trail', text[20]), ('number', sa.Integer()), ('last_id', ordered), ('last_at', sa.DateTime()),
             ('rows', sa.Integer()), ('digest', text[64]), ('mac', text[64])],
            [sa.CheckConstraint("trail IN ('activity', 'security_event')", name=op.f('ck_trail_seal_trail'))],
            ('trail', 'number'), True,
        ),
    }
    for table, (columns, more, key, refers) in tables.items():
        name = op.f(f'fk_{table}_account_id_account')
        reference = [sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=name)] if refers else []
        op.create_table(
            table,
            sa.Column('account_id', ID, nullable=False),
            *(sa.Column(column, kind, nullable=False) for column, kind in columns),
            *more,
            sa.PrimaryKeyConstraint('account_id', *key, name=op.f(f'pk_{table}')),
            *([] if later else reference),
        )
        if later:
            place_new(op.get_bind(), table, Place.DISTRIBUTED)
            if refers:
                op.create_foreign_key(name, table, 'account', ['account_id'], ['id'])


class People:
    """Of one account: ids by name and by address, and the rows that are to be added."""

    def __init__(self, connection, account_id):
        members = connection.execute(
            sa.text('SELECT id, name, email FROM member WHERE account_id = :account'), {'account': account_id}
        ).all()
        names = [name for _id, name, _email in members]
        self.account_id, self.added = account_id, []
        self.by_name = {name: id for id, name, _email in members if names.count(name) == 1}
        self.members, self.by_address = {email: id for id, _name, email in members}, {}

    def acting(self, name):
        if name is None:
            return None
        if name not in self.by_name:
            kind = 'support' if name.endswith(' (support)') else 'member'
            self.by_name[name] = self._add(kind, name, '', None)
        return self.by_name[name]

    def reference(self, value):
        if isinstance(value, list):
            return [self.reference(one) for one in value]
        if not isinstance(value, str) or not EMAIL.fullmatch(value):
            return value
        if value not in self.by_address:
            self.by_address[value] = self._add('address', '', value, self.members.get(value))
        return {'person': self.by_address[value]}

    def _add(self, kind, name, email, member_id):
        id = secrets.token_hex(16)
        self.added.append(
            {'account_id': self.account_id, 'id': id, 'kind': kind, 'name': name, 'email': email, 'member': member_id}
        )
        return id


def accounts(connection):
    query = 'SELECT id FROM account WHERE id > :last ORDER BY id LIMIT 500'
    last = ''
    while found := connection.scalars(sa.text(query), {'last': last}).all():
        yield from found
        last = found[-1]


def rows_of(connection, account_id, column):
    query = f'SELECT id, "{column}", "before", "after" FROM activity WHERE account_id = :account ORDER BY id'
    return connection.execute(sa.text(query), {'account': account_id}).all()


def refer():
    connection = op.get_bind()
    change = sa.text(
        'UPDATE activity SET person_id = :person, "before" = :before, "after" = :after '
        'WHERE account_id = :account AND id = :id'
    ).bindparams(sa.bindparam('before', type_=sa.JSON()), sa.bindparam('after', type_=sa.JSON()))
    add = sa.text(
        'INSERT INTO person (account_id, id, kind, name, email, member_id) '
        'VALUES (:account_id, :id, :kind, :name, :email, :member)'
    )
    for account_id in accounts(connection):
        people, changes = People(connection, account_id), []
        for id, by, before, after in rows_of(connection, account_id, 'by'):
            old, new = ({name: people.reference(value) for name, value in values(one).items()} for one in (before, after))
            if by is not None or (old, new) != (values(before), values(after)):
                person = people.acting(by)
                changes.append({'person': person, 'before': old, 'after': new, 'account': account_id, 'id': id})
        if people.added:
            connection.execute(add, people.added)
        for start in range(0, len(changes), BATCH):
            connection.execute(change, changes[start : start + BATCH])


def name_again():
    connection = op.get_bind()
    change = sa.text(
        'UPDATE activity SET "by" = :by, "before" = :before, "after" = :after WHERE account_id = :account AND id = :id'
    ).bindparams(sa.bindparam('before', type_=sa.JSON()), sa.bindparam('after', type_=sa.JSON()))
    query = sa.text(
        'SELECT id, name, email FROM member WHERE account_id = :account '
        'UNION ALL SELECT id, name, email FROM person WHERE account_id = :account'
    )
    for account_id in accounts(connection):
        people = {id: (name, email) for id, name, email in connection.execute(query, {'account': account_id})}

        def told(value):
            if isinstance(value, list):
                return [told(one) for one in value]
            return people.get(value['person'], ('', ''))[1] if isinstance(value, dict) and 'person' in value else value

        changes = [
            {
                'by': None if person is None else people.get(person, ('', ''))[0],
                'before': {name: told(value) for name, value in values(before).items()},
                'after': {name: told(value) for name, value in values(after).items()},
                'account': account_id,
                'id': id,
            }
            for id, person, before, after in rows_of(connection, account_id, 'person_id')
        ]
        if changes:
            connection.execute(change, changes)


def values(column):
    """SQLite gives JSON as text."""
    return json.loads(column) if isinstance(column, str) else column
