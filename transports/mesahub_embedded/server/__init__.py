"""The bundled HTTP server."""
