"""The search for settings on a user's own images: what is tried, how one trial is trained, and what comes of it."""
