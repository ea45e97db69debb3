"""What adds, joins and leaves out components between the solve on the sketch and the exact sweeps; one a file."""
