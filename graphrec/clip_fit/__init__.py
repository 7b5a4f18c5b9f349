"""Training CLIP on a catalogue's own pictures and texts: from scratch or from any model that open_clip loads."""
