"""A fitted model with what changed since: items that came, changed or left, and what people did. Nothing is trained."""
