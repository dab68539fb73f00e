"""The model: ridge regression, the network that starts from it, its training and its predictions.

Keras is imported by the modules that need it, never by this package itself, so `ridge` and `inputs`
stay usable where TensorFlow must not be loaded.
"""
