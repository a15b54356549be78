"""The adapters, one package per provider; none knows another."""
