"""Kills, full disks, faulty storage and load, tried by machine and kept in a record."""
