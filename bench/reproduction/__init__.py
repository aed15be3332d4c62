"""The experiments of Zhai et al. 2024, repeated on any data and base beside their figures."""
