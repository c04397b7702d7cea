"""What is known about a run without asking: its code and where it runs. Read once, never guessed."""
