"""From prices to datasets: rows, returns, scaling, the split and the leakage audit."""
