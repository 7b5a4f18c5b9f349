"""What vector databases share: what they keep of an item, what is asked of them, and how their answers are ordered."""
