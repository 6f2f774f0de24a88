"""Secrets in text: names, shapes, values, and masks for them."""
