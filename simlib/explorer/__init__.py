"""The interactive explorer: its widgets, its state and its thumbnails."""
