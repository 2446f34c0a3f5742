"""What shows runs: the page in a browser, the screens of a terminal, and what is printed."""
