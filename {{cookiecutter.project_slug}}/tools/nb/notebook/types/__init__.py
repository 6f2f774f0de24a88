"""Types of parameters: parsed annotations, coerced values, and values as Python source."""
