"""Entropy Sums: does the ELBO converge to a sum of entropies?"""
