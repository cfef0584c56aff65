"""Matching: an inventory against the compiled table; verdicts, reasons and due dates."""
