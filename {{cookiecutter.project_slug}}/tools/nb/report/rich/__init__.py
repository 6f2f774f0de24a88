"""Rich outputs without the network: mathematics, interactive figures, widgets, sound and film."""
