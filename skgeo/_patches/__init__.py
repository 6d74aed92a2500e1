"""Patches of grids: windows of pixels, the values of fields in them, and the cells that they cover."""
