"""What an owner sees of a subscription and may change: seats and cancellation. Paying is in `purchases`."""
