"""The people of an account: its members, invitations, and handing it over to another owner."""
