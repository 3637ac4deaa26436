"""What time makes due: renewals, retries, ends and notices."""
