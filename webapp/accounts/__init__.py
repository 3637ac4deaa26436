"""The customer organisation: its billing information, its activity, and its messages to the account manager."""
