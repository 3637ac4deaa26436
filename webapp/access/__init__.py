"""Who may come in: sign-in, sessions, passwords, the identity provider, and rate limits."""
