"""Image files and detector lines become the pixels that a network reads."""
