"""What keeps a gate harmless: the undo journal, the lock, recovery, and peak windows."""
