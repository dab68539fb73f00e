"""The networks: layers, losses and the devices they run on."""
