"""The real services behind the ports: Stripe, Qlik Cloud, SMTP and the machine's clock."""
