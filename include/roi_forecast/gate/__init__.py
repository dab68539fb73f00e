"""Whether a candidate may serve: rules, decision and approval."""
