"""Rows, tables and boards: numbers in, text out."""
