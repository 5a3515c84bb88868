"""Whether the running belt is as the card of its model says of held-out images: sequential tests."""
