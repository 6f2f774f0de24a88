"""Search for secrets in text, and masks for the secrets that are found or known."""
