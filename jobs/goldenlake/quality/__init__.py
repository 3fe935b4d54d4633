"""Rules on data: judged row by row, and table by table before a publication."""
