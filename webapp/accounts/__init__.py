"""The customer organisation: its billing information, its activity, and its cases with the account manager."""
