"""Where messages come from. A source yields batches; whoever stores one says so by asking for the next."""
