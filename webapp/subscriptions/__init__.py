"""Subscriptions: what pages show of them, and the changes that cost nothing: reduce, cancel and undo.

Paying is in `purchases`.
"""
