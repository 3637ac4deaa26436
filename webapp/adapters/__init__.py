"""The real services behind the ports: Stripe, Qlik Cloud, SMTP and the machine's clock.

Stripe's tables are registered here, so that every portal has the same schema, in the sandbox too.
"""

from .stripe import tables

__all__ = ["tables"]
