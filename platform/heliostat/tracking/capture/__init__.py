"""What is recorded without being asked, each part in a module of its own; all of it can be switched off."""
