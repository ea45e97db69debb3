"""Plan, do, check: ideas tried on scans with truth, with their trail, and what a scan can show before it is taken."""
