"""Tests of the MQTT client: against a real mosquitto, and against brokers that misbehave."""
