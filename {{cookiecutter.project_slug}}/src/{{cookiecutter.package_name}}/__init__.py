"""What the notebooks share: functions worth a name, a type and a test."""
