"""Events, states, ledger and replay."""
