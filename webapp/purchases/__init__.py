"""Paying: quotes, payments, cards, refunds, and what the payment gateway reports."""
