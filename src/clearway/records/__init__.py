"""The nouns: frozen structs, the error family and the injected clock. No I/O, no imports from above."""
