"""What "alike" means: sums, measures, kernels; arrays in, arrays out."""
