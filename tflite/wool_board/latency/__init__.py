"""How long single int8 convolutions take on this machine, over the numbers of channels that they read and write."""
