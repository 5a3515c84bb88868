"""The memory of a station: events, tiles with their pictures and corrections, in a folder that survives a power cut."""
