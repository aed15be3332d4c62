"""What runs found, as sections: told as text or drawn on one page that needs nothing else."""
