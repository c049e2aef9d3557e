"""The outside world becomes one frozen structure: ids, codes, scale, CSR both ways, times."""
