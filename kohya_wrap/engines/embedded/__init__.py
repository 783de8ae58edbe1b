"""The embedded engine: scripts that run in the engine's environment only; the wrapper imports `honoured` alone."""
