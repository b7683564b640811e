"""Commands that know xv39's structures. kernel.py is the ground that the others stand on."""
