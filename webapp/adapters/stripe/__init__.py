"""Stripe as the payment gateway."""
