"""Results to figures and one page; never recomputes."""
