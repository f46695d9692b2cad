"""MesaHub's own wire protocol (docs/protocol.md)."""
