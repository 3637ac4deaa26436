"""What becomes due as time passes: automatic renewals, retries, ends and notices."""
