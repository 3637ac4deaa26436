"""Mails: written into the outbox with the change that they report, then delivered."""
