#!/bin/sh
# Writes the password file from the environment, then becomes the broker.
set -eu
umask 077
passwords=/mosquitto/data/passwords
: >"$passwords"
mosquitto_passwd -b "$passwords" stadtfunk "$STADTFUNK_MQTT_PASSWORD"
mosquitto_passwd -b "$passwords" chirpstack "$CHIRPSTACK_MQTT_PASSWORD"
mosquitto_passwd -b "$passwords" gateway "$GATEWAY_MQTT_PASSWORD"
chown -R mosquitto:mosquitto /mosquitto/data
exec mosquitto -c /mosquitto/config/mosquitto.conf
