"""A report of a catalogue and its embeddings, for a colleague to open in a browser."""
