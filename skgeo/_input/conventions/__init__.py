"""Grids of models in their own conventions, read as centres, corners and areas of cells."""
