"""Many sessions in a row through the real DAG: what happens to the market, and what must hold."""
