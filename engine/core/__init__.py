"""What decides. Nothing here may wait, read, look at a clock or throw dice: everything comes in as arguments."""
