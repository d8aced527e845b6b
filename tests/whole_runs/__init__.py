"""Tests; a package so that its modules may share names and import each other."""
