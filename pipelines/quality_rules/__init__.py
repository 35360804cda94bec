"""What a text is like, in numbers, and which of them tell that it is no text to learn from."""
