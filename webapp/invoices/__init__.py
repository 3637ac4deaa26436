"""Invoices and credit notes: issued once, never changed, printed as PDF with embedded EN 16931 data (Factur-X)."""
