"""The smallest network that has every layer of the reference one: it trains in seconds."""

from __future__ import annotations

from typing import Any

TINY_NETWORK: dict[str, Any] = {
    "seq_len": 12,
    "lstm_units": [4, 4],
    "attention_heads": 1,
    "attention_key_dim": 4,
    "dense_units": 8,
    "epochs": 1,
}
"""Run parameters."""
