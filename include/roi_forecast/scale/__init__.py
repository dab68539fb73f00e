"""The scale part of the model: how far a return may lie from its forecast."""
