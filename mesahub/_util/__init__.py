"""Helpers that know nothing of MesaHub."""
