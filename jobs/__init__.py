"""What one runs: argv, environment, files and terminal live here and nowhere else."""
