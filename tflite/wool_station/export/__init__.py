"""Corrections of operators as crops to train on."""
