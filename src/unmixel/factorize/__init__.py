"""Matrix to factors: constraints, losses and solvers under one objective."""
