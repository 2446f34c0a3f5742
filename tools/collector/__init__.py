"""What of collector/ is generated from other files, and the checks that its names are those of the code."""
