"""The market database of a local installation for programs other than ours."""
