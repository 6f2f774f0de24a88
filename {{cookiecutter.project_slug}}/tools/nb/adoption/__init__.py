"""Adoption of existing notebooks: brought in as a whole, tried, and put in an order to promote."""
