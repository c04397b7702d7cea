"""What the parts cost, each beside a yardstick measured in the same run: see README.md."""
