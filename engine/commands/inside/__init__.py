"""Programs of ours that run in the jail of a compiler."""
