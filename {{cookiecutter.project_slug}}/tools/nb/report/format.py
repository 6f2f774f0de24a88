"""Times, metrics and values of parameters as pages show them."""

from __future__ import annotations

from datetime import datetime, timezone

from nb.wording import value_text


def moment(text: object) -> str:
    """Return a time of a record such as 22 Nov 2026, 11:34; UTC."""
    try:
        when = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return ""
    when = when.astimezone(timezone.utc) if when.tzinfo else when
    return f"{when.day} {when:%b %Y, %H:%M}"


def number(value: object) -> str:
    """Return a metric with up to six digits."""
    if isinstance(value, float):
        return f"{value + 0.0:.6g}"  # a sum with 0 has no sign if it is 0
    return "" if value is None else str(value)


def value(value: object) -> str:
    """Return the value of a parameter as in YAML; long text is cut."""
    return value_text(value, 200)
