"""Sentences for people: refusals, declined payments, labels."""
