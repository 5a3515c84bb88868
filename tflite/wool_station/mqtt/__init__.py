"""Tells a broker, by MQTT, what the inspection says and how this board is."""
