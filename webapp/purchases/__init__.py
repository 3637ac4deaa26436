"""Paying: quotes, payments, cards, refunds, and the events that the gateway sends."""
