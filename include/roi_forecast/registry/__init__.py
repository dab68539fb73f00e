"""The versioned model directory: publish, serve, and which version is champion."""
