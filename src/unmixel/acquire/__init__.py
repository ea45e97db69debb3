"""Scans that are still being acquired: frames from a detector into a record, images and factors while they come."""
