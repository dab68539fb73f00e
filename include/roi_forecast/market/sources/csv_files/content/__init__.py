"""From a path to the bytes and lines of a file: confined, unpacked, decoded, of bounded size."""
