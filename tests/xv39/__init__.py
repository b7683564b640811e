"""The harness of xv39's tests: virtual machines (machine), disk images (images), this machine's speed (speed)."""
