"""The parts of the leakage audit that compare values with bars."""
