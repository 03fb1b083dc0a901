"""Entropy Sums: does the ELBO converge to a sum of entropies?"""

from entropy_sums import mkl

mkl.unlock()
